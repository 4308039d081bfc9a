"""Profiles of ions at the start of an experiment: couples, samples exchanged before, implanted layers.

A form is told by its integral over the depth, so that cells hold exactly what lies in them, whatever the mesh is: an
amount is kept to round-off, and a sharp step moves through a cell with a derivative.
"""

import math
from abc import abstractmethod

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from npp_jax.physics.interpolation import align, locate, take
from npp_jax.physics.leaf import TABLE, as_leaf, expect_as_long

_SHARP = 1e-12
"""Least width of a step or a layer [m]: far below every cell."""


class AbstractInitial(eqx.Module):
    """Fraction n/N of an ion over the depth at the start."""

    @abstractmethod
    def integral(self, depth: Float[Array, "*#shape"]) -> Float[Array, "*shape"]:
        """Integral of the fraction from any fixed depth to `depth` [m]."""

    def average(self, faces: Float[Array, "face *batch"]) -> Float[Array, "cell *batch"]:
        """Fractions of the cells between the faces [m]."""
        return jnp.diff(self.integral(faces), axis=0) / jnp.diff(faces, axis=0)


class InitialStep(AbstractInitial):
    """A step, sharp or rounded by diffusion: c = c_deep + ½(c_surface - c_deep) erfc[(x - x₀)/w]."""

    position: Float[Array, "*#batch"] = eqx.field(converter=as_leaf)
    """Depth of the step x₀ [m]."""
    surface_fraction: Float[Array, "*#batch"] = eqx.field(converter=as_leaf)
    """Fraction above the step [1]."""
    deep_fraction: Float[Array, "*#batch"] = eqx.field(converter=as_leaf)
    """Fraction below it [1]."""
    width: Float[Array, "*#batch"] = eqx.field(converter=as_leaf, default=0.0)
    """w, 2√(Dt) after diffusion with a constant D; zero for a sharp step [m]."""

    def integral(self, depth: Float[Array, "*#shape"]) -> Float[Array, "*shape"]:
        """c_deep x + (c_surface - c_deep) ∫½erfc."""
        rise = self.surface_fraction - self.deep_fraction
        return self.deep_fraction * depth + 0.5 * rise * _erfc_integral(depth - self.position, self.width)


class InitialErfc(AbstractInitial):
    """What has diffused in from the surface: c = c_deep + (c_surface - c_deep) erfc(x/w)."""

    surface_fraction: Float[Array, "*#batch"] = eqx.field(converter=as_leaf)
    """Fraction at the surface [1]."""
    deep_fraction: Float[Array, "*#batch"] = eqx.field(converter=as_leaf)
    """Fraction far below [1]."""
    width: Float[Array, "*#batch"] = eqx.field(converter=as_leaf)
    """w, 2√(Dt) after diffusion with a constant D [m]."""

    def integral(self, depth: Float[Array, "*#shape"]) -> Float[Array, "*shape"]:
        """c_deep x + (c_surface - c_deep) ∫erfc."""
        rise = self.surface_fraction - self.deep_fraction
        return self.deep_fraction * depth + rise * _erfc_integral(depth, self.width)


class InitialGaussian(AbstractInitial):
    """An implanted layer: c = c_deep + c_peak exp[-(x - x₀)²/2w²]."""

    position: Float[Array, "*#batch"] = eqx.field(converter=as_leaf)
    """Depth of the maximum x₀ [m]."""
    peak_fraction: Float[Array, "*#batch"] = eqx.field(converter=as_leaf)
    """Fraction at the maximum, above that elsewhere [1]."""
    width: Float[Array, "*#batch"] = eqx.field(converter=as_leaf)
    """Standard deviation w [m]."""
    deep_fraction: Float[Array, "*#batch"] = eqx.field(converter=as_leaf, default=0.0)
    """Fraction elsewhere [1]."""

    def integral(self, depth: Float[Array, "*#shape"]) -> Float[Array, "*shape"]:
        """c_deep x + c_peak w √(2π) Φ[(x - x₀)/w]."""
        safe = jnp.maximum(self.width, _SHARP)
        share = 0.5 * jax.scipy.special.erf((depth - self.position) / (safe * math.sqrt(2.0)))
        return self.deep_fraction * depth + self.peak_fraction * self.width * math.sqrt(2.0 * math.pi) * share


class InitialTable(AbstractInitial):
    """A table: straight lines between its rows, constant beyond them."""

    depth: Float[Array, "row *#batch"] = eqx.field(converter=as_leaf, metadata=TABLE)
    """Depths, increasing [m]."""
    fraction: Float[Array, "row *#batch"] = eqx.field(converter=as_leaf, metadata=TABLE)
    """Fractions at these depths [1]."""

    def __check_init__(self) -> None:
        """Each depth has a fraction."""
        expect_as_long("a profile at the start", depth=self.depth, fraction=self.fraction)

    def integral(self, depth: Float[Array, "*#shape"]) -> Float[Array, "*shape"]:
        """Integral of the straight lines from the first row on."""
        knots, values = align(self.depth, self.fraction)
        batch = jnp.broadcast_shapes(knots.shape[1:], values.shape[1:])
        shape = jnp.broadcast_shapes(depth.shape, batch)
        points = jnp.broadcast_to(depth, shape).reshape(-1, *batch)
        width, rise = jnp.diff(knots, axis=0), jnp.diff(values, axis=0)
        pieces = 0.5 * (values[1:] + values[:-1]) * width
        whole = jnp.concatenate([jnp.zeros_like(pieces[:1]), jnp.cumsum(pieces, axis=0)])
        index = locate(points, knots)
        # Beyond the ends the values of the ends hold.
        inside = jnp.clip(points, knots[0], knots[-1]) - take(knots, index)
        slope = take(rise / width, index)
        found = take(whole, index) + inside * (take(values, index) + 0.5 * slope * inside)
        before, after = jnp.minimum(points - knots[0], 0.0), jnp.maximum(points - knots[-1], 0.0)
        return (found + before * values[0] + after * values[-1]).reshape(shape)


def _erfc_integral(depth: Array, width: Array) -> Array:
    """Integral of erfc(x/w), x erfc(x/w) - w exp(-x²/w²)/√π [m]."""
    safe = jnp.maximum(width, _SHARP)
    scaled = depth / safe
    # exp(-x²) of a sharp step is zero long before its square overflows.
    near = jnp.clip(scaled, -30.0, 30.0)
    return depth * jax.scipy.special.erfc(near) - safe * jnp.exp(-near * near) / math.sqrt(math.pi)
