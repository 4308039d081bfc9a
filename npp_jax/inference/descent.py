"""Minimisation by gradients alone, for many parameters: L-BFGS or Adam (optax) from many starts at once.

The gradient of ½ Σ r² comes from one reverse pass, whose cost does not grow with the number of parameters. Steps are in
the unbounded coordinate z of `transform`. A step of L-BFGS is taken if the cost falls enough (Armijo), else it is
shortened; Adam takes every step that can be evaluated, and goes back to its best point with half the rate when it has
not improved for a while. Whether a start has converged is not for the gradient to say, which has the unit of the
parameters: every few evaluations the Jacobian is asked, and the criteria are those of `refine`.

The same Jacobian sets the metric of L-BFGS: its memory and its steps are in w = R z with Rᵀ R = Jᵀ J, in which a long
valley is round. Without it the coefficients of a free-form distribution, of which data fix some combinations orders of
magnitude better than others, take hundreds of steps.
"""

import functools
from collections.abc import Callable
from typing import Any, Literal, TypeAlias, cast

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from npp_jax.inference.linearisation import linearise, stationarity
from npp_jax.inference.parameter import Parameters
from npp_jax.inference.refine import ResidualsAndJacobian
from npp_jax.inference.refine_result import Iteration, Reason, RefineOptions, RefineResult
from npp_jax.inference.refine_step import negligible, share_is_wall
from npp_jax.inference.transform import (
    Ranges,
    check_inside,
    from_unbounded,
    ranges_of,
    theta_slope,
    to_scaled,
    to_theta,
    to_unbounded,
    unbounded_slope,
)

Method: TypeAlias = Literal["lbfgs", "adam"]

CostAndGradient: TypeAlias = Callable[[Array], tuple[Array, Array, Array]]
"""θ [start, parameter] ↦ (½ Σ r² [start], its gradient [start, parameter], ok [start])."""

_JUDGED = 10  # evaluations between two looks at the Jacobian
_INSIDE = 12.0  # largest |z| of a start; a start at an end of its range could not leave it
_AT_END = 1e-3  # of the range, within which a cost that falls outwards puts a parameter at the end
_ARMIJO = 1e-4
_SHORTEST = 1e-10
_FLOOR = 1e-5  # of the largest column of the Jacobian
_LONGEST = 4.0  # largest change of a z in one step: across a wall and back
_VANISHED = 1e-16  # cost over the first one, below which there is no direction left to measure
_RATE = 0.1
_SLOWEST = 1e-7
_PATIENCE = 8


def with_rows(gradient: CostAndGradient, augment: Callable[[ResidualsAndJacobian], ResidualsAndJacobian]):
    """Add what `augment` appends to the residuals, such as priors, to cost and gradient."""

    def nothing(theta: Array) -> tuple[Array, Array]:
        return jnp.zeros((len(theta), 0), theta.dtype), jnp.zeros((len(theta), 0, theta.shape[1]), theta.dtype)

    def summed(theta: Array) -> tuple[Array, Array, Array]:
        cost, slope, ok = gradient(theta)
        residual, jacobian, *_ = augment(nothing)(theta)
        more = jnp.einsum("nr,nrp->np", residual, jacobian)
        return cost + 0.5 * jnp.sum(residual**2, axis=1), slope + more, ok

    return summed


def descend(
    gradient: CostAndGradient,
    function: ResidualsAndJacobian,
    parameters: Parameters,
    starts: Float[np.ndarray, "start parameter"],
    *,
    method: Method = "lbfgs",
    options: RefineOptions | None = None,
    on_iteration: Callable[[Iteration], Any] | None = None,
) -> RefineResult:
    """Refine every start to a minimum of ½ Σ r², or say why not.

    Parameters
    ----------
    gradient
        Cost and gradient with respect to θ, for a batch.
    function
        Residuals and Jacobian of the same, to judge where a start is.
    parameters
        The parameters.
    starts
        Where each start begins. [units of the parameters]
    method
        "lbfgs" or "adam".
    options
        `iterations` and `offset` count, with the meaning that they have for `refine`.
    on_iteration
        Is told after each iteration how far it is.

    Raises
    ------
    ValueError
        If a start lies outside of its range.
    """
    options = options or RefineOptions()
    check_inside(parameters, jnp.asarray(starts))
    ranges = ranges_of(parameters)
    empty, ask = _directions(method)

    def evaluated(z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        cost, slope, ok = gradient(from_unbounded(ranges, jnp.asarray(z)))
        slope = np.asarray(slope * unbounded_slope(ranges, jnp.asarray(z)))
        good = np.asarray(ok) & np.isfinite(cost) & np.isfinite(slope).all(axis=1)
        return np.where(good, cost, np.inf), np.where(good[:, None], slope, 0.0), good

    z = np.asarray(to_unbounded(ranges, jnp.asarray(starts)))
    z = np.where(np.isfinite(ranges.low), np.clip(z, -_INSIDE, _INSIDE), z)
    cost, slope, good = evaluated(z)
    count, first = len(z), cost
    best, lowest = z.copy(), cost.copy()
    judged = _judge(function, ranges, options, best, slope)
    memory = empty(z)
    heading, memory = ask(judged["metric"], slope, memory, z)
    length = np.full(count, 1.0 if method == "lbfgs" else _RATE)
    idle, accepted, run_failures, run = (np.zeros(count, int) for _ in range(4))
    failed, evaluations = (~good).astype(int), np.ones(count, int)
    recent = np.zeros(count)
    reason = np.where(good, -1, Reason.FAILURE_WALL)
    for iteration in range(1, options.iterations + 1):
        running = reason < 0
        if not running.any():
            break
        move = length[:, None] * heading
        trial = z + np.clip(np.where(running[:, None], move, 0.0), -_LONGEST, _LONGEST)
        there, slope_there, good = evaluated(trial)
        evaluations += running
        failed += running & ~good
        recent = np.where(running, 0.9 * recent + 0.1 * ~good, recent)
        expected = np.sum(slope * (trial - z), axis=1)
        taken = running & good & ((there <= cost + _ARMIJO * expected) | (method == "adam"))
        run, run_failures = np.where(taken, 0, run + 1), np.where(taken, 0, run_failures + ~good)
        accepted += taken
        bend = np.sum((slope_there - slope) * (trial - z), axis=1)
        # The least of the parabola through both costs and the slope here; a failed step says nothing of it.
        with np.errstate(all="ignore"):
            parabola = -0.5 * expected / (there - cost - expected)
        shorter = length * np.where(good & np.isfinite(parabola), np.clip(parabola, 0.1, 0.5), 0.25)
        z, cost = np.where(taken[:, None], trial, z), np.where(taken, there, cost)
        slope = np.where(taken[:, None], slope_there, slope)
        better = taken & (cost < lowest)
        idle = np.where(cost < (1.0 - 1e-4) * lowest, 0, idle + 1)
        best, lowest = np.where(better[:, None], z, best), np.where(better, cost, lowest)
        if method == "lbfgs":
            # Pairs of the wrong curvature would turn the direction uphill, and a memory that leads nowhere is dropped.
            again = (taken & (bend <= 0.0)) | (running & ~taken & (shorter < _SHORTEST) & (run < 60))
            length = np.where(taken | again, 1.0, shorter)
            stuck = running & ~taken & (length < _SHORTEST)
            asked = taken | again
        else:
            again = running & (~good | (idle >= _PATIENCE))
            z, cost = np.where(again[:, None], best, z), np.where(again, lowest, cost)
            if again.any():
                slope = np.where(again[:, None], evaluated(best)[1], slope)
                evaluations += again
            idle = np.where(again, 0, idle)
            length = np.where(again, 0.5 * length, length)
            stuck = running & (length < _SLOWEST)
            asked = running
        last = iteration == options.iterations
        if last or stuck.any() or iteration % _JUDGED == 0:
            fresh = _judge(function, ranges, options, best, slope)
            judged = {key: _where(running, fresh[key], value) for key, value in judged.items()}
            done = running & (np.asarray(judged["done"]) | (lowest <= _VANISHED * first))
            there = np.where(np.asarray(judged["near"]), np.asarray(judged["reason"]), Reason.STALLED)
            ended = np.where(2 * run_failures >= np.maximum(run, 1), Reason.FAILURE_WALL, there)
            spent = np.where(np.asarray(judged["near"]), np.asarray(judged["reason"]), Reason.ITERATION_LIMIT)
            limit = np.where(share_is_wall(recent), Reason.FAILURE_WALL, spent)
            reason = np.where(running & stuck, ended, np.where(running & last, limit, reason))
            reason = np.where(done, np.asarray(judged["reason"]), reason)
            if method == "lbfgs":
                again, asked, length = again | running, asked | running, np.where(running, 1.0, length)
        memory = _where(again, empty(z), memory)
        updates, remembered = ask(judged["metric"], slope, memory, z)
        memory = _where(asked, remembered, memory)
        heading = np.where(asked[:, None], updates, heading)
        if on_iteration is not None:
            on_iteration(Iteration(iteration, options.iterations, jnp.asarray(lowest), jnp.asarray(reason >= 0)))
    known = np.isfinite(lowest)
    return RefineResult(
        theta=judged["theta"],
        cost=jnp.where(known, judged["cost"], jnp.inf),
        gradient_norm=judged["cosine"],
        offset=judged["offset"],
        iterations=jnp.asarray(accepted, jnp.int32),
        evaluations=jnp.asarray(evaluations, jnp.int32),
        failed_evaluations=jnp.asarray(failed, jnp.int32),
        reason=jnp.asarray(reason, jnp.int32),
        at_bound=judged["side"],
        insensitive=judged["insensitive"],
    )


@jax.jit
@jax.vmap
def _metric(jacobian: Float[Array, "residual parameter"]) -> Float[Array, "parameter parameter"]:
    """R of Rᵀ R = Jᵀ J + ε I, the identity where J is not known; ε keeps what the data do not fix from running away."""
    size = jacobian.shape[1]
    known = jnp.all(jnp.isfinite(jacobian)) & jnp.any(jacobian != 0.0)
    jacobian = jnp.where(known, jacobian, 0.0)
    floor = _FLOOR * jnp.max(jnp.linalg.norm(jacobian, axis=0))
    ridge = jnp.where(known, floor, 1.0) * jnp.eye(size, dtype=jacobian.dtype)
    return jnp.linalg.qr(jnp.concatenate([jacobian, ridge]), mode="r")


@functools.cache
def _directions(method: Method):
    """The empty memory of each start, and the function that turns metric, gradient and memory into a direction."""
    # Half a second of start that other methods do not pay for.
    import optax

    preconditioned = method == "lbfgs"
    transform = optax.scale_by_lbfgs(scale_init_precond=False) if preconditioned else optax.scale_by_adam()
    # optax is written for trees of arrays; here the tree is one array.
    update = cast(Callable[[Array, Any, Array], tuple[Array, Any]], transform.update)

    def ask(metric: Array, slope: Array, memory: Any, z: Array) -> tuple[Array, Any]:
        if not preconditioned:
            updates, memory = update(slope, memory, z)
            return -updates, memory
        raised = jax.scipy.linalg.solve_triangular(metric, slope, trans="T")
        updates, memory = update(raised, memory, metric @ z)
        return -jax.scipy.linalg.solve_triangular(metric, updates), memory

    return jax.jit(jax.vmap(transform.init)), jax.jit(jax.vmap(ask))


def _where(which: Bool[np.ndarray, " start"], yes: Any, no: Any) -> Any:
    """`yes` for some starts, `no` for the others, for any arrays with the axis start first."""
    return jax.tree.map(lambda a, b: jnp.where(which.reshape(-1, *(1,) * (a.ndim - 1)), a, b), yes, no)


def _judge(
    function: ResidualsAndJacobian, ranges: Ranges, options: RefineOptions, z: np.ndarray, slope: np.ndarray
) -> dict[str, Array]:
    """The criteria of `refine`, with parameters at an end of their range put there."""
    fraction = 1.0 / (1.0 + np.exp(-z))
    finite = np.isfinite(ranges.low)
    low = finite & (fraction < _AT_END) & (slope > 0.0)
    high = finite & (fraction > 1.0 - _AT_END) & (slope < 0.0)
    scaled = to_scaled(ranges, from_unbounded(ranges, jnp.asarray(z)))
    scaled = jnp.where(low, ranges.low, jnp.where(high, ranges.high, scaled))
    theta = to_theta(ranges, scaled)
    residual, jacobian, *_ = function(theta)
    return {
        "theta": theta,
        "metric": _metric(jacobian * unbounded_slope(ranges, jnp.asarray(z))[:, None]),
        **_criteria(ranges, options, scaled, residual, jacobian * theta_slope(ranges, theta)[:, None]),
    }


@jax.jit
def _criteria(
    ranges: Ranges, options: RefineOptions, scaled: Array, residual: Array, jacobian: Array
) -> dict[str, Array]:
    low, high = jnp.asarray(ranges.low, scaled.dtype), jnp.asarray(ranges.high, scaled.dtype)

    def one(scaled: Array, residual: Array, jacobian: Array) -> dict[str, Array]:
        model, finite = linearise(residual, jacobian)
        quality = stationarity(model, scaled, low, high, jnp.zeros(scaled.shape, bool), options.rank)
        side = (scaled >= high).astype(jnp.int32) - (scaled <= low).astype(jnp.int32)
        insensitive = quality.free & (quality.column == 0.0)
        success = jnp.where(
            jnp.any(insensitive), Reason.INSENSITIVE, jnp.where(jnp.any(side != 0), Reason.AT_BOUND, Reason.CONVERGED)
        )
        return {
            "cost": model.cost,
            "cosine": quality.cosine,
            "offset": quality.offset,
            "insensitive": insensitive,
            "side": side,
            "reason": success,
            "near": finite & negligible(quality.offset, residual.shape[0]),
            "done": finite & (quality.offset <= options.offset) & (quality.cosine <= options.offset),
        }

    return jax.vmap(one)(scaled, residual, jacobian)
