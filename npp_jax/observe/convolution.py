"""A profile of cells seen through a depth resolution function, exactly.

A profile of cell averages c_i between the faces x_i and x_{i+1} gives at the depth z the signal
Σ_i c_i [F(z - x_i) - F(z - x_{i+1})], F the cumulative function of the response; within the cells it may have slopes.
Behind the last face the value of the last cell goes on; before the first there is nothing. All lengths are in
nanometres.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from npp_jax.observe.by_ion import differs_by_ion, of_each_ion
from npp_jax.observe.response import AbstractResponse, NoResponse

GAUSS = [(float(x), 0.5 * float(w)) for x, w in zip(*np.polynomial.legendre.leggauss(8), strict=True)]
"""Places in an interval from -1 to 1 and their shares in its mean: a response may be several times narrower."""


def convolve(
    response: AbstractResponse,
    faces: Float[Array, "face"],
    values: Float[Array, "species cell"],
    depth: Float[Array, "depth"],
    slopes: Float[Array, "species cell"] | None = None,
) -> Float[Array, "species depth"]:
    """Signal of a profile of cells, exact for any widths of cells and response.

    Summed by parts: the value c(z) of the cell at the depth itself and, for each face, the step there times the tail T
    of the response that reaches across it, c(z) ± Σ_i (c_i - c_{i-1}) T(z - x_i), with + where the face is yet to come.
    A weak signal far from its source thus keeps its relative accuracy, and one tail for each face is all that is
    evaluated. With slopes c'(z) it is c(z) - c'(z) ⟨z⟩ with the mean ⟨z⟩ of the response, and each face adds the change
    of the slope there times the integral of the tail. Differentiable in the parameters of the response, the faces, the
    values, the slopes and the depths.

    Parameters
    ----------
    response
        Depth resolution function; its widths are numbers, or one number for each species.
    faces
        Boundaries of the cells, increasing. [nm]
    values
        Averages over the cells.
    depth
        True depths of the points. [nm]
    slopes
        Slopes within the cells, that of the last one is not used; none without. [1/nm]
    """
    if differs_by_ion(response):

        def of_one(own: AbstractResponse, row: Array, slope: Array | None) -> Array:
            return convolve(own, faces, row[None], depth, None if slope is None else slope[None])[0]

        return jax.vmap(of_one)(of_each_ion(response, values.shape[0]), values, slopes)
    z = depth[:, None] - faces[None, :-1]
    behind = z >= 0.0
    tail = response.tail(z)
    signed = jnp.where(behind, -tail, tail)
    cell = jnp.sum(behind, axis=1) - 1
    inside, cell = cell >= 0, jnp.maximum(cell, 0)
    perfect = isinstance(response, NoResponse)
    half = jnp.zeros_like(values)
    here = values[:, cell]
    if slopes is not None:
        slopes = slopes.at[:, -1].set(0.0)
        half = 0.5 * slopes * jnp.diff(faces)
        middle = 0.5 * (faces[1:] + faces[:-1])
        here = here + slopes[:, cell] * (depth - middle[cell] - response.mean)
    # At perfect resolution a point at the surface sees the first cell, and not half of what is before.
    before = (values - half)[:, :1] * (1.0 if perfect else 0.0)
    steps = values - half - jnp.concatenate([before, (values + half)[:, :-1]], axis=1)
    signal = jnp.where(inside, here, 0.0) + product(steps, signed)
    if slopes is None or perfect:
        return signal
    return signal + product(jnp.diff(slopes, axis=1, prepend=0.0), response.tail_integral(z))


def mean_over(
    signal: Callable[[Array], Array], depth: Float[Array, " depth"], half: Float[Array, " depth"]
) -> Float[Array, "species depth"]:
    """Mean of a signal from `half` before each depth to as much behind, by Gauss' points [that of the signal].

    Parameters
    ----------
    signal
        Signal at depths, as a function of these.
    depth, half
        Middle of each interval, and half of it. [nm]
    """
    place, share = (jnp.asarray(part, depth.dtype) for part in zip(*GAUSS, strict=True))
    seen = signal((depth + place[:, None] * half).ravel())
    return jnp.sum(share[:, None] * seen.reshape(-1, len(GAUSS), depth.size), axis=1)


def product(values: Array, weights: Array) -> Array:
    """Σ_k weights[j, k] values[i, k], without the reduced precision that accelerators allow themselves."""
    return jnp.einsum("ik,jk->ij", values, weights, precision=jax.lax.Precision.HIGHEST)
