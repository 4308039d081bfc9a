"""Profile likelihood: how far a parameter can go if all others may follow."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import ArrayLike

from npp_jax.inference.parameter import Parameters
from npp_jax.inference.refine import ResidualsAndJacobian, refine
from npp_jax.inference.refine_result import Reason, RefineOptions, RefineResult
from npp_jax.inference.transform import ranges_of, to_scaled, to_theta
from npp_jax.inference.uncertainty import Covariance

DELTA_CHI2_95 = 3.841458820694124
"""95 % point of the χ² distribution with one degree of freedom."""

_GOOD = (Reason.CONVERGED, Reason.AT_BOUND, Reason.INSENSITIVE)


class Profile(NamedTuple):
    """χ² of the best fit for each value of one parameter."""

    name: str
    values: np.ndarray
    """Values of the parameter, ascending. [unit of the parameter], shape [grid]"""
    delta_chi2: np.ndarray
    """χ² - χ²(minimum), in units of the variance of the residuals; NaN where the others could not be fitted. [grid]"""
    theta: np.ndarray
    """Best parameters at each value, shape [grid, parameter]"""
    reason: np.ndarray
    """`Reason` of each of these fits, shape [grid]"""
    interval: tuple[float, float]
    """Where Δχ² passes the threshold; the end of the range where it does not. [unit of the parameter]"""
    open_ends: tuple[bool, bool]
    """Whether Δχ² stays below the threshold down to the first, up to the last value that could be fitted."""
    improved: bool
    """Whether some value has a lower χ² than the given minimum, which then is not the minimum."""

    @property
    def how(self) -> str:
        """Where the interval is from, in words: with the sides to which it is open."""
        sides = zip(("open below", "open above"), self.open_ends, strict=True)
        return ", ".join(["profile likelihood", *(side for side, is_open in sides if is_open)])


def profile_grid(
    covariance: Covariance, parameters: Parameters, index: int, *, points: int = 15, width: float = 3.5
) -> np.ndarray:
    """Values of one parameter across ± `width` standard errors of s, within its range, shape [points].

    A parameter that is not determined, or held, is given its whole range.

    Raises
    ------
    ValueError
        If such a parameter has no finite range.
    """
    ranges = ranges_of(parameters)
    scaled = np.asarray(to_scaled(ranges, covariance.theta))
    error = float(covariance.standard_error_scaled[index])
    half = width * error if 0.0 < error < np.inf else np.inf
    low, high = max(ranges.low[index], scaled[index] - half), min(ranges.high[index], scaled[index] + half)
    if not np.isfinite(high - low):
        raise ValueError(f"{parameters[index].name}: not determined and without a finite range; give the values")
    grid = np.repeat(scaled[None], points, axis=0)
    grid[:, index] = np.linspace(low, high, points)
    return np.asarray(to_theta(ranges, grid))[:, index]


def profile_likelihood(
    function: ResidualsAndJacobian,
    parameters: Parameters,
    best: ArrayLike | Sequence[float],
    grids: Mapping[str, Sequence[float] | np.ndarray],
    *,
    covariance: Covariance | None = None,
    fixed: Sequence[bool] | None = None,
    variance: float = 1.0,
    threshold: float = DELTA_CHI2_95,
    options: RefineOptions | None = None,
) -> tuple[Profile, ...]:
    """Fit all other parameters at each value of one, for one parameter or several, in a single batch.

    Parameters
    ----------
    function
        Residuals and Jacobian for a batch, as for `refine`; the batch has one start for each value, and one more.
    parameters
        The parameters.
    best
        The minimum. [units of the parameters], shape [parameter]
    grids
        For each name the values to try, for example from `profile_grid`. [unit of the parameter]
    covariance
        If given, the other parameters start where the linear model puts them, else at the minimum.
    fixed
        Parameters that keep their value throughout, shape [parameter].
    variance
        Variance of the residuals.
    threshold
        Δχ² at the ends of the interval.
    options
        Numerical choices of `refine`.

    Raises
    ------
    ValueError
        For a name that is not a parameter, or values outside of its range.
    """
    names = [parameter.name for parameter in parameters]
    unknown = sorted(set(grids) - set(names))
    if unknown:
        raise ValueError(f"{unknown[0]!r} is not a parameter; there are {', '.join(names)}")
    best = np.asarray(best)
    always = np.zeros(len(parameters), bool) if fixed is None else np.asarray(fixed, bool)
    starts, held = [best[None]], [always[None]]
    for name, values in grids.items():
        index = names.index(name)
        ascending = np.sort(np.asarray(values, best.dtype))
        starts.append(_follow(parameters, best, index, ascending, covariance, always))
        held.append(np.repeat((always | (np.arange(len(parameters)) == index))[None], len(ascending), axis=0))
    result = refine(function, parameters, np.concatenate(starts), fixed=np.concatenate(held), options=options)
    minimum = 2.0 * float(result.cost[0]) / variance
    profiles, first = [], 1
    for name, values in grids.items():
        part = slice(first, first + len(values))
        profiles.append(_profile(parameters, names.index(name), result, part, minimum, variance, threshold))
        first += len(values)
    return tuple(profiles)


def _follow(
    parameters: Parameters,
    best: ArrayLike,
    index: int,
    values: np.ndarray,
    covariance: Covariance | None,
    always: np.ndarray,
) -> np.ndarray:
    """Starts [grid, parameter]: conditional means of the others, cov[others, k]/cov[k, k] times the shift of k."""
    ranges = ranges_of(parameters)
    start = np.repeat(np.asarray(best)[None], len(values), axis=0)
    at = start.copy()
    at[:, index] = values
    relation = None if covariance is None else np.asarray(covariance.scaled)[index]
    if relation is None or not relation[index] > 0.0:
        return at
    scaled, shifted = np.asarray(to_scaled(ranges, start)), np.asarray(to_scaled(ranges, at))
    slope = np.where(always, 0.0, relation / relation[index])
    moved = scaled + (shifted - scaled)[:, [index]] * slope
    margin = 0.01 * np.where(np.isfinite(ranges.low), ranges.high - ranges.low, 0.0)
    # Others that would leave their range start just inside of it, or where they were if that is nearer.
    inside = np.clip(moved, np.minimum(ranges.low + margin, scaled), np.maximum(ranges.high - margin, scaled))
    theta = np.array(to_theta(ranges, inside))
    theta[:, index] = values
    return theta


def _profile(
    parameters: Parameters,
    index: int,
    result: RefineResult,
    part: slice,
    minimum: float,
    variance: float,
    threshold: float,
) -> Profile:
    parameter, ranges = parameters[index], ranges_of(parameters)
    theta, reason = np.asarray(result.theta)[part], np.asarray(result.reason)[part]
    delta = np.where(np.isin(reason, _GOOD), 2.0 * np.asarray(result.cost)[part] / variance - minimum, np.nan)
    scaled = np.asarray(to_scaled(ranges, result.theta))
    at, centre = scaled[part, index], scaled[0, index]
    low, open_low = _crossing(centre, at, delta, threshold, -1)
    high, open_high = _crossing(centre, at, delta, threshold, +1)
    ends = np.asarray(scaled[:1]).repeat(2, axis=0)
    ends[:, index] = low, high
    interval = np.asarray(to_theta(ranges, ends))[:, index]
    return Profile(
        name=parameter.name,
        values=theta[:, index],
        delta_chi2=delta,
        theta=theta,
        reason=reason,
        interval=(
            parameter.low if open_low else float(interval[0]),
            parameter.high if open_high else float(interval[1]),
        ),
        open_ends=(open_low, open_high),
        improved=bool(np.any(delta < -1e-3)),
    )


def _crossing(centre: float, at: np.ndarray, delta: np.ndarray, threshold: float, sign: int) -> tuple[float, bool]:
    """Where Δχ² passes the threshold on one side of the minimum, and whether it never does.

    √Δχ² is nearly a straight line in s, so that it is interpolated linearly. The outermost crossing counts: between
    two minima the interval covers both.
    """
    side = np.isfinite(delta) & (sign * (at - centre) > 0.0)
    order = np.argsort(sign * at[side])
    place = np.concatenate([[centre], at[side][order]])
    height = np.concatenate([[0.0], np.sqrt(np.maximum(delta[side][order], 0.0))])
    limit = np.sqrt(threshold)
    if height[-1] < limit:
        return place[-1], True
    k = int(np.flatnonzero(height < limit)[-1])
    fraction = (limit - height[k]) / (height[k + 1] - height[k])
    return place[k] + fraction * (place[k + 1] - place[k]), False
