"""The truth behind synthetic data beside what was found."""

import math
from collections.abc import Mapping

from npp_jax.fitting import FitResult
from npp_jax.inference import Outcome, together, with_power
from npp_jax.inference.interval_end import End
from npp_jax.simulation.text_table import TextTable


def inside(value: float, interval: tuple[float, float]) -> bool:
    """Whether a value is within an interval, of which an end that is NaN is open."""
    low, high = interval
    return not (value < low or value > high)


def told(value: float, error: float = math.nan) -> str:
    """A true value with the digits of the error with which it was found."""
    (number,), power = together((value,), error)
    return with_power(number, power)


def with_truth(table: TextTable, truth: Mapping[str, float], result: FitResult) -> TextTable:
    """The table of the parameters with the true values, where they are known, before its last column."""
    if not truth:
        return table
    rows = []
    for row, name in zip(table.rows, result.names, strict=True):
        found, value = result[name], truth.get(name)
        if value is None:
            rows.append((*row[:-1], "", "", row[-1]))
            continue
        away = f", {abs(value - found.value) / found.sigma:.1f} σ away" if math.isfinite(found.sigma) else ""
        words = ("inside" if inside(value, _limits(found.ends)) else "outside") + away
        rows.append((*row[:-1], told(value, found.sigma), words, row[-1]))
    *first, last = table.header
    return table._replace(header=(*first, "truth", "truth in the interval", last), rows=tuple(rows))


def truth_sentence(truth: Mapping[str, float], result: FitResult) -> str:
    """How many of the true values are within the intervals."""
    known = [name for name in result.names if name in truth]
    within = sum(inside(truth[name], _limits(result[name].ends)) for name in known)
    return (
        f"The data are synthetic, made with known parameters: {within} of {len(known)} true values are inside of their "
        "95 % intervals."
    )


def _limits(ends: tuple[End, End]) -> tuple[float, float]:
    low, high = (end.value if end.outcome is Outcome.CLOSED else math.nan for end in ends)
    return low, high
