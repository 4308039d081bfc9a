"""Proposals evaluated: what each is expected to show, tell and cost."""

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from npp_jax.fitting import LinearModel, Objective, Problem, linear_model
from npp_jax.inference import NORMAL_95, Parameters, ranges_of, to_scaled, to_theta
from npp_jax.planning.information import Information, Matrix, by_share, information, known_before, widths_of
from npp_jax.planning.proposal import Proposal, shared_parameters
from npp_jax.planning.ranking import Matrices
from npp_jax.simulation.controls import Controls
from npp_jax.simulation.simulate import FAST
from npp_jax.simulation.solution import Model

_HOUR = 3600.0
_TOGETHER = 256
"""Simulations in one batch, about."""


@dataclasses.dataclass(frozen=True, eq=False)
class Plan:
    """What proposals would tell; information is about the parameters in shares of their ranges."""

    proposals: tuple[Proposal, ...]
    parameters: Parameters
    theta: Float[np.ndarray, "draw parameter"]
    """Parameters at which it is expected: the best first, then draws. [units of the parameters]"""
    known: Matrices
    """Information so far."""
    found: list[list[Information]]
    """What each proposal would tell, for each draw."""
    hours: Float[np.ndarray, " proposal"]
    """Time of the stages at the best parameters, and of the work beside [h]."""
    status: Int[np.ndarray, " proposal"]
    """`Status` of the simulation at the best parameters."""

    @property
    def gained(self) -> Float[np.ndarray, "proposal draw parameter parameter"]:
        """Information of each proposal."""
        return np.array([[each.matrix for each in draws] for draws in self.found])

    def intervals(self, chosen: Sequence[int] = ()) -> Float[np.ndarray, "parameter two"]:
        """Expected 95 % intervals about the best parameters, with some of the proposals done.

        The variance is the mean of those at the draws; intervals are cut at the ranges.
        """
        known = self.known + self.gained[list(chosen)].sum(axis=0)
        variance = np.diagonal(np.linalg.inv(known), axis1=1, axis2=2).mean(axis=0)
        half = NORMAL_95 * np.sqrt(variance) * widths_of(self.parameters)
        ranges = ranges_of(self.parameters)
        centre = np.asarray(to_scaled(ranges, jnp.asarray(self.theta[0])))
        ends = np.clip(np.stack([centre - half, centre + half]), ranges.low, ranges.high)
        return np.asarray(to_theta(ranges, jnp.asarray(ends))).T

    def remaining(self, chosen: Sequence[int] = ()) -> Float[np.ndarray, " parameter"]:
        """Expected standard deviations with some of the proposals done, over those of today [1]."""
        before, after = (
            np.diagonal(np.linalg.inv(known), axis1=1, axis2=2).mean(axis=0)
            for known in (self.known, self.known + self.gained[list(chosen)].sum(axis=0))
        )
        return np.sqrt(after / before)


def plan(
    proposals: Sequence[Proposal],
    parameters: Parameters,
    theta: Float[np.ndarray, "draw parameter"],
    *,
    jacobian: Float[np.ndarray, "residual parameter"] | None = None,
    own: Parameters = (),
    controls: Controls = FAST,
    model: Model = "electroneutral",
) -> Plan:
    """Evaluate proposals.

    Parameters
    ----------
    proposals
        Experiments that could be made, with names of their own.
    parameters
        Parameters of the study; those of a fit with all that it varied.
    theta
        Where the proposals are evaluated: the best parameters, then draws, for example of the posterior; the columns of
        `parameters`, then those of `own`. [units of the parameters]
    jacobian
        ∂r/∂θ of the data so far at the best parameters, without priors; none: there are no data.
    own
        Parameters that enter the proposals alone.
    controls, model
        Numerical settings and equations.

    Raises
    ------
    ParameterError, ValueError
        A parameter has no place in a proposal that it enters, or neither a range nor a prior.
    """
    every = shared_parameters(parameters, proposals, own)
    problem = Problem(tuple(proposal.measurement for proposal in proposals), every)
    known = with_data(every, theta[0], jacobian)
    expected = linear_model(problem, controls, model, chunk=max(1, min(len(theta), _TOGETHER // len(proposals))))
    found = told(expected, theta)
    summary = jax.jit(Objective(problem, controls, model).evaluate)(jnp.asarray(theta[:1]))
    beside = np.array([proposal.hours or 0.0 for proposal in proposals])
    return Plan(
        proposals=tuple(proposals),
        parameters=every,
        theta=theta,
        known=np.repeat(known[None], len(theta), axis=0),
        found=found,
        hours=np.asarray(summary.time[0]) / _HOUR + beside,
        status=np.asarray(summary.status[0]),
    )


def told(model: LinearModel, theta: Float[np.ndarray, "draw parameter"]) -> list[list[Information]]:
    """What each measurement of a problem would tell, for each draw of the parameters."""
    problem = model.objective.problem
    expansion = model.expand(jnp.asarray(theta))
    scales = np.stack([by_share(problem.parameters, row) for row in theta])
    return [
        [
            information(measurement, signal, slope * scale)
            for signal, slope, scale in zip(np.asarray(signals), np.asarray(slopes), scales, strict=True)
        ]
        for measurement, signals, slopes in zip(problem.measurements, expansion.signals, expansion.slopes, strict=True)
    ]


def with_data(
    parameters: Parameters,
    theta: Float[np.ndarray, " parameter"],
    jacobian: Float[np.ndarray, "residual fitted"] | None,
) -> Matrix:
    """Information so far: ranges and priors, and the data of a fit of the first of the parameters.

    Parameters
    ----------
    parameters
        All parameters.
    theta
        The best parameters. [units of the parameters]
    jacobian
        ∂r/∂θ of the data; none: there are none.
    """
    known = known_before(parameters)
    if jacobian is not None:
        count = jacobian.shape[1]
        slopes = jacobian * by_share(parameters, theta)[:count]
        known[:count, :count] += slopes.T @ slopes
    return known
