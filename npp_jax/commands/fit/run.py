"""A fit from its study file to a report: sweep, best candidates, refinement, rivals; what `npp-jax fit` does."""

import contextlib
import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from npp_jax.commands.progress import candidates, fitting, progress, refining
from npp_jax.constants import FWHM_PER_SIGMA
from npp_jax.files.hypotheses import Hypothesis
from npp_jax.files.study import Study
from npp_jax.fitting import (
    FitResult,
    LinearModel,
    fit,
    linear_model,
    sample_posterior,
    with_smoothness,
    with_systematic,
)
from npp_jax.fitting.systematic import extended
from npp_jax.fitting.words import in_short
from npp_jax.inference import (
    Parameter,
    ParameterError,
    Parameters,
    Posterior,
    PosteriorOptions,
    RefineOptions,
    ResidualsAndJacobian,
    check_blackjax,
)
from npp_jax.simulation.simulate import SETTINGS
from npp_jax.sweeping import SweepResult
from npp_jax.sweeping.screening import FURTHER, ITERATIONS, OFFSET, screen_while_compiling, starts_of


class Fitted(NamedTuple):
    """A hypothesis and its fit."""

    hypothesis: Hypothesis
    result: FitResult
    posterior: Posterior | None = None
    """Draws, where they were asked for."""


class _Shown(NamedTuple):
    """How the progress of a fit is shown."""

    what: str
    compiling: bool
    """Whether it begins with a compilation."""
    quiet: bool


class FitOutcome(NamedTuple):
    """What `npp-jax fit` found."""

    study: Study
    sweep: SweepResult
    main: Fitted
    rivals: tuple[Fitted, ...]


def run_fit(study: Study, *, sweep: SweepResult | None = None, quiet: bool = False) -> FitOutcome:
    """Fit the model of a study and its rivals.

    Parameters
    ----------
    study
        What to fit.
    sweep
        A finished sweep of the same parameters; by default one is made, in memory.
    quiet
        No progress.

    Raises
    ------
    NoCandidate
        There is no candidate to start from.
    MissingExtra
        A posterior is asked for, and blackjax is not installed.
    PosteriorError
        It could not be sampled.
    """
    if study.fit.posterior is not None:
        check_blackjax()
    hypothesis = _with_systematic(study.main)
    model, swept = _linear_model(study, hypothesis), False
    if sweep is None:
        # Only the starts come from it, whatever precision a sweep of the study would have.
        precision = "coarse, single precision" if study.sweep.model == "electroneutral" else "coarse"
        with contextlib.ExitStack() as stack:
            sweep = screen_while_compiling(
                model,
                study.main.problem,
                study.design,
                model=study.sweep.model,
                dtype=study.sweep.dtype,
                chunk=study.sweep.chunk,
                title=study.title,
                watch=lambda total, done: candidates(f"sweep ({precision})", total, done, quiet=quiet),
                on_wait=lambda: stack.enter_context(progress("compiling the model of the fit", quiet=quiet)),
            )
        swept = True
    starts = extended(starts_of(sweep, study.fit.starts), hypothesis.problem)
    shown = _Shown("refinement", compiling=not swept, quiet=quiet)
    main = _fit(study, hypothesis, model, starts, shown, profile_points=study.fit.profile_points)
    if study.fit.posterior is not None:
        main = _sample(study, main, quiet=quiet)
    rivals = []
    for rival in map(_with_systematic, study.rivals):
        shown = _Shown(f"rival '{rival.name}'", compiling=True, quiet=quiet)
        transferred = _transfer(hypothesis, main.result, starts, rival)
        rivals.append(_fit(study, rival, _linear_model(study, rival), transferred, shown, profile_points=0))
    return FitOutcome(study, sweep, main, tuple(rivals))


def _with_systematic(hypothesis: Hypothesis) -> Hypothesis:
    return dataclasses.replace(hypothesis, problem=with_systematic(hypothesis.problem))


def _linear_model(study: Study, hypothesis: Hypothesis) -> LinearModel:
    # A rival that varies how profiles are seen would else be compared with a model that sees them less exactly.
    seen_anew = any(
        rival.problem.seen_anew(measurement)
        for rival in study.rivals
        for measurement in rival.problem.measurements
        if measurement.profile is not None
    )
    return linear_model(hypothesis.problem, SETTINGS[study.fit.setting], study.fit.model, sampled=not seen_anew)


def _fit(
    study: Study,
    hypothesis: Hypothesis,
    model: LinearModel,
    starts: Float[np.ndarray, "start parameter"],
    shown: _Shown,
    *,
    profile_points: int,
) -> Fitted:
    method = study.fit.method
    options = RefineOptions(iterations=study.fit.iterations or ITERATIONS[method], offset=OFFSET, further=FURTHER)
    penalty = _penalty(hypothesis)
    what, count = shown.what, len(starts)
    with fitting(what, count, "starts", compiling=shown.compiling, quiet=shown.quiet) as shows:
        result = fit(
            model,
            starts,
            penalty=penalty,
            method=method,
            profile_points=profile_points,
            options=options,
            on_iteration=refining(shows.refinement),
            on_refined=lambda found: shows.refined(
                f"refined: {in_short(found)}; their intervals follow, which takes longer"
            ),
            on_ends=shows.ends,
        )
    return Fitted(hypothesis, result)


def _penalty(hypothesis: Hypothesis) -> Callable[[ResidualsAndJacobian], ResidualsAndJacobian] | None:
    form = hypothesis.free_form
    if form is None:
        return None
    return lambda function: with_smoothness(function, np.array(form.slopes), form.spacing, smoothness=form.smoothness)


def _sample(study: Study, fitted: Fitted, *, quiet: bool) -> Fitted:
    """The fit with draws from its posterior."""
    asked = study.fit.posterior
    assert asked is not None
    options = PosteriorOptions(**asked.model_dump())
    total = options.warm_up + options.draws
    what = f"posterior, {options.chains} chains"
    with progress(what, total, "trajectories", compiling=True, quiet=quiet) as tell:
        posterior = sample_posterior(
            fitted.hypothesis.problem,
            fitted.result,
            SETTINGS[study.fit.setting],
            model=study.fit.model,
            options=options,
            penalty=_penalty(fitted.hypothesis),
            on_draw=tell,
        )
    return fitted._replace(posterior=posterior)


def _transfer(
    main: Hypothesis, found: FitResult, starts: np.ndarray, rival: Hypothesis
) -> Float[np.ndarray, "start parameter"]:
    """Starts of a rival: the best fit of the main hypothesis with new parameters as the files have them, so that a
    rival that contains it ends no higher; and again, with its starts, new parameters in the middle of their range.
    """
    table = np.concatenate([found.theta[None], found.theta[None], starts])
    form, columns = rival.free_form, []
    widths = [] if form is None else [k for k, p in enumerate(main.parameters) if form.width in p.keys]
    for place, parameter in enumerate(rival.parameters):
        source = _source(parameter, main.parameters)
        if source is not None:
            values = table[:, source]
        elif form is not None and place in form.slopes and widths:
            # Slopes begin at those of the Gaussian.
            values = table[:, widths[0]] / FWHM_PER_SIGMA
        else:
            values = np.full(len(table), parameter.at(np.array([0.5]))[0])
            values[0] = _in_file(rival, parameter, values[0])
        columns.append(np.clip(values, parameter.low, parameter.high))
    rows = np.stack(columns, axis=1)
    return rows[1:] if np.array_equal(rows[0], rows[1]) else rows


def _in_file(rival: Hypothesis, parameter: Parameter, otherwise: float) -> float:
    """What the files of a rival say of a parameter that the main hypothesis does not vary."""
    for measurement in rival.problem.measurements:
        if not rival.problem.enters(parameter, measurement):
            continue
        for key in parameter.keys:
            try:
                value = float(measurement.value_of(key))
            except ParameterError:
                continue
            if np.isfinite(value):
                return value
    return otherwise


def _source(parameter: Parameter, parameters: Parameters) -> int | None:
    """The parameter from which another takes its start: of its name, or with its keys, as where one is split for each
    experiment.
    """
    alike = (lambda p: p.name == parameter.name, lambda p: p.keys == parameter.keys)
    return next((k for is_alike in alike for k, p in enumerate(parameters) if is_alike(p)), None)
