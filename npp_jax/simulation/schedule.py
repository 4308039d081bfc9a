"""Schedule of the steps of a stage."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from npp_jax.physics.protocol import Blocking, IonBeamPotential, Stage
from npp_jax.simulation.controls import Controls
from npp_jax.simulation.mesh.course import AbstractCourse
from npp_jax.simulation.pace import TRACED_STEPS, paced_times
from npp_jax.solver.sdirk import EULER_GAMMA, GAMMA

EULER_STEPS = 3
"""Steps from the untouched sample that are of first order; the charge that passes in them is a few percent."""


LATER_POWER = 2.5
"""Power of the step number to which the clock of a later stage with several fronts grows."""


BLOCKING_STEPS = 3
"""Steps under a blocking electrode, as a multiple of those of other stages: a current that decays sets their length."""


class Schedule(NamedTuple):
    """Steps of a stage, one entry each (first axis)."""

    clock: Array
    """Planned clock at the end of the step."""
    ratio: Array
    """Planned clock over that of the step before."""
    target: Array
    """Output time towards which the step goes; under a trace the time at which it shall end [s]."""
    repeat: np.ndarray
    """The step repeats the one before, from the same start."""
    begin: np.ndarray
    """The step starts from the untouched sample."""
    gamma: np.ndarray
    cap: np.ndarray
    final: np.ndarray
    """The step is not repeated: it belongs to the trace."""
    output: np.ndarray
    """The step ends at an output."""


def make_schedule(
    course: AbstractCourse, stage: Stage, controls: Controls, *, first: bool, surface_charge: bool = False
) -> Schedule:
    """Lay out the steps of a stage: evenly in the logarithm of the clock between outputs, or by `LATER_POWER`.

    Parameters
    ----------
    course
        Prediction of current and charge.
    stage
        What is done to the sample.
    controls
        Numerical settings.
    first
        Whether the stage starts from the untouched sample.
    surface_charge
        Whether a part of the charge stays at the surface and has to be made up for where a stage ends at a charge.
    """
    shares = np.asarray(stage.outputs)
    unknown_end = isinstance(stage.front, IonBeamPotential) and (stage.duration is not None or surface_charge)
    like = stage.temperature
    if course.resting:
        ends = [share * stage.duration for share in shares]
        times = ends
    elif stage.duration is not None:
        times = [share * stage.duration for share in shares]
        ends = [course.charge_at(time) for time in times]
    else:
        ends = [share * stage.charge / course.current_unit() for share in shares]
        times = [jnp.full_like(like, jnp.inf) for _ in shares]
    traced = course.traced
    if traced and stage.duration is None:
        times = [course.time_at(end) for end in ends]
    clocks, targets, repeat, final, output = [], [], [], [], []
    previous = controls.start_share * ends[0]
    repeats = 0 if not unknown_end else controls.landings if stage.duration is not None else 1
    steps = controls.steps * (BLOCKING_STEPS if isinstance(stage.front, Blocking) else 1)
    began = previous if course.resting or not traced else course.time_at(previous)
    for k, (end, time) in enumerate(zip(ends, times, strict=True)):
        span = 1.0 if k == 0 else np.log(shares[k] / shares[k - 1]) / -np.log(controls.start_share)
        count = max(3, int(np.ceil(span * steps))) * (TRACED_STEPS if traced else 1)
        exponents = np.linspace(0.0, 1.0, count) if k == 0 else np.arange(1, count + 1) / count
        exponents = np.concatenate([exponents, np.ones(repeats)]).reshape(-1, *(1,) * jnp.ndim(like))
        size = len(exponents)
        aimed = jnp.broadcast_to(time, (size, *like.shape))
        if traced:
            planned = paced_times(course, began, time, count + (k > 0))[int(k > 0) :]
            aimed = jnp.concatenate([planned, jnp.broadcast_to(time, (repeats, *like.shape))])
            reached = aimed if course.resting else jax.lax.map(course.charge_at, aimed)
            clocks.append(reached.at[count - 1 :].set(end))
        elif k == 0 and not first and not course.resting and not course.self_similar:
            # The front runs into what earlier stages have left: nothing is self-similar, and even ratios would make
            # the last steps too long.
            root = controls.start_share ** (1.0 / LATER_POWER)
            shared = (root + (1.0 - root) * exponents) ** LATER_POWER
            clocks.append(end * jnp.asarray(shared, like.dtype))
        else:
            clocks.append(previous * (end / previous) ** jnp.asarray(exponents, like.dtype))
        targets.append(aimed)
        position = np.arange(size)
        repeat.append(position >= size - repeats)
        final.append((position < size - repeats - (repeats > 0)) | (position == size - 1))
        output.append(position == size - 1)
        previous, began = end, time
    stacked = jnp.concatenate(clocks).astype(like.dtype)
    length = len(stacked)
    # Where the theory does not tell how the current goes on, the iteration has to find it.
    cap = np.full(length, controls.iterations + int(course.traced or course.resting))
    extra = controls.extra_iterations[:length]
    cap[: len(extra)] += np.asarray(extra, int)
    begin = np.zeros(length, bool)
    gamma = np.full(length, GAMMA)
    if first:
        begin[0] = True
        # While the profile forms, the second-order step would undershoot zero behind a thin front.
        gamma[:EULER_STEPS] = EULER_GAMMA
    return Schedule(
        clock=stacked,
        ratio=jnp.concatenate([jnp.ones_like(stacked[:1]), stacked[1:] / stacked[:-1]]),
        target=jnp.concatenate(targets).astype(like.dtype),
        repeat=np.concatenate(repeat),
        begin=begin,
        gamma=gamma,
        cap=cap,
        final=np.concatenate(final),
        output=np.concatenate(output),
    )
