"""Keys of the experiments, as in their files and with their units, as lenses on the pytree.

`Li.sed_fwhm_eV` is the key `sed_fwhm_eV` of the species Li, `sample.thickness_um` one of the sample,
`initial.Mo.position_um` one of a profile at the start and `stages.0.potential_V` one of the first stage; the tables of
all keys are in `npp_jax.physics.keys`. A value that is placed does what it would do in the file.
"""

import difflib
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from npp_jax.fitting.shares import balanced
from npp_jax.inference.parameter import ParameterError
from npp_jax.physics import Experiment
from npp_jax.physics.keys import INITIAL, ION, LISTS, NO_KEYS, RESERVOIR, SAMPLE, STAGE, Key, is_ramp
from npp_jax.physics.nernst_einstein import nernst_einstein

_CONDUCTIVITY = "conductivity_S_m"


class Lens(NamedTuple):
    """Where a key is in an experiment."""

    part: Callable[[Experiment], Any]
    """The part that has the key: sample, ion or stage."""
    key: Key
    """Where it is in the part."""
    name: str | None = None
    """Entry of the leaf, where it is a dictionary."""

    def leaf(self, experiment: Experiment) -> Any:
        """The leaf in an experiment."""
        found = self.key.leaf(self.part(experiment))
        return found if self.name is None else found[self.name]

    def unit(self, experiment: Experiment) -> ArrayLike:
        """What one unit of the key is in the unit of the leaf."""
        return _einstein(self.part(experiment), experiment) if self.key == ION[_CONDUCTIVITY] else self.key.unit


def known_keys(experiment: Experiment) -> dict[str, Lens]:
    """All keys that an experiment has, each with its place."""
    found: dict[str, Lens] = {}

    def add(prefix: str, part: Callable[[Experiment], Any], table: Mapping[str, Key]) -> None:
        there = part(experiment)
        found.update({f"{prefix}.{name}": Lens(part, key) for name, key in table.items() if key.of(there)})

    add("sample", lambda e: e.sample, SAMPLE)
    for k, ion in enumerate(experiment.species):
        part = lambda e, k=k: e.species[k]  # noqa: E731
        add(ion.name, part, ION)
        for name, key in LISTS.items():
            for j in range(len(key.leaf(ion)) if key.of(ion) else 0):
                found[f"{ion.name}.{name}.{j}"] = Lens(part, key._replace(entry=j))
    for name in experiment.initial or {}:
        add(f"initial.{name}", lambda e, name=name: (e.initial or {})[name], INITIAL)
    for k, stage in enumerate(experiment.stages):
        part = lambda e, k=k: e.stages[k]  # noqa: E731
        add(f"stages.{k}", part, STAGE)
        for name, key in RESERVOIR.items():
            for ion in key.leaf(stage) if key.of(stage) else ():
                found[f"stages.{k}.{name}.{ion}"] = Lens(part, key, ion)
    return found


def _given_at(ion: Any, experiment: Experiment) -> Array:
    """Temperature for which a conductivity is given: the reference, or that of the first stage where there is none."""
    arrhenius = ion.diffusivity.arrhenius
    return experiment.stages[0].temperature if arrhenius is None else arrhenius.reference_temperature


def _einstein(ion: Any, experiment: Experiment) -> Array:
    """D of one unit of conductivity, by the relation of Nernst and Einstein."""
    density = ion.bulk_fraction * experiment.sample.bulk_density
    return nernst_einstein(1.0, density, _given_at(ion, experiment), charge_number=ion.charge)


def slots(experiment: Experiment) -> dict[str, tuple[int, int | None]]:
    """Number of the leaf and entry that each key sets: keys of one number are two names of one thing."""
    leaves, structure = jax.tree.flatten(experiment)
    numbered = jax.tree.unflatten(structure, range(len(leaves)))
    return {name: (lens.leaf(numbered), lens.key.entry) for name, lens in known_keys(experiment).items()}


def _lens(experiment: Experiment, key: str) -> Lens:
    keys = known_keys(experiment)
    if key not in keys:
        why = NO_KEYS.get(key.rpartition(".")[2])
        if why is not None:
            raise ParameterError(f"'{key}' cannot be a parameter: {why}")
        near = difflib.get_close_matches(key, keys, n=1, cutoff=0.5)
        hint = f"did you mean '{near[0]}'?" if near else f"known keys: {', '.join(keys)}"
        raise ParameterError(f"the experiment has no key '{key}'; {hint}")
    return keys[key]


def value_of(experiment: Experiment, key: str) -> Array:
    """Value of a key, in its own unit.

    Raises
    ------
    ParameterError
        The experiment has no such key; the nearest one is named.
    """
    lens = _lens(experiment, key)
    value = lens.leaf(experiment)
    return (value if lens.key.entry is None else value[lens.key.entry]) / lens.unit(experiment)


def place(experiment: Experiment, values: Mapping[str, Float[ArrayLike, "*batch"]]) -> Experiment:
    """Experiment with other values of some keys.

    Differentiable in the values. A conductivity, also one that the experiment gives and that is not placed, is that of
    the density, the share and the reference temperature that are; a ramp ends with its stage; fractions of a reservoir
    or of the bulk that are not placed share what is left, in the proportions that they have.

    Parameters
    ----------
    experiment
        The experiment.
    values
        Value of each key, one of `known_keys`, in its unit, shape [*batch].

    Raises
    ------
    ParameterError
        The experiment has no such key; the nearest one is named.
    """
    lenses = {key: _lens(experiment, key) for key in values}
    derived = [key for key in values if key.endswith(f".{_CONDUCTIVITY}")]
    placed = experiment
    for key in values:
        if key not in derived:
            placed = _placed(placed, lenses[key], values[key])
    for k, (before, stage) in enumerate(zip(experiment.stages, placed.stages, strict=True)):
        if before.duration is not stage.duration:
            placed = eqx.tree_at(lambda e, k=k: e.stages[k], placed, _with_ramp(before, stage))
    placed = balanced(placed, set(values))
    # Last, as they are converted with values that were placed.
    for key, value in {**_held_conductivities(experiment, placed, values), **{k: values[k] for k in derived}}.items():
        placed = _placed(placed, _lens(experiment, key), value)
    return placed


def _held_conductivities(before: Experiment, after: Experiment, values: Collection[str]) -> dict[str, Array]:
    """Conductivities that the experiment gives, where what they are converted with has changed."""
    found = {}
    for ion, own in zip(before.species, after.species, strict=True):
        if ion.name not in before.conductivities or f"{ion.name}.D_bulk_m2_s" in values:
            continue
        converted_with = (
            (_given_at(ion, before), _given_at(own, after)),
            (before.sample.bulk_density, after.sample.bulk_density),
            (ion.bulk_fraction, own.bulk_fraction),
        )
        if not all(a is b for a, b in converted_with):
            key = f"{ion.name}.{_CONDUCTIVITY}"
            found[key] = value_of(before, key)
    return found


def _placed(experiment: Experiment, lens: Lens, value: Float[ArrayLike, "*batch"]) -> Experiment:
    scaled = jnp.asarray(value) * lens.unit(experiment)
    if lens.key.entry is not None:
        entries = lens.leaf(experiment)
        batched = entries.reshape(entries.shape[:1] + (1,) * (scaled.ndim - entries.ndim + 1) + entries.shape[1:])
        full = jnp.broadcast_to(batched, (len(entries), *jnp.broadcast_shapes(batched.shape[1:], scaled.shape)))
        scaled = full.at[lens.key.entry].set(scaled)
    return eqx.tree_at(lens.leaf, experiment, scaled)


def _with_ramp(before: Any, stage: Any) -> Any:
    """The stage with its ramp, if it has one, stretched to its duration."""
    for name in ("potential", "current_density"):
        drive = getattr(before.front, name, None)
        if drive is not None and is_ramp(before, drive):
            time = jnp.stack([jnp.zeros_like(stage.duration), stage.duration])
            return eqx.tree_at(lambda s, name=name: getattr(s.front, name).time, stage, time)
    return stage


def spread(experiment: Experiment, template: Experiment, shape: tuple[int, ...]) -> Experiment:
    """Give all leaves of an experiment the batch shape, those that were placed and those that were not.

    Parameters
    ----------
    experiment
        Experiment, some of whose leaves have batch axes already.
    template
        The same before anything was placed: tells what of a shape is not batch.
    shape
        Batch shape.
    """

    def fill(leaf: Array, plain: Array) -> Array:
        knots = jnp.shape(plain)
        column = jnp.reshape(leaf, (*knots, *(1,) * len(shape))) if jnp.ndim(leaf) == len(knots) else leaf
        return jnp.broadcast_to(column, (*knots, *shape))

    return jax.tree.map(fill, experiment, template)
