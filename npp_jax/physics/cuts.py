"""Where a drive jumps or pauses, told from its noise: the parts of a stage, each of them smooth.

What is found is static, so that one program serves every candidate: which knots are the ends of a jump, and where the
outputs lie. Times and values remain those of the drive.
"""

import itertools
from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np

from npp_jax._compile import concrete
from npp_jax.physics.drive import Drive
from npp_jax.physics.protocol import Blocking, Cut, IonBeamCurrent, IonBeamPotential, Part, Stage

MOST_PARTS = 24
"""Each part is a stage of its own to the compiler."""

MOST_RESTS = (MOST_PARTS - 2) // 2
"""Rests within a stage that are cut; a step cannot begin and end in one that is not."""

RESTING = 1e-3
"""Share of the largest value below which a beam is off."""

_QUICK = 0.01
"""A jump takes no longer, as a share of the stage; what is slower is a ramp."""
_RISE = 0.03
"""Least jump, as a share of the larger of its two values: smaller ones are steps as any other."""
_NOISE = 12.0
"""Least jump of an evenly sampled trace, in the 0.3 quantile of the differences of neighbours: 6.5 standard deviations
of normal noise."""
_FADED = 0.01
"""A ramp to or from zero ends at this share of its other end: a beam that is almost off has a front of any width."""
_LEVEL = 1e-9
"""Share of its value within which a drive is constant."""
_GLITCH = 1e-4
"""Excursions that carry a smaller share of the integral are left to the mean over a step."""


class Trace(NamedTuple):
    """A drive of one candidate, as numbers."""

    time: np.ndarray
    value: np.ndarray
    end: float
    """Time at which the stage ends; zero where that is not known beforehand [s]."""

    @property
    def integral(self) -> np.ndarray:
        """Integral from the start of the stage to each knot."""
        pieces = 0.5 * np.diff(self.time) * (self.value[1:] + self.value[:-1])
        return np.concatenate([[0.0], np.cumsum(pieces)]) + self.time[0] * self.value[0]


def drive_of(stage: Stage) -> Drive | None:
    """Potential or current density of a stage; None where it has none."""
    match stage.front:
        case IonBeamPotential(potential=drive) | IonBeamCurrent(current_density=drive) | Blocking(potential=drive):
            return drive
    return None


def with_parts(stage: Stage) -> Stage:
    """The stage, with the parts of its trace found; as it is where its numbers are not known."""
    drive = drive_of(stage)
    if drive is None or drive.time is None:
        return replace(stage, parts=()) if stage.parts else stage
    if not concrete(drive.time, drive.value, stage.duration, stage.charge):
        return stage
    found = {_parts(stage, trace) for trace in _traces(stage, drive)}
    # One program serves all candidates: what is not common to them is not cut.
    return replace(stage, parts=found.pop() if len(found) == 1 else ())


def _traces(stage: Stage, drive: Drive) -> list[Trace]:
    """Drive of each candidate."""
    time, value = np.asarray(drive.time, float), np.asarray(drive.value, float)
    rank = max(time.ndim, value.ndim)
    time, value = (a.reshape(a.shape[:1] + (1,) * (rank - a.ndim) + a.shape[1:]) for a in (time, value))
    last = np.asarray(stage.charge if stage.duration is None else stage.duration, float)
    shape = np.broadcast_shapes(time.shape[1:], value.shape[1:], last.shape)
    columns = [np.broadcast_to(a, (len(a), *shape)).reshape(len(a), -1).T for a in (time, value)]
    made = []
    for t, v, end in zip(*columns, np.broadcast_to(last, shape).reshape(-1), strict=True):
        trace = Trace(t, v, float(end))
        if stage.duration is None:
            given = isinstance(stage.front, IonBeamCurrent)
            trace = trace._replace(end=_time_of(trace, float(end)) if given else 0.0)
        made.append(trace)
    return made


def _time_of(trace: Trace, amount: float) -> float:
    """Time at which the integral reaches an amount."""
    whole = trace.integral
    k = int(np.searchsorted(whole, amount, side="left"))
    if k == 0 or k == len(whole):
        edge = 0 if k == 0 else -1
        value = trace.value[edge]
        return float(trace.time[edge] + (amount - whole[edge]) / value) if value > 0.0 else float(trace.time[edge])
    rise = (trace.value[k] - trace.value[k - 1]) / (trace.time[k] - trace.time[k - 1])
    rest = amount - whole[k - 1]
    root = np.sqrt(max(trace.value[k - 1] ** 2 + 2.0 * rise * rest, 0.0))
    return float(trace.time[k - 1] + 2.0 * rest / (trace.value[k - 1] + root))


def _parts(stage: Stage, trace: Trace) -> tuple[Part, ...]:
    """Parts of a stage; none where it neither jumps nor stays as it is."""
    if trace.end <= 0.0:
        return ()
    cuts = find_cuts(trace, rests=not isinstance(stage.front, Blocking))
    if not cuts:
        # The ends of a ramp may be parameters.
        level = len(trace.time) > 2 and _is_level(trace, None, None)
        return (Part(None, None, False, stage.outputs, True, True),) if level else ()
    edges = [0.0, *(_place(trace, cut) for cut in cuts), trace.end]
    by_charge = stage.duration is None
    shares = np.asarray(stage.outputs)
    outputs = shares * trace.end
    if by_charge:
        outputs = np.asarray([_time_of(trace, share * float(np.max(np.asarray(stage.charge)))) for share in shares])
    parts = []
    for k, (begin, end) in enumerate(zip([None, *cuts], [*cuts, None], strict=True)):
        low, high = edges[k], edges[k + 1]
        inside = outputs[(outputs > low * (1.0 + 1e-9)) & (outputs <= high * (1.0 + 1e-9))]
        points = (inside - low) / (high - low)
        if by_charge and end is None and begin is not None:
            before = trace.integral[begin.left]
            before += trace.value[begin.left] * (low - trace.time[begin.left]) * (begin.kind == "jump")
            whole = float(np.max(np.asarray(stage.charge)))
            points = (shares[len(shares) - len(inside) :] * whole - before) / (whole - before)
        seen = bool(len(points) and points[-1] > 1.0 - 1e-6)
        earlier = tuple(round(float(p), 12) for p in (points[:-1] if seen else points))
        resting = begin is not None and begin.kind == "off"
        parts.append(Part(begin, end, resting, (*earlier, 1.0), seen, _is_level(trace, begin, end)))
    if cuts[0].kind == "on":
        parts[0] = parts[0]._replace(resting=True)
    return tuple(parts)


def _is_level(trace: Trace, begin: Cut | None, end: Cut | None) -> bool:
    """Whether a drive does not change between two cuts."""
    values = trace.value[0 if begin is None else begin.right : None if end is None else end.left + 1]
    faded = any(cut is not None and cut.left_over != 1.0 for cut in (begin, end))
    return not faded and bool(np.ptp(values) <= _LEVEL * np.max(values))


def _place(trace: Trace, cut: Cut) -> float:
    """Time of a cut: the integral on both sides is that of the trace."""
    a, b = cut.left, cut.right
    area, first, last = trace.integral[b] - trace.integral[a], trace.value[a], trace.value[b]
    if cut.kind == "off":
        return trace.time[a] + 2.0 * area / (first * (1.0 + cut.left_over))
    if cut.kind == "on":
        return trace.time[b] - 2.0 * area / (last * (1.0 + cut.left_over))
    return trace.time[a] + (last * (trace.time[b] - trace.time[a]) - area) / (last - first)


def rests_of(stage: Stage) -> int:
    """How often the trace of a stage pauses, the most of all candidates; 0 where its numbers are not known."""
    drive = drive_of(stage)
    if drive is None or drive.time is None or isinstance(stage.front, Blocking):
        return 0
    if not concrete(drive.time, drive.value, stage.duration, stage.charge):
        return 0
    traces = [trace for trace in _traces(stage, drive) if trace.end > 0.0]
    return max((sum(cut.kind == "off" for cut in _all_cuts(trace, rests=True)) for trace in traces), default=0)


def find_cuts(trace: Trace, *, rests: bool) -> tuple[Cut, ...]:
    """Jumps of a trace and ends of its rests, in order; of too many the largest.

    Parameters
    ----------
    trace
        The trace.
    rests
        Whether a value near zero is a rest.
    """
    return tuple(_fewer(trace, _all_cuts(trace, rests=rests)))


def _all_cuts(trace: Trace, *, rests: bool) -> list[Cut]:
    """Jumps and ends of rests, however many."""
    off = _runs(trace.value <= RESTING * np.max(trace.value)) if rests else []
    # An instant at zero is no rest.
    off = [(a, b) for a, b in off if b > a and trace.time[a] < trace.end]
    cuts = _switches(trace, off)
    taken = np.zeros(len(trace.time) - 1, bool)
    for a, b in off:
        taken[max(a - 1, 0) : b + 1] = True
    cuts += [Cut(a, b, "jump") for a, b in _jumps(trace, taken)]
    late = trace.end * (1.0 - 1e-6)
    cuts = sorted(cut for cut in cuts if 0.0 < _place(trace, cut) < late)
    return _without_glitches(trace, cuts)


def _runs(marked: np.ndarray) -> list[tuple[int, int]]:
    """First and last index of each run."""
    change = np.flatnonzero(np.diff(np.concatenate([[False], marked, [False]]).astype(int)))
    return [(int(a), int(b) - 1) for a, b in zip(change[::2], change[1::2], strict=True)]


def _switches(trace: Trace, off: list[tuple[int, int]]) -> list[Cut]:
    """Where a beam is switched off and on again."""
    cuts = []
    for a, b in off:
        switches: tuple[tuple[int, int, Literal["off", "on"]], ...] = ((a - 1, a, "off"), (b, b + 1, "on"))
        for left, right, kind in switches:
            if left >= 0 and right < len(trace.time):
                quick = trace.time[right] - trace.time[left] <= _QUICK * trace.end
                cuts.append(Cut(left, right, kind, 1.0 if quick else _FADED))
    return cuts


def _jumps(trace: Trace, taken: np.ndarray) -> list[tuple[int, int]]:
    """Knots between which the trace jumps."""
    width, rise = np.diff(trace.time), np.diff(trace.value)
    size = np.abs(rise)
    level = np.maximum(np.abs(trace.value[1:]), np.abs(trace.value[:-1]))
    quick = (width <= _QUICK * trace.end) & ~taken & (trace.time[:-1] < trace.end)
    marked = quick & (size > np.maximum(_RISE * level, _scatter(width, size)))
    found: list[tuple[int, int]] = []
    for k in np.flatnonzero(marked):
        # A jump may take several samples.
        if found and found[-1][1] == k and rise[k] * rise[k - 1] > 0.0:
            if trace.time[k + 1] - trace.time[found[-1][0]] <= _QUICK * trace.end:
                found[-1] = (found[-1][0], int(k) + 1)
                continue
        found.append((int(k), int(k) + 1))
    return found


def _scatter(width: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Differences of neighbours that are noise, at each interval; none where the trace is not evenly sampled."""
    typical = np.median(width)
    if len(width) < 8 or np.mean(np.abs(width / typical - 1.0) < 0.5) < 0.8:
        return np.zeros_like(size)
    reach = 10
    padded = np.pad(size, reach, mode="reflect" if len(size) > reach else "edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)
    local = np.quantile(windows, 0.3, axis=1)
    return _NOISE * np.maximum(local, np.quantile(size, 0.3))


def _without_glitches(trace: Trace, cuts: list[Cut]) -> list[Cut]:
    """Leave out excursions that carry next to nothing."""
    whole, kept = trace.integral, list(cuts)
    for first, second in itertools.pairwise(cuts):
        if first.kind == second.kind == "jump" and first in kept and second in kept:
            outside = 0.5 * (trace.value[first.left] + trace.value[second.right])
            span = trace.time[second.right] - trace.time[first.left]
            excess = whole[second.right] - whole[first.left] - outside * span
            if abs(excess) < _GLITCH * whole[-1] and span < _QUICK * trace.end:
                kept = [cut for cut in kept if cut not in (first, second)]
    return kept


def _fewer(trace: Trace, cuts: list[Cut]) -> list[Cut]:
    """No more than are worth compiling: the largest jumps, and rests before them."""
    room = MOST_PARTS - 1
    if len(cuts) <= room:
        return cuts
    rests = [cut for cut in cuts if cut.kind != "jump"]
    switches = rests[:room]
    if len(rests) > room and switches[-1].kind == "off":
        # A rest that begins is a rest that ends, unless the stage does.
        switches = switches[:-1]
    jumps = [cut for cut in cuts if cut.kind == "jump"]
    by_size = sorted(jumps, key=lambda cut: -abs(trace.value[cut.right] - trace.value[cut.left]))
    return sorted(switches + by_size[: room - len(switches)])
