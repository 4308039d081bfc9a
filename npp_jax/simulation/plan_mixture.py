"""Any number of ions: a coarse pass over the protocol seeks the mesh, the run takes place on what it has found."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from npp_jax.physics.experiment import Experiment
from npp_jax.physics.protocol import Blocking, Closed, IonBeamCurrent, IonBeamPotential
from npp_jax.simulation.at_start import faces_at_start, step_at_start
from npp_jax.simulation.controls import Controls
from npp_jax.simulation.march import march
from npp_jax.simulation.material import Mixture, Unknowns, complete
from npp_jax.simulation.mesh.even_mesh import divided
from npp_jax.simulation.mesh.found import FoundCourse, Table
from npp_jax.simulation.plan import AbstractPlan, Before, Counted, StageStart
from npp_jax.simulation.schedule import Schedule, make_schedule
from npp_jax.simulation.schemes import AbstractMixtureScheme
from npp_jax.simulation.seek import first_faces, merged_faces, seek
from npp_jax.simulation.start import first_guess, initial_state
from npp_jax.simulation.step import State, StepInfo
from npp_jax.simulation.units import mixture_of
from npp_jax.solver.sdirk import EULER_GAMMA

UPWIND = 0.1
"""Weight of the upwinding: where the cells of a setting are few for the fronts, central fluxes alone would ask for
negative fractions, which no iteration reaches."""


LATER = 1
"""Iterations that a stage of a step has more when a beam runs into what an earlier stage has left."""

LATER_SOUGHT = 3
"""The same where the mesh is sought on the way: what has not converged misleads the mesh of the next step."""


class MixturePlan(AbstractPlan):
    """Stages of any number of ions, on meshes that are given or sought on the way."""

    scheme: AbstractMixtureScheme
    tables: tuple[Table, ...]
    """Course and meshes of the stages."""
    seeking: bool = False
    """Whether the meshes are sought on the way instead of taken from the tables, but for the first of a stage."""

    def begin(self, experiment: Experiment, number: int, before: Before, controls: Controls) -> StageStart:
        """Set up a stage from its table and from the end of the stage before."""
        stage, scheme = experiment.stages[number], self.scheme
        # A depleted layer stays upwinded: its field is far too strong for its cells, and nothing is left to smear.
        # At rest fronts only widen.
        depleted = any(isinstance(s.front, Blocking) for s in experiment.stages[: number + 1])
        weight = 1.0 if depleted else 0.0 if isinstance(stage.front, Closed) else 1.0 if controls.robust else UPWIND
        medium = mixture_of(experiment, stage, weight, holding=controls.robust).later(before.elapsed)
        first = before.state is None
        origin = step_at_start(experiment) if first and isinstance(stage.front, Closed) else None
        course = FoundCourse(medium, stage.front, self.tables[number], origin)
        schedule = make_schedule(course, stage, controls, first=first)
        gamma = schedule.gamma.copy()
        # Every stage starts with a composition that changes at once: positive half steps, see `EULER_GAMMA`.
        gamma[0] = EULER_GAMMA
        more = 0 if first or course.resting else LATER_SOUGHT if self.seeking else LATER
        schedule = schedule._replace(gamma=gamma, cap=schedule.cap + more)
        faces = course.faces_at(jax.lax.stop_gradient(schedule.clock[0]), 0, 0)
        neutral = scheme.poisson and first and medium.beam is not None
        past = None if before.state is None else (before.medium, before.state)
        if self.seeking:
            if before.state is not None:
                faces = merged_faces(faces, before.state.faces)
            elif experiment.initial is not None:
                faces = merged_faces(faces, faces_at_start(experiment, len(faces) - 1, medium.thickness))
            rough = initial_state(experiment, course, stage, schedule, faces, past, scheme, neutral=neutral)
            guess = first_guess(medium, faces, schedule, rough)
            faces = first_faces(scheme.neutral if neutral else scheme, course, schedule, rough, guess, controls)
        state = initial_state(experiment, course, stage, schedule, faces, past, scheme, neutral=neutral)
        guess = first_guess(medium, faces, schedule, state)
        exchanged = _exchanged(medium, state) if self.seeking else None
        return StageStart(number, course, course, schedule, state, guess, neutral, exchanged)

    def steps(
        self,
        start: StageStart,
        schedule: Schedule,
        state: State,
        controls: Controls,
        *,
        landing: bool,
        neutral: bool,
    ) -> tuple[State, State, StepInfo]:
        """Take steps on meshes sought on the way, or on those of the table, starting from the states there."""
        scheme, course = self.scheme.neutral if neutral else self.scheme, start.course
        fresh = neutral or not start.neutral_first
        guess = start.guess if fresh else tuple(jnp.stack([c, c]) for c in state.y)
        if start.earlier is not None:
            return seek(scheme, course, schedule, state, start.earlier, guess, controls, landing=landing, fresh=fresh)

        def known(begin: Array, end: Array, gamma: Array) -> Unknowns:
            early, late = course.state_at(begin + gamma * (end - begin)), course.state_at(end)
            pairs = zip(early, late, guess, strict=False)
            return tuple(jnp.stack([jnp.where(begin > 0.0, a, g[0]), b]) for a, b, g in pairs)

        return march(scheme, course, course, schedule, state, known, controls, landing=landing)

    def found(self, states: State, final: np.ndarray) -> Table | None:
        """Course and meshes sought."""
        if not self.seeking:
            return None
        rows = np.flatnonzero(final)
        known = jax.tree.map(lambda leaf: leaf[rows], states)
        return Table(known.clock, known.time, known.faces, known.y)

    def count(self, experiment: Experiment, start: StageStart, origin: State, states: State, before: Before) -> Counted:
        """Count from the start of the stage."""
        flowed = jnp.zeros_like(states.clock) if start.course.resting else states.clock
        passed = flowed
        if self.scheme.poisson:
            passed = _passed(start.actual.medium, states, origin, flowed, neutral=start.neutral_first)
        later = experiment.stages[start.number + 1 :]
        # The sheet of charge that carries the field of a beam sinks in when the beam ends.
        stays = not later or isinstance(later[0].front, IonBeamPotential | IonBeamCurrent)
        return Counted(flowed, passed, passed[-1] if stays else flowed[-1], before.charge)

    def end(self, start: StageStart, state: State, counted: Counted, before: Before) -> Before:
        """Hand on the state with its medium."""
        medium = start.actual.medium
        charge = before.charge + (counted.passed[-1] if medium.blocking else counted.taken)
        return Before(before.zero, charge, before.elapsed + state.time, state, medium)


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
