"""Residuals are drawn as data less model, in every figure."""

from unittest.mock import Mock

import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from npp_jax import DepthProfile, GaussianLikelihood, Measurement
from npp_jax.figures.fit import residuals
from npp_jax.figures.records import DrawnRecord
from npp_jax.figures.stored import SeenFit, figure_seen


def test_points_above_the_line_have_positive_residuals():
    depth, measured = np.linspace(1.0, 9.0, 9), np.full((1, 9), 0.5)
    profile = DepthProfile(depth, ("K",), measured, np.full((1, 9), 0.1))
    found = np.asarray(GaussianLikelihood().residuals(jnp.full((1, 9), 0.4), profile)).ravel()
    ax = residuals(Figure().subplots(), Mock(Measurement, profile=profile), found)
    stored = figure_seen("K", [SeenFit("K", depth, ("K",), measured, np.full((1, 9), 0.1), np.full((1, 9), 0.4))])
    for drawn in (ax, stored.axes[2]):
        np.testing.assert_allclose(drawn.lines[0].get_ydata(), 1.0, rtol=1e-6)


def test_so_are_those_of_records():
    record = Mock(value=np.array([1.0, 2.0]), sigma=np.array([0.5, 0.5]))
    one = Mock(DrawnRecord, record=record, signal=np.array([0.5, 2.5]))
    np.testing.assert_allclose(DrawnRecord.residual.fget(one), [1.0, -1.0])
