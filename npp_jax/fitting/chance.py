"""Probability of a larger χ² where some points only tell that they are below a limit of detection.

Whether such a point is seen is chance, too: its squared residual is (prediction - data)²/σ² above the limit and
-2 ln Φ(a) below, a = (limit - prediction)/σ, which is no χ² of one degree of freedom. Its mean and its variance follow
from those of a normal number cut off at a (as in N. L. Johnson, S. Kotz, N. Balakrishnan, Continuous Univariate
Distributions 1, 1994, section 13.10). The law of the sum is taken for a χ² stretched to the same mean and variance
(F. E. Satterthwaite, Biometrics Bulletin 2 (1946) 110).
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import ArrayLike, Bool, Float
from scipy.special import chdtrc, log_ndtr, ndtr

from npp_jax.fitting.problem import Problem
from npp_jax.observe import GaussianLikelihood, detection_limits

Moments = tuple[Float[np.ndarray, " residual"], Float[np.ndarray, " residual"]]


def probability(
    problem: Problem,
    signals: Sequence[Float[ArrayLike, "..."]],
    tells: Bool[np.ndarray, " residual"],
    chi2: float,
    leverage: Float[np.ndarray, " residual"],
) -> float:
    """Probability of a larger χ² if model and noise are right [1].

    Parameters
    ----------
    problem
        What was measured.
    signals
        Expected signals, for each profile and record in the order of `Problem.data`.
    tells
        Which residuals say something.
    chi2
        Sum of their squares. [1]
    leverage
        How much of each residual the parameters that were found take away; the sum is the number of parameters that
        the data determine. [1]
    """
    means, variances = expected_squares(problem, signals)
    mean, variance = float(means[tells].sum()), float(variances[tells].sum())
    # Each parameter that is found takes one square of the mean one and the variance two away, with the weights of the
    # points that it is found from.
    weight, taken = _weights(problem)[tells], leverage[tells]
    share = float(np.sum(weight**2) / np.sum(weight)) if weight.any() else 1.0
    left = max(mean - float(weight @ taken), share)
    spread = max(variance - 2.0 * float(weight**2 @ taken), 2.0 * share**2) if left > share else 2.0 * share**2
    stretch = spread / (2.0 * left)
    return float(chdtrc(left / stretch, chi2 / stretch))


def expected_squares(problem: Problem, signals: Sequence[Float[ArrayLike, "..."]]) -> Moments:
    """Mean and variance of the square of each residual, with its weight, if model and noise are right [1].

    Parameters
    ----------
    problem, signals
        As of `probability`.
    """
    means, variances = list[np.ndarray](), list[np.ndarray]()
    for data, signal in zip(problem.data, signals, strict=True):
        mean, variance = np.ones(data.size), np.full(data.size, 2.0)
        measurement = problem.measurements[data.experiment]
        profile = measurement.profile
        if data.record is None and profile is not None and profile.censored is not None:
            # With limits `Problem` takes no other law.
            assert isinstance(measurement.likelihood, GaussianLikelihood)
            distance = detection_limits(profile) - np.asarray(signal).reshape(profile.fraction.shape)
            told = censored_squares(distance / measurement.likelihood.sigma(profile))
            mean, variance = (part.ravel() for part in told)
        means.append(mean)
        variances.append(variance)
    weight = _weights(problem)
    return weight * np.concatenate(means), weight**2 * np.concatenate(variances)


def _weights(problem: Problem) -> Float[np.ndarray, " residual"]:
    """Weights of all residuals: of the points of profiles, one of records and of what is solved for."""
    found = list[np.ndarray]()
    for data in problem.data:
        weight = np.ones(data.size)
        profile = problem.measurements[data.experiment].profile
        if data.record is None and profile is not None:
            weight[: profile.weight.size] = np.asarray(profile.weight).ravel()
        found.append(weight)
    return np.concatenate(found)


def censored_squares(distance: Float[np.ndarray, "*point"]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of the squared residuals of points that may fall below their limit, each [*point] [1].

    With q = Φ(a) and φ the normal density, the mean is -2 q ln q + (1 - q) + a φ(a), the mean square
    4 q ln² q + 3 (1 - q) + (a³ + 3a) φ(a).

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
