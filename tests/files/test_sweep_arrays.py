"""The arrays of a sweep tell which points lie below their limit of detection."""

from pathlib import Path

import numpy as np
from cases import base

import npp_jax as npp
from npp_jax.files.sweep_export import write_sweep_arrays
from npp_jax.observe import below_limits
from npp_jax.sweeping.profiles import read_profiles

DEPTH = np.linspace(5.0, 150.0, 8)


def test_points_below_their_limit_are_marked(tmp_path: Path):
    measured = np.stack([np.linspace(0.1, 1.0, 8), np.linspace(0.9, -0.01, 8)])
    profile = below_limits(npp.DepthProfile(DEPTH, ["Li", "K"], measured, 0.02), {"K": 0.2})
    ranged = npp.Parameter("D", ("K.D_m2_s",), 5e-22, 2e-21, "log")
    problem = npp.Problem((npp.Measurement("a", base(), profile),), (ranged,))
    file = tmp_path / "s.h5"
    npp.sweep(problem, npp.Sobol(4), store=file, profiles=npp.KeptProfiles())
    arrays = np.load(write_sweep_arrays(file, npp.read_sweep(file), tmp_path / "a.npz"))
    below = measured <= np.array([[-np.inf], [0.2]])
    np.testing.assert_array_equal(arrays["below_a"], below)
    np.testing.assert_allclose(arrays["measured_a"][below], 0.2)
    (stored,) = read_profiles(file, np.array([0]))
    assert stored.measured is not None
    np.testing.assert_array_equal(np.asarray(stored.measured.censored) > 0.0, below)
