"""Effective diffusion coefficients and Onsager coefficients: two bases of the same transport.

Eqns (8) and (9) of Gunawan et al., Phys. Chem. Chem. Phys. 26 (2024) 14430, without cross terms: the flux
J_i = -L_ii ∂μ̃_i/∂x in the gradient of the electrochemical potential is the Nernst–Planck flux with D_i,eff if

    L_ii = D_i,eff n_i/(kT).

There D_eff = D_CAIT = D_σ, and D_eff = 2 D*: the Haven ratio H_R = D*/D_σ is ½ (`npp_jax.tracer.transport` has the
conversions to and from tracer coefficients).
"""

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from npp_jax.constants import BOLTZMANN


def onsager_coefficient(
    D_eff: Float[ArrayLike, "*#shape"],
    number_density: Float[ArrayLike, "*#shape"],
    temperature: Float[ArrayLike, "*#shape"],
) -> Float[Array, "*shape"]:
    """L = D_eff n/(kT) [1/(J m s)], for particle fluxes in gradients of energy per particle.

    Parameters
    ----------
    D_eff
        Effective diffusion coefficient, as a simulation uses it. [m²/s]
    number_density
        n. [1/m³]
    temperature
        T. [K]
    """
    return jnp.asarray(D_eff) * jnp.asarray(number_density) / BOLTZMANN / jnp.asarray(temperature)
