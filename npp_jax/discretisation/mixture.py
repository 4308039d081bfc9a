"""Electroneutral Nernst–Planck model of any number of ions on a moving finite-volume mesh.

With fractions c_i = n_i/N, charge numbers z_i and neutrality, Σ z_i c_i = Z, the last fraction follows from the others,
and the field from the total current v₀ = j/(eN):

    J_i = D_i (z_i c_i E - ∂c_i/∂x),     E = [v₀ + Σ z_k D_k ∂c_k/∂x] / Σ z_k² D_k c_k.

No current (reservoir, rest) is v₀ = 0, the generalised Doremus equation of interdiffusion. Lengths in nm, times in s,
potentials in kT/e.
Unknowns of a cell are the fractions of all species but the last; fluxes are taken relative to the moving faces.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from npp_jax.discretisation.flux import Linearisation, Rates, Tempo, Unknowns, between, limit_fraction
from npp_jax.discretisation.geometry import Geometry

NAME = "electroneutral"

TRACE_FRACTION = 1e-12
"""Least fraction with which an ion conducts: the field stays finite whatever an iterate is."""


class Mixture(NamedTuple):
    """Material of a stage and what happens at its two ends, in units of the solver."""

    laws: tuple[Callable[[Array], Array], ...]
    """c_i ↦ D_i [nm²/s], one a species."""
    charges: tuple[int, ...]
    """Charge numbers z_i."""
    bulk: tuple[Array, ...]
    """Fractions of the untouched sample."""
    debye_squared: Array
    """Square of the Debye length of unit charges, λ² = ε kT/(e² N) [nm²]."""
    thickness: Array
    """[nm]"""
    thermal_potential: Array
    """kT/e [V]."""
    charge_density: Array
    """e N [C/m³]."""
    beam: int | None
    """Index of the species in the beam."""
    surface: tuple[Array, ...] | None
    """Fractions that a reservoir holds at the surface."""
    closed: bool
    """Whether no ion passes either end."""
    upwind: Array
    """Weight of the upwinding: one while the mesh is sought, zero on the mesh that resolves the fronts."""

    @property
    def background(self) -> Array:
        """Z = Σ z_i c_i, the charge of the immobile network with its sign turned."""
        return sum(z * c for z, c in zip(self.charges, self.bulk, strict=True))  # pyright: ignore


class Faces(NamedTuple):
    """Fluxes of all species but the last relative to the faces per unit of the clock, and the field [kT/(e nm)]."""

    flux: Unknowns
    field: Array


def complete(medium: Mixture, y: Unknowns) -> Unknowns:
    """Fractions of all species: the last one makes the mixture neutral."""
    charge = sum(z * c for z, c in zip(medium.charges, y, strict=False))
    return (*y, (medium.background - charge) / medium.charges[-1])


def conductance(medium: Mixture, fractions: Unknowns) -> Array:
    """Σ z² D c, the conductivity in units of N e²/kT [nm²/s]."""
    terms = zip(medium.charges, medium.laws, fractions, strict=True)
    return sum(z * z * law(c) * jnp.maximum(c, TRACE_FRACTION) for z, law, c in terms)  # pyright: ignore


def through_faces(
    medium: Mixture, left: Unknowns, right: Unknowns, current: Array, tempo: Array, distance: Array, velocity: Array
) -> Faces:
    """Fluxes and field at faces between two compositions a distance apart.

    Parameters
    ----------
    medium
        Material.
    left, right
        Fractions on either side, all species but the last, shape [face, *batch].
    current
        v₀. [nm/s]
    tempo
        dt/ds of the clock s.
    distance, velocity
        Distance of the two compositions, velocity of the face.
    """
    first, last = complete(medium, left), complete(medium, right)
    middle = tuple(0.5 * (a + b) for a, b in zip(first, last, strict=True))
    D = tuple(law(c) for law, c in zip(medium.laws, middle, strict=True))
    terms = zip(medium.charges, D, middle, strict=True)
    resistivity = 1.0 / sum(z * z * d * jnp.maximum(c, TRACE_FRACTION) for z, d, c in terms)  # pyright: ignore

    def gradient(k: int) -> Array:
        """∂c/∂x, steepened where a cell is longer than the diffusion length in the moving frame."""
        speed = medium.charges[k] * current * resistivity - velocity / (tempo * D[k])
        steepness = jnp.sqrt(1.0 + medium.upwind * (0.5 * distance * speed) ** 2)
        return jax.lax.stop_gradient(steepness) * (last[k] - first[k]) / distance

    slopes = tuple(gradient(k) for k in range(len(D)))
    diffusion = sum(z * d * g for z, d, g in zip(medium.charges, D, slopes, strict=True))
    field = (current + diffusion) * resistivity
    flux = tuple(
        tempo * D[k] * (medium.charges[k] * middle[k] * field - slopes[k]) - velocity * middle[k]
        for k in range(len(left))
    )
    return Faces(flux, field)


class _Ends(NamedTuple):
    """Compositions on either side of every face, boundaries included, with distances and velocities."""

    left: Unknowns
    right: Unknowns
    distance: Array
    velocity: Array


def _around(medium: Mixture, y: Unknowns, here: Geometry) -> _Ends:
    """Neighbours of all faces; a boundary whose composition is not given sees its own cell."""
    bulk = tuple(jnp.broadcast_to(c, y[0][:1].shape) for c in medium.bulk)
    surface = None if medium.surface is None else tuple(jnp.broadcast_to(c, y[0][:1].shape) for c in medium.surface)
    left = tuple(between(c[:1] if surface is None else surface[k], c) for k, c in enumerate(y))
    right = tuple(between(c, c[-1:] if medium.closed else bulk[k]) for k, c in enumerate(y))
    still = jnp.zeros_like(here.velocity[:1])
    return _Ends(
        left,
        right,
        between(0.5 * here.width[:1], here.distance, 0.5 * here.width[-1:]),
        between(still, here.velocity, here.outer_velocity[None]),
    )


def _edges(medium: Mixture, flux: Unknowns, current: Array, tempo: Array) -> Unknowns:
    """Put the fluxes that the ends prescribe in the place of those of the faces there."""
    fixed = list(flux)
    for k, f in enumerate(fixed):
        if medium.surface is None:
            entering = tempo * current / medium.charges[k] if k == medium.beam else jnp.zeros_like(f[0])
            f = f.at[0].set(entering)
        fixed[k] = f.at[-1].set(0.0) if medium.closed else f
    return tuple(fixed)


def amounts(medium: Mixture, y: Unknowns, width: Array) -> Unknowns:
    """Conserved amounts per cell, h c."""
    return tuple(width * c for c in y)


def masses(medium: Mixture, width: Array) -> Unknowns:
    """Derivatives of the conserved amounts with respect to the unknowns."""
    return (width,) * (len(medium.charges) - 1)


def face_field(medium: Mixture, y: Unknowns, current: Array, tempo: Array, here: Geometry) -> Array:
    """Field at all faces, the two ends included [kT/(e nm)]."""
    ends = _around(medium, y, here)
    field = through_faces(medium, ends.left, ends.right, current, tempo, ends.distance, ends.velocity).field
    # A surface without given composition: the field at the next face, as in the models of two ions.
    return field if medium.surface is not None else field.at[0].set(field[1])


def _lengths(here: Geometry) -> Array:
    """Lengths over which the field at each face is integrated."""
    return between(0.5 * here.width[:1], here.distance, here.beyond[None])


def potential_drop(field: Array, here: Geometry) -> Array:
    """∫E dx from the surface to the back electrode [kT/e], from the field at all faces."""
    return jnp.sum(_lengths(here) * field, axis=0)


def rates(medium: Mixture, y: Unknowns, current: Array, tempo: Tempo, here: Geometry) -> Rates:
    """Rates of the conserved amounts and potential drop."""
    dt = tempo(current)
    ends = _around(medium, y, here)
    through = through_faces(medium, ends.left, ends.right, current, dt, ends.distance, ends.velocity)
    field = through.field if medium.surface is not None else through.field.at[0].set(through.field[1])
    flux = _edges(medium, through.flux, current, dt)
    return Rates(tuple(-jnp.diff(f, axis=0) for f in flux), potential_drop(field, here))


def linearise(medium: Mixture, y: Unknowns, current: Array, tempo: Tempo, here: Geometry) -> Linearisation:
    """The same, with the derivatives of an iteration; the current enters one iteration behind."""
    dt = tempo(current)
    ends = _around(medium, y, here)
    size = range(len(y))

    def through(left: Unknowns, right: Unknowns) -> Faces:
        return through_faces(medium, left, right, current, dt, ends.distance, ends.velocity)

    faces, tangent = jax.linearize(through, ends.left, ends.right)
    sides = (ends.left, ends.right)
    # One direction for each species on each side, all at once.
    directions = np.eye(2 * len(y)).reshape(2, len(y), 2 * len(y))
    basis = tuple(
        tuple(
            jnp.asarray(row, c.dtype).reshape(-1, *(1,) * c.ndim) * jnp.ones_like(c)
            for row, c in zip(*part, strict=True)
        )
        for part in zip(directions, sides, strict=True)
    )
    flux_by = jax.vmap(lambda left, right: tangent(left, right).flux)(*basis)
    inside = np.ones(len(ends.distance), bool)
    inside[0], inside[-1] = medium.surface is not None, not medium.closed
    mask = jnp.asarray(inside, y[0].dtype).reshape(-1, *(1,) * (y[0].ndim - 1))
    by_left = [[mask * flux_by[i][j] for i in size] for j in size]
    by_right = [[mask * flux_by[i][len(y) + j] for i in size] for j in size]
    field = faces.field if medium.surface is not None else faces.field.at[0].set(faces.field[1])
    resistivity = 1.0 / conductance(
        medium,
        complete(medium, tuple(0.5 * (a + b) for a, b in zip(ends.left, ends.right, strict=True))),
    )
    flux = _edges(medium, faces.flux, current, dt)
    return Linearisation(
        rate=tuple(-jnp.diff(f, axis=0) for f in flux),
        lower=tuple(tuple(by_left[j][i][:-1] for j in size) for i in size),
        diagonal=tuple(tuple(by_right[j][i][:-1] - by_left[j][i][1:] for j in size) for i in size),
        upper=tuple(tuple(-by_right[j][i][1:] for j in size) for i in size),
        drop=potential_drop(field, here),
        drop_by_current=potential_drop(resistivity, here),
    )


def limit(medium: Mixture, y: Unknowns, change: Unknowns) -> Unknowns:
    """Apply a Newton correction so that every carried fraction stays positive and below the neutral limit."""
    ceilings = (medium.background / z for z in medium.charges)
    return tuple(limit_fraction(c, d, top) for c, d, top in zip(y, change, ceilings, strict=False))  # pyright: ignore
