"""Electroneutral Nernst–Planck model of two ions on a moving finite-volume mesh.

The limit λ_Debye → 0 of the full model: the densities of the two ions add up to the bulk density, the field follows
from the total current, and the native fraction u is the only unknown,

    ∂u/∂s + ∂/∂x { τ [ t₁ v₀ - D₁₂ ∂u/∂x ] } = 0,
    t₁ = D₁u/S,   D₁₂ = D₁D₂/S,   S = D₁u + D₂(1-u),   E = [v₀ + (D₁-D₂) ∂u/∂x]/S,

with the clock s (charge passed as a length, or time), τ = dt/ds and v₀ = j/(eN). Lengths in nm, times in s,
potentials in kT/e.
Unknowns are (u,), one per cell; fluxes are taken relative to the moving faces.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array

from npp_jax.discretisation.flux import (
    Linearisation,
    Tempo,
    Unknowns,
    between,
    limit_fraction,
    outflow,
    potential_drop,
    stabiliser,
)
from npp_jax.discretisation.geometry import Geometry
from npp_jax.discretisation.medium import Medium, tangent

NAME = "electroneutral"


def field_and_flux(
    medium: Medium, left: Array, right: Array, current: Array, tempo: Array, factor: Array, geometry: Geometry
) -> tuple[Array, Array]:
    """Field [kT/(e nm)] and native flux per unit of the clock at the interior faces.

    Parameters
    ----------
    medium
        Material.
    left, right
        Native fractions of the cells on either side, shape [inner, *batch].
    current
        v₀. [nm/s]
    tempo
        dt/ds.
    factor
        Factor on the gradient, see `stabiliser`.
    geometry
        Mesh.
    """
    u = 0.5 * (left + right)
    native, foreign = medium.native(u), medium.foreign(u)
    gradient = factor * (right - left) / geometry.distance
    share = 1.0 / (native * u + foreign * (1.0 - u))
    field = (current + (native - foreign) * gradient) * share
    flux = tempo * native * (current * u - foreign * gradient) * share
    return field, flux - geometry.velocity * u


def start(medium: Medium, u: Array, current: Array, geometry: Geometry) -> Unknowns:
    """Unknowns of a neutral sample of composition u."""
    return (u,)


def amounts(medium: Medium, y: Unknowns, width: Array) -> Unknowns:
    """Conserved amounts per cell, (h u,)."""
    return (width * y[0],)


def masses(medium: Medium, width: Array) -> Unknowns:
    """Derivatives of the conserved amounts with respect to the unknowns."""
    return (width,)


def face_field(medium: Medium, y: Unknowns, current: Array, tempo: Array, geometry: Geometry) -> Array:
    """Field at the interior faces [kT/(e nm)]."""
    factor = stabiliser(medium, 0.5 * (y[0][1:] + y[0][:-1]), current, tempo, geometry)
    return field_and_flux(medium, y[0][:-1], y[0][1:], current, tempo, factor, geometry)[0]


def linearise(
    medium: Medium, y: Unknowns, current: Array, tempo: Tempo, geometry: Geometry, *, exact: bool
) -> Linearisation:
    """Rates, potential drop and their derivatives.

    With `exact` the derivatives are complete. Without, the stabilising factor is held and the drop is taken as
    independent of the composition: iterations then cost less and stay stable far from the solution.
    """
    left, right = y[0][:-1], y[0][1:]
    one, zero = jnp.ones_like(left), jnp.zeros_like(left)
    local = medium if exact else tangent(medium, 0.5 * (left + right))

    def faces(a: Array, b: Array, v: Array) -> tuple[Array, Array]:
        factor = stabiliser(local, 0.5 * (a + b), v, tempo(v), geometry)
        if not exact:
            factor = jax.lax.stop_gradient(factor)
        return field_and_flux(local, a, b, v, tempo(v), factor, geometry)

    (field, flux), push = jax.linearize(faces, left, right, jnp.broadcast_to(current, left.shape))
    field_left, flux_left = push(one, zero, zero)
    field_right, flux_right = push(zero, one, zero)
    field_current, flux_current = push(zero, zero, one)
    edge = zero[:1]
    by_left, by_right = between(edge, flux_left, edge), between(edge, flux_right, edge)
    out, out_by_current = outflow(current, tempo, geometry)
    weight = geometry.field_weight
    return Linearisation(
        rate=(-jnp.diff(between(edge, flux, edge + out), axis=0),),
        lower=((by_left[:-1],),),
        diagonal=((by_right[:-1] - by_left[1:],),),
        upper=((-by_right[1:],),),
        by_current=(-jnp.diff(between(edge, flux_current, edge + out_by_current), axis=0),),
        drop=potential_drop(medium, field, current, geometry),
        drop_by_unknown=(between(edge, weight * field_right) + between(weight * field_left, edge),) if exact else None,
        drop_by_current=jnp.sum(weight * field_current, axis=0) + geometry.beyond / medium.bulk,
    )


def limit(medium: Medium, y: Unknowns, change: Unknowns) -> Unknowns:
    """Apply a Newton correction so that the native fraction stays in (0, 1]."""
    return (limit_fraction(y[0], change[0], 1.0),)
