"""Grain boundaries: explicit chains against the series model, steps against the permeability that made them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tracer_couple import resistive_couple

from npp_jax.inference import Uncertain
from npp_jax.tracer import closed_forms as cf
from npp_jax.tracer.boundaries import (
    BoundaryStep,
    boundary_permeability,
    chain_diffusivity,
    chain_of_grains,
    measure_step,
    permeability_from_series,
    permeability_of_step,
    series_diffusivity,
)
from npp_jax.tracer.diffusion import ConstantSurface, DiffusionStage, SurfaceExchange, diffuse, profile_at

D_BULK, PERMEABILITY, SIZE = 2.6e-12, 1.5e-8, 16e-6
"""Titanate: D of the grains [m²/s], D_gb/δ [m/s], grain size [m]."""

run = jax.jit(diffuse, static_argnames="steps")


def test_a_chain_of_grains_is_its_series_model_during_exchange():
    # Behind half a boundary, since in the homogeneous line each grain has half a boundary on either side.
    grains, cells = 32, 4
    length = grains * SIZE
    D_eff = float(series_diffusivity(D_BULK, PERMEABILITY, SIZE))
    t = 0.1 * length**2 / D_eff
    chain = chain_of_grains(np.full(grains, SIZE), PERMEABILITY, D_BULK, cells=cells)
    stage = DiffusionStage(t, left=SurfaceExchange(1.0, 2.0 * PERMEABILITY))
    solution = run(chain, jnp.zeros(grains * cells), [stage], steps=64)
    grain_mean = solution.fraction[-1].reshape(grains, cells).mean(axis=1)
    middle = (jnp.arange(grains) + 0.5) * SIZE
    np.testing.assert_allclose(grain_mean, cf.plate_constant_surface(middle, t, D_eff, length), atol=1e-3)
    # ∫C dx = 2√(Dt/π) gives an effective D back.
    np.testing.assert_allclose(np.pi / 4.0 * solution.entered_left[0] ** 2 / t, D_eff, rtol=0.01)
    # Without that half boundary the surface grain fills too fast, which this test has to see.
    solution = run(chain, jnp.zeros(grains * cells), [DiffusionStage(t, left=ConstantSurface(1.0))], steps=64)
    assert np.pi / 4.0 * solution.entered_left[0] ** 2 / t > 1.05 * D_eff


@pytest.mark.parametrize("grains", [30, 60])
def test_a_closed_chain_of_grains_relaxes_like_its_series_model(grains: int):
    length, cells = grains * SIZE, 4
    D_eff = series_diffusivity(D_BULK, PERMEABILITY, SIZE)
    chain = chain_of_grains(np.full(grains, SIZE), PERMEABILITY, D_BULK, cells=cells)
    wave = jnp.cos(jnp.pi * chain.centres / length)
    half_time = 1.0 * length**2 / (np.pi**2 * D_eff)
    solution = run(chain, wave, [DiffusionStage(half_time)] * 2, steps=64)
    moment = solution.fraction @ (jnp.diff(chain.faces) * wave)
    rate = jnp.log(moment[0] / moment[1]) / half_time
    np.testing.assert_allclose(rate * length**2 / np.pi**2, D_eff, rtol=0.01)


def test_uneven_chain_has_the_sum_of_its_resistances(rng: np.random.Generator):
    sizes = jnp.asarray(rng.lognormal(np.log(SIZE), 0.6, 12))
    permeability = jnp.asarray(PERMEABILITY * rng.lognormal(0.0, 0.5, 11))
    chain = chain_of_grains(sizes, permeability, D_BULK, cells=3)
    D_eff = chain_diffusivity(sizes, permeability, D_BULK)
    ends = {"left": ConstantSurface(1.0), "right": ConstantSurface(0.0)}
    settle = 20.0 * float(jnp.sum(sizes)) ** 2 / float(D_eff)
    solution = run(chain, jnp.full(36, 0.5), [DiffusionStage(settle, **ends), DiffusionStage(settle, **ends)], steps=64)
    np.testing.assert_allclose(solution.entered_left[1] / settle, D_eff / jnp.sum(sizes), rtol=1e-8)
    # The steps share the flux: ΔC_j P_j is the same everywhere.
    edges = jnp.cumsum(sizes)[:-1]
    below, above = (profile_at(chain, solution.fraction[-1], edges + side) for side in (-1e-12, 1e-12))
    np.testing.assert_allclose((below - above) * permeability, D_eff / jnp.sum(sizes), rtol=1e-5)


def test_series_model_and_its_inverse():
    with_layer = series_diffusivity(D_BULK, PERMEABILITY, SIZE, 0.5e-9)
    thin = series_diffusivity(D_BULK, PERMEABILITY, SIZE)
    np.testing.assert_allclose(thin, 1.0 / (1.0 / D_BULK + 1.0 / (SIZE * PERMEABILITY)), rtol=1e-14)
    np.testing.assert_allclose(with_layer / thin, 1.0 + 0.5e-9 / SIZE, rtol=1e-12)
    np.testing.assert_allclose(permeability_from_series(thin, D_BULK, SIZE), PERMEABILITY, rtol=1e-12)
    # A long chain has as many boundaries as grains.
    many = chain_diffusivity(jnp.full(4000, SIZE), PERMEABILITY, D_BULK)
    np.testing.assert_allclose(many, thin, rtol=3e-4)


def noisy_couple(key: jax.Array, noise: float):
    """A boundary between two large grains: a profile with a step, position and noise of each point."""
    t = 3600.0 * 2.0
    position = jnp.linspace(-60e-6, 60e-6, 120)
    exact = resistive_couple(position, t, D_BULK / 10.0, PERMEABILITY)
    return position, exact + noise * jax.random.normal(key, exact.shape)


def test_step_and_gradient_give_the_permeability_back(key: jax.Array):
    position, profile = noisy_couple(key, 0.0)
    measure = jax.jit(lambda reach: measure_step(position, profile, 1e-4, 0.0, reach))
    errors = []
    for reach in (12.5e-6, 25e-6):
        measured = measure(reach)
        found = permeability_of_step(measured, Uncertain(jnp.asarray(D_BULK / 10.0), jnp.asarray(0.0)))
        errors.append(abs(float(found.value) / PERMEABILITY - 1.0))
    # What is left is the cubic part of the profile, which grows with the square of the reach.
    assert errors[0] < 0.006
    assert 2.5 < errors[1] / errors[0] < 5.0
    assert measured.degrees_of_freedom == jnp.sum(jnp.abs(position) <= 25e-6) - 5
    straight = measure_step(position, profile, 1e-4, 0.0, 25e-6, quadratic=False)
    assert straight.chi2 > 100.0 * measured.chi2


def test_error_of_the_permeability_is_the_scatter_of_many_measurements(key: jax.Array):
    noise, D = 4e-3, Uncertain(jnp.asarray(D_BULK / 10.0), jnp.asarray(0.0))

    @jax.jit
    @jax.vmap
    def measure(k: jax.Array) -> tuple[BoundaryStep, Uncertain]:
        position, profile = noisy_couple(k, noise)
        measured = measure_step(position, profile, noise, 0.0, 25e-6)
        return measured, permeability_of_step(measured, D)

    measured, found = measure(jax.random.split(key, 2000))
    np.testing.assert_allclose(jnp.std(found.value), jnp.mean(found.sigma), rtol=0.06)
    np.testing.assert_allclose(jnp.mean(measured.chi2 / measured.degrees_of_freedom), 1.0, atol=0.02)
    # Step and gradient are correlated: without that the error would be another one.
    naive = jax.vmap(
        lambda m: (
            boundary_permeability(
                Uncertain(m.gradient, jnp.sqrt(m.covariance[1, 1])), Uncertain(m.step, jnp.sqrt(m.covariance[0, 0])), D
            ).sigma
        )
    )(measured)
    assert abs(float(jnp.mean(naive) / jnp.mean(found.sigma)) - 1.0) > 0.1


def test_error_propagation_of_the_boundary_equation():
    gradient, step, D = (
        Uncertain(jnp.asarray(v), jnp.asarray(e)) for v, e in ((110.0, 5.0), (0.02, 1e-3), (2.6e-12, 1e-13))
    )
    found = boundary_permeability(gradient, step, D)
    np.testing.assert_allclose(found.value, 2.6e-12 * 110.0 / 0.02, rtol=1e-12)
    relative = np.sqrt((5.0 / 110.0) ** 2 + 0.05**2 + (0.1 / 2.6) ** 2)
    np.testing.assert_allclose(found.sigma / found.value, relative, rtol=1e-12)
    correlated = boundary_permeability(gradient, step, D, 5.0 * 1e-3 * 0.9)
    assert correlated.sigma < found.sigma


def test_chain_is_differentiable_and_batched():
    def rate(log_permeability: jax.Array, size: jax.Array) -> jax.Array:
        chain = chain_of_grains(size * jnp.ones(5), jnp.exp(log_permeability), D_BULK, cells=2)
        stage = DiffusionStage(3e4, left=ConstantSurface(1.0))
        return diffuse(chain, jnp.zeros(10), [stage], steps=8).entered_left[0] * 1e4

    at = jnp.log(PERMEABILITY) + jnp.asarray([0.0, 0.5, -0.5, 0.2])
    forward = jax.jit(jax.jacfwd(rate))(at, SIZE)
    reverse = jax.jit(jax.grad(rate))(at, SIZE)
    np.testing.assert_allclose(forward, reverse, rtol=1e-9)
    step = 1e-4 * jnp.eye(4)[2]
    numeric = (rate(at + step, SIZE) - rate(at - step, SIZE)) / 2e-4
    np.testing.assert_allclose(forward[2], numeric, rtol=1e-6)
    batch = jax.vmap(rate, (None, 0))(at, SIZE * jnp.asarray([1.0, 2.0]))
    np.testing.assert_allclose(batch[1], rate(at, 2.0 * SIZE), rtol=1e-12)
