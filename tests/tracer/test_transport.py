"""Conductivity and diffusion: Nernst–Einstein, Haven ratio, Arrhenius fits with their covariance, CAIT."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from npp_jax.constants import BOLTZMANN, BOLTZMANN_EV, ELEMENTARY_CHARGE
from npp_jax.inference import Uncertain, propagate
from npp_jax.physics.nernst_einstein import (
    nernst_einstein,
    nernst_einstein_conductivity,
    tracer_from_cait,
)
from npp_jax.tracer.transport import diffusion_length, fit_arrhenius, haven_ratio


def test_nernst_einstein():
    sigma = nernst_einstein_conductivity(2.6e-12, 5.0e27, 295.15)
    np.testing.assert_allclose(sigma, 5.0e27 * ELEMENTARY_CHARGE**2 * 2.6e-12 / (BOLTZMANN * 295.15), rtol=1e-13)
    np.testing.assert_allclose(nernst_einstein(sigma, 5.0e27, 295.15), 2.6e-12, rtol=1e-13)
    np.testing.assert_allclose(nernst_einstein(sigma, 5.0e27, 295.15, charge_number=2), 2.6e-12 / 4.0, rtol=1e-13)
    single = nernst_einstein(jnp.asarray(0.08, jnp.float32), 5.0e27, 295.15)
    assert single.dtype == jnp.float32
    np.testing.assert_allclose(single, nernst_einstein(0.08, 5.0e27, 295.15), rtol=1e-5)


def test_tracer_and_cait_differ_by_the_haven_ratio():
    np.testing.assert_allclose(tracer_from_cait(2e-20), 1e-20)
    np.testing.assert_allclose(tracer_from_cait(1e-20 / 0.3, 0.3), 1e-20)
    ratio = haven_ratio(*(Uncertain(jnp.asarray(v), jnp.asarray(e)) for v, e in ((0.048, 0.004), (0.20, 0.01))))
    np.testing.assert_allclose(ratio.value, 0.24)
    np.testing.assert_allclose(ratio.sigma / ratio.value, np.hypot(1.0 / 12.0, 0.05))


def test_diffusion_length():
    np.testing.assert_allclose(diffusion_length(1e-18, 5 * 3600.0), np.sqrt(3.6e-14))


@pytest.mark.parametrize("errors", [True, False])
def test_arrhenius_fit_against_numpy(errors: bool, rng: np.random.Generator):
    temperature = np.asarray([295.15, 323.0, 373.0, 423.0, 473.15, 573.0])
    relative = np.asarray([0.05, 0.1, 0.08, 0.1, 0.2, 0.3])
    D = 4.8e-6 * np.exp(-0.43 / (BOLTZMANN_EV * temperature)) * np.exp(relative * rng.normal(size=6))
    fit = fit_arrhenius(temperature, D, relative if errors else None)
    inverse = 1.0 / (BOLTZMANN_EV * temperature)
    weights = 1.0 / relative if errors else None
    (slope, offset), covariance = np.polyfit(inverse, np.log(D), 1, w=weights, cov="unscaled" if errors else True)
    np.testing.assert_allclose([fit.energy, fit.log_prefactor], [-slope, offset], rtol=1e-9)
    by_numpy = np.asarray([[covariance[1, 1], -covariance[0, 1]], [-covariance[0, 1], covariance[0, 0]]])
    np.testing.assert_allclose(fit.covariance, by_numpy, rtol=1e-7)
    at = fit.at(jnp.asarray([350.0]))
    gradient = np.asarray([1.0, -1.0 / (BOLTZMANN_EV * 350.0)])
    np.testing.assert_allclose(at.sigma / at.value, np.sqrt(gradient @ by_numpy @ gradient), rtol=1e-6)
    np.testing.assert_allclose(fit.prefactor.value, np.exp(offset), rtol=1e-9)


def test_arrhenius_errors_are_the_scatter_of_many_measurements(rng: np.random.Generator):
    temperature = jnp.asarray([295.15, 350.0, 420.0, 500.0])
    relative = jnp.asarray([0.05, 0.1, 0.05, 0.2])
    exact = 4.8e-6 * jnp.exp(-0.43 / (BOLTZMANN_EV * temperature))
    D = exact * jnp.exp(relative * rng.normal(size=(4000, 4)))
    fits = jax.vmap(lambda d: fit_arrhenius(temperature, d, relative)[:4])(D)
    drawn = np.cov(np.stack([fits[0], fits[1]]))
    np.testing.assert_allclose(drawn, fits[2][0], rtol=0.08)
    np.testing.assert_allclose(np.mean(fits[1]), 0.43, atol=4.0 * float(np.std(fits[1])) / np.sqrt(4000))
    np.testing.assert_allclose(np.mean(fits[3]), 2.0, rtol=0.1)


def test_propagation_of_a_vector_function():
    covariance = jnp.asarray([[0.04, 0.01], [0.01, 0.09]])
    result = propagate(lambda p: jnp.stack([p[0] * p[1], p[0] - p[1]]), jnp.asarray([2.0, 3.0]), covariance)
    np.testing.assert_allclose(result.value, [6.0, -1.0])
    variance = [9 * 0.04 + 2 * 6 * 0.01 + 4 * 0.09, 0.04 - 0.02 + 0.09]
    np.testing.assert_allclose(result.sigma**2, variance)
