"""Geometry of a moving mesh at one instant of a step."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float


class Geometry(NamedTuple):
    """Lengths of the cells and of the dual cells, velocities of the faces; all in nm and per unit of the clock."""

    width: Float[Array, "cell *batch"]
    """Cell widths."""
    distance: Float[Array, "inner *batch"]
    """Distances of neighbouring cell centres, one per interior face."""
    closeness: Float[Array, "inner *batch"]
    """1/distance, which all iterations on a mesh share."""
    velocity: Float[Array, "inner *batch"]
    """Velocities of the interior faces."""
    outer_velocity: Float[Array, "*batch"]
    """Velocity of the outermost face."""
    field_weight: Float[Array, "inner *batch"]
    """Lengths over which the field at the interior faces is integrated; the first includes the surface half cell."""
    beyond: Float[Array, "*batch"]
    """Length of bulk between the last cell centre and the back electrode."""


def geometry(faces: Float[Array, "face *batch"], velocity: Float[Array, "face *batch"], thickness: Array) -> Geometry:
    """Lengths of a mesh from its faces [nm], their velocities and the thickness of the sample [nm]."""
    centre = 0.5 * (faces[1:] + faces[:-1])
    distance = jnp.diff(centre, axis=0)
    return Geometry(
        width=jnp.diff(faces, axis=0),
        distance=distance,
        closeness=1.0 / distance,
        velocity=velocity[1:-1],
        outer_velocity=velocity[-1],
        field_weight=distance.at[0].add(centre[0]),
        beyond=thickness - centre[-1],
    )
