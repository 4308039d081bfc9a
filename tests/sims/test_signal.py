"""Counting statistics: against exact distributions, simulated detectors and a real one."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from npp_jax.sims import read_raw
from npp_jax.sims.raw import Channel
from npp_jax.sims.signal import Signal, counted_signal, interpolated, noise


def channel(values: np.ndarray, **fields) -> Channel:
    fields = {"unit": "counts", "kind": "counts", "per_count": 1.0, **fields}
    axis = np.arange(len(values), dtype=float)
    return Channel(name="K", axis=axis, values=np.asarray(values, dtype=float), lines=np.arange(len(values)), **fields)


def test_sigma_is_that_of_the_mean_given_the_counts():
    """Density of the mean μ given n counts and no other knowledge: μⁿ e^(−μ)/n!, a gamma distribution."""
    counts = np.array([0.0, 1.0, 2.0, 10.0, 400.0])
    np.testing.assert_allclose(counted_signal(channel(counts)).sigma, stats.gamma(counts + 1.0).std(), rtol=1e-12)


def test_variance_for_sums_is_unbiased_and_sigma_is_not_used_for_them(rng: np.random.Generator):
    counts = rng.poisson(0.3, (200, 50)).astype(float)
    sums = counts.sum(axis=1)
    estimated = np.array([counted_signal(channel(row)).variance.sum() for row in counts])
    assert np.mean(estimated) == pytest.approx(15.0, rel=0.05)
    assert np.var(sums) == pytest.approx(15.0, rel=0.25)


@pytest.mark.parametrize("load", [0.01, 0.3, 1.0, 2.0])
def test_dispersion_of_a_counter_with_dead_time(load: float, rng: np.random.Generator):
    """Simulated pulses: each is counted once if one ion or more arrive."""
    pulses = 16384
    seen = rng.binomial(pulses, -np.expm1(-load), 20_000)
    ions = -pulses * np.log1p(-seen / pulses)
    assert np.mean(ions) == pytest.approx(load * pulses, rel=1e-3)
    signal = counted_signal(channel(np.full(5, load * pulses), pulses=float(pulses)))
    # The sample variance of 20 000 numbers is known to 1 %.
    assert np.var(ions) == pytest.approx(signal.variance[0], rel=0.04)
    assert signal.counts[0] == pytest.approx(signal.ions[0] ** 2 / signal.variance[0])


def test_rates_become_ions_by_the_worth_of_one():
    signal = counted_signal(channel([2.0, 4.0, 0.0, 1.0, 3.0], unit="counts/s", kind="rate", per_count=0.5))
    np.testing.assert_allclose(signal.ions, [4.0, 8.0, 0.0, 2.0, 6.0])
    by_dwell = counted_signal(channel([2.0, 4.0, 0.0, 1.0, 3.0], kind="rate", per_count=None), dwell=2.0)
    np.testing.assert_allclose(by_dwell.ions, signal.ions)
    # A detector that sees half of the ions: its yield stays where another counting time goes before that of the file.
    half = channel([2.0, 4.0, 0.0, 1.0, 3.0], kind="rate", per_count=2.0, dwell=1.0)
    np.testing.assert_allclose(counted_signal(half, dwell=4.0).ions, signal.ions)


def test_unknown_units_are_counts_only_if_told():
    values = channel([2.0, 4.0, 0.0, 1.0, 3.0], unit="1", kind="other", per_count=None)
    assert not counted_signal(values).counted
    np.testing.assert_array_equal(counted_signal(values, as_counts=True).counts, values.values)
    ratio = channel([2.0, 4.0, 0.0, 1.0, 3.0], unit="%", kind="ratio", per_count=None)
    assert not counted_signal(ratio, as_counts=True).counted


def test_interpolation_keeps_the_variance(rng: np.random.Generator):
    mean, axis = np.linspace(40.0, 90.0, 11), np.arange(11.0)
    target = axis[:-1] + 0.3
    draws = rng.poisson(mean, (20_000, 11)).astype(float)
    found = np.stack([interpolated(counted_signal(channel(row)), axis, target).ions for row in draws[:2000]])
    expected = interpolated(counted_signal(channel(mean)), axis, target)
    np.testing.assert_allclose(found.mean(axis=0), expected.ions, rtol=0.02)
    np.testing.assert_allclose(found.var(axis=0), expected.variance, rtol=0.15)
    # Counts of the Poisson distribution with that relative uncertainty.
    np.testing.assert_allclose(expected.counts, expected.ions**2 / expected.variance)


def test_interpolation_at_the_same_points_changes_nothing():
    signal = counted_signal(channel([3.0, 0.0, 5.0, 2.0, 9.0]))
    assert interpolated(signal, np.arange(5.0), np.arange(5.0)) is signal
    halved = interpolated(signal, np.arange(5.0), np.arange(1.0, 4.0))
    np.testing.assert_allclose(halved.ions, [0.0, 5.0, 2.0])
    np.testing.assert_allclose(halved.dispersion, 1.0)


def test_empty_neighbours_have_an_uncertainty():
    signal = counted_signal(channel(np.zeros(6)))
    between = interpolated(signal, np.arange(6.0), np.arange(5) + 0.5)
    # No count in two points: the mean of both is below one half with the same probability.
    np.testing.assert_allclose(between.sigma, 0.5)


def test_noise_of_a_smooth_curve_with_an_edge(rng: np.random.Generator):
    depth = np.linspace(0.0, 1.0, 20_000)
    curve = np.where(depth < 0.4, 10.0, 3.0 + depth) + rng.normal(0.0, 0.2, 20_000)
    np.testing.assert_allclose(noise(curve), 0.2, rtol=0.03)


def test_noise_grows_with_counted_ions_that_were_divided_by_their_bulk(rng: np.random.Generator):
    depth = np.linspace(0.0, 300.0, 60)
    truth = 0.95 / (1.0 + np.exp((depth - 110.0) / 4.0)) + 0.0005
    behind = depth > 150.0
    ratios = []
    for _ in range(200):
        found = noise(rng.poisson(truth * 3000.0) / 3000.0)
        ratios.append((np.mean(found[depth < 85.0]), np.mean(found[behind])))
    before, after = np.median(ratios, axis=0)
    # The front holds some of the points of the plateau and adds to their scatter.
    assert 0.9 < before / np.sqrt(0.95 / 3000.0) < 1.5
    assert 0.75 < after / np.sqrt(0.0005 / 3000.0) < 1.25


def test_noise_that_is_alike_everywhere_stays_so(rng: np.random.Generator):
    front = np.where(np.arange(60) < 20, 0.95, 0.05)
    found = [noise(front + rng.normal(0.0, 0.02, 60)) for _ in range(200)]
    # Twenty points know a scatter by a quarter only: few of them are told apart by chance.
    assert np.mean([np.ptp(one) > 0.0 for one in found]) < 0.05


def test_zeros_below_the_last_digit_do_not_tell_the_noise(rng: np.random.Generator):
    exact = 0.5 + rng.normal(0.0, 0.01, 80)
    # Three quarters of the points are below the last digit, as those of a foreign ion behind its front.
    np.testing.assert_allclose(noise(np.append(exact, np.zeros(240))), noise(exact)[0], rtol=0.1)
    # Numbers with one digit, most of them alike, have an error of their rounding.
    np.testing.assert_allclose(noise(np.where(np.arange(100) % 25 == 0, 0.9, 0.8)), 0.1 / np.sqrt(12.0))
    assert np.all(noise(np.zeros(50)) == 0.0)


def test_signals_that_were_not_counted_have_a_constant_sigma():
    signal = counted_signal(channel(np.array([1.0, 1.2, 0.9, 1.1, 1.0]), kind="other", per_count=None))
    assert not signal.counted
    assert np.all(np.isnan(signal.counts))
    assert np.ptp(signal.sigma) == 0.0
    assert isinstance(interpolated(signal, np.arange(5.0), np.arange(4) + 0.5), Signal)


def test_scatter_of_a_real_detector_near_saturation(project_root: Path):
    """Plateaus of three indium signals, about one ion a pulse: 1.6 times the Poisson variance, as the model has it."""
    folder = project_root.parent / "shared" / "data" / "psc-tofsims-hasselt"
    if not folder.is_dir():
        pytest.skip("no SurfaceLab exports at ../shared/data")
    raw = read_raw(folder / "I240416n_B_MAPI_1f-uLC_pos-B9_-_NF.txt")
    model, poisson = [], []
    for name in ("^113In+", "In_2O+", "In_3O_2+"):
        signal = counted_signal(raw.channel(name))
        second = np.diff(signal.ions[245:665], 2) ** 2 / 6.0
        model.append(np.mean(second / signal.variance[246:664]))
        poisson.append(np.mean(second / signal.ions[246:664]))
    assert 0.8 < np.mean(model) < 1.1
    assert np.mean(poisson) > 1.5
    assert np.all(np.array(model) < 0.65 * np.array(poisson))


def test_scatter_of_a_real_electron_probe(project_root: Path):
    """The README of the profile gives 0.60 mol% for Na2O and 0.11 mol% for K2O behind 200 µm."""
    path = project_root.parent / "shared" / "data" / "iox-glass-k-na-li" / "edx_profile_step1.csv"
    if not path.is_file():
        pytest.skip("no electron probe profile at ../shared/data")
    raw = read_raw(path)
    for name, scatter in (("Na2O", 0.60), ("K2O", 0.11)):
        deep = raw.channel(name).axis > 200e3
        np.testing.assert_allclose(noise(raw.channel(name).values[deep]), scatter, rtol=0.1)
