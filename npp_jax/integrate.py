"""Integration of one stage: schedule of steps, moving mesh, landing on output times.

The clock of a stage with a beam is the charge passed, as a length; at rest it is time. Where a stage driven by a
potential ends at
a time, the charge of the output is unknown: its last step is repeated from the same start, each time with the charge
corrected by the missing time, until it lands.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from types import ModuleType
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from npp_jax.discretisation.flux import Unknowns
from npp_jax.discretisation.path import Path
from npp_jax.discretisation.track import Track
from npp_jax.physics.front_theory import quasi_steady_profile
from npp_jax.physics.protocol import Blocking, IonBeamPotential, Stage
from npp_jax.solver.sdirk import EULER_GAMMA, GAMMA
from npp_jax.step import Effort, Happened, Moment, take_step

EULER_STEPS = 3
"""Steps from the untouched sample that are of first order; the charge that passes in them is a few percent."""
LATER_POWER = 2.5
"""Power of the step number to which the clock of a later stage with several fronts grows."""

BLOCKING_STEPS = 3
"""Steps under a blocking electrode, as a multiple of those of other stages: a current that decays sets their length."""


Guess = Callable[[Array, Array, Array], Unknowns]
"""Start and end of a step in the clock, γ ↦ guesses of the unknowns at its stages."""


@dataclass(frozen=True)
class Controls:
    """Numerical settings; all static, so that one compilation serves every candidate."""

    cells_behind: int = 160
    """Cells between the surface and the front."""
    cells_ahead: int = 50
    """Cells ahead of the front."""
    steps: int = 24
    """Time steps of a stage up to its first output; later outputs take their share."""
    iterations: int = 20
    """Cap on the Newton iterations of a stage of a step, the last one apart."""
    extra_iterations: tuple[int, ...] = (12, 3)
    """Further iterations in the first steps, which start far from the solution."""
    tolerance: float = 1e-9
    """Change of the native fraction below which the iteration stops."""
    landings: int = 3
    """Repetitions of the last step before an output time, where the charge is not known beforehand."""
    start_share: float = 0.003
    """Share of the charge (or time) of the first output taken by the first step."""
    trace: bool = True
    """Keep the history over the steps; otherwise the trace holds the outputs alone."""
    companion: bool = True
    """Make a second, coarser run for the error estimate."""
    observables: bool = True
    """Read the front off the profiles; otherwise its depth, width, plateau and leading edge are NaN. The error estimate
    needs them."""


def coarser(controls: Controls) -> Controls:
    """Settings of the companion run: half the cells, 0.6 of the steps."""
    return replace(
        controls,
        cells_behind=controls.cells_behind // 2,
        cells_ahead=controls.cells_ahead // 2,
        steps=max(4, round(0.6 * controls.steps)),
        trace=False,
    )


class Schedule(NamedTuple):
    """Steps of a stage, one entry each (first axis)."""

    clock: Array
    """Planned clock at the end of the step."""
    ratio: Array
    """Planned clock over that of the step before."""
    target: Array
    """Output time towards which the step goes [s]."""
    again: np.ndarray
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
    path: Path | Track, stage: Stage, controls: Controls, *, first: bool, surface_charge: bool = False
) -> Schedule:
    """Lay out the steps of a stage: evenly in the logarithm of the clock between outputs, or by `LATER_POWER`.

    Parameters
    ----------
    path
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
    if path.resting:
        ends = [share * stage.duration for share in shares]
        times = ends
    elif stage.duration is not None:
        times = [share * stage.duration for share in shares]
        ends = [path.charge_at(time) for time in times]
    else:
        ends = [share * stage.charge / path.current_unit() for share in shares]
        times = [jnp.full_like(like, jnp.inf) for _ in shares]
    clocks, targets, again, final, output = [], [], [], [], []
    previous = controls.start_share * ends[0]
    repeats = 0 if not unknown_end else controls.landings if stage.duration is not None else 1
    steps = controls.steps * (BLOCKING_STEPS if isinstance(stage.front, Blocking) else 1)
    for k, (end, time) in enumerate(zip(ends, times, strict=True)):
        if k == 0:
            exponents = np.linspace(0.0, 1.0, steps)
        else:
            span = np.log(shares[k] / shares[k - 1]) / -np.log(controls.start_share)
            count = max(3, int(np.ceil(span * steps)))
            exponents = np.arange(1, count + 1) / count
        exponents = np.concatenate([exponents, np.ones(repeats)]).reshape(-1, *(1,) * jnp.ndim(like))
        size = len(exponents)
        if k == 0 and not first and not path.resting and isinstance(path, Track):
            # The front runs into what earlier stages have left: nothing is self-similar, and even ratios would make
            # the last steps too long.
            root = controls.start_share ** (1.0 / LATER_POWER)
            shared = (root + (1.0 - root) * exponents) ** LATER_POWER
            clocks.append(end * jnp.asarray(shared, like.dtype))
        else:
            clocks.append(previous * (end / previous) ** jnp.asarray(exponents, like.dtype))
        targets.append(jnp.broadcast_to(time, (size, *like.shape)))
        position = np.arange(size)
        again.append(position >= size - repeats)
        final.append((position < size - repeats - (repeats > 0)) | (position == size - 1))
        output.append(position == size - 1)
        previous = end
    stacked = jnp.concatenate(clocks).astype(like.dtype)
    length = len(stacked)
    cap = np.full(length, controls.iterations)
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
        again=np.concatenate(again),
        begin=begin,
        gamma=gamma,
        cap=cap,
        final=np.concatenate(final),
        output=np.concatenate(output),
    )


def untouched(path: Path, schedule: Schedule, controls: Controls) -> tuple[Moment, Array]:
    """State at the start of the first stage, and first guesses of its first step at half and full charge."""
    clock = schedule.clock[0]
    faces = path.faces_at(jax.lax.stop_gradient(clock), controls.cells_behind, controls.cells_ahead)
    centre = 0.5 * (faces[1:] + faces[:-1])
    width = path.front_scale(clock)
    guess = [quasi_steady_profile(path.theory, centre, share * clock, width) for share in (0.5, 1.0)]
    zero = jnp.zeros_like(clock)
    moment = Moment((jnp.ones_like(centre),), faces, jnp.zeros_like(faces), path.current_at(clock), zero, zero)
    return moment, jax.lax.stop_gradient(jnp.stack(guess))


def landed(
    now: Moment, base: Moment, clock: Array, ratio: Array, target: Array, again: Array, stays: Array | None = None
) -> Array:
    """Where in the clock a step ends whose output is told by its time, or by the charge less what `stays` outside.

    Steps towards it keep their planned ratio; a repeated one corrects the clock by the time, or the charge, that the
    one before has missed.
    """
    ahead = jnp.where(now.clock > 0.0, now.clock * ratio, clock)
    wanted = now.clock + (target - now.time) * now.current if stays is None else clock + stays
    return jnp.where(again, jnp.maximum(wanted, base.clock * 1.0001), ahead)


def march(
    model: ModuleType,
    path: Path | Track,
    actual: Path | Track,
    schedule: Schedule,
    moment: Moment,
    guess: Unknowns | Guess,
    controls: Controls,
    *,
    landing: bool,
    held: Array | None = None,
    surface_charge: Callable[[Unknowns], Array] | None = None,
) -> tuple[Moment, Moment, Happened]:
    """Take the steps of a schedule.

    Parameters
    ----------
    model
        `electroneutral`, `full`, `mixture` or `mixture_full` of the discretisation; without derivatives of its own the
        iteration takes those of the residual.
    path, actual
        Prediction that places the mesh, and the same with the parameters by which the result is differentiated.
    schedule
        Steps.
    moment
        Start.
    guess
        First guesses of the unknowns at the stages, [stage, cell, *batch]: those of the step from the untouched sample
        alone, or of every step as a function of its start and end in the clock and the coefficient of its scheme.
    controls
        Numerical settings.
    landing
        Whether steps are repeated to end at their target time, or charge.
    held
        Clock values at which the mesh is placed instead of those of the steps, [step, *batch]: the discrete map with
        its mesh held, as differentiation sees it.
    surface_charge
        What of the charge since the start of the stage has stayed at the surface [nm], where steps are repeated to end
        at a charge.

    Returns
    -------
    Last state, states after all steps, and what the steps took.
    """

    def step(carry: tuple[Moment, Moment], row: tuple) -> tuple[tuple[Moment, Moment], tuple[Moment, Happened]]:
        now, before = carry
        clock, ratio, target, again, begin, gamma, cap, place = row
        base = jax.tree.map(lambda a, b: jnp.where(again, a, b), before, now) if landing else now
        if landing:
            stays = None if surface_charge is None else surface_charge(now.y)
            clock = landed(now, base, clock, ratio, target, again, stays)
        faces = path.faces_at(
            jax.lax.stop_gradient(clock) if held is None else place, controls.cells_behind, controls.cells_ahead
        )
        still = base._replace(faces=jnp.where(begin, faces, base.faces))
        first, guessed = (guess, begin) if not callable(guess) else (guess(base.clock, clock, gamma), jnp.bool_(True))
        effort = Effort(gamma, cap, controls.tolerance)
        after, happened = take_step(model, actual, still, now, clock, faces, effort, guess=first, guessed=guessed)
        return (after, base), (after, happened)

    dtype = moment.clock.dtype
    rows = (
        schedule.clock,
        schedule.ratio,
        schedule.target,
        jnp.asarray(schedule.again),
        jnp.asarray(schedule.begin),
        jnp.asarray(schedule.gamma, dtype),
        jnp.asarray(schedule.cap, jnp.int32),
        schedule.clock if held is None else held,
    )
    (last, _), (moments, happened) = jax.lax.scan(step, (moment, moment), rows)
    return last, moments, happened
