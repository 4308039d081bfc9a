"""Depth resolutions that differ from ion to ion: widths with one number for each species."""

import jax
import jax.numpy as jnp
import numpy as np

from npp_jax.observe.response import AbstractResponse


def differs_by_ion(response: AbstractResponse) -> bool:
    """Whether a width is one number for each species; inside of a batch, for one candidate."""
    return any(jnp.ndim(width) > 0 for width in jax.tree.leaves(response))


def of_each_ion(response: AbstractResponse, count: int) -> AbstractResponse:
    """The response with all widths of shape [species].

    Parameters
    ----------
    response
        Depth resolution; each width is a number, or one number for each species.
    count
        Number of species.

    Raises
    ------
    ValueError
        A width has another number of species.
    """
    sizes = {jnp.size(width) for width in jax.tree.leaves(response) if jnp.ndim(width) > 0} - {count}
    if sizes:
        raise ValueError(f"the depth resolution has widths of {min(sizes)} species, the profile has {count}")
    return jax.tree.map(lambda width: jnp.broadcast_to(width, (count,)), response)


def broadest(response: AbstractResponse) -> float:
    """Standard deviation of a response, of the ion with the greatest [nm]."""
    return float(np.sqrt(np.max(np.asarray(response.variance))))
