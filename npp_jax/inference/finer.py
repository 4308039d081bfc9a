"""How far errors of cells and steps move what was fitted, from the residuals on a finer mesh."""

import numpy as np
from jaxtyping import ArrayLike, Float

from npp_jax.inference.transform import Ranges, theta_slope
from npp_jax.inference.uncertainty import Covariance

NOTICEABLE = 0.3
"""How far a mesh may move a parameter without a word, in standard errors."""

_SECOND_ORDER = 4.0 / 3.0
"""Error of a mesh over its difference to one of half the cell size, where errors fall with its square."""


def shift_without_mesh(
    change: Float[ArrayLike, " residual"],
    jacobian: Float[ArrayLike, "residual parameter"],
    found: Covariance,
    ranges: Ranges,
) -> Float[np.ndarray, " parameter"]:
    """How far each parameter would move without the errors of cells and steps, in standard errors [1].

    To first order, by one Gauss-Newton step. Zero for what is held or not determined.

    Parameters
    ----------
    change
        Residuals with half the cells and steps, less those that were fitted. [1]
    jacobian
        ∂r/∂θ of the residuals that were fitted.
    found
        Covariance there.
    ranges
        Ranges of the parameters, to which the covariance is scaled.
    """
    slope = np.asarray(jacobian) * np.asarray(theta_slope(ranges, found.theta))
    step = -_SECOND_ORDER * np.asarray(found.scaled) @ slope.T @ np.asarray(change)
    sigma = np.asarray(found.standard_error_scaled)
    # What is held at an end of its range has no error, what the data do not determine an infinite one.
    known = np.isfinite(sigma) & (sigma > 0.0)
    return np.where(known, step / np.where(known, sigma, 1.0), 0.0)
