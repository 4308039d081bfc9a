"""Symmetric five-point systems (m + f·L)u = b on a rectangle of cells in regions that hardly couple.

L is the weighted Laplacian of a network: each face joins its two cells by a conductance, and the faces of the left side
lead to a known value outside. Solved by conjugate gradients. The preconditioner is the sum of

- a multigrid cycle whose coarse cells lie in one region each (transfer is piecewise constant, smoothing is a two-step
  Chebyshev iteration on the diagonally scaled system), for what varies inside a region, and
- the exact correction by one constant for each region (deflation: R. A. Nicolaides, SIAM J. Numer. Anal. 24
  (1987) 355), for what varies slowly because regions hardly couple.

Without it the number of iterations grows with the resistance between regions.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Int

# Chebyshev points of the upper three quarters of the spectrum, (1/2, 2), of a diagonally scaled network.
_SWEEPS = tuple(1.0 / (1.25 + 0.75 * math.cos(math.pi * (k + 0.5) / 2)) for k in range(2))
# On the coarsest level, where nothing else helps; the same backwards, as symmetry asks.
_LAST_SWEEPS = 4 * _SWEEPS + 4 * _SWEEPS[::-1]


class Network(NamedTuple):
    """Weights m of the cells and conductances of the faces between them."""

    mass: Float[Array, "row column"]
    """Weights m."""
    west: Float[Array, "row column"]
    """Conductance to the left neighbour, zero in column 0."""
    north: Float[Array, "row column"]
    """Conductance to the neighbour above, zero in row 0."""
    side: Float[Array, " row"]
    """Conductance from column 0 to the outside."""

    def outflow(self, u: Float[Array, "row column"]) -> Float[Array, "row column"]:
        """L u: the sum over the faces of each cell of conductance times difference, the value outside being zero."""
        # Differences first: they cancel exactly where u is flat, however large the conductances.
        (v, left, right, above, below), shape = _neighbours(u), u.shape
        west, _, east, _, _ = _neighbours(self.west)
        north, _, _, _, south = _neighbours(self.north)
        out = west * (v - left) + east * (v - right) + north * (v - above) + south * (v - below)
        return out.reshape(shape).at[:, 0].add(self.side * u[:, 0])

    def diagonal(self) -> Float[Array, "row column"]:
        """Diagonal of L."""
        west, _, east, _, _ = _neighbours(self.west)
        north, _, _, _, south = _neighbours(self.north)
        return (west + east + north + south).reshape(self.west.shape).at[:, 0].add(self.side)


def _neighbours(u: Float[Array, "row column"]) -> tuple[Array, Array, Array, Array, Array]:
    """Flat arrays of u itself and of its values to the left, right, above and below.

    Left of column 0 stands the end of the row above, where a network has no conductance; outside is zero. Shifts of a
    flat array take a quarter of the time of shifts of rows and columns.
    """
    columns = u.shape[1]
    padded = jnp.pad(u.reshape(-1), columns)

    def shifted(by: int) -> Array:
        return padded[columns + by : columns + by + u.size]

    return shifted(0), shifted(-1), shifted(1), shifted(-columns), shifted(columns)


class Multigrid(NamedTuple):
    """What the preconditioner needs beside the factor f."""

    levels: tuple[Network, ...]
    """The network, and coarser ones of half the rows and columns each."""
    into: tuple[Int[Array, "_row _column"], ...]
    """For each level but the last the flat index of the coarse cell of each cell; their number means none."""
    region: Int[Array, "row column"]
    """Region of each cell of the finest level."""
    modes: Float[Array, "region mode"]
    """Values in the regions of functions orthonormal in the weight m, for which L is diagonal among them."""
    rates: Float[Array, " mode"]
    """Values of that diagonal."""


def apply(network: Network, factor: Float[Array, ""], u: Float[Array, "row column"]) -> Float[Array, "row column"]:
    """(m + f·L)u."""
    return network.mass * u + factor * network.outflow(u)


def multigrid(
    levels: tuple[Network, ...],
    into: tuple[Int[Array, "_row _column"], ...],
    region: Int[Array, "row column"],
    regions: int,
) -> Multigrid:
    """Gather what `solve` needs; arguments as the fields of `Multigrid`, `regions` is the number of regions."""
    fine = levels[0]
    first, second = region[:, 1:], region[1:]
    matrix = jnp.zeros((regions, regions), fine.mass.dtype)
    for one, other, conductance in (
        (first, region[:, :-1], fine.west[:, 1:]),
        (second, region[:-1], fine.north[1:]),
    ):
        matrix = matrix.at[one, one].add(conductance).at[other, other].add(conductance)
        matrix = matrix.at[one, other].add(-conductance).at[other, one].add(-conductance)
    matrix = matrix.at[region[:, 0], region[:, 0]].add(fine.side)
    mass = jnp.zeros(regions, fine.mass.dtype).at[region].add(fine.mass)
    # One eigenproblem serves all factors. A region has a cell at least.
    weight = 1.0 / jnp.sqrt(mass)
    rates, modes = jnp.linalg.eigh(weight[:, None] * matrix * weight)
    return Multigrid(levels, into, region, weight[:, None] * modes, rates)


def solve(
    grids: Multigrid,
    factor: Float[Array, ""],
    b: Float[Array, "row column"],
    *,
    tolerance: Float[ArrayLike, ""],
    iterations: int = 300,
) -> tuple[Float[Array, "row column"], Int[Array, ""]]:
    """Solve (m + f·L)u = b by preconditioned conjugate gradients.

    Parameters
    ----------
    grids
        Result of `multigrid`.
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
        Solution. Whatever the tolerance, its sum balances that of b to round-off.
    count
        Number of iterations.
    """
    network = grids.levels[0]
    precondition = _preconditioner(grids, factor)

    def unfinished(state):
        *_, energy, bound, count = state
        return ((count == 0) | (energy > bound)) & (count < iterations)

    def iterate(state):
        u, residual, direction, previous, bound, count = state
        z = precondition(residual)
        energy = jnp.sum(residual * z)
        direction = z + jnp.where(count == 0, 0.0, energy / previous) * direction
        image = apply(network, factor, direction)
        curvature = jnp.sum(direction * image)
        length = jnp.where(curvature > 0.0, energy / curvature, 0.0)
        bound = jnp.where(count == 0, tolerance**2 * energy, bound)
        return u + length * direction, residual - length * image, direction, energy, bound, count + 1

    zero, none = jnp.zeros_like(b), jnp.zeros((), b.dtype)
    u, *_, count = jax.lax.while_loop(unfinished, iterate, (zero, b, zero, none + 1.0, none, jnp.asarray(0)))
    residual = b - apply(network, factor, u)
    return u + jnp.sum(residual) / (jnp.sum(network.mass) + factor * jnp.sum(network.side)), count


def _preconditioner(grids: Multigrid, factor: Float[Array, ""]) -> Callable[[Array], Array]:
    """A symmetric positive definite approximation of the inverse, as a function of the residual."""
    scales = [1.0 / (level.mass + factor * level.diagonal()) for level in grids.levels]
    damping = 1.0 / (1.0 + factor * jnp.maximum(grids.rates, 0.0))

    def cycle(b: Array, depth: int) -> Array:
        level, scale = grids.levels[depth], scales[depth]

        def sweep(u: Array, weight: ArrayLike) -> tuple[Array, None]:
            return u + weight * scale * (b - apply(level, factor, u)), None

        if depth == len(grids.into):
            return jax.lax.scan(sweep, jnp.zeros_like(b), jnp.asarray(_LAST_SWEEPS, b.dtype))[0]
        u = sweep(_SWEEPS[0] * scale * b, _SWEEPS[1])[0]
        u = u + coarse_correction(b - apply(level, factor, u), depth)
        return sweep(sweep(u, _SWEEPS[1])[0], _SWEEPS[0])[0]

    def coarse_correction(residual: Array, depth: int) -> Array:
        shape = grids.levels[depth + 1].mass.shape
        cells = shape[0] * shape[1]
        sums = jnp.zeros(cells + 1, residual.dtype).at[grids.into[depth]].add(residual)
        coarse = cycle(sums[:-1].reshape(shape), depth + 1)
        return jnp.append(coarse.reshape(-1), 0.0)[grids.into[depth]]

    def precondition(residual: Array) -> Array:
        sums = jnp.zeros_like(grids.rates).at[grids.region].add(residual)
        return cycle(residual, 0) + (grids.modes @ (damping * (sums @ grids.modes)))[grids.region]

    return precondition
