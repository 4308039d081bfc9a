"""What flows through the faces of a mixture: compositions on their sides, gradients, fluxes, and the two ends."""

import functools
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from npp_jax.simulation.material import TRACE_FRACTION, Mixture, Unknowns, arguments, diffusivities, valence
from npp_jax.simulation.mesh.geometry import Geometry
from npp_jax.simulation.schemes.scheme import join_cells


class Faces(NamedTuple):
    """Fluxes of all species relative to the faces per unit of the clock, and the field [kT/(e nm)]."""

    flux: Float[Array, "species face *batch"]
    field: Array


class Way(NamedTuple):
    """Distances of the points on either side of the faces [nm], and velocities of the faces per unit of the clock."""

    distance: Array
    velocity: Array


class Ends(NamedTuple):
    """Compositions on either side of every face, boundaries included, and where the faces are."""

    left: Float[Array, "species face *batch"]
    right: Float[Array, "species face *batch"]
    way: Way


def around(medium: Mixture, cells: Unknowns, here: Geometry) -> Ends:
    """Neighbours of all faces; a surface whose composition is not given sees its own cell."""
    inside = jnp.stack(cells)

    def given(fractions: tuple[Array, ...]) -> Array:
        return jnp.stack([jnp.broadcast_to(c, inside[0, :1].shape) for c in fractions])

    surface = inside[:, :1] if medium.held is None else given(medium.held)
    distance = join_cells(0.5 * here.width[:1], here.distance, 0.5 * here.width[-1:])
    back = given(at_back(medium, inside, distance[-2:]))
    return Ends(
        jnp.concatenate([surface, inside], axis=1),
        jnp.concatenate([inside, back], axis=1),
        Way(distance, join_cells(jnp.zeros_like(here.velocity[:1]), here.velocity, here.outer_velocity[None])),
    )


def at_back(medium: Mixture, cells: Array, distance: Array) -> tuple[Array, ...]:
    """Fractions at the back electrode: those of the bulk, next to the ions that it holds back.

    These are continued from the last two cells, whose distances from each other and the end are given; the others keep
    their proportions to one another in what charge is left.
    """
    if medium.sealed:
        return tuple(cells[:, -1])
    if not medium.piling_up:
        return medium.bulk
    beyond = jnp.maximum(at_surface(cells[:, ::-1], distance[::-1]), 0.0)
    each = range(len(medium.charges))
    kept = sum(medium.charges[k] * beyond[k] for k in each if medium.held_back[k])
    passing = sum(medium.charges[k] * medium.bulk[k] for k in each if not medium.held_back[k])
    share = jnp.maximum(medium.background - kept, 0.0) / passing
    return tuple(beyond[k] if medium.held_back[k] else share * medium.bulk[k] for k in each)


class AtFaces(NamedTuple):
    """Fractions and diffusion coefficients of all species at the faces."""

    fraction: Float[Array, "species face *batch"]
    D: Float[Array, "species face *batch"]
    factor: Float[Array, "species face *batch"] | None
    """Thermodynamic factors; None where all are one."""


def at_faces(medium: Mixture, ends: Ends) -> AtFaces:
    """What the faces see of the compositions on their sides."""
    middle = 0.5 * (ends.left + ends.right)
    D = diffusivities(medium, tuple(middle))
    sides = zip(arguments(medium, tuple(ends.left)), arguments(medium, tuple(ends.right)), strict=True)
    found = [d if mean is None else mean(*both) for d, mean, both in zip(D, medium.means, sides, strict=True)]
    return AtFaces(middle, jnp.stack(found), _factors(medium, middle))


def _factors(medium: Mixture, middle: Array) -> Array | None:
    if all(factor is None for factor in medium.factors):
        return None
    pairs = zip(medium.factors, arguments(medium, tuple(middle)), strict=True)
    return jnp.stack([jnp.ones_like(c) if factor is None else factor(c) for factor, c in pairs])


def steepness(medium: Mixture, z: Array | int, pull: Array, D: Array, dt: Array, way: Way) -> Array:
    """Factor that makes ∂c/∂x of a difference of fractions [1/nm].

    It is above 1/distance where a cell is longer than the diffusion length: √(1 + P²), P the Péclet number of the
    cell in the moving frame and the field `pull` [kT/(e nm)], turns the central flux into an upwind one;
    `Mixture.upwind` weights it.
    """
    speed = z * pull - way.velocity / (dt * D)
    return jnp.sqrt(1.0 + medium.upwind * (0.5 * way.distance * speed) ** 2) / way.distance


def drift(z: Array | int, fraction: Array, field: Array, slope: Array) -> Array:
    """J/D of one species or all, z c E - ∂c/∂x [1/nm]."""
    return z * fraction * field - slope


def coupled(medium: Mixture, at: AtFaces, own: Array) -> Array:
    """Fluxes of all species, or parts of them, from those that each would have by its own force alone.

    J_i = L_i X_i + Σ L_ij X_j with L_ij = λ L_i L_j/Σ L is J_i = J_i° + λ (L_i/Σ L) Σ J_j°, j ≠ i.
    """
    if medium.cross is None:
        return own
    carrying = at.D * jnp.maximum(at.fraction, TRACE_FRACTION)
    share = carrying / jnp.sum(carrying, axis=0)
    return own + medium.cross * share * (jnp.sum(own, axis=0) - own)


def relative(dt: Array, D: Array, moved: Array, way: Way, fraction: Array) -> Array:
    """Flux relative to a moving face per unit of the clock, of J/D."""
    return dt * D * moved - way.velocity * fraction


def fluxes(medium: Mixture, at: AtFaces, ends: Ends, slopes: Array, field: Array, tempo: Array) -> Array:
    """Fluxes of all species relative to the faces per unit of the clock; none where the ends pass none."""
    moved = coupled(medium, at, at.D * drift(valence(medium, at.D), at.fraction, field, slopes))
    flux = tempo * moved - ends.way.velocity * at.fraction
    if medium.held is None:
        flux = flux.at[:, 0].set(tempo * _exchanged(medium, ends))
    return flux.at[:, -1].set(0.0) if medium.sealed else flux


def gradients(medium: Mixture, at: AtFaces, ends: Ends, pull: Array, tempo: Array) -> Array:
    """Γ ∂c/∂x of all species, Γ being one where diffusion is ideal."""
    z, difference = valence(medium, at.D), ends.right - ends.left
    if at.factor is None:
        return steepness(medium, z, pull, at.D, tempo, ends.way) * difference
    # Against the drift stands the diffusion by DΓ.
    return at.factor * steepness(medium, z, pull / at.factor, at.D * at.factor, tempo, ends.way) * difference


class Back(NamedTuple):
    """Fluxes of all species through the back electrode [nm/s], and the field there [kT/(e nm)]."""

    flux: Float[Array, "species *batch"]
    field: Array


def through_back(medium: Mixture, at: AtFaces, slopes: Array, current: Array) -> Back:
    """What an electrode that holds ions back passes: the others carry the ionic current v₀ [nm/s] alone."""
    passed = [k for k, held in enumerate(medium.held_back) if not held]
    end = [(medium.charges[k], at.D[k, -1], at.fraction[k, -1], slopes[k, -1]) for k in passed]
    conductance = functools.reduce(jnp.add, [z * z * D * jnp.maximum(c, TRACE_FRACTION) for z, D, c, _ in end])
    field = (current + functools.reduce(jnp.add, [z * D * slope for z, D, _, slope in end])) / conductance
    flux = jnp.zeros_like(slopes[:, -1])
    for k, (z, D, c, slope) in zip(passed, end, strict=True):
        flux = flux.at[k].set(D * (z * jnp.maximum(c, TRACE_FRACTION) * field - slope))
    return Back(flux, field)


def at_surface(cells: Float[Array, "species cell *batch"], distance: Array) -> Float[Array, "species *batch"]:
    """Values at the surface, continued from the first two cells, whose distances from it and each other are given."""
    return cells[:, 0] + distance[0] / distance[1] * (cells[:, 0] - cells[:, 1])


def _exchanged(medium: Mixture, ends: Ends) -> Float[Array, "species *batch"]:
    """What a surface of no given composition takes up: k times what it lacks of that of a reservoir [nm/s]."""
    here = at_surface(ends.right, ends.way.distance)
    if medium.surface is None or medium.exchange is None:
        return jnp.zeros_like(here)
    return medium.exchange * (jnp.stack([jnp.broadcast_to(c, here[0].shape) for c in medium.surface]) - here)


def lengths(here: Geometry) -> Array:
    """Lengths over which the field at each face is integrated."""
    return join_cells(0.5 * here.width[:1], here.distance, here.beyond[None])
