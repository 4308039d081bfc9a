"""Figures of the report of a fit: which there are, and what is drawn into each."""

import math
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from npp_jax.commands.fit.run import FitOutcome
from npp_jax.commands.fit.summary import measured_of
from npp_jax.figures.fit import (
    correlation,
    data_and_fit,
    diffusivity,
    landscape,
    pair_plot,
    profile_likelihood,
    residuals,
    site_energies,
)
from npp_jax.fitting import Measurement, law_bands

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def figures(outcome: FitOutcome) -> Iterator[tuple[str, "Figure"]]:
    """Names and figures, one after the other."""
    from matplotlib.figure import Figure

    main, result = outcome.main, outcome.main.result
    measured = measured_of(main)
    figure = Figure(figsize=(4.2 * len(measured), 4.8), layout="constrained")
    axes = figure.subplots(2, len(measured), squeeze=False, height_ratios=[3, 1])
    start = 0
    residual = np.asarray(result.expansion.residual[0])
    for k, measurement in enumerate(measured):
        assert measurement.profile is not None
        size = measurement.profile.fraction.size
        data_and_fit(axes[0, k], measurement, result, k)
        residuals(axes[1, k], measurement, residual[start : start + size])
        start += size + (2 * len(measurement.profile.species) if measurement.solved else 0)
    figure.suptitle(main.hypothesis.name, fontsize="medium")
    yield "profiles", figure

    for fitted in (main, *(rival for rival in outcome.rivals if rival.hypothesis.free_form)):
        bands = law_bands(fitted.hypothesis.problem, measured_of(fitted)[0], fitted.result)
        if bands is not None:
            held = [_supported(m, bands.species) for m in measured]
            supported = (min(low for low, _ in held), 1.0)
            figure = Figure(figsize=(8.4, 3.8), layout="constrained")
            left, right = figure.subplots(1, 2)
            diffusivity(left, bands, supported)
            site_energies(right, bands, supported)
            figure.suptitle(fitted.hypothesis.name, fontsize="medium")
            yield "site_energies" if fitted is main else f"site_energies_{_word(fitted.hypothesis.name)}", figure

    figure = Figure(figsize=(5.5, 4.8), layout="constrained")
    correlation(figure.subplots(), result)
    yield "correlation", figure
    if result.profiles:
        columns = min(3, len(result.profiles))
        lines = math.ceil(len(result.profiles) / columns)
        figure = Figure(figsize=(3.3 * columns, 2.6 * lines), layout="constrained")
        places = figure.subplots(lines, columns, squeeze=False).ravel()
        for ax, profile in zip(places, result.profiles, strict=False):
            profile_likelihood(ax, profile, result)
        places[0].legend(frameon=False, fontsize="small", loc="upper center")
        for ax in places[len(result.profiles) :]:
            ax.set_axis_off()
        yield "profile_likelihood", figure
    if main.posterior is not None:
        yield "posterior", pair_plot(main.posterior, result)
    if len(outcome.study.main.parameters) > 1:
        figure = Figure(figsize=(5.2, 4.0), layout="constrained")
        landscape(figure.subplots(), outcome.sweep, (0, 1), result)
        yield "landscape", figure


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
