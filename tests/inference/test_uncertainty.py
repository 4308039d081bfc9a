"""Uncertainty: closed forms, certified standard deviations, coverage, degenerate parameters, profiles, criteria."""

import re
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array
from nist_strd import DATASETS
from scipy import optimize, stats

from npp_jax.inference import (
    DELTA_CHI2_95,
    NORMAL_95,
    End,
    Outcome,
    Parameter,
    Parameters,
    Prior,
    Profile,
    Reason,
    RefineOptions,
    between,
    covariance,
    identifiability,
    information_criteria,
    likelihood_ratio,
    meanings,
    profile_likelihood,
    ranges_of,
    reduced_chi2,
    refine,
    with_priors,
)

INF = float("inf")
DECAY = (
    Parameter("amplitude", (), 0.1, 100.0, "log"),
    Parameter("rate", (), 0.01, 100.0, "log"),
    Parameter("floor", (), -5.0, 5.0),
)


def batched(residual: Callable[[Array], Array]) -> Callable[[Array], tuple[Array, Array]]:
    return jax.jit(jax.vmap(lambda theta: (residual(theta), jax.jacfwd(residual)(theta))))


def unbounded(count: int) -> Parameters:
    return tuple(Parameter(f"b{k + 1}", (), -INF, INF) for k in range(count))


def decay(theta: Array, x: Array) -> Array:
    return theta[0] * jnp.exp(-theta[1] * x) + theta[2]


def decay_problem(rng: np.random.Generator, sigma: float, truth: tuple = (3.0, 0.8, 0.5)) -> Callable[[Array], Array]:
    x = jnp.linspace(0.0, 5.0, 25)
    data = decay(jnp.asarray(truth), x) + sigma * rng.normal(size=25)
    return lambda theta: (decay(theta, x) - data) / sigma


# --- covariance -------------------------------------------------------------------------------------------------------


def test_linear_covariance_in_closed_form(rng: np.random.Generator):
    jacobian, theta = rng.normal(size=(30, 4)) * [1e-8, 1.0, 1e3, 1e6], np.array([1.0, -2.0, 3.0, 4.0])
    result = covariance(jnp.asarray(jacobian), jnp.asarray(theta), ranges_of(unbounded(4)), variance=2.5)
    expected = 2.5 * np.linalg.inv(jacobian.T @ jacobian)
    error = np.sqrt(np.diag(expected))
    np.testing.assert_allclose(result.scaled, expected, rtol=1e-9)
    np.testing.assert_allclose(result.standard_error, error, rtol=1e-10)
    np.testing.assert_allclose(result.correlation, expected / np.outer(error, error), rtol=1e-9)
    np.testing.assert_allclose(result.interval, np.stack([theta - 1.96 * error, theta + 1.96 * error], -1), rtol=4e-5)
    assert int(result.rank) == 4
    assert bool(result.determined.all())


@pytest.mark.slow
@pytest.mark.parametrize("name", DATASETS)
def test_certified_standard_deviations(name: str):
    data = DATASETS[name]
    residual = lambda b: data.model(b, jnp.asarray(data.x)) - data.y  # noqa: E731
    count = len(data.parameters)
    bounds = unbounded(count)
    result = refine(batched(residual), bounds, data.starts[1:], options=RefineOptions(iterations=200, offset=1e-8))
    theta = result.theta[0]
    variance = reduced_chi2(2.0 * result.cost[0], len(data.y), count)
    errors = covariance(jax.jacfwd(residual)(theta), theta, ranges_of(bounds), variance=variance).standard_error
    np.testing.assert_allclose(errors, data.deviations, rtol=2e-7)


def test_intervals_are_symmetric_on_the_scale_and_end_with_the_range():
    bounds = (
        Parameter("D", (), 1e-18, 1e-14, "log"),
        Parameter("v", (), 0.01, 0.6, "logit"),
        Parameter("x", (), 0.0, 1.0),
    )
    theta = jnp.array([1e-16, 0.1, 0.9])
    relative = np.array([0.5, 0.2, 0.3])
    slope = np.array([1e-16, 0.09, 1.0])
    result = covariance(jnp.diag(1.0 / (relative * slope)), theta, ranges_of(bounds))
    np.testing.assert_allclose(result.standard_error_scaled, relative, rtol=1e-12)
    np.testing.assert_allclose(result.standard_error, relative * slope, rtol=1e-12)
    np.testing.assert_allclose(result.interval[0], 1e-16 * np.exp([-0.5 * NORMAL_95, 0.5 * NORMAL_95]), rtol=1e-12)
    odds = np.exp(np.log(0.1 / 0.9) + 0.2 * NORMAL_95 * np.array([-1.0, 1.0]))
    np.testing.assert_allclose(result.interval[1], odds / (1.0 + odds), rtol=1e-12)
    np.testing.assert_allclose(result.interval[2], [0.9 - 0.3 * NORMAL_95, 1.0], rtol=1e-12)


def test_degenerate_parameters_are_reported_not_hidden():
    """Only a · b² and c matter."""
    x = jnp.linspace(0.1, 2.0, 20)
    residual = lambda t: jnp.exp(-t[0] * t[1] ** 2 * x) + t[2] * x  # noqa: E731
    bounds = (
        Parameter("a", (), 0.01, 100.0, "log"),
        Parameter("b", (), 0.01, 100.0, "log"),
        Parameter("c", (), -1.0, 1.0),
    )
    theta = jnp.array([0.5, 1.2, 0.1])
    result = covariance(jax.jacfwd(residual)(theta), theta, ranges_of(bounds))
    assert int(result.rank) == 2
    np.testing.assert_array_equal(result.determined, [False, False, True])
    np.testing.assert_array_equal(result.standard_error[:2], [INF, INF])
    np.testing.assert_allclose(result.interval[:2], [[0.01, 100.0]] * 2)
    direction = result.directions[2] * np.sign(result.directions[2, 0])
    np.testing.assert_allclose(direction, np.array([2.0, -1.0, 0.0]) / np.sqrt(5.0), atol=1e-7)
    assert np.all(np.isnan(result.correlation[:2]))

    product = lambda t: jnp.exp(-t[0] * x) + t[1] * x  # noqa: E731
    alone = covariance(jax.jacfwd(product)(jnp.array([0.72, 0.1])), jnp.array([0.72, 0.1]), ranges_of(DECAY[1:]))
    np.testing.assert_allclose(result.standard_error[2], alone.standard_error[1], rtol=1e-8)

    held = covariance(jax.jacfwd(residual)(theta), theta, ranges_of(bounds), held=jnp.array([False, True, False]))
    np.testing.assert_array_equal(held.determined, [True, True, True])
    np.testing.assert_allclose(
        held.standard_error_scaled, [alone.standard_error_scaled[0], 0.0, alone.standard_error[1]]
    )
    np.testing.assert_allclose(held.interval[1], [1.2, 1.2])


def test_what_is_held_has_no_error_by_rounding(rng: np.random.Generator):
    """A search for the end of its interval would take an error of 1e-15 for its first step and stay at the start."""
    matrix, free = jnp.asarray(rng.normal(size=(60, 5))), unbounded(5)
    bounds = (*free[:2], Parameter("end", (), -25.0, -20.0), *free[3:])
    best = jnp.array([1.0, 1.0, -20.0, 1.0, 1.0])
    function = batched(lambda t: matrix @ (t - best))
    errors = covariance(matrix, best, ranges_of(bounds), held=jnp.arange(5) == 2)
    assert not errors.scaled[2].any() and not errors.scaled[:, 2].any() and errors.standard_error_scaled[2] == 0.0
    (end,) = profile_likelihood(function, bounds, best, ["end"], covariance=errors)
    error = float(covariance(matrix, best, ranges_of(bounds)).standard_error_scaled[2])
    assert outcomes(end) == ["CLOSED", "HELD"]
    assert end.interval[0] == pytest.approx(-20.0 - NORMAL_95 * error, abs=1e-3)


def test_a_parameter_without_effect_has_no_error(rng: np.random.Generator):
    jacobian = jnp.asarray(rng.normal(size=(10, 3)) * [1.0, 0.0, 1.0])
    result = covariance(jacobian, jnp.ones(3), ranges_of(unbounded(3)))
    np.testing.assert_array_equal(result.standard_error == INF, [False, True, False])
    few = covariance(jacobian[:1], jnp.ones(3), ranges_of(unbounded(3)))
    assert int(few.rank) == 1
    np.testing.assert_array_equal(few.standard_error, [INF] * 3)


def test_coverage_of_the_intervals(rng: np.random.Generator):
    """400 synthetic experiments fitted in one batch: 95 % intervals hold the truth as often as they say."""
    count, sigma, truth = 400, 0.1, jnp.array([3.0, 0.8, 0.5])
    x = jnp.linspace(0.0, 5.0, 25)
    data = decay(truth, x) + sigma * jnp.asarray(rng.normal(size=(count, 25)))
    one = lambda theta, y: (decay(theta, x) - y) / sigma  # noqa: E731
    evaluate = jax.jit(lambda theta: (jax.vmap(one)(theta, data), jax.vmap(jax.jacfwd(one))(theta, data)))
    result = refine(evaluate, DECAY, jnp.tile(jnp.array([1.0, 1.0, 0.0]), (count, 1)))
    assert set(np.asarray(result.reason)) == {Reason.CONVERGED}
    ranges = ranges_of(DECAY)
    errors = jax.vmap(lambda jacobian, theta: covariance(jacobian, theta, ranges))(
        evaluate(result.theta)[1], result.theta
    )
    inside = (errors.interval[..., 0] <= truth) & (truth <= errors.interval[..., 1])
    covered = np.asarray(inside).sum(axis=0)
    low, high = stats.binom.ppf([0.001, 0.999], count, 0.95)
    assert np.all((covered >= low) & (covered <= high)), covered
    chi2 = 2.0 * np.asarray(result.cost)
    assert stats.kstest(chi2, stats.chi2(25 - 3).cdf).pvalue > 1e-3


# --- priors -----------------------------------------------------------------------------------------------------------


def test_a_prior_is_a_weighted_mean_on_the_scale():
    bounds = (Parameter("D", (), 1e-3, 1e3, "log", prior=Prior(2.0, 0.5)), Parameter("x", (), -INF, INF))
    data = batched(lambda t: jnp.stack([(jnp.log(t[0]) - jnp.log(5.0)) / 0.25, t[1] - 1.0]))
    result = refine(with_priors(data, bounds), bounds, [[1.0, 0.0]], options=RefineOptions(offset=1e-9))
    mean = (np.log(5.0) / 0.25**2 + np.log(2.0) / 0.5**2) / (0.25**-2 + 0.5**-2)
    np.testing.assert_allclose(result.theta, [[np.exp(mean), 1.0]], rtol=1e-7)
    jacobian = with_priors(data, bounds)(result.theta)[1][0]
    error = covariance(jacobian, result.theta[0], ranges_of(bounds)).standard_error_scaled
    np.testing.assert_allclose(error, [(0.25**-2 + 0.5**-2) ** -0.5, 1.0], rtol=1e-9)


def test_without_priors_the_function_is_unchanged():
    function = batched(lambda t: t - 1.0)
    assert with_priors(function, unbounded(2)) is function


# --- profiles ---------------------------------------------------------------------------------------------------------


def test_profile_of_a_linear_problem_is_the_parabola(rng: np.random.Generator):
    design, data = jnp.asarray(rng.normal(size=(20, 3))), jnp.asarray(rng.normal(size=20))
    function, bounds = batched(lambda b: design @ b - data), unbounded(3)
    best = refine(function, bounds, np.zeros((1, 3)), options=RefineOptions(offset=1e-10)).theta[0]
    errors = covariance(design, best, ranges_of(bounds))
    for k, profile in enumerate(profile_likelihood(function, bounds, best, covariance=errors)):
        assert profile.name == bounds[k].name
        deviation = (profile.values - best[k]) / errors.standard_error[k]
        np.testing.assert_allclose(deviation, np.linspace(-3.5, 3.5, 15), atol=1e-7)
        np.testing.assert_allclose(profile.delta_chi2, deviation**2, atol=1e-7)
        np.testing.assert_allclose(profile.interval, errors.interval[k], rtol=1e-6)
        assert (outcomes(profile), profile.improved) == (["CLOSED", "CLOSED"], False)


def outcomes(profile: Profile) -> list[str]:
    return [end.outcome.name for end in profile.ends]


@pytest.mark.parametrize("points", [0, 1, 41])
def test_profile_agrees_with_nested_minimisation(rng: np.random.Generator, points: int):
    """Few, noisy data: the interval is asymmetric; the other method is SciPy's minimiser inside its root finder."""
    residual = decay_problem(rng, 0.5)
    function = batched(residual)
    best = refine(function, DECAY, [[1.0, 1.0, 0.0]]).theta[0]
    errors = covariance(jax.jacfwd(residual)(best), best, ranges_of(DECAY))
    (profile,) = profile_likelihood(function, DECAY, best, ["rate"], points=points, covariance=errors)

    plain = jax.jit(residual)
    minimum = optimize.least_squares(plain, best, xtol=1e-15, ftol=1e-15, gtol=1e-14).cost

    def excess(rate: float) -> float:
        inner = optimize.least_squares(
            lambda o: plain(jnp.array([o[0], rate, o[1]])), [best[0], best[2]], xtol=1e-13, ftol=1e-13, gtol=1e-13
        )
        return 2.0 * (inner.cost - minimum) - DELTA_CHI2_95

    expected = [optimize.brentq(excess, best[1], edge, xtol=1e-6) for edge in (0.05, 20.0)]
    np.testing.assert_allclose(profile.interval, expected, rtol=2e-3)
    assert abs(np.log(expected[1] / best[1]) + np.log(expected[0] / best[1])) > 0.02
    assert not profile.improved and len(profile.values) == points


def test_profile_of_a_degenerate_parameter_is_open():
    x = jnp.linspace(0.1, 2.0, 20)
    function = batched(lambda t: (jnp.exp(-t[0] * t[1] * x) - jnp.exp(-0.6 * x)) / 0.01)
    bounds = (Parameter("a", (), 0.1, 10.0, "log"), Parameter("b", (), 0.01, 100.0, "log"))
    best = jnp.array([0.5, 1.2])
    errors = covariance(function(best[None])[1][0], best, ranges_of(bounds))
    for known in (None, errors):
        (profile,) = profile_likelihood(function, bounds, best, ["a"], covariance=known)
        np.testing.assert_allclose(profile.values[[0, 7, 14]], [0.1, 1.0, 10.0])
        assert outcomes(profile) == ["RANGE", "RANGE"]
        assert [end.value for end in profile.ends] == pytest.approx([0.1, 10.0])
        assert np.isnan(profile.interval).all() and between(profile.ends) == "not determined"
        np.testing.assert_allclose(profile.delta_chi2, np.zeros(15), atol=1e-6)
        np.testing.assert_allclose(profile.theta.prod(axis=1), np.full(15, 0.6), rtol=1e-6)


def test_an_end_that_is_due_to_the_range_of_another_parameter_says_so():
    """Only a · b counts, and b ends at 2: a is closed below by that alone."""
    x = jnp.linspace(0.1, 2.0, 20)
    function = batched(lambda t: (jnp.exp(-t[0] * t[1] * x) - jnp.exp(-0.6 * x)) / 0.01)
    bounds = (Parameter("a", (), 0.1, 10.0, "log"), Parameter("b", (), 0.01, 2.0, "log"))
    best = jnp.array([0.5, 1.2])
    errors = covariance(function(best[None])[1][0], best, ranges_of(bounds))
    (profile,) = profile_likelihood(function, bounds, best, ["a"], covariance=errors)
    assert outcomes(profile) == ["CLOSED", "RANGE"]
    slope = jax.jacfwd(lambda q: jnp.exp(-q * x) / 0.01)(0.6)
    # The product itself is nearly linear over its error.
    expected = (0.6 - NORMAL_95 / float(jnp.linalg.norm(slope))) / 2.0
    assert profile.interval[0] == pytest.approx(expected, rel=2e-3)
    assert profile.ends[0].text() == "closed, with b at 2, the end of the range"
    assert profile.ends[1].text() == "reaches 10, the end of the range, at Δχ² = 0.00"


def test_each_word_in_the_place_of_an_end_is_told():
    words = {outcome: End(outcome, 1.0).label() for outcome in Outcome if outcome is not Outcome.CLOSED}
    told = [text.partition(": ")[0] for text in meanings([*Outcome, *Outcome])]
    # "not determined" tells itself.
    assert sorted(told) == sorted(word for outcome, word in words.items() if outcome is not Outcome.NO_EFFECT)
    assert meanings([Outcome.CLOSED]) == []


def test_a_parameter_at_the_end_of_its_range_has_a_one_sided_limit():
    """The minimum of x lies outside, at 1.3; y follows x."""
    function = batched(lambda t: jnp.stack([(t[0] - 1.3) / 0.5, (t[1] - t[0]) / 0.1]))
    bounds = (Parameter("x", (), -5.0, 1.0), Parameter("y", (), -5.0, 5.0))
    best = refine(function, bounds, [[0.0, 0.0]]).theta[0]
    errors = covariance(function(best[None])[1][0], best, ranges_of(bounds), held=jnp.array([True, False]))
    x, y = profile_likelihood(function, bounds, best, covariance=errors)
    # From χ² at the bound, not at the minimum that is out of reach.
    reach = lambda delta: 1.3 - 0.5 * np.sqrt(delta + (0.3 / 0.5) ** 2)  # noqa: E731
    assert outcomes(x) == ["CLOSED", "HELD"]
    assert x.interval[0] == pytest.approx(reach(DELTA_CHI2_95), abs=2e-3)
    assert x.ends[1].text() == "held at 1, the end of the range: one-sided limit" and np.isnan(x.interval[1])
    # Upwards only the second residual grows; downwards x comes along.
    assert outcomes(y) == ["CLOSED", "CLOSED"]
    assert y.interval[1] == pytest.approx(1.0 + 0.1 * NORMAL_95, abs=1e-3)
    assert y.ends[1].others == ("x at 1",) and y.ends[0].others == ()
    assert y.interval[0] < 1.0 - 5.0 * 0.1


def test_a_parameter_without_effect_has_no_interval():
    function = batched(lambda t: jnp.stack([t[0] - 1.0, t[0] + 1e-3 * t[1], 0.0 * t[2] + 1.0]))
    bounds = (Parameter("x", (), -5.0, 5.0), Parameter("weak", (), 0.0, 10.0), Parameter("none", (), 0.0, 1.0))
    best = refine(function, bounds, [[0.0, 1.0, 0.5]]).theta[0]
    errors = covariance(
        function(best[None])[1][0], best, ranges_of(bounds), held=jnp.array([False, best[1] == 0.0, True])
    )
    x, weak, none = profile_likelihood(function, bounds, best, covariance=errors)
    assert outcomes(x) == ["CLOSED", "CLOSED"]
    assert outcomes(weak) == outcomes(none) == ["NO_EFFECT", "NO_EFFECT"]
    assert between(weak.ends) == between(none.ends) == "not determined"
    assert np.isnan([*weak.interval, *none.interval]).all()


def test_the_interval_covers_a_second_minimum():
    """Two minima of nearly the same depth; between them χ² rises above the threshold."""
    function = batched(lambda t: jnp.stack([3.0 * (t[0] ** 2 - 1.0), 0.1 * (t[0] - 1.0), t[1] - t[0]]))
    bounds = (Parameter("x", (), -5.0, 5.0), Parameter("y", (), -5.0, 5.0))
    ends = refine(function, bounds, [[1.3, 0.0], [-1.3, 0.0]])
    (alone,) = profile_likelihood(function, bounds, ends.theta[0], ["x"])
    assert alone.interval[0] > 0.0
    (both,) = profile_likelihood(function, bounds, ends.theta[0], ["x"], others=ends.theta[1:])
    chi2 = lambda x: 9.0 * (x**2 - 1.0) ** 2 + 0.01 * (x - 1.0) ** 2  # noqa: E731
    expected = [optimize.brentq(lambda x: chi2(x) - DELTA_CHI2_95, *span) for span in ((-3.0, -1.0), (1.0, 3.0))]
    np.testing.assert_allclose(both.interval, expected, rtol=2e-3)
    assert not both.improved


def test_a_profile_finds_that_the_minimum_was_local():
    function = batched(lambda t: jnp.stack([(t[0] ** 2 - 4.0), 0.5 * (t[0] - 2.0), t[1] - t[0]]))
    bounds = (Parameter("x", (), -5.0, 5.0), Parameter("y", (), -INF, INF))
    best = refine(function, bounds, [[-2.2, 0.0], [2.2, 0.0]]).theta
    assert float(best[0, 0]) < -1.5
    (profile,) = profile_likelihood(function, bounds, best[0], ["x"], others=best[1:])
    assert profile.improved
    assert profile.lowest[0] > 1.5


def test_an_open_interval_is_looked_for_further_out():
    """The likelihood of one count, ln μ - μ, reaches further down than errors say; its ends have Δχ² = 3.84."""
    count, bounds = 1.0, (Parameter("mean", (), 0.0, INF, "log"),)

    def function(theta: jax.Array) -> tuple[jax.Array, jax.Array]:
        root = lambda t: jnp.sign(t - count) * jnp.sqrt(2.0 * (t - count - count * jnp.log(t / count)))  # noqa: E731
        slope = lambda t: jnp.where(t == count, 1.0, (1.0 - count / t) / root(t))  # noqa: E731
        return root(theta), slope(theta)[:, :, None]

    # An error that is too small, so that the first step ends inside.
    narrow = covariance(jnp.asarray([[1.4]]), jnp.asarray([count]), ranges_of(bounds))
    (found,) = profile_likelihood(function, bounds, [count], covariance=narrow, points=21)
    delta = lambda t: 2.0 * (t - 1.0 - np.log(t)) - DELTA_CHI2_95  # noqa: E731
    ends = [optimize.brentq(delta, *bracket) for bracket in ((1e-6, 1.0), (1.0, 9.0))]
    assert outcomes(found) == ["CLOSED", "CLOSED"]
    np.testing.assert_allclose(found.interval, ends, rtol=2e-3)


def test_profile_points_that_cannot_be_evaluated_leave_the_end_not_found():
    model = batched(lambda t: jnp.where(t[0] > 1.2, jnp.nan, jnp.stack([(t[0] - 1.0) / 0.5, t[1] - t[0]])))
    bounds = (Parameter("x", (), -5.0, 5.0), Parameter("y", (), -INF, INF))
    (profile,) = profile_likelihood(model, bounds, [1.0, 1.0], ["x"])
    assert outcomes(profile) == ["CLOSED", "NOT_FOUND"]
    assert profile.interval[0] == pytest.approx(1.0 - 0.5 * NORMAL_95, rel=1e-9)
    assert np.isnan(profile.interval[1]) and 1.1 < profile.ends[1].value <= 1.2
    assert profile.ends[1].text().startswith("not found: refits did not converge beyond 1.")
    assert between(profile.ends).endswith("… not found")


def test_wrong_input_of_a_profile_is_refused():
    function = batched(lambda t: t - 1.0)
    with pytest.raises(ValueError, match="'c' is not a parameter; there are b1, b2"):
        profile_likelihood(function, unbounded(2), [1.0, 1.0], ["c"])


# --- identifiability --------------------------------------------------------------------------------------------------


def test_identifiability_names_the_product_that_is_determined():
    x = jnp.linspace(0.1, 2.0, 20)
    residual = lambda t: jnp.exp(-t[0] * t[1] ** 2 * x) / 0.001  # noqa: E731
    bounds = (Parameter("a", (), 0.01, 100.0, "log"), Parameter("b", (), 0.01, 100.0, "log"))
    theta = jnp.array([0.5, 1.2])
    report = identifiability(jax.jacfwd(residual)(theta), theta, bounds)
    ((group,), alone) = report.groups, report.alone
    assert (group.members, alone, report.hardly) == ((0, 1), (), ())
    (combination,) = group.combinations
    np.testing.assert_allclose(combination.powers, [0.5, 1.0], rtol=1e-6)
    assert report.effective_parameters == pytest.approx(1.0, abs=1e-5)
    # The error of ln(b √a) is half of that of ln(a b²), a problem of one parameter.
    slope = jax.jacfwd(lambda q: jnp.exp(-jnp.exp(q) * x) / 0.001)(jnp.log(0.5 * 1.2**2))
    assert combination.standard_error == pytest.approx(0.5 / float(jnp.linalg.norm(slope)), rel=1e-9)
    first, summary = report.lines({"b": "the width"})
    percent = 50.0 / float(jnp.linalg.norm(slope))
    assert first == f"a^0.5 · (the width) is determined to {percent:.2g} %; each alone is not"
    assert summary == "the data determine 1.0 of 2 parameters"


@pytest.mark.parametrize(("low", "high", "scale"), [(3e-8, 3e-7, "linear"), (1e-9, 1e-5, "log")])
def test_a_ratio_is_said_whatever_scales_and_units_are(low: float, high: float, scale: str):
    """D and a conductivity of 1e-7 that act by their ratio alone, beside a width that is well determined."""
    x = jnp.linspace(0.1, 2.0, 20)
    model = lambda t: jnp.concatenate([jnp.exp(-(t[0] / t[1] * 1e14) * x), t[2] * x]) / 0.01  # noqa: E731
    bounds = (
        Parameter("D", (), 2e-23, 3e-21, "log"),
        Parameter("a", (), low, high, scale),
        Parameter("w", (), 0.15, 0.4),
        Parameter("none", (), 0.0, 1.0),
    )
    theta = jnp.array([8e-22, 1e-7, 0.25, 0.5])
    jacobian = jax.jacfwd(model)(theta)
    report = identifiability(jacobian, theta, bounds)
    slope = jax.jacfwd(lambda q: jnp.exp(-jnp.exp(q) * x) / 0.01)(jnp.log(0.8))
    percent, width = 100.0 / float(jnp.linalg.norm(slope)), 0.01 / float(jnp.linalg.norm(x))
    # An error in the unit of its parameter says which unit that is.
    assert report.lines(units={"w": "eV", "D": "m² s⁻¹"})[0] == f"w is determined to ± {width:.2g} eV"
    assert report.lines({"D": "D of K", "a": "the conductivity of Li"}) == [
        f"w is determined to ± {width:.2g}",
        f"the ratio of D of K to the conductivity of Li is determined to {percent:.2g} %; each alone is not",
        "none has no effect that the data show",
        "the data determine 2.0 of 4 parameters",
    ]


def test_errors_of_what_is_determined_follow_from_the_covariance(rng: np.random.Generator):
    jacobian = rng.normal(size=(12, 3)) * [1.0, 3.0, 20.0]
    bounds = (
        Parameter("D", (), 0.01, 100.0, "log"),
        Parameter("v", (), 0.01, 0.6, "logit"),
        Parameter("depth", (), -2.0, 3.0),
    )
    theta = np.array([2.0, 0.1, 0.3])
    report = identifiability(jacobian, theta, bounds, variance=1.7)
    errors = covariance(jnp.asarray(jacobian), jnp.asarray(theta), ranges_of(bounds), variance=1.7)
    unit = np.array([np.log(1e4), np.log(0.6 / 0.4) - np.log(0.01 / 0.99), 5.0]) / np.sqrt(12.0)
    assert {k for k, _ in report.alone} == set(np.flatnonzero(np.asarray(errors.standard_error_scaled) < unit))
    for k, error in report.alone:
        expected = (errors.standard_error_scaled if bounds[k].scale == "log" else errors.standard_error)[k]
        assert error == pytest.approx(float(expected), rel=1e-9)
    sharp = [error / (unit * [1.0, 0.09, 1.0])[k] for k, error in report.alone]
    assert sharp == sorted(sharp) and len(sharp) >= 2
    assert np.all(np.diff(report.sharpness) <= 0.0)
    assert 0.0 < report.effective_parameters < 3.0


def test_all_but_a_common_factor_is_told_as_ratios(rng: np.random.Generator):
    bounds = tuple(Parameter(name, (), 1e-3, 1e3, "log") for name in ("D_Li", "D_K", "D_Rb", "D_Cs"))
    jacobian = rng.normal(size=(40, 4)) * [30.0, 10.0, 5.0, 8.0]
    # What all rows have in common with a factor of all four is taken off.
    jacobian -= jacobian.mean(axis=1, keepdims=True)
    *ratios, count = identifiability(jacobian, np.ones(4), bounds).lines()
    assert count == "the data determine 3.0 of 4 parameters"
    spread, names = np.linalg.pinv(jacobian.T @ jacobian), [bound.name for bound in bounds]
    for line in ratios:
        above, below, error = re.match(r"the ratio of (\w+) to (\w+) is determined to ([\d.e-]+) %", line).groups()
        difference = np.eye(4)[names.index(above)] - np.eye(4)[names.index(below)]
        expected = 100.0 * np.sqrt(difference @ spread @ difference)
        assert float(error) == pytest.approx(expected, rel=0.06)
    assert ratios[-1].endswith("each of D_Li, D_K, D_Rb, D_Cs alone is not")


def test_sums_are_written_for_parameters_on_other_scales():
    bounds = (Parameter("x", (), 0.0, 1.0), Parameter("D", (), 1.0, np.e, "log"), Parameter("v", (), 0.2, 0.5, "logit"))
    report = identifiability(np.array([[10.0, -5.0, 0.0]]), [0.5, 2.0, 0.3], bounds)
    first, second, _ = report.lines()
    assert first == "x - 0.5 D is determined to ± 0.1; each alone is not"
    assert second == "v has no effect that the data show"
    weak = identifiability(np.array([[1.0, -0.5, 0.0]]), [0.5, 2.0, 0.3], bounds)
    assert weak.lines()[0] == "x and D are not determined"


# --- comparison of models ---------------------------------------------------------------------------------------------


def test_information_criteria_follow_from_the_likelihood(rng: np.random.Generator):
    """Differences between two models of the same data, from the normal log-likelihood itself."""
    x, y = np.linspace(0, 1, 30), rng.normal(size=30)
    fits = [np.polyval(np.polyfit(x, y, degree), x) for degree in (1, 4)]
    chi2 = [float(np.sum((y - fit) ** 2)) for fit in fits]
    for known in (True, False):
        criteria = [information_criteria(c, 30, p, known_errors=known) for c, p in zip(chi2, (2, 5), strict=True)]
        logs = [
            stats.norm.logpdf(y, f, 1.0 if known else np.sqrt(c / 30)).sum() for f, c in zip(fits, chi2, strict=True)
        ]
        assert criteria[0].aic - criteria[1].aic == pytest.approx(-2 * (logs[0] - logs[1]) - 6.0)
        assert criteria[0].bic - criteria[1].bic == pytest.approx(-2 * (logs[0] - logs[1]) - 3 * np.log(30.0))
    assert information_criteria(10.0, 10, 3).aicc == pytest.approx(16.0 + 2 * 3 * 4 / 6)
    assert information_criteria(10.0, 4, 3).aicc == INF


def test_likelihood_ratio():
    test = likelihood_ratio(13.841458820694124, 10.0, 1)
    assert test.statistic == pytest.approx(DELTA_CHI2_95)
    assert test.p_value == pytest.approx(0.05)
    assert likelihood_ratio(12.0, 10.0, 2).p_value == pytest.approx(np.exp(-1.0))
    with pytest.raises(ValueError, match="not at its minimum"):
        likelihood_ratio(9.0, 10.0, 1)
    with pytest.raises(ValueError, match="no degree of freedom"):
        reduced_chi2(1.0, 3, 3)
