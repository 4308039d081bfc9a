"""A fit in words, as a table, and as labelled arrays."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from npp_jax.inference.refine_result import REASON_ADVICE, Reason
from npp_jax.simulation.text_table import TextTable

if TYPE_CHECKING:
    import xarray

    from npp_jax.fitting.fitting import FitResult

UNLIKELY = 1e-3
"""Probability of χ² below which the model is said not to explain the data."""


class Estimate(NamedTuple):
    """One parameter of a fit with its uncertainty, in the unit of its name."""

    value: float
    """Best value."""
    sigma: float
    """Standard error, from the covariance."""
    interval: tuple[float, float]
    """95 % interval."""
    how: str
    """Where the interval is from: profile likelihood, and whether it is open to a side, or covariance."""


def estimate(result: "FitResult", place: int) -> Estimate:
    """One parameter; its interval is that of the profile likelihood if there is one, else of the covariance."""
    value, sigma = float(result.theta[place]), float(result.covariance.standard_error[place])
    name = result.parameters[place].name
    profile = next((profile for profile in result.profiles if profile.name == name), None)
    if profile is None:
        low, high = (float(end) for end in result.covariance.interval[place])
        return Estimate(value, sigma, (low, high), "covariance")
    sides = ("open below", "open above")
    is_open = [side for side, flag in zip(sides, profile.open_ends, strict=True) if flag]
    low, high = (float(end) for end in profile.interval)
    return Estimate(value, sigma, (low, high), ", ".join(["profile likelihood", *is_open]))


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
    if result.p_value < UNLIKELY:
        freedom = round(result.points - result.effective)
        found.append(
            f"The model does not explain the data: chi2 {result.chi2:.0f} for {freedom} degrees of freedom "
            f"(probability {result.p_value:.1g}). The intervals below hold only for a model that does."
        )
    if any(profile.improved for profile in result.profiles):
        found.append("A profile likelihood found a lower chi2 than the fit: start from more candidates.")
    failed, made = int(result.refined.failed_evaluations.sum()), int(result.refined.evaluations.sum())
    if failed:
        found.append(f"{failed} of {made} evaluations failed; their steps were rejected.")
    return found


def line(result: "FitResult") -> str:
    """Parameters with their standard errors, χ² and ending in one line."""
    found = (result[name] for name in result.names)
    numbers = ", ".join(f"{name} = {e.value:.5g} ± {e.sigma:.2g}" for name, e in zip(result.names, found, strict=True))
    chi2 = f"chi2 {result.chi2:.1f} for {result.points} points"
    return f"FitResult: {numbers}; {chi2}; {REASON_ADVICE[ending(result)]}"


def table(result: "FitResult") -> TextTable:
    """One row a parameter; χ², warnings and ending below."""
    rows = []
    for name in result.names:
        found = result[name]
        low, high = found.interval
        rows.append((name, f"{found.value:.5g}", f"{found.sigma:.2g}", f"{low:.5g} … {high:.5g}", found.how))
    return TextTable(
        f"Fit of {len(result.parameters)} parameters, {result.agreeing} of {len(result.refined.reason)} starts at the "
        "best minimum",
        ("parameter", "best", "standard error", "95 % interval", "from"),
        tuple(rows),
        (
            f"chi2 {result.chi2:.1f} for {result.points} points, probability {result.p_value:.2g}",
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
        "standard_error": ("parameter", [e.sigma for e in estimates], units, "standard errors"),
        "interval": (("parameter", "end"), [e.interval for e in estimates], units, "95 % intervals"),
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
