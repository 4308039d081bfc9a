"""What a fit owes to its mesh: how far its parameters would move on a finer one."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from npp_jax.inference import ranges_of, theta_slope
from npp_jax.tracer.tracer_fit import TracerFit, linearised, modelled

_SECOND_ORDER = 4.0 / 3.0
"""Error of a mesh over its difference to one of half the cell size, where errors fall with its square."""


def mesh_error(fit: TracerFit) -> Float[np.ndarray, " parameter"]:
    """How far mesh and time steps move each parameter, in standard errors; zero without a mesh.

    To first order: the profiles of half the cells and steps are taken for the data to which the mesh was fitted.
    """
    finer = fit.model.finer()
    if finer is None:
        return np.zeros(len(fit.theta))
    theta = jnp.asarray(fit.theta)
    pairs = zip(fit.model.data, fit.modelled(), modelled(finer, fit.layout, theta), strict=True)
    off = [np.ravel(data.sharpness(here) * (better - here)) for data, here, better in pairs]
    slope = np.asarray(linearised(fit.model, fit.layout, theta[None], None)[2][0])
    slope = slope * np.asarray(theta_slope(ranges_of(fit.parameters), theta))
    pulled = np.asarray(fit.covariance.scaled) @ slope.T @ np.concatenate(off)
    sigma = np.asarray(fit.covariance.standard_error_scaled)
    # What is held at an end of its range has no error, what the data do not determine an infinite one.
    known = np.isfinite(sigma) & (sigma > 0.0)
    return np.where(known, _SECOND_ORDER * pulled / np.where(known, sigma, 1.0), 0.0)
