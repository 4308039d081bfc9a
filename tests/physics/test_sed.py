"""Site energy distributions: tables of ΔE(x) and D(x), quantiles by brute force, gradients, batches."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array
from scipy import integrate, optimize, stats

from npp_jax.constants import BOLTZMANN_EV, FWHM_PER_SIGMA
from npp_jax.physics import (
    AbstractSED,
    GaussianSED,
    MixtureSED,
    SEDDiffusivity,
    TabulatedSED,
    fermi_dirac_energy,
    fermi_dirac_occupied,
    normal_quantile,
    populated_fwhm,
)

# Computed independently (SciPy, quadrature and root finding) for a Gaussian of 250 meV.
FRACTION = np.array([1.0, 0.8, 0.6, 0.4, 0.2, 0.15, 0.1, 0.07, 0.03])
POPULATED = 0.25 * FWHM_PER_SIGMA / (np.sqrt(2.0 * np.log(2.0)) + stats.norm.ppf(0.8))
ACTIVATION_MEV = {
    ("sharp", 350.0, 0.1, 0.25): [0, 74.2, 125.4, 174.1, 233.2, 253.2, 278.4, 298.5, 340.6],
    ("fermi-dirac", 300.0, 0.1, 0.25): [0, 81.0, 136.9, 189.9, 254.4, 276.2, 303.8, 325.9, 372.3],
    ("fermi-dirac", 350.0, 0.1, 0.25): [0, 83.4, 140.7, 195.2, 261.5, 283.9, 312.3, 335.1, 383.0],
    ("sharp", 350.0, 0.2, 0.25): [0, 51.3, 94.7, 139.0, 194.9, 214.1, 238.5, 258.1, 299.3],
    # The populated part is 250 meV wide.
    ("sharp", 350.0, 0.2, POPULATED): [0, 59.8, 110.4, 162.1, 227.3, 249.7, 278.2, 301.0, 349.1],
}
RATIO = {
    300.0: [1, 5.7e-2, 7.8e-3, 1.2e-3, 1.2e-4, 5.6e-5, 2.1e-5, 9.7e-6, 1.9e-6],
    320.0: [1, 6.8e-2, 1.1e-2, 1.8e-3, 2.1e-4, 1.0e-4, 4.1e-5, 2.0e-5, 4.3e-6],
    340.0: [1, 8.0e-2, 1.4e-2, 2.6e-3, 3.5e-4, 1.8e-4, 7.5e-5, 3.8e-5, 8.9e-6],
    360.0: [1, 9.2e-2, 1.8e-2, 3.7e-3, 5.4e-4, 2.9e-4, 1.3e-4, 6.6e-5, 1.7e-5],
    380.0: [1, 1.0e-1, 2.2e-2, 4.9e-3, 8.1e-4, 4.4e-4, 2.0e-4, 1.1e-4, 3.0e-5],
    400.0: [1, 1.2e-1, 2.6e-2, 6.4e-3, 1.2e-3, 6.5e-4, 3.1e-4, 1.7e-4, 5.1e-5],
}


def law(sed: AbstractSED, vacancy_fraction: float = 0.1, filling: str = "sharp") -> SEDDiffusivity:
    return SEDDiffusivity(D_bulk=1.0, sed=sed, vacancy_fraction=vacancy_fraction, filling=filling)


def mixture() -> MixtureSED:
    return MixtureSED(energy=[-0.1, 0.02, 0.15], sed_fwhm=[0.2, 0.1, 0.3], weight=[2.0, 1.0, 1.0])


def table() -> TabulatedSED:
    p = np.linspace(0.02, 0.98, 25)
    return TabulatedSED(occupied=p, energy=0.1 * stats.norm.ppf(p) + 0.02 * p**2)


def scipy_mixture() -> tuple[Callable[[float], float], Callable[[float], float]]:
    terms = list(zip([0.5, 0.25, 0.25], [-0.1, 0.02, 0.15], np.array([0.2, 0.1, 0.3]) / FWHM_PER_SIGMA, strict=True))
    density = lambda e: sum(w * stats.norm.pdf(e, c, s) for w, c, s in terms)  # noqa: E731
    distribution = lambda e: sum(w * stats.norm.cdf(e, c, s) for w, c, s in terms)  # noqa: E731
    return density, distribution


@pytest.mark.parametrize("case", ACTIVATION_MEV, ids=str)
def test_activation_energy_table(case: tuple[str, float, float, float]):
    filling, temperature, vacancies, width = case
    model = law(GaussianSED(width), vacancies, filling)
    energy = 1e3 * model.activation_energy(jnp.asarray(FRACTION), jnp.asarray(temperature))
    np.testing.assert_allclose(energy, ACTIVATION_MEV[case], rtol=0.0, atol=0.0501)


@pytest.mark.parametrize("temperature", RATIO)
def test_diffusivity_table(temperature: float):
    ratio = law(GaussianSED(0.25)).at(jnp.asarray(temperature))(jnp.asarray(FRACTION))
    printed = [f"{float(value):.1e}" for value in ratio]
    assert printed == [f"{value:.1e}" for value in RATIO[temperature]]


@pytest.mark.parametrize(
    ("v", "share"), [(0.05, 1.0), (0.1, 1.0), (0.119, 1.0), (0.15, 0.940), (0.2, 0.857), (0.3, 0.723)]
)
def test_populated_width_table(v: float, share: float):
    assert float(populated_fwhm(GaussianSED(0.25), v)) / 0.25 == pytest.approx(share, abs=5.01e-4)


@pytest.mark.parametrize("v", [0.05, 0.2, 0.45, 0.55, 0.8])
def test_populated_width_by_scanning(v: float):
    sed, cut = GaussianSED(0.25), stats.norm.ppf(1.0 - v) * 0.25 / FWHM_PER_SIGMA
    energy = np.linspace(-0.6, cut, 200001)
    density = stats.norm.pdf(energy, scale=0.25 / FWHM_PER_SIGMA)
    inside = energy[density >= 0.5 * density.max()]
    assert float(populated_fwhm(sed, v)) == pytest.approx(inside[-1] - inside[0], abs=1e-5)


def test_mixture_of_one_is_the_gaussian():
    one, gaussian = MixtureSED([0.0], [0.25], [3.0]), GaussianSED(0.25)
    p, energy = jnp.linspace(1e-6, 0.999, 57), jnp.linspace(-0.4, 0.4, 21)
    # 1.2e-9 is the accuracy of the rational approximation in the Gaussian's quantile.
    np.testing.assert_allclose(one.fermi_energy(p), gaussian.fermi_energy(p), rtol=2e-9, atol=1e-12)
    np.testing.assert_allclose(one.density(energy), gaussian.density(energy), rtol=1e-13)
    np.testing.assert_allclose(one.distribution(energy), gaussian.distribution(energy), rtol=1e-13)


def test_mixture_quantile_by_bisection():
    _, distribution = scipy_mixture()
    p = [1e-6, 1e-3, 0.1, 0.5, 0.9, 0.999]
    expected = [optimize.brentq(lambda e, q=q: distribution(e) - q, -2.0, 2.0, xtol=1e-14) for q in p]
    np.testing.assert_allclose(mixture().fermi_energy(jnp.asarray(p)), expected, atol=1e-11)


@pytest.mark.slow
@pytest.mark.parametrize("temperature", [250.0, 350.0, 600.0])
def test_fermi_dirac_filling_by_quadrature(temperature: float):
    density, _ = scipy_mixture()
    kt = BOLTZMANN_EV * temperature

    def occupied(fermi: float) -> float:
        filled = lambda e: density(e) / (1.0 + np.exp((e - fermi) / kt))  # noqa: E731
        return integrate.quad(filled, -1.2, 1.4, limit=400, points=[-0.1, 0.02, 0.15, fermi], epsabs=1e-13)[0]

    for fermi in (-0.3, 0.0, 0.2):
        value = fermi_dirac_occupied(mixture(), jnp.asarray(fermi), jnp.asarray(temperature))
        assert float(value) == pytest.approx(occupied(fermi), rel=1e-8)
        back = fermi_dirac_energy(mixture(), value, jnp.asarray(temperature))
        assert float(back) == pytest.approx(fermi, abs=1e-11)
        root = optimize.brentq(lambda e, p=float(value): occupied(e) - p, -0.8, 0.8, xtol=1e-12)
        assert float(back) == pytest.approx(root, abs=1e-8)


def test_table_of_a_gaussian_is_the_gaussian():
    p = jnp.asarray([0.01, 0.2, 0.5, 0.95])
    sed = TabulatedSED(occupied=p, energy=GaussianSED(0.25).fermi_energy(p))
    x = jnp.linspace(1e-5, 0.999, 41)
    np.testing.assert_allclose(sed.fermi_energy(x), GaussianSED(0.25).fermi_energy(x), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(sed.support()[1], 7.0 * GaussianSED(0.25).sigma, rtol=1e-9)


def test_table_is_its_knots_and_its_distribution_is_normalised():
    sed = table()
    np.testing.assert_allclose(sed.fermi_energy(sed.occupied), sed.energy, atol=1e-12)
    np.testing.assert_allclose(sed.distribution(sed.energy), sed.occupied, atol=1e-8)
    energy = jnp.linspace(-0.8, 0.9, 20001)
    density = jax.jit(lambda e: sed.density(e))(energy)
    assert jnp.all(density >= 0.0)
    assert float(jnp.trapezoid(density, energy)) == pytest.approx(1.0, abs=1e-6)


PARAMETERS: dict[str, Callable[[Array], Array]] = {
    "gaussian": lambda w: GaussianSED(0.25 * w).fermi_energy(jnp.asarray([1e-4, 0.2, 0.9])),
    "mixture": lambda w: MixtureSED([-0.1, 0.1 * w], [0.2, 0.15 * w], [1.0, w]).fermi_energy(
        jnp.asarray([0.01, 0.5, 0.9])
    ),
    "table": lambda w: TabulatedSED([0.1, 0.3, 0.8], w * jnp.asarray([-0.2, 0.0, 0.2])).fermi_energy(
        jnp.asarray([0.2, 0.9])
    ),
    "fermi-dirac": lambda w: fermi_dirac_energy(GaussianSED(0.25 * w), jnp.asarray([0.02, 0.5, 0.9]), 350.0 / w),
    "density": lambda w: mixture().density(jnp.asarray([-0.1, 0.1]) * w),
    "populated": lambda w: populated_fwhm(GaussianSED(0.25 * w), 0.2 * w),
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_gradients(name: str):
    function = jax.jit(PARAMETERS[name])
    w, h = jnp.asarray(1.03), 1e-5
    forward, reverse = jax.jit(jax.jacfwd(function))(w), jax.jit(jax.jacrev(function))(w)
    np.testing.assert_allclose(forward, reverse, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(forward, (function(w + h) - function(w - h)) / (2.0 * h), rtol=1e-6, atol=1e-9)
    batch = jnp.asarray([0.97, 1.03])
    np.testing.assert_allclose(jax.jit(jax.vmap(jax.jacfwd(function)))(batch)[1], forward, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(jax.jit(jax.vmap(jax.jacrev(function)))(batch)[1], forward, rtol=1e-10, atol=1e-12)


def test_second_derivative_of_an_inverted_distribution():
    one = lambda p: MixtureSED([0.0], [0.25], [1.0]).fermi_energy(p)  # noqa: E731
    exact = lambda p: 0.25 / FWHM_PER_SIGMA * normal_quantile(p)  # noqa: E731
    p = jnp.asarray(0.8)
    assert float(jax.jit(jax.hessian(one))(p)) == pytest.approx(float(jax.hessian(exact)(p)), rel=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("filling", ["sharp", "fermi-dirac"])
@pytest.mark.parametrize("name", ["gaussian", "mixture", "table"])
def test_trailing_batch_equals_loop(name: str, filling: str):
    width, temperature = jnp.asarray([0.8, 1.0, 1.2]), jnp.asarray([320.0, 350.0, 380.0])
    x = jnp.linspace(0.01, 1.0, 7)
    make = {
        "gaussian": lambda w: GaussianSED(0.25 * w),
        "mixture": lambda w: MixtureSED(
            jnp.asarray([-0.1, 0.1]), jnp.asarray([0.2, 0.15])[(...,) + (None,) * w.ndim] * w, [1.0, 2.0]
        ),
        "table": lambda w: TabulatedSED([0.1, 0.3, 0.8], jnp.asarray([-0.2, 0.0, 0.2])[(...,) + (None,) * w.ndim] * w),
    }[name]

    @jax.jit
    def evaluate(w: Array, t: Array, points: Array) -> Array:
        return law(make(w), filling=filling).at(t)(points)

    together = evaluate(width, temperature, x[:, None])
    one_by_one = jnp.stack([evaluate(w, t, x) for w, t in zip(width, temperature, strict=True)], axis=1)
    np.testing.assert_allclose(together, one_by_one, rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("sed", [GaussianSED(0.25), mixture(), table()], ids=lambda sed: type(sed).__name__)
@pytest.mark.parametrize("filling", ["sharp", "fermi-dirac"])
def test_single_precision_stays_single(sed: AbstractSED, filling: str):
    single = jax.tree.map(lambda leaf: leaf if leaf.weak_type else leaf.astype(jnp.float32), sed)
    x, temperature = jnp.asarray([0.02, 0.3, 1.0], jnp.float32), jnp.asarray(350.0, jnp.float32)
    value = jax.jit(lambda x, t: law(single, filling=filling).at(t)(x))(x, temperature)
    double = law(sed, filling=filling).at(jnp.asarray(350.0))(x.astype(jnp.float64))
    assert value.dtype == jnp.float32
    # ln D is a difference of energies of about 15 kT, each known to single precision.
    np.testing.assert_allclose(value, double, rtol=2e-4)
