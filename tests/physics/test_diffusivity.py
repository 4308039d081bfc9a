"""Diffusivity laws: activation, floor, immobile ions, table against direct evaluation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

from npp_jax.constants import BOLTZMANN_EV
from npp_jax.physics import (
    Arrhenius,
    ConstantDiffusivity,
    GaussianSED,
    MixtureSED,
    SEDDiffusivity,
    TabulatedSED,
    normal_quantile,
)
from npp_jax.physics.diffusivity import FILLING_FLOOR

TEMPERATURE = jnp.asarray(350.0)
X = jnp.concatenate([jnp.logspace(-5.5, -1.0, 40), jnp.linspace(0.11, 1.0, 90)])


def law(sed=None, **options) -> SEDDiffusivity:
    settings = {"D_bulk": 2e-18, "vacancy_fraction": 0.1} | options
    return SEDDiffusivity(sed=GaussianSED(0.25) if sed is None else sed, **settings)


def test_arrhenius_factor():
    activation = Arrhenius(0.7, 350.0)
    assert float(activation.factor(TEMPERATURE)) == 1.0
    expected = np.exp(-0.7 / BOLTZMANN_EV * (1.0 / 380.0 - 1.0 / 350.0))
    assert float(activation.factor(jnp.asarray(380.0))) == pytest.approx(expected, rel=1e-14)
    constant = ConstantDiffusivity(3e-21, activation).at(jnp.asarray(380.0))
    assert float(constant(jnp.asarray(0.3))) == pytest.approx(3e-21 * expected, rel=1e-14)


@pytest.mark.parametrize("filling", ["sharp", "fermi-dirac"])
def test_arrhenius_multiplies_the_sed_factor(filling: str):
    hot = jnp.asarray(380.0)
    plain, activated = law(filling=filling), law(filling=filling, arrhenius=Arrhenius(0.7, 350.0))
    factor = Arrhenius(0.7, 350.0).factor(hot)
    np.testing.assert_allclose(activated.at(hot)(X), factor * plain.at(hot)(X), rtol=1e-12)
    np.testing.assert_allclose(activated.at(TEMPERATURE)(X), plain.at(TEMPERATURE)(X), rtol=1e-14)


@pytest.mark.parametrize("filling", ["sharp", "fermi-dirac"])
def test_bulk_value_and_monotony(filling: str):
    value = law(filling=filling).at(TEMPERATURE)(X)
    assert float(value[-1]) == pytest.approx(2e-18, rel=1e-14)
    assert jnp.all(jnp.diff(value) > 0.0)


@pytest.mark.parametrize("filling", ["sharp", "fermi-dirac"])
@pytest.mark.parametrize("sed", [GaussianSED(0.25), MixtureSED([0.0, 0.1], [0.2, 0.2], [1, 1])])
def test_above_the_bulk_the_fermi_energy_rises_until_the_sites_are_full(sed, filling: str):
    model = law(sed, filling=filling, vacancy_fraction=0.4)
    x = jnp.asarray([1.0, 1.2, 1.5, 1.66, 1.0 / 0.6, 2.0])
    value = model.at(TEMPERATURE)(x)
    expected = jnp.exp(-model.activation_energy(x[:4], TEMPERATURE) / (BOLTZMANN_EV * TEMPERATURE))
    np.testing.assert_allclose(value[:4] / 2e-18, expected, rtol=1e-3)
    assert jnp.all(jnp.diff(value[:5]) > 0.0) and value[4] == value[5]


@pytest.mark.parametrize("immobile", [0.0, 0.15])
def test_floor(immobile: float):
    diffusivity = law(immobile_fraction=immobile).at(TEMPERATURE)
    x = jnp.asarray([-1.0, 0.0, immobile, immobile + (1.0 - immobile) * FILLING_FLOOR])
    assert jnp.all(diffusivity(x) > 0.0)
    np.testing.assert_allclose(diffusivity(x), diffusivity(x[-1:])[0], rtol=1e-9)
    slope = jax.vmap(jax.grad(lambda u: diffusivity(u)))(jnp.asarray([-1.0, immobile - 1e-3]))
    np.testing.assert_array_equal(slope, 0.0)


def test_immobile_fraction_shifts_the_filling():
    x = jnp.linspace(0.2, 1.0, 9)
    shifted = law(immobile_fraction=0.15).at(TEMPERATURE)(x)
    np.testing.assert_allclose(shifted, law().at(TEMPERATURE)((x - 0.15) / 0.85), rtol=1e-12)


@pytest.mark.parametrize("dtype", [jnp.float64, jnp.float32])
@pytest.mark.parametrize("temperature", [290.0, 350.0, 600.0])
def test_table_equals_direct_evaluation(temperature: float, dtype: type):
    """A mixture of one and a table of a Gaussian go through the table; the Gaussian does not."""
    t, x = jnp.asarray(temperature, dtype), X.astype(dtype)
    one = MixtureSED(jnp.zeros(1, dtype), jnp.full(1, 0.25, dtype), jnp.ones(1, dtype))
    p = jnp.linspace(0.01, 0.99, 9).astype(dtype)
    knots = TabulatedSED(p, GaussianSED(0.25).fermi_energy(p))
    direct = law().at(t)(x)
    tolerance = 2e-7 if dtype == jnp.float64 else 3e-4
    for sed in (one, knots):
        value = jax.jit(lambda t, x, sed=sed: law(sed).at(t)(x))(t, x)
        assert value.dtype == direct.dtype == dtype
        np.testing.assert_allclose(value, direct, rtol=tolerance)


def test_fermi_dirac_table_equals_direct_evaluation():
    model = law(filling="fermi-dirac")
    direct = jax.jit(lambda x: jnp.exp(-model.activation_energy(x, TEMPERATURE) / (BOLTZMANN_EV * TEMPERATURE)))(X)
    np.testing.assert_allclose(model.at(TEMPERATURE)(X) / 2e-18, direct, rtol=2e-5)


def test_fermi_dirac_becomes_sharp_when_cold():
    """Sommerfeld: E_F shifts by (π²/6)(kT)² z/σ to second order in T, as g'/g = -z/σ."""
    x, cold = jnp.linspace(0.2, 0.8, 7), jnp.asarray(80.0)
    shift = law(filling="fermi-dirac").activation_energy(x, cold) - law().activation_energy(x, cold)
    sigma, z = GaussianSED(0.25).sigma, normal_quantile(0.9 * jnp.append(x, 1.0))
    expected = np.pi**2 / 6.0 * (BOLTZMANN_EV * cold) ** 2 / sigma * (z[-1] - z[:-1])
    np.testing.assert_allclose(shift, expected, rtol=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("filling", ["sharp", "fermi-dirac"])
def test_gradients(filling: str):
    def logarithm(parameters: Array, x: Array) -> Array:
        width, vacancies, immobile, temperature = parameters
        model = law(GaussianSED(width), vacancy_fraction=vacancies, immobile_fraction=immobile, filling=filling)
        return jnp.log(model.at(350.0 * temperature)(x))

    parameters, x, h = jnp.asarray([0.25, 0.1, 0.02, 1.0]), jnp.asarray(0.31), 1e-5
    forward = jax.jit(jax.jacfwd(logarithm, argnums=(0, 1)))
    reverse = jax.jit(jax.jacrev(logarithm, argnums=(0, 1)))
    value = jax.jit(logarithm)
    by_parameter, by_x = forward(parameters, x)
    for one, other in zip((by_parameter, by_x), reverse(parameters, x), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9)
    for k in range(4):
        step = h * jnp.eye(4)[k]
        difference = (value(parameters + step, x) - value(parameters - step, x)) / (2.0 * h)
        assert float(by_parameter[k]) == pytest.approx(float(difference), rel=1e-5)
    assert float(by_x) == pytest.approx(
        float(value(parameters, x + h) - value(parameters, x - h)) / (2.0 * h), rel=1e-5
    )
    many = jax.jit(jax.vmap(jax.jacrev(logarithm), in_axes=(0, None)))(jnp.stack([parameters, 1.01 * parameters]), x)
    np.testing.assert_allclose(many[0], by_parameter, rtol=1e-9)


@pytest.mark.parametrize(
    "model", [ConstantDiffusivity(jnp.asarray([1.0, 2.0])), law(GaussianSED(jnp.asarray([0.2, 0.25])))]
)
def test_shapes_broadcast(model):
    diffusivity = model.at(TEMPERATURE)
    assert diffusivity(jnp.asarray(0.4)).shape == (2,)
    assert diffusivity(jnp.full((7, 1), 0.4)).shape == (7, 2)
    assert diffusivity(jnp.full((7, 2), 0.4)).shape == (7, 2)


@pytest.mark.parametrize("sed", [GaussianSED(0.25), MixtureSED([0.0, 0.1], [0.2, 0.2], [1, 1])])
def test_a_number_gives_a_number(sed):
    assert law(sed).at(TEMPERATURE)(jnp.asarray(0.4)).shape == ()
