"""An experiment: sample, mobile species and protocol."""

from typing import Any

import equinox as eqx

from npp_jax.physics.checks import expect
from npp_jax.physics.cuts import with_parts
from npp_jax.physics.protocol import AbstractFront, Blocking, Closed, IonBeamCurrent, IonBeamPotential, Reservoir, Stage
from npp_jax.physics.sample import Sample
from npp_jax.physics.species import Species


class Label(str):
    """Text for people: labels are all equal to one another, so that no compiled code belongs to one of them."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Label) or str.__eq__(self, other) is True

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(Label)


def _as_tuple(values: Any) -> Any:
    return tuple(values) if isinstance(values, list) else values


def _in_parts(stages: Any) -> Any:
    """Stages with the parts of their traces; what is no stage is refused later."""
    known = isinstance(stages, list | tuple)
    return tuple(with_parts(s) if isinstance(s, Stage) else s for s in stages) if known else stages


class Experiment(eqx.Module):
    """All that defines a simulation: a pytree whose leaves are the continuous inputs.

    Every leaf is a scalar, or has trailing batch axes (one entry a candidate) that broadcast against those of
    the other leaves.
    """

    sample: Sample
    """The slab."""
    species: tuple[Species, ...] = eqx.field(converter=_as_tuple)
    """Mobile ions; the native ion is the one with bulk fraction one."""
    stages: tuple[Stage, ...] = eqx.field(converter=_in_parts)
    """Stages, in order."""
    title: str = eqx.field(static=True, default="", converter=Label)
    """One line for reports; experiments that differ in it alone share their compiled code."""
    conductivities: tuple[str, ...] = eqx.field(static=True, default=())
    """Ions of which the conductivity is given: it stays, and not D_bulk, where density or temperature vary."""

    def __check_init__(self) -> None:
        """Parts are what they should be, names unique, and every stage refers to species that exist."""
        expect(self.sample, Sample, "the sample of an experiment")
        for kind, parts in ((Species, self.species), (Stage, self.stages)):
            expect(parts, tuple, f"what holds the {kind.__name__} objects of an experiment")
            for part in parts:
                expect(part, kind, f"each entry of {'species' if kind is Species else 'stages'}")
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
