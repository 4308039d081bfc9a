"""What a study of `npp-jax tracer` found: quantities and sentences, arrays to store, a figure, and how it ended."""

import dataclasses
import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from npp_jax.inference import NORMAL_95, REASON_ADVICE, UNLIKELY, Estimate, Outcome, Reason, too_close
from npp_jax.inference.agreement import pulled
from npp_jax.inference.finer import NOTICEABLE
from npp_jax.store.arrays import Array
from npp_jax.tracer.mesh_error import mesh_error
from npp_jax.tracer.tracer_fit import TracerFit

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_VAGUE = 1.0
"""Standard error of a logarithm above which a quantity is said to be hardly determined: a factor of e."""

_ENDLESS = 300.0
"""Standard error of a logarithm from which it is not determined at all."""


class Quantity(NamedTuple):
    """A number that a study found, or that follows from what it found."""

    name: str
    value: float
    unit: str
    interval: tuple[float, float] | None = None
    """95 % interval, an end NaN or infinite where the data set none; None for what has none."""
    note: str = ""
    """What is to be said of it, where it has no interval."""
    key: str = ""
    """What synthetic data are told to be made with, in the table `[truth]` of a study."""
    group: str = ""
    """Of what it is, where there are several."""
    words: tuple[str, str] = ("open", "open")
    """What stands in the place of an end that is no number."""

    def ends(self, numbers: Iterable[str]) -> str:
        """The interval, of the numbers of its ends that have one."""
        rest = iter(numbers)
        parts = zip(self.interval or (), self.words, strict=False)
        return " … ".join(next(rest) if math.isfinite(end) else word for end, word in parts)

    def text(self) -> str:
        """The line of a terminal."""
        head = f"{self.name:28s} {self.value:11.4g} {'' if self.unit == '1' else self.unit:8s} "
        if self.interval is None:
            return head + self.note
        return f"{head}95 %: {self.ends(f'{end:.4g}' for end in self.interval if math.isfinite(end))}"


Line: TypeAlias = Quantity | str


@dataclasses.dataclass(frozen=True)
class TracerReport:
    """Result of a study."""

    lines: list[Line]
    """Quantities and sentences, in their order."""
    arrays: dict[str, Array]
    """Arrays to store, by name."""
    draw: Callable[[], "Figure"]
    """Draws the figure of it all."""
    warnings: list[str]
    """What a reader of the numbers has to know, one sentence each."""
    status: str
    """How it ended, in words."""
    code: int
    """Exit code: 0 done, 3 with a warning in the status, 4 without a finite result."""
    fit: TracerFit | None = None
    """The fit, where there was one."""


_BEYOND = 3.0
"""By how many standard errors a fraction may lie beyond 0 to 1 without a word."""


def quantity_row(
    name: str, value: float, interval: tuple[float, float] | np.ndarray, unit: str, *, key: str = "", group: str = ""
) -> Quantity:
    """A quantity with its 95 % interval; an end that the data do not set is open."""
    low, high = map(float, interval)
    return Quantity(name, float(value), unit, (low, high), key=key, group=group)


def searched_row(
    name: str, found: Estimate, unit: str, *, key: str = "", of: Callable[[float], float] = float
) -> Quantity:
    """A quantity, or a function of it, whose ends were searched for: one that was not found is no open one."""
    low, high = (of(end) for end in found.interval)
    words = tuple("open" if end.outcome is Outcome.CLOSED else end.label() for end in found.ends)
    return Quantity(name, of(found.value), unit, (low, high), key=key, words=(words[0], words[1]))


def logarithmic_row(
    name: str,
    log_value: float,
    log_error: float,
    unit: str,
    *,
    key: str = "",
    group: str = "",
    quantile: float = NORMAL_95,
) -> Quantity:
    """A quantity that was fitted as a logarithm, with its 95 % interval, of so many standard errors to each side."""
    ends = intervals(np.asarray(log_value), np.asarray(log_error), quantile)
    return quantity_row(name, math.exp(log_value), ends, unit, key=key, group=group)


def linear_row(
    name: str, value: float, error: float, unit: str, *, key: str = "", group: str = "", quantile: float = NORMAL_95
) -> Quantity:
    """A quantity with its standard error, as a 95 % interval of so many of them to each side."""
    return quantity_row(name, value, (value - quantile * error, value + quantile * error), unit, key=key, group=group)


def intervals(log_value: np.ndarray, log_error: np.ndarray, quantile: float = NORMAL_95) -> np.ndarray:
    """Ends of the 95 % intervals of quantities that were fitted as logarithms, along a new last axis; NaN where the
    data set none.
    """
    half = np.where(log_error < _ENDLESS, quantile * log_error, np.nan)
    return np.exp(np.stack([log_value - half, log_value + half], axis=-1))


def relative_error(found: Estimate) -> float:
    """That of the interval where it is closed: where the model is far from a line the standard error is another."""
    if all(end.outcome is Outcome.CLOSED for end in found.ends):
        return math.log(found.interval[1] / found.interval[0]) / (2.0 * NORMAL_95)
    return found.sigma / found.value


def vague(names: list[str], log_errors: np.ndarray) -> list[str]:
    """Warnings for quantities that the data hardly determine."""
    return [
        f"The data hardly determine {name}: its 95 % interval is wider than a factor of {math.exp(2 * NORMAL_95):.0f}."
        for name, error in zip(names, np.ravel(log_errors), strict=True)
        if not error < _VAGUE
    ]


def no_fractions(found: Iterable[tuple[str, Estimate]]) -> list[str]:
    """Warnings for isotope fractions that were found beyond 0 or 1 by more than their errors, with their names."""
    return [
        f"{name} is {estimate.value:.4g} ± {estimate.sigma:.2g}, and no isotope fraction lies "
        f"{'above one' if estimate.value > 1.0 else 'below zero'}: are the fractions of the file right, and what the "
        "model is told of source, sample and zero of the positions?"
        for name, estimate in found
        if max(estimate.value - 1.0, -estimate.value) > _BEYOND * estimate.sigma
    ]


def chi2_lines(fit: TracerFit) -> tuple[list[str], list[str]]:
    """Lines about χ² and what intervals owe to ranges, and the warnings that belong to them, if any."""
    ends = [
        (f"The {side} end of {profile.name} is {end.text()}.", end)
        for profile in fit.profiles
        for side, end in zip(("lower", "upper"), profile.ends, strict=True)
    ]
    warned = [words for words, end in ends if end.outcome is Outcome.NOT_FOUND]
    owed = [words for words, end in ends if end.outcome is Outcome.CLOSED and end.others]
    warned += pulled(fit.parameters, fit.theta)
    line = f"χ² {fit.chi2:.1f} for {fit.degrees_of_freedom} degrees of freedom, probability {fit.p_value:.2g}"
    if fit.p_value >= UNLIKELY:
        scatters = fit.expected_chi2[1] > 0.0  # Counts of a fraction of zero or one lie where they must.
        close = too_close(fit.chi2, fit.degrees_of_freedom, fit.p_value) if scatters else None
        return [line, *owed], [*([close] if close else []), *warned]
    return [line, *owed], [
        "The model does not explain the data within their errors; the intervals hold only for a model that does.",
        *warned,
    ]


def limit_of(found: Estimate) -> tuple[float | None, str]:
    """The only limit that the data set to a D_gb/δ at an end of its range, and of which side."""
    low, high = found.ends
    if high.outcome is Outcome.HELD and low.outcome is Outcome.CLOSED:
        return low.value, "least"
    if low.outcome is Outcome.HELD and high.outcome is Outcome.CLOSED:
        return high.value, "most"
    return None, ""


def one_sided(names: Sequence[str], found: Sequence[Estimate]) -> list[str]:
    """Sentences about boundaries of which the data tell one limit."""
    seen = {"least": "no step", "most": "no flux"}
    limits = [(name, *limit_of(one)) for name, one in zip(names, found, strict=True)]
    return [
        f"{name} is {limit:.4g} m/s at {side}: to these data there is {seen[side]}."
        for name, limit, side in limits
        if limit is not None
    ]


def mesh_lines(fit: TracerFit) -> list[str]:
    """Warning where mesh and steps move what was found, if they do."""
    if not np.all(np.isfinite(fit.theta)):
        return []
    moved = mesh_error(fit)
    worst = int(np.argmax(np.abs(moved)))
    if not abs(moved[worst]) > NOTICEABLE:
        return []
    return [
        f"Cells and steps are too coarse: they move {fit.names[worst]} by {moved[worst]:+.1f} standard errors or so; "
        "give more of both."
    ]


def ending(fit: TracerFit) -> tuple[str, int]:
    """Status in words and exit code of a fit."""
    if not (math.isfinite(fit.chi2) and np.all(np.isfinite(fit.theta))):
        return "no finite result: check the data and the values to start from", 4
    if fit.reason is Reason.AT_BOUND:
        ends = [k for k, side in enumerate(fit.refined.at_bound[0]) if side]
        fractions = all((fit.parameters[k].low, fit.parameters[k].high) == (0.0, 1.0) for k in ends)
        of = "a fraction, 0 to 1" if fractions else "what it may be"
        return f"converged, with {', '.join(fit.names[k] for k in ends)} at an end of the range of {of}", 0
    return REASON_ADVICE[fit.reason], 0 if fit.converged else 3


def printed(lines: Iterable[Line]) -> str:
    """Quantities and sentences as a terminal shows them; those of a group below its name."""
    told, group = [], ""
    for line in lines:
        if isinstance(line, Quantity):
            told += [f"{line.group}:"] if line.group not in ("", group) else []
            group = line.group
            told.append(f"  {line.text()}" if group else line.text())
        else:
            told.append(line)
    return "\n".join(told)
