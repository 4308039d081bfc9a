"""Figures of stored results: what is drawn is what is known."""

from pathlib import Path
from unittest.mock import MagicMock, Mock

import h5py
import jax.numpy as jnp
import numpy as np
import pytest

from npp_jax.commands.fit.arrays import landscape_arrays
from npp_jax.commands.fit.figures import _landscape
from npp_jax.commands.fit.run import FitOutcome
from npp_jax.commands.plot_fit import FIT, fit_figures
from npp_jax.figures.stored import (
    StageSeen,
    StoredLikelihood,
    figure_exchange,
    figure_likelihoods,
    figure_steps,
    likelihood_curve,
)
from npp_jax.store.arrays import Array, put
from npp_jax.sweeping import SweepResult
from npp_jax.tracer.measured import MeasuredProfile


@pytest.mark.parametrize("scale", [np.asarray, np.log])
def test_a_parabola_is_drawn_as_one(scale):
    values = np.array([0.2, 0.5, 1.0, 1.5, 3.0])
    x, height = likelihood_curve(values, (scale(values) - scale(np.array(1.0))) ** 2, 1.0, scale)
    np.testing.assert_allclose(height, (scale(x) - scale(np.array(1.0))) ** 2, atol=1e-12)


def test_a_stored_likelihood_goes_through_its_points():
    values = np.array([0.2, 0.5, 1.5, 3.0])
    stored = StoredLikelihood("sed_fwhm_eV", "eV", "linear", 1.0, values, (values - 1.0) ** 2, np.array([0.1, 2.9]))
    (ax,) = figure_likelihoods([stored]).axes
    curve = next(line for line in ax.lines if line.get_label() == "profile")
    x, height = (np.asarray(numbers) for numbers in curve.get_data())
    np.testing.assert_allclose(height, (x - 1.0) ** 2, atol=1e-12)


def test_what_was_measured_through_a_chain_stands_at_its_lines():
    centres = np.array([4e-6, 12e-6, 20e-6, 28e-6])
    fraction = np.array([[0.8, 0.8, 0.3, 0.3], [0.7, 0.7, 0.4, 0.4]])
    seen = StageSeen(centres, fraction[1] + 0.02, np.full(4, 0.01), fraction[1])
    upper, lower = figure_steps("chain", np.array([1.0, 2.0]), centres, fraction, np.array([16e-6]), {1: seen}).axes
    (bars,) = upper.containers
    np.testing.assert_allclose(bars[0].get_ydata(), seen.measured)
    np.testing.assert_allclose(lower.lines[0].get_ydata(), 2.0)
    # No line joins the grains: at the boundary there is a step.
    assert [np.isnan(line.get_ydata()).sum() for line in upper.lines if len(line.get_xdata()) == 5] == [1, 1]


def test_residuals_stand_below_their_points():
    x = np.linspace(-0.8e-3, 5.8e-3, 40)
    profile = MeasuredProfile(jnp.asarray(x), jnp.asarray(0.1 + 0.0 * x), jnp.asarray(0.01))
    line = np.linspace(-1e-3, 6e-3, 30)
    upper, lower = figure_exchange("a", [("", [profile], ["one"], line, 0.1 + 0.0 * line[None])], {}).axes
    assert upper.get_xlim() == lower.get_xlim() and lower.get_xlim()[1] > 6.0


def test_a_fit_with_more_parameters_than_its_sweep_is_drawn(tmp_path: Path):
    """The scales of imported profiles are parameters of the fit alone; an end that is held ends no interval."""
    along, names = ("parameter",), ["width_eV", "D_m2_s", "K_sensitivity"]
    text = {"parameter": names, "parameter_unit": ["eV", "m2 s-1", "1"], "parameter_key": 3 * [""],
            "parameter_scale": ["linear", "log", "linear"]}  # fmt: skip
    square = (*along, "other_parameter")
    sweep = Mock(
        SweepResult,
        theta=np.array([[0.2, 1e-21], [0.3, 2e-21]]),
        total=np.array([5.0, 4.0]),
        names=tuple(names[:2]),
    )
    with h5py.File(tmp_path / "a_fit.h5", "w") as file:
        file.attrs["title"] = FIT
        numbers = {
            "theta": ([0.25, 1e-21, 1.0], along),
            "parameter_range": ([[0.1, 0.4], [1e-22, 1e-20], [0.9, 1.1]], (*along, "end")),
            "correlation": (np.eye(3), square),
            "covariance_scaled": (1e-4 * np.eye(3), square),
            "path": ([[0.2, 1e-21, 1.0]], ("trial", *along)),
        }
        put(file, {name: Array(values, "1", name, along) for name, values in text.items()})
        put(file, {name: Array(np.array(values), "1", name, axes) for name, (values, axes) in numbers.items()})
        put(file.create_group("landscape"), landscape_arrays(sweep))
        part = file.create_group("profile_likelihood/width_eV")
        put(part, {
            "values": Array(np.array([0.25, 0.3]), "eV", "value", ("values",)),
            "delta_chi2": Array(np.array([0.0, 5.0]), "1", "above", ("values",)),
            "end_outcome": Array(["HELD", "CLOSED"], "1", "how", ("end",)),
            "end_value": Array(np.array([0.25, 0.29]), "eV", "end", ("end",)),
        })  # fmt: skip
    drawn = fit_figures(tmp_path / "a_fit.h5")
    assert set(drawn) == {"correlation", "profile_likelihood", "landscape"}
    (ax,) = drawn["profile_likelihood"].axes
    upright = [
        line.get_xdata()[0] for line in ax.lines if np.ptp(line.get_xdata()) == 0.0 and len(line.get_xdata()) == 2
    ]
    assert upright == [0.29]


def test_a_fit_whose_candidates_all_failed_has_no_landscape() -> None:
    outcome = FitOutcome(MagicMock(), MagicMock(total=np.full(3, np.inf)), MagicMock(), ())
    assert _landscape(outcome) is None
