"""What differs between kinds of experiments on the way through the stages: start, steps and count of the charge."""

from abc import abstractmethod
from typing import Any, NamedTuple

import equinox as eqx
import numpy as np
from jaxtyping import Array

from npp_jax.physics.experiment import Experiment
from npp_jax.simulation.controls import Controls
from npp_jax.simulation.mesh.course import AbstractCourse
from npp_jax.simulation.mesh.found import Table
from npp_jax.simulation.mesh.predicted import Place
from npp_jax.simulation.schedule import Schedule
from npp_jax.simulation.step import State, StepInfo


class Before(NamedTuple):
    """What a stage takes over from those before it."""

    zero: Array
    """Clock and time at which every stage starts."""
    charge: Array
    """Charge passed, as a length [nm]."""
    elapsed: Array
    """Time since the start of the protocol [s]."""
    state: State | None = None
    """None: the sample is untouched."""
    medium: Any = None
    place: Place | None = None
    """Where the mesh is, where it follows a prediction."""


class StageStart(NamedTuple):
    """A stage before its first step."""

    number: int
    course: Any
    """Places the mesh."""
    actual: AbstractCourse
    """The same with the parameters by which the result is differentiated."""
    schedule: Schedule
    state: State
    guess: Any
    """First guesses for the first step, [stage, cell, *batch]."""
    neutral_first: bool
    """Whether the first step, from a step profile, is taken neutral: Poisson's equation adds nothing there but
    stiffness."""
    earlier: Array | None = None
    """Charge of earlier stages [nm], as far as the steps need it: what is left at the surface where the theory knows
    the mesh, what was exchanged where the mesh is sought."""


class Counted(NamedTuple):
    """Charge after each step of a stage, as lengths [nm]."""

    flowed: Array
    """What has flowed in."""
    passed: Array
    """The same less the charge that carries the field at the surface."""
    taken: Array
    """What the stage has added to the sample by its end."""
    base: Array | None = None
    """Charge before the stage, where `flowed` and `passed` leave it out."""


class AbstractPlan(eqx.Module):
    """How stages start, how their steps are taken, and how the charge passed is counted."""

    scheme: eqx.AbstractVar[Any]
    """Equations of the model."""

    @abstractmethod
    def begin(self, experiment: Experiment, number: int, before: Before, controls: Controls) -> StageStart:
        """Set up a stage."""

    @abstractmethod
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
        """Take steps of a stage.

        Parameters
        ----------
        start
            The stage.
        schedule
            The steps.
        state
            Where they start.
        controls
            Numerical settings.
        landing
            Whether steps are repeated to end at their target.
        neutral
            Whether they are the neutral first step.

        Returns
        -------
        As `march`.
        """

    @abstractmethod
    def found(self, states: State, final: np.ndarray) -> Table | None:
        """Course and mesh of the stage, for a later pass; None where no pass needs them."""

    @abstractmethod
    def count(self, experiment: Experiment, start: StageStart, origin: State, states: State, before: Before) -> Counted:
        """Count the charge passed.

        Parameters
        ----------
        experiment
            What is simulated.
        start
            The stage.
        origin
            State before the steps with the scheme of the model.
        states
            States after all steps.
        before
            What the stage has taken over.
        """

    @abstractmethod
    def end(self, start: StageStart, state: State, counted: Counted, before: Before) -> Before:
        """What the next stage takes over."""
