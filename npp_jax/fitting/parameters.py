"""Keys of the experiments, as in their files and with their units, as lenses on the pytree.

`Li.sed_fwhm_eV` is the key `sed_fwhm_eV` of the species Li, `sample.thickness_um` one of the sample and
`stages.0.potential_V` one of the first stage. Keys of how an experiment is seen begin with `observation`:
`observation.depth_scale`, `observation.K.sensitivity`.
"""

import difflib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from npp_jax.inference.parameter import ParameterError
from npp_jax.observe import DowsettResponse, GaussianResponse, Observation
from npp_jax.physics import (
    Blocking,
    ConstantDiffusivity,
    Experiment,
    GaussianSED,
    IonBeamCurrent,
    IonBeamPotential,
    MixtureSED,
    SEDDiffusivity,
    SlopeSED,
    Species,
    Stage,
)
from npp_jax.physics.nernst_einstein import nernst_einstein


class Lens(NamedTuple):
    """Where a key is in an experiment."""

    leaf: Callable[[Experiment], Array]
    unit: Float[ArrayLike, "*#batch"]
    """What one unit of the key is in the unit of the leaf."""
    entry: int | None
    """Entry of the leaf, where it has several."""


def known_keys(experiment: Experiment) -> dict[str, Lens]:
    """All keys that an experiment has, with the leaf of each and the factor from the unit of the key to that of the
    leaf.
    """
    sample = experiment.sample
    keys: dict[str, Lens] = {
        "sample.thickness_um": Lens(lambda e: e.sample.thickness, 1e-6, None),
        "sample.permittivity": Lens(lambda e: e.sample.permittivity, 1.0, None),
        "sample.bulk_density_m3": Lens(lambda e: e.sample.bulk_density, 1.0, None),
    }
    for k, species in enumerate(experiment.species):
        # D of one unit of conductivity, at the temperature of the first stage.
        carriers, temperature = species.bulk_fraction * sample.bulk_density, experiment.stages[0].temperature
        einstein = nernst_einstein(1.0, carriers, temperature, charge_number=species.charge)
        for name, (leaf, unit) in _species_keys(species).items():
            factor = einstein if name == "conductivity_S_m" else unit
            keys[f"{species.name}.{name}"] = Lens(lambda e, k=k, leaf=leaf: leaf(e.species[k]), factor, None)
        for name, (leaf, count) in _listed_keys(species).items():
            for j in range(count):
                lens = Lens(lambda e, k=k, leaf=leaf: leaf(e.species[k]), 1.0, j)
                keys[f"{species.name}.{name}.{j}"] = lens
    for k, stage in enumerate(experiment.stages):
        for name, (leaf, unit) in _stage_keys(stage).items():
            # A drive without a trace is a list of one value.
            index = 0 if name in ("potential_V", "current_density_A_m2") else None
            keys[f"stages.{k}.{name}"] = Lens(lambda e, k=k, leaf=leaf: leaf(e.stages[k]), unit, index)
    return keys


def _listed_keys(species: Species) -> dict[str, tuple[Callable[[Species], Array], int]]:
    """Lists of numbers that describe a site energy distribution, and how long they are."""
    match species.diffusivity:
        case SEDDiffusivity(sed=MixtureSED(energy=energy)):
            parts = {"energy_eV": "energy", "fwhm_eV": "sed_fwhm", "weight": "weight"}
            count = energy.shape[0]
        case SEDDiffusivity(sed=SlopeSED(z=z)):
            parts, count = {"slope_eV": "slope"}, z.shape[0]
        case _:
            return {}
    return {f"sed_{key}": (_entries_of(name), count) for key, name in parts.items()}


def _entries_of(name: str) -> Callable[[Any], Array]:
    return lambda species: getattr(species.diffusivity.sed, name)


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
    if isinstance(front, IonBeamPotential | Blocking) and front.potential.time is None:
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
    lens = _lens(experiment, key)
    value = lens.leaf(experiment)
    return (value if lens.entry is None else value[lens.entry]) / lens.unit


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
    lens = _lens(experiment, key)
    scaled = jnp.asarray(value) * lens.unit
    if lens.entry is not None:
        entries = lens.leaf(experiment)
        batched = entries.reshape(entries.shape[:1] + (1,) * (scaled.ndim - entries.ndim + 1) + entries.shape[1:])
        full = jnp.broadcast_to(batched, (len(entries), *jnp.broadcast_shapes(batched.shape[1:], scaled.shape)))
        scaled = full.at[lens.entry].set(scaled)
    return eqx.tree_at(lens.leaf, experiment, scaled)


_OBSERVED = "observation."


def is_observed(key: str) -> bool:
    """Whether a key belongs to how an experiment is seen, and not to the experiment."""
    return key.startswith(_OBSERVED)


def changes_depth(key: str) -> bool:
    """Whether a key changes which depths a point of the profile sees."""
    return is_observed(key) and key.rpartition(".")[2] not in ("sensitivity", "background")


def observed_keys(observation: Observation, species: Sequence[str]) -> dict[str, Callable[[Observation], Array]]:
    """All keys of an observation of these species, with the leaf of each."""
    keys: dict[str, Callable] = {
        "depth_scale": lambda o: o.depth_scale,
        "depth_offset_nm": lambda o: o.depth_offset,
    }
    widths: dict[type, tuple[str, ...]] = {
        GaussianResponse: ("sigma",),
        DowsettResponse: ("leading", "trailing", "sigma"),
    }
    for name in widths.get(type(observation.response), ()):
        keys[f"response.{name}_nm"] = lambda o, name=name: getattr(o.response, name)
    return {f"{_OBSERVED}{name}": leaf for name, leaf in keys.items()} | {
        f"{_OBSERVED}{ion}.{kind}": lambda o, kind=kind: getattr(o, kind)
        for ion in species
        for kind in ("sensitivity", "background")
    }


def place_observed(
    observation: Observation, species: Sequence[str], key: str, value: Float[ArrayLike, ""]
) -> Observation:
    """Observation with another value of one key; differentiable in the value.

    Parameters
    ----------
    observation
        The observation.
    species
        Names of the species that it sees, in order.
    key
        One of `observed_keys`.
    value
        Value in the unit of the key.

    Raises
    ------
    ParameterError
        The observation has no such key; the nearest one is named.
    """
    keys = observed_keys(observation, species)
    if key not in keys:
        near = difflib.get_close_matches(key, keys, n=1, cutoff=0.5)
        hint = f"did you mean '{near[0]}'?" if near else f"known keys: {', '.join(keys)}"
        raise ParameterError(f"'{key}' is not a parameter of the observation; {hint}")
    leaf, ion = keys[key], key.removeprefix(_OBSERVED).rpartition(".")[0]
    if ion in species:
        return eqx.tree_at(leaf, observation, leaf(observation).at[list(species).index(ion)].set(value))
    return eqx.tree_at(leaf, observation, jnp.asarray(value))


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
