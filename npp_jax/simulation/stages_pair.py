"""Simulation of one ion that replaces another: one pass over the protocol, on a mesh known in closed form."""

from types import ModuleType
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from npp_jax.physics.experiment import Experiment
from npp_jax.physics.front_theory import front_theory
from npp_jax.simulation.controls import Controls
from npp_jax.simulation.march import march, untouched
from npp_jax.simulation.material import Medium, Unknowns
from npp_jax.simulation.mesh.geometry import geometry
from npp_jax.simulation.mesh.predicted import Path, Place
from npp_jax.simulation.schedule import make_schedule
from npp_jax.simulation.schemes import pair_full as full
from npp_jax.simulation.schemes import pair_neutral as electroneutral
from npp_jax.simulation.solution import Model
from npp_jax.simulation.step import Moment
from npp_jax.simulation.units import medium_of

MODELS: dict[str, ModuleType] = {"electroneutral": electroneutral, "full": full}


class Passage(NamedTuple):
    """States of one stage that are looked at, in order (first axis)."""

    moments: Moment
    charge: Array
    """Charge passed since the start of the protocol, as a length [nm]."""
    start: Array
    """Time at which the stage starts [s]."""
    outputs: np.ndarray
    """Which of the states are outputs."""


class Run(NamedTuple):
    """One pass through all stages, and what it took."""

    passages: list[Passage]
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
    meshed = jax.lax.stop_gradient(meshed)
    moment: Moment | None = None
    zero = jnp.zeros_like(experiment.stages[0].temperature)
    place, charge, elapsed = Place(zero, zero, zero), zero, zero
    passages, clocks = [], []
    update, iterations, time_error = zero, jnp.zeros(zero.shape, jnp.int32), zero
    for k, stage in enumerate(experiment.stages):
        medium, mesh_medium = medium_of(experiment, stage), medium_of(meshed, meshed.stages[k])
        theory = front_theory(mesh_medium.native, mesh_medium.foreign, meshed.stages[k].temperature)
        first = moment is None
        path = Path(mesh_medium, theory, meshed.stages[k].front, place, jax.lax.stop_gradient(charge))
        actual = path._replace(medium=medium, front=stage.front)
        schedule = make_schedule(actual, stage, controls, first=first, surface_charge=model == "full")
        landing = bool(np.any(schedule.again))
        before = zero if moment is None or model != "full" else _surface_charge(medium, moment.y)
        if moment is None:
            moment, guess = untouched(path, jax.lax.stop_gradient(schedule), controls)
        else:
            centre = 0.5 * (moment.faces[1:] + moment.faces[:-1])
            guess = jnp.zeros((2, *centre.shape), centre.dtype)
            moment = moment._replace(clock=zero, time=zero)
            if path.resting:
                moment = moment._replace(current=zero)
            else:
                moment = moment._replace(current=path.current_at(zero))
        mesh_clock = None if held is None else held[k]
        pair = lambda u: (u, jnp.zeros_like(u)) if model == "full" else (u,)  # noqa: E731
        parts = []
        if model == "full" and first:
            # The first step, from a step profile, is taken neutral: Poisson's equation adds nothing there but
            # stiffness.
            head = jax.tree.map(lambda leaf: leaf[:1], schedule)
            start = None if mesh_clock is None else mesh_clock[:1]
            moment, _, happened = march(
                electroneutral, path, actual, head, moment, (guess,), controls, landing=False, held=start
            )
            moment = _with_field(medium, moment)
            parts.append((jax.tree.map(lambda leaf: leaf[None], moment), happened))
            schedule = jax.tree.map(lambda leaf: leaf[1:], schedule)
            mesh_clock = None if mesh_clock is None else mesh_clock[1:]
        stays = None
        if model == "full" and stage.duration is None:
            stays = lambda y, medium=medium, before=before: _surface_charge(medium, y) - before  # noqa: E731
        moment, moments, happened = march(
            MODELS[model],
            path,
            actual,
            schedule,
            moment,
            pair(guess),
            controls,
            landing=landing,
            held=mesh_clock,
            surface_charge=stays,
        )
        parts.append((moments, happened))
        moments, happened = jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *parts)
        neutral_steps = len(parts) - 1
        final = np.concatenate([np.ones(neutral_steps, bool), schedule.final])
        at_output = np.flatnonzero(np.concatenate([np.zeros(neutral_steps, bool), schedule.output]))
        flowed = charge + (jnp.zeros_like(moments.clock) if path.resting else moments.clock)
        passed = flowed
        if model == "full":
            # What has flowed in is the foreign ions and the charge that carries the field at the surface.
            passed = flowed - jax.vmap(lambda y, medium=medium: _surface_charge(medium, y))(moments.y)
        rows = np.flatnonzero(final) if controls.trace else at_output
        looked_at = jax.tree.map(lambda leaf, r=rows: leaf[r], moments)
        passages.append(Passage(looked_at, passed[rows], elapsed, np.flatnonzero(np.isin(rows, at_output))))
        clocks.append(moments.clock)
        # What is wrong early concerns few ions: it counts as far as the step has come.
        kept = np.flatnonzero(final)
        share = moments.clock[kept] / moments.clock[-1]
        update = jnp.maximum(update, jnp.max(happened.update[kept] * share, axis=0))
        iterations = iterations + jnp.sum(happened.iterations, axis=0)
        if landing and stage.duration is not None:
            wanted, reached = schedule.target[at_output - neutral_steps], moments.time[at_output]
            time_error = jnp.maximum(time_error, jnp.max(jnp.abs(reached / wanted - 1.0), axis=0))
        place = path.place_at(jax.lax.stop_gradient(moment.clock))
        elapsed = elapsed + moment.time
        charge = flowed[-1]
    return Run(passages, clocks, update, iterations, time_error)


def _surface_charge(medium: Medium, y: Unknowns) -> Array:
    """Charge that carries the field at the surface, as a length [nm]; that behind the front belongs to the bulk."""
    return medium.debye_squared * (y[1][0] - y[1][-2])


def _with_field(medium: Medium, moment: Moment) -> Moment:
    """Hand a neutral state over to the full model."""
    here = geometry(moment.faces, moment.velocity, medium.thickness)
    return moment._replace(y=full.start(medium, moment.y[0], moment.current, here))
