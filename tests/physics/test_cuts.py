"""Where a trace is cut: at jumps and rests, not at ramps and noise."""

from dataclasses import replace

import numpy as np
import pytest

from npp_jax.physics import Blocking, Drive, IonBeamCurrent, IonBeamPotential, Stage
from npp_jax.physics.cuts import MOST_PARTS, MOST_RESTS, Trace, find_cuts, rests_of, with_parts

HOUR = 3600.0


def cuts_of(time, value, *, rests: bool = True) -> list[tuple]:
    trace = Trace(np.asarray(time, float), np.asarray(value, float), float(time[-1]))
    return [(cut.left, cut.right, cut.kind) for cut in find_cuts(trace, rests=rests)]


def stage(time, value, front: type[IonBeamCurrent] | type[IonBeamPotential] = IonBeamCurrent, **end) -> Stage:
    return with_parts(Stage(front("K", Drive.trace(time, value)), 350.0, **(end or {"duration": time[-1]})))


def test_pulse_steps_and_rest():
    pulse = [0.0, 8 * HOUR, 8 * HOUR + 1, 29401.0, 29402.0, 16 * HOUR]
    assert cuts_of(pulse, [10, 10, 100, 100, 10, 10]) == [(1, 2, "jump"), (3, 4, "jump")]
    assert cuts_of(pulse, [10, 10, 0, 0, 10, 10]) == [(1, 2, "off"), (3, 4, "on")]
    # A blocking electrode at zero volts is no rest.
    assert cuts_of(pulse, [10, 10, 0, 0, 10, 10], rests=False) == [(1, 2, "jump"), (3, 4, "jump")]


@pytest.mark.parametrize("value", [[10, 100], [100, 0], [10, 10], [10, 30, 10], [1, 2, 8, 9, 3]])
def test_ramps_are_not_cut(value: list):
    assert cuts_of(np.linspace(0.0, HOUR, len(value)), value) == []


@pytest.mark.parametrize("scatter", [0.0025, 0.02, 0.1])
@pytest.mark.parametrize("seed", range(4))
def test_noise_is_not_cut_but_jumps_in_it_are(scatter: float, seed: int):
    noise = np.random.default_rng(seed).normal(0.0, scatter, 400)
    time = np.linspace(0.0, 100 * HOUR, 400)
    smooth = 20.0 - 10.0 * np.exp(-time / (10 * HOUR))
    assert cuts_of(time, smooth * (1.0 + noise)) == []
    jumps = np.where(time > 50 * HOUR, 3.0, 1.0) * smooth
    assert cuts_of(time, jumps * (1.0 + noise)) == [(199, 200, "jump")]


def test_a_beam_that_is_off_may_be_noisy():
    time = np.linspace(0.0, 10 * HOUR, 601)
    on = np.abs(time - 5 * HOUR) > 1.5 * HOUR
    value = np.where(on, 2e-3, 0.0) + 1e-6 * np.random.default_rng(0).normal(size=601).clip(-1, 1)
    kinds = [kind for *_, kind in cuts_of(time, value)]
    assert kinds == ["off", "on"]


def test_a_jump_of_several_samples_is_one_and_a_glitch_none():
    time = np.linspace(0.0, 1e4, 1001)
    value = np.interp(time, [0.0, 5e3, 5.03e3, 1e4], [10.0, 10.0, 30.0, 30.0])
    assert cuts_of(time, value) == [(500, 503, "jump")]
    glitch = np.full(10001, 10.0)
    glitch[5000] = 12.0
    assert cuts_of(np.linspace(0.0, 1e4, 10001), glitch) == []


def test_no_more_parts_than_are_worth_it():
    time = np.cumsum(np.tile([1.0, 999.0], 40))
    value = np.where(np.arange(80) // 2 % 2 == 0, 10.0, 20.0)[np.r_[0:80]]
    assert len(cuts_of(np.r_[0.0, time], np.r_[value[0], value])) == MOST_PARTS - 1


@pytest.mark.parametrize("count", [MOST_RESTS, MOST_RESTS + 1])
def test_rests_are_counted_however_many(count):
    period = np.array([1.0, 2999.0, 1.0, 599.0])
    time = np.cumsum(np.r_[0.0, np.tile(period, count + 1)[:-2]])
    value = np.r_[1.0, np.tile([1.0, 1.0, 0.0, 0.0], count + 1)[:-2]]
    made = stage(time, value)
    assert rests_of(made) == count
    if count == MOST_RESTS:
        assert len(made.parts) == 2 * count + 1
        assert sum(part.resting for part in made.parts) == count
    assert rests_of(stage(time, value + 1.0)) == 0


def test_a_rest_at_the_start_takes_no_end_from_the_others():
    """Twelve ends of rests are cut, and no jump instead of one of them."""
    time, value = [0.0, 100.0], [0.0, 0.0]
    for height in [1.0, 50.0] * 6:
        time += [time[-1] + s for s in (1.0, 1000.0, 1001.0, 1300.0)]
        value += [height, height, 0.0, 0.0]
    time, value = time[:-2], value[:-2]
    time += [time[-1] + 1.0, time[-1] + 1000.0]
    value += [300.0, 300.0]
    kinds = [kind for *_, kind in cuts_of(time, value)]
    assert (kinds.count("on"), kinds.count("off"), len(kinds)) == (MOST_RESTS + 1, MOST_RESTS, MOST_PARTS - 1)


def test_outputs_lie_in_their_parts():
    time = [0.0, 8 * HOUR, 8 * HOUR + 2, 16 * HOUR]
    made = stage(time, [1e-3, 1e-3, 2e-3, 2e-3], duration=16 * HOUR, outputs=(0.25, 0.75, 1.0))
    first, second = made.parts
    assert (first.seen, second.seen, first.level, second.level) == (False, True, True, True)
    assert first.outputs == pytest.approx((4 * HOUR / (8 * HOUR + 1), 1.0))
    assert second.outputs == pytest.approx(((4 * HOUR - 1) / (8 * HOUR - 1), 1.0))
    by_charge = stage(time, [1e-3, 1e-3, 2e-3, 2e-3], charge=3e-3 * 8 * HOUR, outputs=(0.5, 1.0))
    assert by_charge.parts[1].outputs == pytest.approx((0.25, 1.0), abs=1e-4)


def test_parts_follow_the_numbers():
    time, value = [0.0, 100.0, 101.0, 200.0], [1.0, 1.0, 2.0, 2.0]
    cut = stage(time, value, IonBeamPotential)
    assert len(cut.parts) == 2
    even = with_parts(replace(cut, front=IonBeamPotential("K", 1.0)))
    assert even.parts == ()
    assert with_parts(replace(cut, front=Blocking(Drive.trace(time, value)))).parts == cut.parts
