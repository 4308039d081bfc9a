"""Newton's method for one implicit stage, with the derivative of the converged solution.

Solves   M(y) - base - w k(y, v) = 0,   g(y, v) = 0
for the unknowns y of the cells and one scalar v that couples to all of them. The matrix is block tridiagonal with a
border; the iteration itself is never differentiated. A last step from the converged point, in which the residual is
differentiated and the matrix is not, carries the derivative (implicit function theorem), forward and reverse.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from npp_jax.solver.block_tridiagonal import solve

Unknowns = tuple[Array, ...]

NEAR = 0.2
"""Largest change (fraction of the bulk) that the last step makes without limits."""


class LinearSystem(NamedTuple):
    """Residual of a stage and its derivatives."""

    residual: Unknowns
    lower: tuple[Unknowns, ...]
    diagonal: tuple[Unknowns, ...]
    upper: tuple[Unknowns, ...]
    column: Unknowns | None
    """∂residual/∂v, or None where v is given."""
    closure: Array
    row: Unknowns | None
    """∂g/∂y, or None where the iteration takes the closure as independent of y."""
    corner: Array


class NewtonResult(NamedTuple):
    """Solution of a stage and what it took."""

    y: Unknowns
    v: Array
    update: Array
    """Largest change of an unknown fraction in the last iteration, shape [*batch]."""
    iterations: Array
    """Iterations made, shape [*batch]."""


def correction(system: LinearSystem) -> tuple[Unknowns, Array]:
    """Newton correction (δy, δv) of the bordered block-tridiagonal system."""
    stop = jax.lax.stop_gradient
    blocks = stop((system.lower, system.diagonal, system.upper))
    if system.column is None:
        (change,) = solve(*blocks, system.residual)
        return jax.tree.map(jnp.negative, change), jnp.zeros_like(system.closure)
    if system.row is None:
        (plain,) = solve(*blocks, system.residual)
        return jax.tree.map(jnp.negative, plain), -system.closure / system.corner
    plain, response = solve(*blocks, system.residual, stop(system.column))
    response = stop(response)
    row = stop(system.row)
    dot = lambda a, b: sum(jnp.sum(p * q, axis=0) for p, q in zip(a, b, strict=True))  # noqa: E731
    change_v = (dot(row, plain) - system.closure) / stop(system.corner - dot(row, response))
    return tuple(-p - r * change_v for p, r in zip(plain, response, strict=True)), change_v


def newton(
    linearise: Callable[..., LinearSystem],
    limit: Callable[[Unknowns, Unknowns], Unknowns],
    y: Unknowns,
    v: Array,
    *,
    prescribed: bool,
    cap: Array,
    tolerance: float,
) -> NewtonResult:
    """Solve one stage.

    Parameters
    ----------
    linearise
        Residual and derivatives at (y, v); with `exact=True` complete ones, with `exact=False` those of the iteration.
    limit
        Applies a correction to the unknowns within their bounds.
    y, v
        Start.
    prescribed
        Whether v is given and not an unknown; it then passes its derivative on.
    cap
        Iterations after which the loop stops, apart from the last, derivative-carrying one.
    tolerance
        A batch member whose largest change of the first unknown is below this is left as it is.
    """
    stop = jax.lax.stop_gradient

    def advance(y: Unknowns, v: Array, step: Unknowns, step_v: Array) -> tuple[Unknowns, Array]:
        return limit(y, step), jnp.clip(v + step_v, 0.5 * v, 2.0 * v)

    def body(state: tuple) -> tuple:
        y, v, update, count, turn = state
        step, step_v = correction(linearise(y, v, exact=False))
        new_y, new_v = advance(y, v, step, step_v)
        change = jnp.max(jnp.abs(new_y[0] - y[0]), axis=0)
        active = ~(update <= tolerance)
        keep = lambda new, old: jnp.where(active, new, old)  # noqa: E731
        y = jax.tree.map(keep, new_y, y)
        return y, keep(new_v, v), keep(change, update), count + active, turn + 1

    def unfinished(state: tuple) -> Array:
        _, _, update, _, turn = state
        return (turn < cap) & jnp.any(update > tolerance)

    within = limit(stop(y), jax.tree.map(jnp.zeros_like, y))
    given = v
    start = (within, stop(v), jnp.full(v.shape, jnp.inf, v.dtype), jnp.zeros(v.shape, jnp.int32), jnp.int32(0))
    y, v, _, count, _ = jax.lax.while_loop(unfinished, body, start)
    y, v = stop(y), given if prescribed else stop(v)
    step, step_v = correction(linearise(y, v, exact=True))
    # Near the solution the plain linear step, which conserves exactly what the rates conserve; far from it the
    # limited one.
    near = jnp.max(jnp.abs(stop(step[0])), axis=0) < NEAR
    new_y = jax.tree.map(lambda a, d, b: jnp.where(near, a + d, b), y, step, limit(y, stop(step)))
    new_v = v if prescribed else jnp.clip(v + step_v, 0.5 * v, 2.0 * v)
    update = jnp.max(jnp.abs(stop(new_y[0]) - y[0]), axis=0)
    return NewtonResult(new_y, new_v, update, count + 1)
