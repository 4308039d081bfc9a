"""How well a predicted signal agrees with a measured profile: one signature for each law of the noise.

Residuals are such that half the sum of their squares is the drop of the log-likelihood below its greatest value for
these data, so that least squares and maximum likelihood have one optimum. They are smooth where prediction and data
agree, zero at masked points, and finite, with their derivatives, for any finite prediction.
"""

import math
from abc import abstractmethod

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import log_ndtr
from jaxtyping import Array, ArrayLike, Float

from npp_jax._compile import concrete
from npp_jax.observe.arrays import as_leaf
from npp_jax.observe.detection import detection_limits
from npp_jax.observe.profile import DepthProfile

_NO_COUNTS = "a Poisson likelihood needs a profile with counts and counts_per_fraction"

_LOST = 1e-30
"""Deviance of a point so far below its limit that it says nothing."""


class AbstractLikelihood(eqx.Module):
    """A law of the noise of a depth profile."""

    @abstractmethod
    def residuals(
        self, prediction: Float[Array, "species depth"], profile: DepthProfile
    ) -> Float[Array, "species depth"]:
        """Signed roots of twice the drop in log-likelihood at each point; positive where the prediction is too high.

        Parameters
        ----------
        prediction
            Signal in the unit of `profile.fraction`.
        profile
            Measured profile.
        """

    @abstractmethod
    def log_likelihood(self, prediction: Float[Array, "species depth"], profile: DepthProfile) -> Float[Array, ""]:
        """Logarithm of the probability (density) of the data, summed over the points with their weights.

        Parameters
        ----------
        prediction
            Signal in the unit of `profile.fraction`.
        profile
            Measured profile.
        """

    @abstractmethod
    def draw(
        self, rng: np.random.Generator, prediction: Float[np.ndarray, "*batch species depth"], profile: DepthProfile
    ) -> Float[np.ndarray, "*batch species depth"]:
        """Fractions that would be measured if the prediction were the truth; masked points are drawn like the others.

        In NumPy, whose counts take a tenth of the time of those of JAX on a CPU.

        Parameters
        ----------
        rng
            Random numbers.
        prediction
            Signals in the unit of `profile.fraction`, also of many candidates.
        profile
            Measured profile, which has the uncertainties, exposures and limits of detection.
        """


class GaussianLikelihood(AbstractLikelihood):
    """Normal noise of the fractions: variance σ² + (ε d)², with ε the drift of the yield and d the measured value.

    A point that only is known to lie below a limit l has the probability Φ((l - prediction)/σ).
    """

    relative_sigma: Float[Array, "*#batch"] = eqx.field(converter=as_leaf, default=0.0)
    """Relative uncertainty ε that is common to all points, beside `profile.sigma` [1]."""

    def __check_init__(self):
        _check_positive(relative_sigma=self.relative_sigma, zero=True)

    def residuals(
        self, prediction: Float[Array, "species depth"], profile: DepthProfile
    ) -> Float[Array, "species depth"]:
        """(prediction - data)/σ; √(-2 ln Φ) at a point below its limit."""
        r = _standardised(prediction, profile, self.relative_sigma)
        if profile.censored is not None:
            r = jnp.where(profile.censored > 0.0, _censored(r), r)
        return _root_weight(profile) * r

    def log_likelihood(self, prediction: Float[Array, "species depth"], profile: DepthProfile) -> Float[Array, ""]:
        """Σ w [-r²/2 - ln σ√(2π)]; ln Φ of a point below its limit."""
        r = _standardised(prediction, profile, self.relative_sigma)
        norm = jnp.log(_width(profile, self.relative_sigma)) + 0.5 * math.log(2.0 * math.pi)
        points = -0.5 * r * r - norm
        if profile.censored is not None:
            points = jnp.where(profile.censored > 0.0, log_ndtr(-r), points)
        return jnp.sum(profile.weight * points)

    def draw(
        self, rng: np.random.Generator, prediction: Float[np.ndarray, "*batch species depth"], profile: DepthProfile
    ) -> Float[np.ndarray, "*batch species depth"]:
        """Normal numbers about the prediction; those below their limit are at it."""
        drawn = prediction + self.sigma(profile) * rng.standard_normal(prediction.shape)
        return drawn if profile.censored is None else np.maximum(drawn, detection_limits(profile))

    def sigma(self, profile: DepthProfile) -> Float[np.ndarray, "species depth"]:
        """Standard deviations of the points, √(σ² + (ε d)²) [1]."""
        return np.asarray(_width(profile, self.relative_sigma))


class StudentLikelihood(AbstractLikelihood):
    """Student's t distribution of the fractions: outliers pull with a force that falls with their distance."""

    degrees: Float[Array, "*#batch"] = eqx.field(converter=as_leaf, default=4.0)
    """Degrees of freedom ν; the larger, the nearer to normal [1]."""
    relative_sigma: Float[Array, "*#batch"] = eqx.field(converter=as_leaf, default=0.0)
    """Relative uncertainty that is common to all points, beside `profile.sigma` [1]."""

    def __check_init__(self):
        _check_positive(degrees=self.degrees)
        _check_positive(relative_sigma=self.relative_sigma, zero=True)

    def residuals(
        self, prediction: Float[Array, "species depth"], profile: DepthProfile
    ) -> Float[Array, "species depth"]:
        """R √[(ν + 1) ln(1 + r²/ν)/r²], r = (prediction - data)/σ."""
        r = _standardised(prediction, profile, self.relative_sigma)
        stretch = (self.degrees + 1.0) / self.degrees * _log1p_ratio(r * r / self.degrees)
        return _root_weight(profile) * r * jnp.sqrt(stretch)

    def log_likelihood(self, prediction: Float[Array, "species depth"], profile: DepthProfile) -> Float[Array, ""]:
        """Σ w ln t_ν(r)/σ."""
        r = _standardised(prediction, profile, self.relative_sigma)
        nu = jnp.asarray(self.degrees, prediction.dtype)
        lgamma = jax.scipy.special.gammaln
        norm = lgamma(0.5 * nu) - lgamma(0.5 * (nu + 1.0)) + 0.5 * jnp.log(math.pi * nu)
        norm = norm + jnp.log(_width(profile, self.relative_sigma))
        return jnp.sum(profile.weight * (-0.5 * (nu + 1.0) * jnp.log1p(r * r / nu) - norm))

    def draw(
        self, rng: np.random.Generator, prediction: Float[np.ndarray, "*batch species depth"], profile: DepthProfile
    ) -> Float[np.ndarray, "*batch species depth"]:
        """Student's numbers about the prediction."""
        width = np.asarray(_width(profile, self.relative_sigma))
        return prediction + width * rng.standard_t(float(self.degrees), prediction.shape)


class PoissonLikelihood(AbstractLikelihood):
    """Counting noise: counts k of mean μ = (prediction + background) × counts at fraction one, and a drift.

    With α the square of the drift ε the law is the negative binomial one, of variance μ + αμ²: Poisson counts of a mean
    that itself scatters by ε. Without drift half the deviance is μ - k + k ln(k/μ). Predictions at or below zero count
    as a mean of about `floor`, so that a fit comes back from there: μ → [μ + √(μ² + 4 floor²)]/2, which changes a mean
    of one count by floor².
    """

    relative_sigma: Float[Array, "*#batch"] = eqx.field(converter=as_leaf, default=0.0)
    """Relative scatter ε of the mean, for example from a drift of the yield: 0.01 to 0.03 is usual [1]."""
    floor: Float[Array, "*#batch"] = eqx.field(converter=as_leaf, default=1e-3)
    """Mean counts at a predicted signal of zero [1]."""

    def __check_init__(self):
        _check_positive(relative_sigma=self.relative_sigma, zero=True)
        _check_positive(floor=self.floor)

    def residuals(
        self, prediction: Float[Array, "species depth"], profile: DepthProfile
    ) -> Float[Array, "species depth"]:
        """Signed roots of the deviance."""
        mean, counts = self._mean_and_counts(prediction, profile)
        alpha = self.relative_sigma**2
        some = counts > 0.0
        k = jnp.where(some, counts, 1.0)
        # D = (μ - k)² [ρ(μ/k)/k - α ρ((1 + αμ)/(1 + αk))/(1 + αk)], ρ → 1 where μ = k.
        drift = 1.0 + alpha * k
        stiffness = _deviance_ratio(mean, k) / k - alpha * _deviance_ratio(1.0 + alpha * mean, drift) / drift
        none = jnp.sqrt(2.0 * mean * _log1p_ratio(alpha * mean))
        return _root_weight(profile) * jnp.where(some, (mean - k) * jnp.sqrt(stiffness), none)

    def log_likelihood(self, prediction: Float[Array, "species depth"], profile: DepthProfile) -> Float[Array, ""]:
        """Σ w [k ln μ - μ - ln k!]; with drift, n = 1/α, Σ w [ln Γ(k + n)/Γ(n)k! + k ln αμ - (k + n) ln(1 + αμ)]."""
        mean, counts = self._mean_and_counts(prediction, profile)
        alpha = self.relative_sigma**2
        some = alpha > 0.0
        number = 1.0 / jnp.where(some, alpha, 1.0)
        lgamma = jax.scipy.special.gammaln
        # Independent of the prediction; the large terms of it cancel to 1e-12/α.
        clumped = jnp.where(some, lgamma(counts + number) - lgamma(number) - counts * jnp.log(number), 0.0)
        attenuation = _log1p_ratio(alpha * mean)
        points = counts * (jnp.log(mean) - alpha * mean * attenuation) - mean * attenuation + clumped
        return jnp.sum(profile.weight * (points - lgamma(counts + 1.0)))

    def draw(
        self, rng: np.random.Generator, prediction: Float[np.ndarray, "*batch species depth"], profile: DepthProfile
    ) -> Float[np.ndarray, "*batch species depth"]:
        """Counts of a mean that scatters by the drift, over those at fraction one, less the background taken off."""
        if profile.exposure is None:
            raise ValueError(_NO_COUNTS)
        exposure, floor, drift = np.asarray(profile.exposure), float(self.floor), float(self.relative_sigma)
        background = 0.0 if profile.background is None else np.asarray(profile.background)
        expected = exposure * (prediction + background)
        mean = 0.5 * (np.abs(expected) + np.sqrt(expected**2 + 4.0 * floor**2))
        mean = np.where(expected > 0.0, mean, floor**2 / mean)
        if drift > 0.0:
            mean = mean * rng.gamma(drift**-2, drift**2, mean.shape)
        return rng.poisson(mean) / exposure - background

    def mean_counts(
        self, prediction: Float[ArrayLike, "species depth"], profile: DepthProfile
    ) -> Float[np.ndarray, "species depth"]:
        """Mean counts of a prediction, those seen where the weight is zero [1]."""
        return np.asarray(self._mean_and_counts(jnp.asarray(prediction), profile)[0])

    def _mean_and_counts(self, prediction: Array, profile: DepthProfile) -> tuple[Array, Array]:
        exposure = profile.exposure
        if profile.counts is None or exposure is None:
            raise ValueError(_NO_COUNTS)
        expected = exposure * (prediction if profile.background is None else prediction + profile.background)
        expected = jnp.where(profile.weight > 0.0, expected, profile.counts)
        root = jnp.sqrt(expected**2 + 4.0 * self.floor**2)
        positive = expected > 0.0
        # The sum would cancel far below zero; the two forms are equal.
        mean = jnp.where(positive, 0.5 * (expected + root), 2.0 * self.floor**2 / (root + jnp.abs(expected)))
        return mean, profile.counts


def _check_positive(zero: bool = False, **values: Array) -> None:
    for name, value in values.items():
        if not concrete(value):
            continue
        numbers = np.asarray(value)
        if not np.all(np.isfinite(numbers) & ((numbers >= 0.0) if zero else (numbers > 0.0))):
            raise ValueError(f"{name} = {value}: it must be finite and {'not negative' if zero else 'positive'}")


def _root_weight(profile: DepthProfile) -> Array:
    used = profile.weight > 0.0
    return jnp.where(used, jnp.sqrt(jnp.where(used, profile.weight, 1.0)), 0.0)


def _width(profile: DepthProfile, relative_sigma: Array) -> Array:
    return jnp.sqrt(profile.sigma**2 + (relative_sigma * profile.fraction) ** 2)


def _standardised(prediction: Array, profile: DepthProfile, relative_sigma: Array) -> Array:
    """(prediction - data)/σ, zero at masked points whatever is predicted there."""
    difference = jnp.where(profile.weight > 0.0, prediction - profile.fraction, 0.0)
    return difference / _width(profile, relative_sigma)


def _censored(r: Array) -> Array:
    """√(-2 ln Φ(-r)): zero far below the limit, r far above it."""
    deviance = -2.0 * log_ndtr(-r)
    # Its root has no derivative at zero, where it is lost.
    lost = deviance < _LOST
    return jnp.where(lost, 0.0, jnp.sqrt(jnp.where(lost, 1.0, deviance)))


def _log1p_ratio(u: Array) -> Array:
    """ln(1 + u)/u for u ≥ 0, with its derivatives at zero."""
    small = u < 0.02
    x = jnp.where(small, u, 0.0)
    series = jnp.zeros_like(x)
    for k in range(10, 0, -1):
        series = 1.0 / k - x * series
    held = jnp.where(small, 1.0, u)
    return jnp.where(small, series, jnp.log1p(held) / held)


def _deviance_ratio(mean: Array, counts: Array) -> Array:
    """2 [δ - ln(1 + δ)]/δ² with δ = (mean - counts)/counts; one where the two agree.

    Near there from s = δ/(2 + δ), ln(1 + δ) = 2 artanh s: the ratio is (1 - s)[1 - s(1 - s)(1/3 + s²/5 + s⁴/7 + …)].
    """
    s = (mean - counts) / (mean + counts)
    near = jnp.abs(s) < 0.1
    x = jnp.where(near, s, 0.0)
    series = jnp.zeros_like(x)
    for k in range(19, 1, -2):
        series = 1.0 / k + x * x * series
    central = (1.0 - x) * (1.0 - x * (1.0 - x) * series)
    ratio = jnp.where(near, 2.0, mean / counts)
    delta = ratio - 1.0
    return jnp.where(near, central, 2.0 * (delta - jnp.log(ratio)) / delta**2)
