"""Search for the value of one parameter at which χ² of the best others has risen by a threshold, on one side.

√Δχ² is nearly a straight line in s. Its crossing is bracketed, from the minimum outwards, and then found by secants of
√Δχ², with a bisection where these are slow. A refit that did not converge is still an upper limit of the profile: if it
lies below the threshold, so does the profile. If it lies above, the refit is tried from other starts, and where none
converges the search comes back towards the minimum.

Everything here is arithmetic on what refits have found; the refits of all searches are one batch, in `profile`.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from npp_jax.inference.interval_end import Outcome

CLOSE = 0.0025
"""Distance of Δχ² from the threshold at which the crossing is found, over the threshold."""
_FAR = 100.0 * math.log(10.0)
"""A hundred decades."""

_LOST = 25.0
"""Δχ² over the threshold beyond which a refit is not taken before all starts have been tried."""

_NARROW = 1e-4  # bracket over its distance from the minimum, within which Δχ² jumps
_ROUNDS = 40
_EXPANSIONS = 15  # without a bracket, where the range is infinite
_LONGEST, _SHORTEST = 4.0, 1.5  # by which the distance from the minimum grows in one round
_NEAR_END = 0.05  # of the distance to the end of the range, over which the search goes there at once
_FAILURES = 4  # places where no start converged
_STALLED = 12  # refits one after the other that did not converge: where χ² is rough they lead to no end


class Point(NamedTuple):
    """Best fit with one parameter fixed."""

    at: float
    """The value of the parameter, in s."""
    delta: float
    """Δχ², or an upper limit of it."""
    scaled: Float[np.ndarray, " parameter"]
    """All parameters, in s."""
    bounds: tuple[int, ...] = ()
    """-1 for parameters at the low end of their range, +1 at the high end, 0 inside."""
    converged: bool = True
    fixed: int = -1
    """Which parameter is fixed."""
    flat: bool = False
    """Whether others had no effect there: a plateau, which a start that comes onto it does not leave."""

    @property
    def height(self) -> float:
        """√Δχ²."""
        return math.sqrt(max(self.delta, 0.0))


class Side(NamedTuple):
    """State of one search."""

    parameter: int
    """Which parameter is searched for."""
    sign: int
    """-1 below the minimum, +1 above."""
    centre: Point
    """The minimum."""
    limit: float
    """End of the range, in s."""
    step: float
    """Where to look first, as a distance from the minimum in s."""
    inner: Point
    """The farthest point known to lie below the threshold."""
    before: Point
    """The one before it."""
    outer: Point | None = None
    """The nearest point above the threshold, farther than `inner`."""
    wall: float | None = None
    """Place between them where no start converged."""
    refused: int = 0
    """Starts that did not converge at the present trial."""
    failures: int = 0
    stalled: int = 0
    """Refits since the last that converged."""
    rounds: int = 0
    known: tuple[Point, ...] = ()
    """Points that converged."""
    ended: Outcome | None = None

    def again_from(self, point: Point) -> "Side":
        """The same search from a point farther out that turned out to lie below the threshold."""
        return self._replace(inner=point, before=self.inner, outer=None, wall=None, refused=0, failures=0, ended=None)


def followed(limit: float, at: float, sign: int) -> float:
    """How far a logarithm is followed: to the end of its range, or, where that is its whole domain, farther than any
    data tell.
    """
    return limit if math.isfinite(limit) else at + sign * _FAR


def begin(parameter: int, sign: int, best: Point, limit: float, error: float, threshold: float) -> Side:
    """A search from the minimum.

    Parameters
    ----------
    parameter, sign
        Which parameter, and the side.
    best
        The minimum.
    limit
        End of the range, in s; may be infinite.
    error
        Standard error of s, for the first step; a tenth of the room on this side is taken if it is zero or infinite.
    threshold
        Δχ² to find.
    """
    room = abs(limit - best.at)
    step = math.sqrt(threshold) * error if 0.0 < error < math.inf else math.inf
    fallback = 0.1 * room if math.isfinite(room) else 0.1 * max(abs(best.at), 1.0)
    step = min(step if math.isfinite(step) else fallback, room)
    ended = Outcome.HELD if room == 0.0 else None
    return Side(parameter, sign, best, limit, step, best, best, known=(best,), ended=ended)


def trial(side: Side, threshold: float) -> float:
    """The value to try next, in s."""
    target, inner, outer = math.sqrt(threshold), side.inner, side.outer
    if side.wall is not None:
        return 0.5 * (inner.at + side.wall)
    if outer is not None:
        share = (target - inner.height) / max(outer.height - inner.height, 1e-300)
        share = 0.5 if side.rounds % 3 == 2 else min(max(share, 0.05), 0.95)
        return inner.at + share * (outer.at - inner.at)
    reach = abs(inner.at - side.centre.at)
    if reach == 0.0:
        distance = side.step
    else:
        grown = 1.05 * target / inner.height if inner.height > 0.0 else math.inf
        distance = reach * min(max(grown, _SHORTEST), _LONGEST)
    at = side.centre.at + side.sign * distance
    room = abs(side.limit - side.centre.at)
    return side.limit if distance >= (1.0 - _NEAR_END) * room else at


def starts(side: Side, at: float, slope: np.ndarray, minima: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Where the others may start at a value, best guess first, in s: on the line through neighbours, as they are
    there, at the minimum, and at other minima.
    """
    inner, outer = side.inner, side.outer
    if outer is not None:
        line = inner.scaled + (at - inner.at) / (outer.at - inner.at) * (outer.scaled - inner.scaled)
    elif inner.at != side.before.at:
        line = inner.scaled + (at - inner.at) / (inner.at - side.before.at) * (inner.scaled - side.before.scaled)
    else:
        line = inner.scaled + (at - inner.at) * slope
    return [line, inner.scaled, side.centre.scaled, *minima]


def advance(side: Side, point: Point, tries: int, threshold: float) -> Side:
    """Take in what a refit found.

    Parameters
    ----------
    side
        The search.
    point
        What was found at its trial.
    tries
        How many starts there are for one value.
    threshold
        Δχ² to find.
    """
    side = side._replace(rounds=side.rounds + 1)
    if point.converged and math.isfinite(point.delta):
        side = side._replace(known=(*side.known, point), stalled=0)
    else:
        side = side._replace(stalled=side.stalled + 1)
    if point.delta < threshold:
        passed = side.wall is not None and side.sign * (point.at - side.wall) >= 0.0
        side = side._replace(inner=point, before=side.inner, refused=0, wall=None if passed else side.wall)
        if point.at == side.limit:
            return side._replace(ended=Outcome.RANGE)
    elif point.converged and (point.flat or point.delta > _LOST * threshold) and side.refused + 1 < tries:
        # Another minimum, or a plateau, onto which this start has led: another one may stay beside that of the others.
        return side._replace(refused=side.refused + 1)
    elif point.converged and math.isfinite(point.delta):
        beyond = side.wall is None or side.sign * (point.at - side.wall) <= 0.0
        side = side._replace(outer=point, refused=0, wall=None if beyond else side.wall)
    elif side.refused + 1 < tries:
        return side._replace(refused=side.refused + 1)
    else:
        side = side._replace(wall=point.at, refused=0, failures=side.failures + 1)
        if side.failures > _FAILURES:
            return side._replace(ended=Outcome.NOT_FOUND)
    return side._replace(ended=_ended(side, point, threshold))


def _ended(side: Side, point: Point, threshold: float) -> Outcome | None:
    found = point.converged and abs(point.delta - threshold) <= CLOSE * threshold
    outer = side.outer
    narrow = outer is not None and abs(outer.at - side.inner.at) <= _NARROW * abs(outer.at - side.centre.at)
    if found or narrow:
        return Outcome.CLOSED
    if outer is None and not math.isfinite(side.limit) and side.rounds >= _EXPANSIONS and side.wall is None:
        return Outcome.RANGE
    return Outcome.NOT_FOUND if side.rounds >= _ROUNDS or side.stalled >= _STALLED else None


def crossing(side: Side, threshold: float) -> Point:
    """The point nearest to the end of a search, moved to the crossing along √Δχ² where it is closed."""
    inner, outer, target = side.inner, side.outer, math.sqrt(threshold)
    if side.ended is not Outcome.CLOSED:
        return inner
    # Where the last refit hit the threshold from below, the line is that through the point before.
    first, second = (inner, outer) if outer is not None else (side.before, inner)
    nearest = min((first, second), key=lambda p: abs(p.height - target))
    rise = second.height - first.height
    share = min(max((target - first.height) / rise, 0.0), 1.0 + 1e-2) if rise > 0.0 else 1.0
    at = first.at + share * (second.at - first.at)
    at = min(at, side.limit) if side.sign > 0 else max(at, side.limit)
    return nearest._replace(at=at, delta=threshold)
