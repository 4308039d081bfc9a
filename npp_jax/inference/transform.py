"""Parameters of a fit: their ranges, the scale on which each is varied, and the maps between scales.

Three coordinates are used. θ is the parameter in its own unit. The scaled coordinate s is θ, ln θ or logit θ; steps,
covariances and intervals are in s, in which the range is a box. The unbounded coordinate z maps the box onto the
whole line for methods that know no bounds (samplers). The last axis of every array is `parameter`.
"""

import dataclasses
import math
from typing import Literal, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

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


Bounds: TypeAlias = tuple[Bound, ...]
"""The parameters of a fit, in the order of the axis `parameter`."""


class Ranges(eqx.Module):
    """What the maps between the coordinates need of all parameters, as arrays: other ranges, same compiled code."""

    is_log: Bool[Array | np.ndarray, " parameter"]
    is_logit: Bool[Array | np.ndarray, " parameter"]
    theta_low: Float[Array | np.ndarray, " parameter"]
    """Lower limit of θ. [unit of the parameter]"""
    theta_high: Float[Array | np.ndarray, " parameter"]
    """Upper limit of θ. [unit of the parameter]"""
    low: Float[Array | np.ndarray, " parameter"]
    """Lower limit of s, -∞ for a whole domain."""
    high: Float[Array | np.ndarray, " parameter"]
    """Upper limit of s, ∞ for a whole domain."""


_FORWARD = {
    "linear": lambda value: value,
    "log": lambda value: math.log(value) if 0.0 < value < math.inf else math.copysign(math.inf, value - 1.0),
    "logit": lambda value: (
        math.log(value / (1.0 - value)) if 0.0 < value < 1.0 else math.copysign(math.inf, value - 0.5)
    ),
}


def ranges_of(bounds: Bounds) -> Ranges:
    """Gather the ranges of all parameters."""
    return Ranges(
        is_log=np.array([bound.scale == "log" for bound in bounds], bool),
        is_logit=np.array([bound.scale == "logit" for bound in bounds], bool),
        theta_low=np.array([bound.low for bound in bounds], float),
        theta_high=np.array([bound.high for bound in bounds], float),
        low=np.array([_FORWARD[bound.scale](float(bound.low)) for bound in bounds], float),
        high=np.array([_FORWARD[bound.scale](float(bound.high)) for bound in bounds], float),
    )


@jax.jit
def to_scaled(ranges: Ranges, theta: Float[Array, "*batch parameter"]) -> Float[Array, "*batch parameter"]:
    """Return s: θ, ln θ or ln[θ/(1 - θ)] by the scale of each parameter."""
    # The branches that are not taken stay finite, so that derivatives do too.
    logarithm = jnp.log(jnp.where(ranges.is_log | ranges.is_logit, theta, 0.5))
    logit = logarithm - jnp.log1p(-jnp.where(ranges.is_logit, theta, 0.5))
    return jnp.where(ranges.is_log, logarithm, jnp.where(ranges.is_logit, logit, theta))


@jax.jit
def to_theta(ranges: Ranges, scaled: Float[Array, "*batch parameter"]) -> Float[Array, "*batch parameter"]:
    """Return θ of the scaled coordinate, kept inside the range where the exponential rounds."""
    exponential = jnp.exp(jnp.where(ranges.is_log, scaled, 0.0))
    theta = jnp.where(ranges.is_log, exponential, jnp.where(ranges.is_logit, jax.nn.sigmoid(scaled), scaled))
    low, high = (jnp.asarray(edge, theta.dtype) for edge in (ranges.theta_low, ranges.theta_high))
    return jnp.clip(theta, low, high)


@jax.jit
def theta_slope(ranges: Ranges, theta: Float[Array, "*batch parameter"]) -> Float[Array, "*batch parameter"]:
    """Return dθ/ds: 1, θ or θ (1 - θ)."""
    logit = jnp.where(ranges.is_logit, theta * (1.0 - theta), jnp.ones_like(theta))
    return jnp.where(ranges.is_log, theta, logit)


def from_unbounded(ranges: Ranges, z: Float[Array, "*batch parameter"]) -> Float[Array, "*batch parameter"]:
    """Return θ of the unbounded coordinate: s = s_low + (s_high - s_low) / (1 + e⁻ᶻ); s = z for a whole domain."""
    finite, low, width = _box(ranges, z)
    return to_theta(ranges, jnp.where(finite, low + width * jax.nn.sigmoid(z), z))


def to_unbounded(ranges: Ranges, theta: Float[Array, "*batch parameter"]) -> Float[Array, "*batch parameter"]:
    """Return z of θ, the inverse of `from_unbounded`; ∓∞ at the ends of a finite range."""
    finite, low, width = _box(ranges, theta)
    scaled = to_scaled(ranges, theta)
    below = jnp.where(finite, scaled - low, 1.0)
    above = jnp.where(finite, low + width - scaled, 1.0)
    return jnp.where(finite, jnp.log(below) - jnp.log(above), scaled)


def unbounded_slope(ranges: Ranges, z: Float[Array, "*batch parameter"]) -> Float[Array, "*batch parameter"]:
    """Return dθ/dz."""
    finite, _, width = _box(ranges, z)
    fraction = jax.nn.sigmoid(z)
    slope = jnp.where(finite, width * fraction * (1.0 - fraction), 1.0)
    return slope * theta_slope(ranges, from_unbounded(ranges, z))


def log_volume(ranges: Ranges, z: Float[Array, "*batch parameter"]) -> Float[Array, "*batch"]:
    """Return ln |ds/dz| up to a constant: the density in z of what is uniform in s."""
    finite, _, _ = _box(ranges, z)
    return jnp.sum(jnp.where(finite, jax.nn.log_sigmoid(z) + jax.nn.log_sigmoid(-z), 0.0), axis=-1)


def _box(ranges: Ranges, like: Array) -> tuple[Array, Array, Array]:
    """Whether the range of s is finite, its low end and width; 0 and 1 where it is not."""
    low, high = jnp.asarray(ranges.low, like.dtype), jnp.asarray(ranges.high, like.dtype)
    finite = jnp.isfinite(low)
    low = jnp.where(finite, low, 0.0)
    return finite, low, jnp.where(finite, high, 1.0) - low


def start_values(bounds: Bounds) -> np.ndarray:
    """Return `start` of each parameter, or the middle of its range on its scale, shape [parameter].

    Raises
    ------
    ValueError
        If a parameter has neither a start nor a finite range.
    """
    ranges = ranges_of(bounds)
    finite = np.isfinite(ranges.low)
    for bound, known in zip(bounds, finite, strict=True):
        if bound.start is None and not known:
            raise ValueError(f"{bound.name}: give start, the range ({bound.low}, {bound.high}) has no middle")
    centre = 0.5 * (np.where(finite, ranges.low, 0.0) + np.where(finite, ranges.high, 0.0))
    middle = np.asarray(to_theta(ranges, jnp.asarray(centre)))
    return np.array([m if b.start is None else float(b.start) for b, m in zip(bounds, middle, strict=True)])


def check_inside(bounds: Bounds, theta: Float[Array, "start parameter"]) -> None:
    """Refuse values outside of the ranges, in one line that names parameter, value and range."""
    values = np.asarray(theta)
    for k, bound in enumerate(bounds):
        outside = ~((values[:, k] >= bound.low) & (values[:, k] <= bound.high))
        if outside.any():
            wrong = values[outside, k][0]
            raise ValueError(f"{bound.name}: start {wrong} is outside of the range ({bound.low}, {bound.high})")
