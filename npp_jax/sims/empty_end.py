"""Points at which nothing was measured: zeros behind the end of a run that was stopped, or in pauses of it."""

import dataclasses

import numpy as np
from jaxtyping import Float

from npp_jax.sims.errors import fault
from npp_jax.sims.raw import AXIS_UNITS, MINIMUM_POINTS, RawProfile

_LEVEL = 10.0
"""Signal before the zeros, summed over the channels, from which on they are no chance of counting."""
_BESIDE = 3
"""Points on each side of a pause at which signals stand at a level."""
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


def without_pauses(raw: RawProfile) -> RawProfile:
    """The profile without points that are zero in all channels amid signals that stand at a level, or before them, and
    with a warning that says so.
    """
    if len({len(channel.values) for channel in raw.channels}) != 1:
        return raw
    total = np.sum([np.abs(np.nan_to_num(c.values, posinf=0.0, neginf=0.0)) for c in raw.channels], axis=0)
    # A rate of few counts is zero by chance: the step between its values is that of one count.
    one = max((float(np.min(np.diff(np.unique(c.values)), initial=np.inf)) for c in raw.channels), default=np.inf)
    level = _LEVEL * max(one, 1.0) if np.isfinite(one) else np.inf
    kept = total != 0.0
    counted = np.flatnonzero(kept)
    for start in np.flatnonzero(~kept & np.append(True, kept[:-1])):
        stop = int(counted[counted > start][0]) if np.any(counted > start) else len(total)
        sides = [side for side in (total[max(start - _BESIDE, 0) : start], total[stop : stop + _BESIDE]) if side.size]
        if stop == len(total) or min(float(side.min()) for side in sides) < level or len(sides[-1]) < _BESIDE:
            kept[start:stop] = True
    if kept.all() or np.count_nonzero(kept) < MINIMUM_POINTS:
        return raw
    lost = np.flatnonzero(~kept)
    first = raw.channels[0]
    unit = {"cycle": ""}.get(raw.axis, f" {AXIS_UNITS[raw.axis]}")
    what = "a point has" if len(lost) == 1 else f"{len(lost)} points have"
    where = f"from {float(first.axis[lost[0]]):.4g}{unit}, line {int(first.lines[lost[0]])}"
    went_on = "" if raw.axis == "depth" else "; depths are right if the sputtering went on meanwhile"
    warning = f"{what} no counts in any channel ({where}) amid others that have, left out{went_on}"
    channels = tuple(
        dataclasses.replace(c, axis=c.axis[kept], values=c.values[kept], lines=c.lines[kept]) for c in raw.channels
    )
    return dataclasses.replace(raw, channels=channels, warnings=(*raw.warnings, warning))


def _trailing_zeros(values: Float[np.ndarray, "point"]) -> int:
    counted = np.flatnonzero(values != 0.0)
    return len(values) - 1 - int(counted[-1]) if counted.size else len(values)


def _stopped(before: Float[np.ndarray, "point"]) -> bool:
    """Whether the points before the zeros stood at a level; the very last may have been under way."""
    *level, last = before
    return bool(min(level[-3:]) >= _LEVEL and last >= _DROP * max(level))
