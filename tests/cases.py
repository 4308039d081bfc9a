"""Experiments that several tests share, and `simulate` compiled once for each of their forms."""

import functools
from collections.abc import Callable
from dataclasses import replace

import jax

from npp_jax.files import parse_experiment
from npp_jax.physics import Experiment
from npp_jax.simulation.controls import Controls
from npp_jax.simulation.simulate import ACCURATE, FAST, simulate
from npp_jax.simulation.solution import Model, Solution

NM = 1e-9

PLAIN = replace(ACCURATE, companion=False)
"""Without the second run of the error estimate."""

SMALL = replace(FAST, cells_behind=50, cells_ahead=20, steps=8, iterations=10, tolerance=1e-10, companion=False)
"""For what does not depend on a fine mesh: conservation, derivatives, limits."""

BASE = {
    "schema_version": 1,
    "sample": {"thickness_um": 500.0, "permittivity": 9.0, "bulk_density_m3": 1.4e28},
    "species": [
        {
            "name": "Li",
            "bulk_fraction": 1.0,
            "diffusivity": {"law": "sed", "D_bulk_m2_s": 1.3e-18, "sed_fwhm_eV": 0.25, "vacancy_fraction": 0.1},
        },
        {"name": "K", "bulk_fraction": 0.0, "diffusivity": {"law": "constant", "D_m2_s": 9.7e-22}},
    ],
    "stages": [{"front": "ion-beam", "beam": "K", "temperature_K": 350.0, "potential_V": 10.0, "charge_C_m2": 200.0}],
}


@functools.cache
def simulated(controls: Controls = PLAIN, model: Model = "electroneutral") -> Callable[[Experiment], Solution]:
    """`simulate` with these settings: experiments of one form, whatever their numbers, share one program."""
    return jax.jit(lambda experiment: simulate(experiment, controls, model=model))


def base(**stage: object) -> Experiment:
    """The base case, with other keys in its only stage."""
    first = {key: value for key, value in {**BASE["stages"][0], **stage}.items() if value is not None}
    return parse_experiment({**BASE, "stages": [first]})


def ion(name: str, bulk: float, D: float, charge: int = 1) -> dict:
    """A species with a thermally activated law."""
    law = {"law": "constant", "D_m2_s": D, "activation_energy_eV": 0.6, "reference_temperature_K": 350.0}
    return {"name": name, "charge": charge, "bulk_fraction": bulk, "diffusivity": law}


def four_ions(**last: object) -> Experiment:
    """Melt, beam at another temperature, rest: four ions, one of them divalent."""
    sample = {"thickness_um": 1.0, "permittivity": 9.0, "bulk_density_m3": 1.4e28}
    species = [ion("Na", 0.7, 1e-19), ion("K", 0.2, 2e-20), ion("Ca", 0.1, 5e-21, 2), ion("Cs", 0.0, 4e-21)]
    reservoir = {"Na": 0.4, "K": 0.4, "Ca": 0.1, "Cs": 0.1}
    stages = [
        {"front": "reservoir", "temperature_K": 350.0, "duration_s": 2e4, "reservoir_fraction": reservoir},
        {"front": "ion-beam", "beam": "Cs", "temperature_K": 370.0, "charge_C_m2": 60.0, "potential_V": 0.5},
        {"front": "closed", "temperature_K": 360.0, "duration_s": 1e4, **last},
    ]
    return parse_experiment({"schema_version": 1, "sample": sample, "species": species, "stages": stages})
