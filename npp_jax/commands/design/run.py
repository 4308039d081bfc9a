"""The next experiment of a study: fit of the data so far, what each proposal would tell, and the best of them."""

import dataclasses
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from npp_jax.commands.fit.run import FitOutcome, Fitted, run_fit
from npp_jax.commands.progress import progress
from npp_jax.files.next_experiments import Next
from npp_jax.files.study import Study
from npp_jax.fitting import Problem, draw
from npp_jax.inference import ParameterError, Parameters
from npp_jax.planning import (
    Plan,
    Proposal,
    Ranked,
    evaluate,
    expected_delta_chi2,
    middle,
    shared_parameters,
    told,
    with_data,
    with_own,
    worth,
)
from npp_jax.simulation.controls import Controls
from npp_jax.simulation.simulate import SETTINGS

_SEED = 0


class Contrast(NamedTuple):
    """A rival, and by how much each proposal is expected to raise the χ² of what is wrong."""

    name: str
    if_main: Float[np.ndarray, " proposal"]
    """Δχ² of the rival if the first model is right."""
    if_rival: Float[np.ndarray, " proposal"]
    """Δχ² of the first model if the rival is right."""

    @property
    def least(self) -> Float[np.ndarray, " proposal"]:
        """The smaller of the two: what is expected at least."""
        return np.minimum(self.if_main, self.if_rival)


class DesignOutcome(NamedTuple):
    """What `npp-jax design` found."""

    study: Study
    next: Next
    fitted: FitOutcome | None
    """The fit of the data so far; None where nothing was measured."""
    plan: Plan
    contrasts: tuple[Contrast, ...]
    ranked: list[Ranked]
    """All proposals, best first."""
    chosen: list[Ranked]
    """The best, and the best after those before it."""

    @property
    def goal(self) -> str:
        """What is to be learnt, in words."""
        return goal_text(self.next.table.goal, self.contrast is not None)

    @property
    def contrast(self) -> Contrast | None:
        """The rival that is to be told apart, if that is what is to be learnt."""
        return next((c for c in self.contrasts if c.name == self.next.table.goal), None)


def goal_text(goal: str, rival: bool) -> str:
    """What is to be learnt, in words."""
    words = {
        "D": "all parameters together (D-criterion)",
        "A": "the mean variance of the parameters (A-criterion)",
        "E": "the direction that is known worst (E-criterion)",
    }
    return f"the rival '{goal}'" if rival else words.get(goal, goal)


def run_design(study: Study, found: Next, *, quiet: bool = False) -> DesignOutcome:
    """Fit the data of a study, if there are any, and evaluate its proposals.

    Parameters
    ----------
    study
        The study.
    found
        Its proposals.
    quiet
        No progress.

    Raises
    ------
    NoCandidate
        There is no candidate to start the fit from.
    """
    fitted = None
    controls, model = SETTINGS[study.fit.setting], study.fit.model
    if study.problem.data:
        fit = study.fit.model_copy(update={"profile_points": 0})
        fitted = run_fit(dataclasses.replace(study, fit=fit), quiet=quiet)
    parameters = study.main.parameters if fitted is None else fitted.main.result.parameters
    theta = _draws(study, fitted, found)
    jacobian = None if fitted is None else np.asarray(fitted.main.result.expansion.jacobian[0])
    with progress(
        f"{len(found.proposals)} proposals, {len(theta)} set{'s' * (len(theta) > 1)} of parameters", quiet=quiet
    ):
        made = evaluate(
            found.proposals,
            parameters,
            theta,
            jacobian=jacobian,
            own=found.own,
            # D of an ion that only a proposal has is no gain in itself.
            asked=len(study.main.parameters),
            controls=controls,
            model=model,
        )
    contrasts = []
    for rival, seen in zip(() if fitted is None else fitted.rivals, found.rivals, strict=False):
        with progress(f"proposals as '{rival.hypothesis.name}' sees them", quiet=quiet):
            contrasts.append(_contrast(made, rival, seen, found.own, controls, study))
    goal, by_hour = found.table.goal, found.table.by_hour
    contrast = next((c for c in contrasts if c.name == goal), None)
    if contrast is not None:
        ranked = _by_contrast(contrast, made.hours.tolist(), by_hour=by_hour)
        chosen = ranked[: found.table.choose]
    else:
        ranked = made.rank(goal, by_hour=by_hour)
        chosen = made.choose(found.table.choose, goal, by_hour=by_hour)
    return DesignOutcome(study, found, fitted, made, tuple(contrasts), ranked, chosen)


def _draws(study: Study, fitted: FitOutcome | None, found: Next) -> Float[np.ndarray, "draw parameter"]:
    """The best parameters, and draws: of the posterior where there is one, of the covariance, or of the ranges."""
    count, parameters = found.table.draws, study.main.parameters
    if fitted is None:
        rows = with_own(np.zeros((count, 0)), parameters, seed=_SEED)
        rows[0] = [_start(study, k) for k in range(len(parameters))]
    elif fitted.main.posterior is None:
        rows = np.array(draw(fitted.main.result, count, seed=_SEED))
        rows[0] = fitted.main.result.theta
    else:
        drawn = np.asarray(fitted.main.posterior.theta).reshape(-1, fitted.main.posterior.theta.shape[-1])
        rows = drawn[np.linspace(0, len(drawn) - 1, count).astype(int)]
        rows[0] = fitted.main.result.theta
    return with_own(rows, found.own, seed=_SEED + 1)


def _start(study: Study, k: int) -> float:
    """A parameter where nothing was measured: what the study or its files say of it, or the middle of its range."""
    parameter = study.main.parameters[k]
    if parameter.name in study.truth:
        return study.truth[parameter.name]
    for measurement in study.problem.measurements:
        if parameter.keys and study.problem.enters(parameter, measurement):
            try:
                value = float(measurement.value_of(parameter.keys[0]))
            except ParameterError:
                continue
            if parameter.low <= value <= parameter.high:
                return value
    return middle(parameter)


def _contrast(
    made: Plan,
    rival: Fitted,
    proposals: tuple[Proposal, ...],
    own: Parameters,
    controls: Controls,
    study: Study,
) -> Contrast:
    """Expected Δχ² of a rival and of the first model, each at its best parameters."""
    result = rival.result
    every = shared_parameters(result.parameters, proposals, own)
    problem = Problem(tuple(proposal.measurement for proposal in proposals), every)
    theta = np.append(result.theta, made.theta[0, len(made.parameters) - len(own) :])
    seen = told(problem, theta[None], controls, study.fit.model)
    known = with_data(every, theta, np.asarray(result.expansion.jacobian[0]))
    pairs = [(own[0], other[0]) for own, other in zip(made.found, seen, strict=True)]
    return Contrast(
        rival.hypothesis.name,
        np.array([expected_delta_chi2(first, other, known) for first, other in pairs]),
        np.array([expected_delta_chi2(other, first, made.known[0]) for first, other in pairs]),
    )


def _by_contrast(contrast: Contrast, hours: list[float], *, by_hour: bool) -> list[Ranked]:
    """Proposals by the Δχ² that is expected at least."""
    rows = [
        Ranked(k, float(value), float(value) / cost if cost > 0.0 else np.inf)
        for k, (value, cost) in enumerate(zip(contrast.least, hours, strict=True))
    ]
    return sorted(rows, key=worth(by_hour), reverse=True)
