"""A profile of cells seen through a fixed depth resolution function, as a matrix: for sweeps.

The profile is averaged over fixed intervals, of which the matrix knows what each gives at each depth. All lengths are
in nanometres.
"""

import functools
import math
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from npp_jax._compile import jit_small
from npp_jax.observe.arrays import as_leaf
from npp_jax.observe.convolution import GAUSS, convolve, product
from npp_jax.observe.response import AbstractResponse, NoResponse

_REACH_TOLERANCE = 1e-5
_NODES = 25.0
"""Nodes in the width of a response, one over its largest density, between which a signal is interpolated: ten in the
standard deviation of a Gaussian, which leave an error of 1e-6 of a step."""
_REFINE_NODES = 2
"""Intervals for each node."""
_MOST_NODES = 5000.0
"""Most nodes in the place of fewer points."""
_MOST_BEFORE = 10_000
"""Most intervals between the surface and the first point."""


class SampledResponse(eqx.Module):
    """A fixed response at fixed depths, as a matrix over fixed intervals."""

    edges: Float[Array, "edge"]
    """Boundaries of the intervals over which profiles are averaged [nm]."""
    matrix: Float[Array, "node interval"]
    """Share of each interval in the signal at each node [1]; the nodes are the depths if `position` is None."""
    position: Float[Array, "depth way"] | None = None
    """Where depths lie in between nodes of equal distance, counted by nodes; their signal is the mean over the ways."""
    shares: tuple[float, ...] = eqx.field(static=True, default=(1.0,))
    """Share of each way in it [1]."""

    def __call__(
        self,
        faces: Float[Array, "face"],
        values: Float[Array, "species cell"],
        slopes: Float[Array, "species cell"] | None = None,
    ) -> Float[Array, "species depth"]:
        """Signal of a profile of cells at the depths.

        Parameters
        ----------
        faces
            Boundaries of the cells, increasing. [nm]
        values
            Averages over the cells.
        slopes
            Slopes within the cells; none without. [1/nm]
        """
        signal = product(average(self.edges, faces, values, slopes), self.matrix)
        if self.position is None:
            return signal
        # Not as a product of matrices, of which accelerators take less precision.
        return jnp.sum(_between(signal, self.position) * jnp.asarray(self.shares, signal.dtype), axis=-1)


def sample_response(
    response: AbstractResponse,
    depth: ArrayLike,
    *,
    interval: ArrayLike | None = None,
    surface: float = 0.0,
    refine: int = 2,
) -> SampledResponse:
    """Prepare the cheap path of a sweep: one response, one set of depths, many profiles.

    Profiles are averaged over the sampling intervals of the points (from midpoint to midpoint), each cut into `refine`
    parts, continued with the same spacing to the surface and as far behind the last point as the response reaches. A
    step inside an interval of width Δ is thus wrong by at most Δ²/8 max|h'| of its height: 1e-3 for Δ = 0.5 nm and a
    response of 16–84 % width 7 nm. A front that is wider than an interval is wrong by a twentieth of that or less, as
    the averages tell the slopes too. Points that lie closer than the response resolves are interpolated between nodes
    by cubic polynomials, so that their number costs no more than that. Called outside of compiled functions.

    Parameters
    ----------
    response
        Depth resolution function.
    depth
        True depths of the points, increasing. [nm], shape [depth]
    interval
        Range of depths over which each point is an average; by default each is the value at its depth. [nm], shape
        [depth]
    surface
        Depth of the surface. [nm]
    refine
        Number of intervals for each point.

    Raises
    ------
    ValueError
        If the depths are not a list of at least two that increase and end below the surface, or if `refine` is not
        positive.
    """
    points = np.asarray(as_leaf(depth))
    steps = np.diff(points)
    if points.ndim != 1 or points.size < 2 or not np.all(steps > 0.0) or not points[-1] > surface:
        raise ValueError(f"depth must be at least two increasing depths that end below the surface at {surface:g} nm")
    if refine < 1:
        raise ValueError(f"refine = {refine}: at least 1 is needed")
    seen, shares = points[:, None], (1.0,)
    if interval is not None:
        # No point lies before the surface.
        half = np.minimum(0.5 * np.asarray(as_leaf(interval)), np.maximum(points - surface, 0.0))
        seen = points[:, None] + half[:, None] * np.array([place for place, _ in GAUSS])
        shares = tuple(share for _, share in GAUSS)
    nodes = _nodes(response, seen, float(min(steps[0], steps[-1])))
    if nodes is not None:
        edges = _edges(response, nodes, surface, min(refine, _REFINE_NODES)).astype(points.dtype)
        position = (seen - nodes[0]) / (nodes[1] - nodes[0])
        matrix = _weights(response, jnp.asarray(edges), jnp.asarray(nodes, points.dtype))
        return SampledResponse(jnp.asarray(edges), matrix, jnp.asarray(position, points.dtype), shares)
    edges = jnp.asarray(_edges(response, points, surface, refine), points.dtype)
    weights = [_weights(response, edges, jnp.asarray(way, points.dtype)) for way in seen.T]
    return SampledResponse(edges, _total([share * way for share, way in zip(shares, weights, strict=True)]))


def parts_resolved(response: AbstractResponse, depth: ArrayLike) -> float:
    """Number of intervals for each point, of `sample_response`, that are a fifth of the width of a response: one over
    its largest density, 2.5 standard deviations of a Gaussian.

    Parameters
    ----------
    response
        Depth resolution function; its widths are numbers.
    depth
        True depths of the points, increasing. [nm], shape [depth]
    """
    points = np.asarray(as_leaf(depth), float)
    if points.size < 2 or isinstance(response, NoResponse):
        return 1.0
    return 5.0 * float(np.diff(points).max()) * _peak(response)


def _nodes(response: AbstractResponse, seen: np.ndarray, step: float) -> np.ndarray | None:
    """Depths of equal distance, over the range of those seen, between which the signal is smooth.

    None where the points themselves are fewer and, by the `step` at their ends, not much closer.
    """
    if isinstance(response, NoResponse):
        return None
    low, high = float(seen.min()), float(seen.max())
    peak = _peak(response)
    count = max((high - low) * peak * _NODES, 4.0)
    close = step * peak * _NODES < 0.1 and count < _MOST_NODES
    return np.linspace(low, high, math.ceil(count) + 1) if count + 1.0 < len(seen) or close else None


def _peak(response: AbstractResponse) -> float:
    """Largest density [1/nm]: the sharpest part of a response may be much narrower than the whole."""
    around = math.sqrt(float(np.mean(np.asarray(response.variance)))) * np.linspace(-4.0, 4.0, 8001)
    return float(np.diff(np.asarray(_cumulative(response, around), float)).max()) / (around[1] - around[0])


def _edges(response: AbstractResponse, points: np.ndarray, surface: float, refine: int) -> np.ndarray:
    """Boundaries of the intervals over which profiles are averaged, for a response at some points."""
    steps = np.diff(points)
    last = points[-1] + 0.5 * steps[-1]
    reaches = steps[-1] * np.arange(1, 1001)
    felt = np.asarray(_cumulative(response, -reaches)) > _REACH_TOLERANCE
    reach = reaches[min(int(felt.sum()), reaches.size - 1)]
    start = max(points[0] - 0.5 * steps[0], surface)
    ahead = int(min(np.ceil((start - surface) / steps[0] - 1e-9), _MOST_BEFORE))
    before = np.linspace(surface, start, 1 + ahead)[:-1]
    inner = 0.5 * (points[:-1] + points[1:])
    behind = np.linspace(last, last + reach, 1 + round(reach / steps[-1]))
    coarse = np.concatenate([before, [start], inner[inner > start], behind])
    parts = np.arange(refine) / refine
    fine = (coarse[:-1, None] + np.diff(coarse)[:, None] * parts).ravel()
    return np.append(fine, coarse[-1])


def _between(
    signal: Float[Array, "species node"], position: Float[Array, "depth way"]
) -> Float[Array, "species depth way"]:
    """Cubic polynomials through four nodes each, at positions counted by nodes."""
    first = jnp.clip(jnp.floor(position) - 1.0, 0.0, signal.shape[1] - 4.0)
    t = position - first
    shares = (
        -(t - 1.0) * (t - 2.0) * (t - 3.0) / 6.0,
        t * (t - 2.0) * (t - 3.0) / 2.0,
        -t * (t - 1.0) * (t - 3.0) / 2.0,
        t * (t - 1.0) * (t - 2.0) / 6.0,
    )
    place = first.astype(int)
    return _total([share * signal[:, place + k] for k, share in enumerate(shares)])


def _total(parts: list[Array]) -> Array:
    return functools.reduce(jnp.add, parts)


@jit_small
def _cumulative(response: AbstractResponse, offset: Array) -> Array:
    """Share of the signal that comes from below each offset."""
    return response.cdf(offset)


def _weights(response: AbstractResponse, edges: Array, depth: Array) -> Array:
    """Share of each interval in the signal at each depth.

    Within an interval the profile is taken for a straight line with the slope that its neighbours tell: as all is
    linear in the averages the shares hold it, and what is left of a front wider than an interval is a hundredth.
    """
    middle = 0.5 * (edges[1:] + edges[:-1])
    unit = np.eye(middle.size)
    slopes = None if isinstance(response, NoResponse) else np.gradient(unit, np.asarray(middle, float), axis=1)
    return _signal_of_each(response, edges, jnp.asarray(unit, edges.dtype), depth, slopes)


@jit_small
def _signal_of_each(response: AbstractResponse, edges: Array, unit: Array, depth: Array, slopes: Any) -> Array:
    return convolve(response, edges, unit, depth, None if slopes is None else jnp.asarray(slopes, edges.dtype)).T


def average(
    edges: Float[Array, "edge"],
    faces: Float[Array, "face"],
    values: Float[Array, "species cell"],
    slopes: Float[Array, "species cell"] | None = None,
) -> Float[Array, "species edge-1"]:
    """Averages of a profile of cells over other intervals, conserving its integral.

    Outside of the faces the profile goes on as in `convolve`: nothing before, the last value behind.

    Parameters
    ----------
    edges
        Boundaries of the intervals, increasing.
    faces
        Boundaries of the cells, increasing, same unit.
    values
        Averages over the cells.
    slopes
        Slopes within the cells, that of the last one is not used; none without.
    """
    # The running integral of the profile at each edge. Cheaper by far than the overlap of each interval with each cell;
    # in single precision the difference of two integrals leaves an error of about 3e-5.
    inside = jnp.maximum(edges, faces[0])
    cell = jnp.clip(jnp.searchsorted(faces, inside, side="right") - 1, 0, values.shape[1] - 1)
    below = jnp.pad(jnp.cumsum(values * jnp.diff(faces), axis=1), ((0, 0), (1, 0)))
    past = inside - faces[cell]
    integral = below[:, cell] + values[:, cell] * past
    if slopes is not None:
        left = jnp.diff(faces)[cell] - past
        integral = integral - 0.5 * slopes.at[:, -1].set(0.0)[:, cell] * past * left
    return jnp.diff(integral, axis=1) / jnp.diff(edges)
