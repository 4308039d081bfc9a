"""Probability of χ² of each law of the noise: moments by quadrature, uniform in right models."""

import dataclasses
import functools
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats

import npp_jax as npp
from npp_jax.fitting.chance import expected_squares, probability
from npp_jax.observe import (
    AbstractLikelihood,
    DepthProfile,
    GaussianLikelihood,
    PoissonLikelihood,
    Record,
    StudentLikelihood,
    below_limits,
    expected_by_data,
)
from npp_jax.observe import expected_squares as of_points
from npp_jax.observe.squares import censored_squares, counted_squares, student_squares
from npp_jax.sweeping.description import expected_of

SWEEPS = Path(__file__).resolve().parents[2] / "sweeps"
DEPTH = np.linspace(1.0, 150.0, 150)
SIGMA = 0.01
FRONT = 1.0 / (1.0 + np.exp((DEPTH - 100.0) / 2.0))
FADING = np.exp(-DEPTH / 20.0)


@functools.cache
def glass() -> npp.Experiment:
    return npp.load_experiment(SWEEPS / "lithium_borate_K.toml")


def problem_of(measured: np.ndarray, limit: float | None, *records: Record) -> npp.Problem:
    """A profile of Li and K, of which K has a limit of detection."""
    profile = DepthProfile(DEPTH, ["Li", "K"], measured, SIGMA)
    profile = profile if limit is None else below_limits(profile, {"K": limit})
    parameter = npp.Parameter("D_K_m2_s", ("K.D_m2_s",), 3e-22, 3e-21, "log")
    seen = npp.Observation(npp.GaussianResponse(2.0))
    return npp.Problem((npp.Measurement("K", glass(), profile, seen, records=records),), (parameter,))


@pytest.mark.parametrize("distance", [-3.0, -1.0, 0.0, 0.7, 2.0, 5.0])
def test_moments_of_points_that_may_be_below(distance: float):
    lost = -2.0 * stats.norm.logcdf(distance)
    moments = []
    for power in (1, 2):
        seen, _ = integrate.quad(lambda z, p=power: z ** (2 * p) * stats.norm.pdf(z), distance, 40.0, limit=200)
        moments.append(seen + stats.norm.cdf(distance) * lost**power)
    mean, variance = (float(part[0]) for part in censored_squares(np.array([distance])))
    assert mean == pytest.approx(moments[0], rel=1e-8, abs=1e-12)
    assert variance == pytest.approx(moments[1] - moments[0] ** 2, rel=1e-6, abs=1e-12)


def test_far_from_the_limit_points_count_one_or_nothing():
    mean, variance = censored_squares(np.array([-np.inf, -50.0, 50.0, np.inf]))
    assert mean == pytest.approx([1.0, 1.0, 0.0, 0.0], abs=1e-12)
    assert variance == pytest.approx([2.0, 2.0, 0.0, 0.0], abs=1e-9)


def test_without_a_limit_it_is_that_of_chi_squared():
    record = Record("current", np.arange(1.0, 9.0), np.ones(8), 0.1)
    problem = problem_of(np.stack([1.0 - FRONT, FRONT]), None, record)
    signals = [np.stack([1.0 - FRONT, FRONT]), np.ones(8)]
    tells = np.arange(308) % 7 > 0
    left = int(tells.sum()) - 1.5
    assert probability(problem, signals, tells, 240.0, np.where(tells, 1.5 / tells.sum(), 0.0)) == pytest.approx(
        stats.chi2.sf(240.0, left), rel=1e-12
    )
    # Records have no limits, and come after the profiles.
    limited = problem_of(np.stack([1.0 - FRONT, FRONT]), 0.03, record)
    mean, variance = expected_squares(limited, signals)
    assert mean[:150] == pytest.approx(np.ones(150)) and mean[300:] == pytest.approx(np.ones(8))
    assert mean[295] < 0.02 and variance[300:] == pytest.approx(np.full(8, 2.0))


@pytest.mark.parametrize(("shape", "limit"), [(FADING, 1.0), (FRONT, 2.0), (FADING, 4.0)])
def test_it_is_uniform_where_model_and_noise_are_right(shape: np.ndarray, limit: float):
    """Some 23 to 75 % of the points of K are below; each left out, or counted as one, fails here."""
    signal = np.stack([1.0 - shape, shape])
    rng, found, below = np.random.default_rng(7), [], []
    law = GaussianLikelihood()
    for _ in range(400):
        problem = problem_of(signal + SIGMA * rng.standard_normal(signal.shape), limit * SIGMA)
        profile = problem.measurements[0].profile
        assert profile is not None
        residual = np.asarray(law.residuals(jnp.asarray(signal), profile)).ravel()
        found.append(probability(problem, [signal], np.ones(300, bool), float(residual @ residual), np.zeros(300)))
        below.append(float(np.mean(np.asarray(profile.censored)[1])))
    assert np.mean(below) > 0.22
    # 1.63 over the root of the draws: what chance exceeds once in a hundred.
    assert stats.kstest(found, "uniform").statistic < 1.63 / np.sqrt(400)
    assert 0.02 < np.mean(np.array(found) < 0.05) < 0.09


LIMITS = {
    "alternating": np.where(np.arange(150) % 2, 2.0, 4.0) * SIGMA,
    "rising": np.linspace(0.5, 6.0, 150) * SIGMA,
    "one point": np.where(np.arange(150) == 75, 0.3, -np.inf),
}


@pytest.mark.parametrize("limit", LIMITS.values(), ids=LIMITS.keys())
def test_limits_that_differ_from_point_to_point(limit: np.ndarray):
    """The largest of them does not hold for all points of the ion."""
    signal = np.stack([1.0 - FADING, FADING])
    rng, found = np.random.default_rng(7), []
    clean = problem_of(signal, None)
    for _ in range(400):
        drawn = signal + SIGMA * rng.standard_normal(signal.shape)
        below = np.stack([np.zeros(150, bool), drawn[1] < limit])
        profile = DepthProfile(DEPTH, ["Li", "K"], np.where(below, limit, drawn), SIGMA, censored=below)
        problem = npp.Problem((dataclasses.replace(clean.measurements[0], profile=profile),), clean.parameters)
        residual = np.asarray(GaussianLikelihood().residuals(jnp.asarray(signal), profile)).ravel()
        found.append(probability(problem, [signal], np.ones(300, bool), float(residual @ residual), np.zeros(300)))
    assert stats.kstest(found, "uniform").statistic < 1.63 / np.sqrt(400)
    assert 0.02 < np.mean(np.array(found) < 0.05) < 0.09


@pytest.mark.parametrize("weight", [np.full(150, 0.25), np.where(np.arange(150) % 3, 0.4, 1.0)])
def test_a_weight_is_that_of_the_expected_square_too(weight: np.ndarray):
    """A height that is found by weighted least squares takes one square away, with its weight."""
    signal = np.stack([1.0 - FADING, FADING])
    rng, found = np.random.default_rng(7), []
    clean, both = problem_of(signal, None), np.stack([weight, weight])
    for _ in range(400):
        drawn = signal + SIGMA * rng.standard_normal(signal.shape)
        drawn -= np.sum(both * (drawn - signal)) / np.sum(both)
        below = np.stack([np.zeros(150, bool), drawn[1] < 2.0 * SIGMA])
        held = np.where(below, 2.0 * SIGMA, drawn)
        profile = DepthProfile(DEPTH, ["Li", "K"], held, SIGMA, weight=both, censored=below)
        problem = npp.Problem((dataclasses.replace(clean.measurements[0], profile=profile),), clean.parameters)
        residual = np.asarray(GaussianLikelihood().residuals(jnp.asarray(signal), profile)).ravel()
        found.append(
            probability(problem, [signal], np.ones(300, bool), float(residual @ residual), (both / both.sum()).ravel())
        )
    assert stats.kstest(found, "uniform").statistic < 1.63 / np.sqrt(400)


@pytest.mark.slow
def test_a_fit_tells_it():
    """D of K found from a profile whose tail is below the limit: p by hand from the signals of the best fit."""
    experiment = npp.load_experiment(SWEEPS / "lithium_borate_K.toml")
    depth, limit = np.linspace(1.0, 150.0, 60), 0.012
    seen = npp.Observation(npp.GaussianResponse(2.0))
    parameter = npp.Parameter("D_K_m2_s", ("K.D_m2_s",), 3e-22, 3e-21, "log")
    clean = npp.synthetic_profile(npp.simulate(experiment, npp.FAST), seen, depth, 1e6, seed=None)
    noise = SIGMA * np.random.default_rng(3).standard_normal((2, 60))
    made = DepthProfile(depth, ["Li", "K"], np.asarray(clean.fraction) + noise, SIGMA)
    profile = below_limits(made, {"K": limit})
    problem = npp.Problem((npp.Measurement("K", experiment, profile, seen),), (parameter,))
    result = npp.fit(problem, npp.Sobol(8, seed=0), npp.FAST, count=2, profile_points=0)
    signal = np.asarray(result.expansion.signals[0][0])
    told = signal - np.asarray(made.fraction)
    below = np.asarray(profile.censored) > 0.0
    squares = np.where(below, -2.0 * stats.norm.logcdf((limit - signal) / SIGMA), (told / SIGMA) ** 2)
    a = np.array([(limit - signal[1]) / SIGMA])
    mean, variance = (float(part.sum()) for part in censored_squares(a))
    mean, variance = mean + 60.0 - result.effective, variance + 120.0 - 2.0 * result.effective
    expected = stats.gamma.sf(squares.sum(), mean**2 / variance, scale=variance / mean)
    assert below.sum() >= 15 and result.chi2 == pytest.approx(squares.sum(), rel=1e-9)
    assert result.p_value == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("light", [True, False])
def test_a_parameter_takes_away_the_weight_of_the_points_that_see_it(*, light: bool):
    """Four numbers found from the points of a weight of a quarter alone, or from those of the weight two: with the mean
    of all weights 15 % of right models have a probability below 0.05.
    """
    ten = slice(0, 150, 10)
    weight = np.where(np.arange(15) < 7, 0.25, 2.0) * np.ones((2, 1))
    root, sees = np.sqrt(weight).ravel(), ((weight < 1.0) == light).ravel()
    design = root[:, None] * np.vander(np.tile(np.linspace(-1.0, 1.0, 15), 2), 4) * sees[:, None]
    onto = design @ np.linalg.pinv(design)
    signal = np.stack([1.0 - FADING, FADING])[:, ten]
    clean = problem_of(np.stack([1.0 - FADING, FADING]), None)
    profile = DepthProfile(DEPTH[ten], ["Li", "K"], signal, SIGMA, weight=weight)
    problem = npp.Problem((dataclasses.replace(clean.measurements[0], profile=profile),), clean.parameters)
    rng, found = np.random.default_rng(7), []
    for _ in range(400):
        residual = root * rng.standard_normal(30)
        residual -= onto @ residual
        found.append(probability(problem, [signal], np.ones(30, bool), float(residual @ residual), np.diag(onto)))
    assert stats.kstest(found, "uniform").statistic < 1.63 / np.sqrt(400)
    assert 0.02 < np.mean(np.array(found) < 0.05) < 0.09


@pytest.mark.parametrize("degrees", [1.0, 2.5, 4.0, 30.0])
def test_moments_of_noise_with_outliers(degrees: float):
    def moment(power: int) -> float:
        square = lambda t: (degrees + 1.0) * np.log1p(t * t / degrees)  # noqa: E731
        return 2.0 * integrate.quad(lambda t: square(t) ** power * stats.t.pdf(t, degrees), 0.0, np.inf, limit=400)[0]

    mean, variance = student_squares(degrees)
    assert mean == pytest.approx(moment(1), rel=1e-6)
    assert variance == pytest.approx(moment(2) - moment(1) ** 2, rel=1e-5)


@pytest.mark.parametrize("drift", [0.0, 0.03])
def test_moments_of_counts(drift: float):
    """Against draws, and one and two where there are many."""
    rng, means = np.random.default_rng(3), np.array([0.01, 0.4, 1.5, 6.0, 40.0, 190.0])
    mean, variance = counted_squares(means, drift**2)
    for k, mu in enumerate(means):
        scattered = mu * rng.gamma(drift**-2, drift**2, 400_000) if drift else np.full(400_000, mu)
        counts = rng.poisson(scattered).astype(float)
        depth = np.arange(counts.size) + 1.0
        profile = DepthProfile(depth, ["K"], counts[None], 1.0, counts=counts[None], counts_per_fraction=[1.0])
        law = PoissonLikelihood(relative_sigma=drift, floor=1e-9)
        squares = np.asarray(law.residuals(jnp.full((1, counts.size), mu), profile)) ** 2
        assert mean[k] == pytest.approx(squares.mean(), abs=5.0 * squares.std() / 632.0)
        assert variance[k] == pytest.approx(squares.var(), rel=0.05)
    assert counted_squares(np.array([199.0]))[0] == pytest.approx(1.0, abs=2e-3)
    assert counted_squares(np.array([1e5]))[1] == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("law", "counts"),
    [
        (StudentLikelihood(4.0), None),
        (StudentLikelihood(2.0), None),
        (PoissonLikelihood(), 3.0),
        (PoissonLikelihood(relative_sigma=0.1), 30.0),
    ],
)
def test_chi_squared_is_expected_by_the_noise_of_each_law(law: AbstractLikelihood, counts: float | None):
    """Noise with outliers was said to refute right models, as were few counts."""
    signal = np.stack([1.0 - 0.5 * FRONT, 0.5 * FRONT])
    rng, found, swept = np.random.default_rng(11), [], []
    problem = problem_of(signal, None)

    def profile_of(fraction: np.ndarray) -> DepthProfile:
        told = {} if counts is None else {"counts": fraction * counts, "counts_per_fraction": [counts] * 2}
        return DepthProfile(DEPTH, ["Li", "K"], fraction, SIGMA, **told)

    plain = profile_of(signal)
    measurement = dataclasses.replace(problem.measurements[0], profile=plain, likelihood=law)
    for _ in range(400):
        drawn = profile_of(law.draw(rng, signal, plain))
        residual = np.asarray(law.residuals(jnp.asarray(signal), drawn)).ravel()
        found.append(float(residual @ residual))
        if len(swept) < 40:
            swept.append(expected_of(dataclasses.replace(measurement, profile=drawn)))
    means, variances = of_points(law, plain, signal)
    mean, variance = float(np.sum(means)), float(np.sum(variances))
    assert np.mean(found) == pytest.approx(mean, abs=4.0 * np.sqrt(variance / 400.0))
    assert np.var(found) == pytest.approx(variance, rel=0.3)
    # A sweep, which does not keep predictions, takes what the data allow: no less, or it would refute right models.
    assert 0.99 * mean < np.mean(swept, axis=0)[0] < 1.3 * mean
    of_law = dataclasses.replace(problem, measurements=(measurement,))
    stretch = variance / (2.0 * mean)
    assert probability(of_law, [signal], np.ones(300, bool), found[0], np.zeros(300)) == pytest.approx(
        stats.chi2.sf(found[0] / stretch, mean / stretch)
    )


def test_where_an_ion_is_absent_next_to_nothing_is_expected(rng: np.random.Generator):
    """Counts of zero behind a front add nothing: a sweep expected 0.3 of each, and called a model right too soon."""
    law, mean = PoissonLikelihood(), np.where(np.arange(120) < 60, 6.0, 0.0)[None]
    found = []
    for _ in range(20):
        counts = rng.poisson(mean).astype(float)
        profile = DepthProfile(
            np.arange(120.0) + 1.0, ["K"], counts / 6.0, 1.0, counts=counts, counts_per_fraction=[6.0]
        )
        found.append(np.sum(expected_by_data(law, profile)[0]))
    right = float(np.sum(counted_squares(mean[mean > 0.0])[0]))
    assert 0.98 * right < np.mean(found) < 1.2 * right


def test_masked_points_do_not_count_among_the_neighbours_of_others():
    rng, law = np.random.default_rng(2), PoissonLikelihood()
    counts = rng.poisson(4.0, (1, 200)).astype(float)
    weight = (np.arange(200) % 2).astype(float)[None]
    profile = DepthProfile(
        np.arange(200.0) + 1.0, ["K"], counts, 1.0, counts=counts, counts_per_fraction=[1.0], weight=weight
    )
    empty = dataclasses.replace(profile, counts=jnp.asarray(counts * weight), fraction=jnp.asarray(counts * weight))
    for found, expected in zip(expected_by_data(law, empty), expected_by_data(law, profile), strict=True):
        np.testing.assert_array_equal(found, expected)
