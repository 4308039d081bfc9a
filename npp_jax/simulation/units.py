"""From SI to the units of the solver: nanometres, seconds, kT/e."""

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array

from npp_jax.constants import BOLTZMANN, ELEMENTARY_CHARGE, NM, VACUUM_PERMITTIVITY
from npp_jax.physics.diffusivity import SEDDiffusivity
from npp_jax.physics.experiment import Experiment, Law, laws_of, native_and_foreign
from npp_jax.physics.protocol import Blocking, Closed, Reservoir, Stage
from npp_jax.physics.species import Species
from npp_jax.simulation.material import Medium, Mixture

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
    laws = laws_of(experiment)
    law = experiment.species[native].diffusivity

    def of_native(ion: int) -> Callable[[Array], Array]:
        """D of an ion over the native fraction."""
        own, seen = laws[ion].law.at(temperature), laws[ion].seen
        # Two ions of equal charge always add up: filling one distribution together they keep its Fermi energy. Alone
        # the native ion does not exceed its bulk, but an iterate may, and would run away where the law is steepest.
        if len(seen) == 2:
            return lambda u: own(jnp.ones_like(u)) * _DIFFUSIVITY
        if seen == (foreign,):
            return lambda u: own(1.0 - u if ion == foreign else jnp.where(u > 1.0, 0.0, 1.0 - u)) * _DIFFUSIVITY
        return lambda u: own(jnp.where(u > 1.0, 1.0, u)) * _DIFFUSIVITY

    immobile = law.immobile_fraction if isinstance(law, SEDDiffusivity) else jnp.zeros_like(temperature)
    one = jnp.ones((1, *jnp.shape(temperature)), jnp.result_type(temperature))
    return Medium(
        native=of_native(native),
        foreign=of_native(foreign),
        bulk=of_native(native)(one)[0],
        immobile=immobile,
        debye_squared=_DEBYE * sample.permittivity * temperature / (charge**2 * sample.bulk_density),
        thickness=sample.thickness / NM,
        thermal_potential=BOLTZMANN / ELEMENTARY_CHARGE * temperature / charge,
        charge_density=charge * ELEMENTARY_CHARGE * sample.bulk_density,
    )


def _immobile(species: Species) -> Array:
    """Fraction of an ion that never moves, of the bulk density of all ions."""
    law = species.diffusivity
    share = law.immobile_fraction if isinstance(law, SEDDiffusivity) else jnp.zeros_like(species.bulk_fraction)
    return share * species.bulk_fraction


def mixture_of(experiment: Experiment, stage: Stage, upwind: float | Array, *, holding: bool = False) -> Mixture:
    """Material and ends of a stage with any number of ions, in solver units.

    Parameters
    ----------
    experiment
        Sample and species.
    stage
        Gives temperature and front.
    upwind
        Weight of the upwinding, see `Mixture`.
    holding
        As of `Mixture`.
    """
    sample, temperature = experiment.sample, stage.temperature
    names = [species.name for species in experiment.species]
    beam = getattr(stage.front, "beam", None)
    surface, exchange = None, None
    if isinstance(stage.front, Reservoir):
        surface = tuple(stage.front.fraction[name] for name in names)
        exchange = stage.front.exchange_rate

    laws = laws_of(experiment)

    def law(known: Law) -> Callable[[Array], Array]:
        own, share = known.law.at(temperature), experiment.species[known.seen[0]].bulk_fraction
        if len(known.seen) > 1:
            return lambda total: own(total) * _DIFFUSIVITY
        # The laws see n/n_bulk for an ion of the bulk, n/N for a foreign one.
        scale = 1.0 / jnp.where(share > 0.0, share, 1.0)
        return lambda c: own(c * scale) * _DIFFUSIVITY

    def mean(known: Law) -> Callable[[Array, Array], Array] | None:
        own, share = known.law.between(temperature), experiment.species[known.seen[0]].bulk_fraction
        scale = 1.0 / jnp.where(share > 0.0, share, 1.0)
        return None if own is None else lambda a, b: own(a * scale, b * scale) * _DIFFUSIVITY

    def factor(known: Law) -> Callable[[Array], Array] | None:
        own, share = known.law.thermodynamic_factor(temperature), experiment.species[known.seen[0]].bulk_fraction
        scale = 1.0 / jnp.where(share > 0.0, share, 1.0)
        return None if own is None else lambda c: own(c * scale)

    mixing = tuple(getattr(species.diffusivity, "mixing_time", None) for species in experiment.species)
    hop = None if sample.hop_length is None else 0.5 * experiment.species[0].charge * sample.hop_length / NM
    return Mixture(
        laws=tuple(law(known) for known in laws),
        means=tuple(mean(known) for known in laws),
        factors=tuple(factor(known) for known in laws),
        charges=tuple(species.charge for species in experiment.species),
        bulk=tuple(species.bulk_fraction for species in experiment.species),
        immobile=tuple(_immobile(species) for species in experiment.species),
        debye_squared=_DEBYE * sample.permittivity * temperature / sample.bulk_density,
        thickness=sample.thickness / NM,
        thermal_potential=BOLTZMANN / ELEMENTARY_CHARGE * temperature,
        charge_density=ELEMENTARY_CHARGE * sample.bulk_density,
        beam=None if beam is None else names.index(beam),
        surface=surface,
        exchange=None if exchange is None else exchange / NM,
        seen=tuple(known.seen for known in laws),
        blocking=isinstance(stage.front, Blocking),
        closed=isinstance(stage.front, Closed),
        held_back=tuple(species.back == "blocking" for species in experiment.species),
        upwind=jnp.asarray(upwind, jnp.result_type(temperature)),
        holding=holding,
        hop=hop,
        cross=sample.cross_coefficient,
        mixing=mixing,
        age=None if all(time is None for time in mixing) else jnp.zeros_like(temperature),
    )
