"""Electroneutral Nernst–Planck model of any number of ions on a moving finite-volume mesh.

With fractions c_i = n_i/N, charge numbers z_i and neutrality, Σ z_i c_i = Z, one fraction follows from the others, and
the field from the total current v₀ = j/(eN):

    J_i = D_i (z_i c_i E - ∂c_i/∂x),     E = [v₀ + Σ z_k D_k ∂c_k/∂x] / Σ z_k² D_k c_k.

No current (reservoir, rest) is v₀ = 0, the generalised Doremus equation of interdiffusion. Lengths in nm, times in s,
potentials in kT/e.
Unknowns of a cell are the fractions of all species but one, that of the beam or else the last; fluxes are taken
relative to the moving faces.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from npp_jax.discretisation.flux import (
    Linearisation,
    Rates,
    Tempo,
    Unknowns,
    between,
    fraction_change,
    in_blocks,
    limit_fraction,
)
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
    """Fractions that a reservoir holds at the surface, or that the surface approaches at a rate."""
    exchange: Array | None
    """Rate k at which the surface approaches those of the reservoir [nm/s]; None: at once."""
    intermixed: tuple[bool, ...]
    """Whether the law of a species takes the sum of all fractions instead of its own."""
    blocking: bool
    """Whether an electrode at the surface passes no ion and carries charge."""
    closed: bool
    """Whether no ion passes either end."""
    held_back: tuple[bool, ...]
    """Whether a species does not pass the back electrode."""
    upwind: Array
    """Weight of the upwinding: one while the mesh is sought, little on the mesh that resolves the fronts."""

    @property
    def background(self) -> Array:
        """Z = Σ z_i c_i, the charge of the immobile network with its sign turned."""
        return sum(z * c for z, c in zip(self.charges, self.bulk, strict=True))  # pyright: ignore

    @property
    def held(self) -> tuple[Array, ...] | None:
        """Fractions that the surface has whatever flows."""
        return self.surface if self.exchange is None else None

    @property
    def sealed(self) -> bool:
        """Whether no ion at all passes the back electrode."""
        return self.closed or all(self.held_back)

    @property
    def piling_up(self) -> bool:
        """Whether the back electrode holds some ions back and passes others."""
        return any(self.held_back) and not all(self.held_back)

    @property
    def sheet(self) -> bool:
        """Whether the charge that carries the field sits on the surface, outside of the first cell."""
        return self.beam is not None or self.exchange is not None

    @property
    def rest(self) -> int:
        """Index of the species whose fraction follows from the charge: that of the beam, or else the last."""
        return len(self.charges) - 1 if self.beam is None else self.beam

    @property
    def carried(self) -> tuple[int, ...]:
        """Indices of the species whose fractions are unknowns."""
        return tuple(k for k in range(len(self.charges)) if k != self.rest)


class Faces(NamedTuple):
    """Fluxes of all species relative to the faces per unit of the clock, and the field [kT/(e nm)]."""

    flux: Float[Array, "species face *batch"]
    field: Array


def complete(medium: Mixture, y: Unknowns, excess: Array | float = 0.0) -> Unknowns:
    """Fractions of all species, one being what the excess charge [1] leaves to it."""
    others = dict(zip(medium.carried, y, strict=False))
    charge = sum(medium.charges[k] * c for k, c in others.items())
    others[medium.rest] = (medium.background + excess - charge) / medium.charges[medium.rest]
    return tuple(others[k] for k in range(len(medium.charges)))


def fractions(medium: Mixture, y: Unknowns, width: Array) -> Unknowns:
    """Fractions of all species in the cells."""
    return complete(medium, y)


def diffusivities(medium: Mixture, fractions: Unknowns) -> Unknowns:
    """Diffusion coefficients of all species at a composition [nm²/s]."""
    total = functools.reduce(jnp.add, fractions)
    terms = zip(medium.laws, fractions, medium.intermixed, strict=True)
    return tuple(law(total if mixed else c) for law, c, mixed in terms)


def conductance(medium: Mixture, fractions: Unknowns) -> Array:
    """Σ z² D c, the conductivity in units of N e²/kT [nm²/s]."""
    terms = zip(medium.charges, diffusivities(medium, fractions), fractions, strict=True)
    return sum(z * z * d * jnp.maximum(c, TRACE_FRACTION) for z, d, c in terms)  # pyright: ignore


class Ends(NamedTuple):
    """Compositions on either side of every face, boundaries included, with distances and velocities."""

    left: Float[Array, "species face *batch"]
    right: Float[Array, "species face *batch"]
    distance: Array
    velocity: Array


def around(medium: Mixture, cells: Unknowns, here: Geometry) -> Ends:
    """Neighbours of all faces; a surface whose composition is not given sees its own cell."""
    inside = jnp.stack(cells)

    def given(fractions: tuple[Array, ...]) -> Array:
        return jnp.stack([jnp.broadcast_to(c, inside[0, :1].shape) for c in fractions])

    surface = inside[:, :1] if medium.held is None else given(medium.held)
    distance = between(0.5 * here.width[:1], here.distance, 0.5 * here.width[-1:])
    back = given(at_back(medium, inside, distance[-2:]))
    return Ends(
        jnp.concatenate([surface, inside], axis=1),
        jnp.concatenate([inside, back], axis=1),
        distance,
        between(jnp.zeros_like(here.velocity[:1]), here.velocity, here.outer_velocity[None]),
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


def at_faces(medium: Mixture, ends: Ends) -> AtFaces:
    """What the faces see of the compositions on their sides."""
    middle = 0.5 * (ends.left + ends.right)
    return AtFaces(middle, jnp.stack(diffusivities(medium, tuple(middle))))


def valence(medium: Mixture, like: Array) -> Float[Array, "species #face *#batch"]:
    """Charge numbers, to be multiplied with an array of all species."""
    return jnp.asarray(medium.charges, like.dtype).reshape(-1, *(1,) * (like.ndim - 1))


def gradients(medium: Mixture, at: AtFaces, ends: Ends, pull: Array, tempo: Array) -> Array:
    """∂c/∂x of all species, steepened where a cell is longer than the diffusion length in the moving frame.

    The factor √(1 + P²), P the Péclet number of the cell in the field `pull` [kT/(e nm)], turns the central flux into
    an upwind one; `Mixture.upwind` weights it.
    """
    speed = valence(medium, at.D) * pull - ends.velocity / (tempo * at.D)
    steepness = jnp.sqrt(1.0 + medium.upwind * (0.5 * ends.distance * speed) ** 2)
    return steepness * (ends.right - ends.left) / ends.distance


def fluxes(medium: Mixture, at: AtFaces, ends: Ends, slopes: Array, field: Array, tempo: Array) -> Array:
    """Fluxes of all species relative to the faces per unit of the clock; none where the ends pass none."""
    flux = tempo * at.D * (valence(medium, at.D) * at.fraction * field - slopes) - ends.velocity * at.fraction
    if medium.held is None:
        flux = flux.at[:, 0].set(tempo * _exchanged(medium, ends))
    return flux.at[:, -1].set(0.0) if medium.sealed else flux


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
    here = at_surface(ends.right, ends.distance)
    if medium.surface is None or medium.exchange is None:
        return jnp.zeros_like(here)
    return medium.exchange * (jnp.stack([jnp.broadcast_to(c, here[0].shape) for c in medium.surface]) - here)


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


def lengths(here: Geometry) -> Array:
    """Lengths over which the field at each face is integrated."""
    return between(0.5 * here.width[:1], here.distance, here.beyond[None])


def rates(medium: Mixture, y: Unknowns, current: Array, tempo: Tempo, here: Geometry) -> Rates:
    """Rates of the conserved amounts, and potential drop ∫E dx from the surface to the back electrode [kT/e]."""
    through = through_faces(medium, y, current, tempo(current), here)
    gained = -jnp.diff(through.flux, axis=1)
    return Rates(tuple(gained[k] for k in medium.carried), jnp.sum(lengths(here) * through.field, axis=0))


class Linear(NamedTuple):
    """Fluxes of the carried species and field at faces, with derivatives; [i][j] is that of flux i by species j."""

    flux: Unknowns
    by_left: tuple[Unknowns, ...]
    by_right: tuple[Unknowns, ...]
    by_current: Unknowns
    field: Array
    field_by_left: Unknowns
    field_by_right: Unknowns
    field_by_current: Array


def linear_faces(
    medium: Mixture,
    left: Unknowns,
    right: Unknowns,
    current: Array,
    tempo: tuple[Array, Array],
    distance: Array,
    velocity: Array,
) -> Linear:
    """The same as `through_faces`, linearised with the steepening held.

    Everything depends on the means m and the differences Δ of the fractions on either side, so that the derivatives by
    the left and right ones are ∂/∂m/2 ∓ ∂/∂Δ. A carried ion takes the place of the one that is not carried.

    Parameters
    ----------
    medium
        Material.
    left, right
        Fractions of all species on either side, shape [face, *batch].
    current
        v₀ [nm/s].
    tempo
        dt/ds and its derivative by the current.
    distance, velocity
        Distances of the points on either side, velocities of the faces.
    """
    dt, dt_slope = tempo
    z, each = medium.charges, range(len(medium.charges))
    mean = [0.5 * (a + b) for a, b in zip(left, right, strict=True)]
    total = functools.reduce(jnp.add, mean)
    seen = [total if mixed else m for m, mixed in zip(mean, medium.intermixed, strict=True)]
    laws = [jax.jvp(law, (c,), (jnp.ones_like(c),)) for law, c in zip(medium.laws, seen, strict=True)]
    D, D_slope = [law[0] for law in laws], [law[1] for law in laws]
    carrying = [jnp.maximum(m, TRACE_FRACTION) for m in mean]
    resistivity = 1.0 / functools.reduce(jnp.add, [z[k] ** 2 * D[k] * carrying[k] for k in each])
    pull = current * resistivity
    steep = []
    for k in each:
        speed = z[k] * pull - velocity / (dt * D[k])
        steep.append(jnp.sqrt(1.0 + medium.upwind * (0.5 * distance * speed) ** 2) / distance)
    slope = [a * (r - c) for a, c, r in zip(steep, left, right, strict=True)]
    field = (current + functools.reduce(jnp.add, [z[k] * D[k] * slope[k] for k in each])) * resistivity
    drift = [z[k] * mean[k] * field - slope[k] for k in each]
    by_left, by_right, field_by_left, field_by_right = [], [], [], []
    for j in medium.carried:
        ratio = -z[j] / z[medium.rest]
        replaced = {j: 1.0, medium.rest: ratio}
        law_by_mean = [
            D_slope[k] * (1.0 + ratio if medium.intermixed[k] else replaced[k])
            if medium.intermixed[k] or k in replaced
            else None
            for k in each
        ]
        pushed = [
            z[k] * change * (slope[k] - z[k] * carrying[k] * field)
            for k, change in enumerate(law_by_mean)
            if change is not None
        ]
        conducted = [
            jnp.where(mean[k] > TRACE_FRACTION, -(z[k] ** 2) * D[k] * share * field, 0.0)
            for k, share in replaced.items()
        ]
        field_by_mean = resistivity * functools.reduce(jnp.add, pushed + conducted)
        field_by_step = resistivity * functools.reduce(
            jnp.add, [z[k] * D[k] * steep[k] * share for k, share in replaced.items()]
        )
        of_mean, of_step = [], []
        for k in medium.carried:
            by_mean = D[k] * z[k] * mean[k] * field_by_mean
            by_step = D[k] * z[k] * mean[k] * field_by_step
            if law_by_mean[k] is not None:
                by_mean = by_mean + law_by_mean[k] * drift[k]
            moved = jnp.zeros_like(velocity)
            if k == j:
                by_mean, by_step, moved = by_mean + D[k] * z[k] * field, by_step - D[k] * steep[k], velocity
            of_mean.append(0.5 * (dt * by_mean - moved))
            of_step.append(dt * by_step)
        by_left.append([a - b for a, b in zip(of_mean, of_step, strict=True)])
        by_right.append([a + b for a, b in zip(of_mean, of_step, strict=True)])
        field_by_left.append(0.5 * field_by_mean - field_by_step)
        field_by_right.append(0.5 * field_by_mean + field_by_step)
    carried = medium.carried
    return Linear(
        flux=tuple(dt * D[k] * drift[k] - velocity * mean[k] for k in carried),
        by_left=tuple(zip(*by_left, strict=True)),
        by_right=tuple(zip(*by_right, strict=True)),
        by_current=tuple(D[k] * (dt_slope * drift[k] + dt * z[k] * mean[k] * resistivity) for k in carried),
        field=field,
        field_by_left=tuple(field_by_left),
        field_by_right=tuple(field_by_right),
        field_by_current=resistivity,
    )


def linearised(medium: Mixture) -> bool:
    """Whether the derivatives are written out: not where an end depends on two cells or on an exchange rate."""
    return medium.exchange is None and not medium.piling_up


def masses(medium: Mixture, width: Array) -> Unknowns:
    """Derivatives of the conserved amounts with respect to the unknowns."""
    return (width,) * len(medium.carried)


def linearise(medium: Mixture, y: Unknowns, current: Array, tempo: Tempo, here: Geometry) -> Linearisation:
    """Rates and potential drop, with their derivatives by the unknowns and by the current."""
    count, size = len(medium.charges), len(y)
    paces = jax.jvp(tempo, (current,), (jnp.ones_like(current),))
    ends = around(medium, complete(medium, y), here)

    def block(*arrays: Array) -> Linear:
        left, right, (distance, velocity) = arrays[:count], arrays[count : 2 * count], arrays[2 * count :]
        return linear_faces(medium, left, right, current, paces, distance, velocity)

    # The two ends pass nothing, where their composition is not given, and share the field of the next face.
    through = in_blocks(block, *ends.left, *ends.right, ends.distance, ends.velocity)
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


def limit(medium: Mixture, y: Unknowns, change: Unknowns) -> Unknowns:
    """Apply a Newton correction so that every carried fraction stays positive and below the neutral limit."""
    tops = (medium.background / medium.charges[k] for k in medium.carried)
    return tuple(limit_fraction(c, d, top) for c, d, top in zip(y, change, tops, strict=True))


def change(medium: Mixture, y: Unknowns, step: Unknowns) -> Array:
    """Size of a Newton step: the largest change of a carried fraction."""
    return fraction_change(step)
