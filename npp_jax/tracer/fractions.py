"""Measured isotope fractions as data of a fit.

A fit minimises the sum of squared residuals of its data. For fractions with normal errors they are (model - data)/σ,
for counts (`npp_jax.tracer.counts`) signed roots of the deviance.
"""

from abc import abstractmethod

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from npp_jax._compile import concrete
from npp_jax.physics.checks import FINITE, expect_numbers
from npp_jax.physics.leaf import as_leaf


class AbstractFractions(eqx.Module):
    """Measured fractions of any shape, and the law of their noise."""

    @abstractmethod
    def residual(self, model: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Signed roots of the deviance of modelled fractions, with derivatives; χ² is the sum of their squares."""

    @abstractmethod
    def sharpness(self, model: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Root of the expected (Fisher) information about each fraction: one over its standard error [1]."""

    @abstractmethod
    def points(self) -> int:
        """Number of data that count."""

    @abstractmethod
    def expected_chi2(self, model: Float[Array, "*shape"]) -> tuple[float, float]:
        """Mean and variance of χ² over repeated measurements of modelled fractions."""

    @property
    @abstractmethod
    def limits(self) -> tuple[float, float]:
        """Least and greatest fraction that can be measured: those between which fractions are fitted."""


class Fractions(AbstractFractions):
    """Fractions with normally distributed errors."""

    fraction: Float[Array, "*shape"] = eqx.field(converter=as_leaf)
    """Fractions [1]."""
    error: Float[Array, "..."] = eqx.field(converter=as_leaf)
    """Standard errors, of all or of each; infinite where a datum is to be left out [1]."""

    def __check_init__(self) -> None:
        """Errors are those of the fractions, and positive."""
        fraction, error = jnp.shape(self.fraction), jnp.shape(self.error)
        if error and error != fraction:
            raise ValueError(f"errors have the shape {error}, fractions {fraction}: one for all or one each is needed")
        if concrete(self.error) and not np.all(np.asarray(self.error) > 0.0):
            raise ValueError(f"error = {np.min(np.asarray(self.error)):g}: standard errors must be positive")
        if concrete(self.fraction, self.error):
            # An infinite error leaves out whatever stands there.
            counting = np.isfinite(np.asarray(self.error))
            expect_numbers(np.where(counting, np.asarray(self.fraction), 0.0), FINITE, "fraction")

    def residual(self, model: Array) -> Array:
        """(model - measured)/error."""
        return jnp.where(jnp.isfinite(self.error), (model - jnp.nan_to_num(self.fraction)) / self.error, 0.0)

    def sharpness(self, model: Array) -> Array:
        """One over the error."""
        return jnp.broadcast_to(1.0 / self.error, model.shape)

    def points(self) -> int:
        """Data with a finite error."""
        return int(np.sum(np.isfinite(np.broadcast_to(self.error, self.fraction.shape))))

    def expected_chi2(self, model: Array) -> tuple[float, float]:
        """That of χ²: n and 2n."""
        return float(self.points()), 2.0 * self.points()

    @property
    def limits(self) -> tuple[float, float]:
        """None: noise and normalisation lead out of 0 to 1."""
        return -np.inf, np.inf
