"""Two half-spaces with a resistive boundary between them, in closed form."""

import jax
import jax.numpy as jnp

from npp_jax.tracer.closed_forms import surface_exchange


def resistive_couple(x, t, D, permeability) -> jax.Array:
    """Fraction in half-spaces that were full for x < 0 and empty for x > 0 at t = 0.

    The boundary passes the flux P (C₋ - C₊). By symmetry C₋ + C₊ = 1, so that either side sees an exchange with the
    fraction ½ at k = 2P: C = ½ f(x; k = 2P) for x > 0 and 1 - ½ f(-x; k = 2P) for x < 0, f = `surface_exchange`.
    """
    half = 0.5 * surface_exchange(jnp.abs(x), t, D, 2.0 * permeability)
    return jnp.where(x < 0.0, 1.0 - half, half)
