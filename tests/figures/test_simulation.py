"""Figures of a simulation show what their legend says."""

from pathlib import Path
from unittest.mock import Mock

import equinox as eqx
import numpy as np
import pytest
from matplotlib.figure import Figure
from typer.testing import CliRunner

from npp_jax import ExponentialDiffusivity, Solution, load_experiment
from npp_jax.cli import app
from npp_jax.figures.simulation import current, diffusivities, site_energies

SWEEPS = Path(__file__).parents[2] / "sweeps"


def test_sites_that_stay_and_sites_that_are_emptied_do_not_overlap():
    """One colour on the other would be a third that the legend does not have."""
    experiment = load_experiment(SWEEPS / "lithium_borate_K.toml")
    ax = site_energies(Figure().subplots(), experiment, Mock(Solution, plateau=np.array([0.11]), species=("Li", "K")))
    stay, emptied = (part.get_paths()[0].vertices[:, 0] for part in ax.collections)
    assert stay.min() < stay.max() <= emptied.min() < emptied.max()


def test_currents_that_hardly_change_and_those_of_both_directions_lie_inside():
    for density in (np.array([7.41e-5, 7.40e-5]), np.array([2e-5, -3e-5])):
        trace = Mock(time=np.array([0.0, 3600.0]), current_density=density, charge=np.array([0.0, 10.0]))
        low, high = current(Figure().subplots(), Mock(Solution, trace=trace)).get_ylim()
        assert low <= 0.0 <= high and low <= 1.04e5 * density.min() and high >= 1.04e5 * density.max()


def test_a_current_that_is_no_number_leaves_the_axis_alone():
    trace = Mock(time=np.full(2, np.nan), current_density=np.full(2, np.nan), charge=np.array([0.0, 10.0]))
    assert np.all(np.isfinite(current(Figure().subplots(), Mock(Solution, trace=trace)).get_ylim()))


@pytest.mark.parametrize("coefficient", [900.0, -900.0, 600.0, 1e5])
def test_a_law_that_leaves_all_numbers_is_drawn_where_it_is_one(coefficient: float):
    """An axis up to 1e308 and beyond: matplotlib warned of an overflow, and the figure was lost."""
    experiment = load_experiment(SWEEPS / "lithium_borate_K.toml")
    law = ExponentialDiffusivity(1e-18, [coefficient])
    ax = diffusivities(Figure().subplots(), eqx.tree_at(lambda e: e.species[0].diffusivity, experiment, law))
    ax.figure.canvas.draw()
    D = ax.lines[0].get_ydata()
    x = ax.lines[0].get_xdata()
    exact = -18.0 + coefficient * x / np.log(10.0)
    drawn = np.isfinite(D)
    np.testing.assert_array_equal(drawn, np.abs(exact) < 100.0)
    np.testing.assert_allclose(np.log10(D[drawn]), exact[drawn])


@pytest.mark.parametrize("coefficient", [pytest.param(900.0, marks=pytest.mark.slow), -900.0])
def test_a_run_that_overflows_ends_with_its_figure(coefficient: float, tmp_path: Path):
    text = (SWEEPS / "lithium_borate_K.toml").read_text(encoding="utf-8")
    begin, end = text.index('law = "sed"'), text.index("# Puts the composition")
    law = f'law = "polynomial"\nD_m2_s = 1e-18\nln_D_coefficient = [{coefficient}]\n\n'
    (tmp_path / "over.toml").write_text(text[:begin] + law + text[end:], encoding="utf-8")
    done = CliRunner().invoke(app, ["simulate", str(tmp_path / "over.toml"), "--output", str(tmp_path)])
    assert done.exit_code == 4
    assert "status: numbers overflowed" in done.output
    assert "could not be drawn" not in done.output and "inf " not in done.output
    assert (tmp_path / "over.png").exists()
