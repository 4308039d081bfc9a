"""Course of a stage with several fronts: clock, current and mesh, known from an earlier pass over the same stage.

There is no formula for where several fronts will be. A stage is therefore simulated on the mesh that the pass before
suggests; every pass resolves what that one has found. Within a pass, clock and mesh are known beforehand, as for two
ions.
"""

from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from npp_jax.physics.drive import drive_integral, drive_inverse_integral, drive_value
from npp_jax.physics.protocol import AbstractFront, IonBeamCurrent
from npp_jax.simulation.material import Mixture
from npp_jax.simulation.mesh.course import AbstractCourse
from npp_jax.simulation.mesh.even_mesh import linear


class Table(NamedTuple):
    """What a pass over a stage has found, one row a step."""

    clock: Float[Array, "row *batch"]
    """Charge [nm] with a beam, time [s] without."""
    time: Float[Array, "row *batch"]
    """Time since the start of the stage [s]."""
    faces: Float[Array, "row face *batch"]
    """Mesh to be used [nm]."""
    state: tuple[Float[Array, "row cell *batch"], ...] = ()
    """Unknowns on that mesh, from which iterations may start."""


class FoundCourse(AbstractCourse):
    """Course of one stage from the table of an earlier pass."""

    self_similar: ClassVar[bool] = False

    medium: Mixture
    front: AbstractFront
    table: Table
    origin: Array | None = None
    """Depth of a step from which the profile spreads at rest, as the root of the time [nm]; None where it does not."""

    def charge_at(self, time: Array) -> Array:
        """Charge since the start of the stage, as a length [nm], after a time [s]."""
        if isinstance(self.front, IonBeamCurrent):
            return drive_integral(self.front.current_density, time) / self.current_unit()
        return jax.lax.stop_gradient(linear(time[None], self.table.time, self.table.clock)[0])

    def time_at(self, charge: Array) -> Array:
        """Time since the start of the stage [s] at which a charge [nm] has passed."""
        if not isinstance(self.front, IonBeamCurrent):
            return jax.lax.stop_gradient(linear(charge[None], self.table.clock, self.table.time)[0])
        return drive_inverse_integral(self.drive, charge * self.current_unit())

    def current_at(self, charge: Array) -> Array:
        """v₀ [nm/s] at a charge [nm] since the start of the stage."""
        if isinstance(self.front, IonBeamCurrent):
            return drive_value(self.front.current_density, self.time_at(charge)) / self.current_unit()
        clock, time = (self.table.clock[:2], self.table.time[:2])
        return jax.lax.stop_gradient((clock[1] - clock[0]) / (time[1] - time[0]))

    def faces_at(self, clock: Array, behind: int, ahead: int) -> Array:
        """Faces of the mesh [nm] at a value of the clock; before the first row and after the last it stands still."""
        rows = self.table.clock
        held = jnp.clip(clock, rows[0], rows[-1])
        flat = lambda faces: linear(held[None], rows, faces)[0]  # noqa: E731
        return jax.lax.stop_gradient(jax.vmap(flat, in_axes=1)(self.table.faces))

    def state_at(self, clock: Array) -> tuple[Array, ...]:
        """Unknowns on that mesh, of the pass that found it."""
        rows = self.table.clock
        held = jnp.clip(clock, rows[0], rows[-1])
        flat = lambda cells: linear(held[None], rows, cells)[0]  # noqa: E731
        return jax.lax.stop_gradient(tuple(jax.vmap(flat, in_axes=1)(c) for c in self.table.state))
