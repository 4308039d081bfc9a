"""Likelihoods against SciPy and extended precision, at awkward points, and on synthetic measurements."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from scipy import stats

from npp_jax.observe import (
    AbstractLikelihood,
    DepthProfile,
    DowsettResponse,
    GaussianLikelihood,
    Observation,
    PoissonLikelihood,
    StudentLikelihood,
    convolve,
    measure,
)

LIKELIHOODS = [
    GaussianLikelihood(),
    GaussianLikelihood(relative_sigma=0.03),
    StudentLikelihood(degrees=3.0, relative_sigma=0.02),
    PoissonLikelihood(),
    PoissonLikelihood(relative_sigma=0.03),
    PoissonLikelihood(relative_sigma=0.5),
]
EXPOSURE = np.array([200.0, 50.0])


def name(likelihood: AbstractLikelihood) -> str:
    return type(likelihood).__name__


def profile(seed: int = 1, dtype: type = np.float64, **changes: Any) -> DepthProfile:
    rng = np.random.default_rng(seed)
    depth = np.linspace(0.0, 30.0, 31)
    truth = np.stack([0.1 + 0.9 / (1.0 + np.exp(15.0 - depth)), 0.9 / (1.0 + np.exp(depth - 15.0))])
    counts = rng.poisson(EXPOSURE[:, None] * truth).astype(dtype)
    inputs: dict[str, Any] = {
        "depth": depth.astype(dtype),
        "species": ("Li", "K"),
        "fraction": (counts / EXPOSURE[:, None]).astype(dtype),
        "sigma": np.sqrt(np.maximum(counts, 1.0)) / EXPOSURE[:, None],
        "counts": counts,
        "counts_per_fraction": EXPOSURE,
    }
    return DepthProfile(**(inputs | changes))


def predicted(data: DepthProfile) -> jax.Array:
    return 0.05 + 0.9 * data.fraction[:, ::-1] ** 2 + 0.01 * jnp.arange(31.0)


def test_log_likelihoods_against_scipy():
    weight = np.ones(31)
    weight[5:9], weight[20] = 0.0, 2.0
    data = profile(weight=weight)
    prediction = predicted(data)
    y, d, sigma = (np.asarray(a) for a in (prediction, data.fraction, data.sigma))
    wide = np.sqrt(sigma**2 + (0.02 * d) ** 2)

    def clumped(drift: float) -> np.ndarray:
        mean = EXPOSURE[:, None] * y
        return stats.nbinom.logpmf(np.asarray(data.counts), drift**-2, 1.0 / (1.0 + drift**2 * mean))

    expected = [
        (GaussianLikelihood(), stats.norm.logpdf(d, y, sigma)),
        (GaussianLikelihood(relative_sigma=0.02), stats.norm.logpdf(d, y, wide)),
        (StudentLikelihood(degrees=3.0, relative_sigma=0.02), stats.t.logpdf(d, 3.0, y, wide)),
        (PoissonLikelihood(floor=1e-9), stats.poisson.logpmf(np.asarray(data.counts), EXPOSURE[:, None] * y)),
        (PoissonLikelihood(0.03, floor=1e-9), clumped(0.03)),
        (PoissonLikelihood(0.5, floor=1e-9), clumped(0.5)),
    ]
    for likelihood, points in expected:
        value = float(likelihood.log_likelihood(prediction, data))
        assert value == pytest.approx(float(np.sum(weight * points)), rel=1e-11), name(likelihood)


@pytest.mark.parametrize("likelihood", LIKELIHOODS, ids=name)
def test_residuals_are_signed_roots_of_the_drop_in_likelihood(likelihood: AbstractLikelihood):
    weight = np.ones(31)
    weight[5:9], weight[20] = 0.0, 2.0
    data = profile(weight=weight)
    prediction = predicted(data)
    residuals = likelihood.residuals(prediction, data)
    best = likelihood.log_likelihood(data.fraction, data)
    drop = float(best - likelihood.log_likelihood(prediction, data))
    # Counts of zero: the best mean is the floor, a thousandth of a count, not zero.
    zeros = float(jnp.sum(data.weight * (data.counts == 0.0)))
    floor = zeros * 1e-3 if isinstance(likelihood, PoissonLikelihood) else 0.0
    if isinstance(likelihood, PoissonLikelihood) and float(likelihood.relative_sigma) > 0.0:
        alpha = float(likelihood.relative_sigma) ** 2
        floor = zeros * np.log1p(1e-3 * alpha) / alpha
    assert 0.5 * float(jnp.sum(residuals**2)) == pytest.approx(drop + floor, rel=1e-9, abs=1e-9)
    above = (prediction > data.fraction)[data.weight > 0.0]
    np.testing.assert_array_equal(residuals[data.weight > 0.0] > 0.0, above)
    np.testing.assert_array_equal(residuals[:, 5:9], 0.0)


def poisson_residual(mean: jax.Array, counts: jax.Array, drift: float = 0.0) -> jax.Array:
    """One point, through the public interface; the other four are masked."""
    one = jnp.ones(5, mean.dtype)
    data = DepthProfile(
        jnp.arange(5.0, dtype=mean.dtype), ("K",), one[None], one[None], counts * one[None], jnp.ones(1, mean.dtype)
    )
    return PoissonLikelihood(drift, floor=1e-12).residuals(mean * one[None], data)[0, 2]


def exact_residual(mean: float, counts: float, drift: float = 0.0) -> mpmath.mpf:
    with mpmath.workdps(50):
        mean, counts, alpha = mpmath.mpf(mean), mpmath.mpf(counts), mpmath.mpf(drift) ** 2
        spread = (
            (counts + 1 / alpha) * mpmath.log((1 + alpha * mean) / (1 + alpha * counts)) if alpha else mean - counts
        )
        half = spread + (counts * mpmath.log(counts / mean) if counts else 0)
        return mpmath.sign(mean - counts) * mpmath.sqrt(2 * abs(half))


MEANS = [(m, k) for k in (1.0, 7.0, 1e4) for m in (1e-3, 0.1 * k, 0.8 * k, k * (1 - 1e-7), k * 1.2, k * 1.23, 9.0 * k)]


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
@pytest.mark.parametrize("drift", [0.0, 0.02, 0.5])
def test_deviance_residuals_against_extended_precision(drift: float, dtype: type):
    means, counts = (jnp.asarray(column, dtype) for column in zip(*[*MEANS, (0.5, 0.0), (20.0, 0.0)], strict=True))
    drift = float(dtype(drift))
    both = jax.vmap(jax.value_and_grad(lambda mean, count: poisson_residual(mean, count, drift)))
    value, slope = jax.jit(both)(means, counts)
    exact = [float(exact_residual(float(m), float(k), drift)) for m, k in zip(means, counts, strict=True)]
    # Relative to the Poisson part, a drift takes away all but 1/(1 + αk) of the squared residual.
    lost = 1.0 + drift**2 * np.asarray(counts, float)
    tolerance = 4e-6 if dtype == jnp.float32 else 2e-14
    assert np.max(np.abs(value / np.asarray(exact) - 1.0) / lost) < tolerance
    # From the deviance: dr/dμ = (1 - k/μ)/(1 + αμ)/r. Where r → 0 that is 1/√(k + αk²).
    near = np.abs(means / np.where(counts > 0.0, counts, 1.0) - 1.0) < 1e-6
    mean, count = np.asarray(means, float), np.asarray(counts, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        direct = (1.0 - count / mean) / (1.0 + drift**2 * mean) / exact
    expected = np.where(near, 1.0 / np.sqrt(np.maximum(count * lost, 1.0)), direct)
    assert np.max(np.abs(slope / expected - 1.0) / lost) < (3e-4 if dtype == jnp.float32 else 1e-6)


def test_deviance_residual_is_smooth_where_prediction_and_data_agree():
    first, second = jax.jit(jax.grad(poisson_residual)), jax.jit(jax.grad(jax.grad(poisson_residual)))
    seven = jnp.asarray(7.0)
    assert float(poisson_residual(seven, seven)) == pytest.approx(0.0, abs=1e-15)
    # r = (μ - k)/√k [1 - (μ - k)/3k + …].
    assert float(first(seven, seven)) == pytest.approx(1.0 / np.sqrt(7.0), rel=1e-12)
    assert float(second(seven, seven)) == pytest.approx(-2.0 / 3.0 / 7.0**1.5, rel=1e-12)
    # Nor does the series show where it takes over, at s = δ/(2 + δ) = ±0.1.
    for s in (0.1, -0.1):
        mean = 7.0 * (1.0 + s) / (1.0 - s)
        below, above = (jnp.asarray(mean * (1.0 + shift)) for shift in (-1e-9, 1e-9))
        assert float(first(below, seven)) == pytest.approx(float(first(above, seven)), rel=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
@pytest.mark.parametrize("likelihood", LIKELIHOODS, ids=name)
def test_everything_is_finite_for_any_prediction(likelihood: AbstractLikelihood, dtype: type):
    weight = np.ones(31)
    weight[30] = 0.0
    data = profile(dtype=dtype, weight=weight)
    assert data.counts is not None and bool(jnp.any(data.counts == 0.0))
    both = eqx.filter_jit(
        lambda y, d: (
            likelihood.residuals(y, d),
            jax.jacfwd(lambda x: likelihood.residuals(x, d))(y),
            jax.grad(lambda x: likelihood.log_likelihood(x, d))(y),
        )
    )
    zero = jnp.zeros_like(data.fraction)
    for prediction in (zero, data.fraction, zero - 1e-3, zero - 1e5, zero + 1e5, zero + 1e-12):
        prediction = prediction.at[:, 30].set(jnp.nan)
        residuals, jacobian, gradient = both(prediction, data)
        assert residuals.dtype == gradient.dtype == dtype
        for table in (residuals, jacobian, gradient):
            assert bool(jnp.all(jnp.isfinite(table)))
        np.testing.assert_array_equal(gradient[:, 30], 0.0)


@pytest.mark.parametrize("likelihood", LIKELIHOODS, ids=name)
def test_gradients(likelihood: AbstractLikelihood):
    data = profile()
    prediction = predicted(data)
    direction = jnp.asarray(np.random.default_rng(5).normal(size=prediction.shape))
    value = eqx.filter_jit(likelihood.log_likelihood)
    gradient = jax.grad(lambda y: likelihood.log_likelihood(y, data))(prediction)
    step = 1e-6 * direction
    difference = (value(prediction + step, data) - value(prediction - step, data)) / 2e-6
    assert float(jnp.sum(gradient * direction)) == pytest.approx(float(difference), rel=1e-7)
    # d(log L) = -Σ r dr: the residuals have the same optimum.
    _, slope = jax.jvp(lambda y: likelihood.residuals(y, data), (prediction,), (direction,))
    from_residuals = -jnp.sum(likelihood.residuals(prediction, data) * slope)
    assert float(from_residuals) == pytest.approx(float(jnp.sum(gradient * direction)), rel=1e-10)


def test_an_outlier_pulls_less_under_student():
    data = profile()
    worse = eqx.tree_at(lambda tree: tree.fraction, data, data.fraction.at[0, 12].add(50.0))
    prediction = predicted(data)

    def pull(likelihood: AbstractLikelihood) -> float:
        return abs(float(jax.grad(lambda y: likelihood.log_likelihood(y, worse))(prediction)[0, 12]))

    assert pull(StudentLikelihood(degrees=4.0)) < 1e-2 * pull(GaussianLikelihood())
    many = StudentLikelihood(degrees=1e9)
    np.testing.assert_allclose(
        many.residuals(prediction, data), GaussianLikelihood().residuals(prediction, data), rtol=1e-4
    )


def test_poisson_needs_counts():
    with pytest.raises(ValueError, match="counts_per_fraction"):
        PoissonLikelihood().residuals(predicted(profile()), profile(counts=None))


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        (GaussianLikelihood, {"relative_sigma": -0.1}),
        (StudentLikelihood, {"degrees": 0.0}),
        (PoissonLikelihood, {"relative_sigma": np.inf}),
        (PoissonLikelihood, {"floor": 0.0}),
        (PoissonLikelihood, {"floor": np.nan}),
    ],
)
def test_wrong_parameters_are_refused(kind: type[AbstractLikelihood], changes: dict[str, float]):
    with pytest.raises(ValueError, match=next(iter(changes))):
        kind(**changes)


SIGNAL = jnp.stack([jnp.linspace(0.0, 1.0, 41), jnp.linspace(0.02, 0.0, 41)])
DEPTH = jnp.linspace(0.0, 80.0, 41)


def test_counting_has_the_moments_of_poisson(key: jax.Array):
    exposure = jnp.asarray([100.0, 1e4])

    def one(k: jax.Array) -> DepthProfile:
        return measure(k, SIGNAL, exposure, depth=DEPTH, species=("Li", "K"))

    many = jax.jit(jax.vmap(one))(jax.random.split(key, 4000))
    mean = np.asarray(exposure[:, None] * SIGNAL)
    counts = np.asarray(many.counts)
    error = np.sqrt(np.maximum(mean, 1e-12) / 4000.0)
    assert np.max(np.abs(counts.mean(axis=0) - mean) / error) < 4.5
    some = mean > 5.0
    np.testing.assert_allclose(counts.var(axis=0)[some] / mean[some], 1.0, atol=4.5 * np.sqrt(2.2 / 4000.0))
    np.testing.assert_array_equal(counts[:, mean == 0.0], 0.0)
    # A compiler may multiply by the reciprocal.
    np.testing.assert_array_max_ulp(np.asarray(many.fraction), counts / np.asarray(exposure)[:, None], 1)
    assert many.species == ("Li", "K")
    single = one(key)
    np.testing.assert_array_equal(single.sigma, np.sqrt(np.maximum(single.counts, 1.0)) / exposure[:, None])
    assert not np.array_equal(counts[0], counts[1])
    np.testing.assert_array_equal(one(key).counts, single.counts)


@pytest.mark.slow
def test_a_resolution_is_recovered_from_counts_with_its_uncertainty(key: jax.Array):
    """Gauss–Newton on deviance residuals: the estimates scatter about the truth as their covariance says."""
    faces = jnp.asarray([0.0, 40.0, 100.0])
    cells = jnp.asarray([[0.1, 1.0], [0.9, 0.0]])
    exposure = jnp.asarray([3e5, 1e5])
    truth = jnp.asarray([3.0, 2.0, 0.01, 0.5])

    def model(p: jax.Array) -> jax.Array:
        experiment = Observation(
            DowsettResponse(1.0, p[0], p[1]), jnp.ones(2), jnp.stack([p[2], 0.4 * p[2]]), 1.0, p[3]
        )
        return experiment.signal(convolve(experiment.response, faces, cells, experiment.true_depth(DEPTH)))

    def fit(k: jax.Array) -> tuple[jax.Array, jax.Array]:
        data = measure(k, model(truth), exposure, depth=DEPTH, species=("Li", "K"))

        def residuals(p: jax.Array) -> jax.Array:
            return PoissonLikelihood().residuals(model(p), data).ravel()

        def normal(p: jax.Array) -> tuple[jax.Array, jax.Array]:
            jacobian = jax.jacfwd(residuals)(p)
            return jacobian.T @ jacobian, jacobian.T @ residuals(p)

        p = jax.lax.fori_loop(0, 4, lambda _, p: p - jnp.linalg.solve(*normal(p)), truth)
        return (p - truth) / jnp.sqrt(jnp.diag(jnp.linalg.inv(normal(p)[0]))), jnp.sum(residuals(p) ** 2)

    pulls, deviance = jax.jit(jax.vmap(fit))(jax.random.split(key, 200))
    # 200 fits: a mean of zero within 1/√200, a variance of one within √(2/200); deviance of 82 points, 4 parameters.
    assert float(jnp.max(jnp.abs(pulls.mean(axis=0)))) < 4.0 / np.sqrt(200.0)
    np.testing.assert_allclose(pulls.var(axis=0), 1.0, atol=4.0 * np.sqrt(2.0 / 200.0))
    assert float(deviance.mean()) == pytest.approx(82 - 4, abs=4.0 * np.sqrt(2.0 * 78.0 / 200.0))
    # A wrong model is noticed.
    wrong = measure(key, model(truth.at[0].set(3.2)), exposure, depth=DEPTH, species=("Li", "K"))
    assert float(jnp.sum(PoissonLikelihood().residuals(model(truth), wrong) ** 2)) > 82 + 5.0 * np.sqrt(2.0 * 82.0)


def test_a_synthetic_measurement_of_a_profile_is_seen_through_the_response(key: jax.Array):
    seen = convolve(DowsettResponse(1.0, 3.0, 2.0), jnp.asarray([0.0, 40.0, 100.0]), jnp.asarray([[0.1, 1.0]]), DEPTH)
    data = measure(key, seen, jnp.asarray([1e8]), depth=DEPTH, species=("Li",))
    np.testing.assert_allclose(data.fraction, seen, atol=6e-4)


def test_a_measurement_without_noise_has_the_counts_that_are_expected():
    exposure = jnp.asarray([2000.0, 500.0])
    data = measure(None, SIGNAL, exposure, depth=DEPTH, species=("Li", "K"))
    np.testing.assert_allclose(data.fraction, np.maximum(SIGNAL, 0.0), rtol=1e-12)
    np.testing.assert_allclose(data.counts, np.maximum(SIGNAL, 0.0) * exposure[:, None], rtol=1e-12)
    np.testing.assert_allclose(data.sigma, np.sqrt(np.maximum(data.counts, 1.0)) / exposure[:, None], rtol=1e-12)


def drawn(likelihood: AbstractLikelihood, data: DepthProfile, count: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    """Draws of one prediction, and the prediction."""
    prediction = np.asarray(predicted(data))
    rng = np.random.default_rng(7)
    return likelihood.draw(rng, np.broadcast_to(prediction, (count, *prediction.shape)), data), prediction


@pytest.mark.parametrize(
    ("likelihood", "law"),
    [
        (GaussianLikelihood(0.02), stats.norm()),
        (StudentLikelihood(degrees=3.0, relative_sigma=0.02), stats.t(3.0)),
    ],
    ids=lambda value: name(value) if isinstance(value, AbstractLikelihood) else "",
)
def test_draws_follow_the_law(likelihood, law):
    data = profile()
    found, prediction = drawn(likelihood, data)
    width = np.sqrt(np.asarray(data.sigma) ** 2 + (0.02 * np.asarray(data.fraction)) ** 2)
    for place in ((0, 3), (1, 20)):
        standard = (found[(slice(None), *place)] - prediction[place]) / width[place]
        assert stats.kstest(standard, law.cdf).pvalue > 1e-3


@pytest.mark.parametrize("drift", [0.0, 0.3])
def test_draws_of_counts_follow_the_law(drift: float):
    background = np.full((2, 31), 0.1)
    data = profile(background=background)
    found, prediction = drawn(PoissonLikelihood(drift), data)
    for row, column in ((0, 3), (1, 20)):
        counts = np.rint((found[:, row, column] + 0.1) * EXPOSURE[row]).astype(int)
        mean = EXPOSURE[row] * (prediction[row, column] + 0.1)
        law = stats.nbinom(drift**-2, 1.0 / (1.0 + drift**2 * mean)) if drift else stats.poisson(mean)
        edges = np.unique(law.ppf(np.linspace(0.05, 0.95, 10)))
        seen = np.diff(np.searchsorted(np.sort(counts), edges, side="right"), prepend=0, append=len(counts))
        expected = np.diff(law.cdf(edges), prepend=0.0, append=1.0) * len(counts)
        assert stats.chisquare(seen, expected).pvalue > 1e-3


def test_a_mean_below_zero_counts_next_to_nothing():
    data = profile()
    found = PoissonLikelihood(floor=1e-3).draw(np.random.default_rng(0), np.full((1000, 2, 31), -0.5), data)
    assert found.mean() * EXPOSURE.min() < 1e-3 and found.min() == 0.0
    with pytest.raises(ValueError, match="needs a profile with counts"):
        PoissonLikelihood().draw(np.random.default_rng(0), np.zeros((2, 31)), profile(counts_per_fraction=None))


def test_draws_below_the_limit_of_detection_are_at_it():
    censored = np.zeros((2, 31))
    fraction = np.array(profile().fraction)
    fraction[1, 25:], censored[1, 25:] = 0.05, 1.0
    data = profile(fraction=fraction, censored=censored, counts=None, sigma=np.full((2, 31), 0.03))
    found, prediction = drawn(GaussianLikelihood(), data)
    share = stats.norm.cdf((0.05 - prediction[1]) / 0.03)
    assert np.mean(found[:, 1] <= 0.05, axis=0) == pytest.approx(share, abs=4.0 * 0.5 / np.sqrt(len(found)))
    assert found[:, 1].min() == 0.05 and found[:, 0].std(axis=0) == pytest.approx(np.full(31, 0.03), rel=0.03)
