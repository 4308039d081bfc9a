"""The distinct minima in which the starts of a fit ended."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from npp_jax.inference.profile import NO_EFFECT
from npp_jax.inference.refine_result import GOOD, RefineResult
from npp_jax.inference.transform import Ranges, to_scaled
from npp_jax.inference.uncertainty import Covariance

SAME_CHI2 = 0.1
"""Difference of χ² below which two ends may be one minimum: what rough residuals leave is less."""
_SAME_END = 0.05  # of the range, for parameters without a standard error


class Minimum(NamedTuple):
    """One minimum, at the lowest of the starts that ended there."""

    theta: Float[np.ndarray, " parameter"]
    """Parameters. [units of the parameters]"""
    chi2: float
    """χ², priors included."""
    start: int
    """The start that is lowest."""
    starts: int
    """How many starts ended there."""


def distinct_minima(refined: RefineResult, covariance: Covariance, ranges: Ranges) -> tuple[Minimum, ...]:
    """Minima in the order of χ²: ends that differ by more than a standard error of the best one, or in χ².

    Parameters that have no effect, or that the data do not determine, do not tell minima apart.
    """
    theta = np.asarray(refined.theta)
    scaled, chi2 = np.asarray(to_scaled(ranges, refined.theta)), 2.0 * np.asarray(refined.cost)
    error = np.asarray(covariance.standard_error_scaled)
    held, effect = np.asarray(covariance.held), np.asarray(covariance.effect)
    # Rounding at the best minimum must not make two of it.
    apart = np.where(held, _SAME_END * (ranges.high - ranges.low), np.maximum(error, 1e-6 * np.abs(scaled).max()))
    apart = np.where(effect > NO_EFFECT, apart, np.inf)
    found: list[Minimum] = []
    ended = np.isin(np.asarray(refined.reason), GOOD)
    for n in np.argsort(chi2, kind="stable"):
        if not ended[n]:
            continue
        for place, known in enumerate(found):
            near = np.all(np.abs(scaled[n] - scaled[known.start]) <= apart)
            if chi2[n] - known.chi2 <= SAME_CHI2 and near:
                found[place] = known._replace(starts=known.starts + 1)
                break
        else:
            found.append(Minimum(theta[n], float(chi2[n]), int(n), 1))
    return tuple(found)
