"""The front as a travelling wave, and what a measured profile says about the diffusivities.

Notation as in `front_theory`; r = D₂/D₁, v₀ = J/N, η = x - v_s q. In the frame of the front the balance of the native
ions, with the flux J₁ = t₁J - D₁₂ ∂n₁/∂x and D₁₂ = D₁D₂/s, integrates to

    du/dη = (v₀/D₂)(1 - u)[v_s u - r(u)(1 - v_s(1 - u))].

It follows from Gunawan et al., Phys. Chem. Chem. Phys. 26 (2024) 14430, eqn (1), with neutrality for Poisson's
equation. Where r ≪ 1 it is the logistic equation: the native diffusivity drops out.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from npp_jax.physics.front_theory import Diffusivity, FrontTheory, conductance
from npp_jax.physics.interpolation import align

_NODES = 32
_LEVELS = 256


def front_slope(u: Array, speed: Array, native: Diffusivity, foreign: Diffusivity) -> Array:
    """Slope of the travelling wave per unit of v₀, (du/dη)/v₀, in the inverse of the unit of D.

    Parameters
    ----------
    u
        Native fractions between foot and bulk, shape [point, *batch]. [1]
    speed
        Front speed v_s, shape [*batch]. [1]
    native, foreign
        D₁ and D₂ as functions of u, any common unit.
    """
    return (1.0 - u) * (speed * u / foreign(u) - (1.0 - speed * (1.0 - u)) / native(u))


def front_width(
    theory: FrontTheory, native: Diffusivity, foreign: Diffusivity, *, lower: float = 0.16, upper: float = 0.84
) -> Float[Array, "*batch"]:
    """Width of the stationary front between two shares of the step from foot to bulk, times v₀.

    w v₀ = ∫ du / [(du/dη)/v₀], by Gauss–Legendre quadrature; in the unit of D: divide by v₀, or by D₂ for the width in
    units of ℓ = D₂/v₀. Infinite for a spreading front, which has no stationary width.

    Parameters
    ----------
    theory
        Front of the two ions.
    native, foreign
        D₁ and D₂ as functions of the native fraction, as given to `front_theory`.
    lower, upper
        Shares of the step, between 0 and 1. [1]
    """
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    share = _column(lower + 0.5 * (upper - lower) * (1.0 + nodes), theory.foot)
    weight = _column(0.5 * (upper - lower) * weights, theory.foot)
    step = 1.0 - theory.foot
    slope = front_slope(theory.foot + step * share, theory.speed, native, foreign)
    stationary = theory.spreading <= 0.0
    width = step * jnp.sum(weight / jnp.where(stationary, slope, 1.0), axis=0)
    return jnp.where(stationary, width, jnp.inf)


def expected_excess_charge(
    theory: FrontTheory,
    native: Diffusivity,
    foreign: Diffusivity,
    debye_length: Float[ArrayLike, "*#batch"],
    current: Float[ArrayLike, "*#batch"],
) -> Float[Array, "*batch"]:
    """Excess charge of largest modulus in the stationary front, as a fraction of N: negative.

    Poisson's equation along the neutral wave: λ² min dE/dx with the field E = [v₀ + (D₁ - D₂) du/dη]/s(u) in kT/e
    per length. It scales as -c (λ/ℓ)², ℓ = D₂/v₀; Gunawan et al. 2024 find less than 1 ‰ (section 3.2).

    Parameters
    ----------
    theory
        Front of the two ions.
    native, foreign
        D₁ and D₂ as functions of the native fraction. [length²/time]
    debye_length
        λ = √(ε₀ ε_r kT/(e² N)). [length]
    current
        Current as a speed, v₀ = j/(eN). [length/time]
    """
    step = 1.0 - theory.foot
    # No level at the ends, where the slope of the wave vanishes.
    u = theory.foot + step * _column((np.arange(_LEVELS) + 0.5) / _LEVELS, theory.foot)

    def field(u: Array) -> Array:
        difference = native(u) - foreign(u)
        slope = front_slope(u, theory.speed, native, foreign)
        return (1.0 + difference * slope) / conductance(u, native, foreign)

    rise = jax.jvp(field, (u,), (jnp.ones_like(u),))[1]
    charge = jnp.min(rise * front_slope(u, theory.speed, native, foreign), axis=0)
    return charge * (jnp.asarray(debye_length) * current) ** 2


def foreign_diffusivity_from_front(
    D_bulk: Float[ArrayLike, "*#batch"],
    D_plateau: Float[ArrayLike, "*#batch"],
    n_bulk: Float[ArrayLike, "*#batch"],
    n_plateau: Float[ArrayLike, "*#batch"],
    D_mid: Float[ArrayLike, "*#batch"],
    gradient: Float[ArrayLike, "*#batch"],
    field_bulk: Float[ArrayLike, "*#batch"],
) -> Float[Array, "*batch"]:
    """Foreign diffusivity from native diffusivities and the slope of the front.

    D_f = D_B (n_B + n_D)/(n_B - n_D) · n_B / [4 (D_B/D_F) n_B - (4/E_B) ∇n - (n_B + n_D)] - D_D n_D/(n_B - n_D)

    Gunawan et al., Phys. Chem. Chem. Phys. 26 (2024) 14430, eqn (3); superscripts B bulk, D replaced zone, F front.
    Put together from a text without the printed layout: compare it with the printed equation before quoting it.
    Dimensions make the last term a separate one, and the whole follows from (i) continuity of the current,
    E_D [D_f (n_B - n_D) + D_D n_D] = E_B D_B n_B, and (ii) equal native flux in bulk and at half height,
    D_F (n_F E_F + ∇n) = D_B n_B E_B, with n_F = (n_B + n_D)/2 and E_F = (E_B + E_D)/2. Assumption (ii) holds to a
    factor of two only, but the term with ∇n prevails: the estimate is a reading of the slope, not an independent
    prediction.

    Parameters
    ----------
    D_bulk, D_plateau, D_mid
        Native diffusivity in the bulk, in the replaced zone, and at half height. [m²/s]
    n_bulk, n_plateau
        Native density in the bulk and in the replaced zone. [1/m³, or any unit]
    gradient
        Slope dn/dx of the native density at half height, positive. [unit of n per metre]
    field_bulk
        E_B = (e/kT) dφ/dx in the bulk, negative (the electric field, with the sign changed). [1/m]
    """
    n_bulk, n_plateau, D_bulk, field_bulk = map(jnp.asarray, (n_bulk, n_plateau, D_bulk, field_bulk))
    total, step = n_bulk + n_plateau, n_bulk - n_plateau
    bracket = 4.0 * (D_bulk / D_mid) * n_bulk - 4.0 / field_bulk * gradient - total
    return (D_bulk * total * n_bulk / bracket - D_plateau * n_plateau) / step


def diffusivity_ratio_from_ramp(
    depth: Float[Array, "point *#batch"], fraction: Float[Array, "point *#batch"], charge: Float[ArrayLike, "*#batch"]
) -> Float[Array, "point *batch"]:
    """D₁/D₂ at the native fractions of a measured ramp, without a model of D₁.

    In the limit of high field x/q = t₁'(u) behind the front (Welge), so that t₁(u) = (1/q) ∫₀ᵘ x du' and
    D₁/D₂ = t₁ (1 - u)/(u (1 - t₁)). At finite field the surface lifts the ramp: a first guess.

    Parameters
    ----------
    depth
        Depths from the surface to the foot, increasing. [m or any length]
    fraction
        Native fractions there, positive, increasing. [1]
    charge
        Charge passed, q = ∫j dt/(eN), as a length in the same unit.
    """
    depth, fraction = align(depth, fraction)
    # At u = 0 the ramp starts at the surface.
    pieces = 0.5 * (depth[1:] + depth[:-1]) * jnp.diff(fraction, axis=0)
    area = jnp.cumsum(jnp.concatenate([0.5 * depth[:1] * fraction[:1], pieces + 0.0 * depth[:1]]), axis=0)
    share = area / charge
    return share * (1.0 - fraction) / (fraction * (1.0 - share))


def _column(values: np.ndarray, like: Array) -> Array:
    """Values along a new first axis, of the type and rank that go with `like`."""
    return jnp.asarray(values, like.dtype).reshape(-1, *(1,) * like.ndim)
