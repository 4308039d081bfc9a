"""Interpolation in tables whose first axis is the knot and whose other axes are a batch."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array


def align(*tables: Array) -> tuple[Array, ...]:
    """Give tables of shape [knot, *batch] the same rank: axes of length one go between knot and batch."""
    rank = max(table.ndim for table in tables)
    return tuple(table.reshape(table.shape[:1] + (1,) * (rank - table.ndim) + table.shape[1:]) for table in tables)


def locate(x: Array, knots: Array) -> Array:
    """Index of the interval of `knots` in which each `x` lies, between 0 and len(knots) - 2.

    Counts the knots below: no branch, no gather, the same work for every batch member.

    Parameters
    ----------
    x
        Points, shape [point, *batch].
    knots
        Increasing knots, shape [knot, *batch] or [knot].
    """
    inner = knots[1:-1]
    inner = inner.reshape(inner.shape + (1,) * (x.ndim - inner.ndim))
    return jnp.sum(x[None] >= inner[:, None], axis=0, dtype=jnp.int32)


def take(values: Array, index: Array) -> Array:
    """Entries values[index] along the first axis, batch axis by batch axis; indices from 0 to len(values) - 1."""
    values = values.reshape(values.shape + (1,) * (index.ndim - values.ndim))
    table = jnp.broadcast_to(values, (values.shape[0], *index.shape[1:]))
    return jnp.take_along_axis(table, index, axis=0, mode="promise_in_bounds")


def hermite_slopes(knots: Array, values: Array, *, limited: bool = True) -> Array:
    """Slopes at the knots for cubic interpolation: second-order differences that keep monotone data monotone.

    Where `limited`, no slope exceeds three times a neighbouring secant, and extrema are flat: F. N. Fritsch and
    R. E. Carlson, SIAM J. Numer. Anal. 17 (1980) 238.
    """
    width = jnp.diff(knots, axis=0)
    secant = jnp.diff(values, axis=0) / width
    inner = (secant[:-1] * width[1:] + secant[1:] * width[:-1]) / (width[1:] + width[:-1])
    if not limited:
        return jnp.concatenate([secant[:1], inner, secant[-1:]])
    bound = 3.0 * jnp.minimum(jnp.abs(secant[:-1]), jnp.abs(secant[1:]))
    inner = jnp.where(secant[:-1] * secant[1:] > 0.0, jnp.clip(inner, -bound, bound), 0.0)
    return jnp.concatenate([secant[:1], inner, secant[-1:]])


def hermite(t: Array, y0: Array, y1: Array, m0: Array, m1: Array) -> Array:
    """Cubic on [0, 1] with the end values y and end slopes m."""
    return y0 + t * (m0 + t * (3.0 * (y1 - y0) - 2.0 * m0 - m1 + t * (2.0 * (y0 - y1) + m0 + m1)))


@functools.partial(jax.jit, static_argnames="limited")
def interpolate(x: Array, knots: Array, values: Array, *, limited: bool = True) -> Array:
    """Piecewise cubic Hermite interpolation with second-order slopes, linear beyond the ends.

    Parameters
    ----------
    x
        Points, any shape that broadcasts against the batch of the table, usually [point, *batch].
    knots, values
        Table, shape [knot, *batch] or [knot]; `knots` increasing.
    limited
        Whether the slopes keep monotone data monotone; otherwise the curve is smooth in the values.
    """
    points, shape = _points(x, knots, values)
    t, _, (y0, y1, m0, m1), _ = _pieces(points, *align(knots, values), limited=limited)
    beyond = jnp.where(t < 0.0, t * m0, jnp.where(t > 1.0, (t - 1.0) * m1, 0.0))
    return (hermite(jnp.clip(t, 0.0, 1.0), y0, y1, m0, m1) + beyond).reshape(shape)


@functools.partial(jax.jit, static_argnames="limited")
def integral_of_exponential(x: Array, knots: Array, values: Array, *, limited: bool = True) -> Array:
    """∫ exp(y) dx from the first knot to `x`, y the interpolant of `interpolate`, but constant beyond the ends.

    By Gauss quadrature from the knot below, and so from one knot to the next: the integral has no jumps.

    Parameters
    ----------
    x, knots, values, limited
        As of `interpolate`.
    """
    points, shape = _points(x, knots, values)
    knots, values = align(knots, values)
    t, step, piece, index = _pieces(points, knots, values, limited=limited)
    whole = jnp.diff(knots, axis=0) * _mean_exponential(
        jnp.ones_like(jnp.diff(knots + values, axis=0)), *_every_piece(knots, values, limited=limited)
    )
    below = jnp.concatenate([jnp.zeros_like(whole[:1]), jnp.cumsum(whole, axis=0)])
    inside = jnp.clip(t, 0.0, 1.0)
    found = take(below, index) + step * inside * _mean_exponential(inside, *piece)
    before, after = jnp.minimum(points - knots[0], 0.0), jnp.maximum(points - knots[-1], 0.0)
    return (found + before * jnp.exp(values[0]) + after * jnp.exp(values[-1])).reshape(shape)


_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(6)


def _mean_exponential(t: Array, y0: Array, y1: Array, m0: Array, m1: Array) -> Array:
    """Mean of exp(cubic) over [0, t]."""
    terms = [
        float(0.5 * w) * jnp.exp(hermite(float(0.5 * (1.0 + s)) * t, y0, y1, m0, m1))
        for s, w in zip(_NODES, _WEIGHTS, strict=True)
    ]
    return functools.reduce(jnp.add, terms)


def _points(x: Array, knots: Array, values: Array) -> tuple[Array, tuple[int, ...]]:
    """Points as [point, *batch of the table], and the shape that the result has."""
    knots, values = align(knots, values)
    batch = jnp.broadcast_shapes(knots.shape[1:], values.shape[1:])
    shape = jnp.broadcast_shapes(x.shape, batch)
    return jnp.broadcast_to(x, shape).reshape(-1, *batch), shape


def _every_piece(knots: Array, values: Array, *, limited: bool) -> tuple[Array, Array, Array, Array]:
    """End values of the cubic of every interval, and its end slopes over the interval."""
    slope, step = hermite_slopes(knots, values, limited=limited), jnp.diff(knots, axis=0)
    return values[:-1], values[1:], slope[:-1] * step, slope[1:] * step


def _pieces(
    points: Array, knots: Array, values: Array, *, limited: bool
) -> tuple[Array, Array, tuple[Array, ...], Array]:
    """Where points lie in their intervals, as shares, lengths of these, their cubics, and their numbers."""
    index = locate(points, knots)
    left, step = take(knots, index), take(jnp.diff(knots, axis=0), index)
    cubic = tuple(take(part, index) for part in _every_piece(knots, values, limited=limited))
    return (points - left) / step, step, cubic, index
