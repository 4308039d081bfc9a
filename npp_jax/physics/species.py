"""Mobile species: name, charge number, bulk fraction and diffusivity law."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from npp_jax.physics.diffusivity import AbstractDiffusivity


class Species(eqx.Module):
    """A mobile ion.

    The fractions that the diffusivity law sees are n/n_bulk for an ion present in the bulk (the native ion) and
    n/N for a foreign ion.
    """

    name: str = eqx.field(static=True)
    """Symbol, unique in the experiment."""
    diffusivity: AbstractDiffusivity
    """Diffusivity law."""
    bulk_fraction: Float[Array, "*batch"] = eqx.field(converter=jnp.asarray, default=0.0)
    """Share of the mobile ions in the untouched sample, n_bulk/N [1]."""
    charge: int = eqx.field(static=True, default=1)
    """Charge number z."""
