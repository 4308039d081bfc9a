"""Simulation of any number of ions: passes over the protocol, each on the mesh that the one before suggests."""

from dataclasses import replace
from types import ModuleType

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from npp_jax.discretisation import mixture, mixture_full
from npp_jax.discretisation.equidistribution import divided, even_error_faces, graded_faces, linear, remap
from npp_jax.discretisation.geometry import Geometry, geometry
from npp_jax.discretisation.mixture import Mixture
from npp_jax.discretisation.track import Table, Track
from npp_jax.integrate import Controls, Moment, Schedule, coarser, make_schedule, march
from npp_jax.physics.experiment import Experiment
from npp_jax.physics.protocol import (
    Blocking,
    Closed,
    IonBeamCurrent,
    IonBeamPotential,
    Reservoir,
    Stage,
    drive_integral,
    drive_value,
)
from npp_jax.scaling import NM, mixture_of
from npp_jax.solver.sdirk import EULER_GAMMA

MODELS: dict[str, ModuleType] = {"electroneutral": mixture, "full": mixture_full}

UPWIND = (1.0, 1.0, 0.1, 0.1)
"""Weights of the upwinding in the coarse passes, in order. What one has found is the mesh of the next.

The last is that of the run as well: where the cells of a setting are few for the fronts, central fluxes alone would ask
for negative fractions, which no iteration reaches.
"""

PILOT_CELLS = 100
"""Cells with which a coarse pass finds the fronts whatever the settings, as far as these have as many."""

PILOT_TOLERANCE = 1e-4
"""Newton tolerance of the coarse passes."""

ITERATIONS = 6
"""Least cap on the Newton iterations: in a batch every candidate waits for the slowest."""

SETTLED = 1e-6
"""Newton tolerance of settings with a lower cap, which for two ions count iterations instead."""


class Passage(eqx.Module):
    """States of one stage that are looked at, in order (first axis)."""

    moments: Moment
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

    passages: tuple[Passage, ...]
    update: Array
    iterations: Array
    time_error: Array
    steps: int = eqx.field(static=True)
    """Number of steps."""
    cells: int = eqx.field(static=True)
    """Number of cells."""


def integrate(experiment: Experiment, controls: Controls, model: str) -> tuple[Run, Run]:
    """Coarse passes that seek the mesh, then the pass that counts; only this one is differentiated.

    Parameters
    ----------
    experiment
        What is simulated; leaves of one dtype, temperatures of the full batch shape.
    controls
        Numerical settings; cells behind and ahead of the front count together.
    model
        A key of `MODELS`.

    Returns
    -------
    The run, and the last coarse pass for an error estimate.
    """
    held = jax.lax.stop_gradient(experiment)
    # Without formulas for mesh and start a step needs more iterations than for two ions; they end when they may.
    settled = controls.tolerance if controls.iterations >= ITERATIONS else max(controls.tolerance, SETTLED)
    controls = replace(controls, iterations=max(controls.iterations, ITERATIONS), tolerance=settled)
    coarse = _coarse(controls)
    scheme = MODELS[model]

    def seek(tables: tuple[Table, ...], upwind: Array) -> tuple[tuple[Table, ...], Run]:
        run = one_pass(held, coarse, tables, scheme, upwind)
        passages = zip(held.stages, run.passages, strict=True)
        return tuple(_suggest(held, stage, passage, scheme) for stage, passage in passages), run

    weights = jnp.asarray(UPWIND, held.stages[0].temperature.dtype)
    tables, runs = jax.lax.scan(seek, first_tables(held, coarse), weights)
    cells = controls.cells_behind + controls.cells_ahead
    tables = tuple(table._replace(faces=jax.vmap(lambda f: divided(f, cells))(table.faces)) for table in tables)
    fine = one_pass(experiment, controls, jax.lax.stop_gradient(tables), scheme, weights[-1])
    return fine, jax.tree.map(lambda leaf: leaf[-1], runs)


def _coarse(controls: Controls) -> Controls:
    """Settings of the coarse passes: those of the companion run, with cells enough to find the fronts."""
    few, own = coarser(controls), controls.cells_behind + controls.cells_ahead
    # Cells behind and ahead of the front count together.
    cells = max(few.cells_behind + few.cells_ahead, min(own, PILOT_CELLS))
    return replace(
        few,
        cells_behind=cells,
        cells_ahead=0,
        trace=True,
        tolerance=max(controls.tolerance, PILOT_TOLERANCE),
    )


def _suggest(experiment: Experiment, stage: Stage, passage: Passage, model: ModuleType) -> Table:
    """Mesh and course of a stage from a pass over it."""
    medium = mixture_of(experiment, stage, 0.0)
    bulk = jnp.stack([jnp.broadcast_to(c, stage.temperature.shape) for c in medium.bulk])
    moments = passage.moments

    def mesh(moment: Moment) -> Array:
        cells = model.fractions(medium, moment.y, jnp.diff(moment.faces, axis=0))
        return even_error_faces(moment.faces, jnp.stack(cells), bulk, both_ends=medium.piling_up)

    rising = lambda a: jax.lax.cummax(a, axis=0)  # noqa: E731
    return Table(rising(moments.clock), rising(moments.time), jax.vmap(mesh)(moments))


def first_tables(experiment: Experiment, controls: Controls) -> tuple[Table, ...]:
    """Course by the resistance of layers in series, meshes graded towards the surface."""
    cells = controls.cells_behind + controls.cells_ahead
    like = experiment.stages[0].temperature
    charge, grown = jnp.zeros_like(like), jnp.zeros_like(like)
    tables = []
    for stage in experiment.stages:
        medium = mixture_of(experiment, stage, 1.0)
        column = tuple(jnp.broadcast_to(c, (1, *like.shape)) for c in medium.bulk)
        bulk = 1.0 / mixture.conductance(medium, column)[0]
        end = jnp.zeros_like(like) if stage.duration is None else stage.duration
        time_of = lambda clock: clock  # noqa: E731
        if isinstance(stage.front, IonBeamPotential):
            pure = tuple(
                (medium.background / z if k == medium.beam else 0.0) * jnp.ones_like(column[0])
                for k, z in enumerate(medium.charges)
            )
            growth = 1.0 / mixture.conductance(medium, pure)[0] - bulk
            resistance = medium.thickness * bulk + grown
            volts = drive_integral(stage.front.potential, end) / medium.thermal_potential
            # An ion of the sample in the beam may pass many times through it: what it replaces ends with the sample.
            growth = jnp.maximum(growth, -0.25 * resistance**2 / jnp.where(volts > 0.0, volts, 1.0))
            root = jnp.sqrt(jnp.maximum(resistance**2 + 2.0 * growth * volts, 0.0))
            mean = jnp.where(end > 0.0, volts / jnp.where(end > 0.0, end, 1.0), stage.front.potential.value[0])
            end = 2.0 * volts / (resistance + root)
            if stage.charge is not None:
                end = stage.charge / (medium.charge_density * NM)
                mean = stage.front.potential.value[0] / medium.thermal_potential
            time_of = lambda q, r=resistance, g=growth, m=mean: q * (r + 0.5 * g * q) / m  # noqa: E731
            grown = grown + growth * end
        elif isinstance(stage.front, IonBeamCurrent):
            unit = medium.charge_density * NM
            end = drive_integral(stage.front.current_density, end) / unit if stage.charge is None else end
            end = end if stage.charge is None else stage.charge / unit
        planned = Table(
            jnp.stack([0.0 * end, end]), jnp.stack([0.0 * end, time_of(end)]), jnp.zeros((2, 2, *like.shape))
        )
        schedule = make_schedule(Track(medium, stage.front, planned), stage, controls, first=False)
        clock = jnp.broadcast_to(schedule.clock[np.flatnonzero(schedule.final)], (schedule.final.sum(), *like.shape))
        if isinstance(stage.front, Reservoir):
            slowest = jnp.min(jnp.stack(mixture.diffusivities(medium, column)), axis=0)[0]
            scale = 0.3 * jnp.sqrt(2.0 * slowest * clock)
        elif isinstance(stage.front, Blocking):
            scale = 0.3 * _depleted(medium, drive_value(stage.front.potential, end), bulk, clock)
        elif isinstance(stage.front, Closed):
            scale = jnp.broadcast_to(jnp.where(charge > 0.0, 0.1 * charge, 0.02 * medium.thickness), clock.shape)
        else:
            scale = 0.1 * clock
            charge = charge + clock[-1]
        faces = jax.vmap(lambda s, m=medium: graded_faces(cells, s, m.thickness))(scale)
        tables.append(Table(clock, time_of(clock), faces))
    return tuple(tables)


def _depleted(medium: Mixture, potential: Array, bulk: Array, time: Array) -> Array:
    """Depth of a layer without ions under a blocking electrode, no less than the Debye length [nm].

    The bulk of resistance d/S in series with the layer, whose potential is Z x²/(2λ²):
    x = x_s tanh(t U S/(Z d x_s)), x_s = √(2λ²U/Z).
    """
    volts = potential / medium.thermal_potential
    deepest = jnp.sqrt(2.0 * medium.debye_squared * volts / medium.background)
    rate = volts / (medium.background * medium.thickness * bulk)
    return deepest * jnp.tanh(rate * time / deepest) + jnp.sqrt(medium.debye_squared / medium.background)


def one_pass(
    experiment: Experiment, controls: Controls, tables: tuple[Table, ...], model: ModuleType, upwind: Array
) -> Run:
    """March through all stages on known meshes."""
    zero = jnp.zeros_like(experiment.stages[0].temperature)
    charge, elapsed, update, time_error = zero, zero, zero, zero
    iterations = jnp.zeros(zero.shape, jnp.int32)
    moment: Moment | None = None
    medium: Mixture | None = None
    passages, steps = [], 0
    full = model is mixture_full
    depleted = False
    for number, (stage, table) in enumerate(zip(experiment.stages, tables, strict=True)):
        depleted = depleted or isinstance(stage.front, Blocking)
        # A depleted layer stays upwinded: its field is far too strong for its cells, and nothing is left to smear.
        # At rest fronts only widen.
        flowing = 0.0 * upwind if isinstance(stage.front, Closed) else upwind
        before, medium = medium, mixture_of(experiment, stage, 1.0 if depleted else flowing)
        track = Track(medium, stage.front, table)
        first = moment is None
        schedule = make_schedule(track, stage, controls, first=first)
        gamma = schedule.gamma.copy()
        # Every stage starts with a composition that changes at once: positive half steps, see `EULER_GAMMA`.
        gamma[0] = EULER_GAMMA
        schedule = schedule._replace(gamma=gamma)
        faces = track.faces_at(jax.lax.stop_gradient(schedule.clock[0]), 0, 0)
        here = geometry(faces, jnp.zeros_like(faces), medium.thickness)
        current = zero if track.resting else track.current_at(schedule.clock[0])
        if moment is None or before is None:
            y, field = _untouched(medium, faces), None
        else:
            y, field = _remapped(before, medium, moment, faces, model)
        neutral_steps = int(full and first and medium.beam is not None)
        if full and not neutral_steps:
            field = _adjusted(medium, stage, jnp.zeros_like(faces) if field is None else field, current, here)
            if medium.blocking:
                current = field[-1] * bulk_conductance(medium)
            y = (*y, field[:-1])
        moment = Moment(y, faces, jnp.zeros_like(faces), current, zero, zero)
        guess = _guess(medium, faces, schedule, y)
        landing = bool(np.any(schedule.again))
        parts = []
        if neutral_steps:
            # From a step profile Poisson's equation adds nothing but stiffness.
            head = jax.tree.map(lambda leaf: leaf[:1], schedule)
            moment, _, happened = march(mixture, track, track, head, moment, guess, controls, landing=False)
            filled = mixture_full.start(medium, moment.y, moment.current, 1.0 / moment.current, here)
            moment = moment._replace(y=filled)
            parts.append((jax.tree.map(lambda leaf: leaf[None], moment), happened))
            schedule = jax.tree.map(lambda leaf: leaf[1:], schedule)
            guess = tuple(jnp.stack([c, c]) for c in moment.y)
        start = moment
        moment, moments, happened = march(model, track, track, schedule, moment, guess, controls, landing=landing)
        parts.append((moments, happened))
        moments, happened = jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *parts)
        final = np.concatenate([np.ones(neutral_steps, bool), schedule.final])
        at_output = np.flatnonzero(np.concatenate([np.zeros(neutral_steps, bool), schedule.output]))
        rows = np.flatnonzero(final) if controls.trace else at_output
        flowed = jnp.zeros_like(moments.clock) if track.resting else moments.clock
        passed = flowed
        if full:
            passed = _passed(medium, moments, start, flowed, neutral=bool(neutral_steps))
        beam_next = number + 1 < len(tables) and hasattr(experiment.stages[number + 1].front, "beam")
        ended = number + 1 == len(tables)
        # The sheet of charge that carries the field of a beam sinks in when the beam ends.
        taken = passed[-1] if beam_next or ended else flowed[-1]
        looked_at = jax.tree.map(lambda leaf, r=rows: leaf[r], moments)
        outputs = tuple(np.flatnonzero(np.isin(rows, at_output)).tolist())
        passages.append(Passage(looked_at, charge + passed[rows], taken, elapsed, outputs))
        late = np.flatnonzero(final)[len(moments.clock) // 4 :]
        update = jnp.maximum(update, jnp.max(happened.update[late], axis=0))
        iterations = iterations + jnp.sum(happened.iterations, axis=0)
        if landing:
            wanted = schedule.target[at_output - neutral_steps]
            missed = jnp.abs(moments.time[at_output] / wanted - 1.0)
            time_error = jnp.maximum(time_error, jnp.max(missed, axis=0))
        charge = charge + (passed[-1] if medium.blocking else taken)
        elapsed, steps = elapsed + moment.time, steps + len(moments.clock)
    return Run(tuple(passages), update, iterations, time_error, steps, controls.cells_behind + controls.cells_ahead)


def _passed(medium: Mixture, moments: Moment, start: Moment, flowed: Array, *, neutral: bool) -> Array:
    """Charge of the ions that have entered by the beam, or that a blocking electrode has driven out at the back [nm].

    What flows at the surface also charges it, by λ² times the change of the field there.
    """
    surface, back = moments.y[-1][:, 0], moments.y[-1][:, -1]
    if medium.blocking:
        before = start.y[-1][0] - start.y[-1][-1]
        return medium.debye_squared * (surface - back - before)
    if medium.beam is None:
        return flowed
    # A neutral first step has taken up all that has flowed, and its excess charge on top.
    return flowed - medium.debye_squared * (surface - (start.y[-1][-1] if neutral else start.y[-1][0]))


def _untouched(medium: Mixture, faces: Array) -> tuple[Array, ...]:
    return tuple(jnp.broadcast_to(medium.bulk[k], faces[1:].shape).astype(faces.dtype) for k in medium.carried)


def bulk_conductance(medium: Mixture) -> Array:
    """Conductivity of the untouched sample in units of N e²/kT [nm²/s]."""
    column = tuple(jnp.broadcast_to(c, (1, *medium.thickness.shape)) for c in medium.bulk)
    return mixture.conductance(medium, column)[0]


def _remapped(
    before: Mixture, medium: Mixture, moment: Moment, faces: Array, model: ModuleType
) -> tuple[tuple[Array, ...], Array | None]:
    """Carried fractions on the mesh of a new stage, every amount kept, and the field that goes with them."""
    width, new = jnp.diff(moment.faces, axis=0), jnp.diff(faces, axis=0)
    cells = model.fractions(before, moment.y, width)
    moved = [remap(c * width, moment.faces, faces) / new for c in cells]
    if model is not mixture_full:
        return tuple(moved[k] for k in medium.carried), None
    old = mixture_full.all_faces(before, moment.y)
    field = linear(faces, moment.faces, old) * before.debye_squared / medium.debye_squared
    if before.beam is not None and medium.beam is None:
        sheet = medium.debye_squared * (field[0] - field[-1]) / (medium.charges[before.beam] * new[0])
        moved[before.beam] = moved[before.beam].at[0].add(sheet)
        field = field.at[0].set(field[-1])
    return tuple(moved[k] for k in medium.carried), field


def _adjusted(medium: Mixture, stage: Stage, field: Array, current: Array, here: Geometry) -> Array:
    """Field at the start of a stage: the potential adjusts at once, by a constant field."""
    if medium.sheet:
        field = field.at[0].set(field[1])
    if isinstance(stage.front, IonBeamPotential | Blocking):
        wanted = drive_value(stage.front.potential, jnp.zeros_like(current)) / medium.thermal_potential
        share = mixture.lengths(here)
        return field + (wanted - jnp.sum(share * field, axis=0)) / jnp.sum(share, axis=0)
    return field + current / bulk_conductance(medium) - field[-1]


def _guess(medium: Mixture, faces: Array, schedule: Schedule, start: tuple[Array, ...]) -> tuple[Array, ...]:
    """First guesses at half and full first step: the beam has replaced the rest up to a rounded step."""
    if medium.beam is None or len(start) > len(medium.carried):
        return tuple(jnp.stack([c, c]) for c in start)
    centre = 0.5 * (faces[1:] + faces[:-1])

    def guess(c: Array, share: float) -> Array:
        depth = share * schedule.clock[0] / medium.background
        return jnp.clip(c * jax.nn.sigmoid((centre - depth) / (0.1 * depth)), 1e-6, None)

    return jax.lax.stop_gradient(tuple(jnp.stack([guess(c, share) for share in (0.5, 1.0)]) for c in start))
