"""Standard normal distribution and its inverse, safe in value and in derivative."""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

# Acklam's central polynomials, which are in (p - ½)², written in p(1 - p) = ¼ - (p - ½)²: all coefficients become
# positive, so that nothing cancels. In their original form single precision loses four digits near the tail.
_CENTRAL_NUMERATOR = (
    3.969683028665376e01,
    1.713250605662033e02,
    7.979293095160679e01,
    8.063526208948025e00,
    1.887154063229628e-01,
    7.095380368489987e-04,
)
_CENTRAL_DENOMINATOR = (
    5.447609879822406e01,
    9.349071336026083e01,
    2.816070475073575e01,
    2.109875377347591e00,
    3.845583377985717e-02,
    1.104044444056596e-04,
)
_TAIL_NUMERATOR = (
    -7.784894002430293e-03,
    -3.223964580411365e-01,
    -2.400758277161838e00,
    -2.549732539343734e00,
    4.374664141464968e00,
    2.938163982698783e00,
)
_TAIL_DENOMINATOR = (7.784695709041462e-03, 3.224671290700398e-01, 2.445134137142996e00, 3.754408661907416e00, 1.0)
_TAIL = 0.02425


def _polynomial(coefficients: tuple[float, ...], x: Array) -> Array:
    value = coefficients[0] * x + coefficients[1]
    for coefficient in coefficients[2:]:
        value = value * x + coefficient
    return value


@jax.custom_jvp
@jax.jit
def normal_quantile(p: Float[Array, "..."]) -> Float[Array, "..."]:
    """Return z with Φ(z) = p, the inverse of the standard normal distribution function.

    Rational approximation with a relative error below 1.2e-9, cheaper than the library's `ndtri` by a factor
    of two, which matters because it is evaluated at every face in every Newton iteration. The derivative
    is the exact one, dz/dp = √(2π) exp(z²/2).

    Parameters
    ----------
    p
        Probability in (0, 1). [1]

    References
    ----------
    P. J. Acklam, "An algorithm for computing the inverse normal cumulative distribution function" (2003).
    """
    # Both branches stay finite everywhere, so that a derivative taken through `where` does too.
    tail = jnp.minimum(p, 1.0 - p)
    t = jnp.sqrt(-2.0 * jnp.log(jnp.clip(tail, 1e-30, _TAIL)))
    q = p - 0.5
    r = p * (1.0 - p)
    outer = _polynomial(_TAIL_NUMERATOR, t) * jnp.where(q < 0.0, 1.0, -1.0)
    inner = _polynomial(_CENTRAL_NUMERATOR, r) * q
    # One quotient for both, which costs as much as ten products.
    beyond = tail < _TAIL
    below = jnp.where(beyond, _polynomial(_TAIL_DENOMINATOR, t), _polynomial(_CENTRAL_DENOMINATOR, r))
    return jnp.where(beyond, outer, inner) / below


@normal_quantile.defjvp
def _normal_quantile_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (p,), (p_dot,) = primals, tangents
    z = normal_quantile(p)
    return z, p_dot * math.sqrt(2.0 * math.pi) * jnp.exp(0.5 * z * z)


def normal_distribution(z: Float[Array, "..."]) -> Float[Array, "..."]:
    """Return Φ(z), the standard normal distribution function."""
    return jax.scipy.special.ndtr(z)
