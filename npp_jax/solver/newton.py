"""Newton's method for one implicit stage, with the derivative of its solution.

Solves   M(y) - base - w k(y, v) = 0,   g(y, v) = 0
for the unknowns y of the cells and one scalar v that couples to all of them. The derivative follows from the implicit
function theorem with the complete, bordered matrix, forward and reverse. The iteration, which is never differentiated,
uses the same matrix, or one that is written out: bordered as well, or block tridiagonal with v taken one step behind.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from npp_jax.solver.block_tridiagonal import Block, Vector, probe, solve

Residual = Callable[..., tuple[Vector, Array]]
"""(y, v) ↦ residual of the cells and of the closure g.

A third argument, the largest change in the iteration before, tells that derivatives serve an iteration alone: far from
the solution they may leave out what would mislead it.
"""

NEAR = 0.2
"""Largest change (fraction of the bulk) that the last iteration makes without limits."""


HALVINGS = 10
"""How often a guarded correction is halved at most."""

DESCENT = 1e-4
"""Share of the fall of the residual that the length of a correction promises, below which it is halved."""


class LinearSystem(NamedTuple):
    """Residual of a stage and the derivatives that the iteration uses."""

    residual: Vector
    lower: Block
    diagonal: Block
    upper: Block
    closure: Array
    """g."""
    corner: Array
    """∂g/∂v along the response."""
    row: Vector | None
    """∂g/∂y, or None where g is taken as independent of y."""
    response: Vector | None
    """dy/dv by which y follows v at once; None where it does not."""
    column: Vector | None = None
    """∂residual/∂v; None where v is taken one iteration behind."""


class NewtonResult(NamedTuple):
    """Solution of a stage and what it took."""

    y: Vector
    v: Array
    update: Array
    """Largest change of the watched unknowns in the last iteration, shape [*batch]."""
    iterations: Array
    """Iterations made, shape [*batch]."""


def newton(
    residual: Residual,
    linearise: Callable[[Vector, Array, Array], LinearSystem] | None,
    limit: Callable[[Vector, Vector], Vector],
    change: Callable[[Vector, Vector], Array],
    y: Vector,
    v: Array,
    *,
    prescribed: bool,
    cap: Array,
    tolerance: float,
    positive: bool = True,
    guarded: bool = False,
) -> NewtonResult:
    """Solve one stage.

    Parameters
    ----------
    residual
        What shall vanish; differentiated.
    linearise
        The same, of three arguments, with the derivatives of the iteration; None: those of the residual.
    limit
        Applies a correction to the unknowns within their bounds.
    change
        (y, correction) ↦ its size, which tells convergence, shape [*batch].
    y, v
        Start.
    prescribed
        Whether v is given and not an unknown.
    cap
        Iterations after which the loop stops, apart from the last one.
    tolerance
        A batch member whose change is below this is left as it is.
    positive
        Whether v stays positive: an iteration changes it by a factor of two at most.
    guarded
        Whether a correction is halved until the sum of the moduli of the residual falls. For diffusion with a D(c) that
        jumps, where plain iterations go round in circles, it falls along the correction of Newton always.
    """

    def bounded(new_v: Array, v: Array) -> Array:
        return jnp.clip(new_v, 0.5 * v, 2.0 * v) if positive else new_v

    def correct(y: Vector, v: Array, last: Array) -> tuple[Vector, Array]:
        if linearise is None:
            return by_residual(y, v, last)
        system = linearise(y, v, last)
        if system.column is not None and system.row is not None and not prescribed:
            plain, along = solve(system.lower, system.diagonal, system.upper, system.residual, system.column)
            rise = (system.closure - _dot(system.row, plain)) / (system.corner - _dot(system.row, along))
            new_v = bounded(v - rise, v)
            return tuple(r * (v - new_v) - p for p, r in zip(plain, along, strict=True)), new_v
        (excess,) = solve(system.lower, system.diagonal, system.upper, system.residual)
        step = jax.tree.map(jnp.negative, excess)
        if prescribed:
            return step, v
        closure = system.closure if system.row is None else system.closure + _dot(system.row, step)
        new_v = bounded(v - closure / system.corner, v)
        if system.response is not None:
            step = tuple(d + r * (new_v - v) for d, r in zip(step, system.response, strict=True))
        return step, new_v

    def by_residual(y: Vector, v: Array, last: Array) -> tuple[Vector, Array]:
        if prescribed:
            value, jacobian = jax.linearize(lambda y: residual(y, v, last)[0], y)
            return jax.tree.map(jnp.negative, _solve_tangents(jacobian, value)), v
        value, jacobian = jax.linearize(lambda x: residual(*x, last), (y, v))
        plain, response, rise = _bordered(jacobian, value)
        new_v = bounded(v - rise, v)
        return tuple(r * (v - new_v) - p for p, r in zip(plain, response, strict=True)), new_v

    def shorter(y: Vector, step: Vector, v: Array) -> Vector:
        """The correction, halved as often as is needed."""
        norm = lambda y: functools.reduce(  # noqa: E731
            jnp.add, [jnp.sum(jnp.abs(part), axis=0) for part in residual(y, v)[0]]
        )
        scaled = lambda share: jax.tree.map(lambda d: share * d, step)  # noqa: E731
        before = norm(y)

        def halve(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
            share, _, turn = state
            worse = ~(norm(limit(y, scaled(share))) <= (1.0 - DESCENT * share) * before)
            return jnp.where(worse, 0.5 * share, share), worse, turn + 1

        first = (jnp.ones_like(v), jnp.ones_like(v, bool), jnp.int32(0))
        share, _, _ = jax.lax.while_loop(lambda state: jnp.any(state[1]) & (state[2] < HALVINGS), halve, first)
        return scaled(share)

    def body(state: tuple) -> tuple:
        y, v, update, count, turn, _ = state
        # What is no number any more stays none, however many iterations follow.
        last = (turn >= cap) | jnp.all(~(update > tolerance))
        whole, new_v = correct(y, v, update)
        step = shorter(y, whole, new_v) if guarded else whole
        # Near the solution the last step is the plain one, which conserves exactly what the rates conserve.
        near = last & (change(y, step) < NEAR)
        new_y = jax.tree.map(lambda a, d, b: jnp.where(near, a + d, b), y, step, limit(y, step))
        # What the limits have cut off would not be told from convergence, nor what has been halved away.
        size = change(y, jax.tree.map(lambda a, b, d: jnp.where(last, d, a - b), new_y, y, whole))
        active = last | ~(update <= tolerance)
        keep = lambda new, old: jnp.where(active, new, old)  # noqa: E731
        y = jax.tree.map(keep, new_y, y)
        return y, keep(new_v, v), keep(size, update), count + active, turn + 1, last

    def iterate(start: Vector, v: Array) -> tuple[tuple[Vector, Array], tuple[Array, Array]]:
        inside = limit(start, jax.tree.map(jnp.zeros_like, start))
        none = jnp.zeros_like(v)
        first = (inside, v, none + jnp.inf, none, jnp.int32(0), jnp.bool_(False))
        y, v, update, count, _, _ = jax.lax.while_loop(lambda state: ~state[-1], body, first)
        return (y, v), (update, count)

    def iterate_cells(start: Vector) -> tuple[Vector, tuple[Array, Array]]:
        (y, _), taken = iterate(start, v)
        return y, taken

    root = functools.partial(jax.lax.custom_root, has_aux=True)
    if prescribed:
        y, (update, count) = root(
            lambda y: residual(y, v)[0], y, lambda _, start: iterate_cells(start), _solve_tangents
        )
    else:
        (y, v), (update, count) = root(
            lambda x: residual(*x), (y, v), lambda _, start: iterate(*start), _solve_bordered_tangents
        )
    return NewtonResult(y, v, update, count.astype(jnp.int32))


def _dot(a: Vector, b: Vector) -> Array:
    return sum(jnp.sum(p * q, axis=0) for p, q in zip(a, b, strict=True))  # pyright: ignore


def _solve_tangents(jacobian: Callable[[Vector], Vector], rhs: Vector) -> Vector:
    """Solve J t = b, J block tridiagonal and given as a linear map."""
    (solution,) = solve(*probe(jacobian, rhs), rhs)
    return solution


def _solve_bordered_tangents(
    jacobian: Callable[[tuple[Vector, Array]], tuple[Vector, Array]], rhs: tuple[Vector, Array]
) -> tuple[Vector, Array]:
    """The same with one row and column more: ∂g/∂y, ∂residual/∂v and ∂g/∂v."""
    plain, response, v = _bordered(jacobian, rhs)
    return tuple(p - r * v for p, r in zip(plain, response, strict=True)), v


def _bordered(
    jacobian: Callable[[tuple[Vector, Array]], tuple[Vector, Array]], rhs: tuple[Vector, Array]
) -> tuple[Vector, Vector, Array]:
    """Solution for the cells at given v, -dy/dv by which they follow it, and v."""
    right, bottom = rhs
    zero = jnp.zeros_like(bottom)
    nothing = jax.tree.map(jnp.zeros_like, right)
    column, corner = jacobian((nothing, jnp.ones_like(bottom)))
    by_cells = jax.linear_transpose(lambda y: jacobian((y, zero))[1], nothing)
    (row,) = by_cells(jnp.ones_like(bottom))
    plain, response = solve(*probe(lambda y: jacobian((y, zero))[0], nothing), right, column)
    return plain, response, (bottom - _dot(row, plain)) / (corner - _dot(row, response))
