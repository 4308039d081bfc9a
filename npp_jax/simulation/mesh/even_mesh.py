"""Meshes that spread the interpolation error of a known profile evenly, whatever the number of its fronts.

The density of the faces is a sum of three: the fifth-root rule for piecewise linear profiles, |c''|^(2/5) (C. de Boor,
Lect. Notes Math. 363 (1974) 12), which finds every front; an even one over the depth that has changed; and a
logarithmic one, which reaches from the surface to the back electrode.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from npp_jax.physics.interpolation import interpolate, locate, take

SHARES = (0.6, 0.2, 0.2)
"""Shares of the cells that go to curvature, the changed depth and the logarithm."""

UNSEEN = 1e-6
"""Second difference of a fraction from cell to cell below which nothing is resolved."""

_SMOOTHINGS = 6


def graded_faces(cells: int, scale: Array, thickness: Array) -> Float[Array, "face *batch"]:
    """Faces from 0 to the thickness, even up to `scale` and in constant ratio beyond it."""
    share = jnp.linspace(0.0, 1.0, cells + 1, dtype=jnp.result_type(scale, thickness))
    share = share.reshape(-1, *(1,) * jnp.ndim(scale))
    ratio = thickness / scale
    faces = scale * jnp.sinh(share * jnp.arcsinh(ratio))
    return faces.at[-1].set(thickness)


def even_error_faces(
    faces: Float[Array, "face *batch"],
    fractions: Float[Array, "species cell *batch"],
    bulk: Float[Array, "species *batch"],
    *,
    both_ends: bool = False,
) -> Float[Array, "face *batch"]:
    """Faces that resolve a profile, as many as it is given on.

    Parameters
    ----------
    faces
        Faces of the mesh on which the profile is known.
    fractions
        Profile of every species.
    bulk
        Fractions of the untouched sample, from which the changed depth is told.
    both_ends
        Whether the profile changes from the back electrode on as well: each half has a changed depth of its own.
    """
    width = jnp.diff(faces, axis=0)
    centre = 0.5 * (faces[1:] + faces[:-1])
    slope = jnp.diff(fractions, axis=1) / jnp.diff(centre, axis=0)
    # What is not seen of a tail is not resolved either.
    bend = jnp.maximum(jnp.abs(jnp.diff(slope, axis=1)) / width[1:-1] - UNSEEN / width[1:-1] ** 2, 0.0)
    bend = jnp.concatenate([bend[:, :1], bend, bend[:, -1:]], axis=1)
    curvature = width * jnp.sum((bend + jnp.finfo(bend.dtype).tiny) ** 0.4, axis=0)
    for _ in range(_SMOOTHINGS):
        padded = jnp.concatenate([curvature[:1], curvature, curvature[-1:]])
        curvature = 0.25 * padded[:-2] + 0.5 * padded[1:-1] + 0.25 * padded[2:]
    curvature = curvature / width
    changed = jnp.sum(jnp.abs(fractions - bulk[:, None]), axis=0) * width + jnp.finfo(width.dtype).tiny
    from_back = faces[-1] - centre
    ends = ((centre, changed),)
    if both_ends:
        near, little = centre < from_back, 1e-6 * changed
        ends = (
            (centre, jnp.where(near, changed, little)),
            (from_back, jnp.where(near, little, changed)),
        )
    of_all = lambda part: part / jnp.sum(part * width, axis=0)  # noqa: E731
    density = SHARES[0] * of_all(curvature)
    for distance, weight in ends:
        depth = 2.0 * jnp.sum(weight * distance, axis=0) / jnp.sum(weight, axis=0)
        even = 1.0 / (1.0 + (distance / (1.5 * depth)) ** 4)
        # In the untouched sample cells may be few.
        logarithmic = (1.0 + 1.0 / (1.0 + (distance / (4.0 * depth)) ** 2)) / (distance + 0.02 * depth)
        density = density + (SHARES[1] * of_all(even) + SHARES[2] * of_all(logarithmic)) / len(ends)
    cumulated = jnp.concatenate([jnp.zeros_like(width[:1]), jnp.cumsum(density * width, axis=0)])
    wanted = jnp.linspace(0.0, 1.0, len(faces), dtype=faces.dtype).reshape(-1, *(1,) * (faces.ndim - 1))
    wanted = jnp.broadcast_to(wanted, faces.shape) * cumulated[-1]
    placed = linear(wanted, cumulated, faces)
    return placed.at[0].set(faces[0]).at[-1].set(faces[-1])


def divided(faces: Float[Array, "face *batch"], cells: int) -> Array:
    """As many cells as wanted with the density of those of a mesh: position as a function of the number of a face."""
    count = jnp.linspace(0.0, len(faces) - 1.0, cells + 1, dtype=faces.dtype).reshape(-1, *(1,) * (faces.ndim - 1))
    number = jnp.arange(len(faces), dtype=faces.dtype).reshape(-1, *(1,) * (faces.ndim - 1))
    count, number = jnp.broadcast_to(count, (cells + 1, *faces.shape[1:])), jnp.broadcast_to(number, faces.shape)
    new = interpolate(count, number, faces)
    return new.at[0].set(faces[0]).at[-1].set(faces[-1])


def linear(x: Array, knots: Array, values: Array) -> Array:
    """Piecewise linear interpolation, shapes [point, *batch] and [knot, *batch], linear beyond the ends."""
    index = locate(x, knots)
    left, right = take(knots, index), take(knots, index + 1)
    share = (x - left) / jnp.where(right > left, right - left, 1.0)
    low, high = take(values, index), take(values, index + 1)
    return low + share * (high - low)


def remap(amount: Float[Array, "cell *batch"], faces: Array, new: Array) -> Float[Array, "cell *batch"]:
    """Amounts of the cells of another mesh between the same ends: the total is kept to round-off."""
    cumulated = jnp.concatenate([jnp.zeros_like(amount[:1]), jnp.cumsum(amount, axis=0)])
    at = interpolate(new, faces, cumulated)
    at = at.at[0].set(0.0).at[-1].set(cumulated[-1])
    return jnp.diff(at, axis=0)
