"""Axes of a design: the parameters that vary, their ranges and the scale on which they are spread."""

import dataclasses
import math

import numpy as np
from jaxtyping import Float64
from scipy.special import expit, logit

SCALES = ("linear", "log", "logit")


class DesignError(ValueError):
    """A design or a table of candidates is wrong; the message is one line."""


@dataclasses.dataclass(frozen=True)
class Axis:
    """One parameter that varies between two limits.

    Raises
    ------
    DesignError
        The limits do not increase, or do not fit the scale, in one line.
    """

    name: str
    """Name with unit, as in the files: `sed_fwhm_eV`."""
    low: float | int
    """Least value, in the unit of the name."""
    high: float | int
    """Greatest value, in the unit of the name."""
    scale: str = "linear"
    """Where points are evenly spread: linear x, log x, or logit x = log(x/(1 - x)) for fractions."""
    levels: int | None = None
    """Number of values, both limits among them, evenly spaced on the scale; None for any value between."""

    def __post_init__(self) -> None:
        if self.scale not in SCALES:
            raise DesignError(f"{self.name}: scale = '{self.scale}' must be one of {', '.join(SCALES)}")
        lowest, highest = {"linear": (-math.inf, math.inf), "log": (0.0, math.inf), "logit": (0.0, 1.0)}[self.scale]
        # Written so that NaN is refused as well.
        if not lowest < self.low < self.high < highest:
            within = {"linear": "", "log": "; on a log scale they are positive"}.get(
                self.scale, "; on a logit scale they lie between 0 and 1"
            )
            raise DesignError(
                f"{self.name}: low = {self.low:g}, high = {self.high:g} must be finite and increase{within}"
            )
        if not math.isfinite(float(self.high) - float(self.low)):
            raise DesignError(f"{self.name}: the range from {self.low:g} to {self.high:g} overflows")
        if self.levels is not None and self.levels < 2:
            raise DesignError(f"{self.name}: levels = {self.levels} must be 2 or more")

    def at(self, share: Float64[np.ndarray, " point"]) -> Float64[np.ndarray, " point"]:
        """Values at shares of the axis, 0 at `low` and 1 at `high`; with levels, [0, 1) is divided evenly among them.

        Parameters
        ----------
        share
            Positions along the axis, between 0 and 1.
        """
        if self.levels is not None:
            return self.level_values()[np.minimum((share * self.levels).astype(np.int64), self.levels - 1)]
        return self._stretched(share)

    def share(self, values: Float64[np.ndarray, " point"]) -> Float64[np.ndarray, " point"]:
        """Where values stand along the axis, 0 at `low` and 1 at `high`: the inverse of `at` without levels.

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
        DesignError
            The axis has no levels.
        """
        if self.levels is None:
            raise DesignError(f"{self.name}: a grid needs levels, the number of values along this axis")
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
