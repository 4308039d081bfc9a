"""Parameters of experiments by name: the keys of the experiment files, with their units, as lenses on the pytree.

`Li.sed_fwhm_eV` is the key `sed_fwhm_eV` of the species Li, `sample.thickness_um` one of the sample and
`stages.0.potential_V` one of the first stage.
"""

import dataclasses
import difflib
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from npp_jax.constants import BOLTZMANN, ELEMENTARY_CHARGE
from npp_jax.physics import (
    ConstantDiffusivity,
    Experiment,
    GaussianSED,
    IonBeamCurrent,
    IonBeamPotential,
    SEDDiffusivity,
    Species,
    Stage,
)


class ParameterError(ValueError):
    """A parameter is not one of the experiment; the message is one line."""


@dataclasses.dataclass(frozen=True)
class Parameter:
    """A number that varies, and where it enters."""

    name: str
    """Name with unit, unique in a study: a column of its tables."""
    keys: tuple[str, ...]
    """Keys that take its value."""
    experiments: tuple[str, ...] | None = None
    """Experiments in which it enters; None for all."""


Lens = tuple[Callable[[Experiment], Array], Float[ArrayLike, "*#batch"]]
"""Leaf of an experiment, and what one unit of the key is in the unit of the leaf."""


def known_keys(experiment: Experiment) -> dict[str, Lens]:
    """All keys that an experiment has, with the leaf of each and the factor from the unit of the key to that of the
    leaf.
    """
    sample = experiment.sample
    keys: dict[str, Lens] = {
        "sample.thickness_um": (lambda e: e.sample.thickness, 1e-6),
        "sample.permittivity": (lambda e: e.sample.permittivity, 1.0),
        "sample.bulk_density_m3": (lambda e: e.sample.bulk_density, 1.0),
    }
    for k, species in enumerate(experiment.species):
        # Nernst–Einstein: D = σ kT/(n z² e²), at the temperature of the first stage.
        carriers = species.bulk_fraction * sample.bulk_density * (species.charge * ELEMENTARY_CHARGE) ** 2
        einstein = BOLTZMANN * experiment.stages[0].temperature / carriers
        for name, (leaf, unit) in _species_keys(species).items():
            factor = einstein if name == "conductivity_S_m" else unit
            keys[f"{species.name}.{name}"] = (lambda e, k=k, leaf=leaf: leaf(e.species[k]), factor)
    for k, stage in enumerate(experiment.stages):
        for name, (leaf, unit) in _stage_keys(stage).items():
            keys[f"stages.{k}.{name}"] = (lambda e, k=k, leaf=leaf: leaf(e.stages[k]), unit)
    return keys


def _species_keys(species: Species) -> dict[str, tuple[Callable[[Species], Array], float]]:
    keys: dict[str, tuple[Callable, float]] = {}
    law = species.diffusivity
    if isinstance(law, ConstantDiffusivity):
        keys["D_m2_s"] = (lambda s: s.diffusivity.D, 1.0)
    if isinstance(law, SEDDiffusivity):
        keys["D_bulk_m2_s"] = (lambda s: s.diffusivity.D_bulk, 1.0)
        keys["conductivity_S_m"] = (lambda s: s.diffusivity.D_bulk, 1.0)
        keys["vacancy_fraction"] = (lambda s: s.diffusivity.vacancy_fraction, 1.0)
        keys["immobile_fraction"] = (lambda s: s.diffusivity.immobile_fraction, 1.0)
        if isinstance(law.sed, GaussianSED):
            keys["sed_fwhm_eV"] = (lambda s: s.diffusivity.sed.sed_fwhm, 1.0)
    if isinstance(law, ConstantDiffusivity | SEDDiffusivity) and law.arrhenius is not None:
        keys["activation_energy_eV"] = (lambda s: s.diffusivity.arrhenius.activation_energy, 1.0)
    return keys


def _stage_keys(stage: Stage) -> dict[str, tuple[Callable[[Stage], Array], float]]:
    keys: dict[str, tuple[Callable, float]] = {"temperature_K": (lambda s: s.temperature, 1.0)}
    if stage.duration is not None:
        keys["duration_s"] = (lambda s: s.duration, 1.0)
        keys["duration_h"] = (lambda s: s.duration, 3600.0)
    if stage.charge is not None:
        keys["charge_C_m2"] = (lambda s: s.charge, 1.0)
        keys["charge_mC_cm2"] = (lambda s: s.charge, 10.0)
    front = stage.front
    # A trace is no single number.
    if isinstance(front, IonBeamPotential) and front.potential.time is None:
        keys["potential_V"] = (lambda s: s.front.potential.value, 1.0)
    if isinstance(front, IonBeamCurrent) and front.current_density.time is None:
        keys["current_density_A_m2"] = (lambda s: s.front.current_density.value, 1.0)
    return keys


def _lens(experiment: Experiment, key: str) -> Lens:
    keys = known_keys(experiment)
    if key not in keys:
        near = difflib.get_close_matches(key, keys, n=1, cutoff=0.5)
        hint = f"did you mean '{near[0]}'?" if near else f"known keys: {', '.join(keys)}"
        raise ParameterError(f"'{key}' is not a parameter of the experiment '{experiment.title}'; {hint}")
    return keys[key]


def value_of(experiment: Experiment, key: str) -> Array:
    """Value of a key, in its own unit.

    Raises
    ------
    ParameterError
        The experiment has no such key; the nearest one is named.
    """
    leaf, unit = _lens(experiment, key)
    value = leaf(experiment)
    return (value[0] if key.rpartition(".")[2] in ("potential_V", "current_density_A_m2") else value) / unit


def place(experiment: Experiment, key: str, value: Float[ArrayLike, "*batch"]) -> Experiment:
    """Experiment with another value of one key.

    Differentiable in the value.

    Parameters
    ----------
    experiment
        The experiment.
    key
        One of `known_keys`.
    value
        Value in the unit of the key, shape [*batch].

    Raises
    ------
    ParameterError
        The experiment has no such key; the nearest one is named.
    """
    leaf, unit = _lens(experiment, key)
    scaled = jnp.asarray(value) * unit
    if key.rpartition(".")[2] in ("potential_V", "current_density_A_m2"):
        scaled = scaled[None]
    return eqx.tree_at(leaf, experiment, scaled)


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
