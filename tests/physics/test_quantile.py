"""The standard normal quantile against extended precision, in value and in derivatives."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from npp_jax.physics.quantile import normal_distribution, normal_quantile

SWITCH = 0.02425
NEAR = [SWITCH * (1.0 + shift) for shift in (-1e-2, -1e-9, 0.0, 1e-9, 1e-2)]
LOWER = [1e-25, 1e-16, 1e-12, 1e-8, 1e-6, 1e-4, 1e-2, *NEAR, 0.1, 0.3, 0.499, 0.4999999]
UPPER = [1.0 - p for p in LOWER if p > 1e-5]


def exact_quantile(p: float) -> mpmath.mpf:
    """Root of Φ(z) = p by Newton's method with forty digits."""
    with mpmath.workdps(40):
        p = mpmath.mpf(p)
        tail = min(p, 1 - p)
        start = -mpmath.sqrt(-2 * mpmath.log(tail)) if tail < 0.1 else (tail - 0.5) * mpmath.sqrt(2 * mpmath.pi)
        z = mpmath.findroot(lambda x: mpmath.log(mpmath.erfc(-x / mpmath.sqrt(2)) / 2 / tail), start)
        return z if p < 0.5 else -z


def exact_slope(z: mpmath.mpf) -> float:
    return float(mpmath.sqrt(2 * mpmath.pi) * mpmath.exp(z * z / 2))


@pytest.mark.parametrize("p", LOWER + UPPER)
def test_value_and_derivatives(p: float):
    z = exact_quantile(p)
    first, second = jax.grad(normal_quantile), jax.grad(jax.grad(normal_quantile))
    x = jnp.asarray(p)
    assert float(normal_quantile(x)) == pytest.approx(float(z), rel=2e-9)
    # The derivative is exp(z²/2): the relative error of z counts z² times.
    assert float(first(x)) == pytest.approx(exact_slope(z), rel=2e-9 * max(1.0, float(z) ** 2))
    assert float(second(x)) == pytest.approx(float(z) * exact_slope(z) ** 2, rel=4e-9 * max(1.0, float(z) ** 2))


@pytest.mark.parametrize("p", [1e-25, 1e-12, 1e-4, *NEAR, 0.2, 0.45, 0.6, 0.9, 0.99])
def test_single_precision(p: float):
    p32 = jnp.asarray(p, jnp.float32)
    z = exact_quantile(float(p32))
    value, slope = normal_quantile(p32), jax.grad(normal_quantile)(p32)
    assert value.dtype == slope.dtype == jnp.float32
    # Rounding of p near one and of the polynomials; z itself is of order one.
    assert float(value) == pytest.approx(float(z), rel=2e-6, abs=2e-7)
    assert float(slope) == pytest.approx(exact_slope(z), rel=4e-6 * max(1.0, float(z) ** 2))


def test_median_is_zero():
    assert float(normal_quantile(jnp.asarray(0.5))) == 0.0
    assert float(jax.grad(normal_quantile)(jnp.asarray(0.5))) == pytest.approx(np.sqrt(2.0 * np.pi), rel=1e-15)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_everything_stays_finite_at_the_ends(dtype: type):
    p = jnp.asarray([0.0, 1e-30, SWITCH, 1.0 - SWITCH, 1.0], dtype)
    assert jnp.all(jnp.isfinite(normal_quantile(p)))
    inner = p[1:4]
    assert jnp.all(jnp.isfinite(jax.vmap(jax.grad(normal_quantile))(inner)))
    assert jnp.all(jnp.isfinite(jax.vmap(jax.grad(jax.grad(normal_quantile)))(inner[1:])))


def test_quantile_inverts_the_distribution(rng: np.random.Generator):
    p = jnp.asarray(rng.uniform(0.0, 1.0, 1000))
    np.testing.assert_allclose(normal_distribution(normal_quantile(p)), p, rtol=2e-8)


def test_increasing_across_the_switch_points():
    p = jnp.concatenate([jnp.linspace(s - 1e-6, s + 1e-6, 401) for s in (SWITCH, 1.0 - SWITCH)])
    z = normal_quantile(p)
    assert jnp.all(jnp.diff(z[:401]) > 0.0)
    assert jnp.all(jnp.diff(z[401:]) > 0.0)


def test_forward_equals_reverse_under_vmap():
    p = jnp.linspace(0.001, 0.999, 31)
    forward = jax.vmap(jax.jacfwd(normal_quantile))(p)
    reverse = jax.vmap(jax.jacrev(normal_quantile))(p)
    np.testing.assert_allclose(forward, reverse, rtol=1e-14)
