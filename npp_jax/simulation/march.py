"""Integration of one stage: schedule of steps, moving mesh, landing on output times.

The clock of a stage with a beam is the charge passed, as a length; at rest it is time. Where a stage driven by a
potential ends at a time, the charge of the output is unknown: its last step is repeated from the same start, each time
with the charge corrected by the missing time, until it lands.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from npp_jax.physics.front_theory import quasi_steady_profile
from npp_jax.simulation.controls import Controls
from npp_jax.simulation.material import Unknowns
from npp_jax.simulation.mesh.course import AbstractCourse
from npp_jax.simulation.mesh.predicted import PredictedCourse
from npp_jax.simulation.schedule import Schedule
from npp_jax.simulation.schemes import AbstractScheme
from npp_jax.simulation.step import State, StepInfo, StepOptions, take_step
from npp_jax.solver.sdirk import Trend

Guess = Callable[[Array, Array, Array], Unknowns]
"""Start and end of a step in the clock, γ ↦ guesses of the unknowns at its stages."""


def first_state(course: PredictedCourse, schedule: Schedule, controls: Controls) -> tuple[State, Array]:
    """State at the start of the first stage, and first guesses of its first step at half and full charge."""
    clock = schedule.clock[0]
    faces = course.faces_at(jax.lax.stop_gradient(clock), controls.cells_behind, controls.cells_ahead)
    centre = 0.5 * (faces[1:] + faces[:-1])
    width = course.front_scale(clock)
    guess = [quasi_steady_profile(course.theory, centre, share * clock, width) for share in (0.5, 1.0)]
    zero = jnp.zeros_like(clock)
    state = State((jnp.ones_like(centre),), faces, jnp.zeros_like(faces), course.current_at(clock), zero, zero)
    return state, jax.lax.stop_gradient(jnp.stack(guess))


def step_end(
    course: AbstractCourse,
    now: State,
    base: State,
    clock: Array,
    ratio: Array,
    target: Array,
    repeat: Array,
    stays: Array | None = None,
) -> Array:
    """Where in the clock a step ends whose output is told by its time, or by the charge less what `stays` outside.

    Steps towards it keep their planned ratio, or, where the drive changes with time, go as far as the course expects
    by the time planned. A repeated one corrects the clock by the time, or the charge, that the one before has missed.
    """
    if course.traced and stays is None:
        gained = course.charge_at(target) - course.charge_at(now.time)
        ahead = now.clock + jnp.maximum(gained, 0.1 * (clock - clock / ratio))
    else:
        ahead = jnp.where(now.clock > 0.0, now.clock * ratio, clock)
    wanted = now.clock + (target - now.time) * now.current if stays is None else clock + stays
    return jnp.where(repeat, jnp.maximum(wanted, base.clock * 1.0001), ahead)


def _trend(course: AbstractCourse, now: State, before: State, start: Array, clock: Array, gamma: Array) -> Trend:
    """How a step goes on from the last state: changes as even in the logarithm of the clock as before, and the current
    as the course expects.

    A step that is repeated has its own first try as the last state, so that its first stage lies before that.
    """
    middle = start + gamma * (clock - start)
    known = (before.clock > 0.0) & (now.clock > before.clock)
    unit = jnp.where(known, jnp.log(jnp.where(known, now.clock / before.clock, 2.0)), jnp.inf)
    places = jnp.where(known, jnp.stack([now.clock, middle, clock]), 1.0)
    factors = jnp.ones_like(places[1:])
    if not course.resting and not course.traced:
        current = jnp.stack([course.current_at(place) for place in (now.clock, middle, clock)])
        factors = current[1:] / current[:-1]
    change = jax.tree.map(lambda a, b: a - b, now.y, before.y)
    return jax.lax.stop_gradient(Trend(change, jnp.diff(jnp.log(places), axis=0) / unit, factors))


def march(
    scheme: AbstractScheme,
    course: AbstractCourse,
    actual: AbstractCourse,
    schedule: Schedule,
    state: State,
    guess: Unknowns | Guess,
    controls: Controls,
    *,
    landing: bool,
    held: Array | None = None,
    surface_charge: Callable[[Unknowns], Array] | None = None,
) -> tuple[State, State, StepInfo]:
    """Take the steps of a schedule.

    Parameters
    ----------
    scheme
        Equations of the model; where its derivatives are not written out, the iteration takes those of the residual.
    course, actual
        Prediction that places the mesh, and the same with the parameters by which the result is differentiated.
    schedule
        Steps.
    state
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

    def take(step: Step, row: tuple) -> tuple[State, StepInfo]:
        begin, gamma, cap, place = row
        base, clock = step.base, step.clock
        faces = course.faces_at(
            jax.lax.stop_gradient(clock) if held is None else place, controls.cells_behind, controls.cells_ahead
        )
        still = base._replace(faces=jnp.where(begin, faces, base.faces))
        if callable(guess):
            first, guessed, trend = guess(base.clock, clock, gamma), jnp.bool_(True), None
        else:
            # Iterations that go on until they converge need none, and where an ion that never moves makes the iteration
            # blind, they end nearer to the solution without it.
            counted = controls.tolerance == 0.0
            first, guessed = guess, begin
            trend = _trend(course, step.now, step.before, base.clock, clock, gamma) if counted else None
        options = StepOptions(gamma, cap, controls.tolerance, controls.guarded)
        return take_step(
            scheme, actual, still, step.now, clock, faces, options, guess=first, guessed=guessed, trend=trend
        )

    own = (
        jnp.asarray(schedule.begin),
        jnp.asarray(schedule.gamma, state.clock.dtype),
        jnp.asarray(schedule.cap, jnp.int32),
        schedule.clock if held is None else held,
    )
    return scan_steps(take, course, schedule, own, state, landing=landing, surface_charge=surface_charge)


class Step(NamedTuple):
    """A step of a schedule that is to be taken."""

    now: State
    """The last state."""
    before: State
    """The state from which that was reached."""
    base: State
    """Where the step starts: the last state, or that before where the step is repeated."""
    clock: Array
    """Where it ends."""


def scan_steps(
    take: Callable[[Step, tuple], tuple[State, StepInfo]],
    course: AbstractCourse,
    schedule: Schedule,
    own: tuple,
    state: State,
    *,
    landing: bool,
    surface_charge: Callable[[Unknowns], Array] | None = None,
) -> tuple[State, State, StepInfo]:
    """Take the steps of a schedule one after the other, those that are repeated until they land from the same start.

    Parameters
    ----------
    take
        Takes a step, with its row of `own`: arrays with a first axis of the steps.
    course, schedule, own, state, landing, surface_charge
        As in `march`.
    """

    def one(carry: tuple[State, State], row: tuple) -> tuple[tuple[State, State], tuple[State, StepInfo]]:
        now, before = carry
        (clock, ratio, target, repeat), rest = row
        base = jax.tree.map(lambda a, b: jnp.where(repeat, a, b), before, now) if landing else now
        if landing:
            stays = None if surface_charge is None else surface_charge(now.y)
            clock = step_end(course, now, base, clock, ratio, target, repeat, stays)
        after, info = take(Step(now, before, base, clock), rest)
        return (after, base), (after, info)

    rows = ((schedule.clock, schedule.ratio, schedule.target, jnp.asarray(schedule.repeat)), own)
    (last, _), (states, info) = jax.lax.scan(one, (state, state), rows)
    return last, states, info
