"""What a page shows, as data: values, depths, model; with the states before, so that each step can be undone."""

import dataclasses
from typing import Literal

from npp_jax.inference import Parameters

Setting = Literal["fast", "accurate", "full"]
"""Numerical settings: those of sweeps, those of single simulations, and these with Poisson's equation."""

DepthRange = tuple[float, float] | None
"""Depths that count in χ² [nm]; None for all that the study takes."""

_KEPT = 200
"""States that can be gone back to."""


@dataclasses.dataclass(frozen=True)
class View:
    """One state of a page."""

    parameters: Parameters
    """What has a slider: the parameters of the study and the keys that were added."""
    values: tuple[float, ...]
    """Their values. [units of the parameters]"""
    ranges: tuple[DepthRange, ...]
    """Fitted depths of each experiment."""
    release: Setting = "accurate"
    """With what the picture is made once nothing moves."""

    def moved(self, name: str, value: float) -> "View":
        """The view with another value of a parameter."""
        pairs = zip(self.parameters, self.values, strict=True)
        return dataclasses.replace(self, values=tuple(value if p.name == name else old for p, old in pairs))

    def at(self, values: tuple[float, ...]) -> "View":
        """The view with other values of all parameters."""
        return dataclasses.replace(self, values=values)

    def fitted_over(self, experiment: int, depths: DepthRange) -> "View":
        """The view with other fitted depths of an experiment."""
        ranges = tuple(depths if k == experiment else old for k, old in enumerate(self.ranges))
        return dataclasses.replace(self, ranges=ranges)

    def value(self, name: str) -> float:
        """Value of a parameter."""
        return next(v for p, v in zip(self.parameters, self.values, strict=True) if p.name == name)


@dataclasses.dataclass(frozen=True)
class History:
    """The view now, and those before."""

    now: View
    past: tuple[View, ...] = ()

    def then(self, view: View) -> "History":
        """The history with a further view; nothing new where nothing changed."""
        return self if view == self.now else History(view, (*self.past, self.now)[-_KEPT:])

    def back(self) -> "History":
        """The history without its last view; the same where there is none before."""
        return History(self.past[-1], self.past[:-1]) if self.past else self
