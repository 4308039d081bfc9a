"""States of a run seen as profiles in SI units: what differs between kinds of experiments."""

from abc import abstractmethod
from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from npp_jax.physics.experiment import Experiment
from npp_jax.simulation.observables import FrontObservables
from npp_jax.simulation.solution import Trace
from npp_jax.simulation.stages import Run


class Profile(NamedTuple):
    """Profiles at the surface, the cell centres and the back electrode, in SI units; outputs along the first axis."""

    depth: Array
    faces: Array
    fraction: Array
    potential: Array
    field: Array
    excess: Array


class Viewed(NamedTuple):
    """What is seen of a run."""

    trace: Trace
    """All states that are looked at."""
    at: Trace
    """Those that are outputs."""
    profile: Profile
    front: FrontObservables
    excess_charge: Array
    """Excess charge furthest from zero [1]."""
    ion_balance: Array
    """Largest deviation of the ions taken up from the charge passed [1]."""


class AbstractView(eqx.Module):
    """How the states of a run are seen."""

    @abstractmethod
    def __call__(self, experiment: Experiment, run: Run) -> Viewed:
        """See all states of a run."""


def excess_range(excess: Array) -> tuple[Array, Array]:
    """Least and largest excess charge over outputs and depths, [output, point, *batch]."""
    return jnp.min(excess, axis=(0, 1)), jnp.max(excess, axis=(0, 1))


def furthest(low: Array, high: Array) -> Array:
    """End of a range that is further from zero."""
    return jnp.where(-low > high, low, high)
