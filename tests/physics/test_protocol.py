"""Drives against quadrature, and what a stage refuses."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, optimize

from npp_jax.physics import (
    Closed,
    ConstantDiffusivity,
    Drive,
    Experiment,
    IonBeamCurrent,
    Sample,
    Species,
    Stage,
    drive_integral,
    drive_inverse_integral,
    drive_value,
)
from npp_jax.physics.drive import drive_line

TIME = np.array([0.0, 1.0, 3.0, 3.5, 6.0])
TRACES = {
    "rising": (TIME, np.array([1.0, 1.5, 2.0, 4.0, 5.0])),
    "from zero to zero": (TIME, np.array([0.0, 2.0, 2.0, 0.5, 0.0])),
    "late start": (TIME + 2.0, np.array([1.0, 3.0, 3.0, 1.0, 2.0])),
    "pause": (TIME, np.array([2.0, 0.0, 0.0, 1.0, 1.0])),
}


def reference(name: str, t: float) -> float:
    time, value = TRACES[name]
    return float(np.interp(t, time, value))


def reference_integral(name: str, t: float) -> float:
    edges = [0.0, *(k for k in TRACES[name][0] if 0.0 < k < t), t]
    return sum(integrate.quad(lambda s: reference(name, s), a, b)[0] for a, b in itertools.pairwise(edges))


@pytest.mark.parametrize("t", [0.0, 0.3, 1.0, 2.2, 3.2, 5.9, 6.0, 9.0])
@pytest.mark.parametrize("name", TRACES)
def test_value_and_integral(name: str, t: float):
    drive = Drive.trace(*TRACES[name])
    assert float(drive_value(drive, jnp.asarray(t))) == pytest.approx(reference(name, t), abs=1e-13)
    assert float(drive_integral(drive, jnp.asarray(t))) == pytest.approx(reference_integral(name, t), abs=1e-12)


@pytest.mark.parametrize("amount", [0.2, 1.0, 2.5, 4.0])
@pytest.mark.parametrize("name", TRACES)
def test_inverse_integral(name: str, amount: float):
    drive = Drive.trace(*TRACES[name])
    expected = optimize.brentq(lambda t: reference_integral(name, t) - amount, 0.0, 20.0, xtol=1e-13)
    if amount == 1.0 and name == "pause":
        expected = 1.0  # the charge passed before the pause is reached when the pause begins
    assert float(drive_inverse_integral(drive, jnp.asarray(amount))) == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("name", TRACES)
def test_time_of_no_charge_is_the_start(name: str):
    expected = 0.0
    assert float(drive_inverse_integral(Drive.trace(*TRACES[name]), jnp.asarray(0.0))) == expected


def test_beyond_the_end():
    time, value = TRACES["rising"]
    total = reference_integral("rising", 6.0)
    assert float(drive_inverse_integral(Drive.trace(time, value), jnp.asarray(total + 10.0))) == pytest.approx(8.0)
    never = drive_inverse_integral(Drive.trace(*TRACES["from zero to zero"]), jnp.asarray(100.0))
    assert float(never) > 1e100


def test_constant():
    drive = Drive.constant(4)
    assert drive.value.dtype == jnp.float64
    assert float(drive_value(drive, jnp.asarray(3.0))) == 4.0
    assert float(drive_integral(drive, jnp.asarray(3.0))) == 12.0
    assert float(drive_inverse_integral(drive, jnp.asarray(12.0))) == 3.0


@pytest.mark.parametrize("name", ["rising", "from zero to zero", "late start", "pause"])
@pytest.mark.parametrize("function", [drive_value, drive_integral, drive_inverse_integral])
def test_gradients(name: str, function):
    time, value = TRACES[name]
    run = lambda values, argument: function(Drive.trace(time, values), argument)  # noqa: E731
    values, argument, h = jnp.asarray(value), jnp.asarray(2.3), 1e-6
    forward = jax.jit(jax.jacfwd(run, argnums=(0, 1)))(values, argument)
    reverse = jax.jit(jax.jacrev(run, argnums=(0, 1)))(values, argument)
    np.testing.assert_allclose(forward[0], reverse[0], atol=1e-14)
    np.testing.assert_allclose(forward[1], reverse[1], atol=1e-14)
    inner = np.flatnonzero(value > 0.0)
    for k in inner:
        step = h * np.eye(5)[k]
        difference = (run(values + step, argument) - run(values - step, argument)) / (2.0 * h)
        assert float(forward[0][k]) == pytest.approx(float(difference), rel=1e-6, abs=1e-8)
    slope = (run(values, argument + h) - run(values, argument - h)) / (2.0 * h)
    assert float(forward[1]) == pytest.approx(float(slope), rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("argument", [0.0, 1.0, 4.0])
def test_gradients_are_finite_at_the_knots(argument: float):
    time, value = TRACES["from zero to zero"]
    slope = jax.jacrev(lambda v: drive_inverse_integral(Drive.trace(time, v), jnp.asarray(argument)))(
        jnp.asarray(value)
    )
    assert jnp.all(jnp.isfinite(slope))


@pytest.mark.parametrize("function", [drive_value, drive_integral, drive_inverse_integral])
def test_trailing_batch_equals_loop(function):
    time, value = TRACES["rising"]
    scale, argument = jnp.asarray([0.5, 1.0, 2.0]), jnp.asarray([0.5, 2.0, 7.0])
    together = function(Drive.trace(time, jnp.asarray(value)[:, None] * scale), argument)
    alone = [function(Drive.trace(time, value * float(s)), a) for s, a in zip(scale, argument, strict=True)]
    np.testing.assert_allclose(together, jnp.stack(alone), rtol=1e-13)
    shared = function(Drive.trace(time, value), argument)
    np.testing.assert_allclose(shared, [function(Drive.trace(time, value), a) for a in argument], rtol=1e-13)


@pytest.mark.parametrize("function", [drive_value, drive_integral, drive_inverse_integral])
def test_single_precision_stays_single(function):
    time, value = (jnp.asarray(column, jnp.float32) for column in TRACES["pause"])
    assert function(Drive.trace(time, value), jnp.asarray(2.0, jnp.float32)).dtype == jnp.float32
    assert function(Drive.constant(np.float64(2.0)), jnp.asarray(2.0, jnp.float32)).dtype == jnp.float32
    assert function(Drive.constant(2), jnp.asarray(2.0, jnp.float32)).dtype == jnp.float32


def test_a_drive_refuses_tables_that_do_not_match():
    with pytest.raises(ValueError, match="as many values as times, two or more, got 2 and 3"):
        Drive.trace(jnp.asarray([0.0, 1.0, 2.0]), jnp.asarray([1.0, 2.0]))
    with pytest.raises(ValueError, match="one value, got 2"):
        Drive(value=jnp.asarray([1.0, 2.0]))


@pytest.mark.parametrize("ends", [{}, {"duration": 1.0, "charge": 1.0}])
def test_a_stage_has_exactly_one_end(ends: dict[str, float]):
    with pytest.raises(ValueError, match="exactly one"):
        Stage(front=Closed(), temperature=350.0, **ends)


@pytest.mark.parametrize("outputs", [(), (0.0, 1.0), (0.5, 0.5, 1.0), (0.5, 0.9), (0.5, 2.0), (1.0, 0.5)])
def test_outputs_increase_to_one(outputs: tuple[float, ...]):
    with pytest.raises(ValueError, match="output"):
        Stage(front=Closed(), temperature=350.0, duration=1.0, outputs=outputs)


def test_an_experiment_refuses_unknown_and_repeated_names():
    sample = Sample(thickness=5e-4, permittivity=9, bulk_density=1.4e28)
    lithium = Species("Li", ConstantDiffusivity(1e-18), 1)
    stage = Stage(front=IonBeamCurrent("K", Drive.constant(1e-3)), temperature=350, duration=3600)
    assert all(leaf.dtype == jnp.float64 for leaf in jax.tree.leaves((sample, lithium, stage)))
    with pytest.raises(ValueError, match=r"\['K'\]"):
        Experiment(sample, (lithium,), (stage,))
    with pytest.raises(ValueError, match="unique"):
        Experiment(sample, (lithium, lithium), (stage,))
    with pytest.raises(ValueError, match="at least one stage"):
        Experiment(sample, (lithium,), ())


@pytest.mark.parametrize("name", TRACES)
@pytest.mark.parametrize(("begin", "end"), [(0.0, 0.4), (0.5, 3.2), (1.2, 1.9), (3.0, 8.5), (7.0, 9.0)])
def test_line_has_integral_and_moment(name: str, begin: float, end: float):
    mean, rise = drive_line(Drive.trace(*TRACES[name]), begin, end)
    inner = [k for k in TRACES[name][0] if begin < k < end]
    edges = [begin, *inner, end]
    middle, length = 0.5 * (begin + end), end - begin
    moment = sum(
        integrate.quad(lambda s: reference(name, s) * (s - middle), a, b)[0] for a, b in itertools.pairwise(edges)
    )
    assert float(mean) * length == pytest.approx(reference_integral(name, end) - reference_integral(name, begin))
    assert float(rise) * length**2 / 12.0 == pytest.approx(moment, abs=1e-12)
