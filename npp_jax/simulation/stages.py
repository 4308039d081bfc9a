"""One pass over the protocol, stage by stage."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from npp_jax.simulation.controls import Controls
from npp_jax.simulation.mesh.found import Table
from npp_jax.simulation.mesh.geometry import geometry
from npp_jax.simulation.parts import Parts
from npp_jax.simulation.plan import AbstractPlan, Before
from npp_jax.simulation.step import State


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

    records: tuple[StageRecord, ...]
    clocks: tuple[Array, ...]
    """Clock values of all steps of each stage, those repeated to land on an output included."""
    tables: tuple[Table, ...]
    """Course and meshes of the stages, where the pass has sought them."""
    update: Array
    iterations: Array
    time_error: Array
    beyond: Array
    """Share of its length by which the trace of a stage has been left behind, at most [1]."""
    cells: int = eqx.field(static=True)
    """Number of cells."""

    @property
    def steps(self) -> int:
        """Number of steps."""
        return sum(len(clock) for clock in self.clocks)


def run_stages(protocol: Parts, controls: Controls, plan: AbstractPlan) -> Run:
    """March through all stages.

    Parameters
    ----------
    protocol
        What is simulated, in smooth stages; leaves of one dtype, temperatures of the full batch shape.
    controls
        Numerical settings.
    plan
        How stages start, how their steps are taken, and how the charge is counted.
    """
    experiment = protocol.experiment
    zero = jnp.zeros_like(experiment.stages[0].temperature)
    before, update, time_error, beyond = Before(zero, zero, protocol.delay), zero, zero, zero
    iterations = jnp.zeros(zero.shape, jnp.int32)
    scheme = plan.scheme
    records, clocks, tables = [], [], []
    for number, stage in enumerate(experiment.stages):
        start = plan.begin(experiment, number, before, controls)
        schedule, state = start.schedule, start.state
        landing = bool(np.any(schedule.repeat))
        parts = []
        if start.neutral_first:
            head = jax.tree.map(lambda leaf: leaf[:1], schedule)
            state, _, info = plan.steps(start, head, state, controls, landing=False, neutral=True)
            medium = start.actual.medium
            here = geometry(state.faces, state.velocity, medium.thickness)
            state = state._replace(y=scheme.start(medium, state.y, state.current, 1.0 / state.current, here))
            parts.append((jax.tree.map(lambda leaf: leaf[None], state), info))
            schedule = jax.tree.map(lambda leaf: leaf[1:], schedule)
        origin = state
        state, states, info = plan.steps(start, schedule, state, controls, landing=landing, neutral=False)
        parts.append((states, info))
        states, info = jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *parts)
        kept = np.flatnonzero(start.schedule.final)
        at_output = np.flatnonzero(start.schedule.output)
        table = plan.found(states, start.schedule.final)
        tables += [] if table is None else [table]
        counted = plan.count(experiment, start, origin, states, before)
        rows = np.flatnonzero(start.schedule.final) if controls.trace else at_output
        looked_at = jax.tree.map(lambda leaf, r=rows: leaf[r], states)
        passed = counted.passed[rows] if counted.base is None else counted.base + counted.passed[rows]
        wanted = at_output if protocol.seen[number] else at_output[:-1]
        outputs = tuple(np.flatnonzero(np.isin(rows, wanted)).tolist())
        records.append(StageRecord(looked_at, passed, counted.taken, before.elapsed, outputs))
        clocks.append(states.clock)
        # What is wrong early concerns few ions: it counts as far as the step has come.
        share = states.clock[kept] / states.clock[-1]
        update = jnp.maximum(update, jnp.max(info.update[kept] * share, axis=0))
        iterations = iterations + jnp.sum(info.iterations, axis=0)
        if landing and stage.duration is not None:
            wanted, reached = schedule.target[at_output - len(parts) + 1], states.time[at_output]
            time_error = jnp.maximum(time_error, jnp.max(jnp.abs(reached / wanted - 1.0), axis=0))
        if start.actual.traced and not start.actual.resting:
            beyond = jnp.maximum(beyond, state.time / jnp.max(start.actual.drive.time, axis=0) - 1.0)
        before = plan.end(start, state, counted, before)
    cells = controls.cells_behind + controls.cells_ahead
    return Run(tuple(records), tuple(clocks), tuple(tables), update, iterations, time_error, beyond, cells)
