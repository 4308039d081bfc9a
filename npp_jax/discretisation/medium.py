"""Material of one stage in solver units: nm, s, kT/e."""

from collections.abc import Callable
from typing import NamedTuple

from jaxtyping import Array, Float


class Medium(NamedTuple):
    """Two mobile ions of equal charge number over an immobile background, at the temperature of one stage."""

    native: Callable[[Array], Array]
    """D₁ as a function of the native fraction [nm²/s]."""
    foreign: Callable[[Array], Array]
    """D₂ as a function of the native fraction [nm²/s]."""
    bulk: Float[Array, "*batch"]
    """D₁ of the bulk, u = 1 [nm²/s]."""
    immobile: Float[Array, "*#batch"]
    """Native fraction that never moves: no composition falls below it [1]."""
    debye_squared: Float[Array, "*batch"]
    """Square of the Debye length, λ² = ε kT/(z² e² N) [nm²]."""
    thickness: Float[Array, "*batch"]
    """Thickness of the sample [nm]."""
    thermal_potential: Float[Array, "*batch"]
    """kT/(z e) [V]."""
    charge_density: Float[Array, "*batch"]
    """z e N: the charge per area of one metre of replaced ions [C/m³]."""
