"""Proposals evaluated: what each is expected to show, tell and cost."""

import dataclasses
import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from npp_jax.fitting import FitResult, Objective, Problem, draw, linear_model
from npp_jax.inference import NORMAL_95, Parameter, Parameters, ranges_of, to_scaled, to_theta
from npp_jax.physics.checks import Several, expects
from npp_jax.planning.information import Information, Matrix, by_share, information, known_before, widths_of
from npp_jax.planning.proposal import Proposal, known_exactly, shared_parameters
from npp_jax.planning.ranking import Goal, Matrices, Ranked, choose, rank
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
    asked: int
    """How many parameters, the first ones, D, A and E are about."""

    @functools.cached_property
    def gained(self) -> Float[np.ndarray, "proposal draw parameter parameter"]:
        """Information of each proposal."""
        return np.array([[each.matrix for each in draws] for draws in self.found])

    def rank(self, goal: str = "D", *, by_hour: bool = False) -> list[Ranked]:
        """Proposals by what they would bring, best first.

        Parameters
        ----------
        goal
            D, A or E of optimal design, or the name of a parameter.
        by_hour
            Rank by the gain for an hour.
        """
        return rank(self._goal(goal), self.known, self.gained, self.hours.tolist(), of=self.asked, by_hour=by_hour)

    def choose(self, count: int, goal: str = "D", *, by_hour: bool = False) -> list[Ranked]:
        """Several proposals, each the best after those before it; `goal` and `by_hour` as in `rank`."""
        hours = self.hours.tolist()
        return choose(self._goal(goal), self.known, self.gained, hours, count, of=self.asked, by_hour=by_hour)

    def _goal(self, goal: str) -> Goal:
        names = [parameter.name for parameter in self.parameters]
        match goal:
            case "D" | "A" | "E":
                return goal
            case _ if goal in names:
                return names.index(goal)
        raise ValueError(f"goal = '{goal}'; known are D, A, E, {', '.join(names)}")

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


@expects(result=FitResult, proposals=Several(Proposal))
def plan(
    result: FitResult,
    proposals: Sequence[Proposal],
    *,
    own: Parameters = (),
    draws: int = 16,
    controls: Controls = FAST,
    model: Model = "electroneutral",
    seed: int = 0,
) -> Plan:
    """Evaluate proposals after a fit.

    Parameters
    ----------
    result
        The fit of the data so far.
    proposals
        Experiments that could be made, with names of their own.
    own
        Parameters that enter the proposals alone, as D of an ion that no profile shows yet.
    draws
        Sets of parameters over which gains are averaged: the best, and draws from its covariance.
    controls, model
        Numerical settings and equations.
    seed
        Seed of the draws.

    Raises
    ------
    ParameterError, ValueError
        A parameter has no place in a proposal that it enters, or neither a range nor a prior.
    """
    rows = draw(result, draws, seed=seed)
    theta = with_own(np.concatenate([result.theta[None], rows[1:]]), own, seed=seed)
    jacobian = np.asarray(result.expansion.jacobian[0])
    return evaluate(proposals, result.parameters, theta, jacobian=jacobian, own=own, controls=controls, model=model)


def with_own(
    theta: Float[np.ndarray, "draw shared"], own: Parameters, *, seed: int = 0
) -> Float[np.ndarray, "draw parameter"]:
    """Draws with further parameters: their prior mean or the middle of their range, then evenly over their ranges."""
    if not own:
        return theta
    # Half a second of start that a plan without such parameters does not pay for.
    from scipy.stats import qmc

    # SciPy warns where the number of points is no power of two.
    shares = qmc.Sobol(len(own), rng=seed).random_base2((len(theta) - 1).bit_length())[: len(theta)]
    columns = np.stack([parameter.at(share) for parameter, share in zip(own, shares.T, strict=True)], axis=1)
    columns[0] = [middle(parameter) for parameter in own]
    return np.concatenate([theta, columns], axis=1)


def middle(parameter: Parameter) -> float:
    """A value where nothing is known: the prior mean, or the middle of the range on its scale."""
    return float(parameter.prior.mean) if parameter.prior is not None else float(parameter.at(np.array([0.5]))[0])


def evaluate(
    proposals: Sequence[Proposal],
    parameters: Parameters,
    theta: Float[np.ndarray, "draw parameter"],
    *,
    jacobian: Float[np.ndarray, "residual fitted"] | None = None,
    own: Parameters = (),
    asked: int | None = None,
    controls: Controls = FAST,
    model: Model = "electroneutral",
) -> Plan:
    """Evaluate proposals at given parameters.

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
    asked
        How many of the first parameters D, A and E are about; `parameters` by default.
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
    found = told(problem, theta, controls, model, chunk=max(1, min(len(theta), _TOGETHER // len(proposals))))
    summary = jax.jit(Objective(problem, controls, model).evaluate)(jnp.asarray(theta[:1]))
    return Plan(
        proposals=tuple(proposals),
        parameters=every,
        theta=theta,
        known=np.repeat(known[None], len(theta), axis=0),
        found=found,
        hours=np.asarray(summary.time[0]) / _HOUR + np.array([proposal.hours for proposal in proposals]),
        status=np.asarray(summary.status[0]),
        asked=len(parameters) if asked is None else asked,
    )


def told(
    problem: Problem,
    theta: Float[np.ndarray, "draw parameter"],
    controls: Controls = FAST,
    model: Model = "electroneutral",
    *,
    chunk: int = 1,
) -> list[list[Information]]:
    """What each measurement of a problem would tell, for each draw of the parameters.

    Parameters
    ----------
    problem
        Measurements that could be made; the signals that they hold do not matter.
    theta
        Draws of the parameters. [units of the parameters]
    controls, model
        Numerical settings and equations.
    chunk
        Draws evaluated at once.
    """
    # Signals before sensitivities and backgrounds: those that are solved for would be fitted to data that nobody has.
    seen = tuple(dataclasses.replace(m, nuisance=known_exactly()) for m in problem.measurements)
    expansion = linear_model(dataclasses.replace(problem, measurements=seen), controls, model, chunk=chunk).expand(
        jnp.asarray(theta)
    )
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
