"""Experiments that several tests share."""

from dataclasses import replace

from npp_jax.files import parse_experiment
from npp_jax.physics import Experiment
from npp_jax.simulation.simulate import ACCURATE

PLAIN = replace(ACCURATE, companion=False)

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


def base(**stage: object) -> Experiment:
    """The base case, with other keys in its only stage."""
    first = {key: value for key, value in {**BASE["stages"][0], **stage}.items() if value is not None}
    return parse_experiment({**BASE, "stages": [first]})
