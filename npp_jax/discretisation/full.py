"""Nernst–Planck–Poisson model of two ions on a moving finite-volume mesh.

Unknowns of a cell are the native fraction c₁ and the field E at its right face. Gauss's law gives the foreign fraction,
c₂ = 1 - c₁ + λ² ∂E/∂x, and the total current, displacement included, is the same everywhere:

    ∂c₁/∂s + ∂/∂x (τ J₁) = 0,     λ² ∂E/∂s = τ (v₀ - J₁ - J₂),     J_i = D_i (c_i E - ∂c_i/∂x),

so that the foreign ion is conserved to round-off as well. Central fluxes with the factor of the electroneutral model:
for λ → 0 the
scheme becomes that model's. The first and the last cell are neutral, which is the neutral surface of an ion beam.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array

from npp_jax.discretisation import electroneutral
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

NAME = "full"

CEILING = 1.002
"""Greatest native fraction of a Newton iterate: a little excess charge is legitimate."""


def start(medium: Medium, u: Array, current: Array, geometry: Geometry) -> Unknowns:
    """Unknowns of a neutral sample of composition u that carries a current."""
    field = electroneutral.face_field(medium, (u,), current, 1.0 / current, geometry)
    return u, between(field, field[-1:])


def amounts(medium: Medium, y: Unknowns, width: Array) -> Unknowns:
    """Conserved amounts, (h c₁, λ² E)."""
    return width * y[0], medium.debye_squared * y[1]


def masses(medium: Medium, width: Array) -> Unknowns:
    """Derivatives of the conserved amounts with respect to the unknowns."""
    return width, jnp.broadcast_to(medium.debye_squared, width.shape)


def face_field(medium: Medium, y: Unknowns, current: Array, tempo: Array, geometry: Geometry) -> Array:
    """Field at the interior faces [kT/(e nm)]."""
    return y[1][:-1]


def linearise(
    medium: Medium, y: Unknowns, current: Array, tempo: Tempo, geometry: Geometry, *, exact: bool
) -> Linearisation:
    """Rates, potential drop and their derivatives; without `exact` the stabilising factor is held."""
    fraction, field = y
    left, right, here = fraction[:-1], fraction[1:], field[:-1]
    one, zero = jnp.ones_like(left), jnp.zeros_like(left)
    gauss = medium.debye_squared / geometry.width
    gauss_left, gauss_right = gauss[:-1].at[0].set(0.0), gauss[1:].at[-1].set(0.0)
    before, after = between(here[:1], here[:-1]), between(here[1:], here[-1:])

    local = medium if exact else tangent(medium, 0.5 * (left + right))

    def faces(a: Array, b: Array, e_before: Array, e: Array, e_after: Array, v: Array) -> tuple[Array, Array]:
        a2 = 1.0 - a + gauss_left * (e - e_before)
        b2 = 1.0 - b + gauss_right * (e_after - e)
        native, foreign = 0.5 * (a + b), 0.5 * (a2 + b2)
        factor = stabiliser(local, native, v, tempo(v), geometry)
        if not exact:
            factor = jax.lax.stop_gradient(factor)
        factor = factor / geometry.distance
        flux_native = tempo(v) * local.native(native) * (native * e - factor * (b - a))
        flux_foreign = tempo(v) * local.foreign(1.0 - foreign) * (foreign * e - factor * (b2 - a2))
        displacement = tempo(v) * v - flux_native - flux_foreign + geometry.velocity * (native + foreign - 1.0)
        return flux_native - geometry.velocity * native, displacement

    arguments = (left, right, before, here, after, jnp.broadcast_to(current, left.shape))
    (flux, displacement), push = jax.linearize(faces, *arguments)
    pushes = [push(*(one if k == j else zero for j in range(6))) for k in range(6)]
    (flux_left, move_left), (flux_right, move_right), (_, move_before), (flux_here, move_here), (_, move_after) = (
        pushes[:5]
    )
    flux_current, move_current = pushes[5]
    edge = zero[:1]
    by_left, by_right, by_field = (between(edge, part, edge) for part in (flux_left, flux_right, flux_here))
    out, out_by_current = outflow(current, tempo, geometry)
    pad = lambda part: between(part, edge)  # noqa: E731
    none = jnp.zeros_like(fraction)
    return Linearisation(
        rate=(-jnp.diff(between(edge, flux, edge + out), axis=0), pad(displacement)),
        lower=((by_left[:-1], by_field[:-1]), (none, pad(move_before).at[0].set(0.0))),
        diagonal=(
            (by_right[:-1] - by_left[1:], -by_field[1:]),
            (pad(move_left), pad(move_here)),
        ),
        upper=((-by_right[1:], none), (pad(move_right), pad(move_after))),
        by_current=(-jnp.diff(between(edge, flux_current, edge + out_by_current), axis=0), pad(move_current)),
        drop=potential_drop(medium, here, current, geometry),
        drop_by_unknown=(none, pad(geometry.field_weight)),
        drop_by_current=geometry.beyond / medium.bulk,
    )


def limit(medium: Medium, y: Unknowns, change: Unknowns) -> Unknowns:
    """Apply a Newton correction so that the native fraction stays positive; the field is free."""
    return limit_fraction(y[0], change[0], CEILING), y[1] + change[1]
