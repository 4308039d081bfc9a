"""L-BFGS and Adam: a certified regression, an end of a range, a wall, honest stopping, the gradient of a glass."""

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from nist_strd import MISRA1A

from npp_jax.commands.fit.run import OFFSET
from npp_jax.files.study import load_study
from npp_jax.fitting import LinearModel, Objective, Problem, fit
from npp_jax.inference import Parameter, Prior, Reason, RefineOptions, descend, refine, with_priors
from npp_jax.inference.descent import with_rows
from npp_jax.simulation.simulate import FAST

SWEEPS = Path(__file__).resolve().parents[2] / "sweeps"


def functions(residual):
    cost = lambda theta: 0.5 * jnp.sum(residual(theta) ** 2)  # noqa: E731
    gradient = jax.jit(jax.vmap(lambda theta: (*jax.value_and_grad(cost)(theta), jnp.isfinite(cost(theta)))))
    return gradient, jax.jit(jax.vmap(lambda theta: (residual(theta), jax.jacfwd(residual)(theta))))


def test_lbfgs_finds_the_certified_parameters():
    bounds = (Parameter("b1", (), 10.0, 5000.0, "log"), Parameter("b2", (), 1e-6, 1e-1, "log"))
    gradient, function = functions(lambda b: MISRA1A.model(b, jnp.asarray(MISRA1A.x)) - MISRA1A.y)
    found = descend(gradient, function, bounds, MISRA1A.starts, options=RefineOptions(iterations=200))
    assert [Reason(int(r)) for r in found.reason] == [Reason.CONVERGED] * 2
    np.testing.assert_allclose(found.theta, np.tile(MISRA1A.parameters, (2, 1)), rtol=1e-6)
    np.testing.assert_allclose(2.0 * found.cost, MISRA1A.sum_of_squares, rtol=1e-9)


@pytest.mark.parametrize(("method", "iterations"), [("lbfgs", 100), ("adam", 1000)])
def test_an_end_of_a_range_is_found_and_named(method, iterations: int):
    residual = lambda b: jnp.stack([b[0] - 2.0, 3.0 * (b[1] - 0.3), 0.1 * b[0] * b[1] + 0.3])  # noqa: E731
    bounds = (Parameter("a", (), 0.0, 1.0), Parameter("b", (), 0.0, 1.0))
    gradient, function = functions(residual)
    starts = np.array([[0.5, 0.5], [0.9, 0.1]])
    found = descend(gradient, function, bounds, starts, method=method, options=RefineOptions(iterations=iterations))
    other = refine(function, bounds, starts)
    assert [Reason(int(r)) for r in found.reason] == [Reason.AT_BOUND] * 2
    np.testing.assert_array_equal(found.at_bound, [[1, 0], [1, 0]])
    np.testing.assert_allclose(found.theta, other.theta, rtol=1e-4)


def test_many_parameters_that_the_data_fix_very_differently(rng: np.random.Generator):
    """24 coefficients, singular values over three decades, and curved: without a metric 400 iterations do not do."""
    size = 24
    left, right = (np.linalg.qr(rng.normal(size=(rows, size)))[0] for rows in (60, size))
    matrix = jnp.asarray(left * np.logspace(2.0, -1.0, size) @ right.T)
    target = matrix @ rng.uniform(-0.5, 0.5, size) + 0.01 * rng.normal(size=60)
    residual = lambda b: matrix @ (b + 0.2 * jnp.sin(b)) - target  # noqa: E731
    gradient, function = functions(residual)
    bounds = tuple(Parameter(f"c{k}", (), -4.0, 4.0) for k in range(size))
    starts = rng.uniform(-1.0, 1.0, (4, size))
    found = descend(gradient, function, bounds, starts, options=RefineOptions(iterations=100))
    assert [Reason(int(r)) for r in found.reason] == [Reason.CONVERGED] * 4
    best = refine(function, bounds, starts[:1])
    np.testing.assert_allclose(found.cost, np.repeat(best.cost, 4), rtol=1e-6)


def test_it_does_not_claim_what_it_has_not_reached():
    rosenbrock = lambda b: jnp.stack([10.0 * (b[1] - b[0] ** 2), 1.0 - b[0], jnp.full((), 0.1)])  # noqa: E731
    bounds = (Parameter("a", (), -5.0, 5.0), Parameter("b", (), -9.0, 9.0))
    gradient, function = functions(rosenbrock)
    start = np.array([[-1.2, 1.0]])
    short = descend(gradient, function, bounds, start, options=RefineOptions(iterations=8))
    assert Reason(int(short.reason[0])) is Reason.ITERATION_LIMIT and int(short.evaluations[0]) == 9
    done = descend(gradient, function, bounds, start, options=RefineOptions(iterations=200))
    assert Reason(int(done.reason[0])) is Reason.CONVERGED
    np.testing.assert_allclose(done.theta, [[1.0, 1.0]], rtol=1e-4)


def test_a_wall_of_failures_is_called_one():
    def residual(b):
        return jnp.where(b > 0.5, jnp.nan, b - 0.8)

    gradient, function = functions(residual)
    found = descend(gradient, function, (Parameter("b", (), 0.0, 1.0),), np.array([[0.2], [0.7]]))
    assert [Reason(int(r)) for r in found.reason] == [Reason.FAILURE_WALL] * 2
    assert np.all(np.asarray(found.failed_evaluations) > 0) and np.isinf(found.cost[1])


@pytest.mark.slow
def test_reverse_gradient_and_fit_of_a_glass_are_those_of_the_jacobian():
    study = load_study(SWEEPS / "one_distribution.toml")
    k = next(m for m in study.problem.measurements if m.name == "K")
    fwhm, d_k = study.problem.parameters[0], study.problem.parameters[2]
    bounds = (dataclasses.replace(fwhm, experiments=("K",), prior=Prior(0.25, 0.02)), d_k)
    problem = Problem((k,), bounds)
    model = LinearModel(
        Objective(problem, dataclasses.replace(FAST, companion=False, trace=False, observables=False)), chunk=4
    )
    starts = np.array([[0.2, 5e-22], [0.3, 2e-21]])

    augment = lambda function: with_priors(function, bounds)  # noqa: E731
    cost, slope, ok = with_rows(model.cost_and_gradient, augment)(jnp.asarray(starts))
    residual, jacobian, _ = augment(model)(jnp.asarray(starts))
    expected = np.einsum("nr,nrp->np", residual, jacobian)
    np.testing.assert_allclose(np.asarray(slope) / expected, 1.0, atol=1e-6)
    np.testing.assert_allclose(cost, 0.5 * np.sum(np.asarray(residual) ** 2, axis=1), rtol=1e-10)
    assert np.all(np.asarray(ok))

    options = RefineOptions(iterations=100, offset=OFFSET)
    found = fit(model, starts, method="lbfgs", profile_points=0, options=options)
    other = fit(model, starts, profile_points=0, options=options)
    assert Reason(int(found.refined.reason[found.best])) is Reason.CONVERGED
    error = np.asarray(other.covariance.standard_error)
    assert np.all(np.abs(found.theta - other.theta) < 0.1 * error)
    np.testing.assert_allclose(found.covariance.standard_error, error, rtol=0.05)
