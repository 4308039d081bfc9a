"""One ion replaces another: the mesh is known in closed form."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from npp_jax.physics.experiment import Experiment
from npp_jax.physics.front_theory import front_theory
from npp_jax.simulation.controls import Controls
from npp_jax.simulation.march import first_state, march
from npp_jax.simulation.material import Medium, Unknowns
from npp_jax.simulation.mesh.predicted import Place, PredictedCourse
from npp_jax.simulation.plan import AbstractPlan, Before, Counted, StageStart
from npp_jax.simulation.schedule import Schedule, make_schedule
from npp_jax.simulation.schemes import AbstractScheme
from npp_jax.simulation.step import State, StepInfo
from npp_jax.simulation.units import medium_of


class PairPlan(AbstractPlan):
    """Stages of one ion that replaces another, on the mesh that the theory of the front predicts."""

    scheme: AbstractScheme
    meshed: Experiment
    """What places mesh and steps: the experiment, with its derivative stopped."""
    held: tuple[Array, ...] | None = None
    """Clock values of the mesh, one array a stage: with `meshed` they make the discrete map that differentiation sees
    accessible to finite differences."""

    def begin(self, experiment: Experiment, number: int, before: Before, controls: Controls) -> StageStart:
        """Set up a stage by the theory of the front."""
        stage, scheme, zero = experiment.stages[number], self.scheme, before.zero
        meshed = jax.lax.stop_gradient(self.meshed)
        own = meshed.stages[number]
        medium, mesh_medium = medium_of(experiment, stage), medium_of(meshed, own)
        course = PredictedCourse(
            medium=mesh_medium,
            theory=front_theory(mesh_medium.native, mesh_medium.foreign, own.temperature),
            front=own.front,
            place=Place(zero, zero, zero) if before.place is None else before.place,
            charge=jax.lax.stop_gradient(before.charge),
        )
        actual = replace(course, medium=medium, front=stage.front)
        state, stays = before.state, None
        first = state is None
        schedule = make_schedule(actual, stage, controls, first=first, surface_charge=scheme.poisson)
        if scheme.poisson:
            at_start = zero if state is None else _surface_charge(medium, state.y)
            stays = at_start if stage.duration is None else None
        if state is None:
            state, guess = first_state(course, jax.lax.stop_gradient(schedule), controls)
        else:
            centre = 0.5 * (state.faces[1:] + state.faces[:-1])
            guess = jnp.zeros((2, *centre.shape), centre.dtype)
            current = zero if course.resting else course.current_at(zero)
            state = state._replace(clock=zero, time=zero, current=current)
        return StageStart(number, course, actual, schedule, state, guess, scheme.poisson and first, stays)

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
        """Take steps on the predicted mesh."""
        scheme = self.scheme.neutral if neutral else self.scheme
        held, stays = None, None
        if self.held is not None:
            first = int(start.neutral_first and not neutral)
            held = self.held[start.number][first : first + len(schedule.gamma)]
        if scheme.poisson and start.earlier is not None:
            medium, before = start.actual.medium, start.earlier
            stays = lambda y: _surface_charge(medium, y) - before  # noqa: E731
        guess = (start.guess, jnp.zeros_like(start.guess)) if scheme.poisson else (start.guess,)
        return march(
            scheme,
            start.course,
            start.actual,
            schedule,
            state,
            guess,
            controls,
            landing=landing,
            held=held,
            surface_charge=stays,
        )

    def found(self, states: State, final: np.ndarray) -> None:
        """Nothing: the theory knows the mesh."""

    def count(self, experiment: Experiment, start: StageStart, origin: State, states: State, before: Before) -> Counted:
        """Count from the start of the protocol."""
        flowed = before.charge + (jnp.zeros_like(states.clock) if start.course.resting else states.clock)
        passed = flowed
        if self.scheme.poisson:
            # What has flowed in is the foreign ions and the charge that carries the field at the surface.
            passed = flowed - jax.vmap(lambda y: _surface_charge(start.actual.medium, y))(states.y)
        return Counted(flowed, passed, passed[-1] - before.charge)

    def end(self, start: StageStart, state: State, counted: Counted, before: Before) -> Before:
        """Hand on the state and the place of its mesh."""
        place = start.course.place_at(jax.lax.stop_gradient(state.clock))
        elapsed = before.elapsed + state.time
        return Before(before.zero, counted.flowed[-1], elapsed, state, start.actual.medium, place)


def _surface_charge(medium: Medium, y: Unknowns) -> Array:
    """Charge that carries the field at the surface, as a length [nm]; that behind the front belongs to the bulk."""
    return medium.debye_squared * (y[1][0] - y[1][-2])
