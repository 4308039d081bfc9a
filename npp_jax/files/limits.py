"""Ranges of the numbers of a file, as its tables declare them."""

import dataclasses
import math
from collections.abc import Iterator
from typing import Any, get_args

from annotated_types import Ge, Gt, Le, Lt
from pydantic import Field
from pydantic.fields import FieldInfo

from npp_jax.physics.keys import Key
from npp_jax.physics.limits import Limits


def within(key: Key) -> Any:
    """What a field of a table is annotated with so that its number is in the range of a key."""
    low, high = (end if math.isfinite(end) else None for end in (key.limits.low, key.limits.high))
    return Field(
        gt=low if key.limits.low_open else None,
        ge=None if key.limits.low_open else low,
        lt=high if key.limits.high_open else None,
        le=None if key.limits.high_open else high,
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
