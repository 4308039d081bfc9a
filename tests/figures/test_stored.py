"""Figures of stored results: what is drawn is what is known."""

import numpy as np
import pytest

from npp_jax.figures.stored import StoredLikelihood, figure_likelihoods, likelihood_curve


@pytest.mark.parametrize("scale", [np.asarray, np.log])
def test_a_parabola_is_drawn_as_one(scale):
    values = np.array([0.2, 0.5, 1.0, 1.5, 3.0])
    x, height = likelihood_curve(values, (scale(values) - scale(np.array(1.0))) ** 2, 1.0, scale)
    np.testing.assert_allclose(height, (scale(x) - scale(np.array(1.0))) ** 2, atol=1e-12)


def test_a_stored_likelihood_goes_through_its_points():
    values = np.array([0.2, 0.5, 1.5, 3.0])
    stored = StoredLikelihood("sed_fwhm_eV", "eV", 1.0, values, (values - 1.0) ** 2, np.array([0.1, 2.9]))
    (ax,) = figure_likelihoods([stored]).axes
    curve = next(line for line in ax.lines if line.get_label() == "profile")
    x, height = (np.asarray(numbers) for numbers in curve.get_data())
    np.testing.assert_allclose(height, (x - 1.0) ** 2, atol=1e-12)
