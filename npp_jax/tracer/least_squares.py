"""Weighted least squares of isotope profiles, on a pytree of parameters, and its covariance."""

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, PyTree
from scipy import stats

from npp_jax.inference import Parameter, Reason, RefineOptions, covariance, ranges_of, refine
from npp_jax.tracer.uncertainty import Estimate, propagate


class TracerFit(NamedTuple):
    """Best parameters and what they are worth."""

    parameters: PyTree
    """Parameters in the structure of the start."""
    covariance: Float[Array, "parameter parameter"]
    """Covariance of the parameters in the order of their leaves, (JᵀJ)⁻¹ of the weighted residuals, within the
    directions that the data determine."""
    determined: Bool[Array, " parameter"]
    """Whether the data determine a parameter."""
    residual: Float[Array, " datum"]
    """Weighted residuals, (model - measured)/error."""
    degrees_of_freedom: int
    """Data less parameters."""
    reason: Reason
    """How the iteration ended."""

    @property
    def converged(self) -> bool:
        """Whether a minimum was found at which all parameters have an effect."""
        return self.reason is Reason.CONVERGED

    @property
    def chi2(self) -> Float[Array, ""]:
        """Sum of squared weighted residuals."""
        return jnp.sum(self.residual**2)

    @property
    def reduced_chi2(self) -> Float[Array, ""]:
        """χ² over the degrees of freedom: one where model and errors are right."""
        return self.chi2 / self.degrees_of_freedom

    @property
    def p_value(self) -> float:
        """Probability of a larger χ² if model and errors are right."""
        return float(stats.chi2.sf(float(self.chi2), max(self.degrees_of_freedom, 1)))

    @property
    def errors(self) -> PyTree:
        """Standard errors in the structure of the parameters; infinite where the data do not determine one."""
        _, unravel = ravel_pytree(self.parameters)
        return unravel(jnp.where(self.determined, jnp.sqrt(jnp.diagonal(self.covariance)), jnp.inf))

    def estimate(self, function: Callable[[PyTree], Array]) -> Estimate:
        """Value and standard error of a function of the parameters, from their full covariance."""
        values, unravel = ravel_pytree(self.parameters)
        of_vector = lambda p: function(unravel(p))  # noqa: E731
        found = propagate(of_vector, values, self.covariance)
        open_ended = jnp.abs(jax.jacfwd(of_vector)(values)) @ (1.0 - self.determined) > 0.0
        return Estimate(found.value, jnp.where(open_ended, jnp.inf, found.error))


def least_squares(
    residual: Callable[[PyTree], Float[Array, " datum"]], start: PyTree, *, max_steps: int = 100
) -> TracerFit:
    """Minimise the sum of squared weighted residuals.

    Parameters
    ----------
    residual
        Weighted residuals as a function of the parameters; parameters of the order of one (logarithms) are best. An
        equinox Module that holds the data is compiled once for all data of the same shapes.
    start
        Parameters to start from, a pytree of floating-point arrays.
    max_steps
        Evaluations after which the fit is given up: `reason` says so.
    """
    first, unravel = ravel_pytree(start)
    parameters = tuple(Parameter(f"parameter {k}", (), -np.inf, np.inf) for k in range(first.size))

    def evaluate(theta: Float[Array, "start parameter"]) -> tuple[Array, Array]:
        value, jacobian = _linearised(residual, start, theta[0])
        return value[None], jacobian[None]

    found = refine(evaluate, parameters, first[None], options=RefineOptions(iterations=max_steps))
    best = found.theta[0]
    value, jacobian = _linearised(residual, start, best)
    known = covariance(jacobian, best, ranges_of(parameters))
    freedom = value.shape[0] - first.shape[0]
    reason = Reason(int(found.reason[0]))
    if reason is Reason.CONVERGED and not bool(jnp.all(known.determined)):
        reason = Reason.INSENSITIVE
    return TracerFit(unravel(best), known.scaled, known.determined, value, freedom, reason)


@eqx.filter_jit
def _linearised(residual: Callable[[PyTree], Array], start: PyTree, theta: Array) -> tuple[Array, Array]:
    """Residuals and their Jacobian, forward mode: there are fewer parameters than data."""
    unravel = ravel_pytree(start)[1]
    weighted = lambda p: residual(unravel(p))  # noqa: E731
    return weighted(theta), jax.jacfwd(weighted)(theta)
