"""A second place to start the fit of one profile from, for starts that lie too far from the minimum.

For a given D the fractions of source and untouched sample enter linearly, and are solved for; D is scanned over all
lengths that the points can show.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from npp_jax._compile import jit_small
from npp_jax.inference import Iteration, Parameters, Reason, RefineOptions, RefineResult, refine
from npp_jax.physics.leaf import LeafLike, as_leaf, as_optional_leaf
from npp_jax.tracer.measured import MeasuredProfile
from npp_jax.tracer.unknowns import Unknown, start_of

_LENGTHS = 64
_SHORTEST, _LONGEST = 0.25, 8.0  # over the least distance of two points, and over the length of the profile
_RATES = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)  # k t over √(D t)
_SLOWEST, _FASTEST = 1e-12, 1e7
"""k t over the length of the profile, beyond which an exchange is not followed: to any data none at all, or a constant
surface."""

_FOUND = (Reason.CONVERGED, Reason.AT_BOUND)

_SAME = 1e-3
"""Costs that differ less are those of one minimum."""

_MUCH = 1.0
"""By how much a fit that found no minimum must lie lower to be taken."""

Posterior: TypeAlias = Callable[[Array], tuple[Array, ...]]


def scanned_start(
    profile: MeasuredProfile,
    unknowns: Sequence[Unknown],
    shape: Callable[[dict[str, Array], Float[Array, " point"]], Float[Array, " point"]],
    time: LeafLike | None,
    base: LeafLike | None,
) -> Float[Array, " parameter"]:
    """Start of least squares over a scan of D, and of k where it is unknown.

    Parameters
    ----------
    profile
        Measured profile.
    unknowns
        What is fitted; D or D t comes first, other numbers than k, `surface` and `base` keep their start.
    shape
        Solution from 0 in the untouched sample to 1 at the source, of the values by name and positions [m]. [1]
    time
        Duration; None where D t is fitted. [s]
    base
        Fraction of the untouched sample, if known. [1]
    """
    position = np.unique(np.asarray(profile.position))
    if len(position) < 2:
        # Points of one place show no length.
        return start_of(tuple(unknowns))
    apart, along = np.min(np.diff(position)), np.ptp(position)
    lengths = np.geomspace(_SHORTEST * apart, _LONGEST * along, _LENGTHS)
    name, values = unknowns[0].name, {unknown.name: unknown.start for unknown in unknowns}
    areas, seconds = 0.25 * lengths**2, 1.0 if time is None else as_leaf(time)
    if rate := next((known.name for known in unknowns if known.name in ("k_m_s", "kt_m")), None):
        areas, rates = (part.ravel() for part in np.meshgrid(areas, _RATES))
        values[rate] = _inside(unknowns, rate, jnp.asarray(rates * np.sqrt(areas)) / seconds)
    values[name] = _inside(unknowns, name, jnp.asarray(areas) / seconds)
    if profile.counts is None:
        weight = jnp.where(jnp.isfinite(profile.error), 1.0 / profile.error, 0.0)
    else:
        # What a point of few counts says of its own error is left aside.
        weight = profile.counts.sharpness(jnp.full_like(profile.fraction, 0.5))
    weight = jnp.broadcast_to(jnp.nan_to_num(weight), profile.fraction.shape)
    many = {key: value for key, value in values.items() if jnp.ndim(value)}
    one = {key: value for key, value in values.items() if not jnp.ndim(value)}
    shapes = _shapes(shape, one, many, profile.position)
    cost, surface, low = _solved(
        shapes, jnp.nan_to_num(profile.fraction), weight, as_optional_leaf(base), jnp.asarray(profile.data.limits)
    )
    best = jnp.argmin(jnp.where(jnp.isfinite(cost), cost, jnp.inf))
    values |= {key: value[best] for key, value in many.items()}
    values |= {"surface": _inside(unknowns, "surface", surface[best])}
    if base is None:
        values["base"] = _inside(unknowns, "base", low[best])
    return jnp.stack([jnp.asarray(values[unknown.name], surface.dtype) for unknown in unknowns])


def better_of(
    posterior: Posterior,
    parameters: Parameters,
    refined: RefineResult,
    second: Float[Array, " parameter"],
    options: RefineOptions,
    on_iteration: Callable[[Iteration], object] | None,
) -> RefineResult:
    """The fit from the second start, where that lies lower than the first fit ended, or the first did not end well."""
    cost = 0.5 * jnp.sum(posterior(second[None])[0] ** 2)
    found = int(refined.reason[0]) in _FOUND
    if found and not bool(cost < refined.cost[0]):
        return refined
    other = refine(posterior, parameters, second[None], options=options, on_iteration=on_iteration)
    least = _MUCH
    if int(other.reason[0]) in _FOUND:
        # A minimum that was found is worth more than a start that was lost at the same cost, as D went to infinity.
        least = _SAME if found else -_SAME
    return other if float(refined.cost[0] - other.cost[0]) > least else refined


def range_of_kt(profile: MeasuredProfile) -> tuple[float, float] | None:
    """Values of k t that a fit follows [m]; None for all, where the points show no length."""
    along = float(np.ptp(np.asarray(profile.position)))
    return (_SLOWEST * along, _FASTEST * along) if along > 0.0 else None


def _inside(unknowns: Sequence[Unknown], name: str, value: Array) -> Array:
    """The value within the range of its unknown."""
    known = next(unknown for unknown in unknowns if unknown.name == name)
    return jnp.clip(value, *known.inner(1e-3))


@eqx.filter_jit
def _shapes(
    shape: Callable[..., Array], one: dict[str, Array], many: dict[str, Array], position: Array
) -> Float[Array, "scan point"]:
    return jax.vmap(lambda scanned: shape({**one, **scanned}, position))(many)


@jit_small
def _solved(
    shapes: Float[Array, "scan point"], fraction: Array, weight: Array, base: Array | None, limits: Array
) -> tuple[Array, Array, Array]:
    """χ² of each shape at its best fractions of source and untouched sample, and these [scan]."""

    def one(shape: Array) -> tuple[Array, Array, Array]:
        if base is None:
            columns, goal = jnp.stack([shape, 1.0 - shape], axis=1), fraction
        else:
            columns, goal = shape[:, None], fraction - base
        found = jnp.linalg.lstsq(weight[:, None] * columns, weight * goal)[0]
        low = found[1] if base is None else base
        surface, low = (jnp.clip(end, limits[0], limits[1]) for end in (found[0] + (0.0 if base is None else low), low))
        return jnp.sum((weight * (low + (surface - low) * shape - fraction)) ** 2), surface, low

    return jax.vmap(one)(shapes)
