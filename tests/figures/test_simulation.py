"""Figures of a simulation show what their legend says."""

from pathlib import Path
from unittest.mock import Mock

import numpy as np
from matplotlib.figure import Figure

from npp_jax import Solution, load_experiment
from npp_jax.figures.simulation import current, site_energies

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
