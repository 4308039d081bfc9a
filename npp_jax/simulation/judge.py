"""Status and error estimate of a solution."""

from dataclasses import replace

import jax.numpy as jnp
from jaxtyping import Array

from npp_jax.simulation.controls import Controls
from npp_jax.simulation.observables import interpolate_profile
from npp_jax.simulation.solution import Solution
from npp_jax.simulation.status import Status

NEUTRALITY = 1e-2
"""Excess charge that an electroneutral solution may have (fraction of the bulk)."""

LAST_UPDATE = 2e-2
"""Change in the last Newton iteration above which a solve has not converged (fraction of the bulk)."""

TIME_TARGET = 1e-4
"""Relative distance from an output time that a run may have."""

FRONT_CAUTION = 0.75
"""Share of the target of the front above which its estimate is too large."""

PROFILE_CAUTION = 0.5
"""The same of the profiles, where an iteration that goes on until it converges has stopped short of their target."""

TRACE_SLACK = 0.01
"""Share of the length of a trace by which its stage may go beyond it."""


def rated(solution: Solution, beyond: Array, impossible: Array) -> Solution:
    """Give a solution its status: the worst that befell the run, its error estimate apart.

    Parameters
    ----------
    solution
        What has been found.
    beyond
        Share of its length by which a trace has been left behind, at most. [1]
    impossible
        Candidates that no sample can be.
    """
    report = solution.report
    finite = jnp.isfinite(solution.fraction).all((0, 1, 2)) & jnp.isfinite(solution.potential).all((0, 1))
    charged = ~(jnp.abs(report.excess_charge) <= NEUTRALITY)
    status = _worst(
        (Status.NOT_NEUTRAL, charged if solution.model == "electroneutral" else jnp.zeros_like(charged)),
        (Status.NOT_CONVERGED, ~(report.newton_update <= LAST_UPDATE)),
        (Status.MISSED_TIME, ~(report.time_error <= TIME_TARGET)),
        (Status.BEYOND_TRACE, ~(beyond <= TRACE_SLACK)),
        (Status.NOT_FINITE, ~finite),
        (Status.IMPOSSIBLE, impossible),
    )
    return replace(solution, report=replace(report, status=status))


def _worst(*conditions: tuple[Status, Array]) -> Array:
    status = jnp.zeros(conditions[0][1].shape, jnp.int32)
    for code, failed in conditions:
        status = jnp.where(failed, jnp.int32(code), status)
    return status


def judge(solution: Solution, coarse: Solution, controls: Controls, *, whole: bool = False) -> Solution:
    """Add the error estimate of a companion run to a solution, and say where it is above the target.

    The difference of the two runs is as a rule more than the profile error of the finer one: 1.8 times by the theory of
    order two for half the cells and 0.6 of the steps. It is the root of its mean square over the cells of the finer run
    up to one and a half front depths, each by its width; beyond its mesh lies bulk alone. Errors of the front may
    cancel in the difference: three quarters of the target count as all of it. What an unfinished iteration leaves is
    much alike in both runs: half of the target of the profiles counts then. Where the `whole` sample counts, as its
    profiles begin anywhere, all points of the finer run count alike, which lie where the profile changes.
    """
    profile_error, front_error = [], []
    for k in range(len(solution.time)):
        rough = interpolate_profile(solution.depth[k], coarse.depth[k], coarse.fraction[k])
        square = (solution.fraction[k] - rough) ** 2
        if not whole:
            # Where there is no front yet, over the first cell.
            reach = jnp.maximum(1.5 * solution.front_depth[k], solution.faces[k][1])
            width = jnp.diff(jnp.minimum(solution.faces[k], reach), axis=0)
            square = square[:, 1:-1] * (width / jnp.sum(width, axis=0))
        mean = jnp.mean(square, axis=1) if whole else jnp.sum(square, axis=1)
        profile_error.append(jnp.sqrt(jnp.max(mean, axis=0)))
        front_error.append(jnp.abs(solution.front_depth[k] - coarse.front_depth[k]))
    profile_error, front_error = jnp.stack(profile_error), jnp.stack(front_error)
    length, share = controls.front_target
    limit = FRONT_CAUTION * jnp.maximum(length, share * solution.front_depth)
    report, target = solution.report, controls.profile_target
    if controls.tolerance > 0.0:
        target = jnp.where(report.newton_update <= target, target, PROFILE_CAUTION * target)
    poor = ~jnp.all(profile_error <= target, axis=0) | ~jnp.all(front_error <= limit, axis=0)
    status = jnp.maximum(report.status, jnp.where(poor, jnp.int32(Status.COARSE), 0))
    return replace(
        solution,
        report=replace(report, profile_error=profile_error, front_error=front_error, status=status),
    )
