"""A study that is written has one limit of detection of an ion, or says that its points have several."""

import numpy as np
import pytest

from npp_jax.files import ConfigError
from npp_jax.files.study_out import _limits  # pyright: ignore[reportPrivateUsage]
from npp_jax.observe import DepthProfile


@pytest.mark.parametrize("second", [0.02, 0.04])
def test_limits_of_an_ion(second: float):
    fraction, censored = np.array([[0.5, 0.3, 0.1, 0.02, second], [0.5, 0.7, 0.9, 1.0, 1.0]]), np.zeros((2, 5))
    censored[0, 3:] = 1.0
    profile = DepthProfile(np.arange(1.0, 6.0), ["K", "Li"], fraction, np.full((2, 5), 0.01), censored=censored)
    if second == 0.02:
        assert _limits(profile) == {"K": 0.02}
    else:
        with pytest.raises(ConfigError, match="K: study files have one limit of detection"):
            _limits(profile)
