"""Front of two ions: foot, ramp, speed, width and excess charge against tables and brute force."""

import json
import tomllib
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array
from scipy import integrate, stats

from npp_jax.constants import BOLTZMANN_EV, ELEMENTARY_CHARGE, FWHM_PER_SIGMA, VACUUM_PERMITTIVITY
from npp_jax.physics import (
    ConstantDiffusivity,
    FrontTheory,
    GaussianSED,
    MixtureSED,
    SEDDiffusivity,
    diffusivity_ratio_from_ramp,
    expected_excess_charge,
    foreign_diffusivity_from_front,
    front_slope,
    front_width,
)
from npp_jax.physics.front_theory import Diffusivity, conductance, front_theory, quasi_steady_profile, transport_number

DEPTHS = np.array([0.05, 0.1, 0.25, 0.5, 0.75, 1.0])
# Independent evaluation: D₂/D_bulk, ramp at DEPTHS (of the front depth), v_s, width in D₂/v₀, D₁/D₂ at the foot.
ROWS = {
    "K": (7.2e-4, [0.034, 0.050, 0.080, 0.110, 0.132, 0.150], 1.115, 2.75, 0.314),
    "Rb": (1.4e-4, [0.011, 0.018, 0.032, 0.048, 0.060, 0.070], 1.047, 3.00, 0.358),
    "Cs": (3.2e-5, [0.004, 0.006, 0.012, 0.019, 0.025, 0.030], 1.018, 3.16, 0.396),
}
TENFOLD = {
    "K": (2.3e-3, [0.066, 0.092, 0.136, 0.179, 0.208, 0.232], 1.20, 2.56),
    "Rb": (5.0e-4, [0.027, 0.041, 0.066, 0.093, 0.113, 0.129], 1.10, 2.81),
    "Cs": (1.3e-4, [0.010, 0.017, 0.030, 0.045, 0.056, 0.066], 1.04, 3.01),
}
# Excess charge c (ℓ/λ)²: from the exact neutral wave, by SciPy; ¼ for D₂ ≪ D₁ everywhere.
EXCESS = {"K": 0.3495, "Rb": 0.2835, "Cs": 0.2617}


def laws(
    ratio: float | Array, temperature: float | Array = 350.0, immobile: float = 0.0
) -> tuple[Diffusivity, Diffusivity]:
    temperature = jnp.asarray(temperature)
    native = SEDDiffusivity(1.0, GaussianSED(0.25), 0.1, immobile).at(temperature)
    foreign = ConstantDiffusivity(ratio).at(temperature)
    return native, lambda u: foreign(1.0 - u)


@jax.jit
def front(ratio: float | Array) -> tuple[FrontTheory, Array, Array]:
    """Theory, width in D₂/v₀ and c of the excess charge."""
    native, foreign = laws(ratio)
    theory = front_theory(native, foreign, jnp.asarray(ratio))
    charge = expected_excess_charge(theory, native, foreign, 1.0, ratio)
    return theory, front_width(theory, native, foreign) / ratio, -charge


def ramp_at(theory: FrontTheory, shares: np.ndarray) -> np.ndarray:
    """Fractions on the ramp, linear in their root as in the profile."""
    rooted = np.interp(shares * float(theory.speed), theory.ramp_position, np.sqrt(theory.ramp_fraction))
    return rooted**2


def exact_native(u: np.ndarray) -> np.ndarray:
    slope = 0.25 / FWHM_PER_SIGMA / (BOLTZMANN_EV * 350.0)
    return np.exp(slope * (stats.norm.ppf(0.9 * u) - stats.norm.ppf(0.9)))


@pytest.mark.parametrize("ion", ROWS)
def test_table(ion: str):
    ratio, ramp, speed, width, quoted = ROWS[ion]
    theory, computed, _ = front(ratio)
    # 5e-4 is half a unit of the last printed digit, and D₂/D_bulk has two digits only.
    np.testing.assert_allclose(ramp_at(theory, DEPTHS), ramp, atol=5.5e-4)
    assert float(theory.foot) == pytest.approx(ramp[-1], abs=5e-4)
    assert float(theory.speed) == pytest.approx(speed, abs=1e-3)
    assert float(computed) == pytest.approx(width, abs=5.01e-3)
    native, _ = laws(ratio)
    assert float(native(theory.foot)) / ratio == pytest.approx(quoted, abs=5.01e-4)
    assert float(theory.spreading) == 0.0


@pytest.mark.parametrize("ion", TENFOLD)
def test_table_of_the_tenfold_rule(ion: str):
    ratio, ramp, speed, width = TENFOLD[ion]
    theory, computed, _ = front(ratio)
    # D₂/D_bulk is printed with two digits: 2 % of it moves the foot by 1 %.
    np.testing.assert_allclose(ramp_at(theory, DEPTHS), ramp, atol=2e-3)
    assert float(theory.speed) == pytest.approx(speed, abs=6e-3)
    assert float(computed) == pytest.approx(width, abs=1.1e-2)


@pytest.mark.parametrize("ratio", [3.2e-5, 7.2e-4, 1e-2, 0.3, 2.0])
def test_foot_is_the_composition_of_least_conductivity(ratio: float):
    theory, _, _ = front(ratio)
    u = np.concatenate([np.logspace(-5, -2, 30001), np.linspace(0.01, 1.0, 300001)[1:-1]])
    conductivity = u * exact_native(u) + ratio * (1.0 - u)
    assert float(theory.foot) == pytest.approx(u[conductivity.argmin()], rel=2e-4)
    # The hull: no chord from the bulk is steeper, and the tangent has the slope of t₁.
    share = u * exact_native(u) / conductivity
    assert float(theory.speed) == pytest.approx(np.max((1.0 - share) / (1.0 - u)), rel=1e-7)
    native, foreign = laws(ratio)
    slope = jax.grad(lambda v: transport_number(v, native, foreign))(theory.foot)
    assert float(slope) == pytest.approx(float(theory.speed), rel=1e-6)


@pytest.mark.parametrize("ratio", [3.2e-5, 7.2e-4, 2.3e-3])
def test_width_by_integration_of_the_wave(ratio: float):
    theory, width, _ = front(ratio)
    foot, speed = float(theory.foot), float(theory.speed)
    inverse = lambda u: 1.0 / ((1.0 - u) * (speed * u - ratio / exact_native(u) * (1.0 - speed * (1.0 - u))))  # noqa: E731
    expected = integrate.quad(inverse, foot + 0.16 * (1.0 - foot), foot + 0.84 * (1.0 - foot))[0]
    assert float(width) == pytest.approx(expected, rel=1e-6)


def test_logistic_limit():
    """With D₂ ≪ D₁ and no ramp, w = 2 ln(0.84/0.16) ℓ and the excess charge is a quarter."""
    native, foreign = (lambda u: jnp.ones_like(u)), (lambda u: jnp.full_like(u, 1e-7))
    theory = front_theory(native, foreign, jnp.asarray(1.0))
    assert float(theory.foot) == 0.0
    assert float(theory.speed) == 1.0
    assert float(front_width(theory, native, foreign)) / 1e-7 == pytest.approx(2.0 * np.log(0.84 / 0.16), rel=1e-5)
    charge = expected_excess_charge(theory, native, foreign, 1.0, 1e-7)
    assert float(charge) == pytest.approx(-0.25, rel=1e-4)


@pytest.mark.parametrize("ion", EXCESS)
def test_excess_charge(ion: str):
    ratio = ROWS[ion][0]
    theory, _, computed = front(ratio)
    assert float(computed) == pytest.approx(EXCESS[ion], rel=5e-4)
    native, foreign = laws(ratio)
    one = expected_excess_charge(theory, native, foreign, 0.03, 2e-4)
    assert float(one) == pytest.approx(-EXCESS[ion] * (0.03 * 2e-4 / ratio) ** 2, rel=5e-4)
    four = expected_excess_charge(theory, native, foreign, 0.06, 2e-4)
    assert float(four / one) == pytest.approx(4.0, rel=1e-12)


@pytest.mark.parametrize("output", [1, 2])
def test_excess_charge_and_width_of_a_full_solution(reference: Callable[[str], Path], output: int):
    """Constant current, Nernst–Planck–Poisson: the front is stationary but for the finite field (Pe = 23 and 46)."""
    case = tomllib.loads((reference("p2") / "case.toml").read_text(encoding="utf-8"))
    summary = json.loads((reference("p2") / "summary.json").read_text(encoding="utf-8"))["outputs"][output]
    sample, stage = case["sample"], case["stages"][0]
    foreign_D = case["species"][1]["diffusivity"]["D_m2_s"]
    ratio = foreign_D / case["species"][0]["diffusivity"]["D_bulk_m2_s"]
    velocity = stage["current_density_A_m2"] / (ELEMENTARY_CHARGE * sample["bulk_density_m3"])
    thermal = BOLTZMANN_EV * stage["temperature_K"]
    permittivity = VACUUM_PERMITTIVITY * sample["permittivity"]
    debye = np.sqrt(permittivity * thermal / (ELEMENTARY_CHARGE * sample["bulk_density_m3"]))
    theory, _, charge = front(ratio)
    excess = -float(charge) * (debye * velocity / foreign_D) ** 2
    assert excess == pytest.approx(summary["min_excess_charge_fraction"], rel=0.03)
    # The observed width counts from the plateau at half depth, which is below the foot.
    plateau, foot = summary["plateau_half_depth"], float(theory.foot)
    lower, upper = ((plateau + share * (1.0 - plateau) - foot) / (1.0 - foot) for share in (0.16, 0.84))
    native, foreign = laws(ratio)
    width = float(front_width(theory, native, foreign, lower=lower, upper=upper))
    assert 1e9 * width * foreign_D / (ratio * velocity) == pytest.approx(summary["front_width_16_84_nm"], rel=0.03)
    passed = 1e9 * summary["charge_C_m2"] / (ELEMENTARY_CHARGE * sample["bulk_density_m3"])
    assert float(theory.speed) * passed == pytest.approx(summary["front_depth_nm"], rel=0.02)


@pytest.mark.parametrize(
    ("ratio", "temperature", "estimate"),
    [
        (7.21e-4, 350.0, 7.32e-4),
        (1.41e-4, 350.0, 1.45e-4),
        (3.15e-5, 350.0, 3.21e-5),
        (2.26e-3, 350.0, 2.17e-3),
        (1.98e-4, 300.0, 2.14e-4),
    ],
)
def test_equation_three(ratio: float, temperature: float, estimate: float):
    """On the exact wave the paper's estimate is right to 8 %; values printed with three digits."""
    native, foreign = laws(ratio, temperature)
    theory = front_theory(native, foreign, jnp.asarray(temperature))
    middle = 0.5 * (1.0 + theory.foot)
    slope = front_slope(middle, theory.speed, native, foreign)
    computed = foreign_diffusivity_from_front(1.0, native(theory.foot), 1.0, theory.foot, native(middle), slope, -1.0)
    assert float(computed) == pytest.approx(estimate, rel=5e-3)
    assert abs(float(computed) / ratio - 1.0) < 0.1


def test_equation_three_is_exact_where_its_assumptions_hold():
    rng = np.random.default_rng(3)
    D_bulk, D_plateau, D_mid, n_bulk, n_plateau, field = *rng.uniform(0.5, 2.0, 4), 0.2, -0.7
    foreign, n_mid = 0.3, 0.5 * (n_bulk + 0.2)
    field_plateau = field * D_bulk * n_bulk / (foreign * (n_bulk - n_plateau) + D_plateau * n_plateau)
    gradient = D_bulk * n_bulk * field / D_mid - n_mid * 0.5 * (field + field_plateau)
    value = foreign_diffusivity_from_front(D_bulk, D_plateau, n_bulk, n_plateau, D_mid, gradient, field)
    assert float(value) == pytest.approx(foreign, rel=1e-12)


def test_foreign_ion_faster_than_the_bulk_spreads():
    """Both D constant, r = 2: t₁ is convex, the profile is the fan x/q = t₁'(u) = r/s² from 1/r to r."""
    native, foreign = (lambda u: jnp.ones_like(u)), (lambda u: jnp.full_like(u, 2.0))
    theory = front_theory(native, foreign, jnp.asarray(1.0))
    assert float(theory.foot) > 0.999
    assert float(theory.speed + theory.spreading) == pytest.approx(2.0, rel=1e-12)
    assert float(theory.spreading) > 0.0
    u = theory.ramp_fraction[1:-1]
    np.testing.assert_allclose(theory.ramp_position[1:-1], 2.0 / (2.0 - u) ** 2, rtol=1e-12)
    assert jnp.isinf(front_width(theory, native, foreign))


@pytest.mark.parametrize("native_power", [0.0, 1.0])
def test_complete_replacement(native_power: float):
    """The slower foreign ion behind a constant D₁ leaves nothing; behind D₁ = u the foot is u = r/2."""
    ratio = 1e-3
    native, foreign = (lambda u: jnp.ones_like(u) * u**native_power), (lambda u: jnp.full_like(u, ratio))
    theory = front_theory(native, foreign, jnp.asarray(1.0))
    if native_power == 0.0:
        assert float(theory.foot) == 0.0
        assert float(theory.speed) == 1.0
    else:
        assert float(theory.foot) == pytest.approx(0.5 * ratio, rel=1e-6)
    assert float(theory.spreading) == 0.0


def test_ramp_conserves_ions():
    """∫(1 - u) dx = q over the hull, with the ramp integrated as ∫x du."""
    for ratio, *_ in ROWS.values():
        theory, _, _ = front(ratio)
        x, u = np.asarray(theory.ramp_position), np.asarray(theory.ramp_fraction)
        native_left = float(theory.foot * theory.speed) - np.trapezoid(x, u)
        assert float(theory.speed) - native_left == pytest.approx(1.0, abs=2e-4)


def test_resistance_and_potential_by_quadrature():
    ratio = 7.2e-4
    theory, _, _ = front(ratio)
    native, foreign = laws(ratio)
    u = np.linspace(1e-7, float(theory.foot), 200001)
    slope = jax.vmap(jax.grad(lambda v: transport_number(v, native, foreign)))(jnp.asarray(u))
    resistance = np.trapezoid(1.0 / np.asarray(conductance(jnp.asarray(u), native, foreign)), slope)
    assert float(theory.ramp_resistance) == pytest.approx(resistance, rel=2e-3)
    drop = lambda v: (exact_native(v) - ratio) / (exact_native(v) * v + ratio * (1.0 - v))  # noqa: E731
    assert float(theory.step_potential) == pytest.approx(integrate.quad(drop, 0.0, 1.0, limit=400)[0], rel=2e-2)


def test_ramp_inversion_returns_the_diffusivity():
    for ratio, *_ in ROWS.values():
        theory, _, _ = front(ratio)
        charge = 87.0
        depth, fraction = charge * theory.ramp_position[1:], theory.ramp_fraction[1:]
        found = diffusivity_ratio_from_ramp(depth, fraction, charge)
        inner = np.asarray(fraction) > 0.02 * float(theory.foot)
        np.testing.assert_allclose(found[inner], exact_native(np.asarray(fraction))[inner] / ratio, rtol=0.02)
        both = diffusivity_ratio_from_ramp(depth[:, None], fraction, jnp.asarray([charge, charge]))
        np.testing.assert_allclose(both[:, 1], found, rtol=1e-12)


def test_flat_plateau_at_an_immobile_fraction():
    native, foreign = laws(7.2e-4, immobile=0.15)
    theory = front_theory(native, foreign, jnp.asarray(1.0))
    assert 0.15 < float(theory.foot) < 0.35
    assert ramp_at(theory, np.array([0.02]))[0] > 0.13


def test_profile_has_the_charge_and_the_levels():
    theory, _, _ = front(7.2e-4)
    x = jnp.linspace(0.0, 200.0, 20001)
    u = quasi_steady_profile(theory, x, jnp.asarray(100.0), jnp.asarray(1.0))
    assert float(jnp.trapezoid(1.0 - u, x)) == pytest.approx(100.0, rel=5e-3)
    assert float(u[0]) < 1e-6
    assert float(u[-1]) == pytest.approx(1.0)
    assert jnp.all(jnp.diff(u) >= 0.0)


def observables(ratio: Array) -> Array:
    theory, width, charge = front(ratio)
    profile = quasi_steady_profile(theory, jnp.linspace(1.0, 150.0, 5), jnp.asarray(100.0), jnp.asarray(2.0))
    return jnp.stack([theory.foot, theory.speed, theory.ramp_resistance, width, charge, profile[2]])


@pytest.mark.slow
def test_gradients():
    ratio, h = jnp.asarray(7.2e-4), 1e-9
    value, forward, reverse = (jax.jit(f) for f in (observables, jax.jacfwd(observables), jax.jacrev(observables)))
    slope = forward(ratio)
    np.testing.assert_allclose(slope, reverse(ratio), rtol=1e-8)
    np.testing.assert_allclose(slope, (value(ratio + h) - value(ratio - h)) / (2.0 * h), rtol=2e-4)
    batch = jnp.asarray([1.4e-4, 7.2e-4])
    np.testing.assert_allclose(jax.jit(jax.vmap(jax.jacfwd(observables)))(batch)[1], slope, rtol=1e-8)


def test_trailing_batch_equals_loop():
    ratios = jnp.asarray([3.2e-5, 7.2e-4, 0.3])
    together = front(ratios)
    for k, ratio in enumerate(ratios):
        for many, one in zip(jax.tree.leaves(together), jax.tree.leaves(front(ratio)), strict=True):
            np.testing.assert_allclose(many[..., k], one, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("mixed", [False, True])
def test_single_precision_stays_single(mixed: bool):
    ratio = jnp.asarray(7.2e-4, jnp.float32)
    temperature = jnp.asarray(350.0, jnp.float32)
    one = MixtureSED(*(jnp.full(1, value, jnp.float32) for value in (0.0, 0.25, 1.0)))
    sed = one if mixed else GaussianSED(0.25)

    @jax.jit
    def run(ratio: Array, temperature: Array) -> tuple[FrontTheory, Array, Array]:
        native = SEDDiffusivity(1, sed, 0.1).at(temperature)
        foreign = ConstantDiffusivity(ratio).at(temperature)
        theory = front_theory(native, foreign, temperature)
        return (
            theory,
            front_width(theory, native, foreign) / ratio,
            -expected_excess_charge(theory, native, foreign, np.float64(1.0).item(), ratio),
        )

    single, double = run(ratio, temperature), front(7.2e-4)
    for low, high in zip(jax.tree.leaves(single), jax.tree.leaves(double), strict=True):
        assert low.dtype == jnp.float32
        np.testing.assert_allclose(low, high, rtol=1e-3, atol=1e-6)
