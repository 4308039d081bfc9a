"""Whether a misfit is one that the errors allow."""

import pytest
from scipy.stats import chi2

from npp_jax.inference import UNLIKELY, too_close


@pytest.mark.parametrize("freedom", [3, 60, 2000])
def test_too_close(freedom: int) -> None:
    """Told for errors that are five times too large, and not within what chance does."""
    for misfit in (chi2.ppf(1e-4, freedom), float(freedom), chi2.isf(UNLIKELY, freedom)):
        assert too_close(misfit, freedom, chi2.sf(misfit, freedom)) is None
    misfit = freedom / 25.0
    told = too_close(misfit, freedom, chi2.sf(misfit, freedom))
    # Three points are too few to tell.
    assert (told is None) == (freedom == 3)
    if told:
        assert f"χ² {misfit:.3g} for {freedom} degrees of freedom" in told


def test_as_many_parameters_as_points_meet_them_all() -> None:
    assert too_close(1e-21, 0, 1.0) is None
