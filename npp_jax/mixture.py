"""Simulation of any number of ions: passes over the protocol, each on the mesh that the one before suggests."""

from dataclasses import replace
from types import ModuleType
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from npp_jax.discretisation import mixture
from npp_jax.discretisation.equidistribution import even_error_faces, graded_faces, remap
from npp_jax.discretisation.geometry import geometry
from npp_jax.discretisation.mixture import Mixture
from npp_jax.discretisation.track import Table, Track
from npp_jax.integrate import Controls, Moment, Schedule, make_schedule, march
from npp_jax.observables import front_observables
from npp_jax.physics.experiment import Experiment
from npp_jax.physics.protocol import Closed, IonBeamCurrent, IonBeamPotential, Reservoir, Stage, drive_integral
from npp_jax.scaling import NM, mixture_of
from npp_jax.solution import Report, Solution, Trace
from npp_jax.solver.sdirk import EULER_GAMMA

PILOTS = 2
"""Passes that seek the mesh, upwinded; one more follows on it."""


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
    update: Array
    iterations: Array
    time_error: Array
    steps: int


def integrate(experiment: Experiment, controls: Controls) -> Run:
    """Pilot passes, then the pass that counts; only the last one is differentiated.

    Parameters
    ----------
    experiment
        What is simulated; leaves of one dtype, temperatures of the full batch shape.
    controls
        Numerical settings; cells behind and ahead of the front count together.
    """
    held = jax.lax.stop_gradient(experiment)
    pilot = replace(controls, trace=True, tolerance=max(controls.tolerance, 1e-5))

    def seek(tables: tuple[Table, ...], _: None) -> tuple[tuple[Table, ...], None]:
        run = one_pass(held, pilot, tables, 1.0)
        return tuple(_suggest(held, stage, p) for stage, p in zip(held.stages, run.passages, strict=True)), None

    tables, _ = jax.lax.scan(seek, _first_tables(held, controls), length=PILOTS)
    return one_pass(experiment, controls, jax.lax.stop_gradient(tables), 0.0)


def _suggest(experiment: Experiment, stage: Stage, passage: Passage) -> Table:
    """Mesh and course of a stage from a pass over it."""
    medium = mixture_of(experiment, stage, 0.0)
    bulk = jnp.stack([jnp.broadcast_to(c, stage.temperature.shape) for c in medium.bulk])
    moments = passage.moments

    def mesh(moment: Moment) -> Array:
        return even_error_faces(moment.faces, jnp.stack(mixture.complete(medium, moment.y)), bulk)

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
        elif isinstance(stage.front, Closed):
            scale = jnp.broadcast_to(jnp.where(charge > 0.0, 0.1 * charge, 0.02 * medium.thickness), clock.shape)
        else:
            scale = 0.1 * clock
            charge = charge + clock[-1]
        faces = jax.vmap(lambda s, m=medium: graded_faces(cells, s, m.thickness))(scale)
        tables.append(Table(clock, time_of(clock), faces))
    return tuple(tables)


def one_pass(experiment: Experiment, controls: Controls, tables: tuple[Table, ...], upwind: float) -> Run:
    """March through all stages on known meshes."""
    zero = jnp.zeros_like(experiment.stages[0].temperature)
    charge, elapsed, update, time_error = zero, zero, zero, zero
    iterations = jnp.zeros(zero.shape, jnp.int32)
    moment: Moment | None = None
    passages, steps = [], 0
    for stage, table in zip(experiment.stages, tables, strict=True):
        medium = mixture_of(experiment, stage, upwind)
        track = Track(medium, stage.front, table)
        first = moment is None
        schedule = make_schedule(track, stage, controls, first=first)
        gamma = schedule.gamma.copy()
        # Every stage starts with a composition that changes at once: positive half steps, see `EULER_GAMMA`.
        gamma[0] = EULER_GAMMA
        schedule = schedule._replace(gamma=gamma)
        faces = track.faces_at(jax.lax.stop_gradient(schedule.clock[0]), 0, 0)
        current = zero if track.resting else track.current_at(schedule.clock[0])
        start = _untouched(medium, faces) if moment is None else _remapped(medium, moment, faces)
        moment = Moment(start, faces, jnp.zeros_like(faces), current, zero, zero)
        guess = _guess(medium, faces, schedule, start)
        landing = bool(np.any(schedule.again))
        model: ModuleType = mixture
        moment, moments, happened = march(model, track, track, schedule, moment, guess, controls, landing=landing)
        at_output = np.flatnonzero(schedule.output)
        rows = np.flatnonzero(schedule.final) if controls.trace else at_output
        flowed = charge + (jnp.zeros_like(moments.clock) if track.resting else moments.clock)
        looked_at = jax.tree.map(lambda leaf, r=rows: leaf[r], moments)
        passages.append(Passage(looked_at, flowed[rows], elapsed, np.flatnonzero(np.isin(rows, at_output))))
        late = np.flatnonzero(schedule.final)[len(moments.clock) // 4 :]
        update = jnp.maximum(update, jnp.max(happened.update[late], axis=0))
        iterations = iterations + jnp.sum(happened.iterations, axis=0)
        if landing:
            missed = jnp.abs(moments.time[at_output] / schedule.target[at_output] - 1.0)
            time_error = jnp.maximum(time_error, jnp.max(missed, axis=0))
        charge, elapsed, steps = flowed[-1], elapsed + moment.time, steps + len(moments.clock)
    return Run(passages, update, iterations, time_error, steps)


def _untouched(medium: Mixture, faces: Array) -> tuple[Array, ...]:
    return tuple(jnp.broadcast_to(c, faces[1:].shape).astype(faces.dtype) for c in medium.bulk[:-1])


def _remapped(medium: Mixture, moment: Moment, faces: Array) -> tuple[Array, ...]:
    """Fractions on the mesh of a new stage, every amount kept."""
    width = jnp.diff(moment.faces, axis=0)
    return tuple(remap(c * width, moment.faces, faces) / jnp.diff(faces, axis=0) for c in moment.y)


def _guess(medium: Mixture, faces: Array, schedule: Schedule, start: tuple[Array, ...]) -> tuple[Array, ...]:
    """First guesses at half and full first step: the beam has replaced the rest up to a rounded step."""
    if medium.beam is None:
        return tuple(jnp.stack([c, c]) for c in start)
    centre = 0.5 * (faces[1:] + faces[:-1])

    def guess(k: int, c: Array, share: float) -> Array:
        depth = share * schedule.clock[0] / medium.background
        ahead = jax.nn.sigmoid((centre - depth) / (0.1 * depth))
        own = medium.background / medium.charges[k] * (1.0 - ahead) if k == medium.beam else 0.0
        return jnp.clip(c * ahead + own, 1e-6, None)

    both = [jnp.stack([guess(k, c, share) for share in (0.5, 1.0)]) for k, c in enumerate(start)]
    return jax.lax.stop_gradient(tuple(both))


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


def _seen(experiment: Experiment, stage: Stage, foreign: int, moment: Moment) -> Seen:
    medium = mixture_of(experiment, stage, 0.0)
    here = geometry(moment.faces, moment.velocity, medium.thickness)
    still = isinstance(stage.front, Closed | Reservoir)
    tempo = jnp.ones_like(moment.current) if still else 1.0 / moment.current
    faces = mixture.face_field(medium, moment.y, moment.current, tempo, here)
    centre = 0.5 * (moment.faces[1:] + moment.faces[:-1])
    cells = jnp.stack(mixture.complete(medium, moment.y))
    bulk = jnp.stack([jnp.broadcast_to(c, centre.shape[1:]) for c in medium.bulk])
    back = cells[:, -1] if medium.closed else bulk
    if medium.surface is not None:
        surface = jnp.stack([jnp.broadcast_to(c, centre.shape[1:]) for c in medium.surface])
    else:
        surface = _blocked(medium, cells, centre, moment.current)
    fraction = jnp.concatenate([surface[:, None], cells, back[:, None]], axis=1)
    excess = medium.debye_squared * jnp.diff(faces, axis=0) / here.width
    edge = jnp.zeros_like(excess[:1])
    inner = excess.at[0].set(0.0).at[-1].set(0.0)
    lengths = jnp.concatenate([0.5 * here.width[:1], here.distance, here.beyond[None]])
    steps = lengths * faces
    potential = jnp.concatenate([jnp.cumsum(steps[::-1], axis=0)[::-1], edge])
    depth = jnp.concatenate([edge, centre, medium.thickness[None]]) * NM
    # The native ion is that with the largest share of the bulk.
    native = jnp.argmax(bulk, axis=0)[None]
    own = jnp.take_along_axis(fraction, native[:, None], axis=0)[0] / jnp.max(bulk, axis=0)
    front = front_observables(depth, own, fraction[foreign])
    field = jnp.concatenate([faces[:1], 0.5 * (faces[1:] + faces[:-1]), faces[-1:]])
    return Seen(
        depth=depth,
        faces=moment.faces * NM,
        fraction=fraction,
        potential=medium.thermal_potential * potential,
        field=medium.thermal_potential / NM * field,
        excess=jnp.concatenate([edge, inner, edge]),
        front=front.depth,
        width=front.width,
        plateau=front.plateau,
        edge=front.leading_edge,
    )


def _blocked(medium: Mixture, cells: Array, centre: Array, current: Array) -> Array:
    """Fractions at a surface that all but the beam do not pass: ∂c/∂x = z c E, continued from the first two cells."""
    near, far = centre[0], centre[1]
    total = mixture.conductance(medium, tuple(cells[:, :1]))[0]
    values = []
    for k, z in enumerate(medium.charges):
        slope = z * current / total
        weight = (1.0 + slope * near) * far**2 - (1.0 + slope * far) * near**2
        values.append(jnp.clip((cells[k, 0] * far**2 - cells[k, 1] * near**2) / weight, 0.0, cells[k, 0]))
    # Continued apart, the fractions would not add up: the beam, or else the last ion, makes the surface neutral.
    rest = len(values) - 1 if medium.beam is None else medium.beam
    others = sum(z * values[k] for k, z in enumerate(medium.charges) if k != rest)
    values[rest] = (medium.background - others) / medium.charges[rest]
    return jnp.stack(values)


def assemble(experiment: Experiment, run: Run, controls: Controls) -> Solution:
    """Turn the states of a run into a solution in SI units; status and error estimate are added by the caller."""
    names = [species.name for species in experiment.species]
    unit = mixture_of(experiment, experiment.stages[0], 0.0).charge_density * NM
    foreign = len(names) - 1
    traces, columns, uptake, balance = [], [], [], []
    passed = [jnp.zeros_like(unit)] * len(names)
    before = jnp.zeros_like(unit)
    for stage, passage in zip(experiment.stages, run.passages, strict=True):
        if isinstance(stage.front, IonBeamPotential | IonBeamCurrent):
            foreign = names.index(stage.front.beam)
            passed[foreign] = passed[foreign] + passage.charge[-1] - before
        before = passage.charge[-1]
        seen = jax.vmap(lambda m, s=stage, f=foreign: _seen(experiment, s, f, m))(passage.moments)
        trace = Trace(
            time=passage.start + passage.moments.time,
            charge=passage.charge * unit,
            current_density=passage.moments.current * unit,
            surface_potential=seen.potential[:, 0],
            front_depth=seen.front,
        )
        columns.append(jax.tree.map(lambda leaf, r=passage.outputs: leaf[r], (trace, seen)))
        traces.append(trace)
        width = jnp.diff(passage.moments.faces[-1], axis=0)
        medium = mixture_of(experiment, stage, 0.0)
        last = mixture.complete(medium, tuple(c[-1] for c in passage.moments.y))
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
        model=mixture.NAME,
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
            cells=controls.cells_behind + controls.cells_ahead,
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
