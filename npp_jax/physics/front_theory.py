"""Quasi-neutral theory of the replacement front of two ions: foot, ramp, speed, width, resistance.

With u the native fraction, D₁(u) the native and D₂(u) the foreign diffusivity, the native ions carry the share
t₁(u) = D₁u/s(u) of the current, s(u) = D₁u + D₂(1-u). In the limit of high field the profile is the lower convex
hull of t₁: a ramp x/q = t₁'(u) from the surface up to the foot u_t, then a front that moves with v_s per unit of the
charge q (Welge's tangent construction). The foot is the composition of least conductivity, d(uD₁)/du = D₂ for
constant D₂. The charge q = ∫j dt/(eN) is a length throughout.
"""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

_COARSE = 48
_FINE = 24
_RAMP = 48

Diffusivity = Callable[[Array], Array]


class FrontTheory(eqx.Module):
    """Front of two ions in the high-field limit; lengths scale with the charge q."""

    foot: Float[Array, "*batch"]
    """Native fraction u_t at the foot of the front; zero where the replacement is complete."""
    speed: Float[Array, "*batch"]
    """Depth of the front per unit charge, v_s = x_f/q."""
    spreading: Float[Array, "*batch"]
    """Speed of the leading edge per unit charge beyond v_s, D₂/D₁(1) - v_s; zero for a sharp front."""
    ramp_position: Float[Array, "ramp *batch"]
    """Positions x/q on the ramp, from 0 to v_s."""
    ramp_fraction: Float[Array, "ramp *batch"]
    """Native fractions at those positions, from 0 to u_t."""
    ramp_resistance: Float[Array, "*batch"]
    """∫ dx/s over the ramp per unit charge, in the inverse of the unit of D."""
    step_potential: Float[Array, "*batch"]
    """Diffusion potential of the profile, ∫₀¹ (D₁-D₂)/s du [kT/e]."""


def transport_number(u: Array, native: Diffusivity, foreign: Diffusivity) -> Array:
    """Share of the current carried by the native ion, t₁ = D₁u/(D₁u + D₂(1-u))."""
    mobile = native(u) * u
    return mobile / (mobile + foreign(u) * (1.0 - u))


def conductance(u: Array, native: Diffusivity, foreign: Diffusivity) -> Array:
    """s(u) = D₁u + D₂(1-u), the conductivity in units of N e²/kT."""
    return native(u) * u + foreign(u) * (1.0 - u)


def front_theory(native: Diffusivity, foreign: Diffusivity, like: Array) -> FrontTheory:
    """Construct the front of two ions from their diffusivities.

    Parameters
    ----------
    native, foreign
        D₁ and D₂ as functions of the native fraction u, any common unit.
    like
        Array of the batch shape, which gives shape and dtype.
    """
    shape, dtype = jnp.shape(like), jnp.result_type(like)

    def column(values: np.ndarray) -> Array:
        return jnp.broadcast_to(jnp.asarray(values, dtype).reshape(-1, *(1,) * len(shape)), (len(values), *shape))

    def chord(u: Array) -> Array:
        # (1 - t₁)/(1 - u) with the factor 1 - u cancelled.
        return foreign(u) / conductance(u, native, foreign)

    logit = np.linspace(-14.0, 7.0, _COARSE)
    grid = column(1.0 / (1.0 + np.exp(-logit)))

    def refine(_: Array | int, bracket: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        below, _, above = bracket
        grid = below + (above - below) * column(np.linspace(0.0, 1.0, _FINE))
        return _bracket(grid, chord(grid))

    foot = _stationary(chord, *jax.lax.fori_loop(0, 2, refine, _bracket(grid, chord(grid))))
    speed = chord(foot[None])[0]
    # The chord from u = 0 has the slope one; where no other is steeper, nothing is left behind the front.
    foot = jnp.where(speed < 1.0, 0.0, foot)
    speed = jnp.maximum(speed, 1.0)

    share = column(np.linspace(0.0, 1.0, _RAMP) ** 2)
    fraction = foot * share
    safe = jnp.maximum(fraction, 1e-9)
    slope = jax.jvp(lambda u: transport_number(u, native, foreign), (safe,), (jnp.ones_like(safe),))[1]
    # The hull is convex: a rounding error or a concave stretch of t₁ must not make the ramp run backwards.
    position = jax.lax.cummax(jnp.clip(slope, 0.0, speed), axis=0).at[0].set(0.0).at[-1].set(speed)
    resistivity = 1.0 / conductance(safe, native, foreign)
    resistance = jnp.sum(0.5 * (resistivity[1:] + resistivity[:-1]) * jnp.diff(position, axis=0), axis=0)

    edge = jnp.ones(shape, dtype)
    spreading = jnp.maximum(foreign(edge[None])[0] / native(edge[None])[0] - speed, 0.0)
    levels = column((np.arange(_COARSE) + 0.5) / _COARSE)
    drop = (native(levels) - foreign(levels)) / conductance(levels, native, foreign)
    return FrontTheory(
        foot=foot,
        speed=speed,
        spreading=spreading,
        ramp_position=position,
        ramp_fraction=fraction,
        ramp_resistance=resistance,
        step_potential=jnp.mean(drop, axis=0),
    )


def _bracket(grid: Array, value: Array) -> tuple[Array, Array, Array]:
    """Grid point of the largest value between its neighbours; at an end of the grid two of the three are equal."""
    best = jnp.argmax(value, axis=0)
    near = jnp.clip(jnp.stack([best - 1, best, best + 1]), 0, grid.shape[0] - 1)
    below, middle, above = jnp.take_along_axis(grid, near, axis=0)
    return below, middle, above


def _stationary(function: Diffusivity, below: Array, start: Array, above: Array) -> Array:
    """Maximum of a function near `start`: Newton steps on its logarithmic slope, never beyond the bracket."""

    def slope(u: Array) -> Array:
        return jax.jvp(lambda v: jnp.log(function(v[None])[0]), (u,), (jnp.ones_like(u),))[1]

    def newton(_: Array | int, u: Array) -> Array:
        # Start and curvature are held: the last step carries the derivative of the implicit function slope(u) = 0.
        u = jax.lax.stop_gradient(u)
        value, curvature = jax.jvp(slope, (u,), (jnp.ones_like(u),))
        concave = curvature < 0.0
        step = -value / jax.lax.stop_gradient(jnp.where(concave, curvature, -1.0))
        inner = concave & (u + step > below) & (u + step < above)
        return u + jnp.where(inner, step, 0.0)

    return jax.lax.fori_loop(0, 2, newton, start)


def quasi_steady_profile(theory: FrontTheory, depth: Array, charge: Array, width: Array) -> Array:
    """Ramp and front at a charge: the first guess of the simulation.

    Parameters
    ----------
    theory
        Front in the high-field limit.
    depth
        Depths, shape [point, *batch]. [m or any length]
    charge
        Charge passed, as a length in the same unit, shape [*batch].
    width
        Front scale ℓ = D₂/v₀ in the same unit, shape [*batch].
    """
    knots = theory.ramp_position * charge
    # Linear in √u, in which the ramp has no steep end at the surface.
    positive = theory.ramp_fraction > 0.0
    rooted = jnp.where(positive, jnp.sqrt(jnp.where(positive, theory.ramp_fraction, 1.0)), 0.0)
    rise = jnp.diff(rooted, axis=0)
    length = jnp.maximum(jnp.diff(knots, axis=0), 1e-12 * charge)

    def add(k: Array | int, ramp: Array) -> Array:
        return ramp + rise[k] * jnp.clip((depth - knots[k]) / length[k], 0.0, 1.0)

    start = jnp.zeros(jnp.broadcast_shapes(depth.shape, rise[0].shape, knots[0].shape), jnp.result_type(depth, knots))
    ramp = jax.lax.fori_loop(0, rise.shape[0], add, start)
    ramp = ramp * ramp
    return ramp + (1.0 - ramp) * jax.nn.sigmoid((depth - theory.speed * charge) * theory.speed / width)
