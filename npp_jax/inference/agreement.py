"""Whether a fit is one that the errors of the data and of what was known before allow."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from npp_jax.inference.parameter import Parameters
from npp_jax.inference.transform import ranges_of, to_scaled

UNLIKELY = 1e-3
"""Probability of a larger misfit below which a model is said not to explain the data."""

POOR = 0.05
"""Probability of a larger misfit below which a model is said to agree poorly."""

_TOO_CLOSE = 1e-6
"""Probability of a smaller misfit below which the stated errors are said to be too large."""

_PULLED = 2.0
"""Standard deviations of a prior beyond which the data and what was known do not agree."""


def agrees(p_value: float) -> str:
    """What a model that is not unlikely does with its data: "agrees", or "agrees poorly"."""
    return "agrees poorly" if p_value < POOR else "agrees"


def too_close(chi2: float, freedom: float | int, p_value: float) -> str | None:
    """What to say of points that lie closer to a model than their errors allow; None of others.

    Parameters
    ----------
    chi2, freedom
        Misfit and its degrees of freedom.
    p_value
        Probability of a larger misfit.
    """
    # As many parameters as points meet them all.
    if freedom <= 0 or not 1.0 - p_value < _TOO_CLOSE:
        return None
    return (
        f"The points lie closer to the model than their standard errors allow: χ² {chi2:.3g} for {freedom:.0f} "
        "degrees of freedom. The standard errors are too large, or the points are smoothed or made by a model; "
        "intervals are as wide as these errors."
    )


def pulled(parameters: Parameters, theta: Float[np.ndarray, " parameter"]) -> Iterator[str]:
    """What to say of parameters that ended far from what was known of them, one sentence each.

    Parameters
    ----------
    parameters
        Parameters with their priors.
    theta
        Where they ended. [units of the parameters]
    """
    ranges = ranges_of(parameters)
    centres = [value if p.prior is None else p.prior.mean for p, value in zip(parameters, theta, strict=True)]
    away = np.asarray(to_scaled(ranges, np.asarray(theta))) - np.asarray(to_scaled(ranges, np.array(centres, float)))
    for parameter, distance in zip(parameters, away, strict=True):
        if parameter.prior is not None and abs(distance) > _PULLED * parameter.prior.sigma:
            errors = f"{abs(distance) / parameter.prior.sigma:.1f} standard deviations"
            yield f"{parameter.name} ended {errors} from what was known of it, {parameter.prior.mean:.5g}."
