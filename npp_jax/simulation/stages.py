"""Simulation of any number of ions: a coarse pass over the protocol that seeks the mesh, and the run on this mesh."""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from npp_jax.physics.experiment import Experiment
from npp_jax.physics.protocol import Blocking, Closed
from npp_jax.simulation.controls import Controls, coarser
from npp_jax.simulation.march import march
from npp_jax.simulation.material import Mixture, Unknowns, complete
from npp_jax.simulation.mesh.even_mesh import divided
from npp_jax.simulation.mesh.found import FoundCourse, Table
from npp_jax.simulation.mesh.geometry import geometry
from npp_jax.simulation.schedule import Schedule, make_schedule
from npp_jax.simulation.schemes import MIXTURE, AbstractMixtureScheme
from npp_jax.simulation.seek import first_faces, merged_faces, seek
from npp_jax.simulation.start import first_guess, first_tables, initial_state
from npp_jax.simulation.step import State, StepInfo
from npp_jax.simulation.units import mixture_of
from npp_jax.solver.sdirk import EULER_GAMMA

UPWIND = 0.1
"""Weight of the upwinding: where the cells of a setting are few for the fronts, central fluxes alone would ask for
negative fractions, which no iteration reaches."""


class StageRecord(eqx.Module):
    """States of one stage that are looked at, in order (first axis)."""

    states: State
    charge: Array
    """Charge passed since the start of the protocol, as a length [nm]."""
    taken: Array
    """Charge of the ions of a beam that the stage has added to the sample by its end [nm]."""
    start: Array
    """Time at which the stage starts [s]."""
    outputs: tuple[int, ...] = eqx.field(static=True)
    """Which of the states are outputs."""


class Run(eqx.Module):
    """One pass through all stages, and what it took."""

    passages: tuple[StageRecord, ...]
    update: Array
    iterations: Array
    time_error: Array
    steps: int = eqx.field(static=True)
    """Number of steps."""
    cells: int = eqx.field(static=True)
    """Number of cells."""


def integrate(experiment: Experiment, controls: Controls, model: str) -> tuple[Run, Run]:
    """Coarse pass that seeks the mesh, then the pass that counts; only this one is differentiated.

    Parameters
    ----------
    experiment
        What is simulated; leaves of one dtype, temperatures of the full batch shape.
    controls
        Numerical settings; cells behind and ahead of the front count together.
    model
        `electroneutral` or `full`.

    Returns
    -------
    The run, and the coarse pass for an error estimate.
    """
    held = jax.lax.stop_gradient(experiment)
    # Only the first step of a stage has no state of a rough step or of the coarse pass to start from.
    controls = replace(controls, extra_iterations=controls.extra_iterations[:1])
    coarse = coarser(controls)
    scheme = MIXTURE[model]
    rough, tables = one_pass(held, coarse, first_tables(held, coarse), scheme, seeking=True)
    cells = controls.cells_behind + controls.cells_ahead
    tables = jax.lax.stop_gradient(tuple(finer(table, cells) for table in tables))
    return one_pass(experiment, controls, tables, scheme)[0], rough


def finer(table: Table, cells: int) -> Table:
    """Table of meshes with as many cells as wanted."""
    rising = lambda a: jax.lax.cummax(a, axis=0)  # noqa: E731
    each = jax.vmap(lambda faces: divided(faces, cells))
    state = tuple(jax.vmap(lambda c: _divided_cells(c, cells))(part) for part in table.state)
    return Table(rising(table.clock), rising(table.time), each(table.faces), state)


def _divided_cells(values: Array, cells: int) -> Array:
    """Values of cells for as many as wanted of the same density."""
    place = np.clip((np.arange(cells) + 0.5) / cells * len(values) - 0.5, 0.0, len(values) - 1.0)
    left = np.minimum(place.astype(int), len(values) - 2)
    share = jnp.asarray(place - left, values.dtype).reshape(-1, *(1,) * (values.ndim - 1))
    return values[left] + share * (values[left + 1] - values[left])


def one_pass(
    experiment: Experiment,
    controls: Controls,
    tables: tuple[Table, ...],
    scheme: AbstractMixtureScheme,
    *,
    seeking: bool = False,
) -> tuple[Run, tuple[Table, ...]]:
    """March through all stages.

    Parameters
    ----------
    experiment, controls
        As in `integrate`.
    tables
        Course and meshes of the stages.
    scheme
        Equations of the model.
    seeking
        Whether the meshes are sought on the way instead of taken from the tables, but for the first of a stage.

    Returns
    -------
    What was found, and the tables of the meshes, sought or given.
    """
    zero = jnp.zeros_like(experiment.stages[0].temperature)
    charge, elapsed, update, time_error = zero, zero, zero, zero
    iterations = jnp.zeros(zero.shape, jnp.int32)
    state: State | None = None
    medium: Mixture | None = None
    passages, found, steps = [], [], 0
    depleted = False
    for number, (stage, table) in enumerate(zip(experiment.stages, tables, strict=True)):
        depleted = depleted or isinstance(stage.front, Blocking)
        # A depleted layer stays upwinded: its field is far too strong for its cells, and nothing is left to smear.
        # At rest fronts only widen.
        weight = 1.0 if depleted else 0.0 if isinstance(stage.front, Closed) else UPWIND
        medium_before, medium = medium, mixture_of(experiment, stage, weight)
        course = FoundCourse(medium, stage.front, table)
        first = state is None
        schedule = make_schedule(course, stage, controls, first=first)
        gamma = schedule.gamma.copy()
        # Every stage starts with a composition that changes at once: positive half steps, see `EULER_GAMMA`.
        gamma[0] = EULER_GAMMA
        schedule = schedule._replace(gamma=gamma)
        faces = course.faces_at(jax.lax.stop_gradient(schedule.clock[0]), 0, 0)
        neutral_steps = int(scheme.poisson and first and medium.beam is not None)
        before = None if state is None or medium_before is None else (medium_before, state)
        if seeking:
            faces = faces if state is None else merged_faces(faces, state.faces)
            rough = initial_state(course, stage, schedule, faces, before, scheme, neutral=bool(neutral_steps))
            guess = first_guess(medium, faces, schedule, rough)
            faces = first_faces(scheme.neutral if neutral_steps else scheme, course, schedule, rough, guess, controls)
        state = initial_state(course, stage, schedule, faces, before, scheme, neutral=bool(neutral_steps))
        guess = first_guess(medium, faces, schedule, state)
        landing = bool(np.any(schedule.repeat))
        exchanged = _exchanged(medium, state) if seeking else None
        parts = []
        if neutral_steps:
            # From a step profile Poisson's equation adds nothing but stiffness.
            head = jax.tree.map(lambda leaf: leaf[:1], schedule)
            state, _, info = _steps(
                scheme.neutral, course, head, state, exchanged, guess, controls, landing=False, fresh=True
            )
            here = geometry(state.faces, state.velocity, medium.thickness)
            filled = scheme.start(medium, state.y, state.current, 1.0 / state.current, here)
            state = state._replace(y=filled)
            parts.append((jax.tree.map(lambda leaf: leaf[None], state), info))
            schedule = jax.tree.map(lambda leaf: leaf[1:], schedule)
            guess = tuple(jnp.stack([c, c]) for c in state.y)
        start = state
        fresh = not neutral_steps
        state, states, info = _steps(
            scheme, course, schedule, state, exchanged, guess, controls, landing=landing, fresh=fresh
        )
        parts.append((states, info))
        states, info = jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *parts)
        final = np.concatenate([np.ones(neutral_steps, bool), schedule.final])
        if seeking:
            rows_of_table = np.flatnonzero(final)
            known = jax.tree.map(lambda leaf, r=rows_of_table: leaf[r], states)
            table = Table(known.clock, known.time, known.faces, known.y)
        found.append(table)
        at_output = np.flatnonzero(np.concatenate([np.zeros(neutral_steps, bool), schedule.output]))
        rows = np.flatnonzero(final) if controls.trace else at_output
        flowed = jnp.zeros_like(states.clock) if course.resting else states.clock
        passed = flowed
        if scheme.poisson:
            passed = _passed(medium, states, start, flowed, neutral=bool(neutral_steps))
        beam_next = number + 1 < len(tables) and hasattr(experiment.stages[number + 1].front, "beam")
        ended = number + 1 == len(tables)
        # The sheet of charge that carries the field of a beam sinks in when the beam ends.
        taken = passed[-1] if beam_next or ended else flowed[-1]
        looked_at = jax.tree.map(lambda leaf, r=rows: leaf[r], states)
        outputs = tuple(np.flatnonzero(np.isin(rows, at_output)).tolist())
        passages.append(StageRecord(looked_at, charge + passed[rows], taken, elapsed, outputs))
        # What is wrong early concerns few ions: it counts as far as the step has come.
        kept = np.flatnonzero(final)
        share = states.clock[kept] / states.clock[-1]
        update = jnp.maximum(update, jnp.max(info.update[kept] * share, axis=0))
        iterations = iterations + jnp.sum(info.iterations, axis=0)
        if landing:
            wanted = schedule.target[at_output - neutral_steps]
            missed = jnp.abs(states.time[at_output] / wanted - 1.0)
            time_error = jnp.maximum(time_error, jnp.max(missed, axis=0))
        charge = charge + (passed[-1] if medium.blocking else taken)
        elapsed, steps = elapsed + state.time, steps + len(states.clock)
    cells = controls.cells_behind + controls.cells_ahead
    return Run(tuple(passages), update, iterations, time_error, steps, cells), tuple(found)


def _steps(
    scheme: AbstractMixtureScheme,
    course: FoundCourse,
    schedule: Schedule,
    state: State,
    exchanged: Array | None,
    guess: Unknowns,
    controls: Controls,
    *,
    landing: bool,
    fresh: bool,
) -> tuple[State, State, StepInfo]:
    """Steps of a schedule: where `exchanged` is given, as of `seek`, on meshes sought on the way, else on those of the
    table, starting from the states there.
    """
    if exchanged is not None:
        return seek(scheme, course, schedule, state, exchanged, guess, controls, landing=landing, fresh=fresh)

    def known(begin: Array, end: Array, gamma: Array) -> Unknowns:
        early, late = course.state_at(begin + gamma * (end - begin)), course.state_at(end)
        pairs = zip(early, late, guess, strict=False)
        return tuple(jnp.stack([jnp.where(begin > 0.0, a, g[0]), b]) for a, b, g in pairs)

    return march(scheme, course, course, schedule, state, known, controls, landing=landing)


def _exchanged(medium: Mixture, state: State) -> Array:
    """Charge of the ions that have taken the place of others [nm]."""
    width = jnp.diff(state.faces, axis=0)
    cells = complete(medium, state.y[: len(medium.carried)])
    terms = zip(medium.charges, cells, medium.bulk, strict=True)
    return 0.5 * sum(z * jnp.sum(width * jnp.abs(c - b), axis=0) for z, c, b in terms)  # pyright: ignore


def _passed(medium: Mixture, states: State, start: State, flowed: Array, *, neutral: bool) -> Array:
    """Charge of the ions that have entered by the beam, or that a blocking electrode has driven out at the back [nm].

    What flows at the surface also charges it, by λ² times the change of the field there.
    """
    surface, back = states.y[-1][:, 0], states.y[-1][:, -1]
    if medium.blocking:
        before = start.y[-1][0] - start.y[-1][-1]
        return medium.debye_squared * (surface - back - before)
    if medium.beam is None:
        return flowed
    # A neutral first step has taken up all that has flowed, and its excess charge on top.
    return flowed - medium.debye_squared * (surface - (start.y[-1][-1] if neutral else start.y[-1][0]))
