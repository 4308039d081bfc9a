"""Diffusion along a line: orders of accuracy, closed forms, boundaries, conservation, derivatives."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from tracer_couple import resistive_couple

from npp_jax.constants import BOLTZMANN_EV
from npp_jax.physics.diffusivity import Arrhenius
from npp_jax.tracer import closed_forms as cf
from npp_jax.tracer.diffusion import (
    Closed,
    ConstantSurface,
    DiffusionStage,
    SurfaceExchange,
    TracerMedium,
    cell_means,
    diffuse,
    profile_at,
)

D, L = 3e-13, 4e-4
run = jax.jit(diffuse, static_argnames="steps")


def orders(errors: list[float]) -> np.ndarray:
    """Orders of accuracy from errors at doubled resolutions."""
    return np.log2(np.asarray(errors[:-1]) / np.asarray(errors[1:]))


def uneven(cells: int) -> jax.Array:
    """Smoothly graded faces from 0 to L."""
    s = np.linspace(0.0, 1.0, cells + 1)
    return jnp.asarray(L * (s + 0.12 * np.sin(2.0 * np.pi * s)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("end", "exact"),
    [
        (ConstantSurface(1.0), lambda x, t: cf.plate_constant_surface(x, t, D, L)),
        (SurfaceExchange(1.0, 2e-9), lambda x, t: cf.plate_surface_exchange(x, t, D, 2e-9, L)),
    ],
)
@pytest.mark.parametrize("mirrored", [False, True])
def test_agrees_with_closed_forms_in_second_order(end, exact, mirrored: bool):
    t = 0.1 * L**2 / D
    errors = []
    for cells in (40, 80, 160):
        faces = jnp.linspace(0.0, L, cells + 1)
        stage = DiffusionStage(t, right=end) if mirrored else DiffusionStage(t, left=end)
        solution = run(TracerMedium(faces, D), jnp.zeros(cells), [stage], steps=cells // 2)
        fraction = solution.fraction[-1, ::-1] if mirrored else solution.fraction[-1]
        errors.append(float(jnp.max(jnp.abs(fraction - cell_means(lambda x: exact(x, t), faces)))))
    assert np.all(orders(errors) > 1.9)
    assert errors[-1] < 2e-5


def test_order_in_space_on_an_uneven_mesh():
    t, errors = 0.05 * L**2 / D, []
    wave = lambda x: jnp.cos(3.0 * jnp.pi * x / L)  # noqa: E731
    decay = np.exp(-9.0 * np.pi**2 * 0.05)
    for cells in (24, 48, 96):
        faces = uneven(cells)
        solution = run(TracerMedium(faces, D), cell_means(wave, faces), [DiffusionStage(t)], steps=400)
        errors.append(float(jnp.max(jnp.abs(solution.fraction[-1] - decay * cell_means(wave, faces)))) / decay)
    assert np.all(orders(errors) > 1.85)


def test_order_in_time_on_a_mode_of_the_mesh():
    # On equal cells the cosine is an eigenvector, with a known eigenvalue: no error of space is left.
    cells, mode = 20, 2
    faces = jnp.linspace(0.0, L, cells + 1)
    centres = 0.5 * (faces[1:] + faces[:-1])
    wave = jnp.cos(mode * jnp.pi * centres / L)
    rate = 4.0 * D * (cells / L) ** 2 * np.sin(0.5 * mode * np.pi / cells) ** 2
    t, errors = 1.5 / rate, []
    for steps in (16, 32, 64, 128):
        solution = run(TracerMedium(faces, D), wave, [DiffusionStage(t)], steps=steps)
        errors.append(float(jnp.max(jnp.abs(solution.fraction[-1] / wave * np.exp(1.5) - 1.0))))
    assert np.all(orders(errors) > 1.9)
    assert errors[-1] < 2e-4


@pytest.mark.parametrize("age", [0.3, 30.0, 3e5])
def test_one_step_has_the_stability_function_of_the_scheme(age: float):
    # The shortest wave of the mesh is an eigenvector. R(z) = (1 + (1 - 2γ)z)/(1 - γz)² vanishes for stiff modes.
    cells, gamma = 64, 1.0 - 1.0 / np.sqrt(2.0)
    faces = jnp.linspace(0.0, L, cells + 1)
    wave = jnp.cos((cells - 1) * jnp.pi * (jnp.arange(cells) + 0.5) / cells)
    rate = 4.0 * D * (cells / L) ** 2 * np.sin(0.5 * (cells - 1) * np.pi / cells) ** 2
    solution = run(TracerMedium(faces, D), wave, [DiffusionStage(age / rate)], steps=1)
    factor = (1.0 - (1.0 - 2.0 * gamma) * age) / (1.0 + gamma * age) ** 2
    np.testing.assert_allclose(solution.fraction[-1], factor * wave, rtol=1e-9, atol=1e-13)


def test_resistive_boundary_agrees_with_the_closed_couple():
    permeability, t, errors = 1.5e-8, 3600.0, []
    for cells in (200, 400):
        faces = jnp.linspace(-L, L, cells + 1)
        resistance = jnp.zeros(cells - 1).at[cells // 2 - 1].set(1.0 / permeability)
        medium = TracerMedium(faces, D, resistance)
        start = jnp.where(medium.centres < 0.0, 1.0, 0.0)
        solution = run(medium, start, [DiffusionStage(t)], steps=cells // 2)
        exact = cell_means(lambda x: resistive_couple(x, t, D, permeability), faces)
        errors.append(float(jnp.max(jnp.abs(solution.fraction[-1] - exact))))
        # Off the centres, on both sides of the step, which is 0.6 high.
        at = jnp.asarray([-3e-5, -1e-7, 1e-7, 3e-5])
        np.testing.assert_allclose(
            profile_at(medium, solution.fraction[-1], at), resistive_couple(at, t, D, permeability), atol=2e-3
        )
    assert orders(errors)[0] > 1.9
    assert errors[-1] < 1e-4


def test_layers_reach_the_steady_state_of_resistances_in_series():
    faces = jnp.linspace(0.0, L, 31)
    conductivity = jnp.where(jnp.arange(30) < 12, D, 5.0 * D)
    resistance = jnp.zeros(29).at[19].set(3e8)
    ends = {"left": ConstantSurface(0.9), "right": SurfaceExchange(0.1, 4e-9)}
    medium = TracerMedium(faces, conductivity, resistance)
    solution = run(medium, jnp.full(30, 0.5), [DiffusionStage(1e8, **ends), DiffusionStage(1e6, **ends)], steps=40)
    total = 0.4 * L / D + 0.6 * L / (5.0 * D) + 3e8 + 1.0 / 4e-9
    np.testing.assert_allclose(solution.entered_left[1], 0.8 / total * 1e6, rtol=1e-9)
    np.testing.assert_allclose(solution.entered_right[1], -0.8 / total * 1e6, rtol=1e-9)


@pytest.mark.parametrize("fine", [1.0, 1e-4])
def test_amount_is_kept(fine: float, rng: np.random.Generator):
    """Also where cells of nanometres are next to cells of micrometres."""
    width = np.where(np.arange(120) % 3 == 0, fine, 1.0) * 5e-6
    faces = jnp.asarray(np.concatenate([[0.0], np.cumsum(width)]))
    medium = TracerMedium(faces, jnp.asarray(rng.uniform(0.1, 30.0, 120) * 1e-12), rng.uniform(0.0, 1e8, 119))
    start = jnp.asarray(rng.uniform(0.0, 1.0, 120))
    width = jnp.diff(faces)
    closed = run(medium, start, [DiffusionStage(1e5), DiffusionStage(3e6)], steps=64)
    np.testing.assert_allclose(closed.fraction @ width, jnp.full(2, start @ width), rtol=1e-12)
    stages = [DiffusionStage(1e5, left=ConstantSurface(1.0)), DiffusionStage(3e5, right=SurfaceExchange(0.0, 1e-8))]
    opened = run(medium, start, stages, steps=64)
    amounts = jnp.concatenate([(start @ width)[None], opened.fraction @ width])
    entered = opened.entered_left + opened.entered_right
    np.testing.assert_allclose(jnp.diff(amounts), entered, rtol=1e-12 if fine == 1.0 else 1e-9)
    assert opened.entered_right[0] == 0.0
    assert opened.entered_left[1] == 0.0


def test_temperatures_act_through_the_arrhenius_law():
    faces = jnp.linspace(0.0, L, 41)
    start = cell_means(lambda x: cf.constant_surface(x, 3600.0, D), faces)
    resistance = jnp.zeros(40 - 1).at[19].set(2e8)
    law, slow = Arrhenius(0.30, 295.15), Arrhenius(0.43, 295.15)
    warm = run(TracerMedium(faces, D, resistance, law, slow), start, [DiffusionStage(3600.0, 350.0)], steps=32)
    factor = [np.exp(-e / BOLTZMANN_EV * (1.0 / 350.0 - 1.0 / 295.15)) for e in (0.30, 0.43)]
    plain = TracerMedium(faces, D * factor[0], resistance / factor[1])
    np.testing.assert_allclose(
        warm.fraction, run(plain, start, [DiffusionStage(3600.0)], steps=32).fraction, rtol=1e-12
    )
    # Without a temperature nothing is activated.
    cold = run(TracerMedium(faces, D, resistance, law, slow), start, [DiffusionStage(3600.0)], steps=32)
    reference = run(TracerMedium(faces, D, resistance), start, [DiffusionStage(3600.0)], steps=32)
    np.testing.assert_allclose(cold.fraction, reference.fraction, rtol=1e-14)


def observed(log_D, log_permeability, log_k, fraction, duration):
    faces = jnp.linspace(0.0, L, 25)
    resistance = jnp.zeros(23).at[9].set(jnp.exp(-log_permeability))
    medium = TracerMedium(faces, jnp.exp(log_D), resistance)
    stages = [
        DiffusionStage(duration * 1e5, left=SurfaceExchange(fraction, jnp.exp(log_k))),
        DiffusionStage(2e5, left=Closed()),
    ]
    solution = diffuse(medium, jnp.full(24, 0.1), stages, steps=12)
    at = jnp.asarray([1e-5, 1.5e-4, 2e-4])
    return jnp.concatenate([profile_at(medium, solution.fraction[-1], at), solution.entered_left * 1e4])


def test_derivatives_in_both_modes_and_in_a_batch():
    point = tuple(map(jnp.asarray, (np.log(D), np.log(4e-9), np.log(3e-9), 0.9, 1.1)))
    function = jax.jit(observed)
    check_grads(function, point, 1, eps=1e-5, rtol=1e-6, atol=1e-7)
    forward, reverse = (jax.jit(mode(observed, tuple(range(5))))(*point) for mode in (jax.jacfwd, jax.jacrev))
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-9, atol=1e-14), forward, reverse)
    batch = jnp.asarray([0.5, 1.0, 2.0]) * D
    together = jax.jit(jax.vmap(lambda d: observed(jnp.log(d), *point[1:])))(batch)
    for value, d in zip(together, batch, strict=True):
        np.testing.assert_allclose(value, function(jnp.log(d), *point[1:]), rtol=1e-12)


def test_single_precision_stays_single():
    faces = jnp.linspace(0.0, 1.0, 33, dtype=jnp.float32)
    stages = [DiffusionStage(0.1, left=ConstantSurface(1.0))]
    solution = run(TracerMedium(faces, 1.0), jnp.zeros(32, jnp.float32), stages, steps=16)
    assert solution.fraction.dtype == jnp.float32
    double = run(TracerMedium(faces.astype(jnp.float64), 1.0), jnp.zeros(32), stages, steps=16)
    np.testing.assert_allclose(solution.fraction, double.fraction, rtol=0.0, atol=2e-6)
    np.testing.assert_allclose(jnp.sum(solution.fraction[-1] * jnp.diff(faces)), solution.entered_left[0], rtol=3e-6)
