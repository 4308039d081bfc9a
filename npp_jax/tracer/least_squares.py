"""Weighted least squares by Levenberg–Marquardt, with the covariance from the Jacobian at the solution."""

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optimistix as optx
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, PyTree

from npp_jax.tracer.uncertainty import Estimate, propagate


class TracerFit(NamedTuple):
    """Best parameters and what they are worth."""

    parameters: PyTree
    """Parameters in the structure of the start."""
    covariance: Float[Array, "parameter parameter"]
    """Covariance of the parameters in the order of their leaves, (JᵀJ)⁻¹ of the weighted residuals."""
    residual: Float[Array, " datum"]
    """Weighted residuals, (model - measured)/error."""
    degrees_of_freedom: int
    """Data less parameters."""
    converged: Bool[Array, ""]
    """Whether the iteration met its tolerances."""

    @property
    def chi_square(self) -> Float[Array, ""]:
        """Sum of squared weighted residuals."""
        return jnp.sum(self.residual**2)

    @property
    def reduced_chi_square(self) -> Float[Array, ""]:
        """χ² over the degrees of freedom: one where model and errors are right."""
        return self.chi_square / self.degrees_of_freedom

    @property
    def errors(self) -> PyTree:
        """Standard errors in the structure of the parameters."""
        _, unravel = ravel_pytree(self.parameters)
        return unravel(jnp.sqrt(jnp.diagonal(self.covariance)))

    def estimate(self, function: Callable[[PyTree], Array]) -> Estimate:
        """Value and standard error of a function of the parameters, from their full covariance."""
        values, unravel = ravel_pytree(self.parameters)
        return propagate(lambda p: function(unravel(p)), values, self.covariance)


@eqx.filter_jit
def least_squares(
    residual: Callable[[PyTree], Float[Array, " datum"]],
    start: PyTree,
    *,
    tolerance: float = 1e-8,
    max_steps: int = 100,
) -> TracerFit:
    """Minimise the sum of squared weighted residuals.

    Parameters
    ----------
    residual
        Weighted residuals as a function of the parameters; parameters of the order of one (logarithms) are best. An
        equinox Module that holds the data is compiled once for all data of the same shapes.
    start
        Parameters to start from, a pytree of floating-point arrays.
    tolerance
        Relative and absolute tolerance of parameters and sum of squares.
    max_steps
        Iterations after which the fit is given up: `converged` is then false.
    """
    first, unravel = ravel_pytree(start)
    weighted = lambda p: residual(unravel(p))  # noqa: E731
    solver = optx.LevenbergMarquardt(rtol=tolerance, atol=tolerance)
    solution = optx.least_squares(
        lambda p, _: weighted(p), solver, first, options={"jac": "fwd"}, max_steps=max_steps, throw=False
    )
    jacobian = jax.jacfwd(weighted)(solution.value)
    # From the triangular factor: JᵀJ itself would square the condition number.
    inverse = jnp.linalg.inv(jnp.linalg.qr(jacobian, mode="r"))
    best = weighted(solution.value)
    return TracerFit(
        unravel(solution.value),
        inverse @ inverse.T,
        best,
        best.shape[0] - first.shape[0],
        solution.result == optx.RESULTS.successful,
    )
