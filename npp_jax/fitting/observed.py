"""Keys of how an experiment is seen: `observation.depth_scale`, `observation.K.sensitivity`, gains of records."""

import difflib
from collections.abc import Callable, Mapping, Sequence

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from npp_jax.inference.parameter import ParameterError, Parameters
from npp_jax.observe import DowsettResponse, GaussianResponse, MRIResponse, NuisancePrior, Observation, Record
from npp_jax.physics.keys import allowed_range
from npp_jax.physics.limits import Limits, above, between

_OBSERVED = "observation."
SPUTTER_KEY = f"{_OBSERVED}sputter_ratio"
"""Key of the sputter rate of the exchanged material over that of the bulk."""


def is_observed(key: str) -> bool:
    """Whether a key belongs to how an experiment is seen, and not to the experiment."""
    return key.startswith(_OBSERVED)


def key_range(key: str) -> Limits:
    """Range of a key, of an experiment or of how it is seen."""
    if not is_observed(key):
        return allowed_range(key)
    name = key.rpartition(".")[2]
    if name in ("depth_scale", "sputter_ratio", "gain"):
        return above(0.0)
    if name == "sensitivity" or ".response." in key:
        return between(0.0)
    return Limits()


def check_limits(parameters: Parameters, ranges: Mapping[str, tuple[float, float]]) -> None:
    """Refuse ranges beyond those of their keys; an end may be where the key has an open one.

    Parameters
    ----------
    parameters
        Those that vary.
    ranges
        Least and greatest value of each parameter, by its name.

    Raises
    ------
    ParameterError
        In one line, with the key and its range.
    """
    for parameter in parameters:
        for key in parameter.keys:
            limits = key_range(key)
            for which, value in zip(("low", "high"), ranges[parameter.name], strict=True):
                if not limits.low <= value <= limits.high:
                    raise ParameterError(f"{parameter.name}: {which} = {value:g}: {key} must be {limits}")


def is_gain(key: str) -> bool:
    """Whether a key is the gain of a record, as `observation.current.gain`."""
    return is_observed(key) and key.endswith(".gain")


def gain_place(records: Sequence[Record], key: str) -> int:
    """Which record a key of a gain belongs to.

    Raises
    ------
    ParameterError
        Nothing of the kind was recorded, or its gain is solved for.
    """
    known = [record.quantity for record in records]
    name = _ion(key)
    if name not in known:
        told = f"known are {', '.join(known)}" if known else "there are no records"
        raise ParameterError(f"'{key}': no {name or 'quantity'} was recorded; {told}")
    place = [str(quantity) for quantity in known].index(name)
    if records[place].solved:
        raise ParameterError(f"'{key}': the gain is solved for by its gain_sigma; leave one of the two out")
    return place


def check_not_solved(nuisance: NuisancePrior, species: Sequence[str], key: str) -> None:
    """Refuse a key of a sensitivity or a background that is solved for: the two would share one factor.

    Parameters
    ----------
    nuisance
        What is known of those that are solved for, of standard deviations above zero.
    species
        Names of the species of the profile, in order.
    key
        A key of the measurement.

    Raises
    ------
    ParameterError
        It is one of them.
    """
    ion, name = _ion(key), key.rpartition(".")[2]
    if ion in species and name in ("sensitivity", "background"):
        sigma = np.broadcast_to(np.asarray(getattr(nuisance, f"{name}_sigma")), len(species))
        if sigma[list(species).index(ion)] > 0.0:
            solved = f"the {name} is solved for by {name}_sigma of nuisance"
            raise ParameterError(f"'{key}': {solved}; leave one of the two out")


def changes_depth(key: str) -> bool:
    """Whether a key changes which depths a point of the profile sees."""
    return is_observed(key) and key.rpartition(".")[2] not in ("sensitivity", "background", "gain", "sputter_ratio")


def observed_keys(observation: Observation, species: Sequence[str]) -> dict[str, Callable[[Observation], Array]]:
    """All keys of an observation of these species, with the leaf of each."""
    keys: dict[str, Callable] = {
        "depth_scale": lambda o: o.depth_scale,
        "depth_offset_nm": lambda o: o.depth_offset,
        "sputter_ratio": lambda o: o.sputter_ratio,
    }
    widths: dict[type, tuple[str, ...]] = {
        GaussianResponse: ("sigma",),
        DowsettResponse: ("leading", "trailing", "sigma"),
        MRIResponse: ("mixing", "roughness", "information"),
    }
    for name in widths.get(type(observation.response), ()):
        # A width that differs from ion to ion has one key for each.
        of_ions = jnp.ndim(getattr(observation.response, name)) > 0
        for ion in [f"{ion}." for ion in species] if of_ions else [""]:
            keys[f"{ion}response.{name}_nm"] = lambda o, name=name: getattr(o.response, name)
    return {f"{_OBSERVED}{name}": leaf for name, leaf in keys.items()} | {
        f"{_OBSERVED}{ion}.{kind}": lambda o, kind=kind: getattr(o, kind)
        for ion in species
        for kind in ("sensitivity", "background")
    }


def observed_value(observation: Observation, species: Sequence[str], key: str) -> Array:
    """Value of one key of an observation, in its own unit.

    Raises
    ------
    ParameterError
        The observation has no such key; the nearest one is named.
    """
    value, ion = _leaf(observation, species, key)(observation), _ion(key)
    return value[list(species).index(ion)] if ion in species else value


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
    leaf, ion = _leaf(observation, species, key), _ion(key)
    if ion in species:
        return eqx.tree_at(leaf, observation, leaf(observation).at[list(species).index(ion)].set(value))
    return eqx.tree_at(leaf, observation, jnp.asarray(value))


def _leaf(observation: Observation, species: Sequence[str], key: str) -> Callable[[Observation], Array]:
    keys = observed_keys(observation, species)
    if key not in keys:
        near = difflib.get_close_matches(key, keys, n=1, cutoff=0.5)
        hint = f"did you mean '{near[0]}'?" if near else f"known keys: {', '.join(keys)}"
        raise ParameterError(f"the measurement has no key '{key}'; {hint}")
    return keys[key]


def _ion(key: str) -> str:
    """The ion that a key is of, if it is of one."""
    return key.removeprefix(_OBSERVED).rpartition(".")[0].removesuffix(".response")
