"""What a fit says about its parameters: covariance, errors, intervals, and comparison of models.

Residuals are in units of their standard deviation, r = (model - data)/σ. Where σ is unknown, let r be in any common
unit and give `variance`, the estimate χ²/(n - p) of `reduced_chi2`. The covariance is that of the linear model at the
minimum, in the scaled coordinate s; it is exact for linear problems and a first look at others, where
`profile_likelihood` has the last word.
"""

import math
from functools import partial
from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float, Int
from scipy.special import chdtrc

from npp_jax._compile import jit_small
from npp_jax.inference.transform import Ranges, theta_slope, to_scaled, to_theta

NORMAL_95 = 1.959963984540054
"""Half width of the central 95 % of a normal distribution, in standard deviations."""


class Covariance(eqx.Module):
    """Covariance of the parameters at a minimum.

    A direction in which the residuals do not change (its singular value is below the tolerance) has an infinite
    variance: the parameters that take part in it are not `determined` and have an infinite standard error.
    """

    theta: Float[Array, " parameter"]
    """Where it was taken. [units of the parameters]"""
    scaled: Float[Array, "parameter parameter"]
    """Covariance of s within the determined directions (a pseudo-inverse); zero for parameters held fixed."""
    standard_error_scaled: Float[Array, " parameter"]
    """Standard error of s: for `log` parameters the relative one; infinite where not determined."""
    standard_error: Float[Array, " parameter"]
    """Standard error of θ to first order. [units of the parameters]"""
    correlation: Float[Array, "parameter parameter"]
    """Correlation matrix; NaN where a parameter is held or not determined."""
    interval: Float[Array, "parameter two"]
    """95 % interval: s ± 1.96 standard errors, cut at the ends of the range, as θ; asymmetric where the scale is."""
    determined: Bool[Array, " parameter"]
    """Whether the data determine the parameter, alone or through others."""
    rank: Int[Array, ""]
    """Number of determined directions."""
    singular_values: Float[Array, " direction"]
    """Of the Jacobian in s with columns of unit length, largest first; zero for parameters held fixed."""
    held: Bool[Array, " parameter"]
    """Parameters that are fixed, or held at an end of their range: all errors are given these."""
    effect: Float[Array, " parameter"]
    """Change of the residuals across the range of each parameter alone, to first order, in standard deviations; zero
    only where they do not change at all."""
    directions: Float[Array, "direction parameter"]
    """Change of s along each singular direction, of unit length (zero if only of held parameters); those from `rank` on
    leave the residuals unchanged."""


@partial(jit_small, static=("tolerance",))
def covariance(
    jacobian: Float[Array, "residual parameter"],
    theta: Float[Array, " parameter"],
    ranges: Ranges,
    *,
    variance: Float[ArrayLike, ""] = 1.0,
    held: Bool[Array, " parameter"] | None = None,
    quantile: Float[ArrayLike, ""] = NORMAL_95,
    tolerance: float = 1e-8,
) -> Covariance:
    """Return the covariance σ² (JᵀJ)⁻¹ of the scaled coordinate, from the singular values of J.

    Parameters
    ----------
    jacobian
        ∂r/∂θ at the minimum, priors included.
    theta
        The minimum. [units of the parameters]
    ranges
        Scales and ranges, from `ranges_of`.
    variance
        Variance of the residuals; 1 where they are in units of their standard deviation.
    held
        Parameters that are fixed, or held at an end of their range: the covariance is that of the others, given these.
    quantile
        Half width of the interval in standard errors; Student's t quantile where the variance is estimated.
    tolerance
        Singular values of the column-normalised Jacobian below this fraction of the largest count as zero.
    """
    held = jnp.zeros(theta.shape, bool) if held is None else held
    by_scaled = jacobian * theta_slope(ranges, theta)
    sensitivity = jnp.where(held, 0.0, by_scaled)
    column = jnp.linalg.norm(sensitivity, axis=0)
    unit = jnp.where(column > 0.0, column, 1.0)
    missing = max(theta.shape[0] - sensitivity.shape[0], 0)
    _, singular, right = jnp.linalg.svd(jnp.pad(sensitivity / unit, ((0, missing), (0, 0))), full_matrices=False)
    kept = singular > tolerance * jnp.max(singular)
    weight = jnp.where(kept, 1.0 / jnp.where(kept, singular, 1.0), 0.0)
    # What is held has no error at all: rounding in its column would be taken for one, as by the steps of profiles.
    root = jnp.where(held, 0.0, weight[:, None] * right / unit)
    matrix = jnp.asarray(variance, theta.dtype) * (root.T @ root)

    # Held parameters span null directions of their own, which are not a defect of the data.
    absent = jnp.where(kept[:, None] | held, 0.0, right)
    determined = held | (jnp.sum(absent**2, axis=0) <= 1e-8)
    deviation = jnp.where(determined, jnp.sqrt(jnp.diag(matrix)), jnp.inf)
    product = jnp.where(held | ~determined, jnp.nan, deviation)
    scaled = to_scaled(ranges, theta)
    low, high = (jnp.asarray(edge, theta.dtype) for edge in (ranges.low, ranges.high))
    ends = [jnp.clip(scaled + sign * quantile * deviation, low, high) for sign in (-1.0, 1.0)]
    whole = jnp.linalg.norm(by_scaled, axis=0)
    direction = jnp.where(held, 0.0, right / unit)
    length = jnp.linalg.norm(direction, axis=1, keepdims=True)
    return Covariance(
        theta=theta,
        scaled=matrix,
        standard_error_scaled=deviation,
        standard_error=deviation * theta_slope(ranges, theta),
        correlation=matrix / jnp.outer(product, product),
        interval=jnp.stack([to_theta(ranges, end) for end in ends], axis=-1),
        determined=determined,
        rank=jnp.sum(kept),
        singular_values=singular,
        held=held,
        effect=jnp.where(whole > 0.0, whole * (high - low), 0.0) / jnp.sqrt(jnp.asarray(variance, theta.dtype)),
        directions=direction / jnp.where(length > 0.0, length, 1.0),
    )


def reduced_chi2(chi2: ArrayLike, residuals: int, parameters: int) -> float:
    """Return χ²/(n - p) for n residuals and p free parameters: near 1 where model and errors are right.

    Raises
    ------
    ValueError
        Without more residuals than parameters.
    """
    if residuals <= parameters:
        raise ValueError(f"{residuals} residuals leave no degree of freedom for {parameters} parameters")
    return float(jnp.asarray(chi2)) / (residuals - parameters)


class InformationCriteria(NamedTuple):
    """Criteria of models for the same data; the smallest is preferred."""

    aic: float
    """Akaike's criterion -2 ln L + 2 p."""
    aicc: float
    """The same with its correction for few residuals; infinite for n ≤ p + 1."""
    bic: float
    """Schwarz's criterion -2 ln L + p ln n."""


def information_criteria(
    chi2: float, residuals: int, parameters: float | int, *, known_errors: bool = True
) -> InformationCriteria:
    """Return AIC, AICc and BIC, up to a constant that all models of the same data share.

    -2 ln L is χ² where the errors are known, and n ln(χ²/n) where their common size is estimated, which counts as a
    further parameter (K. P. Burnham, D. R. Anderson, "Model Selection and Multimodel Inference" (2002), chapter 2).
    """
    count = parameters + (not known_errors)
    deviance = chi2 if known_errors else residuals * math.log(chi2 / residuals)
    aic = deviance + 2.0 * count
    left = residuals - count - 1
    correction = 2.0 * count * (count + 1) / left if left > 0 else math.inf
    return InformationCriteria(aic, aic + correction, deviance + count * math.log(residuals))


class LikelihoodRatio(NamedTuple):
    """Test of a model against a larger one that contains it."""

    statistic: float
    """Δχ² = χ²(small) - χ²(large)."""
    p_value: float
    """Probability of a larger Δχ² if the small model is true."""


def likelihood_ratio(chi2_small: float, chi2_large: float, extra_parameters: int) -> LikelihoodRatio:
    """Return Wilks' test for errors that are known: Δχ² is χ²-distributed with the number of extra parameters.

    It does not hold where the small model lies on the edge of the large one (a parameter at an end of its range):
    there the p value is too large, for one parameter by a factor of two.

    Raises
    ------
    ValueError
        If the larger model fits worse, so that it is not at its minimum or does not contain the small one.
    """
    statistic = chi2_small - chi2_large
    if extra_parameters < 1:
        raise ValueError(f"extra_parameters = {extra_parameters} must be at least 1")
    if statistic < -1e-6 * max(1.0, abs(chi2_large)):
        raise ValueError(f"the larger model has the larger χ² ({chi2_large} > {chi2_small}): it is not at its minimum")
    statistic = max(statistic, 0.0)
    return LikelihoodRatio(statistic, float(chdtrc(extra_parameters, statistic)))
