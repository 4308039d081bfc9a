"""Electroneutral Nernst–Planck model of two ions on a moving finite-volume mesh.

The limit λ_Debye → 0 of the full model: the densities of the two ions add up to the bulk density, the field follows
from the total current, and the native fraction u is the only unknown,

    ∂u/∂s + ∂/∂x { τ [ t₁ v₀ - D₁₂ ∂u/∂x ] } = 0,
    t₁ = D₁u/S,   D₁₂ = D₁D₂/S,   S = D₁u + D₂(1-u),   E = [v₀ + (D₁-D₂) ∂u/∂x]/S,

with the clock s (charge passed as a length, or time), τ = dt/ds and v₀ = j/(eN). Lengths in nm, times in s,
potentials in kT/e.
Unknowns are (u,), one per cell; fluxes are taken relative to the moving faces.
"""

from typing import ClassVar, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array

from npp_jax.simulation.material import Medium, Tempo, Unknowns
from npp_jax.simulation.mesh.geometry import Geometry
from npp_jax.simulation.schemes.scheme import (
    AbstractScheme,
    Linearisation,
    Rates,
    fraction_change,
    gain,
    in_blocks,
    join_cells,
    potential_drop,
    stabiliser,
    transport,
)
from npp_jax.simulation.schemes.within import limit_fraction


class Faces(NamedTuple):
    """What flows through the interior faces, shape [inner, *batch], and derivatives by the cells on either side."""

    field: Array
    """[kT/(e nm)]"""
    flux: Array
    """Native flux relative to the face, per unit of the clock."""
    by_left: Array
    by_right: Array
    field_by_current: Array


def through_faces(medium: Medium, left: Array, right: Array, current: Array, tempo: Array, geometry: Geometry) -> Faces:
    """Field and native flux at the interior faces, and derivatives of the flux with its stabilising factor held.

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
    geometry
        Mesh.
    """
    u = 0.5 * (left + right)
    at = transport(medium, u)
    steepness = stabiliser(at, u - medium.immobile, current, tempo, geometry) * geometry.closeness
    gradient = steepness * (right - left)
    conductance = tempo * at.mutual * steepness
    drift = 0.5 * (tempo * (current * at.share_slope - at.mutual_slope * gradient) - geometry.velocity)
    return Faces(
        field=(current + (at.native - at.foreign) * gradient) * at.resistivity,
        flux=tempo * (current * at.share - at.mutual * gradient) - geometry.velocity * u,
        by_left=drift + conductance,
        by_right=drift - conductance,
        field_by_current=at.resistivity,
    )


class PairNeutral(AbstractScheme):
    """Electroneutral model of two ions."""

    poisson: ClassVar[bool] = False

    @property
    def neutral(self) -> "PairNeutral":
        """The scheme itself."""
        return self

    def start(self, medium: Medium, y: Unknowns, current: Array, tempo: Array, here: Geometry) -> Unknowns:
        """Unknowns of a neutral sample with the native fraction y."""
        return y

    def amounts(self, medium: Medium, y: Unknowns, width: Array) -> Unknowns:
        """Conserved amounts per cell, (h u,)."""
        return (width * y[0],)

    def masses(self, medium: Medium, width: Array) -> Unknowns:
        """Derivatives of the conserved amounts with respect to the unknowns."""
        return (width,)

    def face_field(self, medium: Medium, y: Unknowns, current: Array, tempo: Array, here: Geometry) -> Array:
        """Field at the interior faces [kT/(e nm)]."""
        return through_faces(medium, y[0][:-1], y[0][1:], current, tempo, here).field

    def rates(self, medium: Medium, y: Unknowns, current: Array, tempo: Tempo, here: Geometry) -> Rates:
        """Rates of the conserved amounts and potential drop."""
        through = through_faces(medium, y[0][:-1], y[0][1:], current, tempo(current), here)
        return Rates(
            rate=(gain(through.flux, current, tempo(current), here),),
            drop=potential_drop(medium, through.field, current, here),
        )

    def linearise(self, medium: Medium, y: Unknowns, current: Array, tempo: Tempo, here: Geometry) -> Linearisation:
        """The same, with the derivatives of an iteration."""
        dt = tempo(current)

        def block(left: Array, right: Array, distance: Array, closeness: Array, velocity: Array) -> Faces:
            way = here._replace(distance=distance, closeness=closeness, velocity=velocity)
            return through_faces(medium, left, right, current, dt, way)

        through = in_blocks(block, y[0][:-1], y[0][1:], here.distance, here.closeness, here.velocity)
        edge = jnp.zeros_like(through.flux[:1])
        by_left, by_right = join_cells(edge, through.by_left, edge), join_cells(edge, through.by_right, edge)
        return Linearisation(
            rate=(gain(through.flux, current, dt, here),),
            lower=((by_left[:-1],),),
            diagonal=((by_right[:-1] - by_left[1:],),),
            upper=((-by_right[1:],),),
            drop=potential_drop(medium, through.field, current, here),
            drop_by_current=potential_drop(medium, through.field_by_current, jnp.ones_like(current), here),
        )

    def limit(self, medium: Medium, y: Unknowns, change: Unknowns) -> Unknowns:
        """Apply a Newton correction so that the native fraction stays in (0, 1]."""
        return (limit_fraction(y[0], change[0], 1.0, medium.immobile),)

    def change(self, medium: Medium, y: Unknowns, step: Unknowns) -> Array:
        """Size of a Newton step: that of the native fraction."""
        return fraction_change(step[:1])
