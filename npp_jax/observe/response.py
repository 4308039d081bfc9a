"""Depth resolution functions of SIMS: the signal of a thin layer against depth, and its running integral.

All lengths are in nanometres. A response h(z) is the normalised signal at the distance z = (depth of the point) -
(depth of the layer); z < 0 is reached before the layer. F(z) = ∫_{-∞}^{z} h is its cumulative function: what a profile
that steps from 0 to 1 at the depth x gives at the depth y is F(y - x).
"""

import math
from abc import abstractmethod
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from npp_jax._compile import concrete
from npp_jax.observe.arrays import as_leaf
from npp_jax.observe.special import erfcx

WIDTH_FLOOR = 1e-6
"""Width below which a response is taken to be of this width [nm]: a femtometre, which no depth scale resolves."""

_SQRT2 = math.sqrt(2.0)


class AbstractResponse(eqx.Module):
    """A normalised depth resolution function."""

    @abstractmethod
    def tail(self, z: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Integral of the response from z to the nearer infinity: F(z) for z < 0, 1 - F(z) for z ≥ 0.

        Both tails keep their relative accuracy, which F itself cannot near one.
        """

    @abstractmethod
    def tail_integral(self, z: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Integral of the tail from z to the nearer infinity: ∫_{-∞}^{z} F for z < 0, ∫_{z}^{∞} (1 - F) for z ≥ 0 [nm]:
        what a kink of slope one adds to the signal at the distance z.
        """

    @property
    @abstractmethod
    def mean(self) -> Float[Array, "*batch"]:
        """Mean ∫ z h dz: by how much a thin layer seems deeper than it is [nm]."""

    @property
    @abstractmethod
    def variance(self) -> Float[Array, "*batch"]:
        """Variance of the response [nm²]."""

    def cdf(self, z: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Cumulative function F(z) = ∫_{-∞}^{z} h(z') dz'."""
        tail = self.tail(z)
        return jnp.where(z < 0.0, tail, 1.0 - tail)

    def density(self, z: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Response h(z) to a thin layer [1/nm]."""
        return jax.jvp(self.cdf, (z,), (jnp.ones_like(z),))[1]


class DowsettResponse(AbstractResponse):
    """Two exponentials, rising to the layer and falling behind it, convolved with a Gaussian.

    h(z) = 1/[2(λ_u + λ_d)] { exp(z/λ_u + σ²/2λ_u²) erfc[(z/σ + σ/λ_u)/√2]
                            + exp(-z/λ_d + σ²/2λ_d²) erfc[(σ/λ_d - z/σ)/√2] }.

    M. G. Dowsett, G. Rowlands, P. N. Allen, R. D. Barlow, Surf. Interface Anal. 21 (1994) 310. Any width may be zero.
    """

    leading: Float[Array, "*#batch"] = eqx.field(converter=as_leaf)
    """Rising length λ_u, before the layer [nm]."""
    trailing: Float[Array, "*#batch"] = eqx.field(converter=as_leaf)
    """Decay length λ_d, behind the layer [nm]."""
    sigma: Float[Array, "*#batch"] = eqx.field(converter=as_leaf)
    """Standard deviation σ of the Gaussian [nm]."""

    def __check_init__(self):
        _check_widths(leading=self.leading, trailing=self.trailing, sigma=self.sigma)

    def tail(self, z: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Integral from z to the nearer infinity."""
        return _tail(z, self.leading, self.trailing, self.sigma)

    def tail_integral(self, z: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Integral of the tail from z to the nearer infinity [nm]."""
        return _tail_integral(z, self.leading, self.trailing, self.sigma)

    @property
    def mean(self) -> Float[Array, "*batch"]:
        """λ_d - λ_u [nm]."""
        return self.trailing - self.leading

    @property
    def variance(self) -> Float[Array, "*batch"]:
        """σ² + λ_u² + λ_d² [nm²]."""
        return self.sigma**2 + self.leading**2 + self.trailing**2


class MRIResponse(AbstractResponse):
    """Mixing, roughness and information depth: the three causes of broadening, each with its parameter.

    Convolution of exp[-(z + w)/w]/w for z > -w (atomic mixing), exp(z/λ)/λ for z < 0 (escape of the signal) and a
    Gaussian (roughness). The first two give the exponentials of `DowsettResponse` with λ_u = λ, λ_d = w, moved by -w.
    S. Hofmann, Surf. Interface Anal. 21 (1994) 673. Any width may be zero.
    """

    mixing: Float[Array, "*#batch"] = eqx.field(converter=as_leaf)
    """Length w of the mixing zone [nm]."""
    roughness: Float[Array, "*#batch"] = eqx.field(converter=as_leaf)
    """Standard deviation σ of the roughness [nm]."""
    information: Float[Array, "*#batch"] = eqx.field(converter=as_leaf)
    """Information depth λ [nm]."""

    def __check_init__(self):
        _check_widths(mixing=self.mixing, roughness=self.roughness, information=self.information)

    def tail(self, z: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Integral from z to the nearer infinity."""
        moved = z + self.mixing
        tail = _tail(moved, self.information, self.mixing, self.roughness)
        # Between the median side of the moved function and that of z itself, the other tail is meant.
        return jnp.where((moved < 0.0) == (z < 0.0), tail, 1.0 - tail)

    def tail_integral(self, z: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Integral of the tail from z to the nearer infinity [nm]."""
        moved = z + self.mixing
        integral = _tail_integral(moved, self.information, self.mixing, self.roughness)
        # The integrals of both sides differ by the distance from the mean.
        return jnp.where((moved < 0.0) == (z < 0.0), integral, integral + z - self.mean)

    @property
    def mean(self) -> Float[Array, "*batch"]:
        """-λ [nm]: mixing does not move the centre of a layer."""
        return -self.information

    @property
    def variance(self) -> Float[Array, "*batch"]:
        """σ² + w² + λ² [nm²]."""
        return self.roughness**2 + self.mixing**2 + self.information**2


class GaussianResponse(AbstractResponse):
    """Gaussian of standard deviation σ, which may be zero."""

    sigma: Float[Array, "*#batch"] = eqx.field(converter=as_leaf)
    """Standard deviation σ [nm]."""

    def __check_init__(self):
        _check_widths(sigma=self.sigma)

    def tail(self, z: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Integral from z to the nearer infinity."""
        t = jnp.where(z < 0.0, -z, z) / (_SQRT2 * _floored(self.sigma))
        return 0.5 * jnp.exp(-t * t) * erfcx(t)

    def tail_integral(self, z: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """σ [exp(-t²)/√π - t erfc t]/√2 with t = `|z|`/σ√2 [nm]."""
        return _gauss_tail_integral(jnp.where(z < 0.0, -z, z), _floored(self.sigma))

    @property
    def mean(self) -> Float[Array, "*batch"]:
        """Zero [nm]."""
        return jnp.zeros_like(self.sigma)

    @property
    def variance(self) -> Float[Array, "*batch"]:
        """σ² [nm²]."""
        return self.sigma**2


class NoResponse(AbstractResponse):
    """Perfect depth resolution: the observed profile is the true one, cell by cell."""

    def tail(self, z: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """One half on the step, zero elsewhere."""
        return jnp.where(z == 0.0, 0.5, 0.0).astype(z.dtype)

    def tail_integral(self, z: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Zero [nm]."""
        return jnp.zeros_like(z)

    @property
    def mean(self) -> Float[Array, "*batch"]:
        """Zero [nm]."""
        return as_leaf(0.0)

    @property
    def variance(self) -> Float[Array, "*batch"]:
        """Zero [nm²]."""
        return as_leaf(0.0)


def _check_widths(**widths: Array) -> None:
    for name, value in widths.items():
        if concrete(value) and not np.all((np.asarray(value) >= 0.0) & np.isfinite(value)):
            raise ValueError(f"{name} = {value} nm: a width of a response must be finite and not negative")


def _floored(width: Array) -> Array:
    """`width`, or the floor, with the derivative of `width` in both cases.

    A width that is zero therefore has the one-sided derivative, and a fit can leave it.
    """
    return width + jax.lax.stop_gradient(jnp.maximum(WIDTH_FLOOR - width, 0.0))


def _gauss_tail_integral(y: Array, sigma: Array) -> Array:
    """Integral of the tail of a Gaussian from the distance y on."""
    t = y / (_SQRT2 * sigma)
    return jnp.exp(-t * t) * (sigma / math.sqrt(2.0 * math.pi) - 0.5 * y * erfcx(t))


class _Sides(NamedTuple):
    """Parts of the tail of two exponentials convolved with a Gaussian."""

    distance: Array
    """`|z|`."""
    near: Array
    """Exponential a on the side of z."""
    far: Array
    """The other one, b."""
    sigma: Array
    gauss: Array
    """Tail of the Gaussian."""
    near_term: Array
    """g_a."""
    far_term: Array
    """g_b."""


def _sides(z: Array, leading: Array, trailing: Array, sigma: Array) -> _Sides:
    """With y = `|z|`, a the exponential on the side of z and b the other one, t = y/σ√2, s = σ/a√2, r = σ/b√2,
    g_a = ½ exp(s² - 2st) erfc(s - t),  g_b = ½ exp(-t²) erfcx(r + t).
    Every erfcx is called with a positive argument, and no exponent is positive.
    """
    leading, trailing, sigma = _floored(leading), _floored(trailing), _floored(sigma)
    deeper = z >= 0.0
    near, far = jnp.where(deeper, trailing, leading), jnp.where(deeper, leading, trailing)
    distance = jnp.where(deeper, z, -z)
    t = distance / (_SQRT2 * sigma)
    s, r = sigma / (_SQRT2 * near), sigma / (_SQRT2 * far)
    gauss = 0.5 * jnp.exp(-t * t)
    behind = t > s
    side = gauss * erfcx(jnp.where(behind, t - s, s - t))
    # erfc(-x) = 2 - erfc(x). The argument of the exponential is held where it is not used: it would overflow.
    near_term = jnp.where(behind, jnp.exp(s * (s - 2.0 * jnp.where(behind, t, s))) - side, side)
    return _Sides(distance, near, far, sigma, gauss * erfcx(t), near_term, gauss * erfcx(r + t))


def _tail(z: Array, leading: Array, trailing: Array, sigma: Array) -> Array:
    """Smaller side of the integral of the response: T = ½ erfc t + (a g_a - b g_b)/(a + b)."""
    p = _sides(z, leading, trailing, sigma)
    return p.gauss + (p.near * p.near_term - p.far * p.far_term) / (p.near + p.far)


def _tail_integral(z: Array, leading: Array, trailing: Array, sigma: Array) -> Array:
    """Integral of the tail, by g_a' = -g_a/a + φ and g_b' = g_b/b - φ, φ the density of the Gaussian:
    G = ∫ ½ erfc t + (a - b) ½ erfc t + (a² g_a + b² g_b)/(a + b).
    """
    p = _sides(z, leading, trailing, sigma)
    exponentials = (p.near**2 * p.near_term + p.far**2 * p.far_term) / (p.near + p.far)
    return _gauss_tail_integral(p.distance, p.sigma) + (p.near - p.far) * p.gauss + exponentials
