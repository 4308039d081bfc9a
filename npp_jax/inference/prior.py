"""Gaussian priors of parameters, as further residuals."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from npp_jax.inference.parameter import Parameters
from npp_jax.inference.refine import ResidualsAndJacobian
from npp_jax.inference.transform import ranges_of, theta_slope, to_scaled


def with_priors(function: ResidualsAndJacobian, parameters: Parameters) -> ResidualsAndJacobian:
    """Append one residual (s - s_mean)/σ, in the scaled coordinate, for each parameter that has a prior.

    Parameters
    ----------
    function
        Residuals and Jacobian of the data, for a batch.
    parameters
        The parameters.

    Returns
    -------
    The function of data and priors, with residuals of shape [start, residual + prior].
    """
    which = np.array([k for k, parameter in enumerate(parameters) if parameter.prior is not None], int)
    if not which.size:
        return function
    ranges = ranges_of(parameters)
    priors = [parameters[k].prior for k in which]
    # Parameters without a prior need a value in their domain, whatever it is.
    centre = np.array([0.5 if p.prior is None else p.prior.mean for p in parameters], float)
    sigma = np.array([prior.sigma for prior in priors if prior is not None], float)
    mean = to_scaled(ranges, jnp.asarray(centre))[which]

    def augmented(theta: Array) -> tuple[Array, ...]:
        residual, jacobian, *rest = function(theta)
        prior = (to_scaled(ranges, theta)[:, which] - mean) / sigma
        slope = jnp.zeros((len(theta), len(which), len(parameters)), theta.dtype)
        slope = slope.at[:, np.arange(len(which)), which].set(1.0 / (theta_slope(ranges, theta)[:, which] * sigma))
        return jnp.concatenate([residual, prior], 1), jnp.concatenate([jacobian, slope], 1), *rest

    return augmented
