"""Least squares from many starts at once: Levenberg–Marquardt in ranges, and stopping that tells the truth.

Minimises C(θ) = ½ Σ r(θ)² for every start of a batch. The caller evaluates residuals and Jacobian of the whole batch;
here, one start is written down and mapped over the batch. Steps are in the scaled coordinate s of `transform`,

    minimise ½ |r + J δ|² + ½ μ |D δ|²   with s + δ inside the box,

where D holds the largest recent norm of each column of J, and μ follows the gain ratio (actual over predicted
decrease). A step that fails (residuals not finite, or refused by the caller) is a rejected step.

A start has converged when the residual is perpendicular to what the free parameters can change: Bates and Watts'
relative offset |P r| / |r|, with P the projector onto the columns of J, and the cosine between r and each column are
both below the tolerance. They do not depend on the units of parameters and residuals. Multiplied by √n for n
residuals of unit variance, the offset is the distance to the minimum in standard errors. Neither a small step nor a
small decrease counts as convergence. Residuals that are rough, as those of simulations on a moving mesh, disagree
with their derivatives by more than the tolerance: a start within a tenth of a standard error of the minimum, where no
step lowers the cost or its iterations end, has converged as well.

References
----------
J. J. Moré, "The Levenberg–Marquardt algorithm: implementation and theory", Lect. Notes Math. 630, 105 (1978).
H. B. Nielsen, "Damping parameter in Marquardt's method", IMM-REP-1999-05 (1999).
D. M. Bates, D. G. Watts, "A relative offset orthogonality convergence criterion", Technometrics 23, 179 (1981).
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike

from npp_jax._compile import jit_small
from npp_jax.inference.linearisation import Linearisation
from npp_jax.inference.parameter import Parameters
from npp_jax.inference.refine_result import Iteration, Reason, RefineOptions, RefineResult
from npp_jax.inference.refine_step import RUNNING, RefineState, judge_trial, propose
from npp_jax.inference.transform import Ranges, check_inside, ranges_of, to_scaled, to_theta

ResidualsAndJacobian: TypeAlias = Callable[[Array], tuple[Array, ...]]
"""θ [start, parameter] ↦ (r [start, residual], ∂r/∂θ [start, residual, parameter]) and, if wanted, ok [start]."""


_BLOCK = 16  # starts judged at once: one compilation serves any number of them; a single start has its own


def refine(
    function: ResidualsAndJacobian,
    parameters: Parameters,
    starts: ArrayLike | Sequence[Sequence[float | int]],
    *,
    fixed: ArrayLike | None = None,
    options: RefineOptions | None = None,
    on_iteration: Callable[[Iteration], Any] | None = None,
) -> RefineResult:
    """Refine every start to a minimum of ½ Σ r², or say why not.

    Parameters
    ----------
    function
        Residuals and their Jacobian with respect to θ, for a batch. It is called once for each iteration, always
        with all starts, so that it compiles once.
    parameters
        The parameters.
    starts
        Where each start begins. [units of the parameters], shape [start, parameter]
    fixed
        True for parameters that keep their value: for all starts, shape [parameter], or for each, [start, parameter].
    options
        Numerical choices.
    on_iteration
        Is told after each iteration how far it is.

    Raises
    ------
    ValueError
        If a start lies outside of its range, or the arrays do not fit together.
    """
    options = options or RefineOptions()
    theta = jnp.asarray(starts)
    theta = theta if jnp.issubdtype(theta.dtype, jnp.floating) else theta.astype(float)
    if theta.ndim != 2 or theta.shape[1] != len(parameters):
        raise ValueError(f"starts have the shape {theta.shape}; [start, {len(parameters)}] is needed")
    check_inside(parameters, theta)
    held = jnp.broadcast_to(jnp.asarray(False if fixed is None else fixed), theta.shape)
    ranges = ranges_of(parameters)
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
            ended = np.concatenate([np.asarray(state.reason) != RUNNING for state in states])[:count]
            costs = joined([state.here.cost for state in states])
            on_iteration(Iteration(iteration, options.iterations, costs, jnp.asarray(ended)))
        if all(bool(np.all(np.asarray(state.reason) != RUNNING)) for state in states):
            break
    return joined([_finish(ranges, state, part) for state, part in zip(states, fixed_parts, strict=True)])


def go_on(
    function: ResidualsAndJacobian,
    parameters: Parameters,
    refined: RefineResult,
    *,
    options: RefineOptions | None = None,
    on_iteration: Callable[[Iteration], Any] | None = None,
) -> RefineResult:
    """Take the best start further where nothing but the number of its iterations ended it.

    Alone it costs little, and the way along a flat valley is long.

    Parameters
    ----------
    function
        Residuals and Jacobian of a batch of one.
    parameters, options, on_iteration
        As for `refine`, with `options.further`.
    refined
        How the starts ended.

    Returns
    -------
    The same of all starts, the best one where it has come.
    """
    options = options or RefineOptions()
    best, limit = refined.best(), round(options.further * options.iterations)
    if limit == 0 or refined.reason[best] != Reason.ITERATION_LIMIT:
        return refined
    options = dataclasses.replace(options, iterations=limit)
    more = refine(function, parameters, refined.theta[best][None], options=options, on_iteration=on_iteration)
    whole = jax.tree.map(lambda every, alone: every.at[best].set(alone[0]), refined, more)
    counts = ("iterations", "evaluations", "failed_evaluations")
    summed = {name: getattr(whole, name).at[best].add(getattr(refined, name)[best]) for name in counts}
    return dataclasses.replace(whole, **summed)


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
def _begin(ranges: Ranges, theta: Array, options: RefineOptions) -> RefineState:
    """The first evaluation counts as a step from a point of infinite cost."""

    def one(theta: Array) -> RefineState:
        scaled = to_scaled(ranges, theta)
        number = lambda value: jnp.asarray(value, theta.dtype)  # noqa: E731
        count = lambda value: jnp.asarray(value, jnp.int32)  # noqa: E731
        size = theta.shape[0]
        nothing = Linearisation(jnp.zeros((size, size), theta.dtype), jnp.zeros(size, theta.dtype), number(jnp.inf))
        return RefineState(
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
            reason=count(RUNNING),
            insensitive=jnp.zeros(size, bool),
        )

    return jax.vmap(one)(theta)


@jit_small
def _advance(
    ranges: Ranges,
    options: RefineOptions,
    state: RefineState,
    fixed: Array,
    residual: Array,
    jacobian: Array,
    ok: Array,
) -> tuple[Array, RefineState]:
    """Judge the trial points and propose the next ones, θ [start, parameter]."""

    def one(state: RefineState, fixed: Array, residual: Array, jacobian: Array, ok: Array) -> tuple[Array, RefineState]:
        judged = judge_trial(ranges, options, state, fixed, residual, jacobian, ok)
        proposed = propose(ranges, options, judged, fixed)
        running = state.reason == RUNNING
        after = jax.tree.map(lambda new, old: jnp.where(running, new, old), proposed, state)
        trial = jnp.where(after.reason == RUNNING, after.trial, after.scaled)
        return to_theta(ranges, trial), after

    return jax.vmap(one)(state, fixed, residual, jacobian, ok)


@jit_small
def _finish(ranges: Ranges, state: RefineState, fixed: Array) -> RefineResult:
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
