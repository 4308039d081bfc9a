"""Drives that change with time: what is the same drive, however it is written, gives the same result."""

import functools
from collections.abc import Callable
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import SMALL, base

from npp_jax.physics import Closed, Drive, Experiment, IonBeamCurrent, IonBeamPotential, Stage
from npp_jax.simulation.simulate import simulate
from npp_jax.simulation.solution import Solution
from npp_jax.simulation.status import Status
from npp_jax.simulation.supported import Unsupported, check_supported

HOUR = 3600.0
DEPTH = jnp.linspace(1e-9, 100e-9, 40)


@functools.cache
def _compiled(seen: bool) -> Callable[[Experiment], Solution]:
    controls = replace(SMALL, companion=seen)
    return jax.jit(lambda e: simulate(e, controls), compiler_options={"xla_backend_optimization_level": 0})


def run(*stages: Stage, companion: bool = False) -> Solution:
    return _compiled(companion)(replace(base(), stages=stages))


def potential(drive, hours: float | None = None, charge: float | None = None) -> Stage:
    return Stage(IonBeamPotential("K", drive), 350.0, None if hours is None else hours * HOUR, charge)


def current(drive, hours: float | None = None, charge: float | None = None) -> Stage:
    return Stage(IonBeamCurrent("K", drive), 350.0, None if hours is None else hours * HOUR, charge)


def trace(*knots: tuple[float, float]) -> Drive:
    """Times in hours."""
    time, value = np.asarray(knots, float).T
    return Drive.trace(time * HOUR, value)


def assert_same(one: Solution, other: Solution, tolerance: float) -> None:
    """End of two runs, as fractions at some depths and as charge and time."""
    for a, b in ((one.charge, other.charge), (one.time, other.time), (one.front_depth, other.front_depth)):
        assert float(a[-1]) == pytest.approx(float(b[-1]), rel=tolerance)
    np.testing.assert_allclose(one.profile(DEPTH), other.profile(DEPTH), atol=10 * tolerance)


MOMENT = 1e-4
"""A jump in hours."""


@pytest.mark.slow
def test_steps_are_stages_and_their_ends_no_outputs():
    steps = trace((0, 10), (8, 10), (8 + MOMENT, 30), (12, 30), (12 + MOMENT, 5), (16, 5))
    one = run(potential(steps, 16))
    several = run(potential(10.0, 8 + MOMENT / 2), potential(30.0, 4), potential(5.0, 4 - MOMENT / 2))
    assert len(one.time) == 1
    assert int(one.report.status) == Status.DONE
    assert_same(one, several, 1e-9)


def test_a_pulse_is_not_missed():
    pulse = trace((0, 10), (8, 10), (8.0003, 100), (8.167, 100), (8.1673, 10), (16, 10))
    constant, pulsed = run(potential(10.0, 16)), run(potential(pulse, 16))
    assert float(pulsed.charge[0] / constant.charge[0]) == pytest.approx(11.58 / 10.66, abs=0.02)


@pytest.mark.slow
def test_rest_in_a_current_and_end_by_charge():
    off = trace((0, 2e-3), (4, 2e-3), (4 + MOMENT, 0), (24, 0), (24 + MOMENT, 2e-3), (28, 2e-3))
    by_time = run(current(off, 28))
    stages = [current(2e-3, 4 + MOMENT / 2), Stage(Closed(), 350.0, 20 * HOUR), current(2e-3, 4 - MOMENT / 2)]
    assert_same(by_time, run(*stages), 1e-9)
    assert_same(by_time, run(current(off, None, 2e-3 * 8 * HOUR)), 1e-9)


def test_a_beam_that_is_switched_on_late():
    late = trace((0, 0), (2, 0), (2 + MOMENT, 10), (18, 10))
    found, plain = run(potential(late, 18)), run(potential(10.0, 16 - MOMENT / 2))
    assert float(found.charge[0]) == pytest.approx(float(plain.charge[0]), rel=1e-9)
    assert float(found.time[0]) == pytest.approx(18 * HOUR)


@pytest.mark.slow
def test_knots_on_a_line_change_nothing():
    few = trace((0, 10), (6, 30), (16, 15))
    time = np.unique(np.concatenate([np.linspace(0, 16, 50), [6.0]]))
    many = trace(*zip(time, np.interp(time, [0, 6, 16], [10, 30, 15]), strict=True))
    assert_same(run(potential(few, 16)), run(potential(many, 16)), 1e-9)


@pytest.mark.slow
def test_level_trace_is_a_constant():
    level = trace((0, 10), (3, 10), (16, 10))
    assert_same(run(potential(level, 16)), run(potential(10.0, 16)), 1e-12)
    # Two knots are a ramp, whose ends may be parameters: other steps, the same within their error.
    assert_same(run(potential(trace((0, 10), (16, 10)), 16)), run(potential(10.0, 16)), 2e-3)


@pytest.mark.slow
@pytest.mark.parametrize("stage", [potential, current])
def test_falling_ramps_and_noise(stage: Callable[..., Stage]):
    scale = 1.0 if stage is potential else 1e-4
    ramp = trace((0, 100 * scale), (16, 10 * scale))
    time = np.linspace(0, 16, 201)
    noisy = np.interp(time, [0, 16], [100, 10]) * (1.0 + 2.5e-3 * np.random.default_rng(1).normal(size=201))
    smooth, rough = run(stage(ramp, 16)), run(stage(trace(*zip(time, noisy * scale, strict=True)), 16))
    assert int(smooth.report.status) < Status.NOT_CONVERGED
    assert float(smooth.time[0]) == pytest.approx(16 * HOUR, rel=1e-4)
    assert_same(smooth, rough, 1e-3)
    if stage is current:
        assert float(smooth.charge[0]) == pytest.approx(55e-4 * 16 * HOUR, rel=1e-12)


@pytest.mark.slow
def test_end_by_charge_is_end_by_duration_under_a_potential():
    ramp = trace((0, 10), (16, 40), (32, 40))
    by_time = run(potential(ramp, 16))
    by_charge = run(potential(ramp, None, float(by_time.charge[0])))
    assert float(by_charge.time[0]) == pytest.approx(16 * HOUR, rel=2e-3)
    beyond = run(potential(trace((0, 10), (1, 10)), None, float(by_time.charge[0])))
    assert int(beyond.report.status) == Status.BEYOND_TRACE


@pytest.mark.slow
def test_candidates_that_pause_elsewhere_are_refused():
    """What is not common to all is not cut, and a pause that is not cut has no voltage: "numbers overflowed"."""
    alike = trace((0, 10), (8, 10), (8 + MOMENT, 0), (9, 0), (9 + MOMENT, 10), (16, 10))
    once, never = alike.value, jnp.full_like(alike.value, 10.0)
    check_supported(replace(base(), stages=(potential(replace(alike, value=jnp.stack([once, 2 * once], 1)), 16),)))
    check_supported(replace(base(), stages=(potential(replace(alike, value=jnp.stack([never, 2 * never], 1)), 16),)))
    with pytest.raises(
        Unsupported, match=r"stages\[0\]: the traces of the candidates do not pause and jump at the same"
    ):
        check_supported(replace(base(), stages=(potential(replace(alike, value=jnp.stack([once, never], 1)), 16),)))


def test_candidates_and_derivatives():
    steps = trace((0, 10), (8, 20), (8 + MOMENT, 30), (16, 10))

    def front(scale: jax.Array) -> jax.Array:
        stage = potential(replace(steps, value=steps.value * scale), 16)
        stage = replace(stage, parts=replace(base(), stages=(potential(steps, 16),)).stages[0].parts)
        return simulate(replace(base(), stages=(stage,)), SMALL).charge[-1]

    scales = jnp.asarray([0.9, 1.0, 1.1])
    values, slopes = jax.jit(jax.vmap(jax.value_and_grad(front)))(scales)
    assert (values[2] - values[0]) / 0.2 == pytest.approx(float(slopes[1]), rel=1e-2)
    assert jnp.all(jnp.isfinite(slopes))
