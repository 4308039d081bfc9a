"""Values with standard errors, and first-order propagation of a covariance."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


class Estimate(NamedTuple):
    """A value and its standard error, in the same unit."""

    value: Float[Array, "*shape"]
    """Value."""
    error: Float[Array, "*shape"]
    """Standard error."""


def propagate(
    function: Callable[[Array], Array],
    values: Float[Array, " parameter"],
    covariance: Float[Array, "parameter parameter"],
) -> Estimate:
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
    return Estimate(function(values), jnp.sqrt(variance))
