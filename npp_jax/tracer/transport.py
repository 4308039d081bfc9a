"""Diffusion coefficients of several measurements together: Haven ratio, Arrhenius law.

D_σ, from a conductivity (`npp_jax.physics.nernst_einstein`), counts the displacement of charge; D*, from an isotope,
that of one ion. Their ratio H_R = D*/D_σ is below one where successive jumps of different ions are correlated.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float
from scipy.special import stdtrit

from npp_jax._compile import concrete
from npp_jax.constants import BOLTZMANN_EV
from npp_jax.inference import Uncertain, propagate
from npp_jax.physics.checks import NOT_NEGATIVE, POSITIVE, expect_numbers, expects, optional
from npp_jax.physics.leaf import expect_as_long


@expects(tracer=Uncertain, conductivity=Uncertain)
def haven_ratio(tracer: Uncertain, conductivity: Uncertain) -> Uncertain:
    """H_R = D*/D_σ of two independent measurements, any common unit."""
    expect_numbers(tracer.value, POSITIVE, "the value of the tracer")
    expect_numbers(conductivity.value, POSITIVE, "the value of the conductivity")
    value = tracer.value / conductivity.value
    relative = jnp.hypot(tracer.sigma / tracer.value, conductivity.sigma / conductivity.value)
    return Uncertain(value, value * relative)


class ArrheniusFit(NamedTuple):
    """ln D = ln D₀ - E_a/(kT), with the covariance of its two parameters."""

    log_prefactor: Float[Array, ""]
    """ln D₀, D₀ in the unit of the data [1]."""
    energy: Float[Array, ""]
    """Activation energy E_a [eV]."""
    covariance: Float[Array, "2 2"]
    """Covariance of (ln D₀, E_a) [1, eV, eV²]; the two are almost fully correlated."""
    chi2: Float[Array, ""]
    """Sum of squared weighted residuals."""
    degrees_of_freedom: int
    """Data less parameters."""

    @property
    def quantile(self) -> float:
        """Half width of a 95 % interval in standard errors that are those of the scatter: Student's t; NaN of two
        points, which do not scatter [1].
        """
        return float(stdtrit(self.degrees_of_freedom, 0.975)) if self.degrees_of_freedom > 0 else float("nan")

    @property
    def prefactor(self) -> Uncertain:
        """D₀ and its error, of first order in ln D₀."""
        value = jnp.exp(self.log_prefactor)
        return Uncertain(value, value * jnp.sqrt(self.covariance[0, 0]))

    @property
    def activation_energy(self) -> Uncertain:
        """E_a [eV]."""
        return Uncertain(self.energy, jnp.sqrt(self.covariance[1, 1]))

    def at(self, temperature: Float[ArrayLike, "*shape"]) -> Uncertain:
        """D at temperatures [K], with the error that the full covariance gives."""
        inverse = 1.0 / (BOLTZMANN_EV * jnp.asarray(temperature))
        return propagate(
            lambda p: jnp.exp(p[0] - p[1] * inverse), jnp.stack([self.log_prefactor, self.energy]), self.covariance
        )


@expects(temperature=POSITIVE, D=POSITIVE, relative_error=optional(POSITIVE))
def fit_arrhenius(
    temperature: Float[ArrayLike, " point"],
    D: Float[ArrayLike, " point"],
    relative_error: Float[ArrayLike, "*#point"] | None = None,
) -> ArrheniusFit:
    """Weighted straight line through ln D against 1/(kT).

    With errors the covariance is that of the errors; without, equal errors are estimated from the scatter, which takes
    three points at least: intervals are then of `quantile` standard errors.

    Parameters
    ----------
    temperature
        T. [K]
    D
        Diffusion coefficients or other activated quantities, any unit.
    relative_error
        Standard errors of ln D. [1]
    """
    if concrete(temperature) and np.unique(np.asarray(temperature)).size < 2:
        raise ValueError("temperature must have two different values at least: one says nothing of an energy")
    expect_as_long("an Arrhenius line", temperature=jnp.asarray(temperature), D=jnp.asarray(D))
    inverse = 1.0 / (BOLTZMANN_EV * jnp.asarray(temperature))
    log_D = jnp.log(jnp.asarray(D))
    weight = 1.0 if relative_error is None else 1.0 / jnp.broadcast_to(jnp.asarray(relative_error), log_D.shape) ** 2
    weight = jnp.broadcast_to(jnp.asarray(weight, log_D.dtype), log_D.shape)
    # Around the weighted mean of 1/kT the two parameters are independent.
    centre = jnp.sum(weight * inverse) / jnp.sum(weight)
    spread = jnp.sum(weight * (inverse - centre) ** 2)
    mean = jnp.sum(weight * log_D) / jnp.sum(weight)
    energy = -jnp.sum(weight * (inverse - centre) * log_D) / spread
    log_prefactor = mean + energy * centre
    chi2 = jnp.sum(weight * (log_D - mean + energy * (inverse - centre)) ** 2)
    variance = jnp.asarray([[1.0, 0.0], [0.0, 0.0]]) / jnp.sum(weight)
    covariance = (
        variance + jnp.stack([jnp.stack([centre**2, centre]), jnp.stack([centre, jnp.ones_like(centre)])]) / spread
    )
    freedom = log_D.shape[0] - 2
    if relative_error is None:
        covariance = covariance * chi2 / freedom if freedom else jnp.full_like(covariance, jnp.nan)
    return ArrheniusFit(log_prefactor, energy, covariance, chi2, freedom)


@expects(D=NOT_NEGATIVE, t=NOT_NEGATIVE)
def diffusion_length(D: Float[ArrayLike, "*#shape"], t: Float[ArrayLike, "*#shape"]) -> Float[Array, "*shape"]:
    """Root mean square displacement along one direction, √(2Dt) [m]."""
    return jnp.sqrt(2.0 * jnp.asarray(D) * jnp.asarray(t))
