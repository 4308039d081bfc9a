"""SDIRK2 of linear problems on two unknowns: order, stability, conservation, derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy import linalg

from npp_jax.solver.linear_sdirk import StageSolution, linear_pass
from npp_jax.solver.sdirk import GAMMA

MASS = np.array([1.0, 3.0])
COUPLED = np.array([[2.5, -2.0], [-2.0, 2.0]])
"""L: two cells that exchange, the first also with a reservoir through a conductance of ½."""
SOURCE = np.array([0.5 * 0.9, 0.0])
START = np.array([0.1, 0.7])


def stage_of(matrix, source):
    """Stage of M dy/dt = b - L y by a dense solution; its flow is what comes in from the reservoir."""

    def stage(base, change, weight):
        y = jnp.linalg.solve(jnp.diag(MASS) + weight * matrix, MASS * base + weight * source)
        return StageSolution(y, jnp.sum(source - matrix @ y), jnp.max(jnp.abs(change)))

    return stage


@jax.jit
def pass_of(rate, y, duration):
    """Passes of 8, 16, 32 and 64 steps."""
    stage = stage_of(rate * COUPLED, rate * SOURCE)
    return [linear_pass(stage, y, duration, steps=steps) for steps in (8, 16, 32, 64)]


def exact(duration: float) -> np.ndarray:
    rates = np.zeros((3, 3))
    rates[:2, :2], rates[:2, 2] = -COUPLED / MASS[:, None], SOURCE / MASS
    return (linalg.expm(rates * duration) @ np.append(START, 1.0))[:2]


def test_second_order_in_state_and_flow():
    duration = 1.7
    end = exact(duration)
    entered = float(MASS @ (end - START))
    found = pass_of(1.0, jnp.asarray(START), jnp.asarray(duration))
    for errors in (
        [float(np.max(np.abs(one.y - end))) for one in found],
        [abs(float(one.flow) - entered) for one in found],
    ):
        orders = np.log2(np.asarray(errors[:-1]) / np.asarray(errors[1:]))
        np.testing.assert_allclose(orders, 2.0, atol=0.12)
        assert errors[-1] < 1e-4


def test_what_comes_in_is_what_is_gained():
    for one in pass_of(1.0, jnp.asarray(START), jnp.asarray(0.8)):
        np.testing.assert_allclose(one.flow, MASS @ (np.asarray(one.y) - START), rtol=1e-13)


@pytest.mark.parametrize("age", [0.3, 30.0, 3e5])
def test_one_step_has_the_stability_function_of_the_scheme(age: float):
    """R(z) = (1 + (1 - 2γ)z)/(1 - γz)², which vanishes for stiff modes."""

    def stage(base, change, weight):
        return StageSolution(base / (1.0 + weight), (), change)

    found = linear_pass(stage, jnp.ones(1), jnp.asarray(age), steps=1)
    expected = (1.0 - (1.0 - 2.0 * GAMMA) * age) / (1.0 + GAMMA * age) ** 2
    np.testing.assert_allclose(found.y, [expected], rtol=1e-9, atol=1e-13)
    # The first stage knows of no change, the second is told that of the first.
    assert found.told[0, 0] == 0.0
    assert found.told[0, 1] != 0.0


def test_derivatives_in_both_modes_and_single_precision():
    stage = lambda rate: stage_of(rate * COUPLED, rate * SOURCE)  # noqa: E731
    run = jax.jit(lambda rate, y, t: linear_pass(stage(rate), y, t, steps=3)[:2])
    check_grads(run, (jnp.asarray(1.1), jnp.asarray(START), jnp.asarray(0.8)), 1, rtol=1e-6, atol=1e-7)
    halved = lambda base, _, weight: StageSolution(base / (1.0 + weight), base, ())  # noqa: E731
    single = linear_pass(halved, jnp.ones(2, jnp.float32), jnp.asarray(1.0), steps=4)
    assert single.y.dtype == single.flow.dtype == jnp.float32
