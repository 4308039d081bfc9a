"""Probability of a larger χ², of which each point may tell more or less than one of normal noise.

The squared residuals of counts, of noise with outliers and of points below a limit of detection are no χ² of one degree
of freedom. The law of their sum is taken for a χ² stretched to the same mean and variance (F. E. Satterthwaite,
Biometrics Bulletin 2 (1946) 110).
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import ArrayLike, Bool, Float
from scipy.special import chdtrc

from npp_jax.fitting.problem import Problem
from npp_jax.observe import expected_squares as of_points

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
        # What is solved for is pulled by normal errors, which come after the points.
        mean, variance = np.ones(data.size), np.full(data.size, 2.0)
        measurement = problem.measurements[data.experiment]
        profile = measurement.profile
        if data.record is None and profile is not None:
            told = of_points(measurement.likelihood, profile, np.reshape(signal, profile.fraction.shape))
            for known, part in zip((mean, variance), told, strict=True):
                known[: part.size] = part.ravel()
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
