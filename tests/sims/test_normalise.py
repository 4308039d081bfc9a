"""Scales and depths against closed forms and simulated profiles."""

import numpy as np
import pytest
from scipy.special import erfc

from npp_jax.sims.depth import depth_of_time, mixed_rate
from npp_jax.sims.normalise import bulk_scale, depth_range, exchanged_depth, loss_scale, sum_scales, uptake_scale

DEPTH = np.linspace(1.0, 400.0, 400)
FOREIGN = 0.5 * erfc((DEPTH - 120.0) / 20.0)


def test_linear_depth():
    np.testing.assert_allclose(depth_of_time(np.array([0.0, 5.0, 20.0]), 300.0, 60.0), [0.0, 25.0, 100.0])


def test_a_constant_rate_is_the_linear_depth():
    time = np.linspace(0.5, 59.0, 30)
    found = depth_of_time(time, 300.0, 60.0, np.full(30, 7.0))
    np.testing.assert_allclose(found, depth_of_time(time, 300.0, 60.0), rtol=1e-12)


def test_depth_at_a_rate_that_grows_with_time():
    """v = a + b t: z ∝ a t + b t²/2, which trapezia integrate exactly."""
    time = np.linspace(0.0, 50.0, 26)
    exact = 200.0 * (time + 0.02 * time**2 / 2.0) / (50.0 + 0.02 * 50.0**2 / 2.0)
    np.testing.assert_allclose(depth_of_time(time, 200.0, 50.0, 1.0 + 0.02 * time), exact, rtol=1e-12)


def test_depth_behind_an_edge_between_two_rates():
    """20 s at 3 nm/s, then 60 s at 1 nm/s: a crater of 120 nm with the edge at 60 nm."""
    time = np.linspace(0.05, 79.95, 800)
    rate = np.where(time < 20.0, 3.0, 1.0)
    depth = depth_of_time(time, 120.0, 80.0, rate)
    assert np.interp(20.0, time, depth) == pytest.approx(60.0, abs=0.1)
    assert depth[-1] == pytest.approx(119.95, abs=0.01)


def test_rates_mix_by_fractions_and_noise_below_zero_is_none():
    fraction = np.array([[1.0, 0.0, 0.25, -0.1, 0.0], [0.0, 2.0, 0.75, 1.0, 0.0]])
    np.testing.assert_allclose(mixed_rate(fraction, np.array([4.0, 1.0])), [4.0, 1.0, 1.75, 1.0, 2.5])


def test_depth_range_names_what_is_there():
    with pytest.raises(ValueError, match=r"1 points between 399\.5 and 500 nm.*go from 1 to 400 nm"):
        depth_range(DEPTH, 399.5, 500.0)


def test_exchanged_depth():
    """1 C/m² of univalent ions is 6.241509e18 ions/m²; at 1e28/m³ that is 0.6241509 nm."""
    assert exchanged_depth(1.0, 1e28) == pytest.approx(0.6241509, rel=1e-6)


def test_bulk_scale_and_its_uncertainty(rng: np.random.Generator):
    inside = DEPTH > 300.0
    draws = rng.poisson(40.0 * (1.0 - FOREIGN), (3000, 400)).astype(float)
    scales, sigmas = np.array([bulk_scale(row, row, inside) for row in draws]).T
    assert np.mean(scales) == pytest.approx(1.0 / 40.0, rel=2e-3)
    assert np.std(scales) / np.mean(scales) == pytest.approx(np.mean(sigmas), rel=0.06)


def test_no_bulk_level_is_refused():
    with pytest.raises(ValueError, match="no bulk level"):
        bulk_scale(np.zeros(400), np.zeros(400), DEPTH > 300.0)


@pytest.mark.parametrize("native", [False, True])
def test_charge_gives_the_scale(native: bool, rng: np.random.Generator):
    """∫ ½ erfc((z − 120)/20) dz = 120 nm to 1e-9."""
    find, truth = (loss_scale, 1.0 - FOREIGN) if native else (uptake_scale, FOREIGN)
    draws = rng.poisson(25.0 * truth, (3000, 400)).astype(float)
    scales, sigmas = np.array([find(DEPTH, row, row, 120.0) for row in draws]).T
    assert np.mean(scales) == pytest.approx(1.0 / 25.0, rel=2e-3)
    assert np.std(scales) / np.mean(scales) == pytest.approx(np.mean(sigmas), rel=0.06)


def test_more_charge_than_depth_is_refused():
    with pytest.raises(ValueError, match="exchanges 500 nm, but the profile ends at 400 nm"):
        loss_scale(DEPTH, 1.0 - FOREIGN, FOREIGN, 500.0)


@pytest.mark.parametrize("counts", [3.0, 300.0])
def test_sum_rule_is_unbiased_at_few_counts(counts: float, rng: np.random.Generator):
    """Foreign ion of unknown scale beside a native one of known scale."""
    native = rng.poisson(counts * (1.0 - FOREIGN), (2000, 400)) / counts
    foreign = rng.poisson(counts * FOREIGN, (2000, 400)).astype(float)
    found = [sum_scales(y[None], y[None], 1.0 - x, x / counts) for x, y in zip(native, foreign, strict=True)]
    scales, sigmas = np.array([(scale[0], sigma[0]) for scale, sigma in found]).T
    bias = np.mean(scales) * counts - 1.0
    assert abs(bias) < 0.2 * np.std(scales) * counts
    assert np.std(scales) / np.mean(scales) == pytest.approx(np.mean(sigmas), rel=0.12)
    # Least squares that take the signal of the foreign ion for exact come out low by about 1/(counts + 1).
    plain = np.mean(np.sum(foreign * (1.0 - native), axis=1) / np.sum(foreign**2, axis=1)) * counts - 1.0
    assert plain < -0.8 / (counts + 1.0)


def test_sum_rule_of_two_unknown_scales(rng: np.random.Generator):
    values = np.stack([rng.poisson(90.0 * (1.0 - FOREIGN)), rng.poisson(30.0 * FOREIGN)]).astype(float)
    scale, sigma = sum_scales(values, values, np.ones(400), np.zeros(400))
    assert np.all(np.abs(scale * [90.0, 30.0] - 1.0) < 4.0 * sigma)
    assert np.all(sigma < 0.02)


def test_sum_rule_without_contrast_is_refused(rng: np.random.Generator):
    one = rng.poisson(1e6, 400).astype(float)
    with pytest.raises(ValueError, match="do not vary enough"):
        sum_scales(np.stack([one, one]), np.zeros((2, 400)), np.ones(400), np.zeros(400))
    with pytest.raises(ValueError, match="has no counts"):
        sum_scales(np.zeros((1, 400)), np.zeros((1, 400)), np.ones(400), np.zeros(400))
