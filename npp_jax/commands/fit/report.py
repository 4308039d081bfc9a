"""The report of a fit in Markdown."""

import os
from collections.abc import Iterator
from urllib.parse import quote

import numpy as np

from npp_jax.commands.fit.run import FitOutcome, Fitted
from npp_jax.commands.fit.summary import warnings
from npp_jax.fitting import FitResult, phrases
from npp_jax.inference import GOOD, REASON_ADVICE, Reason, between, covariance_ends, given, likelihood_ratio


def report_lines(outcome: FitOutcome, figures: list[str], lost: list[str]) -> Iterator[str]:
    """The report in Markdown, line by line; with figures by their names, and sentences on those that are missing."""
    main, result = outcome.main, outcome.main.result
    reasons = np.asarray(result.refined.reason)
    yield f"# Fit: {main.hypothesis.name}"
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
    for name in result.names:
        found = result[name]
        yield f"| {name} | {found.value:.5g} | {found.sigma_text()} | {found.interval_text()} | {found.how} |"
    yield ""
    yield f"chi2 {result.chi2:.1f} for {result.points} points, probability {result.p_value:.2g}: " + ", ".join(
        f"{name} {value:.1f}" for name, value in result.chi2_of.items()
    )
    yield ""
    if main.posterior is not None:
        yield from _posterior_lines(main)
    yield "## What the data determine"
    yield ""
    held = given(result.parameters, result.covariance)
    if held:
        yield f"With {' and '.join(held)} free, beyond the end of the range too, to first order:"
        yield ""
    for text in [*result.identifiability.lines(phrases(result.parameters)), *_outside(main)]:
        yield f"- {text}"
    yield ""
    yield "## Minima"
    yield ""
    yield from _minimum_lines(result)
    yield ""
    if outcome.rivals:
        yield "## Rivals"
        yield ""
        yield from _rival_lines(outcome)
        yield ""
    yield "## Figures"
    yield ""
    for name in figures:
        yield f"![{name}]({quote(os.fsencode(name))})"
        yield ""
    for text in lost:
        yield text
        yield ""


def _minimum_lines(result: FitResult) -> Iterator[str]:
    """Distinct minima, and the starts that ended in none."""
    if result.minima:
        yield f"| χ² | starts | ended | {' | '.join(result.names)} |"
        yield "|---" * (3 + len(result.names)) + "|"
        for minimum in result.minima:
            values = " | ".join(f"{value:.5g}" for value in minimum.theta)
            yield f"| {minimum.chi2:.2f} | {minimum.starts} | {_word_of(result, minimum.start)} | {values} |"
        yield ""
    reasons = np.asarray(result.refined.reason)
    others = [(Reason(int(r)), int(np.sum(reasons == r))) for r in np.unique(reasons) if Reason(int(r)) not in GOOD]
    if others:
        told = ", ".join(f"{count} {reason.name.lower().replace('_', ' ')}" for reason, count in others)
        yield f"Starts that ended in no minimum: {told}."
    elif len(result.minima) > 1:
        yield "Minima of the same χ² with other parameters are as good; only the lowest has intervals here."


def _word_of(result: FitResult, start: int) -> str:
    return Reason(int(result.refined.reason[start])).name.lower().replace("_", " ")


def _posterior_lines(fitted: Fitted) -> Iterator[str]:
    posterior, result = fitted.posterior, fitted.result
    assert posterior is not None
    profiles = {profile.name: profile.ends for profile in result.profiles}
    texts = posterior.interval_texts(result.parameters)
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
    for k, parameter in enumerate(fitted.hypothesis.parameters):
        linear = between(covariance_ends(result.parameters, result.covariance, k))
        profiled = between(profiles[parameter.name]) if parameter.name in profiles else ""
        yield (
            f"| {parameter.name} | {posterior.mean[k]:.5g} | {posterior.standard_deviation[k]:.2g} | "
            f"{texts[k]} | {profiled} | "
            f"{linear} | {posterior.r_hat[k]:.3f} | {posterior.ess_bulk[k]:.0f} | "
            f"{posterior.ess_tail[k]:.0f} |"
        )
    yield ""


def _outside(fitted: Fitted) -> Iterator[str]:
    """What has to be known from elsewhere."""
    keys = {key.rpartition(".")[2] for p in fitted.hypothesis.problem.parameters for key in p.keys}
    if not keys & {"D_bulk_m2_s", "conductivity_S_m"}:
        yield "D_bulk of the native ion is taken from the files; profiles fix ratios of diffusivities"
    if "temperature_K" not in keys:
        yield "the temperature is taken from the files; the width of the distribution is proportional to it"
    if "sed_fwhm_eV" in keys and "vacancy_fraction" not in keys:
        yield "the vacancy fraction is taken from the files; the width that is found depends on it"


def _rival_lines(outcome: FitOutcome) -> Iterator[str]:
    everyone = [outcome.main, *outcome.rivals]
    lowest = [min(getattr(f.result.criteria, kind) for f in everyone) for kind in ("aic", "bic")]
    yield "| model | parameters | determined | chi2 | probability | ΔAIC | ΔBIC | against the first | ended |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for fitted in everyone:
        result = fitted.result
        reason = _word_of(result, result.best)
        yield (
            f"| {fitted.hypothesis.name} | {len(fitted.hypothesis.parameters)} | {result.effective:.1f} | "
            f"{result.chi2:.1f} | {result.p_value:.2g} | {result.criteria.aic - lowest[0]:.1f} | "
            f"{result.criteria.bic - lowest[1]:.1f} | {_ratio_test(outcome.main, fitted)} | {reason} |"
        )
    yield ""
    yield (
        "The model with ΔAIC = 0 predicts best; a ΔBIC above 10 is very strong evidence against a model "
        "(R. E. Kass, A. E. Raftery, J. Am. Stat. Assoc. 90 (1995) 773). Where a model contains the first, the "
        "last column but one is the probability of so large a gain if the first is true (likelihood ratio)."
    )


def _ratio_test(main: Fitted, rival: Fitted) -> str:
    """Probability of Wilks' test where the rival contains the main model."""
    if not rival.hypothesis.contains_main:
        return ""
    extra = len(rival.hypothesis.parameters) - len(main.hypothesis.parameters)
    try:
        return f"{likelihood_ratio(main.result.chi2, rival.result.chi2, extra).p_value:.2g}"
    except ValueError:
        return "not at its minimum"
