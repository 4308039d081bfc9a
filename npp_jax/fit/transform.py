"""Parameters of a fit: their ranges, the scale on which each is varied, and the maps between scales.

Three coordinates are used. θ is the parameter in its own unit. The scaled coordinate s is θ, ln θ or logit θ; steps,
covariances and intervals are in s, in which the range is a box. The unbounded coordinate z maps the box onto the
whole line for methods that know no bounds (samplers). The last axis of every array is `parameter`.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

_DOMAIN = {"linear": (-math.inf, math.inf), "log": (0.0, math.inf), "logit": (0.0, 1.0)}


@dataclasses.dataclass(frozen=True)
class Bound:
    """One parameter: its name, its range and the scale on which it is varied.

    The range is finite and inside the domain of the scale, or it is the whole domain: (-∞, ∞) for `linear`,
    (0, ∞) for `log`, (0, 1) for `logit`.

    Raises
    ------
    ValueError
        In one line, with the name of the parameter, the value and what is allowed.
    """

    name: str
    low: float | int
    """Smallest value. [unit of the parameter]"""
    high: float | int
    """Largest value. [unit of the parameter]"""
    scale: Literal["linear", "log", "logit"] = "linear"
    start: float | int | None = None
    """Where a single fit begins. [unit of the parameter]"""
    prior_mean: float | int | None = None
    """Centre of the Gaussian prior. [unit of the parameter]"""
    prior_sigma: float | int | None = None
    """Standard deviation of the Gaussian prior in the scaled coordinate; for `log` the relative one."""

    def __post_init__(self) -> None:
        if self.scale not in _DOMAIN:
            raise ValueError(f"{self.name}: scale is {self.scale!r}; allowed are {', '.join(_DOMAIN)}")
        if not self.low < self.high:
            raise ValueError(f"{self.name}: low = {self.low} must be below high = {self.high}")
        lowest, highest = _DOMAIN[self.scale]
        whole = (self.low, self.high) == (lowest, highest)
        if not whole and not lowest < self.low < self.high < highest:
            raise ValueError(
                f"{self.name}: the range ({self.low}, {self.high}) must lie inside ({lowest}, {highest}), "
                f"the domain of the scale {self.scale!r}, or be all of it"
            )
        for key, value in (("start", self.start), ("prior_mean", self.prior_mean)):
            inside = value is None or (self.low < value < self.high if whole else self.low <= value <= self.high)
            if not inside:
                raise ValueError(f"{self.name}: {key} = {value} is outside of the range ({self.low}, {self.high})")
        if (self.prior_mean is None) != (self.prior_sigma is None):
            raise ValueError(f"{self.name}: prior_mean and prior_sigma belong together; one of them is missing")
        if self.prior_sigma is not None and not 0.0 < self.prior_sigma < math.inf:
            raise ValueError(f"{self.name}: prior_sigma = {self.prior_sigma} must be positive and finite")


Bounds = tuple[Bound, ...]
"""The parameters of a fit, in the order of the axis `parameter`."""


def _is(bounds: Sequence[Bound], scale: str) -> np.ndarray:
    return np.array([bound.scale == scale for bound in bounds])


def to_scaled(bounds: Bounds, theta: Float[Array, "*batch parameter"]) -> Float[Array, "*batch parameter"]:
    """Return s: θ, ln θ or ln[θ/(1 - θ)] by the scale of each parameter."""
    log, logit = _is(bounds, "log"), _is(bounds, "logit")
    # The branch that is not taken stays finite, so that derivatives do too.
    logarithm = jnp.log(jnp.where(log | logit, theta, 0.5))
    return jnp.where(log, logarithm, jnp.where(logit, logarithm - jnp.log1p(-jnp.where(logit, theta, 0.5)), theta))


def to_theta(bounds: Bounds, scaled: Float[Array, "*batch parameter"]) -> Float[Array, "*batch parameter"]:
    """Return θ of the scaled coordinate, kept inside the range where the exponential rounds."""
    log, logit = _is(bounds, "log"), _is(bounds, "logit")
    theta = jnp.where(log, jnp.exp(jnp.where(log, scaled, 0.0)), jnp.where(logit, jax.nn.sigmoid(scaled), scaled))
    low, high = theta_limits(bounds)
    return jnp.clip(theta, low.astype(theta.dtype), high.astype(theta.dtype))


def theta_slope(bounds: Bounds, theta: Float[Array, "*batch parameter"]) -> Float[Array, "*batch parameter"]:
    """Return dθ/ds: 1, θ or θ (1 - θ)."""
    log, logit = _is(bounds, "log"), _is(bounds, "logit")
    return jnp.where(log, theta, jnp.where(logit, theta * (1.0 - theta), jnp.ones_like(theta)))


def theta_limits(bounds: Bounds) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper limits of θ, shape [parameter]."""
    return np.array([float(b.low) for b in bounds]), np.array([float(b.high) for b in bounds])


def scaled_limits(bounds: Bounds) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper limits of s, shape [parameter]; ∓∞ for a parameter that has the whole domain."""
    forward = {
        "linear": float,
        "log": lambda value: math.log(value) if value > 0.0 else -math.inf,
        "logit": lambda value: (
            math.copysign(math.inf, value - 0.5) if value in (0, 1) else math.log(value / (1 - value))
        ),
    }
    low = np.array([forward[b.scale](b.low) for b in bounds])
    return low, np.array([forward[b.scale](b.high) if math.isfinite(b.high) else math.inf for b in bounds])


def from_unbounded(bounds: Bounds, z: Float[Array, "*batch parameter"]) -> Float[Array, "*batch parameter"]:
    """Return θ of the unbounded coordinate: s = s_low + (s_high - s_low) / (1 + e⁻ᶻ); s = z for a whole domain."""
    low, high = scaled_limits(bounds)
    finite = np.isfinite(low)
    low, width = (
        np.where(finite, low, 0.0),
        np.where(finite, np.where(finite, high, 0.0) - np.where(finite, low, 0.0), 1.0),
    )
    return to_theta(bounds, jnp.where(finite, low + width * jax.nn.sigmoid(z), z))


def to_unbounded(bounds: Bounds, theta: Float[Array, "*batch parameter"]) -> Float[Array, "*batch parameter"]:
    """Return z of θ, the inverse of `from_unbounded`; ∓∞ at the ends of a finite range."""
    low, high = scaled_limits(bounds)
    finite = np.isfinite(low)
    scaled = to_scaled(bounds, theta)
    below = jnp.where(finite, scaled - np.where(finite, low, 0.0), 1.0)
    above = jnp.where(finite, np.where(finite, high, 0.0) - scaled, 1.0)
    return jnp.where(finite, jnp.log(below) - jnp.log(above), scaled)


def unbounded_slope(bounds: Bounds, z: Float[Array, "*batch parameter"]) -> Float[Array, "*batch parameter"]:
    """Return dθ/dz."""
    low, high = scaled_limits(bounds)
    finite = np.isfinite(low)
    width = np.where(finite, np.where(finite, high, 0.0) - np.where(finite, low, 0.0), 1.0)
    fraction = jax.nn.sigmoid(z)
    slope = jnp.where(finite, width * fraction * (1.0 - fraction), 1.0)
    return slope * theta_slope(bounds, from_unbounded(bounds, z))


def start_values(bounds: Bounds) -> np.ndarray:
    """Return `start` of each parameter, or the middle of its range on its scale, shape [parameter].

    Raises
    ------
    ValueError
        If a parameter has neither a start nor a finite range.
    """
    low, high = scaled_limits(bounds)
    for bound, edge in zip(bounds, low, strict=True):
        if bound.start is None and not math.isfinite(edge):
            raise ValueError(f"{bound.name}: give start, the range ({bound.low}, {bound.high}) has no middle")
    finite = np.isfinite(low)
    centre = 0.5 * (np.where(finite, low, 0.0) + np.where(finite, high, 0.0))
    middle = np.asarray(to_theta(bounds, jnp.asarray(centre)))
    return np.array([m if b.start is None else float(b.start) for b, m in zip(bounds, middle, strict=True)])


def check_inside(bounds: Bounds, theta: Float[Array, "start parameter"]) -> None:
    """Refuse values outside of the ranges, in one line that names parameter, value and range."""
    values = np.asarray(theta)
    for k, bound in enumerate(bounds):
        outside = ~((values[:, k] >= bound.low) & (values[:, k] <= bound.high))
        if outside.any():
            wrong = values[outside, k][0]
            raise ValueError(f"{bound.name}: start {wrong} is outside of the range ({bound.low}, {bound.high})")
