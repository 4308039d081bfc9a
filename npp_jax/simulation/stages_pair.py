"""Simulation of one ion that replaces another: one pass over the protocol, on a mesh known in closed form."""

from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from npp_jax.physics.experiment import Experiment
from npp_jax.physics.front_theory import front_theory
from npp_jax.simulation.controls import Controls
from npp_jax.simulation.march import first_state, march
from npp_jax.simulation.material import Medium, Unknowns
from npp_jax.simulation.mesh.geometry import geometry
from npp_jax.simulation.mesh.predicted import Place, PredictedCourse
from npp_jax.simulation.schedule import make_schedule
from npp_jax.simulation.schemes import PAIR
from npp_jax.simulation.solution import Model
from npp_jax.simulation.step import State
from npp_jax.simulation.units import medium_of


class StageRecord(NamedTuple):
    """States of one stage that are looked at, in order (first axis)."""

    states: State
    charge: Array
    """Charge passed since the start of the protocol, as a length [nm]."""
    start: Array
    """Time at which the stage starts [s]."""
    outputs: np.ndarray
    """Which of the states are outputs."""


class Run(NamedTuple):
    """One pass through all stages, and what it took."""

    passages: list[StageRecord]
    clocks: list[Array]
    """Clock values of all steps of each stage, those repeated to land on an output included."""
    update: Array
    iterations: Array
    time_error: Array


def integrate(
    experiment: Experiment,
    meshed: Experiment,
    controls: Controls,
    model: Model,
    held: list[Array] | None = None,
) -> Run:
    """March through all stages.

    Parameters
    ----------
    experiment
        What is simulated.
    meshed
        What places mesh and steps: the same, with its derivative stopped. Given apart, with `held` (clock values of
        the mesh, one
        array a stage), it makes the discrete map that differentiation sees accessible to finite differences.
    controls, model
        As in `simulate`.
    """
    scheme = PAIR[model]
    meshed = jax.lax.stop_gradient(meshed)
    state: State | None = None
    zero = jnp.zeros_like(experiment.stages[0].temperature)
    place, charge, elapsed = Place(zero, zero, zero), zero, zero
    passages, clocks = [], []
    update, iterations, time_error = zero, jnp.zeros(zero.shape, jnp.int32), zero
    for k, stage in enumerate(experiment.stages):
        medium, mesh_medium = medium_of(experiment, stage), medium_of(meshed, meshed.stages[k])
        theory = front_theory(mesh_medium.native, mesh_medium.foreign, meshed.stages[k].temperature)
        first = state is None
        course = PredictedCourse(
            medium=mesh_medium,
            theory=theory,
            front=meshed.stages[k].front,
            place=place,
            charge=jax.lax.stop_gradient(charge),
        )
        actual = replace(course, medium=medium, front=stage.front)
        schedule = make_schedule(actual, stage, controls, first=first, surface_charge=scheme.poisson)
        landing = bool(np.any(schedule.repeat))
        before = zero if state is None or not scheme.poisson else _surface_charge(medium, state.y)
        if state is None:
            state, guess = first_state(course, jax.lax.stop_gradient(schedule), controls)
        else:
            centre = 0.5 * (state.faces[1:] + state.faces[:-1])
            guess = jnp.zeros((2, *centre.shape), centre.dtype)
            state = state._replace(clock=zero, time=zero)
            if course.resting:
                state = state._replace(current=zero)
            else:
                state = state._replace(current=course.current_at(zero))
        mesh_clock = None if held is None else held[k]
        pair = lambda u: (u, jnp.zeros_like(u)) if scheme.poisson else (u,)  # noqa: E731
        parts = []
        if scheme.poisson and first:
            # The first step, from a step profile, is taken neutral: Poisson's equation adds nothing there but
            # stiffness.
            head = jax.tree.map(lambda leaf: leaf[:1], schedule)
            start = None if mesh_clock is None else mesh_clock[:1]
            state, _, info = march(
                scheme.neutral, course, actual, head, state, (guess,), controls, landing=False, held=start
            )
            here = geometry(state.faces, state.velocity, medium.thickness)
            state = state._replace(y=scheme.start(medium, state.y, state.current, 1.0 / state.current, here))
            parts.append((jax.tree.map(lambda leaf: leaf[None], state), info))
            schedule = jax.tree.map(lambda leaf: leaf[1:], schedule)
            mesh_clock = None if mesh_clock is None else mesh_clock[1:]
        stays = None
        if scheme.poisson and stage.duration is None:
            stays = lambda y, medium=medium, before=before: _surface_charge(medium, y) - before  # noqa: E731
        state, states, info = march(
            scheme,
            course,
            actual,
            schedule,
            state,
            pair(guess),
            controls,
            landing=landing,
            held=mesh_clock,
            surface_charge=stays,
        )
        parts.append((states, info))
        states, info = jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *parts)
        neutral_steps = len(parts) - 1
        final = np.concatenate([np.ones(neutral_steps, bool), schedule.final])
        at_output = np.flatnonzero(np.concatenate([np.zeros(neutral_steps, bool), schedule.output]))
        flowed = charge + (jnp.zeros_like(states.clock) if course.resting else states.clock)
        passed = flowed
        if scheme.poisson:
            # What has flowed in is the foreign ions and the charge that carries the field at the surface.
            passed = flowed - jax.vmap(lambda y, medium=medium: _surface_charge(medium, y))(states.y)
        rows = np.flatnonzero(final) if controls.trace else at_output
        looked_at = jax.tree.map(lambda leaf, r=rows: leaf[r], states)
        passages.append(StageRecord(looked_at, passed[rows], elapsed, np.flatnonzero(np.isin(rows, at_output))))
        clocks.append(states.clock)
        # What is wrong early concerns few ions: it counts as far as the step has come.
        kept = np.flatnonzero(final)
        share = states.clock[kept] / states.clock[-1]
        update = jnp.maximum(update, jnp.max(info.update[kept] * share, axis=0))
        iterations = iterations + jnp.sum(info.iterations, axis=0)
        if landing and stage.duration is not None:
            wanted, reached = schedule.target[at_output - neutral_steps], states.time[at_output]
            time_error = jnp.maximum(time_error, jnp.max(jnp.abs(reached / wanted - 1.0), axis=0))
        place = course.place_at(jax.lax.stop_gradient(state.clock))
        elapsed = elapsed + state.time
        charge = flowed[-1]
    return Run(passages, clocks, update, iterations, time_error)


def _surface_charge(medium: Medium, y: Unknowns) -> Array:
    """Charge that carries the field at the surface, as a length [nm]; that behind the front belongs to the bulk."""
    return medium.debye_squared * (y[1][0] - y[1][-2])
