"""Sections of the report of a fit: posterior, starts and minima, rivals, where it comes from."""

import jax
import numpy as np

from npp_jax.commands.fit.run import FitOutcome, Fitted
from npp_jax.commands.report.blocks import Block, Folded, Section, Text
from npp_jax.commands.report.provenance import Begun, provenance
from npp_jax.commands.report.sweeps import status_table
from npp_jax.fitting import FitResult
from npp_jax.inference import GOOD, Reason, between, covariance_ends, likelihood_ratio
from npp_jax.simulation.text_table import TextTable

_ACROSS = 8
"""Columns of a table that fit on a page."""


def word_of(result: FitResult, start: int) -> str:
    """How a start ended, in a word or two."""
    return _name(Reason(int(result.refined.reason[start])))


def _name(reason: Reason) -> str:
    return reason.name.lower().replace("_", " ")


def minima_section(result: FitResult) -> Section:
    """Distinct minima, and how each start ended."""
    reasons = np.asarray(result.refined.reason)
    blocks: list[Block] = []
    if result.minima:
        # A prior counts as a point here, as where the minimum was sought.
        misfit = "χ² with priors" if any(p.prior is not None for p in result.parameters) else "χ²"
        heads = (misfit, "starts", "ended", *result.names)
        rows = [
            (f"{m.chi2:.2f}", str(m.starts), word_of(result, m.start), *(f"{value:.5g}" for value in m.theta))
            for m in result.minima
        ]
        if len(heads) > _ACROSS >= len(rows):
            # Many parameters and few minima stand better the other way round.
            numbers = (f"minimum {n + 1}" if len(rows) > 1 else "minimum" for n in range(len(rows)))
            heads, rows = ("", *numbers), list(zip(heads, *rows, strict=True))
        blocks.append(TextTable("Minima", heads, tuple(rows)))
    others = [(Reason(int(r)), int(np.sum(reasons == r))) for r in np.unique(reasons) if Reason(int(r)) not in GOOD]
    if others:
        told = ", ".join(f"{count} {_name(reason)}" for reason, count in others)
        blocks.append(Text(f"Starts that ended in no minimum: {told}."))
    elif len(result.minima) > 1:
        text = "Minima of the same χ² with other parameters are as good; only the lowest has intervals here."
        blocks.append(Text(text))
    refined = result.refined
    order = np.argsort(np.asarray(refined.cost), kind="stable")
    rows = (
        (
            f"{2.0 * float(refined.cost[n]):.2f}",
            word_of(result, n),
            str(int(refined.iterations[n])),
            str(int(refined.evaluations[n])),
            str(int(refined.failed_evaluations[n])),
            *(f"{float(value):.5g}" for value in refined.theta[n]),
        )
        for n in map(int, order)
    )
    heads = ("χ²", "ended", "steps", "evaluations", "failed", *result.names)
    blocks.append(Folded(f"All {len(reasons)} starts", [TextTable("", heads, tuple(rows))]))
    return Section("Starts and minima", blocks)


def posterior_section(fitted: Fitted) -> Section:
    """The posterior beside the other intervals."""
    posterior, result = fitted.posterior, fitted.result
    assert posterior is not None
    profiles = {profile.name: profile.ends for profile in result.profiles}
    texts = posterior.interval_texts(result.parameters)
    rows = []
    for k, parameter in enumerate(fitted.hypothesis.parameters):
        profiled = between(profiles[parameter.name]) if parameter.name in profiles else ""
        rows.append(
            (
                parameter.name,
                f"{posterior.mean[k]:.5g}",
                f"{posterior.standard_deviation[k]:.2g}",
                texts[k],
                profiled,
                between(covariance_ends(result.parameters, result.covariance, k)),
                f"{posterior.r_hat[k]:.3f}",
                f"{posterior.ess_bulk[k]:.0f}",
                f"{posterior.ess_tail[k]:.0f}",
            )
        )
    heads = (
        "parameter", "mean", "standard deviation", "95 % of the draws", "95 % by profile likelihood",
        "95 % by covariance", "R-hat", "ESS bulk", "ESS tail",
    )  # fmt: skip
    words = (
        f"{posterior.theta.shape[0]} chains of {posterior.theta.shape[1]} draws; uniform on the scale of each "
        f"parameter inside its range, times its prior. {100 * posterior.accepted:.0f} % of the trajectories accepted."
    )
    return Section("Posterior", [Text(words), TextTable("", heads, tuple(rows))])


def rivals_section(outcome: FitOutcome) -> Section:
    """The rivals beside the first model."""
    everyone = [outcome.main, *outcome.rivals]
    lowest = [min(getattr(f.result.criteria, kind) for f in everyone) for kind in ("aic", "bic")]
    best = min(everyone, key=lambda fitted: fitted.result.criteria.aic)
    rows = []
    for fitted in everyone:
        result = fitted.result
        rows.append(
            (
                fitted.hypothesis.name,
                str(len(fitted.hypothesis.parameters)),
                f"{result.effective:.1f}",
                f"{result.chi2:.1f}",
                f"{result.p_value:.2g}",
                f"{result.criteria.aic - lowest[0]:.1f}",
                f"{result.criteria.bic - lowest[1]:.1f}",
                _ratio_test(outcome.main, fitted),
                word_of(result, result.best),
            )
        )
    heads = (
        "model", "parameters", "determined", "χ²", "probability", "ΔAIC", "ΔBIC", "against the first", "ended",
    )  # fmt: skip
    words = (
        "The model with ΔAIC = 0 predicts best; a ΔBIC above 10 is very strong evidence against a model "
        "(R. E. Kass, A. E. Raftery, J. Am. Stat. Assoc. 90 (1995) 773). Where a model contains the first, the "
        "last column but one is the probability of so large a gain if the first is true (likelihood ratio)."
    )
    first = f"Of {len(everyone)} models, '{best.hypothesis.name}' predicts best by AIC."
    return Section("Rivals", [Text(first), TextTable("", heads, tuple(rows)), Text(words)])


def _ratio_test(main: Fitted, rival: Fitted) -> str:
    """Probability of Wilks' test where the rival contains the main model."""
    if not rival.hypothesis.contains_main:
        return ""
    extra = len(rival.hypothesis.parameters) - len(main.hypothesis.parameters)
    try:
        return f"{likelihood_ratio(main.result.chi2, rival.result.chi2, extra).p_value:.2g}"
    except ValueError:
        return "not at its minimum"


def provenance_section(outcome: FitOutcome, begun: Begun) -> Section:
    """Where the fit comes from."""
    refined = outcome.main.result.refined
    own = "double (float64)" if jax.config.read("jax_enable_x64") else "single (float32)"
    made, failed = int(np.sum(refined.evaluations)), int(np.sum(refined.failed_evaluations))
    counts = (
        status_table(outcome.sweep),
        Text(f"{made} evaluations by the starts of the fit, {failed} of them failed."),
    )
    return provenance(begun, own, counts)
