"""A fit from the point that a page shows: one start, told of while it goes, with the bands of its errors."""

import dataclasses
import html
import threading
from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from npp_jax._compile import own_promotion
from npp_jax.explorer.picture import SETTINGS, weights_over
from npp_jax.explorer.state import View
from npp_jax.fitting import FitResult, LawBands, LinearModel, Problem, fit, law_bands, linear_model, signal_sigma
from npp_jax.inference import NORMAL_95, RefineOptions, estimate_texts, misfit
from npp_jax.inference.refine_result import Iteration
from npp_jax.physics import SEDDiffusivity
from npp_jax.sweeping.screening import FURTHER, ITERATIONS, OFFSET


class Found(NamedTuple):
    """What a fit found."""

    result: FitResult
    halves: tuple[Float[np.ndarray, "species depth"] | None, ...]
    """Half width of the 95 % band of each experiment's signal; None where nothing was measured."""
    laws: LawBands | None
    """Bands of the first ion that has a distribution of site energies."""


class Stopped(Exception):
    """The user has stopped a fit."""


class Fitter:
    """Fits of one problem; its derivatives are compiled once for each setting and choice of depths."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._models: dict[object, LinearModel] = {}
        self.stop = threading.Event()

    @own_promotion
    def fit(self, view: View, tell: Callable[[str], None]) -> Found:
        """Refine the values of a view.

        Parameters
        ----------
        view
            Where to begin, over which depths, with what setting.
        tell
            Is told how far it is.

        Raises
        ------
        Stopped
            `stop` was set.
        """
        self.stop.clear()
        key = (view.ranges, view.release)
        if key not in self._models:
            tell("compiling derivatives; the first fit of a model takes up to a minute longer")
            controls, model = SETTINGS[view.release]
            self._models[key] = linear_model(self._over(view), controls, model, chunk=1)
        linear = self._models[key]

        def told(done: Iteration) -> None:
            if self.stop.is_set():
                raise Stopped
            chi2 = 2.0 * float(np.asarray(done.cost)[0])
            tell(f"iteration {done.number}, χ² {misfit(chi2)}")

        options = RefineOptions(iterations=ITERATIONS["levenberg-marquardt"], offset=OFFSET, further=FURTHER)
        start = np.array([view.values])
        result = fit(linear, start, profile_points=0, options=options, on_iteration=told)
        problem = linear.objective.problem
        measured = [m.profile is not None for m in problem.measurements]
        order = iter(range(sum(measured)))
        halves = [NORMAL_95 * signal_sigma(result, next(order)) if there else None for there in measured]
        first = next((m for m in problem.measurements if _has_sites(m.experiment)), None)
        laws = None if first is None else law_bands(problem, first, result)
        return Found(result, tuple(halves), laws)

    def _over(self, view: View) -> Problem:
        """The problem with the depths of a view."""
        measurements = tuple(
            m if w is None else eqx.tree_at(lambda m: m.profile.weight, m, jnp.asarray(w))
            for m, w in zip(self._problem.measurements, weights_over(self._problem, view.ranges), strict=True)
        )
        return dataclasses.replace(self._problem, measurements=measurements)


def _has_sites(experiment) -> bool:
    return any(isinstance(ion.diffusivity, SEDDiffusivity) for ion in experiment.species)


def fit_end(found: Found) -> str:
    """How a fit ended, in a line and its warnings."""
    result = found.result
    chi2 = f"χ² {misfit(result.chi2)} for {result.points} points, probability {result.p_value:.2g}"
    return "<br>".join([f"fit ended: {chi2}", *map(html.escape, result.warnings())])


def fit_table(found: Found) -> str:
    """Parameters of a fit with their intervals."""
    result = found.result
    rows = []
    for name in result.names:
        best, _, interval = map(html.escape, estimate_texts(result[name]))
        rows.append(f"<tr><td>{html.escape(name)}</td><td>{best}</td><td>{interval}</td></tr>")
    head = "<tr><th align='left'>parameter</th><th align='left'>best</th><th align='left'>95 % (covariance)</th></tr>"
    foot = (
        "Intervals and bands are from the covariance at the minimum. npp-jax fit follows χ² along each parameter "
        "(profile likelihoods), which shows where they are not symmetric, or open."
    )
    return f"<table>{head}{''.join(rows)}</table>{foot}"
