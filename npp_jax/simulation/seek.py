"""A pass over a stage that finds its mesh on the way.

The faces go on as the waves of the hyperbolic limit do: what a stage brings spreads from the surface in proportion to
its clock, what was there before in proportion to all the charge since it started. A rough step on them, upwinded, tells
the profile at the end of the step; the mesh that resolves this is the one on which the step is taken.
"""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from npp_jax.physics.protocol import Closed, IonBeamCurrent, IonBeamPotential
from npp_jax.simulation.controls import Controls
from npp_jax.simulation.march import Step, scan_steps
from npp_jax.simulation.material import Mixture, Unknowns
from npp_jax.simulation.mesh.even_mesh import even_error_faces, linear
from npp_jax.simulation.mesh.found import FoundCourse
from npp_jax.simulation.schedule import Schedule
from npp_jax.simulation.schemes import AbstractMixtureScheme
from npp_jax.simulation.step import State, StepInfo, StepOptions, take_step

ROUGH_ITERATIONS = 3
"""Cap on the iterations of a rough step, the last one and the further ones of first steps apart."""


def resolving_faces(scheme: AbstractMixtureScheme, medium: Mixture, state: State) -> Array:
    """Faces that resolve the profile of a state evenly."""
    bulk = jnp.stack([jnp.broadcast_to(c, state.clock.shape) for c in medium.bulk])
    cells = scheme.fractions(medium, state.y, jnp.diff(state.faces, axis=0))
    return even_error_faces(state.faces, jnp.stack(cells), bulk, both_ends=medium.piling_up)


def seek(
    scheme: AbstractMixtureScheme,
    course: FoundCourse,
    schedule: Schedule,
    state: State,
    exchanged: Array,
    guess: Unknowns,
    controls: Controls,
    *,
    landing: bool,
    fresh: bool,
) -> tuple[State, State, StepInfo]:
    """Take the steps of a schedule, each on the mesh that its own rough step suggests.

    Parameters
    ----------
    scheme, schedule, state, controls, landing
        As in `march`.
    course
        Medium and drive of the stage.
    exchanged
        Charge of the ions that have been exchanged before the stage [nm].
    guess
        First guesses for the first step, [stage, cell, *batch].
    fresh
        Whether the schedule begins the stage.

    Returns
    -------
    As `march`.
    """
    medium, rough_course = course.medium, _upwinded(course)

    def take(step: Step, row: tuple) -> tuple[State, StepInfo]:
        begin, gamma, cap, rough_cap = row
        base, clock = step.base, step.clock
        predicted = jnp.where(begin, base.faces, advected_faces(course, base.faces, base.clock, clock, exchanged))
        options = StepOptions(gamma, rough_cap, controls.tolerance, controls.guarded, euler=True)
        rough, _ = take_step(
            scheme, rough_course, base, step.now, clock, predicted, options, guess=guess, guessed=begin
        )
        faces = jnp.where(begin, base.faces, resolving_faces(scheme, medium, rough))
        end = _between_meshes(medium, rough.y, predicted, faces)
        middle = _between_meshes(medium, tuple(g[0] for g in guess), predicted, faces)
        guesses = tuple(
            jnp.stack([jnp.where(begin, m, a + gamma * (b - a)), b])
            for m, a, b in zip(middle, base.y, end, strict=True)
        )
        options = StepOptions(gamma, cap, controls.tolerance, controls.guarded)
        return take_step(scheme, course, base, rough, clock, faces, options, guess=guesses, guessed=jnp.bool_(True))

    extra = np.zeros(len(schedule.cap), int)
    given = controls.extra_iterations[: len(extra)]
    extra[: len(given)] += np.asarray(given, int)
    own = (
        jnp.asarray(fresh & (np.arange(len(extra)) == 0)),
        jnp.asarray(schedule.gamma, state.clock.dtype),
        jnp.asarray(schedule.cap, jnp.int32),
        jnp.asarray(extra + _rough_iterations(medium, controls), jnp.int32),
    )
    return scan_steps(take, course, schedule, own, state, landing=landing)


def first_faces(
    scheme: AbstractMixtureScheme,
    course: FoundCourse,
    schedule: Schedule,
    state: State,
    guess: Unknowns,
    controls: Controls,
) -> Array:
    """Mesh that resolves the first step of a stage, found by a rough one; arguments as of `seek`."""
    options = StepOptions(
        jnp.asarray(schedule.gamma[0], state.clock.dtype),
        jnp.asarray(schedule.cap[0] + _rough_iterations(course.medium, controls), jnp.int32),
        controls.tolerance,
        controls.guarded,
        euler=True,
    )
    rough, _ = take_step(
        scheme,
        _upwinded(course),
        state,
        state,
        schedule.clock[0],
        state.faces,
        options,
        guess=guess,
        guessed=jnp.bool_(True),
    )
    return resolving_faces(scheme, course.medium, rough)


def _rough_iterations(medium: Mixture, controls: Controls) -> int:
    """Iterations of a rough step; what is far from the solution of a law that jumps suggests no mesh."""
    return controls.iterations if medium.jumping else ROUGH_ITERATIONS


def _upwinded(course: FoundCourse) -> FoundCourse:
    """The same for a rough step: upwinded in full, but at rest."""
    weight = jnp.zeros_like if isinstance(course.front, Closed) else jnp.ones_like
    return replace(course, medium=course.medium._replace(upwind=weight(course.medium.upwind)))


def advected_faces(course: FoundCourse, faces: Array, clock: Array, end: Array, exchanged: Array) -> Array:
    """Faces that go with the waves of the hyperbolic limit from one value of the clock to another.

    With a beam a composition that starts at the surface moves evenly with the charge, x ∝ q: what the stage brings, at
    most as deep as q/Z, with that of the stage, what was there before with the charge exchanged before on top. In
    between, cells are overrun. Without a beam all scales with the root of the time, at rest from a step at the start or
    not at all. The last face stays.
    """
    start = jnp.where(clock > 0.0, clock, end)
    ratio = end / start
    if isinstance(course.front, Closed):
        return faces if course.origin is None else _spread_faces(faces, course.origin, jnp.sqrt(ratio))
    if isinstance(course.front, IonBeamPotential | IonBeamCurrent):
        front = start / course.medium.background
        slow = (exchanged + end) / (exchanged + start)
        ahead = (ratio - slow) * front
        reach = jnp.maximum(1.0 - (faces - front) / (2.0 * ahead + 1e-9 * front), 0.0)
        moved = jnp.where(faces < front, ratio * faces, slow * faces + ahead * reach)
    else:
        moved = jnp.sqrt(ratio) * faces
    return _within(moved, moved[-1], faces[-1]).at[-1].set(faces[-1])


def _spread_faces(faces: Array, origin: Array, factor: Array) -> Array:
    """Faces whose distances from a depth grow by a factor, between ends that stay."""
    away = faces - origin
    length = jnp.where(away < 0.0, origin, faces[-1] - origin)
    held = _within(factor * jnp.abs(away), factor * length, length)
    return (origin + jnp.sign(away) * held).at[0].set(faces[0]).at[-1].set(faces[-1])


def _within(moved: Array, end: Array, length: Array) -> Array:
    """Distances that have grown up to `end`, within `length`: far ahead of the fronts the faces give way."""
    beyond = 1.0 - (length / end) ** 4
    return moved / (1.0 + beyond * (moved / length) ** 4) ** 0.25


def merged_faces(one: Array, other: Array) -> Array:
    """Faces with the mean density of two meshes of as many faces."""
    knots = jnp.sort(jnp.concatenate([one, other[1:-1]]), axis=0)
    number = jnp.arange(len(one), dtype=one.dtype).reshape(-1, *(1,) * (one.ndim - 1))
    number = jnp.broadcast_to(number, one.shape)
    count = 0.5 * (linear(knots, one, number) + linear(knots, other, number))
    return linear(number, count, knots).at[0].set(one[0]).at[-1].set(one[-1])


def _between_meshes(medium: Mixture, y: Unknowns, old: Array, new: Array) -> Unknowns:
    """Unknowns of one mesh as guesses on another: fractions at cell centres, a field at the left faces."""
    centres = [0.5 * (faces[1:] + faces[:-1]) for faces in (old, new)]
    places = [centres] * len(medium.carried) + [[old[:-1], new[:-1]]]
    moved = [linear(jnp.clip(to, at[0], at[-1]), at, c) for c, (at, to) in zip(y, places, strict=False)]
    return tuple(moved)
