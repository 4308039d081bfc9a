"""Simulation of any number of ions: passes over the protocol, each on the mesh that the one before suggests."""

from dataclasses import replace
from types import ModuleType
from typing import NamedTuple

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
from npp_jax.observables import front_observables
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
from npp_jax.solution import Report, Solution, Trace
from npp_jax.solver.sdirk import EULER_GAMMA

MODELS: dict[str, ModuleType] = {"electroneutral": mixture, "full": mixture_full}

PILOTS = 2
"""Coarse passes that seek the mesh, upwinded; one more follows that is not, and tells the mesh of the run."""

PILOT_TOLERANCE = 1e-6
"""Newton tolerance of the coarse passes."""


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
    coarse = replace(coarser(controls), trace=True, tolerance=max(controls.tolerance, PILOT_TOLERANCE))
    scheme = MODELS[model]

    def seek(tables: tuple[Table, ...], upwind: Array) -> tuple[tuple[Table, ...], Run]:
        run = one_pass(held, coarse, tables, scheme, upwind)
        passages = zip(held.stages, run.passages, strict=True)
        return tuple(_suggest(held, stage, passage, scheme) for stage, passage in passages), run

    first = _first_tables(held, coarse)
    weights = jnp.asarray([1.0] * PILOTS + [0.0], held.stages[0].temperature.dtype)
    tables, runs = jax.lax.scan(seek, first, weights)
    cells = controls.cells_behind + controls.cells_ahead
    tables = tuple(table._replace(faces=jax.vmap(lambda f: divided(f, cells))(table.faces)) for table in tables)
    fine = one_pass(experiment, controls, jax.lax.stop_gradient(tables), scheme, weights[-1])
    return fine, jax.tree.map(lambda leaf: leaf[-1], runs)


def _suggest(experiment: Experiment, stage: Stage, passage: Passage, model: ModuleType) -> Table:
    """Mesh and course of a stage from a pass over it."""
    medium = mixture_of(experiment, stage, 0.0)
    bulk = jnp.stack([jnp.broadcast_to(c, stage.temperature.shape) for c in medium.bulk])
    moments = passage.moments

    def mesh(moment: Moment) -> Array:
        cells = model.fractions(medium, moment.y, jnp.diff(moment.faces, axis=0))
        return even_error_faces(moment.faces, jnp.stack(cells), bulk)

    rising = lambda a: jax.lax.cummax(a, axis=0)  # noqa: E731
    return Table(rising(moments.clock), rising(moments.time), jax.vmap(mesh)(moments))


def _first_tables(experiment: Experiment, controls: Controls) -> tuple[Table, ...]:
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
            slowest = jnp.min(jnp.stack([law(c)[0] for law, c in zip(medium.laws, column, strict=True)]), axis=0)
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
        before, medium = medium, mixture_of(experiment, stage, 1.0 if depleted else upwind)
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
                current = field[-1] * _bulk_conductance(medium)
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


def _bulk_conductance(medium: Mixture) -> Array:
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
    if medium.beam is not None:
        field = field.at[0].set(field[1])
    if isinstance(stage.front, IonBeamPotential | Blocking):
        wanted = drive_value(stage.front.potential, jnp.zeros_like(current)) / medium.thermal_potential
        share = mixture.lengths(here)
        return field + (wanted - jnp.sum(share * field, axis=0)) / jnp.sum(share, axis=0)
    return field + current / _bulk_conductance(medium) - field[-1]


def _guess(medium: Mixture, faces: Array, schedule: Schedule, start: tuple[Array, ...]) -> tuple[Array, ...]:
    """First guesses at half and full first step: the beam has replaced the rest up to a rounded step."""
    if medium.beam is None or len(start) > len(medium.carried):
        return tuple(jnp.stack([c, c]) for c in start)
    centre = 0.5 * (faces[1:] + faces[:-1])

    def guess(c: Array, share: float) -> Array:
        depth = share * schedule.clock[0] / medium.background
        return jnp.clip(c * jax.nn.sigmoid((centre - depth) / (0.1 * depth)), 1e-6, None)

    return jax.lax.stop_gradient(tuple(jnp.stack([guess(c, share) for share in (0.5, 1.0)]) for c in start))


class Seen(NamedTuple):
    """Profiles of a state at the surface, the cell centres and the back electrode, in SI units."""

    depth: Array
    faces: Array
    fraction: Array
    potential: Array
    field: Array
    excess: Array
    front: Array
    width: Array
    plateau: Array
    edge: Array


def _seen(experiment: Experiment, stage: Stage, foreign: int, model: ModuleType, moment: Moment) -> Seen:
    medium = mixture_of(experiment, stage, 0.0)
    here = geometry(moment.faces, moment.velocity, medium.thickness)
    tempo = jnp.ones_like(moment.current) if medium.beam is None else 1.0 / moment.current
    faces = model.face_field(medium, moment.y, moment.current, tempo, here)
    centre = 0.5 * (moment.faces[1:] + moment.faces[:-1])
    cells = jnp.stack(model.fractions(medium, moment.y, here.width))
    bulk = jnp.stack([jnp.broadcast_to(c, centre.shape[1:]) for c in medium.bulk])
    back = cells[:, -1] if medium.closed else bulk
    if medium.surface is not None:
        surface = jnp.stack([jnp.broadcast_to(c, centre.shape[1:]) for c in medium.surface])
    elif medium.blocking:
        surface = _unpassed(medium, cells, centre, faces[0])
    else:
        surface = _neutral(medium, _unpassed(medium, cells, centre, _drift(medium, cells, moment.current)))
    fraction = jnp.concatenate([surface[:, None], cells, back[:, None]], axis=1)
    excess = medium.debye_squared * jnp.diff(faces, axis=0) / here.width
    edge = jnp.zeros_like(excess[:1])
    if medium.blocking:
        charges = jnp.asarray(medium.charges, excess.dtype).reshape(-1, *(1,) * (surface.ndim - 1))
        begin = jnp.sum(charges * surface, axis=0)[None] - medium.background
    else:
        begin, excess = edge, excess.at[0].set(0.0)
    inner = excess.at[-1].set(0.0)
    steps = mixture.lengths(here) * faces
    potential = jnp.concatenate([jnp.cumsum(steps[::-1], axis=0)[::-1], edge])
    depth = jnp.concatenate([edge, centre, medium.thickness[None]]) * NM
    # The native ion is that with the largest share of the bulk.
    native = jnp.argmax(bulk, axis=0)[None]
    own = jnp.take_along_axis(fraction, native[:, None], axis=0)[0] / jnp.max(bulk, axis=0)
    front = front_observables(depth, own, fraction[foreign] if len(medium.charges) > 1 else jnp.zeros_like(own))
    field = jnp.concatenate([faces[:1], 0.5 * (faces[1:] + faces[:-1]), faces[-1:]])
    return Seen(
        depth=depth,
        faces=moment.faces * NM,
        fraction=fraction,
        potential=medium.thermal_potential * potential,
        field=medium.thermal_potential / NM * field,
        excess=jnp.concatenate([begin, inner, edge]),
        front=front.depth,
        width=front.width,
        plateau=front.plateau,
        edge=front.leading_edge,
    )


def _drift(medium: Mixture, cells: Array, current: Array) -> Array:
    """Field that carries the current through the first cell [kT/(e nm)]."""
    return current / mixture.conductance(medium, tuple(cells[:, :1]))[0]


def _unpassed(medium: Mixture, cells: Array, centre: Array, field: Array) -> Array:
    """Fractions at a surface that the ions do not pass: ∂c/∂x = z c E, continued from the first two cells."""
    near, far = centre[0], centre[1]
    values = []
    for k, z in enumerate(medium.charges):
        slope = z * field
        weight = (1.0 + slope * near) * far**2 - (1.0 + slope * far) * near**2
        continued = (cells[k, 0] * far**2 - cells[k, 1] * near**2) / weight
        values.append(jnp.clip(continued, 0.0, jnp.maximum(cells[k, 0], 0.0)))
    return jnp.stack(values)


def _neutral(medium: Mixture, surface: Array) -> Array:
    """The same with the species that is not carried making the surface neutral: continued apart, they do not add up."""
    others = sum(medium.charges[k] * surface[k] for k in medium.carried)
    return surface.at[medium.rest].set((medium.background - others) / medium.charges[medium.rest])


def _ionic_current(medium: Mixture, moments: Moment, model: str) -> Array:
    """v₀ of the ions: under a blocking electrode that through the back, which the displacement current leaves out."""
    return moments.y[-1][:, -1] * _bulk_conductance(medium) if medium.blocking and model == "full" else moments.current


def assemble(experiment: Experiment, run: Run, model: str) -> Solution:
    """Turn the states of a run into a solution in SI units; status and error estimate are added by the caller."""
    names = [species.name for species in experiment.species]
    unit = mixture_of(experiment, experiment.stages[0], 0.0).charge_density * NM
    foreign = len(names) - 1
    traces, columns, uptake, balance = [], [], [], []
    passed = [jnp.zeros_like(unit)] * len(names)
    for stage, passage in zip(experiment.stages, run.passages, strict=True):
        if isinstance(stage.front, IonBeamPotential | IonBeamCurrent):
            foreign = names.index(stage.front.beam)
            passed[foreign] = passed[foreign] + passage.taken
        seen = jax.vmap(lambda m, s=stage, f=foreign: _seen(experiment, s, f, MODELS[model], m))(passage.moments)
        medium = mixture_of(experiment, stage, 0.0)
        trace = Trace(
            time=passage.start + passage.moments.time,
            charge=passage.charge * unit,
            current_density=_ionic_current(medium, passage.moments, model) * unit,
            surface_potential=seen.potential[:, 0],
            front_depth=seen.front,
        )
        rows = np.asarray(passage.outputs)
        columns.append(jax.tree.map(lambda leaf, r=rows: leaf[r], (trace, seen)))
        traces.append(trace)
        width = jnp.diff(passage.moments.faces[-1], axis=0)
        last = MODELS[model].fractions(medium, tuple(c[-1] for c in passage.moments.y), width)
        uptake = [jnp.sum(width * (c - b), axis=0) for c, b in zip(last, medium.bulk, strict=True)]
        for k, gained in enumerate(uptake):
            if any(getattr(s.front, "beam", None) == names[k] for s in experiment.stages):
                known = jnp.where(passed[k] > 0.0, passed[k], 1.0)
                charged = experiment.species[k].charge * gained
                balance.append(jnp.where(passed[k] > 0.0, jnp.abs(charged / known - 1.0), 0.0))
    join = lambda *leaves: jnp.concatenate(leaves)  # noqa: E731
    trace = jax.tree.map(join, *traces)
    at, seen = jax.tree.map(join, *columns)
    low, high = jnp.min(seen.excess, axis=(0, 1)), jnp.max(seen.excess, axis=(0, 1))
    unknown = jnp.full_like(seen.front, jnp.nan)
    return Solution(
        species=tuple(names),
        model=model,
        time=at.time,
        charge=at.charge,
        current_density=at.current_density,
        surface_potential=at.surface_potential,
        depth=seen.depth,
        faces=seen.faces,
        fraction=seen.fraction,
        potential=seen.potential,
        field=seen.field,
        excess_charge=seen.excess,
        front_depth=seen.front,
        front_width=seen.width,
        plateau=seen.plateau,
        leading_edge=seen.edge,
        trace=trace,
        report=Report(
            steps=run.steps,
            cells=run.cells,
            iterations=run.iterations,
            newton_update=run.update,
            profile_error=unknown,
            front_error=unknown,
            ion_balance=jnp.max(jnp.stack([jnp.zeros_like(unit), *balance]), axis=0),
            time_error=run.time_error,
            excess_charge=jnp.where(-low > high, low, high),
            status=jnp.zeros(unit.shape, jnp.int32),
        ),
    )
