"""Numbers read off a profile: front depth, width, plateau, leading edge, and fractions at given depths.

Definitions are those of the reference solutions: with u the native fraction, x½ is the deepest depth with u = ½, the
plateau p = u(x½/2) (or the surface value where u > ½ everywhere), the front the deepest depth with u = (1 + p)/2, the
width the distance between 16 and 84 % of the step from p to 1. Where u falls by less than a thousandth from the bulk to
the plateau, as around an implanted layer, there is no front: its depth and width are zero.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from npp_jax.physics.interpolation import hermite, hermite_slopes, interpolate, take

_BISECTIONS = 40

_LEAST_STEP = 1e-3
"""Step from the plateau to the bulk below which there is no front."""


class FrontObservables(NamedTuple):
    """Front of the native ion and leading edge of the foreign ion; lengths in the unit of the depths."""

    depth: Float[Array, "*batch"]
    width: Float[Array, "*batch"]
    plateau: Float[Array, "*batch"]
    leading_edge: Float[Array, "*batch"]


def interpolate_profile(depth: Array, points: Array, fraction: Array) -> Array:
    """Fractions at given depths, by monotone cubic interpolation between the points of a profile.

    Parameters
    ----------
    depth
        Wanted depths, shape [depth] or [depth, *batch].
    points
        Depths of the profile, shape [point, *batch], same unit.
    fraction
        Values of the profile, shape [species, point, *batch].

    Returns
    -------
    Values, shape [species, depth, *batch].
    """
    depth = jnp.asarray(depth, points.dtype)
    depth = jnp.broadcast_to(
        depth.reshape(depth.shape + (1,) * (points.ndim - depth.ndim)), (depth.shape[0], *points.shape[1:])
    )
    return jnp.stack([interpolate(depth, points, values) for values in fraction])


@jax.jit
def deepest_crossing(points: Array, values: Array, level: Array) -> Array:
    """Deepest depth at which a profile passes each of some levels, upwards or downwards; zero where it never does.

    Differentiable: the crossing is found by bisection of the cubic interpolant and carries the derivative of the
    implicit function.

    Parameters
    ----------
    points, values
        Profile, shape [point, *batch].
    level
        Levels, shape [level, *batch].

    Returns
    -------
    Depths, shape [level, *batch].
    """
    above = values[None] > level[:, None]
    crosses = above[:, 1:] != above[:, :-1]
    order = jnp.arange(crosses.shape[1]).reshape(-1, *(1,) * (values.ndim - 1))
    last = jnp.max(jnp.where(crosses, order, -1), axis=1)
    index = jnp.maximum(last, 0)
    slope = hermite_slopes(points, values)
    x0, step = take(points, index), take(jnp.diff(points, axis=0), index)
    y0, y1 = take(values, index), take(values, index + 1)
    m0, m1 = take(slope, index) * step, take(slope, index + 1) * step
    frozen = jax.lax.stop_gradient((y0, y1, m0, m1))
    held = jax.lax.stop_gradient(level)
    sign = jnp.sign(frozen[1] - frozen[0])

    def bisect(_: Array, bounds: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = bounds
        middle = 0.5 * (low + high)
        below = sign * (hermite(middle, *frozen) - held) < 0.0
        return jnp.where(below, middle, low), jnp.where(below, high, middle)

    low, high = jax.lax.fori_loop(0, _BISECTIONS, bisect, (jnp.zeros_like(y0), jnp.ones_like(y0)))
    t = 0.5 * (low + high)
    rise = jax.jvp(lambda s: hermite(s, *frozen), (t,), (jnp.ones_like(t),))[1]
    t = t - (hermite(t, y0, y1, m0, m1) - level) / jnp.where(rise == 0.0, 1.0, rise)
    return jnp.where(last >= 0, x0 + t * step, 0.0)


def front_observables(points: Array, native: Array, foreign: Array) -> FrontObservables:
    """Read the front off a profile.

    Parameters
    ----------
    points
        Depths from the surface on, shape [point, *batch].
    native, foreign
        Native fraction of its bulk value and foreign fraction, shape [point, *batch].
    """
    half = deepest_crossing(points, native, jnp.full_like(native[:1], 0.5))
    plateau = jnp.where(half > 0.0, interpolate(0.5 * half, points, native), native[:1])
    shares = jnp.asarray([0.5, 0.16, 0.84], native.dtype).reshape(-1, *(1,) * (native.ndim - 1))
    depth, lower, upper = deepest_crossing(points, native, plateau + shares * (1.0 - plateau))
    edge = deepest_crossing(points, foreign, 0.5 * jnp.max(foreign, axis=0, keepdims=True))
    there = 1.0 - plateau[0] > _LEAST_STEP
    depth, width = (jnp.where(there, length, 0.0) for length in (depth, upper - lower))
    return FrontObservables(depth, width, plateau[0], edge[0])
