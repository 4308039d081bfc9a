"""Mean and variance of the squared residuals of points if model and noise are right: one and two for normal noise."""

import numpy as np
from jaxtyping import ArrayLike, Float
from scipy.special import digamma, gammaincinv, gammaln, log_ndtr, ndtr, polygamma, xlogy

from npp_jax.observe.detection import detection_limits
from npp_jax.observe.likelihood import AbstractLikelihood, GaussianLikelihood, PoissonLikelihood, StudentLikelihood
from npp_jax.observe.profile import DepthProfile

Moments = tuple[Float[np.ndarray, "*point"], Float[np.ndarray, "*point"]]

_MANY = 200.0
"""Mean counts from which on a deviance has the moments of normal noise, to a thousandth."""
_NEIGHBOURS = 5
"""Points whose counts tell the mean of that in their middle."""
_FEW = 2.0
"""Counts of several points that are next to nothing."""
_LEVELS = (np.arange(6) + 0.5) / 6
"""Quantiles of that mean over which is averaged."""
_CHUNK = 512
"""Points whose counts are summed over together."""


def expected_squares(
    likelihood: AbstractLikelihood, profile: DepthProfile, signal: Float[ArrayLike, "species depth"]
) -> Moments:
    """Mean and variance of the squared residual of each point, with its weight one [1].

    Parameters
    ----------
    likelihood
        Law of the noise.
    profile
        What was measured.
    signal
        What is expected.
    """
    signal = np.asarray(signal, float)
    if isinstance(likelihood, StudentLikelihood):
        mean, variance = student_squares(float(likelihood.degrees))
        return np.full(signal.shape, mean), np.full(signal.shape, variance)
    if isinstance(likelihood, PoissonLikelihood):
        return counted_squares(likelihood.mean_counts(signal, profile), float(likelihood.relative_sigma) ** 2)
    if isinstance(likelihood, GaussianLikelihood) and profile.censored is not None:
        return censored_squares((detection_limits(profile) - signal) / likelihood.sigma(profile))
    return np.ones(signal.shape), np.full(signal.shape, 2.0)


def expected_by_data(likelihood: AbstractLikelihood, profile: DepthProfile) -> Moments:
    """The same where no signal is known: of counts the average over the means that those of the neighbours allow.

    n points of k counts together have a mean of the gamma distribution of k + ½ over n (Jeffreys' prior): their own
    mean in the place of it would make what is expected too small, and refute right models.

    Parameters
    ----------
    likelihood
        Law of the noise.
    profile
        What was measured.
    """
    if not isinstance(likelihood, PoissonLikelihood) or profile.counts is None:
        return expected_squares(likelihood, profile, np.asarray(profile.fraction))
    used = np.asarray(profile.weight) > 0.0
    total, number = _around(np.where(used, np.asarray(profile.counts), 0.0), used)
    means = [gammaincinv(total + 0.5, level) / np.maximum(number, 1.0) for level in _LEVELS]
    found = [counted_squares(mean, float(likelihood.relative_sigma) ** 2) for mean in means]
    mean, variance = (np.mean(parts, axis=0) for parts in zip(*found, strict=True))
    return mean, variance


def _around(counts: np.ndarray, used: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Counts of some points together with that in their middle, and how many these are.

    Where next to nothing is counted five points tell little of the mean: there they are as many as hold so few.
    """
    points = counts.shape[1]
    at = np.arange(points)
    some, seen = (np.cumsum(np.pad(rows, ((0, 0), (1, 0))), axis=1) for rows in (counts, 1.0 * used))

    def within(half: int) -> tuple[np.ndarray, np.ndarray]:
        first, last = np.maximum(at - half, 0), np.minimum(at + half + 1, points)
        return some[:, last] - some[:, first], seen[:, last] - seen[:, first]

    half = _NEIGHBOURS // 2
    total, number = within(half)
    while half < points:
        half *= 2
        more, wider = within(half)
        number = np.where(more <= _FEW, wider, number)
        total = np.where(more <= _FEW, more, total)
    return total, number


def student_squares(degrees: float) -> tuple[float, float]:
    """Mean and variance of (ν + 1) ln(1 + t²/ν) for Student's t of ν degrees of freedom [1].

    1/(1 + t²/ν) has the beta distribution of ν/2 and 1/2, whose logarithm has the mean ψ(ν/2) - ψ((ν + 1)/2) and the
    variance ψ'(ν/2) - ψ'((ν + 1)/2).

    Parameters
    ----------
    degrees
        ν. [1]
    """
    low, high = 0.5 * degrees, 0.5 * (degrees + 1.0)
    mean = (degrees + 1.0) * (digamma(high) - digamma(low))
    return float(mean), float((degrees + 1.0) ** 2 * (polygamma(1, low) - polygamma(1, high)))


def counted_squares(counts: Float[np.ndarray, "*point"], drift: float = 0.0) -> Moments:
    """Mean and variance of the deviance of counts about their mean μ, by summing over all counts [1].

    Of few counts it is larger than one, by up to a sixth at one or two, and of almost none it is nothing.

    Parameters
    ----------
    counts
        μ. [1]
    drift
        α, square of the relative scatter of the mean: counts have the negative binomial law of the variance μ + αμ²,
        and without it that of Poisson. [1]
    """
    mean, variance = np.ones(counts.shape), np.full(counts.shape, 2.0)
    few = counts < _MANY
    for part in np.array_split(np.flatnonzero(few), max(1, int(few.sum()) // _CHUNK)):
        mu = counts.ravel()[part][:, None]
        if not mu.size:
            continue
        top = float(mu.max())
        k = np.arange(np.ceil(top + 12.0 * np.sqrt(top * (1.0 + drift * top)) + 30.0 * (1.0 + drift * top)))
        if drift > 0.0:
            n = 1.0 / drift
            log_chance = gammaln(k + n) - gammaln(n) - gammaln(k + 1.0) + xlogy(k, drift * mu)
            log_chance = log_chance - (k + n) * np.log1p(drift * mu)
            deviance = 2.0 * (xlogy(k, k / mu) - (k + n) * np.log1p(drift * (k - mu) / (1.0 + drift * mu)))
        else:
            log_chance = xlogy(k, mu) - mu - gammaln(k + 1.0)
            deviance = 2.0 * (mu - k + xlogy(k, k / mu))
        chance = np.exp(log_chance)
        first = np.sum(chance * deviance, axis=1)
        mean.reshape(-1)[part] = first
        variance.reshape(-1)[part] = np.sum(chance * (deviance - first[:, None]) ** 2, axis=1)
    return mean, variance


def censored_squares(distance: Float[np.ndarray, "*point"]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of the squared residuals of points that may fall below their limit, each [*point] [1].

    Whether such a point is seen is chance, too: its squared residual is (prediction - data)²/σ² above the limit and
    -2 ln Φ(a) below, a = (limit - prediction)/σ. Its moments follow from those of a normal number cut off at a (as in
    N. L. Johnson, S. Kotz, N. Balakrishnan, Continuous Univariate Distributions 1, 1994, section 13.10): with q = Φ(a)
    and φ the normal density, the mean is -2 q ln q + (1 - q) + a φ(a), the mean square 4 q ln² q + 3 (1 - q) +
    (a³ + 3a) φ(a).

    Parameters
    ----------
    distance
        The limit less the prediction, over the standard deviation, a; -∞ where there is no limit. [1]
    """
    # Beyond forty standard deviations nothing is left to chance.
    a = np.clip(distance, -40.0, 40.0)
    q, above, loss = ndtr(a), ndtr(-a), -2.0 * log_ndtr(a)
    density = np.exp(-0.5 * a * a) / np.sqrt(2.0 * np.pi)
    mean = q * loss + above + a * density
    square = q * loss**2 + 3.0 * above + (a**3 + 3.0 * a) * density
    return mean, np.maximum(square - mean**2, 0.0)
