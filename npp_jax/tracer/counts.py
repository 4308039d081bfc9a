"""Counts of isotopes as data of a fit, at their own likelihood, however few there are.

Fractions of few counts with errors from these counts pull a fit: a low count has a small error by chance. Here the
counts are the data. The residual of a point is the signed root of its deviance, twice the logarithm of the ratio of the
greatest likelihood to that of the model, so that least squares are maximum likelihood.
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from npp_jax._compile import concrete, jit_small
from npp_jax.physics.checks import FINITE, POSITIVE, expect_numbers
from npp_jax.physics.leaf import as_leaf
from npp_jax.tracer.fractions import AbstractFractions

_DRAWS = 400
_DRAWN = 400_000
_SMALL = 1e-2
_VANISHING = 1e-6


class _Expected(NamedTuple):
    """What two channels are expected to count at a fraction, at the likeliest intensity."""

    counted: Array
    other: Array
    intensity: Array
    used: Array


class IsotopeCounts(AbstractFractions):
    """Counts of two mass channels, Poisson distributed; the intensity of each point is not known.

    At the intensity λ the channels expect λβC + b and λ(1 - C) + b'. The λ of each point is the likeliest one. Without
    backgrounds the deviance is that of a binomial distribution of the sum of both, whatever the intensity
    (topography, charging, current).
    """

    counted: Float[Array, "*shape"] = eqx.field(converter=as_leaf)
    """Counts of the isotope of which the fraction is modelled."""
    other: Float[Array, "*shape"] = eqx.field(converter=as_leaf)
    """Counts of the other isotope."""
    background: tuple[Array, Array] = eqx.field(
        converter=lambda pair: (as_leaf(pair[0]), as_leaf(pair[1])), default=(0.0, 0.0)
    )
    """Expected background counts of both channels, of all points or of each."""
    mass_bias: Array = eqx.field(converter=as_leaf, default=1.0)
    """β, sensitivity for the first isotope over that for the other [1]."""

    def __check_init__(self) -> None:
        """Each point has counts of both isotopes, and none is negative."""
        counted, other = jnp.shape(self.counted), jnp.shape(self.other)
        if counted != other:
            raise ValueError(f"counts of the two isotopes have the shapes {counted} and {other}: both are needed alike")
        for name, counts in (("counted", self.counted), ("other", self.other)):
            if concrete(counts) and np.any(np.asarray(counts) < 0.0):
                raise ValueError(f"{name} = {np.min(np.asarray(counts)):g}: counts must not be negative")
            expect_numbers(counts, FINITE, name)
        expect_numbers(self.mass_bias, POSITIVE, "mass_bias")

    def residual(self, model: Array) -> Array:
        """Signed roots of the deviance; zero where nothing was counted."""
        return _root(model, *self._numbers(model))

    def sharpness(self, model: Array) -> Array:
        """Root of λ²β²/(a²E' + a'²E), with a = βC and a' = 1 - C; without backgrounds √(n/[C(1 - C)])."""
        c, *numbers = _inside(model), *self._numbers(model)
        return _sharpness(c, _expected(c, *numbers), numbers[-1])

    def points(self) -> int:
        """Points with counts."""
        return int(np.sum(np.asarray(self.counted + self.other) > 0.0))

    def expected_chi2(self, model: Array) -> tuple[float, float]:
        """From draws of as many counts as there are: χ² of few counts has not the moments of many."""
        numbers = self._numbers(model)
        expected = _expected_of(_inside(model), *numbers)
        n = np.rint(np.asarray(self.counted + self.other)).astype(int)
        share = np.asarray(expected.counted / jnp.where(expected.used, expected.counted + expected.other, 1.0))
        size = max(20, min(_DRAWS, _DRAWN // max(n.size, 1)))
        light = np.random.default_rng(0).binomial(n, np.clip(share, 0.0, 1.0), (size, *n.shape)).astype(float)
        drawn = np.asarray(_drawn_roots(model, light, n - light, *numbers[2:])) ** 2
        return float(drawn.mean(0).sum()), float(drawn.var(0).sum())

    @property
    def limits(self) -> tuple[float, float]:
        """0 and 1."""
        return 0.0, 1.0

    def _numbers(self, model: Array) -> tuple[Array, ...]:
        values = (self.counted, self.other, *self.background, self.mass_bias)
        return tuple(jnp.broadcast_to(jnp.asarray(value, model.dtype), model.shape) for value in values)


def _inside(model: Array) -> Array:
    """Modelled fractions, where logarithms are finite."""
    least = jnp.finfo(model.dtype).eps
    return jnp.clip(model, least, 1.0 - least)


def _expected(c: Array, counted: Array, other: Array, b: Array, b_other: Array, bias: Array) -> _Expected:
    """The likeliest intensity is the positive root of m a a' λ² + q λ + r, a and a' the shares of the channels."""
    a, rest = bias * c, 1.0 - c
    total = a + rest
    square = total * a * rest
    linear = total * (a * b_other + rest * b) - a * rest * (counted + other)
    constant = total * b * b_other - counted * a * b_other - other * rest * b
    root = jnp.sqrt(jnp.maximum(linear**2 - 4.0 * square * constant, 0.0))
    # Of the two forms of the root, the one in which nothing cancels.
    high = linear < 0.0
    intensity = jnp.where(high, (root - linear) / (2.0 * square), -2.0 * constant / jnp.where(high, 1.0, linear + root))
    used = counted + other > 0.0
    intensity = jnp.where(used, jnp.maximum(intensity, 0.0), 0.0)
    return _Expected(intensity * a + b, intensity * rest + b_other, intensity, used)


def _sharpness(c: Array, expected: _Expected, bias: Array) -> Array:
    spread = (bias * c) ** 2 * expected.other + (1.0 - c) ** 2 * expected.counted
    return expected.intensity * bias / jnp.sqrt(jnp.where(spread > 0.0, spread, 1.0))


def _excess(count: Array, expected: Array) -> Array:
    """K ln(k/E) - k + E, to full accuracy near k = E too."""
    safe = jnp.where(expected > 0.0, expected, 1.0)
    u = (count - expected) / safe
    series = u**2 * (0.5 - u * (1 / 6 - u * (1 / 12 - u * (1 / 20 - u * (1 / 30 - u / 42)))))
    direct = jax.scipy.special.xlogy(count / safe, count / safe) - u
    return expected * jnp.where(jnp.abs(u) < _SMALL, series, direct)


@jax.custom_jvp
def _root(model: Array, counted: Array, other: Array, b: Array, b_other: Array, bias: Array) -> Array:
    expected = _expected(_inside(model), counted, other, b, b_other, bias)
    half = _excess(counted, expected.counted) + _excess(other, expected.other)
    root = jnp.sign(expected.counted - counted) * jnp.sqrt(2.0 * jnp.maximum(half, 0.0))
    return jnp.where(expected.used, root, 0.0)


@_root.defjvp
def _root_slope(primals: tuple[Array, ...], tangents: tuple[Array, ...]) -> tuple[Array, Array]:
    """Slope along the model: minus the score over the root, and its limit, the sharpness, where both vanish."""
    model, counted, other, *_, bias = primals
    root, c = _root(*primals), _inside(model)
    expected = _expected(c, *primals[1:])
    miss = [
        jnp.where(mean > 0.0, count / jnp.where(mean > 0.0, mean, 1.0) - 1.0, 0.0)
        for count, mean in ((counted, expected.counted), (other, expected.other))
    ]
    # The intensity is the likeliest, so that its change does not count.
    score = expected.intensity * (bias * miss[0] - miss[1])
    vanishing = jnp.abs(root) < _VANISHING
    slope = jnp.where(vanishing, _sharpness(c, expected, bias), -score / jnp.where(vanishing, 1.0, root))
    return root, jnp.where(expected.used, slope, 0.0) * tangents[0]


_drawn_roots = jit_small(jax.vmap(_root, in_axes=(None, 0, 0, None, None, None)))
"""Roots of several drawn counts [draw, *shape]."""

_expected_of = jit_small(_expected)
