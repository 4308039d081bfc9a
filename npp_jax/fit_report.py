"""The report of a fit: HDF5 with all arrays, JSON with the numbers, Markdown with figures."""

import json
import math
import re
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import h5py
import jax
import numpy as np

from npp_jax.fit import REASON_ADVICE, Measurement, Reason, data_warnings, law_bands, likelihood_ratio
from npp_jax.fit_command import FitOutcome, Fitted
from npp_jax.fit_plots import (
    correlation,
    data_and_fit,
    diffusivity,
    landscape,
    pair_plot,
    profile_likelihood,
    residuals,
    site_energies,
)

UNLIKELY = 1e-3
"""Probability of the misfit below which the model is said not to explain the data."""


def write_fit(outcome: FitOutcome, folder: Path, stem: str, *, command: str = "") -> list[Path]:
    """Write all files of a fit.

    Parameters
    ----------
    outcome
        The fit.
    folder
        Where to; it exists.
    stem
        Beginning of the names of the files.
    command
        Command that made the fit, kept as provenance.

    Returns
    -------
    Files, the report first.
    """
    figures = dict(_figures(outcome))
    drawn = []
    for name, figure in figures.items():
        path = folder / f"{stem}_{name}.png"
        figure.savefig(path, dpi=130)
        drawn.append(path)
    report = folder / f"{stem}_report.md"
    report.write_text("\n".join(report_lines(outcome, [path.name for path in drawn])) + "\n", encoding="utf-8")
    numbers = folder / f"{stem}_fit.json"
    numbers.write_text(json.dumps(_numbers(outcome), indent=2) + "\n", encoding="utf-8")
    arrays = folder / f"{stem}_fit.h5"
    _write_arrays(arrays, outcome, command)
    return [report, numbers, arrays, *drawn]


def _measured(fitted: Fitted) -> list[Measurement]:
    return [m for m in fitted.model.problem.measurements if m.profile is not None]


def intervals(fitted: Fitted) -> dict[str, tuple[float, float, str]]:
    """95 % interval of each parameter and where it is from: profile likelihood if there is one, else covariance."""
    found = {}
    profiles = {profile.name: profile for profile in fitted.result.profiles}
    for k, bound in enumerate(fitted.model.bounds):
        if bound.name in profiles:
            profile = profiles[bound.name]
            sides = ("open below", "open above")
            is_open = [side for side, flag in zip(sides, profile.open_ends, strict=True) if flag]
            found[bound.name] = (*profile.interval, ", ".join(["profile likelihood", *is_open]))
        else:
            low, high = (float(end) for end in fitted.result.covariance.interval[k])
            found[bound.name] = (low, high, "covariance")
    return found


def warnings(fitted: Fitted) -> list[str]:
    """What a reader of the numbers has to know, one sentence each."""
    result = fitted.result
    reason = Reason(int(result.refined.reason[result.best]))
    found = [] if reason is Reason.CONVERGED else [f"The fit ended thus: {REASON_ADVICE[reason]}."]
    for k, bound in enumerate(fitted.model.bounds):
        side = int(result.refined.at_bound[result.best, k])
        if side:
            found.append(f"{bound.name} is at the {'upper' if side > 0 else 'lower'} end of its range.")
    if result.p_value < UNLIKELY:
        freedom = round(result.points - result.effective)
        found.append(
            f"The model does not explain the data: misfit {result.chi2:.0f} for {freedom} degrees of freedom "
            f"(probability {result.p_value:.1g}). The intervals below hold only for a model that does."
        )
    if any(profile.improved for profile in result.profiles):
        found.append("A profile likelihood found a lower misfit than the fit: start from more candidates.")
    failed, made = int(result.refined.failed_evaluations.sum()), int(result.refined.evaluations.sum())
    if failed:
        found.append(f"{failed} of {made} evaluations failed; their steps were rejected.")
    if fitted.posterior is not None:
        found += fitted.posterior.warnings([bound.name for bound in fitted.model.bounds])
    return [*data_warnings(fitted.model.problem), *found]


def report_lines(outcome: FitOutcome, figures: list[str]) -> Iterator[str]:
    """The report in Markdown, line by line."""
    main, result = outcome.main, outcome.main.result
    reasons = np.asarray(result.refined.reason)
    yield f"# Fit: {main.model.name}"
    yield ""
    yield (
        f"{len(outcome.sweep.theta)} candidates swept, {len(reasons)} starts refined, {result.agreeing} of them to the "
        f"best minimum; it ended thus: {REASON_ADVICE[Reason(int(reasons[result.best]))]}."
    )
    yield ""
    for text in warnings(main):
        yield f"**{text}**"
        yield ""
    yield "## Parameters"
    yield ""
    yield "| parameter | best | standard error | 95 % interval | from |"
    yield "|---|---|---|---|---|"
    found = intervals(main)
    for k, bound in enumerate(main.model.bounds):
        low, high, source = found[bound.name]
        error = float(result.covariance.standard_error[k])
        yield f"| {bound.name} | {result.theta[k]:.5g} | {error:.2g} | {low:.5g} … {high:.5g} | {source} |"
    yield ""
    yield f"Misfit {result.chi2:.1f} for {result.points} points, probability {result.p_value:.2g}: " + ", ".join(
        f"{name} {value:.1f}" for name, value in result.chi2_of.items()
    )
    yield ""
    if main.posterior is not None:
        yield from _posterior_lines(main)
    yield "## What the data determine"
    yield ""
    for text in [*result.identifiability.lines(), *_outside(main)]:
        yield f"- {text}"
    yield ""
    if outcome.rivals:
        yield "## Rivals"
        yield ""
        yield from _rival_lines(outcome)
        yield ""
    yield "## Figures"
    yield ""
    for name in figures:
        yield f"![{name}]({name})"
        yield ""


def _posterior_lines(fitted: Fitted) -> Iterator[str]:
    posterior, covariance = fitted.posterior, fitted.result.covariance
    assert posterior is not None
    profiles = {profile.name: profile.interval for profile in fitted.result.profiles}
    yield "## Posterior"
    yield ""
    yield (
        f"{posterior.theta.shape[0]} chains of {posterior.theta.shape[1]} draws; uniform on the scale of each "
        f"parameter inside its range, times its prior. {100 * posterior.accepted:.0f} % of the trajectories accepted."
    )
    yield ""
    yield (
        "| parameter | mean | standard deviation | 95 % of the draws | 95 % by profile likelihood | 95 % by covariance "
        "| R-hat | ESS bulk | ESS tail |"
    )
    yield "|---|---|---|---|---|---|---|---|---|"
    for k, bound in enumerate(fitted.model.bounds):
        between = lambda pair: f"{float(pair[0]):.5g} … {float(pair[1]):.5g}"  # noqa: E731
        yield (
            f"| {bound.name} | {posterior.mean[k]:.5g} | {posterior.standard_deviation[k]:.2g} | "
            f"{between(posterior.interval[k])} | {between(profiles[bound.name]) if bound.name in profiles else ''} | "
            f"{between(covariance.interval[k])} | {posterior.r_hat[k]:.3f} | {posterior.ess_bulk[k]:.0f} | "
            f"{posterior.ess_tail[k]:.0f} |"
        )
    yield ""


def _outside(fitted: Fitted) -> Iterator[str]:
    """What has to be known from elsewhere."""
    keys = {key.rpartition(".")[2] for p in fitted.model.problem.parameters for key in p.keys}
    if not keys & {"D_bulk_m2_s", "conductivity_S_m"}:
        yield "D_bulk of the native ion is taken from the files; profiles fix ratios of diffusivities"
    if "temperature_K" not in keys:
        yield "the temperature is taken from the files; the width of the distribution is proportional to it"
    if "sed_fwhm_eV" in keys and "vacancy_fraction" not in keys:
        yield "the vacancy fraction is taken from the files; the width that is found depends on it"


def _rival_lines(outcome: FitOutcome) -> Iterator[str]:
    everyone = [outcome.main, *outcome.rivals]
    lowest = [min(getattr(f.result.criteria, kind) for f in everyone) for kind in ("aic", "bic")]
    yield "| model | parameters | determined | misfit | probability | ΔAIC | ΔBIC | against the first | ended |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for fitted in everyone:
        result = fitted.result
        reason = Reason(int(result.refined.reason[result.best])).name.lower().replace("_", " ")
        yield (
            f"| {fitted.model.name} | {len(fitted.model.bounds)} | {result.effective:.1f} | {result.chi2:.1f} | "
            f"{result.p_value:.2g} | {result.criteria.aic - lowest[0]:.1f} | {result.criteria.bic - lowest[1]:.1f} | "
            f"{_ratio_test(outcome.main, fitted)} | {reason} |"
        )
    yield ""
    yield (
        "The model with ΔAIC = 0 predicts best; a ΔBIC above 10 is very strong evidence against a model "
        "(R. E. Kass, A. E. Raftery, J. Am. Stat. Assoc. 90 (1995) 773). Where a model contains the first, the "
        "last column but one is the probability of so large a gain if the first is true (likelihood ratio)."
    )


def _ratio_test(main: Fitted, rival: Fitted) -> str:
    """Probability of Wilks' test where the rival contains the main model."""
    if not rival.model.contains_main:
        return ""
    extra = len(rival.model.bounds) - len(main.model.bounds)
    try:
        return f"{likelihood_ratio(main.result.chi2, rival.result.chi2, extra).p_value:.2g}"
    except ValueError:
        return "not at its minimum"


def _supported(measurement: Measurement, species: str) -> tuple[float, float]:
    """Range of the fraction of an ion that a profile holds: the least one above three times its noise, to the bulk."""
    profile = measurement.profile
    if profile is None or species not in profile.species:
        return 0.0, 1.0
    row = profile.species.index(species)
    measured = np.asarray(profile.fraction)[row]
    seen = (np.asarray(profile.weight)[row] > 0.0) & (measured > 3.0 * np.asarray(profile.sigma)[row])
    return float(np.clip(measured[seen].min(initial=1.0), 0.0, 1.0)), 1.0


def _figures(outcome: FitOutcome) -> Iterator[tuple[str, Any]]:
    from matplotlib.figure import Figure

    main, result = outcome.main, outcome.main.result
    measured = _measured(main)
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
    yield "profiles", figure

    for fitted in (main, *(rival for rival in outcome.rivals if rival.model.free_form)):
        bands = law_bands(fitted.model.problem, measured[0], fitted.result)
        if bands is not None:
            held = [_supported(m, bands.species) for m in measured]
            supported = (min(low for low, _ in held), 1.0)
            figure = Figure(figsize=(8.4, 3.8), layout="constrained")
            left, right = figure.subplots(1, 2)
            diffusivity(left, bands, supported)
            site_energies(right, bands, supported)
            figure.suptitle(fitted.model.name, fontsize="medium")
            yield "site_energies" if fitted is main else f"site_energies_{_word(fitted.model.name)}", figure

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
        for ax in places[len(result.profiles) :]:
            ax.set_axis_off()
        yield "profile_likelihood", figure
    if main.posterior is not None:
        yield "posterior", pair_plot(main.posterior, result)
    if len(main.model.bounds) > 1:
        figure = Figure(figsize=(5.2, 4.0), layout="constrained")
        landscape(figure.subplots(), outcome.sweep, (0, 1), result)
        yield "landscape", figure


def _word(name: str) -> str:
    return "_".join(re.findall(r"[a-z0-9]+", name.lower()))


def _numbers(outcome: FitOutcome) -> dict[str, Any]:
    def of(fitted: Fitted) -> dict[str, Any]:
        result, found = fitted.result, intervals(fitted)
        return {
            "name": fitted.model.name,
            "ended": Reason(int(result.refined.reason[result.best])).name,
            "starts": len(result.refined.reason),
            "starts_at_best_minimum": result.agreeing,
            "failed_evaluations": int(result.refined.failed_evaluations.sum()),
            "evaluations": int(result.refined.evaluations.sum()),
            "gradient_norm": float(result.refined.gradient_norm[result.best]),
            "misfit": result.chi2,
            "misfit_of": result.chi2_of,
            "points": result.points,
            "probability": result.p_value,
            "aic": result.criteria.aic,
            "bic": result.criteria.bic,
            "warnings": warnings(fitted),
            "parameters": {
                bound.name: {
                    "best": float(result.theta[k]),
                    "standard_error": float(result.covariance.standard_error[k]),
                    "interval_95": list(found[bound.name][:2]),
                    "interval_from": found[bound.name][2],
                }
                for k, bound in enumerate(fitted.model.bounds)
            },
            **({} if fitted.posterior is None else {"posterior": _posterior_numbers(fitted)}),
        }

    return {
        "schema_version": 1,
        "npp_jax_version": version("npp_jax"),
        "study": outcome.study.title,
        "candidates": len(outcome.sweep.theta),
        "fit": of(outcome.main),
        "rivals": [of(rival) for rival in outcome.rivals],
    }


def _posterior_numbers(fitted: Fitted) -> dict[str, Any]:
    posterior = fitted.posterior
    assert posterior is not None
    chains, draws, _ = posterior.theta.shape
    return {
        "chains": chains,
        "draws": draws,
        "accepted": posterior.accepted,
        "trajectories": posterior.trajectories,
        "failed": posterior.failed,
        "parameters": {
            bound.name: {
                "mean": float(posterior.mean[k]),
                "standard_deviation": float(posterior.standard_deviation[k]),
                "interval_95": posterior.interval[k].tolist(),
                "r_hat": float(posterior.r_hat[k]),
                "ess_bulk": float(posterior.ess_bulk[k]),
                "ess_tail": float(posterior.ess_tail[k]),
            }
            for k, bound in enumerate(fitted.model.bounds)
        },
    }


def _write_arrays(path: Path, outcome: FitOutcome, command: str) -> None:
    result, model = outcome.main.result, outcome.main.model
    names = [bound.name for bound in model.bounds]
    with h5py.File(path, "w") as file:
        file.attrs.update(
            title="npp_jax fit",
            schema_version=1,
            npp_jax_version=version("npp_jax"),
            jax_version=jax.__version__,
            device=str(jax.devices()[0].device_kind),
            study=outcome.study.text,
            command=command,
        )
        file["parameter"] = names
        for key, values, text in (
            ("theta", result.theta, "best parameters, in the units of their names"),
            ("standard_error", result.covariance.standard_error, "standard errors, in the units of the names"),
            ("covariance_scaled", result.covariance.scaled, "covariance on the scales of the parameters"),
            ("correlation", result.covariance.correlation, "correlation matrix"),
            ("start_theta", result.refined.theta, "where each start ended"),
            ("start_misfit", 2.0 * result.refined.cost, "misfit there, priors included"),
            ("start_reason", result.refined.reason, "why it ended: " + ", ".join(f"{r:d} {r.name}" for r in Reason)),
            ("path", result.path, "trial points of the best start"),
        ):
            file[key] = np.asarray(values)
            file[key].attrs["long_name"] = text
        for k, measurement in enumerate(_measured(outcome.main)):
            profile = measurement.profile
            assert profile is not None
            group = file.create_group(measurement.name)
            group["depth"] = np.asarray(profile.depth)
            group["depth"].attrs["units"] = "nm"
            group["species"] = list(profile.species)
            group["measured"], group["sigma"] = np.asarray(profile.fraction), np.asarray(profile.sigma)
            group["fitted"] = np.asarray(result.expansion.signals[k][0])
        for profile in result.profiles:
            group = file.create_group(f"profile_likelihood/{profile.name}")
            group["values"], group["delta_chi2"], group["theta"] = profile.values, profile.delta_chi2, profile.theta
        if outcome.main.posterior is not None:
            for key, text in (
                ("theta", "draws [chain, draw, parameter], in the units of the names"),
                ("log_density", "ln density of each draw in the unbounded coordinate, up to a constant"),
                ("r_hat", "rank-normalised split R-hat"),
                ("ess_bulk", "effective draws for the mean"),
                ("ess_tail", "effective draws for the 5 and 95 % quantiles"),
            ):
                file[f"posterior/{key}"] = getattr(outcome.main.posterior, key)
                file[f"posterior/{key}"].attrs["long_name"] = text
