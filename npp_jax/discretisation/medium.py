"""Material of one stage in solver units: nm, s, kT/e."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


class Medium(NamedTuple):
    """Two mobile ions of equal charge number over an immobile background, at the temperature of one stage."""

    native: Callable[[Array], Array]
    """D₁ as a function of the native fraction [nm²/s]."""
    foreign: Callable[[Array], Array]
    """D₂ as a function of the native fraction [nm²/s]."""
    bulk: Float[Array, "*batch"]
    """D₁ of the bulk, u = 1 [nm²/s]."""
    debye_squared: Float[Array, "*batch"]
    """Square of the Debye length, λ² = ε kT/(z² e² N) [nm²]."""
    thickness: Float[Array, "*batch"]
    """Thickness of the sample [nm]."""
    thermal_potential: Float[Array, "*batch"]
    """kT/(z e) [V]."""
    charge_density: Float[Array, "*batch"]
    """z e N: the charge per area of one metre of replaced ions [C/m³]."""


def tangent(medium: Medium, u: Array) -> Medium:
    """Medium whose diffusivities are the tangents at u.

    Value and first derivative of everything built on it are those of the medium, and the special functions behind the
    diffusivities are evaluated once.
    """
    one = jnp.ones_like(u)
    native, native_slope = jax.jvp(medium.native, (u,), (one,))
    foreign, foreign_slope = jax.jvp(medium.foreign, (u,), (one,))
    return medium._replace(
        native=lambda x: native + native_slope * (x - u), foreign=lambda x: foreign + foreign_slope * (x - u)
    )
