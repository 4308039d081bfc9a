"""A sweep in words, as a table, and as labelled arrays."""

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import chdtrc

from npp_jax.fitting import unit_of
from npp_jax.inference import UNLIKELY, agrees, together, with_power
from npp_jax.simulation.status import STATUS_ADVICE, Status
from npp_jax.simulation.text_table import TextTable
from npp_jax.sweeping.description import OBSERVABLES, parameter_variables

if TYPE_CHECKING:
    import xarray

    from npp_jax.sweeping.ranking import SweepResult

_SHOWN = 5
"""Candidates in the table."""


def line(result: "SweepResult") -> str:
    """Candidates, parameters, experiments and lowest χ² in one line."""
    lowest = float(np.min(result.total))
    chi2 = f"lowest χ² {lowest:.1f} for {result.points.sum()} points" if np.isfinite(lowest) else "no χ²"
    names = f"{', '.join(result.names)}; {', '.join(result.experiments)}"
    return f"SweepResult of {len(result.theta)} candidates: {names}; {chi2}; {'; '.join(_statuses(result))}"


def sentence(result: "SweepResult", within: int, limit: float) -> str:
    """What was found, and how sure it is; so many candidates are within a Δχ² of the best."""
    count, points = len(result.theta), int(result.points.sum())
    failed = int(np.sum(result.worst >= Status.NOT_CONVERGED))
    words = f"{failed} of them failed" if failed else "none of them failed"
    if failed == count or (points and not np.isfinite(result.total).any()):
        return f"None of {count} candidates could be evaluated: there is no result."
    if not points:
        return f"{count} candidates were simulated, {words}; nothing was measured that they could be compared with."
    limits = int(result.censored.sum())
    best = int(np.argmin(result.total))
    chi2 = float(result.total[best])
    p_value = _probability(result, chi2)
    pairs = zip(result.parameters, result.theta[best], strict=True)
    place = ", ".join(f"{p.name} = {_number(float(value))}{_after(unit_of(p))}" for p, value in pairs)
    fits = f"χ² {chi2:.1f} for {points} points"
    best_of = f"The best of {count} candidates" if count > 1 else "The candidate"
    near = f"{within} candidate{'s are' if within > 1 else ' is'} within Δχ² = {limit:.3g} of it (95 %)"
    further = "A sweep tells where to look; npp-jax fit finds values with errors."
    if p_value < UNLIKELY:
        fits += f", probability below {UNLIKELY:g}" if limits else f", probability {p_value:.2g}"
        none = f"None of {count} candidates agrees with the data within errors; {words}."
        return f"{none} The best ({fits}): {place}. {further}"
    if limits:
        only = f"{limits} points only tell" if limits > 1 else "1 point only tells"
        return (
            f"{best_of} has {fits}: {place}. {near}; {words}. {only} of a limit of detection: whether a right model "
            f"would have such a χ² depends on what it predicts there, and npp-jax fit tells it. {further}"
        )
    fits += f", probability {p_value:.2g}"
    return f"{best_of} {agrees(p_value)} with the data ({fits}): {place}. {near}; {words}. {further}"


def _probability(result: "SweepResult", chi2: float) -> float:
    """Probability of a larger χ²; where points are below a limit of detection one that is too large.

    What such points add to the χ² that is expected depends on the prediction, which a sweep does not keep
    (`npp_jax.fitting.chance`): less than others where the limit is far above it, up to a quarter more where it is near.
    Where it is one or two standard deviations below the prediction few are lost, and each of them counts for two to
    three. Here each counts for three.
    """
    mean, variance = result.expected.sum(axis=0) + 2.0 * result.censored.sum() * np.array([1.0, 2.0])
    stretch = variance / (2.0 * mean)
    left = max(mean - len(result.parameters), 1.0)
    return float(chdtrc(left / stretch, chi2 / stretch))


def _number(value: float) -> str:
    (number,), power = together((value,))
    return with_power(number, power)


def _after(unit: str) -> str:
    return f" {unit}" if unit else ""


def table(result: "SweepResult") -> TextTable:
    """The best candidates in the order of their χ²; below it how all of them ended."""
    first = np.argsort(result.total, kind="stable")[:_SHOWN]
    rows = []
    for k in first[np.isfinite(result.total[first])]:
        numbers = (result.total[k] / result.points.sum(), *result.theta[k])
        rows.append((str(k), *(f"{value:.5g}" for value in numbers)))
    others = [
        f"{count} evaluated again with {text}"
        for mark, text in ((1, "finer settings"), (2, "the full model"))
        if (count := int((result.reevaluated_with == mark).sum()))
    ]
    return TextTable(
        f"{len(result.theta)} candidates, the best of them:",
        ("candidate", "chi2/point", *result.names),
        tuple(rows),
        (*_statuses(result), *others),
    )


def dataset(result: "SweepResult") -> "xarray.Dataset":
    """The arrays with names for their axes; see `SweepResult.to_xarray`."""
    import xarray

    each = ("candidate", "experiment")
    arrays = {
        "chi2": (each, result.chi2),
        "status": (each, result.status),
        "reevaluated_with": (("candidate",), result.reevaluated_with),
    }
    described = {name: OBSERVABLES[name] for name in arrays} | parameter_variables(result.parameters)
    arrays |= {name: (("candidate",), result.theta[:, k]) for k, name in enumerate(result.names)}
    return xarray.Dataset(
        {
            name: xarray.Variable(
                dims,
                values,
                {"units": described[name].units, "long_name": described[name].long_name, **described[name].attributes},
            )
            for name, (dims, values) in arrays.items()
        },
        coords={"experiment": list(result.experiments), "points": ("experiment", result.points)},
        attrs={"title": "npp_jax sweep", "study": result.title},
    )


def _statuses(result: "SweepResult") -> list[str]:
    values, counts = np.unique(result.worst, return_counts=True)
    return [f"{count} {STATUS_ADVICE[Status(int(v))]}" for v, count in zip(values, counts, strict=True)]
