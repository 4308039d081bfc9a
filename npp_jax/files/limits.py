"""Ranges of the keys, as their tables declare them."""

import dataclasses
import math
from collections.abc import Iterator
from typing import Any, get_args

from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo


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
            f"{word} than {end:g}" if is_open else f"{word} than or equal to {end:g}"
            for word, end, is_open in ends
            if math.isfinite(end)
        )


def limits_of(field: FieldInfo) -> Limits:
    """Range of the numbers of a field, in a list or not; no limits where it has none."""
    limits = Limits()
    for mark in _marks(field):
        match mark:
            case Gt(gt=low):
                limits = dataclasses.replace(limits, low=_number(low), low_open=True)
            case Ge(ge=low):
                limits = dataclasses.replace(limits, low=_number(low), low_open=False)
            case Lt(lt=high):
                limits = dataclasses.replace(limits, high=_number(high), high_open=True)
            case Le(le=high):
                limits = dataclasses.replace(limits, high=_number(high), high_open=False)
    return limits


def _number(end: Any) -> float:
    """End of a range; the types of `annotated_types` promise no more than an order."""
    return float(end)


def _marks(part: Any) -> Iterator[Any]:
    """All that a field or a part of its type is annotated with."""
    if isinstance(part, FieldInfo):
        yield from part.metadata
        yield from _marks(part.annotation)
    for inner in get_args(part):
        yield inner
        yield from _marks(inner)
