"""An experiment: sample, mobile species and protocol."""

import equinox as eqx

from npp_jax.physics.protocol import AbstractFront, Blocking, Closed, IonBeamCurrent, IonBeamPotential, Reservoir, Stage
from npp_jax.physics.sample import Sample
from npp_jax.physics.species import Species


class Experiment(eqx.Module):
    """All that defines a simulation: a pytree whose leaves are the continuous inputs.

    Every leaf is a scalar, or has trailing batch axes (one entry a candidate) that broadcast against those of
    the other leaves.
    """

    sample: Sample
    """The slab."""
    species: tuple[Species, ...]
    """Mobile ions; the native ion is the one with bulk fraction one."""
    stages: tuple[Stage, ...]
    """Stages, in order."""
    title: str = eqx.field(static=True, default="")
    """One line for reports."""
    conductivities: tuple[str, ...] = eqx.field(static=True, default=())
    """Ions of which the conductivity is given: it stays, and not D_bulk, where density or temperature vary."""

    def __check_init__(self) -> None:
        """Names are unique and every stage refers to species that exist."""
        names = [species.name for species in self.species]
        if len(set(names)) != len(names):
            raise ValueError(f"species names must be unique, got {names}")
        if not self.stages:
            raise ValueError("an experiment needs at least one stage")
        for stage in self.stages:
            unknown = named_species(stage.front) - set(names)
            if unknown:
                raise ValueError(f"a stage names the species {sorted(unknown)}, known are {names}")


def named_species(front: AbstractFront) -> set[str]:
    """Names of the species to which a front refers."""
    match front:
        case IonBeamPotential(beam=beam) | IonBeamCurrent(beam=beam):
            return {beam}
        case Reservoir(fraction=fraction):
            return set(fraction)
        case Blocking() | Closed():
            return set()
    raise TypeError(f"unknown front {type(front).__name__}")


def native_and_foreign(experiment: Experiment) -> tuple[int, int]:
    """Indices of the native and of the foreign species: the foreign one is in a beam."""
    beams = {getattr(stage.front, "beam", None) for stage in experiment.stages}
    foreign = next(k for k, species in enumerate(experiment.species) if species.name in beams)
    return 1 - foreign, foreign
