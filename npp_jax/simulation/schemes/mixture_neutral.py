"""Electroneutral Nernst–Planck model of any number of ions on a moving finite-volume mesh.

With fractions c_i = n_i/N, charge numbers z_i and neutrality, Σ z_i c_i = Z, one fraction follows from the others, and
the field from the total current v₀ = j/(eN):

    J_i = D_i (z_i c_i E - ∂c_i/∂x),     E = [v₀ + Σ z_k D_k ∂c_k/∂x] / Σ z_k² D_k c_k.

No current (reservoir, rest) is v₀ = 0, the generalised Doremus equation of interdiffusion. Lengths in nm, times in s,
potentials in kT/e.
Unknowns of a cell are the fractions of all species but one, that of the beam or else the last; fluxes are taken
relative to the moving faces.
"""

from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array

from npp_jax.simulation.material import TRACE_FRACTION, Mixture, Tempo, Unknowns, complete, valence
from npp_jax.simulation.mesh.geometry import Geometry
from npp_jax.simulation.schemes.mixture_faces import (
    Faces,
    Way,
    around,
    at_faces,
    coupled,
    fluxes,
    gradients,
    lengths,
    through_back,
)
from npp_jax.simulation.schemes.mixture_neutral_faces import Linear, linear_faces
from npp_jax.simulation.schemes.scheme import AbstractMixtureScheme, Linearisation, Rates, fraction_change, in_blocks
from npp_jax.simulation.schemes.within import limit_fractions


def through_faces(medium: Mixture, y: Unknowns, current: Array, tempo: Array, here: Geometry) -> Faces:
    """Fluxes and field at all faces, the two ends included, at the current v₀ [nm/s] and the tempo dt/ds."""
    ends = around(medium, complete(medium, y), here)
    at = at_faces(medium, ends)
    z = valence(medium, at.D)
    conducted = coupled(medium, at, z * at.D * jnp.maximum(at.fraction, TRACE_FRACTION))
    resistivity = 1.0 / jnp.sum(z * conducted, axis=0)
    slopes = gradients(medium, at, ends, current * resistivity, tempo)
    field = (current + jnp.sum(z * coupled(medium, at, at.D * slopes), axis=0)) * resistivity
    flux = fluxes(medium, at, ends, slopes, field, tempo)
    if medium.piling_up and not medium.sealed:
        back = through_back(medium, at, slopes, current)
        flux, field = flux.at[:, -1].set(tempo * back.flux), field.at[-1].set(back.field)
    # The pull on the ions follows from the current, and the field from the pull.
    field = medium.field_of(field)
    # A surface without given composition: the field of the next face, as in the models of two ions.
    return Faces(flux, field if medium.held is not None else field.at[0].set(field[1]))


class MixtureNeutral(AbstractMixtureScheme):
    """Electroneutral model of any number of ions."""

    poisson: ClassVar[bool] = False

    @property
    def neutral(self) -> "MixtureNeutral":
        """The scheme itself."""
        return self

    def written_out(self, medium: Mixture) -> bool:
        """Whether `linearise` serves: not where an end depends on two cells or an exchange rate, nor for means of D,
        thermodynamic factors or a drift that is not in proportion to the field.
        """
        return medium.exchange is None and not medium.piling_up and not medium.jumping and medium.plain

    def start(self, medium: Mixture, y: Unknowns, current: Array, tempo: Array, here: Geometry) -> Unknowns:
        """Unknowns of a neutral sample with the carried fractions y."""
        return y

    def ionic_current(self, medium: Mixture, y: Unknowns, current: Array, here: Geometry) -> Array:
        """v₀ of the ions: all of the current."""
        return current

    def fractions(self, medium: Mixture, y: Unknowns, width: Array) -> Unknowns:
        """Fractions of all species in the cells."""
        return complete(medium, y)

    def amounts(self, medium: Mixture, y: Unknowns, width: Array) -> Unknowns:
        """Conserved amounts per cell, h c."""
        return tuple(width * c for c in y)

    def masses(self, medium: Mixture, width: Array) -> Unknowns:
        """Derivatives of the conserved amounts with respect to the unknowns."""
        return (width,) * len(medium.carried)

    def face_field(self, medium: Mixture, y: Unknowns, current: Array, tempo: Array, here: Geometry) -> Array:
        """Field at all faces, the two ends included [kT/(e nm)]."""
        return through_faces(medium, y, current, tempo, here).field

    def rates(self, medium: Mixture, y: Unknowns, current: Array, tempo: Tempo, here: Geometry) -> Rates:
        """Rates of the conserved amounts, and potential drop ∫E dx from the surface to the back electrode [kT/e]."""
        through = through_faces(medium, y, current, tempo(current), here)
        gained = -jnp.diff(through.flux, axis=1)
        return Rates(tuple(gained[k] for k in medium.carried), jnp.sum(lengths(here) * through.field, axis=0))

    def limit(self, medium: Mixture, y: Unknowns, change: Unknowns) -> Unknowns:
        """Apply a Newton correction so that every carried fraction stays positive and below the neutral limit."""
        return limit_fractions(medium, y, change)

    def change(self, medium: Mixture, y: Unknowns, step: Unknowns) -> Array:
        """Size of a Newton step: the largest change of a carried fraction."""
        return fraction_change(step)

    def linearise(self, medium: Mixture, y: Unknowns, current: Array, tempo: Tempo, here: Geometry) -> Linearisation:
        """Rates and potential drop, with their derivatives by the unknowns and by the current."""
        count, size = len(medium.charges), len(y)
        paces = jax.jvp(tempo, (current,), (jnp.ones_like(current),))
        ends = around(medium, complete(medium, y), here)

        def block(*arrays: Array) -> Linear:
            left, right, way = arrays[:count], arrays[count : 2 * count], Way(*arrays[2 * count :])
            return linear_faces(medium, left, right, current, paces, way)

        # The two ends pass nothing, where their composition is not given, and share the field of the next face.
        through = in_blocks(block, *ends.left, *ends.right, *ends.way)
        share = lengths(here)
        open_face = jnp.ones((len(share), *(1,) * (share.ndim - 1)), share.dtype)
        if medium.held is None:
            open_face = open_face.at[0].set(0.0)
            share = share.at[1].add(share[0]).at[0].set(0.0)
        if medium.sealed:
            open_face = open_face.at[-1].set(0.0)
        flux, by_left, by_right, by_current = jax.tree.map(
            lambda a: open_face * a, (through.flux, through.by_left, through.by_right, through.by_current)
        )
        each = range(size)
        drop_by = lambda a: jnp.sum(share * a, axis=0)  # noqa: E731
        return Linearisation(
            rate=tuple(-jnp.diff(f, axis=0) for f in flux),
            lower=jax.tree.map(lambda a: a[:-1], by_left),
            diagonal=jax.tree.map(lambda a, b: a[:-1] - b[1:], by_right, by_left),
            upper=jax.tree.map(lambda a: -a[1:], by_right),
            drop=drop_by(through.field),
            drop_by_current=drop_by(through.field_by_current),
            drop_by_unknown=tuple(
                share[:-1] * through.field_by_right[j][:-1] + share[1:] * through.field_by_left[j][1:] for j in each
            ),
            rate_by_current=tuple(-jnp.diff(f, axis=0) for f in by_current),
        )
