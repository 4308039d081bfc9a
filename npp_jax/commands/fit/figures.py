"""Figures of the report of a fit: which there are, and how their panels are laid out."""

import functools
import math
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from npp_jax.commands.fit import captions
from npp_jax.commands.fit.records import drawn_records, records_figure, shown_records
from npp_jax.commands.fit.run import FitOutcome, Fitted
from npp_jax.commands.fit.summary import measured_of
from npp_jax.commands.report.blocks import Shown
from npp_jax.figures.axes import headline, share_depths
from npp_jax.figures.fit import (
    correlation,
    data_and_fit,
    figure_law,
    pair_plot,
    profile_likelihood,
    residuals,
)
from npp_jax.figures.landscape import Refined, figure_landscape
from npp_jax.files.hypotheses import Hypothesis
from npp_jax.files.study import Study
from npp_jax.fitting import FitResult, LawBands, Measurement, law_bands

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def figure_names(study: Study) -> list[str]:
    """Names of all figures that the fit of a study may have."""
    asked = {
        "profile_likelihood": True,
        "posterior": study.fit.posterior is not None,
        "landscape": len(study.main.parameters) > 1,
    }
    energies = _energy_names((study.main, *study.rivals)).values()
    measurements = study.problem.measurements
    data = {
        "profiles": any(m.profile is not None for m in measurements),
        "records": any(record.at.size > 1 for m in measurements for record in m.records),
    }
    asked = data | asked
    return ["correlation", *energies, *(name for name, may in asked.items() if may)]


def _energy_names(hypotheses: Iterable[Hypothesis]) -> dict[str, str]:
    """Names of the figures of site energies, by those of the first hypothesis and the free forms among the others."""
    main, *rivals = hypotheses
    names = {main.name: "site_energies"}
    for rival in rivals:
        if rival.free_form:
            plain = f"site_energies_{_word(rival.name)}"
            names[rival.name] = f"{plain}_{len(names)}" if plain in names.values() else plain
    return names


def figures(outcome: FitOutcome) -> Iterator[Shown]:
    """What there is to draw of a fit, with what is said of it."""
    main, result, synthetic = outcome.main, outcome.main.result, bool(outcome.study.truth)
    names = _energy_names(fitted.hypothesis for fitted in (main, *outcome.rivals))
    if measured_of(main):
        yield captions.profiles(lambda: _profiles(main), main, synthetic=synthetic)
    if drawn_records(main):
        yield shown_records(lambda: records_figure(main), main, synthetic=synthetic)
    for fitted in (main, *(rival for rival in outcome.rivals if rival.hypothesis.free_form)):
        bands = functools.cache(lambda f=fitted: law_bands(f.hypothesis.problem, first_measured(f), f.result))
        draw = lambda f=fitted, b=bands: _site_energies(f, b(), measured_of(main))  # noqa: E731
        yield captions.site_energies(names[fitted.hypothesis.name], draw, bands, fitted.hypothesis.name)
    yield captions.correlation(lambda: _correlation(result), result)
    if result.profiles:
        yield captions.profile_likelihood(lambda: _profile_likelihoods(result), result)
    posterior = main.posterior
    if posterior is not None:
        yield captions.posterior(lambda: pair_plot(posterior, result), posterior, result)
    if len(outcome.study.main.parameters) > 1:
        yield captions.landscape(lambda: _landscape(outcome), outcome.sweep, result)


def first_measured(fitted: Fitted) -> Measurement:
    """The experiment of the first data."""
    problem = fitted.hypothesis.problem
    return problem.measurements[problem.data[0].experiment]


def _figure(size: tuple[float, float]) -> "Figure":
    from matplotlib.figure import Figure

    return Figure(figsize=size, layout="constrained")


def _profiles(main: Fitted) -> "Figure":
    result, measured = main.result, measured_of(main)
    figure = _figure((4.4 * len(measured), 7.2))
    axes = figure.subplots(3, len(measured), squeeze=False, height_ratios=[3, 2.4, 1.2])
    start = 0
    residual = np.asarray(result.expansion.residual[0])
    for k, measurement in enumerate(measured):
        assert measurement.profile is not None
        size = measurement.profile.fraction.size
        data_and_fit(axes[0, k], measurement, result, k)
        data_and_fit(axes[1, k], measurement, result, k, logarithmic=True)
        own = residual[start : start + size]
        residuals(axes[2, k], measurement, own)
        table = own.reshape(measurement.profile.fraction.shape)
        share_depths(list(axes[:, k]), np.asarray(measurement.profile.depth), table)
        start += size + (2 * len(measurement.profile.species) if measurement.solved else 0)
    headline(figure, main.hypothesis.name)
    return figure


def _site_energies(fitted: Fitted, bands: LawBands | None, measured: list[Measurement]) -> "Figure | None":
    if bands is None:
        return None
    return figure_law(fitted.hypothesis.name, bands, supported_by(measured, bands.species))


def _correlation(result: FitResult) -> "Figure":
    figure = _figure((5.5, 4.8))
    correlation(figure.subplots(), result)
    return figure


def _profile_likelihoods(result: FitResult) -> "Figure":
    columns = min(3, len(result.profiles))
    lines = math.ceil(len(result.profiles) / columns)
    figure = _figure((3.3 * columns, 2.6 * lines))
    places = figure.subplots(lines, columns, squeeze=False).ravel()
    for ax, profile in zip(places, result.profiles, strict=False):
        profile_likelihood(ax, profile, result)
    for ax in places[len(result.profiles) :]:
        ax.set_axis_off()
    return figure


def _landscape(outcome: FitOutcome) -> "Figure | None":
    result, sweep = outcome.main.result, outcome.sweep
    if not np.isfinite(sweep.total).any():
        return None
    found = Refined(
        sweep.parameters, np.asarray(result.theta), np.asarray(result.path), np.asarray(result.covariance.scaled)
    )
    return figure_landscape(sweep.theta, sweep.total, found)


def supported_by(measured: list[Measurement], species: str) -> tuple[float, float]:
    """Range of the fraction of an ion that any of the profiles holds."""
    return min((_supported(m, species)[0] for m in measured), default=1.0), 1.0


def _supported(measurement: Measurement, species: str) -> tuple[float, float]:
    """Range of the fraction of an ion that a profile holds: the least one above three times its noise, to the bulk."""
    profile = measurement.profile
    if profile is None or species not in profile.species:
        return 0.0, 1.0
    row = profile.species.index(species)
    measured = np.asarray(profile.fraction)[row]
    seen = (np.asarray(profile.weight)[row] > 0.0) & (measured > 3.0 * np.asarray(profile.sigma)[row])
    return float(np.clip(measured[seen].min(initial=1.0), 0.0, 1.0)), 1.0


def _word(name: str) -> str:
    return "_".join(re.findall(r"[a-z0-9]+", name.lower()))
