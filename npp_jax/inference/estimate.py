"""Values with their uncertainty: of a parameter, and of a function of correlated parameters."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


class Estimate(NamedTuple):
    """One parameter of a fit with its uncertainty, in the unit of its name."""

    value: float
    """Best value."""
    sigma: float
    """Standard error, from the covariance."""
    interval: tuple[float, float]
    """95 % interval."""
    how: str
    """Where the interval is from: profile likelihood, and whether it is open to a side, or covariance."""


class Uncertain(NamedTuple):
    """A value, or an array of them, with standard errors in the same unit."""

    value: Float[Array, "*shape"]
    """Value."""
    sigma: Float[Array, "*shape"]
    """Standard error."""


def propagate(
    function: Callable[[Array], Array],
    values: Float[Array, " parameter"],
    covariance: Float[Array, "parameter parameter"],
) -> Uncertain:
    """Value and standard error of a function of correlated parameters, σ_f² = ∇f · V · ∇f to first order.

    Parameters
    ----------
    function
        Function of the vector of parameters, with a result of any shape.
    values
        Parameters.
    covariance
        Their covariance V.
    """
    gradient = jax.jacfwd(function)(values)
    variance = jnp.sum((gradient @ covariance) * gradient, axis=-1)
    return Uncertain(function(values), jnp.sqrt(variance))
