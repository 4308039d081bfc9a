"""What a profile tells at first sight."""

import numpy as np
import pytest
from scipy import stats

from npp_jax.fitting.first_guess import see_front


def test_the_front_of_a_noisy_native_ion_has_its_width():
    """A front of 12 nm (16 to 84 %) at 100 nm; noise of the bulk reached below the 84 % some 100 nm behind it."""
    depth = np.arange(0.5, 200.0)
    clean = 0.15 + 0.85 * stats.norm.cdf((depth - 100.0) / 6.0)
    widths = []
    for seed in range(60):
        front = see_front(depth, clean + 0.15 * np.random.default_rng(seed).standard_normal(len(depth)))
        assert front is not None and front.depth == pytest.approx(100e-9, abs=6e-9)
        widths.append(front.width)
    assert np.median(widths) == pytest.approx(12e-9, rel=0.2) and max(widths) < 40e-9
    exact = see_front(depth, clean)
    assert exact is not None and exact.width == pytest.approx(2.0 * 6e-9 * stats.norm.ppf(0.84), rel=0.02)
