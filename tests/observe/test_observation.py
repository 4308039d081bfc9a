"""Signals of an experiment, and the closed solution for sensitivity and background against SciPy's least squares."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from scipy import optimize

from npp_jax.observe import (
    DowsettResponse,
    Nuisance,
    NuisancePrior,
    Observation,
    convolve,
    sample_response,
    solve_linear_nuisance,
)

FACES = jnp.asarray([0.0, 5.0, 12.0, 20.0, 21.0, 22.0, 30.0])
FRACTIONS = jnp.asarray([[0.1, 0.15, 0.2, 0.6, 0.9, 1.0], [0.9, 0.85, 0.8, 0.4, 0.1, 0.0]])
DEPTH = jnp.linspace(1.0, 40.0, 40)
solve = eqx.filter_jit(solve_linear_nuisance)


def experiment(**changes: Any) -> Observation:
    inputs = {
        "response": DowsettResponse(1.0, 3.0, 2.0),
        "sensitivity": [1.1, 0.4],
        "background": [0.01, 0.002],
        "depth_scale": 0.97,
        "depth_offset": 0.5,
    }
    return Observation(**(inputs | changes))


def seen(observation: Observation, faces: jax.Array = FACES) -> jax.Array:
    depth = observation.true_depth(DEPTH)
    return observation.signal(convolve(observation.response, faces, FRACTIONS, depth))


def test_signal_is_affine_in_what_the_response_sees():
    smooth = convolve(experiment().response, FACES, FRACTIONS, 0.97 * DEPTH + 0.5)
    signal = seen(experiment())
    np.testing.assert_allclose(
        signal, jnp.asarray([[1.1], [0.4]]) * smooth + jnp.asarray([[0.01], [0.002]]), rtol=1e-14
    )


def test_a_depth_scale_is_a_stretch_of_the_profile_and_the_response():
    stretched = experiment(
        response=DowsettResponse(1.0 / 0.97, 3.0 / 0.97, 2.0 / 0.97), depth_scale=1.0, depth_offset=0.0
    )
    moved = seen(stretched, (FACES - 0.5) / 0.97)
    np.testing.assert_allclose(seen(experiment()), moved, rtol=1e-12)


def test_cheap_path_is_near_the_exact_one():
    sampled = sample_response(experiment().response, experiment().true_depth(DEPTH), refine=4)
    cheap = experiment().signal(sampled(FACES, FRACTIONS))
    np.testing.assert_allclose(cheap, seen(experiment()), atol=5e-4)


def test_gradient_in_every_parameter():
    direction = np.random.default_rng(3).normal(size=(2, DEPTH.size))
    flat, unravel = ravel_pytree(experiment())
    assert flat.size == 10

    def value(p: jax.Array) -> jax.Array:
        return jnp.sum(direction * seen(unravel(p)))

    steps = 1e-5 * jnp.eye(flat.size)
    many = jax.jit(jax.vmap(value))
    difference = (many(flat + steps) - many(flat - steps)) / 2e-5
    gradient = jax.jit(jax.grad(value))(flat)
    # The sputter ratio, the last, has moved the depths of the cells before they are seen.
    assert bool(jnp.all(jnp.abs(gradient[:-1]) > 1e-3)) and gradient[-1] == 0.0
    np.testing.assert_allclose(gradient, difference, rtol=1e-7)
    np.testing.assert_allclose(gradient, jax.jit(jax.jacfwd(value))(flat), rtol=1e-10)


def test_experiments_may_be_built_inside_compiled_functions():
    def signal(x: jax.Array) -> jax.Array:
        return seen(experiment(sensitivity=jnp.stack([x, x])))

    np.testing.assert_allclose(jax.jit(signal)(0.7), seen(experiment(sensitivity=[0.7, 0.7])), rtol=1e-13)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sensitivity": 1.0, "background": 0.0}, "one number for each species"),
        ({"background": [0.0]}, r"shapes \(2,\) and \(1,\)"),
        ({"sensitivity": [1.0, -1.0]}, "must not be negative"),
        ({"depth_scale": 0.0}, "must be positive"),
        ({"depth_scale": np.nan}, "must be positive"),
    ],
)
def test_wrong_experiments_are_refused(changes: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        experiment(**changes)


def problem(seed: int = 1) -> tuple[jax.Array, jax.Array, jax.Array]:
    rng = np.random.default_rng(seed)
    seen = convolve(DowsettResponse(1.0, 3.0, 2.0), FACES, FRACTIONS, DEPTH)
    sigma = jnp.asarray(rng.uniform(0.01, 0.03, seen.shape))
    data = jnp.asarray([[1.3], [0.2]]) * seen + jnp.asarray([[-0.02], [0.05]]) + sigma * rng.normal(size=seen.shape)
    return seen, data, sigma


def by_scipy(seen: Any, data: Any, sigma: Any, weight: Any, prior: NuisancePrior) -> Nuisance:
    """Bounded linear least squares, one species after the other, the prior as two more equations."""
    found = []
    for k, (y, d, e, w) in enumerate(zip(*(np.asarray(a) for a in (seen, data, sigma, weight)), strict=True)):
        root = np.sqrt(w) / e
        s0, ss, b0, bs = (
            float(np.broadcast_to(p, 2)[k])
            for p in (prior.sensitivity, prior.sensitivity_sigma, prior.background, prior.background_sigma)
        )
        matrix = np.concatenate([np.stack([y, np.ones_like(y)], axis=1) * root[:, None], np.diag([1.0 / ss, 1.0 / bs])])
        right = np.concatenate([d * root, [s0 / ss, b0 / bs]])
        lower, upper = zip(prior.sensitivity_bounds, prior.background_bounds, strict=True)
        best = optimize.lsq_linear(matrix, right, bounds=(lower, upper), tol=1e-14)
        found.append([*best.x, np.sum((matrix @ best.x - right) ** 2)])
    return Nuisance(*jnp.asarray(found).T)


INF = float("inf")


@pytest.mark.parametrize(
    "prior",
    [
        NuisancePrior(),
        NuisancePrior(sensitivity_sigma=0.05, background_sigma=0.01),
        NuisancePrior(sensitivity=[1.0, 0.3], sensitivity_sigma=[0.001, INF], background=0.01, background_sigma=0.002),
        NuisancePrior(background_bounds=(0.0, INF)),
        NuisancePrior(sensitivity_bounds=(0.5, 1.2), background_bounds=(0.0, 0.02)),
        NuisancePrior(sensitivity_bounds=(0.5, 1.2), background_bounds=(-0.01, 0.02), sensitivity_sigma=0.1),
        NuisancePrior(sensitivity_bounds=(2.0, 3.0)),
    ],
    ids=["free", "prior", "per species", "background", "box", "box and prior", "far"],
)
def test_optimum_against_scipy(prior: NuisancePrior):
    seen, data, sigma = problem()
    weight = jnp.ones_like(data).at[:, 10:15].set(0.0).at[:, 20].set(2.5)
    found = solve(seen, data, sigma, prior, weight=weight)
    expected = by_scipy(seen, data, sigma, weight, prior)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-7, atol=1e-9)


def test_values_known_exactly_are_kept():
    seen, data, sigma = problem()
    found = solve(seen, data, sigma, NuisancePrior(sensitivity=[1.3, 0.2], sensitivity_sigma=0.0))
    np.testing.assert_allclose(found.sensitivity, [1.3, 0.2], rtol=1e-12)
    mean = jnp.sum((data - jnp.asarray([[1.3], [0.2]]) * seen) / sigma**2, axis=1) / jnp.sum(1.0 / sigma**2, axis=1)
    np.testing.assert_allclose(found.background, mean, rtol=1e-9)
    both = solve(
        seen, data, sigma, NuisancePrior(sensitivity=2.0, sensitivity_sigma=0.0, background=0.1, background_sigma=0.0)
    )
    np.testing.assert_allclose(both.sensitivity, 2.0, rtol=1e-12)
    np.testing.assert_allclose(both.background, 0.1, rtol=1e-12)
    np.testing.assert_allclose(both.chi2, jnp.sum(((2.0 * seen + 0.1 - data) / sigma) ** 2, axis=1), rtol=1e-9)


def test_what_the_data_do_not_tell_stays_as_expected():
    _, data, sigma = problem()
    flat = solve(jnp.full_like(data, 0.7), data, sigma, NuisancePrior(background=0.1))
    np.testing.assert_allclose(flat.background, 0.1, rtol=1e-15)
    mean = jnp.sum(data / sigma**2, axis=1) / jnp.sum(1.0 / sigma**2, axis=1)
    np.testing.assert_allclose(0.7 * flat.sensitivity + 0.1, mean, rtol=1e-13)
    nothing = solve(jnp.zeros_like(data), data, sigma, NuisancePrior(sensitivity=0.9))
    np.testing.assert_allclose(nothing.sensitivity, 0.9, rtol=1e-15)
    masked = solve(data, data, sigma, NuisancePrior(sensitivity=0.9, background=0.2), weight=jnp.zeros_like(data))
    np.testing.assert_array_equal(masked.sensitivity, 0.9)
    np.testing.assert_array_equal(masked.background, 0.2)
    np.testing.assert_array_equal(masked.chi2, 0.0)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_a_nearly_flat_signal(dtype: type):
    # Differences of 1e-3 of the mean: normal equations in single precision would lose them.
    shape = 1e-3 * jnp.sin(jnp.arange(40.0))[None]
    seen = (1.0 + shape).astype(dtype)
    data = (1.0 + 2.0 * shape).astype(dtype)
    found = solve(seen, data, jnp.full_like(seen, 0.01))
    assert found.sensitivity.dtype == dtype
    np.testing.assert_allclose(found.sensitivity, 2.0, rtol=1e-3 if dtype == jnp.float32 else 1e-10)
    np.testing.assert_allclose(found.background, -1.0, rtol=1e-3 if dtype == jnp.float32 else 1e-10)


@pytest.mark.parametrize(
    "prior",
    [NuisancePrior(sensitivity_sigma=0.1), NuisancePrior(background_bounds=(0.0, 0.02))],
    ids=["free", "bounds"],
)
def test_gradient_of_the_profiled_chi2(prior: NuisancePrior):
    seen, data, sigma = problem()

    def value(y: jax.Array) -> jax.Array:
        found = solve_linear_nuisance(y, data, sigma, prior)
        return jnp.stack([jnp.sum(found.chi2), jnp.sum(found.sensitivity), jnp.sum(found.background)])

    direction = jnp.asarray(np.random.default_rng(2).normal(size=seen.shape))
    gradient = jnp.sum(jax.jit(jax.jacrev(value))(seen) * direction, axis=(1, 2))
    value = jax.jit(value)
    difference = (value(seen + 1e-6 * direction) - value(seen - 1e-6 * direction)) / 2e-6
    np.testing.assert_allclose(gradient, difference, rtol=1e-6, atol=1e-6)
    # The envelope theorem: nuisance parameters at their optimum do not contribute.
    found = solve_linear_nuisance(seen, data, sigma, prior)
    residual = found.sensitivity[:, None] * seen + found.background[:, None] - data
    direct = jnp.sum(2.0 * found.sensitivity[:, None] * residual / sigma**2 * direction)
    np.testing.assert_allclose(gradient[0], direct, rtol=1e-9)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_gradients_stay_finite_without_information(dtype: type):
    data = jnp.ones((2, 8), dtype)
    slope = jax.jit(jax.grad(lambda y, w: jnp.sum(solve_linear_nuisance(y, data, data, weight=w).chi2)))
    for seen in (jnp.zeros_like(data), jnp.full_like(data, 0.3)):
        for weight in (jnp.ones_like(data), jnp.zeros_like(data)):
            gradient = slope(seen, weight)
            assert gradient.dtype == dtype
            assert bool(jnp.all(jnp.isfinite(gradient)))


def test_batch_equals_loop():
    parts = [problem(seed) for seed in (1, 2, 3)]
    seen, data, sigma = (jnp.stack(part) for part in zip(*parts, strict=True))
    prior = NuisancePrior(background_bounds=(0.0, INF))
    batch = jax.jit(jax.vmap(lambda y, d, e: solve_linear_nuisance(y, d, e, prior)))(seen, data, sigma)
    for k in range(3):
        for ours, alone in zip(batch, solve(seen[k], data[k], sigma[k], prior), strict=True):
            np.testing.assert_allclose(ours[k], alone, rtol=1e-13)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"background_bounds": (1.0, 0.0)}, r"background_bounds = \(1, 0\)"),
        ({"sensitivity_sigma": -1.0}, "sensitivity_sigma"),
        ({"background_sigma": np.nan}, "background_sigma"),
    ],
)
def test_wrong_priors_are_refused(changes: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        NuisancePrior(**changes)
