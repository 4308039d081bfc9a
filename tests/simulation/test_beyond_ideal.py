"""Thermodynamic factors, hops in strong fields and cross coefficients: theory, limits, derivatives."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats

import npp_jax as npp
from npp_jax.constants import BOLTZMANN, BOLTZMANN_EV, ELEMENTARY_CHARGE
from npp_jax.fitting import place
from npp_jax.physics import AbstractDiffusivity
from npp_jax.physics.fermi_dirac import fermi_dirac_energy
from npp_jax.simulation.simulate import FAST
from npp_jax.simulation.status import Status

KT = BOLTZMANN_EV * 350.0
V = 0.1
FWHM = 0.25
D_LI, D_K = 1.3e-18, 9.7e-22


def law(**options) -> npp.SEDDiffusivity:
    return npp.SEDDiffusivity(D_LI, npp.GaussianSED(FWHM), V, **options)


def glass(native: AbstractDiffusivity, foreign: float = D_K, **sample) -> npp.Experiment:
    return npp.Experiment(
        sample=npp.Sample(500e-6, 9.0, 1.4e28, **sample),
        species=(npp.Species("Li", native, bulk_fraction=1.0), npp.Species("K", npp.ConstantDiffusivity(foreign))),
        stages=(npp.Stage(npp.IonBeamPotential("K", 10.0), 350.0, charge=200.0),),
    )


def gaussian(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """D over that of the bulk and Γ by SciPy, with sharp filling."""
    sigma = FWHM / (2.0 * np.sqrt(2.0 * np.log(2.0)))
    z = stats.norm.ppf((1.0 - V) * x)
    ratio = np.exp(sigma / KT * (z - stats.norm.ppf(1.0 - V)))
    return ratio, np.maximum(sigma / KT * (1.0 - V) * x / stats.norm.pdf(z), 1.0)


def test_factor_of_sharp_filling_is_the_slope_of_the_fermi_energy() -> None:
    x = np.linspace(0.02, 1.0, 30)
    factor = law(diffusion_term="thermodynamic").thermodynamic_factor(jnp.asarray(350.0))
    assert factor is not None
    np.testing.assert_allclose(factor(jnp.asarray(x)), gaussian(x)[1], rtol=1e-6)
    assert law().thermodynamic_factor(jnp.asarray(350.0)) is None


def test_factor_of_fermi_dirac_filling_is_one_where_ions_are_few() -> None:
    own = law(diffusion_term="thermodynamic", filling="fermi-dirac")
    factor = own.thermodynamic_factor(jnp.asarray(350.0))
    assert factor is not None
    x = jnp.asarray([1e-5, 0.05, 0.3, 0.9])
    found = np.asarray(factor(x))
    # f = ∫ g(E)/(1 + exp((E - E_F)/kT)) dE, so that df/dE_F is that integral of occupied times empty sites.
    sigma = FWHM / (2.0 * np.sqrt(2.0 * np.log(2.0)))
    for k, one in enumerate((1.0 - V) * np.asarray(x)):
        level = float(fermi_dirac_energy(own.sed, jnp.asarray(one), jnp.asarray(350.0)))

        def both(energy: float, level: float = level) -> float:
            return stats.norm.pdf(energy, scale=sigma) / (4.0 * np.cosh(0.5 * (energy - level) / KT) ** 2) / KT

        expected = one / integrate.quad(both, -1.5, 1.5, points=[level], limit=200)[0] / KT
        assert found[k] == pytest.approx(expected, rel=5e-3)
    assert found[0] < 1.1 and found[-1] > 5.0


@pytest.mark.slow
def test_width_of_a_front_with_a_thermodynamic_factor() -> None:
    """The travelling wave of two ions: its slope is that of the ideal one over Γ(1 - u) + u, as of Darken."""
    experiment = glass(law(diffusion_term="thermodynamic"))
    found = npp.simulate(experiment)
    assert int(found.report.status) == Status.DONE
    foot = float(found.plateau[-1])
    speed = float(found.front_depth[-1]) / (200.0 / (ELEMENTARY_CHARGE * 1.4e28))
    current = float(found.trace.current_density[-1]) / (ELEMENTARY_CHARGE * 1.4e28)

    def length(u: float) -> float:
        ratio, factor = gaussian(np.array(u))
        ideal = (1.0 - u) * (speed * u / D_K - (1.0 - speed * (1.0 - u)) / (D_LI * float(ratio)))
        return (float(factor) * (1.0 - u) + u) / (ideal * current)

    low, high = (foot + share * (1.0 - foot) for share in (0.16, 0.84))
    expected = integrate.quad(length, low, high)[0]
    assert float(found.front_width[-1]) == pytest.approx(expected, rel=0.02)
    # The ideal front is less than half as wide, at the same depth.
    plain = npp.simulate(glass(law()))
    assert float(plain.front_width[-1]) < 0.5 * expected
    assert float(plain.front_depth[-1]) == pytest.approx(float(found.front_depth[-1]), rel=0.01)


@pytest.mark.slow
def test_current_through_a_uniform_sample_follows_the_hyperbolic_sine() -> None:
    """Two ions of one D keep the sample uniform: j = e N D (2/a) sinh(a e E/(2kT)), E = U/d."""
    hop, volts, thickness = 0.8e-9, 200.0, 1e-6
    for model in ("electroneutral", "full"):
        sample = npp.Sample(thickness, 9.0, 1.4e28, hop_length=hop)
        experiment = glass(npp.ConstantDiffusivity(1e-21), 1e-21)
        front = npp.IonBeamPotential("K", volts)
        stage = npp.Stage(front, 350.0, charge=200.0)
        found = npp.simulate(
            replace(experiment, sample=sample, stages=(stage,)),
            FAST if model != "full" else npp.Controls(),
            model=model,
        )
        strength = ELEMENTARY_CHARGE * hop * volts / thickness / (2.0 * BOLTZMANN * 350.0)
        expected = ELEMENTARY_CHARGE * 1.4e28 * 1e-21 * 2.0 / hop * np.sinh(strength)
        seconds = 200.0 / expected
        assert strength > 1.5
        assert float(found.time[-1]) == pytest.approx(seconds, rel=2e-3)


@pytest.mark.slow
def test_cross_coefficient_of_a_couple_is_its_mutual_coefficient() -> None:
    """Without current two ions have one coefficient, D = (L₁L₂ - L₁₂²)/[(L₁ + L₂ + 2 L₁₂) u (1 - u)]."""
    cross, D1, D2 = 0.6, 4e-16, 1e-16
    u = np.linspace(1e-3, 1.0 - 1e-3, 120)
    first, second = D1 * u, D2 * (1.0 - u)
    between = cross * first * second / (first + second)
    mutual = (first * second - between**2) / (first + second + 2.0 * between) / (u * (1.0 - u))
    start = {"A": npp.InitialStep(position=100e-6, surface_fraction=0.9, deep_fraction=0.1)}
    stage = npp.Stage(npp.Closed(), 900.0, duration=1e6)

    def couple(sample: npp.Sample, first: AbstractDiffusivity, second: AbstractDiffusivity) -> npp.Solution:
        ions = (
            npp.Species("A", first, bulk_fraction=0.5, back="blocking"),
            npp.Species("B", second, bulk_fraction=0.5, back="blocking"),
        )
        return npp.simulate(npp.Experiment(sample, ions, (stage,), initial=start))

    with_cross = couple(
        npp.Sample(200e-6, 9.0, 1.4e28, cross_coefficient=cross),
        npp.ConstantDiffusivity(D1),
        npp.ConstantDiffusivity(D2),
    )
    # The law takes n/n_bulk.
    by_table = couple(
        npp.Sample(200e-6, 9.0, 1.4e28), npp.SplineDiffusivity(2.0 * u, mutual, "free"), npp.MutualDiffusivity("A")
    )
    depth = np.linspace(60.0, 140.0, 60) * 1e-6
    np.testing.assert_allclose(with_cross.profile(depth), by_table.profile(depth), atol=2e-3)


@pytest.mark.slow
def test_what_is_switched_on_without_effect_changes_nothing() -> None:
    found = npp.simulate(glass(law(), hop_length=1e-12, cross_coefficient=0.0), FAST)
    plain = npp.simulate(glass(law()), FAST)
    assert float(found.front_depth[-1]) == pytest.approx(float(plain.front_depth[-1]), rel=2e-3)
    assert float(found.plateau[-1]) == pytest.approx(float(plain.plateau[-1]), abs=2e-3)


@pytest.mark.slow
def test_derivatives_agree() -> None:
    experiment = glass(law(diffusion_term="thermodynamic"), hop_length=1e-9, cross_coefficient=0.2)

    def plateau(x: jax.Array) -> jax.Array:
        changed = place(
            experiment, {"sample.hop_length_nm": x[0], "sample.cross_coefficient": x[1], "Li.sed_fwhm_eV": x[2]}
        )
        found = npp.simulate(changed, FAST)
        return jnp.stack([found.plateau[-1], found.time[-1] / 1e5])

    at = jnp.asarray([1.0, 0.2, 0.25])
    forward, reverse = jax.jit(jax.jacfwd(plateau))(at), jax.jit(jax.jacrev(plateau))(at)
    np.testing.assert_allclose(forward, reverse, rtol=1e-6, atol=1e-9)
    run = jax.jit(plateau)
    for k, step in enumerate((1e-2, 1e-3, 1e-4)):
        up, down = run(at.at[k].add(step)), run(at.at[k].add(-step))
        np.testing.assert_allclose(forward[:, k], (up - down) / (2.0 * step), rtol=0.03, atol=2e-4)


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (lambda: law(diffusion_term="thermodynamic", populations="intermixed"), "separate"),
        (lambda: npp.simulate(_two_charges()), "one charge number"),
    ],
)
def test_what_does_not_go_together_is_told(made, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        made()


def _two_charges() -> npp.Experiment:
    one = glass(law(), hop_length=1e-9)
    return replace(one, species=(one.species[0], replace(one.species[1], charge=2)))
