"""Derivatives of the electroneutral mixture, written out at the faces."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from npp_jax.simulation.material import TRACE_FRACTION, Mixture, Tempo, Unknowns, arguments, complete
from npp_jax.simulation.mesh.geometry import Geometry
from npp_jax.simulation.schemes.mixture_faces import around, lengths
from npp_jax.simulation.schemes.scheme import Linearisation, in_blocks


def laws_at(medium: Mixture, mean: list[Array]) -> tuple[list[Array], list[Array]]:
    """Diffusion coefficients of all species at a composition, and their derivatives by what each law takes."""
    pairs = zip(medium.laws, arguments(medium, mean), strict=True)
    laws = [jax.jvp(law, (c,), (jnp.ones_like(c),)) for law, c in pairs]
    return [law[0] for law in laws], [law[1] for law in laws]


def replacement(medium: Mixture, j: int) -> float:
    """Change of the fraction that is not carried by that of species j, in a neutral mixture."""
    return -medium.charges[j] / medium.charges[medium.dependent_species]


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
    """What `mixture.through_faces` gives, linearised with the steepening held.

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
    D, D_slope = laws_at(medium, mean)
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
        ratio = replacement(medium, j)
        replaced = {j: 1.0, medium.dependent_species: ratio}
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
