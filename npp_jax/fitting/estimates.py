"""One parameter of a fit with its uncertainty: best value, standard error, both ends of its interval."""

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from npp_jax.inference.interval_end import End, Outcome, between
from npp_jax.inference.profile import NO_EFFECT
from npp_jax.inference.transform import ranges_of, to_scaled
from npp_jax.inference.uncertainty import NORMAL_95

if TYPE_CHECKING:
    from npp_jax.fitting.fitting import FitResult

NOT_DETERMINED = "not determined"


class Estimate(NamedTuple):
    """One parameter of a fit with its uncertainty, in the unit of its name."""

    value: float
    """Best value."""
    sigma: float
    """Standard error, from the covariance, given what is held; NaN where there is none: the parameter is held at an end
    of its range, or not determined."""
    interval: tuple[float, float]
    """95 % interval; NaN where the data set no limit."""
    how: str
    """Where the interval is from, profile likelihood or covariance, and how an end is no plain limit."""
    ends: tuple[End, End]
    """How each end of the interval was found."""

    def sigma_text(self) -> str:
        """The standard error, or "not determined"."""
        return f"{self.sigma:.2g}" if math.isfinite(self.sigma) else NOT_DETERMINED

    def interval_text(self) -> str:
        """The interval, with a word in place of an end that is no limit."""
        return between(self.ends)


def estimate(result: "FitResult", place: int) -> Estimate:
    """One parameter; its interval is that of the profile likelihood if there is one, else of the covariance."""
    name = result.parameters[place].name
    profile = next((profile for profile in result.profiles if profile.name == name), None)
    ends = covariance_ends(result, place) if profile is None else profile.ends
    source = f"covariance{given_text(result)}" if profile is None else "profile likelihood"
    if ends[0].text() == ends[1].text():
        told = [ends[0].text()] if ends[0].text() != "closed" else []
    else:
        sides = zip(("below", "above"), ends, strict=True)
        told = [f"{side} {end.text()}" for side, end in sides if end.text() != "closed"]
    how = "; ".join([source, *told])
    return Estimate(float(result.theta[place]), _sigma(result, place, ends), (ends[0].limit, ends[1].limit), how, ends)


def _sigma(result: "FitResult", place: int, ends: tuple[End, End]) -> float:
    errors, ranges = result.covariance, ranges_of(result.parameters)
    error = float(errors.standard_error_scaled[place])
    # An error longer than the range tells no more than the range.
    beyond = error > ranges.high[place] - ranges.low[place]
    if bool(errors.held[place]) or not math.isfinite(error) or beyond or ends[0].outcome is Outcome.NO_EFFECT:
        return math.nan
    return float(errors.standard_error[place])


def covariance_ends(result: "FitResult", place: int) -> tuple[End, End]:
    """Ends of the 95 % interval of the covariance."""
    errors, parameter, ranges = result.covariance, result.parameters[place], ranges_of(result.parameters)
    limits = (float(parameter.low), float(parameter.high))
    if float(errors.effect[place]) <= NO_EFFECT:
        return End(Outcome.NO_EFFECT, limits[0]), End(Outcome.NO_EFFECT, limits[1])
    side = int(result.refined.at_bound[result.best, place])
    if bool(errors.held[place]):
        low, high = (
            End(Outcome.HELD if side == sign else Outcome.NOT_SEARCHED, limit)
            for sign, limit in zip((-1, 1), limits, strict=True)
        )
        return low, high
    error = float(errors.standard_error_scaled[place])
    scaled = float(np.asarray(to_scaled(ranges, result.theta))[place])
    found = []
    for sign, limit, edge in zip((-1, 1), limits, (ranges.low, ranges.high), strict=True):
        room = abs(edge[place] - scaled)
        if room <= NORMAL_95 * error:
            found.append(End(Outcome.RANGE, limit, float(room / error) ** 2))
        else:
            found.append(End(Outcome.CLOSED, float(errors.interval[place, max(sign, 0)])))
    return found[0], found[1]


def given(result: "FitResult") -> dict[str, float]:
    """Parameters with an effect that are held at an end of their range, and their values: errors are given these."""
    errors = result.covariance
    return {
        parameter.name: float(result.theta[k])
        for k, parameter in enumerate(result.parameters)
        if bool(errors.held[k]) and float(errors.effect[k]) > NO_EFFECT
    }


def given_text(result: "FitResult") -> str:
    """The same in words, with a space before them; nothing if nothing is held."""
    held = [f"{name} held at {value:.5g}" for name, value in given(result).items()]
    return f" given {' and '.join(held)}" if held else ""
