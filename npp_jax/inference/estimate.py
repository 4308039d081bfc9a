"""Values with their uncertainty: of a parameter, and of a function of correlated parameters."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from npp_jax.inference.interval_end import End, Outcome, between
from npp_jax.inference.parameter import Parameters
from npp_jax.inference.profile import NO_EFFECT, Profile
from npp_jax.inference.transform import ranges_of, to_scaled
from npp_jax.inference.uncertainty import NORMAL_95, Covariance

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
        """The standard error; "held" at an end of the range, which has none; or "not determined"."""
        if math.isfinite(self.sigma):
            return f"{self.sigma:.2g}"
        return "held" if any(end.outcome is Outcome.HELD for end in self.ends) else NOT_DETERMINED

    def error_text(self) -> str:
        """The standard error as it follows the value in a sentence: "± 0.1", or "(not determined)"."""
        return f"± {self.sigma_text()}" if math.isfinite(self.sigma) else f"({self.sigma_text()})"

    def interval_text(self) -> str:
        """The interval, with a word in place of an end that is no limit."""
        return between(self.ends)


def estimate(parameters: Parameters, errors: Covariance, profiles: Sequence[Profile], place: int) -> Estimate:
    """One parameter; its interval is that of the profile likelihood if there is one, else of the covariance.

    Parameters
    ----------
    parameters
        All parameters.
    errors
        Covariance at their best values, with those that are held.
    profiles
        Profile likelihoods, of some of them or none.
    place
        Which parameter.
    """
    name = parameters[place].name
    profile = next((profile for profile in profiles if profile.name == name), None)
    ends = covariance_ends(parameters, errors, place) if profile is None else profile.ends
    source = f"covariance{given_text(parameters, errors)}" if profile is None else "profile likelihood"
    if ends[0].text() == ends[1].text():
        told = [ends[0].text()] if ends[0].text() != "closed" else []
    else:
        sides = zip(("below", "above"), ends, strict=True)
        told = [f"{side} {end.text()}" for side, end in sides if end.text() != "closed"]
    sigma = _sigma(parameters, errors, place, ends)
    limits = (ends[0].limit, ends[1].limit)
    return Estimate(float(errors.theta[place]), sigma, limits, "; ".join([source, *told]), ends)


def _sigma(parameters: Parameters, errors: Covariance, place: int, ends: tuple[End, End]) -> float:
    ranges = ranges_of(parameters)
    error = float(errors.standard_error_scaled[place])
    # An error longer than the range tells no more than the range.
    beyond = error > ranges.high[place] - ranges.low[place]
    if bool(errors.held[place]) or not math.isfinite(error) or beyond or ends[0].outcome is Outcome.NO_EFFECT:
        return math.nan
    return float(errors.standard_error[place])


def covariance_ends(parameters: Parameters, errors: Covariance, place: int) -> tuple[End, End]:
    """Ends of the 95 % interval of the covariance."""
    parameter, ranges = parameters[place], ranges_of(parameters)
    limits = (float(parameter.low), float(parameter.high))
    if float(errors.effect[place]) <= NO_EFFECT:
        return End(Outcome.NO_EFFECT, limits[0]), End(Outcome.NO_EFFECT, limits[1])
    scaled = float(np.asarray(to_scaled(ranges, errors.theta))[place])
    rooms = (scaled - float(ranges.low[place]), float(ranges.high[place]) - scaled)
    if bool(errors.held[place]):
        ended = (Outcome.HELD, Outcome.NOT_SEARCHED) if rooms[0] < rooms[1] else (Outcome.NOT_SEARCHED, Outcome.HELD)
        return End(ended[0], limits[0]), End(ended[1], limits[1])
    error = float(errors.standard_error_scaled[place])
    found = []
    for limit, room, bound in zip(limits, rooms, errors.interval[place], strict=True):
        # What has become zero or infinite by rounding is the end of a whole domain.
        if room <= NORMAL_95 * error or float(bound) == limit:
            found.append(End(Outcome.RANGE, limit, min(room / error, NORMAL_95) ** 2 if math.isfinite(error) else 0.0))
        else:
            found.append(End(Outcome.CLOSED, float(bound)))
    return found[0], found[1]


def given(parameters: Parameters, errors: Covariance) -> dict[str, float]:
    """Parameters with an effect that are held at an end of their range, and their values: errors are given these."""
    return {
        parameter.name: float(errors.theta[k])
        for k, parameter in enumerate(parameters)
        if bool(errors.held[k]) and float(errors.effect[k]) > NO_EFFECT
    }


def given_text(parameters: Parameters, errors: Covariance) -> str:
    """The same in words, with a space before them; nothing if nothing is held."""
    held = [f"{name} held at {value:.5g}" for name, value in given(parameters, errors).items()]
    return f" given {' and '.join(held)}" if held else ""


class Uncertain(NamedTuple):
    """A value, or an array of them, with standard errors in the same unit."""

    value: Float[Array, "*shape"]
    """Value."""
    sigma: Float[Array, "*shape"]
    """Standard error."""


def propagate(
    function: Callable[[Array], Array],
    values: Float[Array, " parameter"],
    covariance: Float[Array, "parameter parameter"],
) -> Uncertain:
    """Value and standard error of a function of correlated parameters, σ_f² = ∇f · V · ∇f to first order.

    Parameters
    ----------
    function
        Function of the vector of parameters, with a result of any shape.
    values
        Parameters.
    covariance
        Their covariance V.
    """
    gradient = jax.jacfwd(function)(values)
    variance = jnp.sum((gradient @ covariance) * gradient, axis=-1)
    return Uncertain(function(values), jnp.sqrt(variance))
