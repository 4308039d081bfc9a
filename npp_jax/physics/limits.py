"""Ranges of numbers that a user may give."""

import dataclasses
import math


@dataclasses.dataclass(frozen=True)
class Limits:
    """Range of a number; an open end does not belong to it."""

    low: float = -math.inf
    high: float = math.inf
    low_open: bool = True
    high_open: bool = True

    def hold(self, value: float) -> bool:
        """Whether a value is in the range."""
        above = value > self.low if self.low_open else value >= self.low
        return above and (value < self.high if self.high_open else value <= self.high)

    def __str__(self) -> str:
        """What is allowed, in words."""
        ends = (("greater", self.low, self.low_open), ("less", self.high, self.high_open))
        return " and ".join(
            f"{word} than {_number(end)}" if is_open else f"{word} than or equal to {_number(end)}"
            for word, end, is_open in ends
            if math.isfinite(end)
        )


def _number(end: float) -> str:
    """An end in short, and with all digits where it has more."""
    short = f"{end:g}"
    return short if float(short) == end else f"{end:.15g}"


def above(low: float, high: float = math.inf, *, below: float = math.inf) -> Limits:
    """Greater than `low`, and not greater than `high` or less than `below`."""
    return Limits(low, min(high, below), high_open=below <= high)


def between(low: float, high: float = math.inf, *, below: float = math.inf) -> Limits:
    """Not less than `low`, and not greater than `high` or less than `below`."""
    return Limits(low, min(high, below), low_open=False, high_open=below <= high)
