"""Mesh that follows the front: an explicit formula for the faces, no equation to solve.

The faces scale with the front depth and cluster around the front with a spacing proportional to its width, so that the
solution is almost stationary in mesh coordinates; a second, weaker cluster at the surface resolves the steep start of the ramp
behind the front.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

SURFACE_SLOPE = 0.1
SURFACE_WIDTH = 0.15
FRONT_SHARE = 0.6
REACH = 10.0
"""Extent ahead of the front in units of twice the front scale."""


def front_mesh(
    behind: int,
    ahead: int,
    front: Float[Array, "*batch"],
    scale: Float[Array, "*batch"],
    spread: Float[Array, "*batch"],
) -> Float[Array, "face *batch"]:
    """Face positions of a mesh clustered around one front.

    Parameters
    ----------
    behind, ahead
        Numbers of cells behind and ahead of the front.
    front
        Position of the front x_f. [nm]
    scale
        Length a around the front on which the cells are resolved (twice the front scale). [nm]
    spread
        Further extent ahead of a front that spreads. [nm]
    """
    shape = (-1, *(1,) * jnp.ndim(front))
    dtype = jnp.result_type(front)
    eta = np.arange(behind) / behind
    bend = SURFACE_SLOPE * eta + np.sqrt(eta**2 + SURFACE_WIDTH**2) - SURFACE_WIDTH
    tau = 1.0 - bend / (SURFACE_SLOPE + np.sqrt(1.0 + SURFACE_WIDTH**2) - SURFACE_WIDTH)
    tau = jnp.asarray(tau, dtype).reshape(shape)
    b = jnp.arcsinh(front / scale)
    # sinh(bτ)/sinh(b) with sinh(b) = front/scale.
    cluster = FRONT_SHARE * scale * jnp.sinh(b * tau) + (1.0 - FRONT_SHARE) * front * tau**3
    t = np.arange(ahead + 1) / ahead
    reach = jnp.asarray(np.sinh(t * np.arcsinh(REACH)), dtype).reshape(shape)
    square = jnp.asarray(t**2, dtype).reshape(shape)
    faces = jnp.concatenate([front - cluster, front + scale * reach + spread * square])
    return faces.at[0].set(0.0)
