"""An experiment: sample, mobile species and protocol."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import equinox as eqx

from npp_jax.physics.checks import expect
from npp_jax.physics.cuts import with_parts
from npp_jax.physics.diffusivity import AbstractDiffusivity, MutualDiffusivity, intermixed
from npp_jax.physics.initial import AbstractInitial
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
    initial: Mapping[str, AbstractInitial] | None = eqx.field(default=None)
    """Profiles at the start, by the names of the ions; None: the bulk everywhere. The others share what charge is
    left: those of the bulk in their proportions, or foreign ones where all of the bulk have profiles."""

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
        for ion in self.species:
            _check_seen(ion, self.species)
        for name, form in (self.initial or {}).items():
            if name not in names:
                raise ValueError(f"initial names the ion '{name}', known are {names}")
            expect(form, AbstractInitial, f"the initial profile of '{name}'", "for example InitialStep(...)")
        for stage in self.stages:
            unknown = named_species(stage.front) - set(names)
            if unknown:
                raise ValueError(f"a stage names the species {sorted(unknown)}, known are {names}")


def _check_seen(ion: Species, all_species: tuple[Species, ...]) -> None:
    """The ion whose fraction or whose law another one takes is there, and has what is asked of it."""
    known = {other.name: other for other in all_species}
    law = ion.diffusivity
    if ion.fraction_of is not None:
        if ion.fraction_of not in known:
            raise ValueError(f"{ion.name}: fraction_of names the ion '{ion.fraction_of}', known are {list(known)}")
        if intermixed(law) or isinstance(law, MutualDiffusivity):
            raise ValueError(
                f"{ion.name}: fraction_of does not go with a law that takes the fractions of others anyway"
            )
    if isinstance(law, MutualDiffusivity):
        partner = known.get(law.partner)
        if partner is None or partner is ion:
            raise ValueError(f"{ion.name}: partner = '{law.partner}' is no other ion, known are {list(known)}")
        if isinstance(partner.diffusivity, MutualDiffusivity) or intermixed(partner.diffusivity):
            raise ValueError(f"{ion.name}: its partner {partner.name} needs a law of its own")
        if partner.charge != ion.charge:
            raise ValueError(f"{ion.name}: ions with one law must have one charge number, {partner.name} has another")


class Law(NamedTuple):
    """What tells the diffusion coefficient of an ion."""

    law: AbstractDiffusivity
    seen: tuple[int, ...]
    """Places of the ions whose fractions it takes the sum of."""


def laws_of(experiment: Experiment) -> tuple[Law, ...]:
    """Law of each ion, and whose fractions it takes: its own, that of another ion, or those of all."""
    names = [ion.name for ion in experiment.species]

    def law_of(k: int) -> Law:
        ion = experiment.species[k]
        if isinstance(ion.diffusivity, MutualDiffusivity):
            return law_of(names.index(ion.diffusivity.partner))
        if intermixed(ion.diffusivity):
            return Law(ion.diffusivity, tuple(range(len(names))))
        return Law(ion.diffusivity, (k if ion.fraction_of is None else names.index(ion.fraction_of),))

    return tuple(law_of(k) for k in range(len(names)))


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
