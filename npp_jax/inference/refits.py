"""Fits of all parameters but one, for many values at once: what a profile likelihood is made of."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import ArrayLike, Bool, Float

from npp_jax.inference.crossing import Point
from npp_jax.inference.parameter import Parameters
from npp_jax.inference.refine import ResidualsAndJacobian, refine
from npp_jax.inference.refine_result import GOOD, Iteration, Reason, RefineOptions, RefineResult
from npp_jax.inference.transform import Ranges, ranges_of, to_scaled, to_theta

_ROWS = 16  # batches are a multiple of it, so that their shapes are few


class Start(NamedTuple):
    """Where a refit begins."""

    parameter: int
    """The one that is fixed."""
    scaled: Float[np.ndarray, " parameter"]
    """All parameters, in s; that one at its value."""


class Refit(NamedTuple):
    """How it ended."""

    point: Point
    reason: Reason


_LARGEST = 745.0
"""Logarithm, or logit, whose exponential is beyond all numbers, or zero."""


@dataclasses.dataclass(frozen=True)
class Refits:
    """Residuals with a minimum, beside which they are refitted."""

    function: ResidualsAndJacobian
    parameters: Parameters
    held: Bool[np.ndarray, " parameter"]
    """Parameters that keep their value throughout."""
    variance: float
    """Variance of the residuals."""
    options: RefineOptions | None
    on_iteration: Callable[[Iteration], Any] | None
    ranges: Ranges
    chi2: float
    """χ² of the minimum, over the variance."""
    minima: tuple[Point, ...]
    """The minimum, and others that were given with it."""

    @property
    def centre(self) -> Float[np.ndarray, " parameter"]:
        """The minimum, in s."""
        return self.minima[0].scaled

    def start(self, parameter: int, at: float, scaled: Float[np.ndarray, " parameter"]) -> Start:
        """A start with one parameter at a value and the others inside of their ranges."""
        low, high, here = self.ranges.low, self.ranges.high, self.centre
        margin = 0.01 * np.where(np.isfinite(low), high - low, 0.0)
        # Others that would leave their range start just inside of it, or where they were if that is nearer.
        inside = np.clip(scaled, np.minimum(low + margin, here), np.maximum(high - margin, here))
        inside = np.where(self.held, here, inside)
        inside[parameter] = at
        return Start(parameter, inside)

    def __call__(self, asked: Sequence[Start]) -> list[Refit]:
        """Refit from every start, in one batch."""
        if not asked:
            return []
        count = len(self.parameters)
        rows = -(-len(asked) // _ROWS) * _ROWS
        scaled = np.stack([start.scaled for start in asked] + [self.centre] * (rows - len(asked)))
        fixed = np.stack([self.held | (np.arange(count) == start.parameter) for start in asked])
        # What fills the batch up ends at once.
        fixed = np.concatenate([fixed, np.ones((rows - len(asked), count), bool)])
        result = refine(
            self.function,
            self.parameters,
            to_theta(self.ranges, scaled),
            fixed=fixed,
            options=self.options,
            on_iteration=self.on_iteration,
        )
        found = _points(self.ranges, result, self.variance, self.chi2)
        # The value that was asked for, not what it became on the way through θ.
        return [
            refit._replace(point=refit.point._replace(at=float(start.scaled[start.parameter]), fixed=start.parameter))
            for refit, start in zip(found, asked, strict=False)
        ]


def refits_at(
    function: ResidualsAndJacobian,
    parameters: Parameters,
    minima: ArrayLike,
    *,
    held: Bool[np.ndarray, " parameter"],
    variance: float,
    options: RefineOptions | None,
    on_iteration: Callable[[Iteration], Any] | None = None,
) -> Refits:
    """Refits beside a minimum, which comes first, and others."""
    theta = np.asarray(minima, float)
    ranges = ranges_of(parameters)
    result = refine(function, parameters, theta, fixed=held, options=options)
    chi2 = 2.0 * float(result.cost[0]) / variance
    points = tuple(refit.point for refit in _points(ranges, result, variance, chi2))
    return Refits(function, parameters, held, variance, options, on_iteration, ranges, chi2, points)


def _points(ranges: Ranges, result: RefineResult, variance: float, chi2: float) -> list[Refit]:
    scaled = np.asarray(to_scaled(ranges, result.theta), float)
    side = np.where(np.asarray(result.insensitive), 0, np.asarray(result.at_bound))
    # The ends of the ranges themselves, not what they became on the way through θ.
    scaled = np.where(side < 0, ranges.low, np.where(side > 0, ranges.high, scaled))
    # Where a range is a whole domain, a value may have become zero or infinite by rounding.
    scaled = np.where(np.isfinite(scaled), scaled, np.nan_to_num(np.sign(scaled)) * _LARGEST)
    delta = 2.0 * np.asarray(result.cost, float) / variance - chi2
    reasons = [Reason(int(reason)) for reason in np.asarray(result.reason)]
    return [
        Refit(
            Point(
                0.0, float(delta[n]), scaled[n], tuple(int(s) for s in side[n]), reason in GOOD,
                flat=reason is Reason.INSENSITIVE,
            ),
            reason,
        )
        for n, reason in enumerate(reasons)
    ]  # fmt: skip
