"""From SI to the units of the solver: nanometres, seconds, kT/e."""

import jax.numpy as jnp

from npp_jax.constants import BOLTZMANN, ELEMENTARY_CHARGE, VACUUM_PERMITTIVITY
from npp_jax.discretisation.medium import Medium
from npp_jax.physics.diffusivity import SEDDiffusivity
from npp_jax.physics.experiment import Experiment
from npp_jax.physics.protocol import Stage

NM = 1e-9
_DIFFUSIVITY = 1e18
# One constant in double precision: e² and ε₀k would leave the range of single precision on the way.
_DEBYE = VACUUM_PERMITTIVITY * BOLTZMANN / ELEMENTARY_CHARGE**2 * 1e18


def medium_of(experiment: Experiment, stage: Stage) -> Medium:
    """Material of a stage in solver units.

    Parameters
    ----------
    experiment
        Sample and the two species, the native one being that with bulk fraction one.
    stage
        Gives the temperature.
    """
    sample = experiment.sample
    native, foreign = native_and_foreign(experiment)
    charge = experiment.species[native].charge
    temperature = stage.temperature
    law_native = experiment.species[native].diffusivity.at(temperature)
    law_foreign = experiment.species[foreign].diffusivity.at(temperature)
    law = experiment.species[native].diffusivity
    immobile = law.immobile_fraction if isinstance(law, SEDDiffusivity) else jnp.zeros_like(temperature)
    one = jnp.ones((1, *jnp.shape(temperature)), jnp.result_type(temperature))
    return Medium(
        native=lambda u: law_native(u) * _DIFFUSIVITY,
        foreign=lambda u: law_foreign(1.0 - u) * _DIFFUSIVITY,
        bulk=law_native(one)[0] * _DIFFUSIVITY,
        immobile=immobile,
        debye_squared=_DEBYE * sample.permittivity * temperature / (charge**2 * sample.bulk_density),
        thickness=sample.thickness / NM,
        thermal_potential=BOLTZMANN / ELEMENTARY_CHARGE * temperature / charge,
        charge_density=charge * ELEMENTARY_CHARGE * sample.bulk_density,
    )


def native_and_foreign(experiment: Experiment) -> tuple[int, int]:
    """Indices of the native and of the foreign species: the foreign one is in a beam."""
    beams = {getattr(stage.front, "beam", None) for stage in experiment.stages}
    foreign = next(k for k, species in enumerate(experiment.species) if species.name in beams)
    return 1 - foreign, foreign
