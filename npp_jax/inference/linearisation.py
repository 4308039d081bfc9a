"""Linear algebra of one Levenberg–Marquardt step: a model r + J δ in compressed form, its damped minimum in a box.

All arrays are those of one start, in the scaled coordinate.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float


class Linearisation(NamedTuple):
    """The linear model |r + J δ|² = |c + R δ|² + constant, from the QR factors of J."""

    factor: Float[Array, "parameter parameter"]
    """R."""
    projection: Float[Array, " parameter"]
    """c = Qᵀ r."""
    cost: Float[Array, ""]
    """½ |r|²."""

    @property
    def gradient(self) -> Float[Array, " parameter"]:
        """Jᵀ r."""
        return self.factor.T @ self.projection


class Stationarity(NamedTuple):
    """How far a point is from a minimum."""

    free: Bool[Array, " parameter"]
    """Neither fixed nor held by an end of its range."""
    column: Float[Array, " parameter"]
    """Norms of the columns of J."""
    cosine: Float[Array, ""]
    """Largest |cos| between r and a free column."""
    offset: Float[Array, ""]
    """|P r| / |r|, P the projector onto the free columns."""
    newton: Float[Array, " parameter"]
    """Gauss–Newton step of the free parameters."""


def linearise(
    residual: Float[Array, " residual"], jacobian: Float[Array, "residual parameter"]
) -> tuple[Linearisation, Bool[Array, ""]]:
    """Compress residual and Jacobian, and say whether all is finite; else the model is zero and the cost infinite."""
    cost = 0.5 * jnp.sum(residual * residual)
    finite = jnp.isfinite(cost) & jnp.all(jnp.isfinite(jacobian))
    table = jnp.where(finite, jnp.concatenate([jacobian, residual[:, None]], axis=1), 0.0)
    missing = table.shape[1] - table.shape[0]
    if missing > 0:
        table = jnp.pad(table, ((0, missing), (0, 0)))
    triangle = jnp.linalg.qr(table, mode="r")
    return Linearisation(triangle[:-1, :-1], triangle[:-1, -1], jnp.where(finite, cost, jnp.inf)), finite


def _held_by_range(gradient: Array, scaled: Array, low: Array, high: Array) -> Array:
    """At an end of the range, with lower cost outside."""
    return ((scaled <= low) & (gradient >= 0.0)) | ((scaled >= high) & (gradient <= 0.0))


def stationarity(
    model: Linearisation,
    scaled: Float[Array, " parameter"],
    low: Float[Array, " parameter"],
    high: Float[Array, " parameter"],
    fixed: Bool[Array, " parameter"],
    rank: Float[ArrayLike, ""],
) -> Stationarity:
    """Measures of convergence at a point; `rank` is the relative singular value that counts as zero."""
    gradient = model.gradient
    free = ~fixed & ~_held_by_range(gradient, scaled, low, high)
    column = jnp.linalg.norm(model.factor, axis=0)
    unit = jnp.where(column > 0.0, column, 1.0)
    length = jnp.sqrt(2.0 * model.cost)
    safe_length = jnp.where(length > 0.0, length, 1.0)
    cosine = jnp.max(jnp.where(free, jnp.abs(gradient) / unit, 0.0), initial=0.0) / safe_length

    left, singular, right = jnp.linalg.svd(jnp.where(free, model.factor / unit, 0.0), full_matrices=False)
    kept = singular > rank * jnp.max(singular, initial=0.0)
    component = jnp.where(kept, left.T @ model.projection, 0.0)
    offset = jnp.linalg.norm(component) / safe_length
    newton = -(right.T @ (component / jnp.where(kept, singular, 1.0))) / unit
    return Stationarity(free, column, cosine, offset, newton)


def damped_step(
    model: Linearisation,
    scaled: Float[Array, " parameter"],
    low: Float[Array, " parameter"],
    high: Float[Array, " parameter"],
    fixed: Bool[Array, " parameter"],
    scale: Float[Array, " parameter"],
    damping: Float[Array, ""],
) -> Float[Array, " parameter"]:
    """Step δ that minimises ½ |c + R δ|² + ½ μ |D δ|² in the box.

    Parameters that would leave the box stop at its wall, and the others are solved for again, until none leaves.
    """
    size = model.projection.shape[0]
    unit = jnp.where(scale > 0.0, scale, 1.0)
    root = jnp.sqrt(damping) * jnp.eye(size, dtype=model.factor.dtype)

    def solve(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        step, held, _ = carry
        matrix = jnp.concatenate([jnp.where(held, 0.0, model.factor / unit), root])
        target = -(model.projection + model.factor @ jnp.where(held, step, 0.0))
        q, r = jnp.linalg.qr(matrix)
        moved = jax.scipy.linalg.solve_triangular(r, q[:size].T @ target) / unit
        step = jnp.where(held, step, moved)
        end = jnp.clip(scaled + step, low, high)
        leaves = ~held & (end != scaled + step)
        return jnp.where(leaves, end - scaled, step), held | leaves, jnp.any(leaves)

    gradient = model.gradient
    held = fixed | _held_by_range(gradient, scaled, low, high)
    start = jnp.zeros_like(scaled), held, jnp.asarray(True)
    step, _, _ = jax.lax.while_loop(lambda carry: carry[2], solve, start)
    return step


def promised_decrease(model: Linearisation, step: Float[Array, " parameter"]) -> Float[Array, ""]:
    """Decrease of the cost by a step δ, in the linear model."""
    change = model.factor @ step
    return -(change @ model.projection) - 0.5 * (change @ change)
