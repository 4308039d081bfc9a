"""Ends of intervals against brute force: curved, one-sided, kinked, flat, double and rough problems.

The other method fixes the parameter, fits the others by SciPy's bounded least squares from several starts, and looks
for the crossing by bisection between the minimum and the end of the range.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize

from npp_jax.inference import (
    DELTA_CHI2_95,
    End,
    Estimate,
    Parameter,
    Parameters,
    RefineOptions,
    covariance,
    estimate,
    estimate_texts,
    given,
    interval_text,
    profile_likelihood,
    ranges_of,
    refine,
)
from npp_jax.inference.crossing import Point, advance, begin, trial
from npp_jax.inference.interval_end import Outcome

X = np.linspace(0.0, 5.0, 25)
NOISE = np.random.default_rng(7).normal(size=25)
Model = Callable[[Any, ModuleType], Any]
"""θ and NumPy or jax.numpy ↦ residuals."""


class Case(NamedTuple):
    """A problem, and how the ends of each of its parameters are found."""

    parameters: Parameters
    residuals: Model
    start: tuple[float, ...]
    outcomes: dict[str, tuple[str, str]]
    tolerance: float = 2e-3
    """Of an end, over its distance from the minimum on the scale."""
    noise: float = 0.0
    """Roughness of the residuals, of which the derivatives know nothing."""


def _decay(sigma: float, truth: tuple[float, float, float]) -> Model:
    data = truth[0] * np.exp(-truth[1] * X) + truth[2] + sigma * NOISE
    return lambda t, xp: (t[0] * xp.exp(-t[1] * X) + t[2] - data) / sigma


def _log(name: str, low: float, high: float) -> Parameter:
    return Parameter(name, (), low, high, "log")


CLOSED = ("CLOSED", "CLOSED")
CASES = {
    "curved": Case(
        (_log("amplitude", 0.1, 100.0), _log("rate", 0.01, 100.0), Parameter("floor", (), -5.0, 5.0)),
        _decay(0.5, (3.0, 0.8, 0.5)),
        (2.0, 1.0, 0.0),
        {"amplitude": CLOSED, "rate": CLOSED, "floor": CLOSED},
    ),
    "banana": Case(
        (Parameter("a", (), -5.0, 5.0), Parameter("b", (), -2.0, 20.0)),
        lambda t, xp: xp.stack([(t[1] - t[0] ** 2) / 0.1, (t[0] - 1.0) / 0.5, 0.0 * t[0] + 0.3]),
        (0.5, 0.5),
        {"a": CLOSED, "b": CLOSED},
    ),
    # A fast decay is over before the second point: no upper limit.
    "one-sided": Case(
        (_log("amplitude", 0.1, 100.0), _log("rate", 0.01, 1e3)),
        lambda t, xp: (t[0] * xp.exp(-t[1] * X) - 3.0 * np.exp(-20.0 * X) - 0.5 * NOISE) / 0.5,
        (3.0, 5.0),
        {"amplitude": CLOSED, "rate": ("CLOSED", "RANGE")},
    ),
    "held": Case(
        (Parameter("x", (), -5.0, 1.0), Parameter("y", (), -5.0, 5.0)),
        lambda t, xp: xp.stack([(t[0] - 1.3) / 0.5, (t[1] - t[0]) / 0.1, 0.1 * t[0] ** 2]),
        (0.0, 0.0),
        {"x": ("CLOSED", "HELD"), "y": CLOSED},
    ),
    # The product alone counts, until the other one is at the end of its range.
    "kinked": Case(
        (_log("a", 0.1, 10.0), _log("b", 0.05, 2.0)),
        lambda t, xp: (xp.exp(-t[0] * t[1] * X) - np.exp(-0.6 * X) - 0.01 * NOISE) / 0.01,
        (0.5, 1.0),
        {"a": ("CLOSED", "RANGE"), "b": ("CLOSED", "RANGE")},
    ),
    "flat": Case(
        (_log("a", 0.1, 10.0), _log("b", 0.01, 100.0), Parameter("none", (), 0.0, 1.0)),
        lambda t, xp: (xp.exp(-t[0] * t[1] * X) - np.exp(-0.6 * X) - 0.01 * NOISE) / 0.01 + 0.0 * t[2],
        (0.5, 1.0, 0.5),
        {"a": ("RANGE", "RANGE"), "none": ("NO_EFFECT", "NO_EFFECT")},
    ),
    "fraction": Case(
        (Parameter("v", (), 0.001, 0.9, "logit"), _log("rate", 0.01, 100.0)),
        lambda t, xp: (t[0] * xp.exp(-t[1] * X) - 0.1 * np.exp(-0.8 * X) - 0.06 * NOISE) / 0.06,
        (0.2, 1.0),
        {"v": ("CLOSED", "CLOSED")},
    ),
    "rough": Case(
        (_log("amplitude", 0.1, 100.0), _log("rate", 0.01, 100.0)),
        _decay(0.1, (3.0, 0.8, 0.0)),
        (2.0, 1.0),
        {"amplitude": CLOSED, "rate": CLOSED},
        tolerance=3e-2,
        noise=2e-3,
    ),
}
# The floor of that law is not varied.
CASES["rough"] = CASES["rough"]._replace(residuals=lambda t, xp: _decay(0.1, (3.0, 0.8, 0.0))((t[0], t[1], 0.0), xp))


def _function(case: Case) -> Callable:
    residual = lambda theta: case.residuals(theta, jnp)  # noqa: E731
    wobble = case.noise * jnp.sin(1e6 * jnp.arange(1.0, 26.0))
    rough = lambda theta: residual(theta) + (wobble * jnp.sin(1e5 * theta.sum()) if case.noise else 0.0)  # noqa: E731
    return jax.jit(jax.vmap(lambda theta: (rough(theta), jax.jacfwd(residual)(theta))))


def _chi2(case: Case, fixed: dict[int, float], starts: list[np.ndarray]) -> float:
    """Least χ² with some parameters fixed, on the scales of the parameters."""
    ranges = ranges_of(case.parameters)
    free = [k for k in range(len(case.parameters)) if k not in fixed]

    def residual(values: np.ndarray) -> np.ndarray:
        scaled = np.empty(len(case.parameters))
        scaled[free], scaled[list(fixed)] = values, list(fixed.values())
        return np.asarray(case.residuals(_theta(case, scaled), np))

    if not free:
        return float(np.sum(residual(np.zeros(0)) ** 2))
    box = (ranges.low[free], ranges.high[free])
    tight = {"xtol": 1e-12, "ftol": 1e-12, "gtol": 1e-12}
    found = (
        optimize.least_squares(residual, np.clip(s[free], box[0] + 1e-9, box[1] - 1e-9), bounds=box, **tight)
        for s in starts
    )
    return min(2.0 * float(fit.cost) for fit in found)


def _theta(case: Case, scaled: np.ndarray) -> list[float]:
    back = {"linear": float, "log": np.exp, "logit": lambda s: 1.0 / (1.0 + np.exp(-s))}
    return [back[p.scale](s) for p, s in zip(case.parameters, scaled, strict=True)]


def _on_scale(parameter: Parameter, value: float) -> float:
    there = {"linear": float, "log": np.log, "logit": lambda v: np.log(v / (1.0 - v))}
    return float(there[parameter.scale](value))


def _scaled(case: Case, theta: Any) -> np.ndarray:
    return np.array([_on_scale(p, float(v)) for p, v in zip(case.parameters, theta, strict=True)])


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_ends_are_those_of_brute_force(name: str):
    case = CASES[name]
    function, ranges = _function(case), ranges_of(case.parameters)
    options = RefineOptions(offset=1e-3 if case.noise else 1e-7)
    ended = refine(function, case.parameters, [case.start], options=options)
    best = np.asarray(ended.theta[0])
    held = (ended.at_bound[0] != 0) | ended.insensitive[0]
    errors = covariance(function(best[None])[1][0], jnp.asarray(best), ranges, held=held)
    profiles = profile_likelihood(
        function, case.parameters, best, list(case.outcomes), points=3, covariance=errors, options=options
    )
    centre = _scaled(case, best)
    starts = [centre, _scaled(case, case.start)]
    minimum = _chi2(case, {}, starts)
    for profile in profiles:
        k = [parameter.name for parameter in case.parameters].index(profile.name)
        assert tuple(end.outcome.name for end in profile.ends) == case.outcomes[profile.name], profile.name
        for end, limit in zip(profile.ends, (ranges.low[k], ranges.high[k]), strict=True):
            if end.outcome.name == "HELD":
                assert centre[k] == pytest.approx(limit)
                continue
            excess = lambda s, k=k: _chi2(case, {k: s}, starts) - minimum - DELTA_CHI2_95  # noqa: E731
            at_limit = excess(limit)
            if end.outcome.name == "CLOSED":
                assert at_limit > 0.0
                expected = optimize.brentq(excess, centre[k], limit, xtol=1e-4 * abs(limit - centre[k]))
                found = _on_scale(case.parameters[k], end.value)
                assert abs(found - expected) <= case.tolerance * abs(expected - centre[k]), (profile.name, end)
            else:
                assert end.delta_chi2 == pytest.approx(at_limit + DELTA_CHI2_95, abs=2e-2)


def test_intervals_agree_with_the_posterior():
    """Uniform on the scale of both parameters, on a grid: nearly normal, so that quantiles and profile agree."""
    case = CASES["curved"]._replace(residuals=_decay(0.2, (3.0, 0.8, 0.5)))
    function, ranges = _function(case), ranges_of(case.parameters)
    best = refine(function, case.parameters, [case.start]).theta[0]
    errors = covariance(function(best[None])[1][0], best, ranges)
    (rate,) = profile_likelihood(function, case.parameters, best, ["rate"], points=0, covariance=errors)
    centre, error = _scaled(case, best), np.asarray(errors.standard_error_scaled)
    axes = [np.linspace(c - 5.0 * e, c + 5.0 * e, n) for c, e, n in zip(centre, error, (41, 81, 41), strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    theta = np.stack([np.exp(grid[:, 0]), np.exp(grid[:, 1]), grid[:, 2]], axis=1)
    chi2 = np.asarray(jnp.sum(jax.jit(jax.vmap(lambda t: case.residuals(t, jnp)))(theta) ** 2, axis=1))
    density = np.exp(-0.5 * (chi2 - chi2.min())).reshape(41, 81, 41).sum(axis=(0, 2))
    spread = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]))])
    quantiles = np.interp([0.025, 0.975], spread / spread[-1], axes[1])
    found = np.log(rate.interval)
    np.testing.assert_allclose(found, quantiles, atol=0.1 * float(found[1] - found[0]))


def test_very_narrow_ranges_are_no_fault():
    """Ranges of a few roundings of their value, on every scale."""
    model = lambda t, xp: xp.stack([(t[0] - 0.3) / 0.5, (t[1] - 1e-21) / 1e-22, t[2] - 0.4])  # noqa: E731
    for share in (1e-3, 1e-9, 1e-14):
        bounds = (
            Parameter("x", (), 0.3 * (1.0 - share), 0.3 * (1.0 + share)),
            _log("D", 1e-21 * (1.0 - share), 1e-21 * (1.0 + share)),
            Parameter("v", (), 0.1, 0.1 * (1.0 + share), "logit"),
        )
        case = Case(bounds, model, (0.3, 1e-21, 0.1), {})
        function = _function(case)
        ended = refine(function, bounds, [case.start])
        errors = covariance(function(ended.theta)[1][0], ended.theta[0], ranges_of(bounds))
        for profile in profile_likelihood(function, bounds, ended.theta[0], covariance=errors):
            assert {end.outcome.name for end in profile.ends} <= {"RANGE", "HELD", "NO_EFFECT"}
            assert np.isnan(profile.interval).all()


def test_errors_say_what_they_are_given():
    """Profile or covariance: no error and no interval of zero at an end of the range, none of what has no effect."""
    residual = lambda t: jnp.stack([(t[0] - 1.3) / 0.5, (t[1] - t[0]) / 0.1, 0.0 * t[2] + 0.1])  # noqa: E731
    function = jax.jit(jax.vmap(lambda t: (residual(t), jax.jacfwd(residual)(t))))
    bounds = (Parameter("x", (), -5.0, 1.0), Parameter("y", (), -5.0, 5.0), Parameter("none", (), 0.0, 1.0))
    best = refine(function, bounds, [[0.0, 0.0, 0.5]]).theta
    held = jnp.array([True, False, True])
    errors = covariance(function(best)[1][0], best[0], ranges_of(bounds), held=held)
    profiles = profile_likelihood(function, bounds, best[0], points=0, covariance=errors)
    assert given(bounds, errors) == {"x": 1.0}
    for searched, x_text, y_source in (
        (profiles, " … held", "profile likelihood; above closed, with x at 1, the end of the range"),
        ((), "not determined", "covariance given x held at 1"),
    ):
        x, y, none = (estimate(bounds, errors, searched, k) for k in range(3))
        assert x.sigma_text() == "held" and none.sigma_text() == none.interval_text() == "not determined"
        assert x.interval_text().endswith(x_text) and np.isnan(x.interval[1])
        assert y.how == y_source and y.sigma == pytest.approx(0.1, rel=1e-6)
        assert np.isnan([*none.interval, none.sigma, x.sigma]).all()


@pytest.mark.parametrize(
    ("ends", "shared", "power", "text"),
    [
        ((1.06e-13, 3.51e-13), ["1.06", "3.51"], " × 10⁻¹³", "(1.06 … 3.51) × 10⁻¹³"),
        ((2.958e-19, 3.068e-13), ["0.00", "3.07"], " × 10⁻¹³", "2.96 × 10⁻¹⁹ … 3.07 × 10⁻¹³"),
        ((0.02, 0.53), ["0.02", "0.53"], "", "0.02 … 0.53"),
        ((0.0, 0.53), ["0.00", "0.53"], "", "0.00 … 0.53"),
        ((9.06e-9, np.nan), ["0.000"], "", "9.06 × 10⁻⁹ … held"),
        ((-np.inf, 0.401), ["0.401"], "", "open … 0.401"),
        ((np.nan, np.nan), [], " × 10⁻¹³", "open … held"),
    ],
)
def test_no_end_of_an_interval_is_rounded_away(ends: tuple[float, float], shared: list[str], power: str, text: str):
    assert interval_text(ends, ("open", "held"), shared, power) == text


@pytest.mark.parametrize(
    ("value", "limit", "text"),
    [
        (1e-9, 9.5473e-12, "9.55 × 10⁻¹² … held"),
        (1e-9, 1.24e-10, "0.12 × 10⁻⁹ … held"),
        (1e-9, 6.2e-10, "0.62 × 10⁻⁹ … held"),
        (1.0, 0.004, "0.00400 … held"),
        (1.0, 0.0, "0.00 … held"),
    ],
)
def test_a_limit_far_from_the_best_value_keeps_its_digits(value: float, limit: float, text: str):
    ends = (End(Outcome.CLOSED, limit), End(Outcome.HELD, value))
    assert estimate_texts(Estimate(value, np.nan, (limit, np.nan), "", ends))[2] == text


def test_a_search_among_refits_that_do_not_converge_gives_up_soon(rng: np.random.Generator):
    """χ² so rough that refits lie above or below the threshold by chance and none converges, as beside a bad misfit."""
    lengths = []
    for _ in range(20):
        side = begin(0, 1, Point(0.0, 0.0, np.zeros(2)), 10.0, 0.5, DELTA_CHI2_95)
        while side.ended is None:
            at = trial(side, DELTA_CHI2_95)
            found = Point(at, (at / 0.5) ** 2 + 3.0 * rng.normal(), np.array([at, 0.0]), (0, 0), converged=False)
            side = advance(side, found, 3, DELTA_CHI2_95)
        assert side.ended is Outcome.NOT_FOUND
        lengths.append(side.rounds)
    assert max(lengths) <= 15


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_an_end_that_rounds_to_that_of_a_whole_domain_is_no_limit(sign: float):
    """A logarithm of no range, known to ± 1000: neither zero nor infinity is an end that the data set."""
    residual = lambda t: jnp.stack([(jnp.log(t[0]) - sign * 50.0) / 1000.0, 5.0 * (t[1] - 1.0)])  # noqa: E731
    bounds = (Parameter("D", (), 0.0, np.inf, "log"), Parameter("x", (), 0.0, 2.0))
    best = jnp.array([np.exp(sign * 50.0), 1.0])
    errors = covariance(jax.jacfwd(residual)(best), best, ranges_of(bounds))
    D, x = (estimate(bounds, errors, (), k) for k in range(2))
    assert D.interval_text() == "not determined" and np.isnan(D.interval).all()
    assert np.isfinite(x.interval).all()
