"""Refinement: closed forms, certified regressions, another optimiser, ends of ranges, walls, and stopping."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array
from nist_strd import DATASETS
from scipy import optimize

from npp_jax.inference import (
    REASON_ADVICE,
    Parameter,
    ParameterError,
    Parameters,
    Prior,
    Reason,
    RefineOptions,
    from_unbounded,
    ranges_of,
    refine,
    theta_slope,
    to_scaled,
    to_theta,
    to_unbounded,
    unbounded_slope,
)
from npp_jax.inference.refine import go_on

INF = float("inf")
BOUNDS = (
    Parameter("D", (), 1e-20, 1e-14, "log"),
    Parameter("v", (), 0.01, 0.6, "logit"),
    Parameter("depth", (), -3.0, 5.0),
    Parameter("offset", (), -INF, INF),
    Parameter("rate", (), 0.0, INF, "log"),
    Parameter("share", (), 0.0, 1.0, "logit"),
)
RANGES = ranges_of(BOUNDS)
INSIDE = np.array([[3e-17, 0.05, 4.9, -7.0, 1e-3, 0.999], [1.1e-20, 0.59, -2.99, 1e4, 30.0, 1e-6]])


def batched(residual: Callable[[Array], Array]) -> Callable[[Array], tuple[Array, Array]]:
    return jax.jit(jax.vmap(lambda theta: (residual(theta), jax.jacfwd(residual)(theta))))


def unbounded(count: int) -> Parameters:
    return tuple(Parameter(f"b{k + 1}", (), -INF, INF) for k in range(count))


def reasons(result) -> list[str]:
    return [Reason(int(reason)).name for reason in result.reason]


def rosenbrock(theta: Array) -> Array:
    return jnp.stack([10.0 * (theta[1] - theta[0] ** 2), 1.0 - theta[0]])


ROSENBROCK = batched(rosenbrock)


# --- coordinates ------------------------------------------------------------------------------------------------------


def test_maps_are_inverse_and_their_slopes_are_derivatives():
    theta = jnp.asarray(INSIDE)
    scaled, z = to_scaled(RANGES, theta), to_unbounded(RANGES, theta)
    np.testing.assert_allclose(to_theta(RANGES, scaled), theta, rtol=1e-13)
    np.testing.assert_allclose(from_unbounded(RANGES, z), theta, rtol=1e-12)
    slope = jax.vmap(lambda s: jnp.diag(jax.jacfwd(lambda x: to_theta(RANGES, x))(s)))(scaled)
    np.testing.assert_allclose(theta_slope(RANGES, theta), slope, rtol=1e-12)
    slope = jax.vmap(lambda s: jnp.diag(jax.jacrev(lambda x: from_unbounded(RANGES, x))(s)))(z)
    np.testing.assert_allclose(unbounded_slope(RANGES, z), slope, rtol=1e-10)


def test_scaled_limits_and_the_middle_of_a_range():
    low, high = RANGES.low, RANGES.high
    np.testing.assert_allclose(low, [np.log(1e-20), np.log(0.01 / 0.99), -3.0, -INF, -INF, -INF])
    np.testing.assert_allclose(high, [np.log(1e-14), np.log(1.5), 5.0, INF, INF, INF])
    middle = np.array([bound.at(np.array([0.5]))[0] for bound in BOUNDS[:3]])
    np.testing.assert_allclose(middle[[0, 2]], [1e-17, 1.0])
    np.testing.assert_allclose(middle[1] / (1 - middle[1]), np.sqrt(0.01 / 0.99 * 1.5))


@pytest.mark.parametrize("z", [-800.0, 800.0])
def test_the_unbounded_coordinate_never_leaves_the_range(z: float):
    theta = np.asarray(from_unbounded(ranges_of(BOUNDS[:3]), jnp.full(3, z)))
    assert all(bound.low <= value <= bound.high for bound, value in zip(BOUNDS, theta, strict=False))


@pytest.mark.parametrize(
    ("words", "arguments"),
    [
        ("D: low = 2.0 must be below high = 1.0", ("D", (), 2.0, 1.0)),
        ("D: low = -1.0 must be above 0 on the scale 'log'", ("D", (), -1.0, 1.0, "log")),
        ("D: low = 0.0 must be above 0 on the scale 'log'", ("D", (), 0.0, 1.0, "log")),
        ("v: the range .* 'logit'", ("v", (), 0.1, 1.0, "logit")),
        ("x: the range .* 'linear'", ("x", (), 0.0, INF)),
        ("x: low = nan", ("x", (), float("nan"), 1.0)),
    ],
)
def test_a_wrong_range_is_refused_in_one_line(words: str, arguments: tuple):
    with pytest.raises(ValueError, match=words) as caught:
        Parameter(*arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("words", "prior"),
    [("x: prior mean = -1.0 is outside", (-1.0, 1.0)), ("x: prior sigma = 0.0 must be positive", (0.5, 0.0))],
)
def test_a_wrong_prior_is_refused_in_one_line(words: str, prior: tuple):
    with pytest.raises(ParameterError, match=words):
        Parameter("x", (), 0.0, 1.0, prior=Prior(*prior))


def test_a_start_outside_and_a_wrong_shape_are_refused():
    with pytest.raises(ValueError, match=r"b: start 7\.0 is outside of the range"):
        refine(ROSENBROCK, (Parameter("a", (), -2, 2), Parameter("b", (), -2, 2)), [[0.0, 7.0]])
    with pytest.raises(ValueError, match="is needed"):
        refine(ROSENBROCK, unbounded(2), jnp.array([0.0, 7.0]))
    with pytest.raises(ValueError, match=r"residuals .* are needed"):
        refine(lambda theta: (theta, theta), unbounded(2), [[0.0, 7.0]])


# --- minima -----------------------------------------------------------------------------------------------------------


def test_linear_least_squares(rng: np.random.Generator):
    design, data = rng.normal(size=(40, 5)) * [1e-6, 1.0, 1e3, 1.0, 1e9], rng.normal(size=40)
    result = refine(batched(lambda b: design @ b - data), unbounded(5), rng.normal(size=(7, 5)))
    expected, squares = np.linalg.lstsq(design / (scale := np.linalg.norm(design, axis=0)), data, rcond=None)[:2]
    assert reasons(result) == ["CONVERGED"] * 7
    np.testing.assert_allclose(2.0 * result.cost, np.full(7, squares[0]), rtol=1e-9)
    np.testing.assert_allclose(result.theta * scale, np.broadcast_to(expected, (7, 5)), atol=1e-4 * np.sqrt(squares[0]))


@pytest.mark.parametrize("name", DATASETS)
def test_certified_regression(name: str):
    data = DATASETS[name]
    residual = lambda b: data.model(b, jnp.asarray(data.x)) - data.y  # noqa: E731
    starts = data.starts[1:] if name == "MGH10" else data.starts
    options = RefineOptions(iterations=200, offset=1e-8)
    result = refine(batched(residual), unbounded(len(data.parameters)), starts, options=options)
    assert reasons(result) == ["CONVERGED"] * len(starts)
    np.testing.assert_allclose(result.theta, np.broadcast_to(data.parameters, starts.shape), rtol=1e-7)
    np.testing.assert_allclose(2.0 * result.cost, np.full(len(starts), data.sum_of_squares), rtol=1e-9)


def test_the_hardest_certified_start_does_not_claim_convergence():
    """MGH10 from start 1 creeps for thousands of steps along a valley that is nearly flat."""
    data = DATASETS["MGH10"]
    residual = lambda b: data.model(b, jnp.asarray(data.x)) - data.y  # noqa: E731
    result = refine(batched(residual), unbounded(3), data.starts[:1])
    assert reasons(result) == ["ITERATION_LIMIT"]


def test_certified_regression_on_logarithmic_scales():
    data = DATASETS["MGH10"]
    residual = lambda b: data.model(b, jnp.asarray(data.x)) - data.y  # noqa: E731
    ranges = (
        Parameter("b1", (), 1e-4, 10.0, "log"),
        Parameter("b2", (), 1e2, 1e6, "log"),
        Parameter("b3", (), 1.0, 1e5, "log"),
    )
    result = refine(batched(residual), ranges, data.starts[1:], options=RefineOptions(iterations=200, offset=1e-8))
    np.testing.assert_allclose(result.theta[0], data.parameters, rtol=1e-8)


def test_residuals_that_vanish():
    result = refine(ROSENBROCK, unbounded(2), [[-1.2, 1.0], [3.0, -4.0], [0.0, 0.0]])
    assert reasons(result) == ["CONVERGED"] * 3
    np.testing.assert_allclose(result.theta, np.ones((3, 2)), atol=1e-9)


def test_a_small_residual_that_is_not_at_its_minimum_is_not_converged():
    """A start of huge cost must not make a later, merely smaller residual look like zero."""
    result = refine(
        batched(lambda b: jnp.stack([jnp.exp(b[0]) + 1.0, jnp.exp(0.5 * b[0]) - 3.0])), unbounded(1), [[25.0]]
    )
    reference = optimize.minimize_scalar(
        lambda b: (np.exp(b) + 1) ** 2 + (np.exp(0.5 * b) - 3) ** 2, bounds=(-5, 5), options={"xatol": 1e-10}
    )
    assert reasons(result) == ["CONVERGED"]
    np.testing.assert_allclose(result.theta[0, 0], reference.x, rtol=1e-4)


def peaks(theta: Array, x: Array) -> Array:
    return theta[0] * jnp.exp(-0.5 * ((x - theta[1]) / theta[2]) ** 2) + theta[3] + theta[4] * x + theta[5] * x**2


def test_agrees_with_scipy_inside_and_at_the_ends_of_ranges(rng: np.random.Generator):
    """Six parameters, 1000 residuals, 64 starts; the true width and background lie outside of their ranges."""
    x = jnp.linspace(-3.0, 3.0, 1000)
    truth = jnp.array([4.0, 0.4, 0.5, -0.5, 0.2, 0.05])
    data = peaks(truth, x) + 0.1 * rng.normal(size=1000)
    low, high = np.array([0.1, -1.0, 0.6, -0.3, -1.0, -1.0]), np.array([20.0, 1.0, 3.0, 1.0, 1.0, 1.0])
    scales = ["log", "linear", "log", "linear", "linear", "linear"]
    ranges = tuple(Parameter(f"b{k}", (), *edge) for k, edge in enumerate(zip(low, high, scales, strict=True)))
    residual = lambda b: peaks(b, x) - data  # noqa: E731
    result = refine(batched(residual), ranges, low + (high - low) * rng.uniform(0.0, 1.0, (64, 6)))
    best = result.best()
    expected = optimize.least_squares(
        jax.jit(residual), np.clip(truth, low, high) * [1, 1, 1.1, 0.9, 1, 1], jax.jit(jax.jacfwd(residual)),
        bounds=(low, high), x_scale=[1, 1, 1, 0.1, 0.1, 0.1], xtol=1e-15, ftol=1e-15, gtol=1e-12,
    )  # fmt: skip
    assert Reason(int(result.reason[best])) is Reason.AT_BOUND
    np.testing.assert_array_equal(result.at_bound[best], [0, 0, -1, -1, 0, 0])
    np.testing.assert_allclose(result.theta[best], expected.x, rtol=2e-5, atol=2e-6)
    np.testing.assert_allclose(result.cost[best], expected.cost, rtol=1e-8)
    assert result.cost[best] <= expected.cost * (1.0 + 1e-9)
    for k, reason in enumerate(result.reason):
        if reason in (Reason.CONVERGED, Reason.AT_BOUND):
            gradient = jax.grad(lambda b: 0.5 * jnp.sum(residual(b) ** 2))(result.theta[k])
            moving = np.asarray(result.at_bound[k] == 0)
            assert np.all(np.abs(gradient)[moving] < 1e-2)
            assert np.all((gradient * result.at_bound[k])[~moving] <= 0.0)


def test_a_minimum_at_the_end_of_a_range():
    """Rosenbrock with a ≤ ½: the minimum on the wall is a = ½, b = ¼."""
    result = refine(ROSENBROCK, (Parameter("a", (), -2, 0.5), Parameter("b", (), -2, 2)), [[-1.2, 1.0], [0.4, -2.0]])
    assert reasons(result) == ["AT_BOUND"] * 2
    np.testing.assert_array_equal(result.at_bound, [[1, 0], [1, 0]])
    np.testing.assert_allclose(result.theta, [[0.5, 0.25]] * 2, atol=1e-6)


def test_fixed_parameters_stay_and_the_others_are_optimised():
    fixed = jnp.array([[True, False], [False, True]])
    result = refine(ROSENBROCK, unbounded(2), [[0.7, -2.0], [0.1, 0.36]], fixed=fixed)
    at = optimize.minimize_scalar(lambda a: 100 * (0.36 - a**2) ** 2 + (1 - a) ** 2, bracket=(0.5, 0.6, 0.8))
    np.testing.assert_allclose(result.theta, [[0.7, 0.49], [at.x, 0.36]], rtol=1e-6)
    assert reasons(result) == ["CONVERGED"] * 2


# --- stopping ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wall", [-0.5, 0.0, 0.3, 0.999])
@pytest.mark.parametrize("way", ["nan", "refused"])
def test_a_wall_is_never_called_converged(wall: float, way: str):
    """The minimum at (1, 1) lies behind a wall at which residuals stop to exist."""

    def evaluate(theta: Array) -> tuple[Array, ...]:
        behind = theta[:, 0] > wall
        residual, jacobian = ROSENBROCK(theta)
        if way == "refused":
            return residual, jacobian, ~behind
        return jnp.where(behind[:, None], jnp.nan, residual), jacobian

    starts = [[-1.2, 1.0], [-0.6, -1.0], [-0.9, 0.3], [1.2, 0.0]]
    result = refine(evaluate, (Parameter("a", (), -2, 2), Parameter("b", (), -2, 2)), starts)
    assert reasons(result) == ["FAILURE_WALL"] * 4
    assert np.all(result.failed_evaluations[:3] > 0)
    assert np.all(result.theta[:3, 0] <= wall)
    assert np.all(result.theta[:3, 0] > wall - 0.2)
    assert result.cost[3] == INF
    assert (int(result.evaluations[3]), int(result.iterations[3])) == (1, 0)


def test_random_walls_are_never_called_converged(rng: np.random.Generator):
    """300 half spaces, one for each start, that cut off the minimum of a nonlinear problem in four dimensions."""
    count, size = 300, 4
    matrix, noise = jnp.asarray(rng.normal(size=(20, size))), jnp.asarray(rng.normal(size=20))
    residual = lambda b: matrix @ (b + 0.1 * b**3) - noise  # noqa: E731
    minimum = refine(batched(residual), unbounded(size), np.zeros((1, size))).theta[0]
    normal = rng.normal(size=(count, size))
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    distance = 10.0 ** rng.uniform(-3.0, 0.5, count)
    starts = np.asarray(minimum) + rng.normal(size=(count, size))
    beyond = np.sum(normal * (starts - np.asarray(minimum)), axis=1) + distance
    starts -= normal * (np.maximum(beyond, 0.0) * (1.0 + rng.uniform(size=count)))[:, None]

    plain = batched(residual)

    def evaluate(theta: Array) -> tuple[Array, Array]:
        behind = jnp.sum(normal * (theta - minimum), axis=1) + distance > 0.0
        r, jacobian = plain(theta)
        return jnp.where(behind[:, None], jnp.nan, r), jacobian

    result = refine(evaluate, unbounded(size), starts)
    found = np.bincount(np.asarray(result.reason), minlength=len(Reason))
    assert found[Reason.CONVERGED] == found[Reason.AT_BOUND] == found[Reason.INSENSITIVE] == 0
    assert found[Reason.FAILURE_WALL] > 0.95 * count, found
    free = refine(plain, unbounded(size), starts)
    assert set(reasons(free)) == {"CONVERGED"}


@pytest.mark.parametrize("power", [0.5, 2.0])
@pytest.mark.parametrize("edge", [0.0, 1.0])
def test_a_cliff_at_a_wall_is_never_called_converged(power: float, edge: float):
    """Cost falls towards the wall with infinite slope (½), where the Gauss–Newton step vanishes, or levels off (2)."""
    residual = lambda b: jnp.stack([jnp.abs(b[0] - edge) ** power + 1.0 + 0.0 * b[0], 0.5 + 0.1 * (b[0] - edge)])  # noqa: E731
    model = lambda b: jnp.where(b[0] > edge, residual(b), jnp.nan)  # noqa: E731
    result = refine(batched(model), (Parameter("b", (), -3.0, 4.0),), [[3.0], [edge + 1e-3]])
    assert reasons(result) == ["FAILURE_WALL"] * 2


def test_a_failed_step_is_taken_back_and_counted():
    """The first Gauss–Newton step of √b - 1 from 9 leads to b = -3."""
    result = refine(batched(lambda b: jnp.sqrt(b) - 1.0), unbounded(1), [[9.0]], options=RefineOptions(damping=1e-9))
    assert reasons(result) == ["CONVERGED"]
    assert int(result.failed_evaluations[0]) >= 1
    np.testing.assert_allclose(result.theta, [[1.0]], atol=1e-9)


def test_neighbours_do_not_touch_each_other():
    """A start gives bitwise the same beside failing neighbours."""
    model = batched(lambda b: jnp.where(b[0] > 5.0, jnp.nan, rosenbrock(b)))
    beside = refine(model, unbounded(2), [[-1.2, 1.0], [6.0, 0.0], [2.0, 2.0]])
    other = refine(model, unbounded(2), [[-1.2, 1.0], [0.5, 0.0], [-2.0, 1.0]])
    assert np.array_equal(beside.theta[0], other.theta[0])
    assert beside.evaluations[0] == other.evaluations[0]


@pytest.mark.parametrize(("size", "ended"), [(1e-3, "CONVERGED"), (1.0, "STALLED")])
def test_rough_residuals_converge_to_what_matters(size: float, ended: str):
    """Noise in the residuals, of which the Jacobian knows nothing: below a tenth of a standard error it is no fault."""
    residual = lambda b: jnp.stack([b[0] + 2.0, b[0] - 3.0, b[1] + b[0] ** 2])  # noqa: E731
    noise = lambda b: size * jnp.stack([jnp.sin(1e7 * b[0]), jnp.sin(1e7 * b[1]), jnp.cos(1e7 * b[0])])  # noqa: E731
    evaluate = jax.jit(jax.vmap(lambda b: (residual(b) + noise(b), jax.jacfwd(residual)(b))))
    result = refine(evaluate, unbounded(2), [[4.0, 4.0], [-3.0, 2.0]], options=RefineOptions(offset=1e-7))
    assert reasons(result) == [ended] * 2
    assert np.all(result.offset > 1e-7)
    assert np.all((np.sqrt(3.0) * np.asarray(result.offset) <= 0.1) == (ended == "CONVERGED"))
    if ended == "CONVERGED":
        # One standard error of b[0] is 0.5 |r| / √3, about one.
        np.testing.assert_allclose(result.theta[:, 0], 0.5, atol=0.1)


def test_parameters_without_effect_are_named():
    result = refine(
        batched(lambda b: jnp.stack([b[0] - 1.0, b[0] + 1.0, 1.0 + 0.0 * b[1]])), unbounded(2), [[3.0, 2.0]]
    )
    assert reasons(result) == ["INSENSITIVE"]
    np.testing.assert_array_equal(result.insensitive, [[False, True]])
    np.testing.assert_allclose(result.theta, [[0.0, 2.0]], atol=1e-5)
    flat = refine(batched(lambda b: jnp.ones(3) + 0.0 * b[0]), unbounded(1), [[3.0]])
    assert reasons(flat) == ["INSENSITIVE"]


def test_degenerate_parameters_still_converge():
    x = jnp.linspace(0.0, 2.0, 20)
    residual = lambda b: jnp.exp(-b[0] * b[1] * x) - jnp.exp(-0.7 * x) + 0.01 * jnp.cos(9.0 * x)  # noqa: E731
    result = refine(
        batched(residual), tuple(Parameter(n, (), 0.01, 100.0, "log") for n in "ab"), [[0.3, 1.0], [5.0, 2.0]]
    )
    assert reasons(result) == ["CONVERGED"] * 2
    np.testing.assert_allclose(jnp.prod(result.theta[0]), jnp.prod(result.theta[1]), rtol=1e-4)


def test_more_parameters_than_residuals():
    result = refine(batched(lambda b: jnp.stack([b[0] * b[1] - b[2] - 2.0])), unbounded(3), [[1.0, 1.0, 1.0]])
    assert reasons(result) == ["CONVERGED"]
    assert float(result.cost[0]) < 1e-18


def test_the_iteration_limit_is_said():
    result = refine(ROSENBROCK, unbounded(2), [[-1.2, 1.0]], options=RefineOptions(iterations=3))
    assert reasons(result) == ["ITERATION_LIMIT"]
    assert int(result.evaluations[0]) == 4


def test_the_best_start_goes_on_alone_where_only_its_iterations_ended_it():
    """The valley of Rosenbrock, which 3 iterations do not reach the end of."""
    options = RefineOptions(iterations=3, further=20.0)
    short = refine(ROSENBROCK, unbounded(2), [[-1.2, 1.0], [-2.0, 5.0]], options=options)
    assert reasons(short) == ["ITERATION_LIMIT"] * 2
    alone: list[int] = []
    counted = lambda theta: (alone.append(len(theta)), ROSENBROCK(theta))[1]  # noqa: E731
    result = go_on(counted, unbounded(2), short, options=options)
    best, other = short.best(), 1 - short.best()
    assert set(alone) == {1} and reasons(result)[best] == "CONVERGED" and reasons(result)[other] == "ITERATION_LIMIT"
    np.testing.assert_allclose(result.theta[best], [1.0, 1.0], rtol=1e-6)
    np.testing.assert_array_equal(result.theta[other], short.theta[other])
    assert int(result.evaluations[best]) == int(short.evaluations[best]) + len(alone)
    assert int(result.evaluations[other]) == int(short.evaluations[other])


def test_a_start_goes_on_no_further_than_its_limit_and_not_where_it_has_ended():
    short = refine(ROSENBROCK, unbounded(2), [[-1.2, 1.0]], options=RefineOptions(iterations=3))
    longer = go_on(ROSENBROCK, unbounded(2), short, options=RefineOptions(iterations=3, further=2.0))
    assert reasons(longer) == ["ITERATION_LIMIT"] and int(longer.evaluations[0]) == 4 + 7
    assert float(longer.cost[0]) < float(short.cost[0])
    for same in (go_on(ROSENBROCK, unbounded(2), short), go_on(ROSENBROCK, unbounded(2), longer)):
        assert reasons(same) == ["ITERATION_LIMIT"]
    done = refine(ROSENBROCK, unbounded(2), [[-1.2, 1.0]])
    assert go_on(ROSENBROCK, unbounded(2), done, options=RefineOptions(further=2.0)) is done


def test_progress_is_reported_and_the_model_compiles_once():
    traces, costs = [], []

    def residual(theta: Array) -> Array:
        traces.append(0)
        return rosenbrock(theta)

    evaluate = jax.jit(jax.vmap(lambda theta: (residual(theta), jax.jacfwd(rosenbrock)(theta))))
    refine(evaluate, unbounded(2), [[-1.2, 1.0]], on_iteration=lambda now: costs.append(float(now.cost[0])))
    assert len(traces) == 1
    assert len(costs) > 5
    assert costs == sorted(costs, reverse=True)


def test_every_reason_has_advice():
    assert set(REASON_ADVICE) == set(Reason)


def test_one_that_could_tell_stands_for_its_minimum():
    """A stalled start that is lower by less than noise gives way to a converged one, not to one in another minimum."""
    result = refine(batched(lambda b: b - 1.0), unbounded(1), jnp.zeros((3, 1)))
    reasons = jnp.array([Reason.STALLED, Reason.CONVERGED, Reason.CONVERGED])
    ended = lambda *cost: dataclasses.replace(result, reason=reasons, cost=jnp.array(cost)).best()  # noqa: E731
    assert ended(10.0, 10.005, 10.008) == 1
    assert ended(10.0, 11.0, 12.0) == 0


def test_steps_are_no_longer_than_is_asked():
    """An exponential that a long step overshoots: each step keeps within the limit, and the minimum is the same."""
    data = jnp.asarray([3e-4, 2e-4])
    visited = []

    def function(theta: Array) -> tuple[Array, Array]:
        visited.append(np.asarray(theta)[0])
        return batched(lambda t: t[0] * jnp.asarray([1.5, 1.0]) / data - 1.0)(theta)

    rate = (Parameter("rate", (), 0.0, INF, "log"),)
    long = refine(function, rate, [[1.0]])
    far = np.max(np.abs(np.diff(np.log(np.asarray(visited)), axis=0)))
    visited.clear()
    short = refine(function, rate, [[1.0]], options=RefineOptions(largest_step=0.7))
    assert far > 0.75
    assert np.max(np.abs(np.diff(np.log(np.asarray(visited)), axis=0))) <= 0.7 * (1.0 + 1e-12)
    assert reasons(short) == reasons(long) == ["CONVERGED"]
    np.testing.assert_allclose(short.theta, 2e-4, rtol=1e-6)


def test_rough_residuals_converge_with_a_larger_rounding_offset():
    """Where the cost is exact to 1e-4 only, gradients say whether a step goes down."""
    x = jnp.linspace(0.0, 1.0, 40)
    noise = 0.3 * jnp.sin(7.0 * jnp.arange(40.0))

    def function(theta: Array) -> tuple[Array, Array]:
        residual, jacobian = batched(lambda t: t[0] * jnp.exp(-t[1] * x) - jnp.exp(-2.0 * x) - noise)(theta)
        # As if solved to a tolerance: the cost depends on the last digits of the point.
        return residual * (1.0 + 1e-5 * jnp.sin(1e9 * theta[:, :1])), jacobian

    offset = 1e-4
    rough = RefineOptions(offset=offset, rounding_offset=1e-2)
    assert reasons(refine(function, unbounded(2), [[0.5, 1.0]], options=rough)) == ["CONVERGED"]
