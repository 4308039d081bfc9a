"""Experiments that were hard for the iteration, against the method of lines on a fixed mesh: no code is shared."""

import importlib.util
import json
import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

import npp_jax as npp
from npp_jax.constants import NM
from npp_jax.simulation.simulate import ACCURATE
from npp_jax.simulation.status import Status
from npp_jax.simulation.to_target import simulate_to_target

_FILE = Path(__file__).parents[2] / "benchmarks" / "method_of_lines.py"
_SPEC = importlib.util.spec_from_file_location("method_of_lines", _FILE)
assert _SPEC is not None and _SPEC.loader is not None
method_of_lines = importlib.util.module_from_spec(_SPEC)
# Code that Numba has kept is found by the name of its module.
sys.modules[_SPEC.name] = method_of_lines
_SPEC.loader.exec_module(method_of_lines)

_HEAD = """
schema_version = 1
sample = { thickness_um = 300.0, permittivity = 9.0, bulk_density_m3 = 1.4e28 }
"""

IMMOBILE_DIVALENT = (
    _HEAD
    + """
[[species]]
name = "Ca"
charge = 2
bulk_fraction = 1.0
diffusivity = { law = "sed", D_bulk_m2_s = 5e-18, vacancy_fraction = 0.1, immobile_fraction = 0.15, sed_fwhm_eV = 0.2 }
[[species]]
name = "Rb"
bulk_fraction = 0.0
diffusivity = { law = "constant", D_m2_s = 2e-20 }
[[stages]]
front = "ion-beam"
beam = "Rb"
temperature_K = 363.0
duration_s = 10000.0
current_density_A_m2 = 0.02
"""
)
"""Ions of which a part never moves, replaced by twice as many."""

OWN_DISTRIBUTION = (
    _HEAD
    + """
[[species]]
name = "Na"
bulk_fraction = 0.6
diffusivity = { law = "sed", D_bulk_m2_s = 3e-17, vacancy_fraction = 0.1, sed_fwhm_eV = 0.15 }
[[species]]
name = "K"
bulk_fraction = 0.4
diffusivity = { law = "sed", D_bulk_m2_s = 1e-17, vacancy_fraction = 0.1, sed_fwhm_eV = 0.15 }
[[species]]
name = "Rb"
bulk_fraction = 0.0
diffusivity = { law = "sed", D_bulk_m2_s = 4e-19, vacancy_fraction = 0.1, sed_fwhm_eV = 0.13 }
[[stages]]
front = "reservoir"
reservoir_fraction = { Na = 0.14, K = 0.1, Rb = 0.76 }
temperature_K = 396.0
duration_s = 5000.0
"""
)
"""An ion of the melt whose D vanishes with its fraction, so that it ends at an edge."""


NARROW_IMMOBILE = (
    _HEAD
    + """
[[species]]
name = "Li"
bulk_fraction = 1.0
diffusivity = { law = "sed", D_bulk_m2_s = 6e-18, vacancy_fraction = 0.2, immobile_fraction = 0.15, sed_fwhm_eV = 0.1 }
[[species]]
name = "Rb"
bulk_fraction = 0.0
diffusivity = { law = "constant", D_m2_s = 1e-20 }
[[stages]]
front = "ion-beam"
beam = "Rb"
temperature_K = 376.0
duration_s = 17568.0
current_density_A_m2 = 0.0043
"""
)
"""A distribution so narrow that D of what should not move is a third of that of the foreign ion, and rises steeply."""

TWO_IMMOBILE = (
    _HEAD
    + """
[[species]]
name = "Na"
bulk_fraction = 0.6
diffusivity = { law = "sed", D_bulk_m2_s = 6e-17, vacancy_fraction = 0.4, immobile_fraction = 0.05, sed_fwhm_eV = 0.18 }
[[species]]
name = "K"
bulk_fraction = 0.4
diffusivity = { law = "sed", D_bulk_m2_s = 2e-17, vacancy_fraction = 0.4, immobile_fraction = 0.05, sed_fwhm_eV = 0.18 }
[[species]]
name = "Rb"
bulk_fraction = 0.0
diffusivity = { law = "constant", D_m2_s = 2.2e-21 }
[[stages]]
front = "ion-beam"
beam = "Rb"
temperature_K = 363.0
duration_s = 35856.0
current_density_A_m2 = 0.0031
"""
)
"""Two ions with immobile parts, of which one gathers behind the other."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "reach", "step"),
    [
        (IMMOBILE_DIVALENT, 120.0, 0.25),
        (OWN_DISTRIBUTION, 80.0, 0.25),
        (NARROW_IMMOBILE, 90.0, 0.25),
        (TWO_IMMOBILE, 100.0, 0.125),
    ],
    ids=["divalent", "own-distribution", "narrow", "two"],
)
def test_hard_experiments_are_done_and_right(text: str, reach: float, step: float, tmp_path: Path) -> None:
    file = tmp_path / "e.toml"
    file.write_text(text)
    solution = simulate_to_target(npp.load_experiment(file))
    assert int(solution.report.status) in (Status.DONE, Status.NOT_NEUTRAL)
    judge = method_of_lines.solve(file, reach_nm=reach, step_nm=step, rtol=1e-5)
    depth = np.linspace(0.0, 0.6 * reach, 400)[1:]
    found = np.asarray(solution.profile(jnp.asarray(depth * NM)))
    right = np.stack([np.interp(depth, judge.depth, part) for part in judge.fraction[-1]])
    assert right[-1].max() - right[-1].min() > 0.5
    error = np.sqrt(np.mean((found - right) ** 2, axis=1))
    assert error.max() < ACCURATE.profile_target, json.dumps(error.tolist())
