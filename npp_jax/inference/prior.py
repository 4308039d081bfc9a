"""Gaussian priors of parameters, as further residuals."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from npp_jax.inference.refine import ResidualsAndJacobian
from npp_jax.inference.transform import Bounds, ranges_of, theta_slope, to_scaled


def with_priors(function: ResidualsAndJacobian, bounds: Bounds) -> ResidualsAndJacobian:
    """Append one residual (s - s_mean)/prior_sigma, in the scaled coordinate, for each parameter that has a prior.

    Parameters
    ----------
    function
        Residuals and Jacobian of the data, for a batch.
    bounds
        The parameters.

    Returns
    -------
    The function of data and priors, with residuals of shape [start, residual + prior].
    """
    which = np.array([k for k, bound in enumerate(bounds) if bound.prior_sigma is not None], int)
    if not which.size:
        return function
    ranges = ranges_of(bounds)
    centre = np.array([0.5 * (b.low + b.high) if b.prior_mean is None else b.prior_mean for b in bounds], float)
    sigma = np.array([bounds[k].prior_sigma for k in which], float)
    # A whole domain has no middle; it stands only where there is no prior.
    mean = to_scaled(ranges, jnp.asarray(centre))[which]

    def augmented(theta: Array) -> tuple[Array, ...]:
        residual, jacobian, *rest = function(theta)
        prior = (to_scaled(ranges, theta)[:, which] - mean) / sigma
        slope = jnp.zeros((len(theta), len(which), len(bounds)), theta.dtype)
        slope = slope.at[:, np.arange(len(which)), which].set(1.0 / (theta_slope(ranges, theta)[:, which] * sigma))
        return jnp.concatenate([residual, prior], 1), jnp.concatenate([jacobian, slope], 1), *rest

    return augmented
