"""Figures of a simulation show what their legend says."""

from pathlib import Path
from unittest.mock import Mock

import numpy as np
from matplotlib.figure import Figure

from npp_jax import Solution, load_experiment
from npp_jax.figures.simulation import site_energies

SWEEPS = Path(__file__).parents[2] / "sweeps"


def test_sites_that_stay_and_sites_that_are_emptied_do_not_overlap():
    """One colour on the other would be a third that the legend does not have."""
    experiment = load_experiment(SWEEPS / "lithium_borate_K.toml")
    ax = site_energies(Figure().subplots(), experiment, Mock(Solution, plateau=np.array([0.11]), species=("Li", "K")))
    stay, emptied = (part.get_paths()[0].vertices[:, 0] for part in ax.collections)
    assert stay.min() < stay.max() <= emptied.min() < emptied.max()
