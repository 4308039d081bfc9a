"""How far the data let a parameter go to one side, as a number and in words."""

import math
from collections.abc import Iterable
from enum import IntEnum
from typing import NamedTuple


class Outcome(IntEnum):
    """How the search for one end of an interval ended."""

    CLOSED = 0
    RANGE = 1
    NOT_FOUND = 2
    HELD = 3
    NO_EFFECT = 4
    NOT_SEARCHED = 5


class End(NamedTuple):
    """One end of an interval; only one that is closed is a limit that the data set."""

    outcome: Outcome
    value: float
    """Where Δχ² passes the threshold; else how far the parameter was taken. [unit of the parameter]"""
    delta_chi2: float = math.nan
    """Δχ² there."""
    others: tuple[str, ...] = ()
    """Other parameters that are at an end of their range there, as "name at 1e-06"."""

    @property
    def limit(self) -> float:
        """The end of the interval, NaN where the data set none."""
        return self.value if self.outcome is Outcome.CLOSED else math.nan

    def label(self) -> str:
        """The number, or a word in its place."""
        return f"{self.value:.5g}" if self.outcome is Outcome.CLOSED else _LABELS[self.outcome]

    def text(self) -> str:
        """The outcome in words."""
        match self.outcome:
            case Outcome.CLOSED:
                found = "closed"
            case Outcome.RANGE:
                found = f"reaches {self.value:.5g}, the end of the range, at Δχ² = {max(self.delta_chi2, 0.0):.2f}"
            case Outcome.NOT_FOUND:
                found = f"not found: refits did not converge beyond {self.value:.5g}"
            case Outcome.HELD:
                found = f"held at {self.value:.5g}, the end of the range: one-sided limit"
            case Outcome.NO_EFFECT:
                found = "no effect"
            case Outcome.NOT_SEARCHED:
                found = "not searched: the covariance sets no limit to a parameter at an end of its range"
        held = f", with {' and '.join(self.others)}, the end of the range" if self.others else ""
        return found + held


_LABELS = {
    Outcome.RANGE: "open",
    Outcome.NOT_FOUND: "not found",
    Outcome.HELD: "held",
    Outcome.NO_EFFECT: "not determined",
    Outcome.NOT_SEARCHED: "not searched",
}


_MEANINGS = {
    Outcome.RANGE: "open: the data allow the values up to this end of the range",
    Outcome.NOT_FOUND: "not found: the search did not come to a limit on this side",
    Outcome.HELD: "held: the best value lies at this end of the range",
    Outcome.NOT_SEARCHED: "not searched: a covariance sets no limit to what lies at an end of its range",
}


def meanings(outcomes: Iterable[Outcome]) -> list[str]:
    """What the words that stand in the place of ends mean, of those that do."""
    found = set(outcomes)
    return [text for outcome, text in _MEANINGS.items() if outcome in found]


def between(ends: tuple[End, End]) -> str:
    """An interval in words, both ends or "not determined"."""
    if all(end.outcome in (Outcome.RANGE, Outcome.HELD, Outcome.NO_EFFECT, Outcome.NOT_SEARCHED) for end in ends):
        return "not determined"
    return f"{ends[0].label()} … {ends[1].label()}"
