"""Electroneutral Nernst–Planck model of any number of ions on a moving finite-volume mesh.

With fractions c_i = n_i/N, charge numbers z_i and neutrality, Σ z_i c_i = Z, one fraction follows from the others, and
the field from the total current v₀ = j/(eN):

    J_i = D_i (z_i c_i E - ∂c_i/∂x),     E = [v₀ + Σ z_k D_k ∂c_k/∂x] / Σ z_k² D_k c_k.

No current (reservoir, rest) is v₀ = 0, the generalised Doremus equation of interdiffusion. Lengths in nm, times in s,
potentials in kT/e.
Unknowns of a cell are the fractions of all species but one, that of the beam or else the last; fluxes are taken
relative to the moving faces.
"""

import jax.numpy as jnp
from jaxtyping import Array

from npp_jax.simulation.material import TRACE_FRACTION, Mixture, Tempo, Unknowns, complete, valence
from npp_jax.simulation.mesh.geometry import Geometry
from npp_jax.simulation.schemes.mixture_faces import Faces, around, at_faces, fluxes, gradients, lengths, through_back
from npp_jax.simulation.schemes.mixture_linear import linearise, linearised
from npp_jax.simulation.schemes.scheme import Rates, fraction_change, limit_fraction

__all__ = [
    "NAME",
    "amounts",
    "change",
    "face_field",
    "fractions",
    "limit",
    "linearise",
    "linearised",
    "masses",
    "rates",
    "through_faces",
]

NAME = "electroneutral"


def fractions(medium: Mixture, y: Unknowns, width: Array) -> Unknowns:
    """Fractions of all species in the cells."""
    return complete(medium, y)


def through_faces(medium: Mixture, y: Unknowns, current: Array, tempo: Array, here: Geometry) -> Faces:
    """Fluxes and field at all faces, the two ends included, at the current v₀ [nm/s] and the tempo dt/ds."""
    ends = around(medium, complete(medium, y), here)
    at = at_faces(medium, ends)
    z = valence(medium, at.D)
    resistivity = 1.0 / jnp.sum(z * z * at.D * jnp.maximum(at.fraction, TRACE_FRACTION), axis=0)
    slopes = gradients(medium, at, ends, current * resistivity, tempo)
    field = (current + jnp.sum(z * at.D * slopes, axis=0)) * resistivity
    flux = fluxes(medium, at, ends, slopes, field, tempo)
    if medium.piling_up and not medium.sealed:
        back = through_back(medium, at, slopes, current)
        flux, field = flux.at[:, -1].set(tempo * back.flux), field.at[-1].set(back.field)
    # A surface without given composition: the field of the next face, as in the models of two ions.
    return Faces(flux, field if medium.held is not None else field.at[0].set(field[1]))


def amounts(medium: Mixture, y: Unknowns, width: Array) -> Unknowns:
    """Conserved amounts per cell, h c."""
    return tuple(width * c for c in y)


def face_field(medium: Mixture, y: Unknowns, current: Array, tempo: Array, here: Geometry) -> Array:
    """Field at all faces, the two ends included [kT/(e nm)]."""
    return through_faces(medium, y, current, tempo, here).field


def rates(medium: Mixture, y: Unknowns, current: Array, tempo: Tempo, here: Geometry) -> Rates:
    """Rates of the conserved amounts, and potential drop ∫E dx from the surface to the back electrode [kT/e]."""
    through = through_faces(medium, y, current, tempo(current), here)
    gained = -jnp.diff(through.flux, axis=1)
    return Rates(tuple(gained[k] for k in medium.carried), jnp.sum(lengths(here) * through.field, axis=0))


def masses(medium: Mixture, width: Array) -> Unknowns:
    """Derivatives of the conserved amounts with respect to the unknowns."""
    return (width,) * len(medium.carried)


def limit(medium: Mixture, y: Unknowns, change: Unknowns) -> Unknowns:
    """Apply a Newton correction so that every carried fraction stays positive and below the neutral limit."""
    tops = (medium.background / medium.charges[k] for k in medium.carried)
    return tuple(limit_fraction(c, d, top) for c, d, top in zip(y, change, tops, strict=True))


def change(medium: Mixture, y: Unknowns, step: Unknowns) -> Array:
    """Size of a Newton step: the largest change of a carried fraction."""
    return fraction_change(step)
