"""Symmetric five-point systems (m + f·L)u = b on a rectangle, by conjugate gradients with a multigrid preconditioner.

L is the weighted Laplacian of a network: each face couples its two cells by a conductance, and the faces of the left
side couple to a known value outside. The conductances may jump by orders of magnitude from one face to the next.

Multigrid: cells are joined two by two, coarse conductances are the series and parallel sums of the fine ones, transfer is
piecewise constant, smoothing is a two-step Chebyshev iteration on the diagonally scaled system, the coarsest grid is
solved directly. One cycle is a symmetric positive definite approximation of the inverse.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

_COARSEST = 64
# Chebyshev points of the upper three quarters of the spectrum, (1/2, 2), of a diagonally scaled network.
_SWEEPS = tuple(1.0 / (1.25 + 0.75 * np.cos(np.pi * (k + 0.5) / 2)) for k in range(2))

Cells = Float[Array, "row column"]


class Network(NamedTuple):
    """Weights m of the cells and conductances of the faces between them."""

    mass: Float[Array, "row column"]
    """Weights m."""
    along: Float[Array, "row column-1"]
    """Conductances between neighbours in a row."""
    across: Float[Array, "row-1 column"]
    """Conductances between neighbours in a column."""
    side: Float[Array, " row"]
    """Conductances between the cells of column 0 and the outside."""

    def outflow(self, u: Cells) -> Cells:
        """L u: the sum over the faces of each cell of conductance times difference, zero outside."""
        out = jnp.zeros_like(u).at[:, 0].set(self.side * u[:, 0])
        flux = self.along * (u[:, :-1] - u[:, 1:])
        out = out + _pad(flux, (0, 0), (0, 1)) - _pad(flux, (0, 0), (1, 0))
        flux = self.across * (u[:-1] - u[1:])
        return out + _pad(flux, (0, 1), (0, 0)) - _pad(flux, (1, 0), (0, 0))

    def diagonal(self) -> Cells:
        """Diagonal of L."""
        sides = _pad(self.along, (0, 0), (0, 1)) + _pad(self.along, (0, 0), (1, 0))
        sides = sides + _pad(self.across, (0, 1), (0, 0)) + _pad(self.across, (1, 0), (0, 0))
        return sides.at[:, 0].add(self.side)


def apply(network: Network, factor: Float[Array, ""], u: Cells) -> Cells:
    """(m + f·L)u."""
    return network.mass * u + factor * network.outflow(u)


def coarsen(network: Network) -> Network:
    """Join cells two by two; half of the resistance inside a coarse cell goes to either of its faces."""
    rows, columns = network.mass.shape
    mass = _halve(_halve(network.mass, 0), 1)
    along = _joined(network.along, network.side, columns)
    across = _joined(network.across.T, None, rows).T
    # A coarse side face lies half a coarse cell from the centre.
    side = _halve(_series(network.side, 2.0 * network.along[:, 0]) if columns > 1 else network.side, 0)
    return Network(mass, _halve(along, 0), _halve(across, 1), side)


def hierarchy(network: Network) -> tuple[Network, ...]:
    """The network and its coarsenings, down to a few cells."""
    levels = [network]
    while levels[-1].mass.size > _COARSEST:
        levels.append(coarsen(levels[-1]))
    return tuple(levels)


def solve(
    levels: tuple[Network, ...], factor: Float[Array, ""], b: Cells, *, tolerance: float, iterations: int = 200
) -> tuple[Cells, Int[Array, ""]]:
    """Solve (m + f·L)u = b by preconditioned conjugate gradients.

    Parameters
    ----------
    levels
        Result of `hierarchy`.
    factor
        f, positive or zero.
    b
        Right-hand side, shape [row, column].
    tolerance
        Bound on the energy norm of the error over that of the solution, as the preconditioner estimates both.
    iterations
        Bound on the number of iterations.

    Returns
    -------
    u
        Solution; its sum is that of the exact solution to round-off, whatever the tolerance, where nothing leaves.
    count
        Number of iterations.
    """
    network = levels[0]
    cycle = _preconditioner(levels, factor)
    z = cycle(b)
    start = (jnp.zeros_like(b), b, z, jnp.sum(b * z), jnp.asarray(0))
    bound = tolerance**2 * start[3]

    def unfinished(state):
        *_, energy, count = state
        return (energy > bound) & (count < iterations)

    def iterate(state):
        u, residual, direction, energy, count = state
        image = apply(network, factor, direction)
        length = energy / jnp.sum(direction * image)
        u, residual = u + length * direction, residual - length * image
        z = cycle(residual)
        renewed = jnp.sum(residual * z)
        return u, residual, z + renewed / energy * direction, renewed, count + 1

    u, _, _, _, count = jax.lax.while_loop(unfinished, iterate, start)
    residual = b - apply(network, factor, u)
    weight = jnp.sum(network.mass) + factor * jnp.sum(network.side)
    return u + jnp.sum(residual) / weight, count


def _preconditioner(levels: tuple[Network, ...], factor: Float[Array, ""]):
    """One V-cycle as a function of the residual."""
    scales = [1.0 / (level.mass + factor * level.diagonal()) for level in levels[:-1]]
    last = levels[-1]
    basis = jnp.eye(last.mass.size, dtype=last.mass.dtype).reshape(-1, *last.mass.shape)
    matrix = jax.vmap(lambda u: apply(last, factor, u))(basis).reshape(last.mass.size, -1)
    factors = jax.scipy.linalg.cho_factor(matrix)

    def cycle(b: Array, depth: int = 0) -> Array:
        level = levels[depth]
        if depth == len(levels) - 1:
            return jax.scipy.linalg.cho_solve(factors, b.reshape(-1)).reshape(b.shape)
        scale = scales[depth]
        u = _SWEEPS[0] * scale * b
        u = u + _SWEEPS[1] * scale * (b - apply(level, factor, u))
        coarse = cycle(_halve(_halve(b - apply(level, factor, u), 0), 1), depth + 1)
        rows, columns = b.shape
        u = u + jnp.repeat(jnp.repeat(coarse, 2, axis=0), 2, axis=1)[:rows, :columns]
        for weight in reversed(_SWEEPS):
            u = u + weight * scale * (b - apply(level, factor, u))
        return u

    return cycle


def _joined(faces: Array, side: Array | None, columns: int) -> Array:
    """Conductances between pairs of columns: a face in series with half of the inner face on either side."""
    del side
    between = faces[:, 1::2]
    inner = faces[:, 0::2]
    if columns % 2:
        # The last coarse cell has one column only, hence no inner face: the half cell is that of the face itself.
        inner = jnp.concatenate([inner, between[:, -1:]], axis=1)
    inner = inner[:, : between.shape[1] + 1]
    return _series(between, 2.0 * inner[:, :-1], 2.0 * inner[:, 1:])


def _series(conductance: Array, *others: Array) -> Array:
    """Conductances in series; zero where one of them is."""
    tiny = jnp.finfo(conductance.dtype).tiny
    return conductance / (1.0 + sum(conductance / jnp.maximum(other, tiny) for other in others))


def _halve(values: Array, axis: int) -> Array:
    """Sums over pairs of neighbours; a last one without partner stays alone."""
    odd = values.shape[axis] % 2
    widths = [(0, odd if k == axis else 0) for k in range(values.ndim)]
    values = jnp.pad(values, widths)
    shape = (*values.shape[:axis], -1, 2, *values.shape[axis + 1 :])
    return jnp.sum(values.reshape(shape), axis=axis + 1)


def _pad(values: Array, *widths: tuple[int, int]) -> Array:
    return jnp.pad(values, widths)
