"""Ranges of the parameters as arrays, and the maps between the coordinates in which they vary.

Three coordinates are used. θ is the parameter in its own unit. The scaled coordinate s is θ, ln θ or logit θ; steps,
covariances and intervals are in s, in which the range is a box. The unbounded coordinate z maps the box onto the
whole line for methods that know no limits (samplers). The last axis of every array is `parameter`.
"""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from npp_jax.inference.parameter import Parameters


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


def ranges_of(parameters: Parameters) -> Ranges:
    """Gather the ranges of all parameters."""
    return Ranges(
        is_log=np.array([parameter.scale == "log" for parameter in parameters], bool),
        is_logit=np.array([parameter.scale == "logit" for parameter in parameters], bool),
        theta_low=np.array([parameter.low for parameter in parameters], float),
        theta_high=np.array([parameter.high for parameter in parameters], float),
        low=np.array([_FORWARD[parameter.scale](float(parameter.low)) for parameter in parameters], float),
        high=np.array([_FORWARD[parameter.scale](float(parameter.high)) for parameter in parameters], float),
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


def check_inside(parameters: Parameters, theta: Float[Array, "start parameter"]) -> None:
    """Refuse values outside of the ranges, in one line that names parameter, value and range."""
    values = np.asarray(theta)
    for k, parameter in enumerate(parameters):
        outside = ~((values[:, k] >= parameter.low) & (values[:, k] <= parameter.high))
        if outside.any():
            wrong = values[outside, k][0]
            raise ValueError(
                f"{parameter.name}: start {wrong} is outside of the range ({parameter.low}, {parameter.high})"
            )
