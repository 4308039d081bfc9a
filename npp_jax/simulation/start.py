"""How a stage of any number of ions starts: its planned course, its first mesh, and what it takes over."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from npp_jax.constants import NM
from npp_jax.physics.drive import drive_integral, drive_value
from npp_jax.physics.experiment import Experiment
from npp_jax.physics.protocol import Blocking, Closed, IonBeamCurrent, IonBeamPotential, Reservoir, Stage
from npp_jax.simulation.at_start import fractions_at_start
from npp_jax.simulation.controls import Controls
from npp_jax.simulation.material import Mixture, conductance, diffusivities
from npp_jax.simulation.mesh.even_mesh import graded_faces, linear, remap
from npp_jax.simulation.mesh.found import FoundCourse, Table
from npp_jax.simulation.mesh.geometry import Geometry, geometry
from npp_jax.simulation.schedule import Schedule, make_schedule
from npp_jax.simulation.schemes import AbstractMixtureScheme
from npp_jax.simulation.schemes.mixture_faces import lengths
from npp_jax.simulation.schemes.mixture_full import all_faces
from npp_jax.simulation.step import State
from npp_jax.simulation.units import mixture_of


def first_tables(experiment: Experiment, controls: Controls) -> tuple[Table, ...]:
    """Course by the resistance of layers in series, meshes graded towards the surface."""
    cells = controls.cells_behind + controls.cells_ahead
    like = experiment.stages[0].temperature
    charge, grown = jnp.zeros_like(like), jnp.zeros_like(like)
    tables = []
    for stage in experiment.stages:
        medium = mixture_of(experiment, stage, 1.0)
        column = tuple(jnp.broadcast_to(c, (1, *like.shape)) for c in medium.bulk)
        bulk = 1.0 / conductance(medium, column)[0]
        end = jnp.zeros_like(like) if stage.duration is None else stage.duration
        time_of = lambda clock: clock  # noqa: E731
        if isinstance(stage.front, IonBeamPotential):
            pure = tuple(
                (medium.background / z if k == medium.beam else 0.0) * jnp.ones_like(column[0])
                for k, z in enumerate(medium.charges)
            )
            growth = 1.0 / conductance(medium, pure)[0] - bulk
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
        schedule = make_schedule(FoundCourse(medium, stage.front, planned), stage, controls, first=False)
        clock = jnp.broadcast_to(schedule.clock[np.flatnonzero(schedule.final)], (schedule.final.sum(), *like.shape))
        if isinstance(stage.front, Reservoir):
            scale = 0.3 * jnp.sqrt(2.0 * _slowest(medium, column) * clock)
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


def _slowest(medium: Mixture, bulk: tuple[Array, ...]) -> Array:
    """D of the slowest ion between bulk and melt [nm²/s]: of each ion the largest on the way, which sets how deep it
    comes, and not the one where hardly any of it is.
    """
    melt = bulk if medium.surface is None else tuple(jnp.broadcast_to(c, bulk[0].shape) for c in medium.surface)
    middle = tuple(0.5 * (a + b) for a, b in zip(bulk, melt, strict=True))
    on_the_way = [jnp.stack(diffusivities(medium, fractions)) for fractions in (bulk, middle, melt)]
    return jnp.min(functools.reduce(jnp.maximum, on_the_way), axis=0)[0]


def _depleted(medium: Mixture, potential: Array, bulk: Array, time: Array) -> Array:
    """Depth of a layer without ions under a blocking electrode, no less than the Debye length [nm].

    The bulk of resistance d/S in series with the layer, whose potential is Z x²/(2λ²):
    x = x_s tanh(t U S/(Z d x_s)), x_s = √(2λ²U/Z).
    """
    volts = potential / medium.thermal_potential
    deepest = jnp.sqrt(2.0 * medium.debye_squared * volts / medium.background)
    rate = volts / (medium.background * medium.thickness * bulk)
    return deepest * jnp.tanh(rate * time / deepest) + jnp.sqrt(medium.debye_squared / medium.background)


def initial_state(
    experiment: Experiment,
    course: FoundCourse,
    stage: Stage,
    schedule: Schedule,
    faces: Array,
    before: tuple[Mixture, State] | None,
    scheme: AbstractMixtureScheme,
    *,
    neutral: bool,
) -> State:
    """State at the start of a stage on the mesh given.

    Parameters
    ----------
    experiment
        What is simulated.
    course, stage, schedule
        The stage.
    faces
        Mesh.
    before
        Medium and end of the stage before; None: the sample is as the experiment begins.
    scheme
        Equations of the model.
    neutral
        Whether the first step is taken neutral, so that no field is needed.
    """
    medium = course.medium
    zero = jnp.zeros_like(stage.temperature)
    here = geometry(faces, jnp.zeros_like(faces), medium.thickness)
    current = zero if course.resting else course.current_at(schedule.clock[0])
    y, field = (
        (_untouched(experiment, medium, faces), None) if before is None else _remapped(*before, medium, faces, scheme)
    )
    if scheme.poisson and not neutral:
        field = _adjusted(medium, stage, jnp.zeros_like(faces) if field is None else field, current, here)
        if medium.blocking:
            current = field[-1] * _bulk_conductance(medium)
        y = (*y, field[:-1])
    return State(y, faces, jnp.zeros_like(faces), current, zero, zero)


def _untouched(experiment: Experiment, medium: Mixture, faces: Array) -> tuple[Array, ...]:
    cells = fractions_at_start(experiment, faces)
    return tuple(cells[k] for k in medium.carried)


def _bulk_conductance(medium: Mixture) -> Array:
    """Conductivity of the untouched sample in units of N e²/kT [nm²/s]."""
    column = tuple(jnp.broadcast_to(c, (1, *medium.thickness.shape)) for c in medium.bulk)
    return conductance(medium, column)[0]


def _remapped(
    before: Mixture, state: State, medium: Mixture, faces: Array, scheme: AbstractMixtureScheme
) -> tuple[tuple[Array, ...], Array | None]:
    """Carried fractions on the mesh of a new stage, every amount kept, and the field that goes with them."""
    width, new = jnp.diff(state.faces, axis=0), jnp.diff(faces, axis=0)
    cells = scheme.fractions(before, state.y, width)
    moved = [remap(c * width, state.faces, faces) / new for c in cells]
    if not scheme.poisson:
        return tuple(moved[k] for k in medium.carried), None
    old = all_faces(before, state.y)
    field = linear(faces, state.faces, old) * before.debye_squared / medium.debye_squared
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
        share = lengths(here)
        return field + (wanted - jnp.sum(share * field, axis=0)) / jnp.sum(share, axis=0)
    return field + current / _bulk_conductance(medium) - field[-1]


def first_guess(medium: Mixture, faces: Array, schedule: Schedule, start: State) -> tuple[Array, ...]:
    """First guesses at half and full first step.

    The beam has replaced the rest up to a rounded step, or as far as its ions diffuse in the time where that is deeper.
    """
    if medium.beam is None or len(start.y) > len(medium.carried):
        return tuple(jnp.stack([c, c]) for c in start.y)
    centre = 0.5 * (faces[1:] + faces[:-1])
    column = tuple(jnp.broadcast_to(c, (1, *medium.thickness.shape)) for c in medium.bulk)
    D = diffusivities(medium, column)[medium.beam][0]

    def left(share: float) -> Array:
        """Share of the ions that are left."""
        depth = share * schedule.clock[0] / medium.background
        reach = jnp.sqrt(D * share * schedule.clock[0] / start.current)
        diffused = 1.0 - depth / reach * jnp.exp(-centre / reach)
        return jnp.where(reach > depth, diffused, jax.nn.sigmoid((centre - depth) / (0.1 * depth)))

    remaining = jnp.stack([left(share) for share in (0.5, 1.0)])
    return jax.lax.stop_gradient(tuple(jnp.clip(c * remaining, 1e-6, None) for c in start.y))
