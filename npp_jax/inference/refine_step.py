"""One iteration of a refinement: what the trial of each start tells, and the next trial."""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from npp_jax.inference.linearisation import Linearisation, damped_step, linearise, promised_decrease, stationarity
from npp_jax.inference.refine_result import Reason, RefineOptions
from npp_jax.inference.transform import Ranges, theta_slope, to_theta


class RefineState(eqx.Module):
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


RUNNING = -1
FORGET = 0.1  # what is kept of the largest column norm: a start far out must not brake all later steps
GAIN = 1e-4  # least gain ratio of an accepted step
SMALLEST_DAMPING = 1e-14
LARGEST_DAMPING = 1e20
SMALLEST_STEP = 1e-13  # fraction of the range
VANISHED = 1e-8  # residual over the first one, below which the step may decide on convergence
NEGLIGIBLE = 0.1  # distance to the minimum in standard errors that rough residuals may leave
ROUGH = 0.5  # disagreement of costs and gradients about one step, over its promise, of residuals that are rough there
REFUSALS = 2  # refused steps in a row, each shorter, before that is asked
NO_EFFECT = 1e-12  # change of the residual across the range, as a fraction of it
MEMORY = 0.9  # of the recent share of failures
WALL = 0.25  # recent share of failures that makes the iteration limit a wall


def range_span(ranges: Ranges, scaled: Array) -> Array:
    """Width of the range in s; where it is infinite |s|, but at least 1 on the scales that have no unit."""
    width = jnp.asarray(ranges.high - ranges.low, scaled.dtype)
    least = jnp.asarray(ranges.is_log | ranges.is_logit, scaled.dtype)
    return jnp.where(jnp.isfinite(width), width, jnp.maximum(jnp.abs(scaled), least))


def judge_trial(
    ranges: Ranges,
    options: RefineOptions,
    state: RefineState,
    fixed: Array,
    residual: Array,
    jacobian: Array,
    ok: Array,
) -> RefineState:
    """Take the trial point or not, adapt the damping, and see whether the start has converged."""
    slope = theta_slope(ranges, to_theta(ranges, state.trial))
    there, finite = linearise(residual, jacobian * slope)
    failed = ~(ok & finite)
    first = state.evaluations == 0
    between = -0.5 * jnp.dot(state.here.gradient + there.gradient, state.trial - state.scaled)
    fallen = state.here.cost - there.cost
    actual = jnp.where(state.offset <= options.rounding_offset, between, fallen)
    gain = jnp.where(first, 1.0, actual / state.predicted)
    accepted = ~failed & (first | (state.predicted > 0.0) & (actual > 0.0) & (gain >= GAIN))

    here = jax.tree.map(lambda new, old: jnp.where(accepted, new, old), there, state.here)
    scaled = jnp.where(accepted, state.trial, state.scaled)
    # After a failure the trust in longer steps is not restored at once, or every second step would fail.
    shrink = jnp.where(
        state.run_failures > 0, 1.0, jnp.maximum(1.0 / 3.0, 1.0 - (2.0 * jnp.clip(gain, 0.0, 1.0) - 1.0) ** 3)
    )
    shrink = jnp.where(first, 1.0, shrink)
    damping = state.damping * jnp.where(accepted, shrink, state.growth)

    low, high = (jnp.asarray(edge, scaled.dtype) for edge in (ranges.low, ranges.high))
    span = range_span(ranges, scaled)
    quality = stationarity(here, scaled, low, high, fixed, options.rank)
    no_effect = (quality.column == 0.0) | (
        (span > 0.0) & (quality.column * span <= NO_EFFECT * jnp.sqrt(2.0 * here.cost))
    )
    insensitive = quality.free & no_effect
    first_cost = jnp.where(first, there.cost, state.first_cost)
    vanishing = here.cost <= VANISHED**2 * first_cost
    left = jnp.where(vanishing, options.step, SMALLEST_STEP)  # without it, what rounding leaves of the parameters
    vanished = jnp.all(jnp.abs(quality.newton) <= left * span)
    perpendicular = (quality.offset <= options.offset) & (quality.cosine <= options.offset)
    # The noise of the cost, measured at this step: what cost and gradients say of short steps agrees without it.
    noisy = jnp.abs(fallen - between) >= ROUGH * state.predicted
    refused = ~accepted & ~failed & (state.run >= REFUSALS) & ~share_is_wall(state.recent_failures)
    floor = refused & noisy & negligible(state.offset, residual.shape[0])
    # Steps that roughness alone lets pass may go on for ever beside the minimum.
    spent = (state.evaluations >= options.iterations) & negligible(quality.offset, residual.shape[0])
    converged = jnp.isfinite(here.cost) & (accepted & (perpendicular | vanished) | floor | spent)
    touching = jnp.any(~fixed & ((scaled <= low) | (scaled >= high)))
    success = jnp.where(
        jnp.any(insensitive), Reason.INSENSITIVE, jnp.where(touching, Reason.AT_BOUND, Reason.CONVERGED)
    )
    reason = jnp.where(converged, success, jnp.where(first & failed, Reason.FAILURE_WALL, RUNNING))
    recent = MEMORY * state.recent_failures + (1.0 - MEMORY) * failed
    exhausted = (reason == RUNNING) & (state.evaluations >= options.iterations)
    reason = jnp.where(exhausted, jnp.where(share_is_wall(recent), Reason.FAILURE_WALL, Reason.ITERATION_LIMIT), reason)
    return RefineState(
        scaled=scaled,
        trial=scaled,
        here=here,
        largest=jnp.where(accepted, jnp.maximum(FORGET * state.largest, quality.column), state.largest),
        predicted=state.predicted,
        damping=jnp.maximum(damping, SMALLEST_DAMPING),
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
    return recent >= WALL


def negligible(offset: Any, residuals: int) -> Any:
    """Whether the distance to the minimum, √n offset standard errors, is too short to matter."""
    return math.sqrt(residuals) * offset <= NEGLIGIBLE


def propose(ranges: Ranges, options: RefineOptions, state: RefineState, fixed: Array) -> RefineState:
    """Add the next trial point; end the start where steps have become too small to matter."""
    low, high = (jnp.asarray(edge, state.scaled.dtype) for edge in (ranges.low, ranges.high))
    step = damped_step(state.here, state.scaled, low, high, fixed, state.largest, state.damping)
    longest = jnp.max(jnp.abs(step), initial=0.0)
    step = step * jnp.where(longest > options.largest_step, options.largest_step / longest, 1.0)
    predicted = promised_decrease(state.here, step)
    trial = jnp.clip(state.scaled + step, low, high)
    tiny = jnp.all(jnp.abs(trial - state.scaled) <= SMALLEST_STEP * range_span(ranges, state.scaled))
    stuck = (state.reason == RUNNING) & (tiny | (state.damping > LARGEST_DAMPING))
    walled = 2 * state.run_failures >= jnp.maximum(state.run, 1)
    reason = jnp.where(stuck, jnp.where(walled, Reason.FAILURE_WALL, Reason.STALLED), state.reason)
    return eqx.tree_at(
        lambda s: (s.trial, s.predicted, s.reason), state, (trial, predicted, reason.astype(state.reason.dtype))
    )
