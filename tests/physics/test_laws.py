"""Laws of D told by numbers: values, means over the sides of a face, and derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

from npp_jax.physics import Arrhenius, ExponentialDiffusivity, SplineDiffusivity

T = jnp.asarray(350.0)
X = jnp.asarray([0.0, 0.13, 0.4, 0.77, 1.0])
KNOTS = [0.0, 0.2, 0.25, 0.6, 1.0]
VALUES = [2e-15, 1.5e-15, 1e-17, 3e-16, 5e-16]


def test_a_polynomial_is_one():
    law = ExponentialDiffusivity(1e-15, [2.0, -1.0], 0.5, Arrhenius(0.6, 300.0))
    factor = float(law.arrhenius.factor(T))
    expected = 1e-15 * factor * np.exp(2.0 * (X - 0.5) - (X - 0.5) ** 2)
    np.testing.assert_allclose(law.at(T)(X), expected, rtol=1e-12)


@pytest.mark.parametrize("curve", ["monotone", "free"])
def test_a_spline_goes_through_its_knots_and_stays_beyond(curve):
    law = SplineDiffusivity(KNOTS, VALUES, curve)
    np.testing.assert_allclose(law.at(T)(jnp.asarray(KNOTS)), VALUES, rtol=1e-12)
    np.testing.assert_allclose(law.at(T)(jnp.asarray([-0.5, 1.5])), [VALUES[0], VALUES[-1]], rtol=1e-12)
    between = np.asarray(law.at(T)(jnp.linspace(0.25, 0.6, 50)))
    within = between.max() <= VALUES[3] * (1 + 1e-12) and between.min() >= VALUES[2] * (1 - 1e-12)
    assert within == (curve == "monotone")


def test_a_mean_is_the_integral_over_the_law():
    law = SplineDiffusivity(KNOTS, VALUES)
    D = lambda x: float(law.at(T)(jnp.asarray([x]))[0])  # noqa: E731
    for a, b in ((0.1, 0.4), (0.9, 0.15), (0.22, 0.23), (-0.2, 1.3), (0.3, 0.3), (0.3, 0.3 + 1e-6)):
        mean = float(law.between(T)(jnp.asarray([a]), jnp.asarray([b]))[0])
        wanted = D(a) if abs(a - b) < 1e-5 else quad(D, a, b, points=KNOTS, limit=200)[0] / (b - a)
        np.testing.assert_allclose(mean, wanted, rtol=2e-3)


@pytest.mark.parametrize("kind", ["polynomial", "spline", "mean"])
def test_derivatives_of_laws_agree_under_vmap(kind: str):
    def value(p: jax.Array) -> jax.Array:
        if kind == "polynomial":
            law = ExponentialDiffusivity(1e-15 * p[0], p[1:], 0.3)
        else:
            law = SplineDiffusivity(KNOTS, 1e-16 * p, "free")
        found = law.between(T)(X, X[::-1]) if kind == "mean" else law.at(T)(X)
        return 1e16 * found

    p = jnp.asarray([[1.0, 2.0, 0.5, 0.3, 1.1], [0.7, 1.3, 0.4, 2.0, 0.9]])
    forward, reverse = jax.vmap(jax.jacfwd(value))(p), jax.vmap(jax.jacrev(value))(p)
    size = float(jnp.max(jnp.abs(reverse)))
    np.testing.assert_allclose(forward, reverse, rtol=0.0, atol=1e-10 * size)
    for k in range(5):
        step = jnp.zeros(5).at[k].set(1e-6)
        central = (jax.vmap(value)(p + step) - jax.vmap(value)(p - step)) / 2e-6
        np.testing.assert_allclose(reverse[:, :, k], central, rtol=0.0, atol=1e-6 * size)
