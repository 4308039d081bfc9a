"""Nernst–Planck–Poisson model of any number of ions on a moving finite-volume mesh.

Unknowns of a cell are the fractions of all species but one, as in `mixture`, and the field E at its left face. Gauss's
law leaves the excess charge λ² ∂E/∂x to the species that is not carried, and the total current, displacement included,
is the same everywhere:

    ∂c_i/∂s + ∂/∂x (τ J_i) = 0,     λ² ∂E/∂s = τ (v₀ - Σ z_i J_i),     J_i = D_i (z_i c_i E - ∂c_i/∂x),

so that this species is conserved to round-off as well. At the surface
- an ion beam leaves the charge that carries the field in a sheet on the surface: the first cell is neutral, and the
  fluxes there are those of the electroneutral model;
- a blocking electrode passes no ion: its charge grows by the current, λ² ∂E/∂t = v₀;
- a closed surface keeps its charge, and a reservoir has a neutral surface of given composition, or a neutral first cell
  where it exchanges ions at a rate.

At the back electrode the last cell is neutral, or, where no ion at all passes, free of field. Where some ions are held
back, the others carry what current enters the last cell.
"""

from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array

from npp_jax.simulation.material import Mixture, Tempo, Unknowns, complete, valence
from npp_jax.simulation.mesh.geometry import Geometry
from npp_jax.simulation.schemes.mixture_faces import (
    Faces,
    Way,
    around,
    at_faces,
    fluxes,
    gradients,
    lengths,
    through_back,
)
from npp_jax.simulation.schemes.mixture_full_faces import Linear, linear_faces
from npp_jax.simulation.schemes.mixture_neutral import MixtureNeutral
from npp_jax.simulation.schemes.scheme import (
    AbstractMixtureScheme,
    Linearisation,
    Rates,
    fraction_change,
    in_blocks,
    join_cells,
)
from npp_jax.simulation.schemes.within import CEILING, limit_fractions


def all_faces(medium: Mixture, y: Unknowns) -> Array:
    """Field at all faces, the back electrode included [kT/(e nm)]."""
    return join_cells(y[-1], jnp.zeros_like(y[-1][-1:]) if medium.sealed else y[-1][-1:])


def cell_fractions(medium: Mixture, y: Unknowns, width: Array) -> Unknowns:
    """Fractions of all species in the cells."""
    excess = medium.debye_squared * jnp.diff(all_faces(medium, y), axis=0) / width
    if medium.sheet:
        excess = excess.at[0].set(0.0)
    return complete(medium, y[:-1], excess)


def through_faces(medium: Mixture, y: Unknowns, tempo: Array, here: Geometry) -> Faces:
    """Fluxes and field at all faces, the two ends included."""
    field = all_faces(medium, y)
    ends = around(medium, cell_fractions(medium, y, here.width), here)
    at, pull = at_faces(medium, ends), medium.pulled(field)
    slopes = gradients(medium, at, ends, pull, tempo)
    flux = fluxes(medium, at, ends, slopes, pull, tempo)
    if medium.piling_up and not medium.sealed:
        # The last cell stays neutral: what enters it leaves it.
        entering = (
            jnp.sum(valence(medium, flux)[:, 0] * flux[:, -2], axis=0) + medium.background * ends.way.velocity[-2]
        )
        flux = flux.at[:, -1].set(tempo * through_back(medium, at, slopes, entering / tempo).flux)
    return Faces(flux, field)


class MixtureFull(AbstractMixtureScheme):
    """Nernst–Planck–Poisson model of any number of ions."""

    poisson: ClassVar[bool] = True

    @property
    def neutral(self) -> MixtureNeutral:
        """Scheme of the limit λ → 0, which takes the first step from a step profile."""
        return MixtureNeutral()

    def written_out(self, medium: Mixture) -> bool:
        """As of the electroneutral scheme."""
        return self.neutral.written_out(medium)

    def ionic_current(self, medium: Mixture, y: Unknowns, current: Array, here: Geometry) -> Array:
        """v₀ of the ions: under a blocking electrode that through the back, which the displacement leaves out."""
        if not medium.blocking:
            return current
        flux = through_faces(medium, y, jnp.ones_like(current), here).flux[:, -1:]
        return jnp.sum(valence(medium, flux) * flux, axis=0)[0]

    def start(self, medium: Mixture, y: Unknowns, current: Array, tempo: Array, here: Geometry) -> Unknowns:
        """Unknowns of a neutral sample with the carried fractions y at the current v₀."""
        return (*y, self.neutral.face_field(medium, y, current, tempo, here)[:-1])

    def fractions(self, medium: Mixture, y: Unknowns, width: Array) -> Unknowns:
        """Fractions of all species in the cells."""
        return cell_fractions(medium, y, width)

    def amounts(self, medium: Mixture, y: Unknowns, width: Array) -> Unknowns:
        """Conserved amounts, (h c, λ² E)."""
        charge = medium.debye_squared * y[-1]
        if medium.sheet:
            # The field at the surface follows that of the next face at once.
            charge = charge.at[0].set(0.0)
        return (*(width * c for c in y[:-1]), charge)

    def masses(self, medium: Mixture, width: Array) -> Unknowns:
        """Derivatives of the conserved amounts with respect to the unknowns."""
        charge = jnp.broadcast_to(medium.debye_squared, width.shape)
        return (*(width,) * len(medium.carried), charge.at[0].set(0.0) if medium.sheet else charge)

    def face_field(self, medium: Mixture, y: Unknowns, current: Array, tempo: Array, here: Geometry) -> Array:
        """Field at all faces, the two ends included [kT/(e nm)]."""
        return all_faces(medium, y)

    def rates(self, medium: Mixture, y: Unknowns, current: Array, tempo: Tempo, here: Geometry) -> Rates:
        """Rates of the conserved amounts, and potential drop from the surface to the back electrode [kT/e]."""
        dt = tempo(current)
        through = through_faces(medium, y, dt, here)
        ionic = jnp.sum(valence(medium, through.flux) * through.flux, axis=0)
        # Relative to a moving face the background charge flows as well.
        moved = medium.background * join_cells(jnp.zeros_like(here.velocity[:1]), here.velocity)
        displacement = dt * current - ionic[:-1] - moved
        if medium.sheet:
            displacement = displacement.at[0].set(y[-1][1] - y[-1][0])
        gained = -jnp.diff(through.flux, axis=1)
        return Rates(
            (*(gained[k] for k in medium.carried), displacement), jnp.sum(lengths(here) * through.field, axis=0)
        )

    def limit(self, medium: Mixture, y: Unknowns, change: Unknowns) -> Unknowns:
        """Apply a Newton correction so that every carried fraction stays positive; the field is free."""
        return (*limit_fractions(medium, y[:-1], change[:-1], CEILING), y[-1] + change[-1])

    def change(self, medium: Mixture, y: Unknowns, step: Unknowns) -> Array:
        """Size of a Newton step: the largest change of a carried fraction, or of the field by λ/(1 + λE)."""
        debye = jnp.sqrt(medium.debye_squared)
        field = debye * step[-1] / (1.0 + debye * jnp.abs(y[-1]))
        return fraction_change((*step[:-1], field))

    def linearise(self, medium: Mixture, y: Unknowns, current: Array, tempo: Tempo, here: Geometry) -> Linearisation:
        """Rates and potential drop, with their derivatives by the unknowns and by the current."""
        count = len(medium.charges)
        dt, dt_slope = jax.jvp(tempo, (current,), (jnp.ones_like(current),))
        field, share = all_faces(medium, y), lengths(here)
        gauss = medium.debye_squared / here.width
        if medium.sheet:
            gauss = gauss.at[0].set(0.0)
        if not medium.sealed:
            gauss = gauss.at[-1].set(0.0)
        edge = jnp.zeros_like(gauss[:1])
        ends = around(medium, self.fractions(medium, y, here.width), here)

        def block(*arrays: Array) -> Linear:
            left, right = arrays[:count], arrays[count : 2 * count]
            at, before, after, *way = arrays[2 * count :]
            return linear_faces(medium, left, right, at, (before, after), dt, Way(*way))

        sides = (join_cells(edge, gauss), join_cells(gauss, edge))
        through = in_blocks(block, *ends.left, *ends.right, field, *sides, *ends.way)
        # A surface of no given composition and a sealed back pass nothing.
        open_face = jnp.ones((len(field), *(1,) * (field.ndim - 1)), field.dtype)
        if medium.held is None:
            open_face = open_face.at[0].set(0.0)
        if medium.sealed:
            open_face = open_face.at[-1].set(0.0)
        through = jax.tree.map(lambda a: open_face * a, through)
        entering = jax.tree.map(lambda a: a[:-1], through)
        leaving = jax.tree.map(lambda a: a[1:], through)
        moved = medium.background * join_cells(jnp.zeros_like(here.velocity[:1]), here.velocity)
        none = jnp.zeros_like(gauss)

        def of_charge(entry: Array, first: float = 0.0) -> Array:
            """Entry of the field's equation; `first` where the field at the surface follows that of the next face."""
            return (-entry).at[0].set(first) if medium.sheet else -entry

        displacement = dt * current - entering.charge - moved
        displacement_by_current = dt_slope * current + dt - dt_slope * entering.charge_by_tempo
        if medium.sheet:
            displacement = displacement.at[0].set(y[-1][1] - y[-1][0])
            displacement_by_current = displacement_by_current.at[0].set(0.0)
        # The field at the back is that of the last face before it, or none.
        diagonal_by_field = entering.by_here
        if not medium.sealed:
            diagonal_by_field = tuple(
                a.at[-1].add(-b[-1]) for a, b in zip(diagonal_by_field, through.by_here, strict=True)
            )
            share = share.at[-2].add(share[-1])
        return Linearisation(
            rate=(*(a - b for a, b in zip(entering.flux, leaving.flux, strict=True)), displacement),
            lower=(
                *((*line, None) for line in entering.by_left),
                (*map(of_charge, entering.charge_by_left), of_charge(entering.charge_by_before)),
            ),
            diagonal=(
                *(
                    (*jax.tree.map(jnp.subtract, right, left), by_field)
                    for right, left, by_field in zip(entering.by_right, leaving.by_left, diagonal_by_field, strict=True)
                ),
                (*map(of_charge, entering.charge_by_right), of_charge(entering.charge_by_here, -1.0)),
            ),
            upper=(
                *(
                    (*jax.tree.map(jnp.negative, line), -by_field)
                    for line, by_field in zip(leaving.by_right, leaving.by_here, strict=True)
                ),
                (*(None for _ in medium.carried), of_charge(entering.charge_by_after, 1.0)),
            ),
            drop=jnp.sum(lengths(here) * field, axis=0),
            drop_by_current=jnp.zeros_like(current),
            drop_by_unknown=(*(none for _ in medium.carried), jnp.broadcast_to(share[:-1], none.shape)),
            rate_by_current=(
                *(dt_slope * (a - b) for a, b in zip(entering.by_tempo, leaving.by_tempo, strict=True)),
                displacement_by_current,
            ),
        )
