"""Closed solutions of the diffusion equation for isotope exchange: ∂C/∂t = D ∂²C/∂x².

All return the normalised fraction (C - C₀)/(C₁ - C₀), with C₀ the fraction in the untouched sample and C₁ the one of
the source. They hold for one D, constant in time; for D(t) replace D t by ∫D dt where no exchange coefficient occurs.
Arguments broadcast. Half-spaces are x ≥ 0, plates are 0 ≤ x ≤ L with the source at x = 0 and no flux at x = L: the half
of a plate of thickness 2L exchanged from both sides.

Sources: J. Crank, The Mathematics of Diffusion, 2nd ed. (Oxford 1975), numbers of equations as given there.
"""

from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from npp_jax.physics.checks import FINITE, NOT_NEGATIVE, POSITIVE, expects
from npp_jax.tracer.special import erfcx_drop

_FAR = 30.0
_IMAGES = 4
_MODES = 8
_EXCHANGE_MODES = 14
_PLATE_SWITCH = 0.2
_EXCHANGE_SWITCH = 0.03
_ROOT_ITERATIONS = 6
_AT_ONCE = 1e12
"""k√(t/D), or kL/D, from which on a surface is in equilibrium at once: a larger k changes no digit."""

Number: TypeAlias = Float[ArrayLike, "*#shape"]
"""A number or an array; all arguments of a function broadcast against each other."""


def _arrays(*values: ArrayLike) -> tuple[Array, ...]:
    """Arguments as floating-point arrays of one shape."""
    dtype = jnp.result_type(*values, float)
    return tuple(jnp.broadcast_arrays(*(jnp.asarray(value, dtype) for value in values)))


def _scaled(distance: Array, t: Array, D: Array) -> Array:
    """distance/(2√(Dt)), limited to where erfc and exp(-z²) vanish; at t = 0 zero or the limit, derivative zero."""
    positive = D * t > 0.0
    spread = 2.0 * jnp.sqrt(jnp.where(positive, D * t, 1.0))
    return jnp.where(positive, jnp.clip(distance / spread, -_FAR, _FAR), jnp.sign(distance) * _FAR)


def _split(age: Array, switch: float) -> tuple[Array, Array, Array]:
    """Whether it is early, and the age limited to the early and to the late branch."""
    early = age < switch
    return early, jnp.where(early, age, switch), jnp.where(early, switch, age)


def _orders(values: np.ndarray | range, like: Array) -> Array:
    """Numbers of images or modes along a new first axis."""
    return jnp.asarray(np.asarray(values), like.dtype).reshape(-1, *(1,) * like.ndim)


@expects(x=FINITE, t=NOT_NEGATIVE, D=POSITIVE)
def constant_surface(x: Number, t: Number, D: Number) -> Float[Array, "*shape"]:
    """Half-space with constant surface fraction: erfc(x/2√(Dt)) (Crank eqn 2.45; Hasegawa et al. 2024, eqn 4).

    Parameters
    ----------
    x
        Depth. [m]
    t
        Time. [s]
    D
        Diffusion coefficient. [m²/s]
    """
    x, t, D = _arrays(x, t, D)
    return jax.scipy.special.erfc(_scaled(x, t, D))


@expects(x=FINITE, t=NOT_NEGATIVE, D=POSITIVE, k=NOT_NEGATIVE)
def surface_exchange(x: Number, t: Number, D: Number, k: Number) -> Float[Array, "*shape"]:
    """Half-space with the flux k (C₁ - C) through its surface (Crank eqn 3.35).

    erfc(z) - exp(hx + h²Dt) erfc(z + h√(Dt)) = exp(-z²)[erfcx(z) - erfcx(z + b)], z = x/2√(Dt), h = k/D, b = k√(t/D):
    the second form neither overflows at long times nor cancels at short ones.

    Parameters
    ----------
    x
        Depth. [m]
    t
        Time. [s]
    D
        Diffusion coefficient. [m²/s]
    k
        Surface exchange coefficient. [m/s]
    """
    x, t, D, k = _arrays(x, t, D, k)
    z = _scaled(x, t, D)
    positive = D * t > 0.0
    reach = k * jnp.sqrt(jnp.where(positive, t / jnp.where(positive, D, 1.0), 1.0))
    return jnp.exp(-(z**2)) * erfcx_drop(z, jnp.where(positive, jnp.minimum(reach, _AT_ONCE), 0.0))


@expects(x=FINITE, t=NOT_NEGATIVE, D=POSITIVE, width=NOT_NEGATIVE)
def slab_source(x: Number, t: Number, D: Number, width: Number) -> Float[Array, "*shape"]:
    """Half-space with closed surface, full to the depth w at t = 0: ½[erf((w-x)/2√(Dt)) + erf((w+x)/2√(Dt))].

    Crank eqn 2.15, with the surface as plane of symmetry.

    Parameters
    ----------
    x
        Depth. [m]
    t
        Time. [s]
    D
        Diffusion coefficient. [m²/s]
    width
        Depth w of the source. [m]
    """
    x, t, D, width = _arrays(x, t, D, width)
    # Differences of erfc keep the relative accuracy of the tail, differences of erf would lose it.
    near, far = jax.scipy.special.erfc(_scaled(jnp.stack([x - width, x + width]), t, D))
    return 0.5 * (near - far)


@expects(x=FINITE, t=NOT_NEGATIVE, D=POSITIVE, thickness=POSITIVE)
def plate_constant_surface(x: Number, t: Number, D: Number, thickness: Number) -> Float[Array, "*shape"]:
    """Plate with constant surface fraction at x = 0 and no flux at x = L.

    Images (Crank eqn 4.18) below Dt/L² = 0.2, modes (Crank eqn 4.17) above; both to round-off.

    Parameters
    ----------
    x
        Depth, 0 to L. [m]
    t
        Time. [s]
    D
        Diffusion coefficient. [m²/s]
    thickness
        L. [m]
    """
    x, t, D, thickness = _arrays(x, t, D, thickness)
    age = D * t / thickness**2
    is_early, early, late = _split(age, _PLATE_SWITCH)
    depth = x / thickness
    order = _orders(range(_IMAGES), age)
    sign = _orders((-1.0) ** np.arange(_IMAGES), age)
    distance = jnp.concatenate([2.0 * order + depth, 2.0 * order + 2.0 - depth])
    images = jnp.concatenate([sign, sign]) * jax.scipy.special.erfc(_scaled(distance, early, jnp.ones_like(early)))
    wave = _orders((np.arange(_MODES) + 0.5) * np.pi, age)
    modes = 2.0 / wave * jnp.sin(wave * depth) * jnp.exp(-(wave**2) * late)
    return jnp.where(is_early, jnp.sum(images, axis=0), 1.0 - jnp.sum(modes, axis=0))


@expects(x=FINITE, t=NOT_NEGATIVE, D=POSITIVE, width=NOT_NEGATIVE, thickness=POSITIVE)
def plate_slab_source(x: Number, t: Number, D: Number, width: Number, thickness: Number) -> Float[Array, "*shape"]:
    """Plate without flux at both ends, full to the depth w at t = 0.

    Images (Crank eqn 2.17) below Dt/L² = 0.2, modes w/L + Σ 2 sin(nπw/L)/(nπ) cos(nπx/L) exp(-n²π²Dt/L²) above.

    Parameters
    ----------
    x
        Position, 0 to L. [m]
    t
        Time. [s]
    D
        Diffusion coefficient. [m²/s]
    width
        Depth w of the source, 0 to L. [m]
    thickness
        L. [m]
    """
    x, t, D, width, thickness = _arrays(x, t, D, width, thickness)
    age = D * t / thickness**2
    is_early, early, late = _split(age, _PLATE_SWITCH)
    at, source = x / thickness, width / thickness
    image = _orders(range(-_IMAGES, _IMAGES + 1), age)
    images = slab_source(jnp.abs(at - 2.0 * image), early, 1.0, source)
    wave = _orders(np.arange(1, _MODES) * np.pi, age)
    modes = 2.0 / wave * jnp.sin(wave * source) * jnp.cos(wave * at) * jnp.exp(-(wave**2) * late)
    return jnp.where(is_early, jnp.sum(images, axis=0), source + jnp.sum(modes, axis=0))


def exchange_roots(ratio: Float[Array, "*shape"], count: int) -> Float[Array, "{count} *shape"]:
    """First positive roots of β tan β = Λ, as roots of β = nπ + atan(Λ/β), by Newton's method.

    The last two steps carry the derivatives, those before are not differentiated.

    Parameters
    ----------
    ratio
        Λ = kL/D, positive. [1]
    count
        Number of roots.
    """
    order = _orders(np.arange(count) * np.pi, ratio)

    def improve(beta: Array, ratio: Array) -> Array:
        error = beta - order - jnp.arctan2(ratio, beta)
        return beta - error / (1.0 + ratio / (beta**2 + ratio**2))

    frozen = jax.lax.stop_gradient(ratio)
    first = jnp.sqrt(frozen / (1.0 + frozen * float(4.0 / np.pi**2)))
    beta = jnp.where(order > 0.0, order + jnp.arctan2(frozen, order), first)
    for _ in range(_ROOT_ITERATIONS):
        beta = improve(beta, frozen)
    # From a converged start, two differentiated steps are right to the third derivative.
    return improve(improve(jax.lax.stop_gradient(beta), ratio), ratio)


@expects(x=FINITE, t=NOT_NEGATIVE, D=POSITIVE, k=NOT_NEGATIVE, thickness=POSITIVE)
def plate_surface_exchange(x: Number, t: Number, D: Number, k: Number, thickness: Number) -> Float[Array, "*shape"]:
    """Plate with the flux k (C₁ - C) through x = 0 and no flux at x = L.

    Modes (Crank eqn 4.50) above Dt/L² = 0.03; below, the half-space and its image in the far end: what comes back from
    the surface a second time is then below 1e-15.

    Parameters
    ----------
    x
        Depth, 0 to L. [m]
    t
        Time. [s]
    D
        Diffusion coefficient. [m²/s]
    k
        Surface exchange coefficient, positive. [m/s]
    thickness
        L. [m]
    """
    x, t, D, k, thickness = _arrays(x, t, D, k, thickness)
    age = D * t / thickness**2
    is_early, early, late = _split(age, _EXCHANGE_SWITCH)
    depth, ratio = x / thickness, jnp.minimum(k * thickness / D, _AT_ONCE)
    images = surface_exchange(jnp.stack([depth, 2.0 - depth]), early, 1.0, ratio)
    beta = exchange_roots(ratio, _EXCHANGE_MODES)
    sign = _orders((-1.0) ** np.arange(_EXCHANGE_MODES), age)
    # 1/cos β_n = (-1)ⁿ √(β² + Λ²)/β, which stays finite in the limit of large Λ.
    weight = 2.0 * ratio * sign * jnp.sqrt(beta**2 + ratio**2) / (beta * (beta**2 + ratio**2 + ratio))
    modes = weight * jnp.cos(beta * (1.0 - depth)) * jnp.exp(-(beta**2) * late)
    return jnp.where(is_early, jnp.sum(images, axis=0), 1.0 - jnp.sum(modes, axis=0))
