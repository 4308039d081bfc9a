"""Course of a stage: how clock, current and mesh go through it, known before its steps are taken."""

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from npp_jax.constants import NM
from npp_jax.physics.drive import Drive, drive_line
from npp_jax.physics.protocol import AbstractFront, Blocking, Closed, IonBeamCurrent, IonBeamPotential, Reservoir

if TYPE_CHECKING:
    from typing import ClassVar as AbstractClassVar
else:
    from equinox import AbstractClassVar


class AbstractCourse(eqx.Module):
    """Clock, current and mesh of one stage: charge [nm] is the clock with a beam, time [s] without."""

    medium: eqx.AbstractVar[Any]
    """Material of the stage."""
    front: eqx.AbstractVar[AbstractFront]
    """What is done to the sample."""
    self_similar: AbstractClassVar[bool]
    """Whether the profile keeps its form while the clock grows by a factor, later stages included."""

    @property
    def resting(self) -> bool:
        """Whether no ion enters by a beam: the clock is then time."""
        return not isinstance(self.front, IonBeamPotential | IonBeamCurrent)

    @property
    def drive(self) -> Drive:
        """Potential or current density of the beam or the electrode."""
        match self.front:
            case IonBeamPotential(potential=drive) | IonBeamCurrent(current_density=drive) | Blocking(potential=drive):
                return drive
        raise TypeError(f"no drive: {type(self.front).__name__}")

    @property
    def traced(self) -> bool:
        """Whether a drive changes with time."""
        return not isinstance(self.front, Closed | Reservoir) and self.drive.time is not None

    def current_unit(self) -> Array:
        """Current density [A/m²] of v₀ = 1 nm/s."""
        return self.medium.charge_density * NM

    @abstractmethod
    def charge_at(self, time: Array) -> Array:
        """Charge since the start of the stage, as a length [nm], after a time [s]."""

    @abstractmethod
    def time_at(self, charge: Array) -> Array:
        """Time since the start of the stage [s] at which a charge [nm] has passed."""

    @abstractmethod
    def current_at(self, charge: Array) -> Array:
        """v₀ [nm/s] at a charge [nm] since the start of the stage."""

    def tempo_over(self, begin: Array, end: Array) -> tuple[Array, Array]:
        """Mean dt/ds [s/nm] between two charges [nm] under a given current, and how much it rises on the line that has
        the same first moment; the line stays positive.
        """
        times = self.time_at(begin), self.time_at(end)
        size, width = end - begin, times[1] - times[0]
        mean = width / size
        _, rise = drive_line(self.drive, *times)
        # ∫ τ (s - s_mid) ds = -∫ (t - t_mid) v dt.
        line = -rise * width**2 / (size**2 * self.current_unit())
        return mean, jnp.clip(line, -1.8 * mean, 1.8 * mean)

    @abstractmethod
    def faces_at(self, clock: Array, behind: int, ahead: int) -> Array:
        """Faces of the mesh [nm] at a value of the clock; held by differentiation: a mesh is no part of the problem."""
