"""Fluxes of the electroneutral mixture and their derivatives, written out at the faces."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from npp_jax.simulation.material import TRACE_FRACTION, Mixture, Unknowns, arguments
from npp_jax.simulation.schemes.mixture_faces import Way, drift, relative, steepness


def laws_at(medium: Mixture, mean: list[Array]) -> tuple[list[Array], list[Array]]:
    """Diffusion coefficients of all species at a composition, and their derivatives by what each law takes."""
    pairs = zip(medium.laws, arguments(medium, mean), strict=True)
    laws = [jax.jvp(law, (c,), (jnp.ones_like(c),)) for law, c in pairs]
    return [law[0] for law in laws], [law[1] for law in laws]


def argument_change(medium: Mixture, k: int, j: int) -> float | None:
    """Change of what the law of species k takes by the fraction of the carried species j; None for no change."""
    seen = medium.seen[k]
    if j not in seen and medium.dependent_species not in seen:
        return None
    return float(j in seen) + (replacement(medium, j) if medium.dependent_species in seen else 0.0)


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
    way: Way,
) -> Linear:
    """What `mixture_neutral.through_faces` gives, linearised with the steepening held.

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
    way
        Where the faces are.
    """
    dt, dt_slope = tempo
    z, each = medium.charges, range(len(medium.charges))
    mean = [0.5 * (a + b) for a, b in zip(left, right, strict=True)]
    D, D_slope = laws_at(medium, mean)
    carrying = [jnp.maximum(m, TRACE_FRACTION) for m in mean]
    resistivity = 1.0 / functools.reduce(jnp.add, [z[k] ** 2 * D[k] * carrying[k] for k in each])
    pull = current * resistivity
    steep = [steepness(medium, z[k], pull, D[k], dt, way) for k in each]
    slope = [a * (r - c) for a, c, r in zip(steep, left, right, strict=True)]
    field = (current + functools.reduce(jnp.add, [z[k] * D[k] * slope[k] for k in each])) * resistivity
    moved = [drift(z[k], mean[k], field, slope[k]) for k in each]
    by_left, by_right, field_by_left, field_by_right = [], [], [], []
    for j in medium.carried:
        ratio = replacement(medium, j)
        replaced = {j: 1.0, medium.dependent_species: ratio}
        changes = [argument_change(medium, k, j) for k in each]
        law_by_mean = [None if change is None else D_slope[k] * change for k, change in enumerate(changes)]
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
            by_law = law_by_mean[k]
            if by_law is not None:
                by_mean = by_mean + by_law * moved[k]
            frame = jnp.zeros_like(way.velocity)
            if k == j:
                by_mean, by_step, frame = by_mean + D[k] * z[k] * field, by_step - D[k] * steep[k], way.velocity
            of_mean.append(0.5 * (dt * by_mean - frame))
            of_step.append(dt * by_step)
        by_left.append([a - b for a, b in zip(of_mean, of_step, strict=True)])
        by_right.append([a + b for a, b in zip(of_mean, of_step, strict=True)])
        field_by_left.append(0.5 * field_by_mean - field_by_step)
        field_by_right.append(0.5 * field_by_mean + field_by_step)
    carried = medium.carried
    return Linear(
        flux=tuple(relative(dt, D[k], moved[k], way, mean[k]) for k in carried),
        by_left=tuple(zip(*by_left, strict=True)),
        by_right=tuple(zip(*by_right, strict=True)),
        by_current=tuple(D[k] * (dt_slope * moved[k] + dt * z[k] * mean[k] * resistivity) for k in carried),
        field=field,
        field_by_left=tuple(field_by_left),
        field_by_right=tuple(field_by_right),
        field_by_current=resistivity,
    )
