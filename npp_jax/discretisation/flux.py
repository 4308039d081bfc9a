"""What the two models share: stabilised central fluxes, boundary flux, potential drop, limits of a Newton step."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from npp_jax.discretisation.geometry import Geometry
from npp_jax.discretisation.medium import Medium

Unknowns = tuple[Array, ...]
Tempo = Callable[[Array], Array]
"""Current v₀ ↦ dt/ds of the clock."""

FRACTION_FLOOR = 1e-9
"""Least native fraction of a Newton iterate."""


class Linearisation(NamedTuple):
    """Rates of the conserved amounts and potential drop, with derivatives by the unknowns and by the current."""

    rate: Unknowns
    lower: tuple[Unknowns, ...]
    diagonal: tuple[Unknowns, ...]
    upper: tuple[Unknowns, ...]
    by_current: Unknowns
    drop: Array
    drop_by_unknown: Unknowns | None
    """None where the iteration takes the drop as independent of the unknowns."""
    drop_by_current: Array


def between(*parts: Array) -> Array:
    """Join arrays along the axis of the cells."""
    return jnp.concatenate(parts, axis=0)


def stabiliser(
    medium: Medium, u: Float[Array, "inner *batch"], current: Array, tempo: Array, geometry: Geometry
) -> Float[Array, "inner *batch"]:
    """Factor √(1 + P²) on the diffusive flux, P the Péclet number of the cell in the moving frame.

    The speed in P is that of a composition relative to the mesh, which vanishes on the self-similar ramp, so that
    second order
    survives where cells are longer than the diffusion length; elsewhere the factor turns the central flux into an
    upwind one.
    """

    def share(x: Array) -> tuple[Array, Array]:
        native, foreign = medium.native(x), medium.foreign(x)
        total = native * x + foreign * (1.0 - x)
        return native * x / total, native * foreign / total

    (_, diffusivity), (slope, _) = jax.jvp(share, (u,), (jnp.ones_like(u),))
    peclet = 0.5 * geometry.distance * (tempo * current * slope - geometry.velocity) / (tempo * diffusivity)
    return jnp.sqrt(1.0 + peclet * peclet)


def outflow(current: Array, tempo: Tempo, geometry: Geometry) -> tuple[Array, Array]:
    """Native flux through the outermost face, which carries all the current, and its derivative by the current."""
    flux, slope = jax.jvp(lambda v: tempo(v) * v, (current,), (jnp.ones_like(current),))
    return flux - geometry.outer_velocity, slope


def potential_drop(medium: Medium, field: Float[Array, "inner *batch"], current: Array, geometry: Geometry) -> Array:
    """∫E dx from the surface to the back electrode; beyond the mesh the bulk conducts [kT/e]."""
    return jnp.sum(geometry.field_weight * field, axis=0) + geometry.beyond * current / medium.bulk


def limit_fraction(u: Array, step: Array, ceiling: float) -> Array:
    """Newton step of a fraction, limited so that it stays positive.

    Downward a step takes at most a factor e (and need not end below 1e-6); upward it adds at most the larger of the
    fraction and 0.1.
    """
    down = jnp.maximum(jnp.maximum(u * u / (u - jnp.minimum(step, 0.0)), 0.37 * u), jnp.minimum(u, 1e-6))
    up = u + jnp.minimum(step, jnp.maximum(u, 0.1))
    return jnp.clip(jnp.where(step < 0.0, down, up), FRACTION_FLOOR, ceiling)
