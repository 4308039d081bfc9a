"""Where a fit begins: candidates evaluated once on a coarse mesh; and the fit that makes its own starts.

The fit of given starts is in `npp_jax.fitting`, which knows no designs; this part has both.
"""

import dataclasses
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float

from npp_jax._compile import own_promotion
from npp_jax.fitting import FitResult, LinearModel, Objective, Problem
from npp_jax.fitting import fit as fit_from
from npp_jax.fitting.sampling import linear_model
from npp_jax.fitting.systematic import extended, with_systematic
from npp_jax.inference import Iteration, RefineOptions
from npp_jax.physics import Experiment
from npp_jax.physics.checks import COUNT, NOT_NEGATIVE, expect_word, expects, optional
from npp_jax.simulation.controls import Controls
from npp_jax.simulation.simulate import FAST
from npp_jax.simulation.solution import Model
from npp_jax.simulation.status import STATUS_ADVICE, Status
from npp_jax.sweeping.description import data_checksum
from npp_jax.sweeping.design.designs import AbstractDesign, Sobol
from npp_jax.sweeping.ranking import SweepResult, best
from npp_jax.sweeping.run import Evaluator, evaluate_chunks, suited_chunk
from npp_jax.sweeping.sweeping import Dtype, Watch, flagged, in_memory, unwatched

OFFSET = 1e-3
"""Relative offset of a converged fit. The mesh moves with the parameters and its derivative is left out, so that the
gradient of χ² is right to the discretisation error and no further."""

SCREENING = dataclasses.replace(FAST, cells_behind=40, cells_ahead=18, steps=10, companion=False, observables=False)
"""Settings of the sweep before a fit: half the time of `FAST`. On the bundled study χ² moves by 0.1 % and the order
of the best candidates by one place at most."""

FitMethod = Literal["levenberg-marquardt", "lbfgs", "adam"]

ITERATIONS: dict[FitMethod, int] = {"levenberg-marquardt": 40, "lbfgs": 400, "adam": 2000}
"""Evaluations of each start, unless told otherwise."""

FURTHER = 4.0
"""Times as many for the best start alone."""

CANDIDATES = 4096
"""Candidates of the sweep that a fit makes, unless told otherwise."""


class NoCandidate(Exception):
    """No candidate of the sweep could be evaluated."""


class OtherData(ValueError):
    """A sweep is of experiments or profiles that are called as those of the problem, and are not those."""


def screen(
    problem: Problem,
    design: AbstractDesign,
    *,
    model: Model = "electroneutral",
    dtype: Dtype | None = None,
    chunk: int | None = None,
    title: str = "",
    watch: Watch | None = None,
) -> SweepResult:
    """Evaluate the candidates of a design once, on a coarse mesh and in single precision where model and laws hold it:
    where to begin is all that is asked. `watch` is told of the progress, as that of `sweep`.
    """
    design = design.over(problem.parameters)
    objective = Objective(problem, SCREENING, model)
    single = model == "electroneutral" and not any(_may_jump(m.experiment) for m in problem.measurements)
    dtype = "float32" if single else dtype or "float64"
    size = design.size
    chunk = chunk or suited_chunk(size, len(problem.measurements))
    evaluator = Evaluator(objective, chunk, dtype, screening=True)
    spans = iter([(k, first, min(first + chunk, size)) for k, first in enumerate(range(0, size, chunk))])
    parts = evaluate_chunks(evaluator, design, spans, order=list(range(len(design.names))))
    kept = []
    with (watch or unwatched)(size, 0) as tell:
        for _, theta, found in parts:
            kept.append((theta, found))
            tell(len(theta), flagged(found))
    return in_memory(problem, kept, title)


def _may_jump(experiment: Experiment) -> bool:
    """Whether a law may jump from phase to phase: the iteration then does not converge in single precision."""
    temperature = experiment.stages[0].temperature
    return any(ion.diffusivity.between(temperature) is not None for ion in experiment.species)


def screen_while_compiling(
    linear: LinearModel,
    problem: Problem,
    design: AbstractDesign,
    *,
    on_wait: Callable[[], Any] | None = None,
    **options: Any,
) -> SweepResult:
    """The same while the model of the fit is compiled; options are those of `screen`.

    `on_wait` is called when the candidates are done and the compilation is not.
    """
    with ThreadPoolExecutor(1) as pool:
        compiled = pool.submit(own_promotion(linear.compile))
        found = screen(problem, design, **options)
        if on_wait is not None and not compiled.done():
            on_wait()
        compiled.result()
    return found


def of_problem(sweep: SweepResult, problem: Problem) -> SweepResult:
    """The candidates of a finished sweep that are within the ranges of a problem; see `within_ranges`."""
    within = within_ranges(sweep, problem)
    if within.all():
        return sweep
    rows = {name: getattr(sweep, name)[within] for name in ("theta", "chi2", "status", "reevaluated_with")}
    return dataclasses.replace(sweep, **rows)


def within_ranges(sweep: SweepResult, problem: Problem) -> Bool[np.ndarray, " candidate"]:
    """Which candidates of a finished sweep are within the ranges of a problem.

    Raises
    ------
    ValueError
        The sweep has other parameters or experiments, or no candidate is within the ranges.
    OtherData
        Its experiments and profiles have the same names, and are others.
    """
    names = tuple(parameter.name for parameter in problem.parameters)
    if sweep.names != names:
        raise ValueError(f"the parameters of the sweep are {', '.join(sweep.names)}, not {', '.join(names)}")
    experiments = tuple(measurement.name for measurement in problem.measurements)
    if sweep.experiments != experiments:
        swept, own = ", ".join(sweep.experiments), ", ".join(experiments)
        raise ValueError(f"the experiments of the sweep are {swept}, not {own}")
    if sweep.data is not None and sweep.data != data_checksum(problem):
        raise OtherData(
            "the sweep was made of other experiments or profiles of these names, or by another version of npp_jax"
        )
    low, high = (np.array([getattr(p, end) for p in problem.parameters]) for end in ("low", "high"))
    within = np.all((sweep.theta >= low) & (sweep.theta <= high), axis=1)
    if not within.any():
        raise ValueError(f"none of its {len(within)} candidates is within the ranges; sweep again")
    return within


def starts_of(sweep: SweepResult, count: int) -> Float[np.ndarray, "start parameter"]:
    """Parameters of the best candidates of a sweep that are apart from each other.

    Where iterations converged for none, as with laws that jump on a coarse mesh, the first ones serve: a fit begins on
    a finer one.

    Raises
    ------
    NoCandidate
        All candidates failed, and not by their iterations alone.
    """
    chosen = best(sweep, count)
    if not len(chosen):
        chosen = np.flatnonzero(sweep.worst == Status.NOT_CONVERGED)[:count]
    if not len(chosen):
        why = STATUS_ADVICE[Status(int(np.bincount(sweep.worst).argmax()))]
        raise NoCandidate(f"no candidate of the sweep could be evaluated; of most, {why}")
    return sweep.theta[chosen]


@own_promotion
@expects(problem=Problem, count=COUNT, iterations=optional(COUNT), profile_points=NOT_NEGATIVE)
def fit(
    problem: Problem,
    starts: SweepResult | AbstractDesign | Float[np.ndarray, "start parameter"] | None = None,
    controls: Controls = FAST,
    *,
    model: Model = "electroneutral",
    method: FitMethod = "levenberg-marquardt",
    count: int = 16,
    iterations: int | None = None,
    profile_points: int = 9,
    watch: Watch | None = None,
    on_iteration: Callable[[Iteration], Any] | None = None,
    on_refined: Callable[[FitResult], Any] | None = None,
    on_ends: Callable[[int, int], Any] | None = None,
) -> FitResult:
    """Fit the parameters of a problem to its measured profiles.

    Systematic errors that the profiles tell of are further parameters, with their priors (`with_systematic`).

    Parameters
    ----------
    problem
        Experiments, their profiles, and the parameters that vary.
    starts
        Where to begin: a finished sweep of the same parameters, a design that is swept on a coarse mesh, or parameters
        themselves, in the units of their names; by default a Sobol design of 4096 candidates.
    controls, model
        Numerical settings and equations.
    method
        How the starts are refined; profile likelihoods are by Levenberg–Marquardt always.
    count
        Candidates of a sweep that are refined.
    iterations
        Evaluations of each start at most, by default what suits the method; the best start of Levenberg–Marquardt may
        take four times as many more.
    profile_points
        Points of the curve of each profile likelihood, which do not change its interval; no profile for zero, or where
        the model is far off (χ² above 5 for each degree of freedom).
    watch, on_iteration, on_ends
        Are told of the progress: of the sweep, of the refinement of the starts, of the ends of intervals.
    on_refined
        Is given the fit with the intervals of its covariance, before profile likelihoods are sought.

    Raises
    ------
    NoCandidate
        There is no candidate to start from.
    ValueError
        Nothing was measured or nothing varies, a start is outside of its range, a sweep is of other parameters, data or
        ranges, or another argument is none that is known.
    """
    expect_word(method, FitMethod, "method")
    if not problem.parameters:
        raise ValueError("the problem has no parameters; there is nothing to fit")
    if not problem.data:
        raise ValueError("no experiment has a profile or a record; there is nothing to fit to")
    full = with_systematic(problem)
    linear = linear_model(full, controls, model)
    if starts is None or isinstance(starts, AbstractDesign):
        design = Sobol(CANDIDATES) if starts is None else starts
        starts = screen_while_compiling(linear, problem, design, model=model, watch=watch)
    if isinstance(starts, SweepResult):
        starts = starts_of(of_problem(starts, problem), count)
    starts = np.asarray(starts)
    if starts.ndim != 2 or not len(starts):
        raise ValueError(f"starts have the shape {starts.shape}; [start, {len(problem.parameters)}] is needed")
    if starts.shape[1] < len(full.parameters):
        starts = extended(starts, full)
    options = RefineOptions(iterations=iterations or ITERATIONS[method], offset=OFFSET, further=FURTHER)
    return fit_from(
        linear,
        starts,
        method=method,
        profile_points=profile_points,
        options=options,
        on_iteration=on_iteration,
        on_refined=on_refined,
        on_ends=on_ends,
    )
