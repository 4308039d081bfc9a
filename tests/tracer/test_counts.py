"""Counts as data: the deviance and its slopes, and fits of few counts whose errors are those of repeated draws."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from npp_jax.commands.tracer.report import chi2_lines
from npp_jax.tracer.counts import IsotopeCounts
from npp_jax.tracer.evolution import exchange_profile
from npp_jax.tracer.measured import MeasuredProfile
from npp_jax.tracer.profile_fit import fit_profile

D, DURATION, BASE, SURFACE = 8e-13, 110 * 3600.0, 0.0742, 0.60
POSITION = np.linspace(2e-5, 6.0 * np.sqrt(D * DURATION), 60)


def poisson_deviance(counts: IsotopeCounts, c: np.ndarray, intensity: np.ndarray) -> np.ndarray:
    """Deviance of both channels at given intensities."""
    first = intensity * counts.mass_bias * c + counts.background[0]
    second = intensity * (1.0 - c) + counts.background[1]
    pairs = ((np.asarray(counts.counted), first), (np.asarray(counts.other), second))
    return sum(2.0 * (special.xlogy(k, k / E) - k + E) for k, E in pairs)


def test_counts_need_no_intensity(rng: np.random.Generator):
    """The binomial deviance is that of two Poisson channels whose intensity is fitted in each pixel."""
    a, b = rng.poisson(20.0, (3, 4)) * 1.0, rng.poisson(30.0, (3, 4)) * 1.0
    c = rng.uniform(0.2, 0.8, (3, 4))
    counts = IsotopeCounts(a, b)
    residual = counts.residual(jnp.asarray(c))
    np.testing.assert_allclose(residual**2, poisson_deviance(counts, c, a + b), rtol=1e-12)
    assert np.array_equal(np.sign(residual), np.sign((a + b) * c - a))


@pytest.mark.parametrize(("background", "bias"), [((0.0, 0.0), 1.0), ((0.0, 0.0), 1.7), ((1.5, 4.0), 1.3)])
def test_deviance_is_least_at_the_intensity_that_is_taken(background, bias: float, rng: np.random.Generator):
    """Against a search over intensities, with none, some and all counts in either channel; slopes by differences."""
    a, b = np.array([0.0, 3.0, 0.0, 9.0, 25.0, 0.0]), np.array([7.0, 0.0, 0.0, 4.0, 60.0, 1.0])
    counts, c = IsotopeCounts(a, b, background, bias), rng.uniform(0.05, 0.95, 6)
    intensity = np.linspace(1e-9, 150.0, 600_001)[:, None]
    used = a + b > 0.0
    searched = np.min(poisson_deviance(counts, c, intensity), axis=0)
    np.testing.assert_allclose(counts.residual(jnp.asarray(c))[used] ** 2, searched[used], atol=1e-6)
    slope = jax.jvp(counts.residual, (jnp.asarray(c),), (jnp.ones(6),))[1]
    difference = (counts.residual(jnp.asarray(c + 1e-5)) - counts.residual(jnp.asarray(c - 1e-5))) / 2e-5
    np.testing.assert_allclose(slope, difference, rtol=1e-6, atol=1e-8)
    assert counts.points() == 5


def test_slope_where_the_model_meets_the_counts():
    """The root is straight through zero, with the sharpness as its slope."""
    counts = IsotopeCounts(np.array([300.0]), np.array([700.0]))
    for away in (0.0, 1e-12, 1e-9, 1e-7):
        c = jnp.asarray([0.3 + away])
        value, slope = jax.jvp(counts.residual, (c,), (jnp.ones(1),))
        sharpness = float(counts.sharpness(c)[0])
        assert sharpness == pytest.approx(np.sqrt(1000.0 / (0.3 * 0.7)), rel=1e-6)
        assert float(slope[0]) == pytest.approx(sharpness, rel=1e-4)
        assert float(value[0]) == pytest.approx(sharpness * away, rel=1e-4, abs=1e-10)


def test_misfit_of_few_counts_has_its_own_moments(rng: np.random.Generator):
    fraction = jnp.linspace(0.05, 0.6, 12)
    n = rng.poisson(8.0, 12)
    light = rng.binomial(n, fraction, (4000, 12))
    drawn = np.asarray(jax.vmap(lambda a: IsotopeCounts(a * 1.0, n - a * 1.0).residual(fraction))(light)) ** 2
    mean, variance = IsotopeCounts(light[0] * 1.0, (n - light[0]) * 1.0).expected_chi2(fraction)
    assert mean == pytest.approx(drawn.mean(0).sum(), rel=0.05)
    assert variance == pytest.approx(drawn.var(0).sum(), rel=0.15)


def drawn_profile(counts: float, seed: int, background: tuple[float, float], bias: float) -> MeasuredProfile:
    rng = np.random.default_rng(seed)
    fraction = BASE + (SURFACE - BASE) * np.asarray(exchange_profile(jnp.asarray(POSITION), D * DURATION))
    light = rng.poisson(counts * bias * fraction + background[0]) * 1.0
    heavy = rng.poisson(counts * (1.0 - fraction) + background[1]) * 1.0
    return MeasuredProfile(POSITION, fraction, np.ones(60), IsotopeCounts(light, heavy, background, bias))


@pytest.mark.parametrize(("background", "bias"), [((0.0, 0.0), 1.0), ((0.5, 1.0), 1.2)])
@pytest.mark.slow
def test_few_counts_give_D_without_bias(background: tuple[float, float], bias: float):
    """Eight counts a point: D in the mean of repeated measurements, and in the interval of 95 % of them."""
    draws = 40
    ratio, inside, probability = np.empty(draws), np.empty(draws, bool), np.empty(draws)
    for seed in range(draws):
        fit = fit_profile(drawn_profile(8.0, seed, background, bias), DURATION, start=2e-12)
        found = fit["D_m2_s"]
        assert fit.converged
        ratio[seed], probability[seed] = found.value / D, fit.p_value
        inside[seed] = found.interval[0] < D < found.interval[1]
    # The standard error of the median is 7 %.
    assert abs(np.log(np.median(ratio))) < 0.12
    assert np.mean(inside) > 0.88
    assert np.mean(probability < 0.05) < 0.15


@pytest.mark.parametrize("wrong", [(-1.0, 3.0), (3.0, -1.0)])
def test_negative_counts_are_refused(wrong: tuple[float, float]):
    """They gave fractions outside of 0 to 1, which a fit took."""
    with pytest.raises(ValueError, match="counts must not be negative"):
        IsotopeCounts(np.array([4.0, wrong[0]]), np.array([4.0, wrong[1]]))


@pytest.mark.parametrize("error", [0.0, -0.01])
def test_errors_that_weigh_nothing_are_refused(error: float):
    with pytest.raises(ValueError, match="standard errors must be positive"):
        MeasuredProfile(np.linspace(0.0, 1e-3, 8), np.linspace(0.9, 0.1, 8), error)


@pytest.mark.parametrize("light", [True, False])
def test_counts_of_one_isotope_alone_are_explained(light: bool, rng: np.random.Generator):
    """No light count in a profile, or no heavy one: a fraction of zero or one, which no datum contradicts."""
    counts, none = rng.poisson(200.0, 31).astype(float), np.zeros(31)
    pair = (counts, none) if light else (none, counts)
    found = fit_profile(MeasuredProfile.of_counts(np.linspace(0.0, 3e-3, 31), *pair), 4e5, start=2e-12)
    assert found.p_value == 1.0
    assert not found.converged
    assert chi2_lines(found)[1] == []
