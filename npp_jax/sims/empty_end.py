"""Points at the end of a run that was stopped: the export goes on with zeros where nothing was measured any more."""

import dataclasses

import numpy as np
from jaxtyping import Float

from npp_jax.sims.errors import fault
from npp_jax.sims.raw import AXIS_UNITS, MINIMUM_POINTS, RawProfile

_LEVEL = 10.0
"""Signal before the zeros, summed over the channels, from which on they are no chance of counting."""
_DROP = 0.02
"""Share of the level before that the last point has at least: less is a front that runs out, not a run that stopped."""


def without_empty_end(raw: RawProfile) -> RawProfile:
    """The profile without the points at its end that are zero in all channels, and with a warning that says so.

    Zeros behind a signal that fades are measured ones, and stay.

    Raises
    ------
    SimsFileError
        Too few points are left.
    """
    signals = [np.nan_to_num(channel.values, posinf=0.0, neginf=0.0) for channel in raw.channels]
    empty = min(_trailing_zeros(values) for values in signals)
    if not empty:
        return raw
    ends = [len(values) - empty for values in signals]
    if max(ends) < MINIMUM_POINTS:
        raise fault(raw.path, "no counts in any channel" if max(ends) <= 0 else f"only {max(ends)} points have counts")
    before = [values[end - MINIMUM_POINTS : end] for values, end in zip(signals, ends, strict=True)]
    if not _stopped(np.sum(before, axis=0)):
        return raw
    first = raw.channels[int(np.argmin(ends))]
    line, where = int(first.lines[min(ends)]), float(first.axis[min(ends)])
    what, were = ("the last point has", "was") if empty == 1 else (f"the last {empty} points have", "were")
    unit = {"cycle": ""}.get(raw.axis, f" {AXIS_UNITS[raw.axis]}")
    crater = ""
    if raw.axis != "depth" and empty > 1:
        crater = "; the crater is that of the whole time: give duration_s if sputtering stopped with the counting"
    warning = f"{what} no counts in any channel (from {where:.4g}{unit}, line {line}) and {were} left out{crater}"
    channels = tuple(
        dataclasses.replace(c, axis=c.axis[:end], values=c.values[:end], lines=c.lines[:end])
        for c, end in zip(raw.channels, ends, strict=True)
    )
    return dataclasses.replace(raw, channels=channels, warnings=(*raw.warnings, warning))


def _trailing_zeros(values: Float[np.ndarray, "point"]) -> int:
    counted = np.flatnonzero(values != 0.0)
    return len(values) - 1 - int(counted[-1]) if counted.size else len(values)


def _stopped(before: Float[np.ndarray, "point"]) -> bool:
    """Whether the points before the zeros stood at a level; the very last may have been under way."""
    *level, last = before
    return bool(min(level[-3:]) >= _LEVEL and last >= _DROP * max(level))
