"""Nernst–Einstein relation between conductivity and diffusion, and what charge and tracer ions see of it."""

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from npp_jax.constants import BOLTZMANN_EV, ELEMENTARY_CHARGE

CAIT_HAVEN_RATIO = 0.5
"""D*/D_CAIT from the statement D_CAIT = D_σ = 2 D* of Gunawan et al., Phys. Chem. Chem. Phys. 26 (2024) 14430."""


def nernst_einstein(
    conductivity: Float[ArrayLike, "*#shape"],
    number_density: Float[ArrayLike, "*#shape"],
    temperature: Float[ArrayLike, "*#shape"],
    *,
    charge_number: int = 1,
) -> Float[Array, "*shape"]:
    """Conductivity diffusion coefficient D_σ = σ k T/(n z² e²) [m²/s].

    Parameters
    ----------
    conductivity
        σ. [S/m]
    number_density
        Number density n of all ions of the species. [1/m³]
    temperature
        T. [K]
    charge_number
        z.
    """
    # n e² alone would be below the range of single precision divided by k T.
    per_charge = jnp.asarray(conductivity) / (jnp.asarray(number_density) * (charge_number**2 * ELEMENTARY_CHARGE))
    return per_charge * (BOLTZMANN_EV * jnp.asarray(temperature))


def nernst_einstein_conductivity(
    D_sigma: Float[ArrayLike, "*#shape"],
    number_density: Float[ArrayLike, "*#shape"],
    temperature: Float[ArrayLike, "*#shape"],
    *,
    charge_number: int = 1,
) -> Float[Array, "*shape"]:
    """Conductivity σ = n z² e² D_σ/(k T) [S/m]; arguments as for `nernst_einstein`, D_σ in [m²/s]."""
    charge = jnp.asarray(number_density) * (charge_number**2 * ELEMENTARY_CHARGE)
    return charge * jnp.asarray(D_sigma) / (BOLTZMANN_EV * jnp.asarray(temperature))


def tracer_from_cait(
    D_cait: Float[ArrayLike, "*shape"], haven: Float[ArrayLike, ""] = CAIT_HAVEN_RATIO
) -> Float[Array, "*shape"]:
    """D* = H_R D_CAIT: a CAIT experiment moves charge, its D is the conductivity diffusion coefficient."""
    return jnp.asarray(D_cait) * haven
