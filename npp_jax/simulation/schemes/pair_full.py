"""Nernst–Planck–Poisson model of two ions on a moving finite-volume mesh.

Unknowns of a cell are the native fraction c₁ and the field E at its right face. Gauss's law gives the foreign fraction,
c₂ = 1 - c₁ + λ² ∂E/∂x, and the total current, displacement included, is the same everywhere:

    ∂c₁/∂s + ∂/∂x (τ J₁) = 0,     λ² ∂E/∂s = τ (v₀ - J₁ - J₂),     J_i = D_i (c_i E - ∂c_i/∂x),

so that the foreign ion is conserved to round-off as well. Central fluxes with the factor of the electroneutral model:
for λ → 0 the scheme becomes that model's. The first and the last cell are neutral, which is the neutral surface of an
ion beam.
"""

from typing import ClassVar, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array

from npp_jax.simulation.material import Medium, Tempo, Unknowns
from npp_jax.simulation.mesh.geometry import Geometry
from npp_jax.simulation.schemes.pair_neutral import PairNeutral
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
from npp_jax.simulation.schemes.within import CEILING, limit_fraction


class Faces(NamedTuple):
    """What flows through the interior faces, shape [inner, *batch], and derivatives of it.

    `left` and `right` are the native fractions of the cells on either side, `before`, `here` and `after` the fields at
    the face to the left, at the face and at the face to the right.
    """

    flux: Array
    """Native flux relative to the face, per unit of the clock."""
    displacement: Array
    """λ² ∂E/∂s: total current less that of the ions."""
    flux_by_left: Array
    flux_by_right: Array
    flux_by_here: Array
    displacement_by_left: Array
    displacement_by_right: Array
    displacement_by_before: Array
    displacement_by_here: Array
    displacement_by_after: Array
    resistivity: Array


class Around(NamedTuple):
    """What a face sees, shape [inner, *batch]: names as in `Faces`, and the lengths around it."""

    left: Array
    right: Array
    before: Array
    here: Array
    after: Array
    gauss_left: Array
    """λ²/h of the cell to the left; none in the neutral first cell."""
    gauss_right: Array
    distance: Array
    closeness: Array
    velocity: Array


def around(medium: Medium, y: Unknowns, geometry: Geometry) -> Around:
    """Collect what the interior faces see."""
    fraction, field = y
    here = field[:-1]
    gauss = medium.debye_squared / geometry.width
    return Around(
        left=fraction[:-1],
        right=fraction[1:],
        before=join_cells(here[:1], here[:-1]),
        here=here,
        after=join_cells(here[1:], here[-1:]),
        gauss_left=gauss[:-1].at[0].set(0.0),
        gauss_right=gauss[1:].at[-1].set(0.0),
        distance=geometry.distance,
        closeness=geometry.closeness,
        velocity=geometry.velocity,
    )


def through_faces(medium: Medium, face: Around, current: Array, tempo: Array, geometry: Geometry) -> Faces:
    """Native flux and displacement current at the interior faces, and derivatives with the stabilising factor held."""
    here, velocity = face.here, face.velocity
    foreign_left = 1.0 - face.left + face.gauss_left * (here - face.before)
    foreign_right = 1.0 - face.right + face.gauss_right * (face.after - here)
    native, foreign = 0.5 * (face.left + face.right), 0.5 * (foreign_left + foreign_right)
    at = transport(medium, native)
    steepness = stabiliser(at, native - medium.immobile, current, tempo, geometry) * face.closeness
    # D₂ belongs to the foreign ion's own fraction, which excess charge makes differ from 1 - u: by its tangent.
    D_native, D_foreign = tempo * at.native, tempo * (at.foreign + at.foreign_slope * (1.0 - foreign - native))
    pull = native * here - steepness * (face.right - face.left)
    foreign_pull = foreign * here - steepness * (foreign_right - foreign_left)
    drift = 0.5 * (tempo * at.native_slope * pull + D_native * here - velocity)
    foreign_drift = 0.5 * (D_foreign * here - tempo * at.foreign_slope * foreign_pull - velocity)
    by_left, by_right = drift + D_native * steepness, drift - D_native * steepness
    by_foreign_left, by_foreign_right = foreign_drift + D_foreign * steepness, foreign_drift - D_foreign * steepness
    return Faces(
        flux=D_native * pull - velocity * native,
        displacement=tempo * current - D_native * pull - D_foreign * foreign_pull + velocity * (native + foreign - 1.0),
        flux_by_left=by_left,
        flux_by_right=by_right,
        flux_by_here=D_native * native,
        displacement_by_left=by_foreign_left - by_left,
        displacement_by_right=by_foreign_right - by_right,
        displacement_by_before=face.gauss_left * by_foreign_left,
        displacement_by_here=(
            face.gauss_right * by_foreign_right
            - face.gauss_left * by_foreign_left
            - D_native * native
            - D_foreign * foreign
        ),
        displacement_by_after=-face.gauss_right * by_foreign_right,
        resistivity=at.resistivity,
    )


class PairFull(AbstractScheme):
    """Nernst–Planck–Poisson model of two ions."""

    poisson: ClassVar[bool] = True

    @property
    def neutral(self) -> PairNeutral:
        """Scheme of the limit λ → 0, which takes the first step from a step profile."""
        return PairNeutral()

    def start(self, medium: Medium, y: Unknowns, current: Array, tempo: Array, here: Geometry) -> Unknowns:
        """Unknowns of a neutral sample with the native fraction y that carries a current."""
        field = self.neutral.face_field(medium, y, current, tempo, here)
        return *y, join_cells(field, field[-1:])

    def amounts(self, medium: Medium, y: Unknowns, width: Array) -> Unknowns:
        """Conserved amounts, (h c₁, λ² E)."""
        return width * y[0], medium.debye_squared * y[1]

    def masses(self, medium: Medium, width: Array) -> Unknowns:
        """Derivatives of the conserved amounts with respect to the unknowns."""
        return width, jnp.broadcast_to(medium.debye_squared, width.shape)

    def face_field(self, medium: Medium, y: Unknowns, current: Array, tempo: Array, here: Geometry) -> Array:
        """Field at the interior faces [kT/(e nm)]."""
        return y[1][:-1]

    def rates(self, medium: Medium, y: Unknowns, current: Array, tempo: Tempo, here: Geometry) -> Rates:
        """Rates of the conserved amounts and potential drop."""
        dt = tempo(current)
        through = through_faces(medium, around(medium, y, here), current, dt, here)
        return Rates(
            rate=(gain(through.flux, current, dt, here), join_cells(through.displacement, jnp.zeros_like(y[1][:1]))),
            drop=potential_drop(medium, y[1][:-1], current, here),
        )

    def linearise(self, medium: Medium, y: Unknowns, current: Array, tempo: Tempo, here: Geometry) -> Linearisation:
        """The same, with the derivatives of an iteration."""
        dt = tempo(current)

        def block(*face: Array) -> Faces:
            seen = Around(*face)
            way = here._replace(distance=seen.distance, closeness=seen.closeness, velocity=seen.velocity)
            return through_faces(medium, seen, current, dt, way)

        through = in_blocks(block, *around(medium, y, here))
        edge = jnp.zeros_like(through.flux[:1])
        by_left, by_right, by_field = (
            join_cells(edge, part, edge) for part in (through.flux_by_left, through.flux_by_right, through.flux_by_here)
        )
        pad = lambda part: join_cells(part, edge)  # noqa: E731
        none = jnp.zeros_like(y[0])
        return Linearisation(
            rate=(gain(through.flux, current, dt, here), pad(through.displacement)),
            lower=((by_left[:-1], by_field[:-1]), (None, pad(through.displacement_by_before).at[0].set(0.0))),
            diagonal=(
                (by_right[:-1] - by_left[1:], -by_field[1:]),
                (pad(through.displacement_by_left), pad(through.displacement_by_here)),
            ),
            upper=((-by_right[1:], None), (pad(through.displacement_by_right), pad(through.displacement_by_after))),
            drop=potential_drop(medium, y[1][:-1], current, here),
            drop_by_current=potential_drop(medium, through.resistivity, jnp.ones_like(current), here),
            drop_by_unknown=(none, pad(here.field_weight)),
            response=(none, join_cells(through.resistivity, through.resistivity[-1:])),
        )

    def limit(self, medium: Medium, y: Unknowns, change: Unknowns) -> Unknowns:
        """Apply a Newton correction so that the native fraction stays positive; the field is free."""
        return limit_fraction(y[0], change[0], CEILING, medium.immobile), y[1] + change[1]

    def change(self, medium: Medium, y: Unknowns, step: Unknowns) -> Array:
        """Size of a Newton step: that of the native fraction."""
        return fraction_change(step[:1])
