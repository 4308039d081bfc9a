"""A fit in words, as a table, and as labelled arrays."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from npp_jax.fitting.phrases import phrases
from npp_jax.fitting.unit_words import unit_of
from npp_jax.inference.agreement import POOR, UNLIKELY, agrees, pulled, too_close
from npp_jax.inference.digits import estimate_texts, further
from npp_jax.inference.estimate import NOT_DETERMINED, given_text
from npp_jax.inference.finer import NOTICEABLE
from npp_jax.inference.interval_end import Outcome
from npp_jax.inference.parameter import Parameter
from npp_jax.inference.refine_result import GOOD, REASON_ADVICE, Reason
from npp_jax.simulation.text_table import TextTable

if TYPE_CHECKING:
    import xarray

    from npp_jax.fitting.fitting import FitResult

_TOLD = 3
"""Parameters in the sentence of a fit."""


def ending(result: "FitResult") -> Reason:
    """How the best start ended."""
    return Reason(int(result.refined.reason[result.best]))


def warnings(result: "FitResult") -> list[str]:
    """What a reader of the numbers has to know, one sentence each."""
    reason = ending(result)
    found = [] if reason is Reason.CONVERGED else [f"The fit ended thus: {REASON_ADVICE[reason]}."]
    for k, parameter in enumerate(result.parameters):
        side = int(result.refined.at_bound[result.best, k])
        if side:
            found.append(f"{parameter.name} is at the {'upper' if side > 0 else 'lower'} end of its range.")
    for name in result.names:
        ends = result[name].ends
        told = [(f"{side} end", end) for side, end in zip(("lower", "upper"), ends, strict=True)]
        found += [f"The {side} of {name} is {end.text()}." for side, end in told if end.outcome is Outcome.NOT_FOUND]
    # Where an end was not searched for, the table says so.
    looked = [name for name in result.names if all(e.outcome is not Outcome.NOT_SEARCHED for e in result[name].ends)]
    lost = [name for name in looked if result[name].interval_text() == NOT_DETERMINED]
    if lost:
        found.append(f"The data set no limit to {' and '.join(lost)} within the range.")
    held = given_text(result.parameters, result.covariance)
    if held:
        found.append(f"Standard errors are{held}, the end of the range.")
    # Before χ², which the errors of a mesh raise too.
    found += _moved(result)
    freedom = round(result.points - result.effective)
    if result.p_value < UNLIKELY:
        how = "; these are of the covariance, as profile likelihoods are not sought so far off" * result.far_off
        found.append(
            f"The model does not explain the data: χ² {result.chi2:.0f} for {freedom} degrees of freedom "
            f"(probability {result.p_value:.1g}). Intervals hold only for a model that does{how}."
        )
    elif result.p_value < POOR:
        found.append(
            f"The model agrees poorly with the data: one of {1.0 / result.p_value:.0f} measurements of a right model "
            "is so far off. Is something left out, as the error of the crater depth, a drift or a background?"
        )
    found += pulled(result.parameters, result.theta)
    if close := too_close(result.chi2, freedom, result.p_value):
        found.append(close)
    if any(profile.improved for profile in result.profiles):
        found.append("A profile likelihood found a lower χ² than the fit: start from more candidates.")
    failed, made = int(result.refined.failed_evaluations.sum()), int(result.refined.evaluations.sum())
    if failed:
        found.append(f"{failed} of {made} evaluations failed; their steps were rejected.")
    return found


def _moved(result: "FitResult") -> Iterator[str]:
    """A mesh that is too coarse for data as exact as these."""
    worst = int(np.argmax(np.abs(result.mesh)))
    moved = result.mesh[worst]
    if abs(moved) > NOTICEABLE:
        more = "lower" if moved < 0.0 else "higher"
        yield (
            f"Cells and steps are too coarse for data as exact: without their errors {result.names[worst]} would be "
            f"some {abs(moved):.1f} standard errors {more}. Take the next finer setting: fast, accurate, fine, finest."
        )


def sentence(result: "FitResult") -> str:
    """What was found, and how sure it is."""
    reason, ends = Reason(int(result.refined.reason[result.best])), len(result.refined.reason)
    fits = f"(χ² {result.chi2:.1f} for {result.points} points, probability {result.p_value:.2g})"
    if reason not in GOOD:
        far = f"the model is far from the data {fits}, and " * result.far_off
        return f"No result yet: {far}the fit did not come to a minimum ({REASON_ADVICE[reason]})."
    words = phrases(result.parameters)
    known = [p for p in result.parameters if np.all(np.isfinite(result[p.name].interval))]
    told = "; ".join(_found(result, p, words.get(p.name, p.name)) for p in known[:_TOLD])
    more, open_ends = len(known) - _TOLD, len(result.parameters) - len(known)
    found = f"{capital(told)}{further(more)}."
    if not known:
        found = "The data set no limits to any of the parameters within their ranges."
    elif open_ends:
        found += f" To {open_ends} of {len(result.parameters)} parameters the data set no limit on one side or both."
    held = [
        words.get(p.name, p.name)
        for p, side in zip(result.parameters, result.refined.at_bound[result.best], strict=True)
        if side
    ]
    if held:
        found += f" That is with {' and '.join(held)} at an end of {'its range' if len(held) == 1 else 'their ranges'}."
    if result.p_value < UNLIKELY:
        return f"The model does not explain the data {fits}; for what it is worth: {found}"
    agreement = f"The model {agrees(result.p_value)} with the data {fits}"
    return f"{found} {agreement}; {result.agreeing} of {ends} starts ended in this minimum."


def _found(result: "FitResult", parameter: Parameter, words: str) -> str:
    best, _, interval = estimate_texts(result[parameter.name])
    unit = f" {unit}" if (unit := unit_of(parameter)) else ""
    return f"{words} is {best}{unit} (95 %: {interval}{unit})"


def capital(text: str) -> str:
    """A sentence begins with a capital letter, unless it begins with a name or a symbol."""
    return text[:1].upper() + text[1:] if text.split(" ", 1)[0].islower() and "_" not in text.split(" ", 1)[0] else text


def line(result: "FitResult") -> str:
    """Parameters with their standard errors, χ² and ending in one line."""
    return f"FitResult: {in_short(result)}; {REASON_ADVICE[ending(result)]}"


def in_short(result: "FitResult") -> str:
    """Parameters with their standard errors, and χ²."""
    found = (result[name] for name in result.names)
    numbers = ", ".join(f"{name} = {e.value:.5g} {e.error_text()}" for name, e in zip(result.names, found, strict=True))
    return f"{numbers}; χ² {result.chi2:.1f} for {result.points} points"


def table(result: "FitResult") -> TextTable:
    """One row a parameter; χ², warnings and ending below."""
    rows = []
    for parameter in result.parameters:
        found = result[parameter.name]
        rows.append((parameter.name, unit_of(parameter), *estimate_texts(found), found.how))
    return TextTable(
        f"Fit of {len(result.parameters)} parameters, {result.agreeing} of {len(result.refined.reason)} starts at the "
        "best minimum",
        ("parameter", "unit", "best", "standard error", "95 % interval", "interval from"),
        tuple(rows),
        (
            f"χ² {result.chi2:.1f} for {result.points} points, probability {result.p_value:.2g}",
            *result.warnings(),
            f"status: {REASON_ADVICE[ending(result)]}",
        ),
    )


def dataset(result: "FitResult") -> "xarray.Dataset":
    """The numbers with names for their axes; see `FitResult.to_xarray`."""
    import xarray

    estimates = [result[name] for name in result.names]
    units = "that of the name of the parameter"
    arrays = {
        "best": ("parameter", result.theta, units, "best parameters"),
        "standard_error": (
            "parameter",
            [e.sigma for e in estimates],
            units,
            "standard errors; NaN where not determined",
        ),
        "interval": (
            ("parameter", "end"),
            [e.interval for e in estimates],
            units,
            "95 % intervals; NaN where the data set no limit",
        ),
        "interval_end": (
            ("parameter", "end"),
            [[end.text() for end in e.ends] for e in estimates],
            "1",
            "how each end of the interval was found",
        ),
        "interval_from": ("parameter", [e.how for e in estimates], "1", "where the interval is from"),
        "covariance_scaled": (
            ("parameter", "parameter_2"),
            result.covariance.scaled,
            "1",
            "covariance on the scales of the parameters",
        ),
        "correlation": (("parameter", "parameter_2"), result.covariance.correlation, "1", "correlation matrix"),
        "start_theta": (("start", "parameter"), result.refined.theta, units, "where each start ended"),
        "start_chi2": ("start", 2.0 * np.asarray(result.refined.cost), "1", "χ² there, priors included"),
    }
    return xarray.Dataset(
        {
            name: xarray.Variable(dims, np.asarray(values), {"units": unit, "long_name": text})
            for name, (dims, values, unit, text) in arrays.items()
        },
        coords={"parameter": list(result.names), "parameter_2": list(result.names), "end": ["low", "high"]},
        attrs={"title": "npp_jax fit", "chi2": result.chi2, "points": result.points, "probability": result.p_value},
    )
