"""What a fit owes to its mesh: how far its parameters would move without the errors of cells and steps."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from npp_jax.inference import ranges_of
from npp_jax.inference.finer import shift_without_mesh
from npp_jax.tracer.model import linearised, modelled
from npp_jax.tracer.tracer_fit import TracerFit


def mesh_error(fit: TracerFit) -> Float[np.ndarray, " parameter"]:
    """How far mesh and time steps move each parameter, in standard errors; zero without a mesh.

    To first order: the profiles of half the cells and steps are taken for the data to which the mesh was fitted.
    """
    finer = fit.model.finer()
    if finer is None:
        return np.zeros(len(fit.theta))
    theta = jnp.asarray(fit.theta)
    pairs = zip(fit.model.data, fit.modelled(), modelled(finer, fit.layout, theta), strict=True)
    change = np.concatenate([np.ravel(data.sharpness(here) * (better - here)) for data, here, better in pairs])
    slope = linearised(fit.model, fit.layout, theta[None], None)[2][0]
    return -shift_without_mesh(change, slope, fit.covariance, ranges_of(fit.parameters))
