"""The time step on ordinary differential equations of known solution: order, stability, derivative."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from npp_jax.solver.sdirk import EULER_GAMMA, GAMMA, Stage, System, Trend, sdirk_step


def system(rate, *, amount=lambda y: y, closure=None, tempo=jnp.ones_like) -> System:
    """d amount(y)/ds = rate(y, v) with dt/ds = tempo(v), for a single cell; v solves closure(y, v) = 0 or is zero."""

    def stage(base, time, share, weight, lasting) -> Stage:
        del time, share, lasting

        def residual(y, v, last=None):
            told = jnp.zeros_like(v) if closure is None else closure(y[0][0], v)
            return (amount(y[0]) - base[0] - weight * rate(y[0], v),), told

        return Stage(residual, None, lambda y: (amount(y[0]),))

    return System(
        stage=stage,
        tempo=tempo,
        given=jnp.zeros_like if closure is None else None,
        limit=lambda y, step: jax.tree.map(jnp.add, y, step),
        change=lambda y, step: jnp.abs(step[0][0]),
    )


def run(equations: System, y, v, *, end, steps: int, amount=lambda y: y, gamma=GAMMA, euler=False):
    """Unknowns, border scalar and time after even steps."""
    size = jnp.asarray(end, float) / steps

    def step(carry, _):
        y, m, v, t = carry
        done = sdirk_step(
            equations,
            (y,),
            (m,),
            v,
            t,
            size,
            guess=(jnp.stack([y, y]),),
            guessed=jnp.bool_(False),
            gamma=jnp.asarray(gamma),
            cap=jnp.asarray(30),
            tolerance=1e-14,
            euler=euler,
        )
        return (done.y[0], done.amount[0], done.v, done.time), None

    y = jnp.full(1, y, float)
    (y, _, v, t), _ = jax.lax.scan(step, (y, amount(y), jnp.asarray(v, float), jnp.zeros(())), length=steps)
    return y[0], v, t


def orders(errors: list) -> np.ndarray:
    return np.log2(np.abs(errors[:-1]) / np.abs(errors[1:]))


def test_second_order_on_a_nonlinear_equation() -> None:
    """Amount y², d(y²)/ds = -2y³: y = 1/(1 + s)."""
    square = lambda y: y * y  # noqa: E731
    equations = system(lambda y, v: -2.0 * y**3, amount=square)
    errors = [float(run(equations, 1.0, 0.0, end=2.0, steps=n, amount=square)[0]) - 1.0 / 3.0 for n in (10, 20, 40)]
    assert np.all(np.abs(orders(errors) - 2.0) < 0.1)
    assert abs(errors[-1]) < 1e-4


def test_second_order_with_an_unknown_scalar_and_a_clock_that_is_not_time() -> None:
    """dy/ds = -vy with v = y²: y = (1 + 2s)^(-1/2); dt/ds = 1/v: t = s + s²."""
    equations = system(lambda y, v: -v * y, closure=lambda y, v: v - y * y, tempo=lambda v: 1.0 / v)
    found = np.asarray([run(equations, 1.0, 1.0, end=1.5, steps=n) for n in (10, 20, 40)], float)
    errors = found - [0.5, 0.25, 1.5 + 1.5**2]
    assert np.all(orders(errors) > 1.9)
    assert np.all(np.abs(errors[-1]) < 2e-3)


@pytest.mark.parametrize("age", [0.3, 30.0, 1e6])
@pytest.mark.parametrize("kind", ["second order", "half steps", "euler"])
def test_one_step_has_the_stability_function_of_the_scheme(age: float, kind: str) -> None:
    """Of y' = -λy with λ times the step = age. The stiff limit vanishes: L-stable."""
    equations = system(lambda y, v: -age * y)
    gamma = EULER_GAMMA if kind == "half steps" else GAMMA
    y, _, _ = run(equations, 1.0, 0.0, end=1.0, steps=1, gamma=gamma, euler=kind == "euler")
    expected = {
        "second order": (1.0 - (1.0 - 2.0 * GAMMA) * age) / (1.0 + GAMMA * age) ** 2,
        "half steps": 1.0 / (1.0 + 0.5 * age) ** 2,
        "euler": 1.0 / (1.0 + age),
    }
    np.testing.assert_allclose(y, expected[kind], rtol=1e-9)
    if kind != "second order":
        assert float(y) > 0.0


@pytest.mark.parametrize("gamma", [GAMMA, EULER_GAMMA])
def test_one_step_finds_the_time_of_a_tempo_that_is_linear_in_the_clock(gamma: float) -> None:
    """Of y = s and dt/ds = 1 + y the time is s + s²/2, by half steps of backward Euler as well."""
    equations = system(lambda y, v: jnp.ones_like(y), closure=lambda y, v: v - 1.0 / (1.0 + y), tempo=lambda v: 1.0 / v)
    y, v, time = run(equations, 0.0, 1.0, end=0.5, steps=1, gamma=gamma)
    np.testing.assert_allclose([y, v, time], [0.5, 1.0 / 1.5, 0.5 + 0.125], rtol=1e-12)


def test_derivative_of_a_run_is_that_of_the_discrete_map() -> None:
    @jax.jit
    def end(rate: jax.Array) -> jax.Array:
        equations = system(lambda y, v: -rate * v * y, closure=lambda y, v: v - y * y, tempo=lambda v: 1.0 / v)
        return jnp.stack(run(equations, 1.0, 1.0, end=1.5, steps=12))

    rate, step = jnp.asarray(1.2), 1e-5
    forward, reverse = jax.jit(jax.jacfwd(end))(rate), jax.jit(jax.jacrev(end))(rate)
    np.testing.assert_allclose(forward, (end(rate + step) - end(rate - step)) / (2.0 * step), rtol=1e-7)
    np.testing.assert_allclose(reverse, forward, rtol=1e-12)


def test_a_trend_saves_iterations_and_changes_no_solution() -> None:
    """d y/ds = -2 y³: with what y does up to both stages as the trend the first iteration nearly finds it."""
    equations, size = system(lambda y, v: -2.0 * y**3), jnp.asarray(0.5)

    def step(trend: Trend | None, tolerance: float = 1e-12):
        y = jnp.ones(1)
        stay = (jnp.ones((2, 1)),)
        options = {"gamma": jnp.asarray(GAMMA), "cap": jnp.asarray(30), "tolerance": tolerance}
        return sdirk_step(
            equations, (y,), (y,), jnp.zeros(()), jnp.zeros(()), size, guess=stay, guessed=jnp.bool_(False),
            trend=trend, **options,
        )  # fmt: skip

    plain = step(None)
    # dy/ds = -2y³ from one: y = (1 + 4s)^(-1/2).
    stages = jnp.asarray([(1.0 + 4.0 * GAMMA * 0.5) ** -0.5, 3.0**-0.5])
    shares = jnp.diff(jnp.concatenate([jnp.ones(1), stages]))
    helped = step(Trend((jnp.ones(1),), shares, jnp.ones(2)))
    assert helped.iterations < plain.iterations
    assert jnp.allclose(helped.y[0], plain.y[0], rtol=1e-13)
