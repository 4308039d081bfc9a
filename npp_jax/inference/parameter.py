"""A parameter: what it is called, where it enters, its range, the scale on which it varies, what is known of it.

Sweeps spread candidates over the ranges, fits search them, and priors pull inside of them. Keys and names of
experiments are plain words here; what they mean is told by whoever has experiments (`npp_jax.fitting`).
"""

import dataclasses
import math
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Float64
from scipy.special import expit, logit

DOMAIN = {"linear": (-math.inf, math.inf), "log": (0.0, math.inf), "logit": (0.0, 1.0)}
"""Values that each scale can hold."""


class ParameterError(ValueError):
    """A parameter is wrong, or not one of the experiment; the message is one line."""


@dataclasses.dataclass(frozen=True)
class Prior:
    """A Gaussian prior of one parameter."""

    mean: float | int
    """Centre. [unit of the parameter]"""
    sigma: float | int
    """Standard deviation on the scale of the parameter; for `log` the relative one."""


@dataclasses.dataclass(frozen=True)
class Parameter:
    """A number that varies.

    The range is finite and inside the domain of the scale, or it is the whole domain: (-∞, ∞) for `linear`,
    (0, ∞) for `log`, (0, 1) for `logit`.

    Raises
    ------
    ParameterError
        In one line, with the name of the parameter, the value and what is allowed.
    """

    name: str
    """Name with unit, unique in a study: a column of its tables, as `sed_fwhm_eV`."""
    keys: tuple[str, ...]
    """Keys of the experiments that take its value; none where it is one of no experiment."""
    low: float | int
    """Least value. [unit of the parameter]"""
    high: float | int
    """Greatest value. [unit of the parameter]"""
    scale: Literal["linear", "log", "logit"] = "linear"
    """Where it varies evenly: linear θ, ln θ, or logit θ = ln[θ/(1 - θ)] for fractions."""
    _: dataclasses.KW_ONLY
    experiments: tuple[str, ...] | None = None
    """Experiments in which it enters; None for all."""
    prior: Prior | None = None
    """What is known of it beforehand, beside its range."""
    levels: int | None = None
    """Number of values of a grid, both limits among them, evenly spaced on the scale; None for any value between."""

    def __post_init__(self) -> None:
        if isinstance(self.keys, str) or isinstance(self.experiments, str):
            raise ParameterError(f"{self.name}: keys and experiments are tuples of names")
        if self.scale not in DOMAIN:
            raise ParameterError(f"{self.name}: scale = {self.scale!r} must be one of {', '.join(DOMAIN)}")
        # Written so that NaN is refused as well.
        if not self.low < self.high:
            raise ParameterError(f"{self.name}: low = {self.low} must be below high = {self.high}")
        lowest, highest = DOMAIN[self.scale]
        if self.bounded and not lowest < self.low < self.high < highest:
            if math.isfinite(lowest) and self.low <= lowest:
                raise ParameterError(
                    f"{self.name}: low = {self.low} must be above {lowest:g} on the scale {self.scale!r}"
                )
            raise ParameterError(
                f"{self.name}: the range ({self.low}, {self.high}) must lie inside ({lowest}, {highest}), "
                f"the domain of the scale {self.scale!r}, or be all of it"
            )
        if self.bounded and not math.isfinite(float(self.high) - float(self.low)):
            raise ParameterError(f"{self.name}: the range from {self.low:g} to {self.high:g} overflows")
        if self.prior is not None:
            self._check(self.prior)
        if self.levels is not None and not (self.bounded and self.levels >= 2):
            raise ParameterError(f"{self.name}: levels = {self.levels} must be 2 or more, in a finite range")

    def _check(self, prior: Prior) -> None:
        mean, sigma = prior.mean, prior.sigma
        if not (self.low <= mean <= self.high if self.bounded else self.low < mean < self.high):
            raise ParameterError(
                f"{self.name}: prior mean = {mean} is outside of the range ({self.low}, {self.high}); "
                "it has the unit of the parameter on any scale"
            )
        if not 0.0 < sigma < math.inf:
            raise ParameterError(f"{self.name}: prior sigma = {sigma} must be positive and finite")

    @property
    def bounded(self) -> bool:
        """Whether the range is a part of the domain of the scale, and not all of it."""
        return (self.low, self.high) != DOMAIN[self.scale]

    def at(self, share: Float64[np.ndarray, " point"]) -> Float64[np.ndarray, " point"]:
        """Values at shares of the range, 0 at `low` and 1 at `high`; with levels, [0, 1) is divided evenly among them.

        Parameters
        ----------
        share
            Positions along the range on the scale, between 0 and 1.
        """
        if self.levels is not None:
            return self.level_values()[np.minimum((share * self.levels).astype(np.int64), self.levels - 1)]
        return self._stretched(share)

    def share(self, values: Float64[np.ndarray, " point"]) -> Float64[np.ndarray, " point"]:
        """Where values stand along the range, 0 at `low` and 1 at `high`: the inverse of `at` without levels.

        Parameters
        ----------
        values
            Values, in the unit of the name; beyond the limits they give shares below 0 or above 1.
        """
        straight = {"linear": np.asarray, "log": np.log, "logit": logit}[self.scale]
        low, high = (straight(np.float64(limit)) for limit in (self.low, self.high))
        return (straight(values) - low) / (high - low)

    def level_values(self) -> Float64[np.ndarray, " level"]:
        """All levels, increasing, in the unit of the name.

        Raises
        ------
        ParameterError
            The parameter has no levels.
        """
        if self.levels is None:
            raise ParameterError(f"{self.name}: levels are needed, the number of values of this parameter")
        values = self._stretched(np.linspace(0.0, 1.0, self.levels))
        values[0], values[-1] = self.low, self.high
        return values

    def _stretched(self, share: Float64[np.ndarray, " point"]) -> Float64[np.ndarray, " point"]:
        if self.scale == "linear":
            values = self.low + share * (self.high - self.low)
        elif self.scale == "log":
            values = np.exp(math.log(self.low) + share * (math.log(self.high) - math.log(self.low)))
        else:
            values = expit(logit(self.low) + share * (logit(self.high) - logit(self.low)))
        # Round-off of the scale must not lead out of the range.
        return np.clip(values, self.low, self.high)


Parameters: TypeAlias = tuple[Parameter, ...]
"""The parameters of a fit or a sweep, in the order of the axis `parameter`."""
