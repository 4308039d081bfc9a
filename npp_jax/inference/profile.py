"""Profile likelihood: how far a parameter can go if all others may follow.

Each end of an interval is searched for (`crossing`), from the minimum outwards, with refits of the others that start
from their neighbours; all parameters and both sides are refitted in one batch. The ends are then looked at again from
other starts, along with the points of the curve: a lower χ² beyond an end moves it.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import ArrayLike, Float

from npp_jax.inference.crossing import CLOSE, Side, advance, begin, crossing, followed, starts, trial
from npp_jax.inference.interval_end import End, Outcome
from npp_jax.inference.parameter import Parameters
from npp_jax.inference.refine import ResidualsAndJacobian
from npp_jax.inference.refine_result import RefineOptions
from npp_jax.inference.refits import Refit, Refits, Start, refits_at
from npp_jax.inference.transform import to_theta
from npp_jax.inference.uncertainty import NORMAL_95, Covariance

DELTA_CHI2_95 = 3.841458820694124
"""95 % point of the χ² distribution with one degree of freedom."""

NO_EFFECT = 0.1
"""Change of χ², and of the residuals in standard deviations, across the whole range below which a parameter has no
effect."""

_IMPROVED = 0.1  # χ² below the minimum that roughness of the residuals does not explain
_BEYOND = 3.5 / NORMAL_95  # length of the curve over that of the interval: as far as 3.5 standard errors
_LOOKS = 2  # times that ends are looked at again


class Profile(NamedTuple):
    """χ² of the best fit for each value of one parameter, and where it passes the threshold."""

    name: str
    ends: tuple[End, End]
    """How far the parameter can go down and up."""
    values: Float[np.ndarray, " point"]
    """Values of the curve, ascending. [unit of the parameter]"""
    delta_chi2: Float[np.ndarray, " point"]
    """χ² - χ²(minimum), in units of the variance of the residuals; NaN where the others could not be fitted."""
    theta: Float[np.ndarray, "point parameter"]
    """Best parameters at each value."""
    reason: np.ndarray
    """`Reason` of each of these fits, shape [point]"""
    lowest: Float[np.ndarray, " parameter"]
    """Parameters of the lowest χ² that any refit came to."""
    lowest_delta: float
    """Δχ² there."""

    @property
    def improved(self) -> bool:
        """Whether that is below the given minimum, which then is not the minimum."""
        return self.lowest_delta < -_IMPROVED

    @property
    def interval(self) -> tuple[float, float]:
        """Where Δχ² passes the threshold, NaN where the data set no limit [unit of the parameter]."""
        return self.ends[0].limit, self.ends[1].limit


class _Trace(NamedTuple):
    """All that was found of one parameter."""

    sides: tuple[Side, Side]
    curve: tuple[Refit, ...] = ()


def profile_likelihood(
    function: ResidualsAndJacobian,
    parameters: Parameters,
    best: ArrayLike | Sequence[float],
    names: Sequence[str] | None = None,
    *,
    points: int = 15,
    covariance: Covariance | None = None,
    fixed: Sequence[bool] | None = None,
    others: ArrayLike | Sequence[ArrayLike] = (),
    variance: float = 1.0,
    threshold: float = DELTA_CHI2_95,
    options: RefineOptions | None = None,
    on_ends: Callable[[int, int], Any] | None = None,
) -> tuple[Profile, ...]:
    """Find the interval of each parameter, with all others fitted at each of its values.

    Parameters
    ----------
    function
        Residuals and Jacobian for a batch, as for `refine`; most batches have multiples of 16 rows.
    parameters
        The parameters.
    best
        The minimum. [units of the parameters], shape [parameter]
    names
        The parameters that are profiled; all that are not fixed, unless given.
    points
        Values of the curve, evenly spaced on the scale. They do not decide on the interval.
    covariance
        If given, the first step is that of the linear model, which also tells what has no effect.
    fixed
        Parameters that keep their value throughout, shape [parameter].
    others
        Other minima, from which refits may start as well. [units of the parameters], shape [minimum, parameter]
    variance
        Variance of the residuals.
    threshold
        Δχ² at the ends of the interval.
    options
        Numerical choices of `refine`.
    on_ends
        Is told how many ends of intervals are found, and of how many, with every step of the refits; those that are
        opened again count anew.

    Raises
    ------
    ValueError
        For a name that is not a parameter, or a minimum outside of its range.
    """
    known = [parameter.name for parameter in parameters]
    held = np.zeros(len(parameters), bool) if fixed is None else np.asarray(fixed, bool)
    names = [name for name, keeps in zip(known, held, strict=True) if not keeps] if names is None else names
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise ValueError(f"{unknown[0]!r} is not a parameter; there are {', '.join(known)}")
    rows = [np.reshape(np.asarray(theta, float), (-1, len(parameters))) for theta in (best, others)]
    minima = np.concatenate(rows)
    found, total = 0, 2 * len(names)

    def told(done: int, of: int) -> None:
        nonlocal found, total
        found, total = done, of
        if on_ends is not None:
            on_ends(done, of)

    told(found, total)
    refits = refits_at(
        function, parameters, minima, held=held, variance=variance, options=options,
        on_iteration=lambda _: told(found, total),
    )  # fmt: skip
    wanted = [known.index(name) for name in names]
    traces = {
        k: _Trace((_begin(refits, covariance, k, -1, threshold), _begin(refits, covariance, k, 1, threshold)))
        for k in wanted
        if covariance is None or float(covariance.effect[k]) > 0.0
    }
    for look in range(_LOOKS):
        traces = _search(refits, covariance, traces, threshold, told)
        traces = _look_again(refits, traces, points, threshold, reopen=look + 1 < _LOOKS)
    return tuple(_profile(refits, covariance, k, traces.get(k), threshold) for k in wanted)


def _begin(refits: Refits, covariance: Covariance | None, k: int, sign: int, threshold: float) -> Side:
    best = refits.minima[0]._replace(at=float(refits.centre[k]))
    end = float((refits.ranges.low, refits.ranges.high)[sign > 0][k])
    limit = end if refits.parameters[k].scale == "linear" else followed(end, best.at, sign)
    error = 0.0 if covariance is None else float(covariance.standard_error_scaled[k])
    side = begin(k, sign, best, limit, error, threshold)
    # Another minimum that is as good belongs to the interval.
    beyond = [minimum._replace(at=float(minimum.scaled[k])) for minimum in refits.minima[1:]]
    beyond = [point for point in beyond if sign * (point.at - best.at) > 0.0 and point.delta < threshold]
    return side.again_from(max(beyond, key=lambda point: sign * point.at)) if beyond else side


def _slope(refits: Refits, covariance: Covariance | None, k: int) -> np.ndarray:
    """Shift of all parameters with that of one: conditional means, cov[others, k]/cov[k, k]."""
    relation = None if covariance is None else np.asarray(covariance.scaled)[k]
    if relation is None or not relation[k] > 0.0:
        return np.eye(len(refits.parameters))[k]
    return relation / relation[k]


def _search(
    refits: Refits,
    covariance: Covariance | None,
    traces: dict[int, _Trace],
    threshold: float,
    on_ends: Callable[[int, int], Any],
) -> dict[int, _Trace]:
    """Let all searches come to their ends, together."""
    sides = [side for trace in traces.values() for side in trace.sides]
    others = [minimum.scaled for minimum in refits.minima[1:]]
    while running := [n for n, side in enumerate(sides) if side.ended is None]:
        asked, tries = [], []
        for n in running:
            side = sides[n]
            at = trial(side, threshold)
            guesses = starts(side, at, _slope(refits, covariance, side.parameter), others)
            asked.append(refits.start(side.parameter, at, guesses[side.refused]))
            tries.append(len(guesses))
        for n, found, count in zip(running, refits(asked), tries, strict=True):
            sides[n] = advance(sides[n], found.point, count, threshold)
        on_ends(sum(side.ended is not None for side in sides), len(sides))
    return {k: trace._replace(sides=(sides[2 * n], sides[2 * n + 1])) for n, (k, trace) in enumerate(traces.items())}


def _look_again(
    refits: Refits, traces: dict[int, _Trace], points: int, threshold: float, *, reopen: bool
) -> dict[int, _Trace]:
    """Refit the points of the curves, and the ends that are closed from other starts; open again those that move."""
    others = [minimum.scaled for minimum in refits.minima]
    asked: list[Start] = []
    spans: dict[int, slice] = {}
    for k, trace in traces.items():
        first = len(asked)
        asked += [_on_curve(refits, trace, at) for at in _grid(trace, points, threshold)]
        spans[k] = slice(first, len(asked))
    checked = [side for trace in traces.values() for side in trace.sides if side.ended is Outcome.CLOSED and reopen]
    for side in checked:
        at = crossing(side, threshold).at
        asked += [refits.start(side.parameter, at, scaled) for scaled in others]
    found = refits(asked)
    again = found[max((span.stop for span in spans.values()), default=0) :]
    after = {}
    for k, trace in traces.items():
        curve = tuple(found[spans[k]])
        near = [refit.point for refit in (*curve, *again) if refit.point.fixed == k]
        sides = tuple(_reopened(side, near, threshold) if reopen else side for side in trace.sides)
        after[k] = _Trace((sides[0], sides[1]), curve)
    return after


def _reopened(side: Side, near: list, threshold: float) -> Side:
    """The search goes on where something beyond its end, or there, lies clearly below the threshold."""
    if side.ended not in (Outcome.CLOSED, Outcome.NOT_FOUND):
        return side
    end = crossing(side, threshold).at
    lower = threshold * (1.0 - CLOSE) - _IMPROVED
    beyond = [point for point in near if side.sign * (point.at - end) >= 0.0 and point.delta < lower]
    return side.again_from(max(beyond, key=lambda point: side.sign * point.at)) if beyond else side


def _grid(trace: _Trace, points: int, threshold: float) -> np.ndarray:
    """Values of the curve, in s: beyond the ends that are closed, up to the others."""
    ends = []
    for side in trace.sides:
        centre, end = side.centre.at, crossing(side, threshold).at
        reach = (_BEYOND if side.ended is Outcome.CLOSED else 1.0) * (end - centre)
        ends.append(side.sign * min(side.sign * (centre + reach), side.sign * side.limit))
    return np.linspace(ends[0], ends[1], points)


def _on_curve(refits: Refits, trace: _Trace, at: float) -> Start:
    """A start between the nearest points that are known, or on the line through them."""
    known = {point.at: point for side in trace.sides for point in side.known}
    order = sorted(known)
    index = trace.sides[0].parameter
    if len(order) == 1:
        return refits.start(index, at, known[order[0]].scaled)
    n = min(max(int(np.searchsorted(order, at)), 1), len(order) - 1)
    left, right = known[order[n - 1]], known[order[n]]
    share = (at - left.at) / (right.at - left.at)
    return refits.start(index, at, left.scaled + share * (right.scaled - left.scaled))


def _profile(refits: Refits, covariance: Covariance | None, k: int, trace: _Trace | None, threshold: float) -> Profile:
    parameter, count = refits.parameters[k], len(refits.parameters)
    if trace is None:
        value = float(np.asarray(to_theta(refits.ranges, refits.centre))[k])
        nothing = np.zeros(0)
        end = End(Outcome.NO_EFFECT, value, 0.0)
        best = np.asarray(to_theta(refits.ranges, refits.centre))
        none = np.zeros((0, count))
        return Profile(parameter.name, (end, end), nothing, nothing, none, nothing.astype(int), best, 0.0)
    seen = [point for side in trace.sides for point in side.known] + [refit.point for refit in trace.curve]
    lowest = min(seen, key=lambda point: point.delta)
    ends = tuple(_end(refits, covariance, side, threshold) for side in trace.sides)
    weak = covariance is not None and float(covariance.effect[k]) <= NO_EFFECT
    flat = all(end.outcome in (Outcome.RANGE, Outcome.HELD) for end in ends)
    if weak and flat and max(point.delta for point in seen) <= NO_EFFECT:
        ends = tuple(End(Outcome.NO_EFFECT, end.value, end.delta_chi2) for end in ends)
    points = [refit.point for refit in trace.curve]
    theta = np.asarray(to_theta(refits.ranges, np.reshape([point.scaled for point in points], (-1, count))))
    return Profile(
        name=parameter.name,
        ends=(ends[0], ends[1]),
        values=theta[:, k],
        delta_chi2=np.array([point.delta if point.converged else np.nan for point in points]),
        theta=theta,
        reason=np.array([int(refit.reason) for refit in trace.curve]),
        lowest=np.asarray(to_theta(refits.ranges, lowest.scaled)),
        lowest_delta=lowest.delta,
    )


def _end(refits: Refits, covariance: Covariance | None, side: Side, threshold: float) -> End:
    assert side.ended is not None
    point = crossing(side, threshold)
    row = refits.centre.copy()
    row[side.parameter] = point.at
    value = float(np.asarray(to_theta(refits.ranges, row))[side.parameter])
    others = []
    for n, parameter in enumerate(refits.parameters):
        weak = covariance is not None and float(covariance.effect[n]) <= NO_EFFECT
        bound = 0 if n == side.parameter or refits.held[n] or weak else point.bounds[n]
        if bound and side.ended is not Outcome.HELD:
            others.append(f"{parameter.name} at {(parameter.low if bound < 0 else parameter.high):.5g}")
    return End(side.ended, value, point.delta, tuple(others))
