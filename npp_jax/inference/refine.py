"""Least squares from many starts at once: Levenberg–Marquardt with bounds, and stopping that tells the truth.

Minimises C(θ) = ½ Σ r(θ)² for every start of a batch. The caller evaluates residuals and Jacobian of the whole batch;
here, one start is written down and mapped over the batch. Steps are in the scaled coordinate s of `transform`,

    minimise ½ |r + J δ|² + ½ μ |D δ|²   with s + δ inside the box,

where D holds the largest recent norm of each column of J, and μ follows the gain ratio (actual over predicted
decrease). A step that fails (residuals not finite, or refused by the caller) is a rejected step.

A start has converged when the residual is perpendicular to what the free parameters can change: Bates and Watts'
relative offset |P r| / |r|, with P the projector onto the columns of J, and the cosine between r and each column are
both below the tolerance. They do not depend on the units of parameters and residuals. Multiplied by √n for n
residuals of unit variance, the offset is the distance to the minimum in standard errors. Neither a small step nor a
small decrease counts as convergence.

References
----------
J. J. Moré, "The Levenberg–Marquardt algorithm: implementation and theory", Lect. Notes Math. 630, 105 (1978).
H. B. Nielsen, "Damping parameter in Marquardt's method", IMM-REP-1999-05 (1999).
D. M. Bates, D. G. Watts, "A relative offset orthogonality convergence criterion", Technometrics 23, 179 (1981).
"""

from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Any, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float, Int

from npp_jax._compile import jit_small
from npp_jax.inference.linearisation import Linearisation, damped_step, linearise, stationarity
from npp_jax.inference.transform import Bounds, Ranges, check_inside, ranges_of, theta_slope, to_scaled, to_theta

ResidualsAndJacobian: TypeAlias = Callable[[Array], tuple[Array, ...]]
"""θ [start, parameter] ↦ (r [start, residual], ∂r/∂θ [start, residual, parameter]) and, if wanted, ok [start]."""


class Reason(IntEnum):
    """Why a start ended."""

    CONVERGED = 0
    AT_BOUND = 1
    INSENSITIVE = 2
    STALLED = 3
    FAILURE_WALL = 4
    ITERATION_LIMIT = 5


REASON_ADVICE = {
    Reason.CONVERGED: "converged to a minimum inside the ranges",
    Reason.AT_BOUND: "converged, with parameters at an end of their range: widen the range or fix them",
    Reason.INSENSITIVE: "residuals do not depend on some parameters here: fix them or start elsewhere",
    Reason.STALLED: "no step lowers the misfit although it is not at a minimum: derivatives or residuals are too rough",
    Reason.FAILURE_WALL: "steps towards a lower misfit fail: the model cannot be evaluated there, change the ranges",
    Reason.ITERATION_LIMIT: "still improving: raise the iterations",
}
"""What each reason means and what to try."""


SAME_MINIMUM = 0.01
"""Difference of the cost ½χ² below which two ends are taken for the same minimum: 0.14 standard deviations."""


class RefineOptions(eqx.Module):
    """Numerical choices of `refine`."""

    iterations: int = 100
    """Largest number of evaluations after the first, for each start."""
    offset: float = 1e-5
    """Largest relative offset, and cosine, of a converged start."""
    step: float = 1e-10
    """Where residuals vanish: largest Gauss–Newton step left, as a fraction of the range, or of |s| without a range."""
    rank: float = 1e-8
    """Singular values of the column-normalised Jacobian below this fraction of the largest count as zero."""
    damping: float = 1e-3
    """First μ."""


class RefineResult(eqx.Module):
    """How each start ended."""

    theta: Float[Array, "start parameter"]
    """Best parameters. [units of the parameters]"""
    cost: Float[Array, " start"]
    """½ Σ r²; infinite where even the start could not be evaluated."""
    gradient_norm: Float[Array, " start"]
    """Largest |cos| of the angle between the residual and the Jacobian column of a free parameter."""
    offset: Float[Array, " start"]
    """Relative offset |P r| / |r|, over the free parameters."""
    iterations: Int[Array, " start"]
    """Accepted steps."""
    evaluations: Int[Array, " start"]
    """Evaluations until the start ended."""
    failed_evaluations: Int[Array, " start"]
    """Those of them that failed."""
    reason: Int[Array, " start"]
    """A `Reason`."""
    at_bound: Int[Array, "start parameter"]
    """-1 at the low end of the range, +1 at the high end, 0 inside."""
    insensitive: Bool[Array, "start parameter"]
    """Parameters on which the residuals do not depend at the end."""

    def best(self) -> int:
        """Index of the start of lowest cost; of those within `SAME_MINIMUM` of it, the lowest that ended in a minimum.

        Where the residuals are not quite smooth, starts end side by side in the same minimum and not all can tell.
        """
        ended = (self.reason == Reason.CONVERGED) | (self.reason == Reason.AT_BOUND)
        same = ended & (self.cost <= jnp.min(self.cost) + SAME_MINIMUM)
        return int(jnp.argmin(jnp.where(same | ~jnp.any(same), self.cost, jnp.inf)))


class _State(eqx.Module):
    """What the next step of one start needs."""

    scaled: Float[Array, " parameter"]
    trial: Float[Array, " parameter"]
    here: Linearisation
    largest: Float[Array, " parameter"]
    predicted: Float[Array, ""]
    damping: Float[Array, ""]
    growth: Float[Array, ""]
    first_cost: Float[Array, ""]
    recent_failures: Float[Array, ""]
    run: Int[Array, ""]
    run_failures: Int[Array, ""]
    gradient_norm: Float[Array, ""]
    offset: Float[Array, ""]
    iterations: Int[Array, ""]
    evaluations: Int[Array, ""]
    failed_evaluations: Int[Array, ""]
    reason: Int[Array, ""]
    insensitive: Bool[Array, " parameter"]


_RUNNING = -1
_BLOCK = 16  # starts judged at once: one compilation serves any number of them; a single start has its own
_FORGET = 0.1  # what is kept of the largest column norm: a start far out must not brake all later steps
_GAIN = 1e-4  # least gain ratio of an accepted step
_SMALLEST_DAMPING = 1e-14
_LARGEST_DAMPING = 1e20
_SMALLEST_STEP = 1e-13  # fraction of the range
_VANISHED = 1e-8  # residual over the first one, below which the step may decide on convergence
_ROUNDING_OFFSET = 3e-6  # below it the decrease, ½ offset², drowns in the rounding of the cost: gradients give it
_NO_EFFECT = 1e-12  # change of the residual across the range, as a fraction of it
_MEMORY = 0.9  # of the recent share of failures
_WALL = 0.25  # recent share of failures that makes the iteration limit a wall


def refine(
    function: ResidualsAndJacobian,
    bounds: Bounds,
    starts: ArrayLike | Sequence[Sequence[float | int]],
    *,
    fixed: ArrayLike | None = None,
    options: RefineOptions | None = None,
    on_iteration: Callable[[int, Array], Any] | None = None,
) -> RefineResult:
    """Refine every start to a minimum of ½ Σ r², or say why not.

    Parameters
    ----------
    function
        Residuals and their Jacobian with respect to θ, for a batch. It is called once for each iteration, always
        with all starts, so that it compiles once.
    bounds
        The parameters.
    starts
        Where each start begins. [units of the parameters], shape [start, parameter]
    fixed
        True for parameters that keep their value: for all starts, shape [parameter], or for each, [start, parameter].
    options
        Numerical choices.
    on_iteration
        Called with the number of the iteration and the cost of each start, for showing progress.

    Raises
    ------
    ValueError
        If a start lies outside of its range, or the arrays do not fit together.
    """
    options = options or RefineOptions()
    theta = jnp.asarray(starts)
    theta = theta if jnp.issubdtype(theta.dtype, jnp.floating) else theta.astype(float)
    if theta.ndim != 2 or theta.shape[1] != len(bounds):
        raise ValueError(f"starts have the shape {theta.shape}; [start, {len(bounds)}] is needed")
    check_inside(bounds, theta)
    held = jnp.broadcast_to(jnp.asarray(False if fixed is None else fixed), theta.shape)
    ranges = ranges_of(bounds)
    count = len(theta)
    block = 1 if count == 1 else _BLOCK
    blocks = -(-count // block)
    # The last start fills the last block up.
    filled = np.minimum(np.arange(blocks * block), count - 1)

    def cut(whole: Array) -> list[np.ndarray]:
        return np.split(np.asarray(whole)[filled], blocks)

    def joined(parts: Sequence[Any]) -> Any:
        return jax.tree.map(lambda *leaves: jnp.asarray(np.concatenate(leaves)[:count]), *parts)

    fixed_parts = cut(held)
    states = [_begin(ranges, part, options) for part in cut(theta)]
    for iteration in range(options.iterations + 1):
        evaluated = zip(*(cut(whole) for whole in _evaluate(function, theta)), strict=True)
        advanced = [
            _advance(ranges, options, state, part, *found)
            for state, part, found in zip(states, fixed_parts, evaluated, strict=True)
        ]
        theta, states = joined([trial for trial, _ in advanced]), [state for _, state in advanced]
        if on_iteration is not None:
            on_iteration(iteration, joined([state.here.cost for state in states]))
        if all(bool(np.all(np.asarray(state.reason) != _RUNNING)) for state in states):
            break
    return joined([_finish(ranges, state, part) for state, part in zip(states, fixed_parts, strict=True)])


def _evaluate(function: ResidualsAndJacobian, theta: Array) -> tuple[Array, Array, Array]:
    residual, jacobian, *accepted = function(theta)
    if residual.ndim != 2 or jacobian.shape != (*residual.shape, theta.shape[1]) or len(residual) != len(theta):
        raise ValueError(
            f"for θ of shape {theta.shape} the function returned residuals {residual.shape} and Jacobian "
            f"{jacobian.shape}; [start, residual] and [start, residual, parameter] are needed"
        )
    ok = jnp.asarray(accepted[0]) if accepted else jnp.ones(len(theta), bool)
    return residual, jacobian, ok


@jit_small
def _begin(ranges: Ranges, theta: Array, options: RefineOptions) -> _State:
    """The first evaluation counts as a step from a point of infinite cost."""

    def one(theta: Array) -> _State:
        scaled = to_scaled(ranges, theta)
        number = lambda value: jnp.asarray(value, theta.dtype)  # noqa: E731
        count = lambda value: jnp.asarray(value, jnp.int32)  # noqa: E731
        size = theta.shape[0]
        nothing = Linearisation(jnp.zeros((size, size), theta.dtype), jnp.zeros(size, theta.dtype), number(jnp.inf))
        return _State(
            scaled=scaled,
            trial=scaled,
            here=nothing,
            largest=jnp.zeros(size, theta.dtype),
            predicted=number(jnp.inf),
            damping=number(options.damping),
            growth=number(2.0),
            first_cost=number(jnp.inf),
            recent_failures=number(0.0),
            run=count(0),
            run_failures=count(0),
            gradient_norm=number(jnp.inf),
            offset=number(jnp.inf),
            iterations=count(-1),
            evaluations=count(0),
            failed_evaluations=count(0),
            reason=count(_RUNNING),
            insensitive=jnp.zeros(size, bool),
        )

    return jax.vmap(one)(theta)


@jit_small
def _advance(
    ranges: Ranges, options: RefineOptions, state: _State, fixed: Array, residual: Array, jacobian: Array, ok: Array
) -> tuple[Array, _State]:
    """Judge the trial points and propose the next ones, θ [start, parameter]."""

    def one(state: _State, fixed: Array, residual: Array, jacobian: Array, ok: Array) -> tuple[Array, _State]:
        judged = _judge(ranges, options, state, fixed, residual, jacobian, ok)
        proposed = _propose(ranges, judged, fixed)
        running = state.reason == _RUNNING
        after = jax.tree.map(lambda new, old: jnp.where(running, new, old), proposed, state)
        trial = jnp.where(after.reason == _RUNNING, after.trial, after.scaled)
        return to_theta(ranges, trial), after

    return jax.vmap(one)(state, fixed, residual, jacobian, ok)


def _span(ranges: Ranges, scaled: Array) -> Array:
    """Width of the range in s; where it is infinite |s|, but at least 1 on the scales that have no unit."""
    width = jnp.asarray(ranges.high - ranges.low, scaled.dtype)
    least = jnp.asarray(ranges.is_log | ranges.is_logit, scaled.dtype)
    return jnp.where(jnp.isfinite(width), width, jnp.maximum(jnp.abs(scaled), least))


def _judge(
    ranges: Ranges, options: RefineOptions, state: _State, fixed: Array, residual: Array, jacobian: Array, ok: Array
) -> _State:
    """Take the trial point or not, adapt the damping, and see whether the start has converged."""
    slope = theta_slope(ranges, to_theta(ranges, state.trial))
    there, finite = linearise(residual, jacobian * slope)
    failed = ~(ok & finite)
    first = state.evaluations == 0
    between = -0.5 * jnp.dot(state.here.gradient + there.gradient, state.trial - state.scaled)
    actual = jnp.where(state.offset <= _ROUNDING_OFFSET, between, state.here.cost - there.cost)
    gain = jnp.where(first, 1.0, actual / state.predicted)
    accepted = ~failed & (first | (state.predicted > 0.0) & (actual > 0.0) & (gain >= _GAIN))

    here = jax.tree.map(lambda new, old: jnp.where(accepted, new, old), there, state.here)
    scaled = jnp.where(accepted, state.trial, state.scaled)
    # After a failure the trust in longer steps is not restored at once, or every second step would fail.
    shrink = jnp.where(
        state.run_failures > 0, 1.0, jnp.maximum(1.0 / 3.0, 1.0 - (2.0 * jnp.clip(gain, 0.0, 1.0) - 1.0) ** 3)
    )
    shrink = jnp.where(first, 1.0, shrink)
    damping = state.damping * jnp.where(accepted, shrink, state.growth)

    low, high = (jnp.asarray(edge, scaled.dtype) for edge in (ranges.low, ranges.high))
    span = _span(ranges, scaled)
    quality = stationarity(here, scaled, low, high, fixed, options.rank)
    no_effect = (quality.column == 0.0) | (
        (span > 0.0) & (quality.column * span <= _NO_EFFECT * jnp.sqrt(2.0 * here.cost))
    )
    insensitive = quality.free & no_effect
    first_cost = jnp.where(first, there.cost, state.first_cost)
    vanished = (here.cost <= _VANISHED**2 * first_cost) & jnp.all(jnp.abs(quality.newton) <= options.step * span)
    perpendicular = (quality.offset <= options.offset) & (quality.cosine <= options.offset)
    converged = jnp.isfinite(here.cost) & accepted & (perpendicular | vanished)
    touching = jnp.any(~fixed & ((scaled <= low) | (scaled >= high)))
    success = jnp.where(
        jnp.any(insensitive), Reason.INSENSITIVE, jnp.where(touching, Reason.AT_BOUND, Reason.CONVERGED)
    )
    reason = jnp.where(converged, success, jnp.where(first & failed, Reason.FAILURE_WALL, _RUNNING))
    recent = _MEMORY * state.recent_failures + (1.0 - _MEMORY) * failed
    exhausted = (reason == _RUNNING) & (state.evaluations >= options.iterations)
    reason = jnp.where(exhausted, jnp.where(share_is_wall(recent), Reason.FAILURE_WALL, Reason.ITERATION_LIMIT), reason)
    return _State(
        scaled=scaled,
        trial=scaled,
        here=here,
        largest=jnp.where(accepted, jnp.maximum(_FORGET * state.largest, quality.column), state.largest),
        predicted=state.predicted,
        damping=jnp.maximum(damping, _SMALLEST_DAMPING),
        growth=jnp.where(accepted, 2.0, 2.0 * state.growth),
        first_cost=first_cost,
        recent_failures=recent,
        run=jnp.where(accepted, 0, state.run + 1),
        run_failures=jnp.where(accepted, 0, state.run_failures + failed),
        gradient_norm=quality.cosine,
        offset=quality.offset,
        iterations=state.iterations + accepted,
        evaluations=state.evaluations + 1,
        failed_evaluations=state.failed_evaluations + failed,
        reason=reason.astype(state.reason.dtype),
        insensitive=insensitive,
    )


def share_is_wall(recent: Any) -> Any:
    """Whether the recent share of failures makes the iteration limit a wall."""
    return recent >= _WALL


def _propose(ranges: Ranges, state: _State, fixed: Array) -> _State:
    """Add the next trial point; end the start where steps have become too small to matter."""
    low, high = (jnp.asarray(edge, state.scaled.dtype) for edge in (ranges.low, ranges.high))
    step, predicted = damped_step(state.here, state.scaled, low, high, fixed, state.largest, state.damping)
    trial = jnp.clip(state.scaled + step, low, high)
    tiny = jnp.all(jnp.abs(trial - state.scaled) <= _SMALLEST_STEP * _span(ranges, state.scaled))
    stuck = (state.reason == _RUNNING) & (tiny | (state.damping > _LARGEST_DAMPING))
    walled = 2 * state.run_failures >= jnp.maximum(state.run, 1)
    reason = jnp.where(stuck, jnp.where(walled, Reason.FAILURE_WALL, Reason.STALLED), state.reason)
    return eqx.tree_at(
        lambda s: (s.trial, s.predicted, s.reason), state, (trial, predicted, reason.astype(state.reason.dtype))
    )


@jit_small
def _finish(ranges: Ranges, state: _State, fixed: Array) -> RefineResult:
    low, high = (jnp.asarray(edge, state.scaled.dtype) for edge in (ranges.low, ranges.high))
    side = (state.scaled >= high).astype(jnp.int32) - (state.scaled <= low).astype(jnp.int32)
    return RefineResult(
        theta=to_theta(ranges, state.scaled),
        cost=state.here.cost,
        gradient_norm=state.gradient_norm,
        offset=state.offset,
        iterations=jnp.maximum(state.iterations, 0),
        evaluations=state.evaluations,
        failed_evaluations=state.failed_evaluations,
        reason=state.reason,
        at_bound=jnp.where(fixed, 0, side),
        insensitive=state.insensitive,
    )
