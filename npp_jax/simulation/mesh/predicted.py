"""How clock and mesh go through a stage: predicted current and charge, and the faces at each value of the clock.

Before any step is taken, the theory of the front tells where it will be and how wide: the sample is the bulk in
series with the exchanged layer, whose resistance grows in proportion to the charge. The prediction places cells and
steps; the result of the simulation does not depend on it beyond its accuracy.
"""

from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from npp_jax.physics.drive import drive_integral, drive_inverse_integral, drive_line, drive_value
from npp_jax.physics.front_theory import FrontTheory
from npp_jax.physics.protocol import AbstractFront, IonBeamCurrent
from npp_jax.simulation.material import Medium
from npp_jax.simulation.mesh.course import AbstractCourse
from npp_jax.simulation.mesh.front_mesh import front_mesh

REACH = 10.0
"""Extent of the mesh ahead of the front, in the length resolved around it."""


RECENT = 0.1
"""Share of the time since the start of a stage over which the mesh takes the mean of a trace."""


class Place(NamedTuple):
    """Where the mesh is: front position, length resolved around it, extent ahead of a spreading front [nm]."""

    front: Array
    scale: Array
    spread: Array


class PredictedCourse(AbstractCourse):
    """Course of one stage by the theory of the front, in closed form."""

    self_similar: ClassVar[bool] = True

    medium: Medium
    theory: FrontTheory
    front: AbstractFront
    place: Place
    """At the start of the stage."""
    charge: Array
    """Charge passed before the stage, as a length [nm]."""

    def _resistance(self) -> tuple[Array, Array]:
        """Resistance at the start of the stage and its growth with the charge [kT/e s/nm per nm/s of current]."""
        growth = self.theory.ramp_resistance - self.theory.speed / self.medium.bulk
        return self.medium.thickness / self.medium.bulk + growth * self.charge, growth

    def charge_at(self, time: Array) -> Array:
        """Predicted charge since the start of the stage, as a length [nm], after a time [s]."""
        if isinstance(self.front, IonBeamCurrent):
            return drive_integral(self.front.current_density, time) / self.current_unit()
        start, growth = self._resistance()
        volts = drive_integral(self.drive, time) / self.medium.thermal_potential
        return 2.0 * volts / (start + jnp.sqrt(jnp.maximum(start * start + 2.0 * growth * volts, 0.0)))

    def time_at(self, charge: Array) -> Array:
        """Predicted time since the start of the stage [s] at which a charge [nm] has passed."""
        if isinstance(self.front, IonBeamCurrent):
            return drive_inverse_integral(self.front.current_density, charge * self.current_unit())
        start, growth = self._resistance()
        volts = charge * (start + 0.5 * growth * charge)
        return drive_inverse_integral(self.drive, volts * self.medium.thermal_potential)

    def current_at(self, charge: Array) -> Array:
        """Predicted v₀ [nm/s] at a charge [nm] since the start of the stage."""
        return self._current(drive_value(self.drive, self.time_at(charge)), charge)

    def recent_current(self, charge: Array) -> Array:
        """The same under the mean drive of the last while: a mesh need not follow noise."""
        knots, time = self.drive.time, self.time_at(charge)
        if knots is None:
            return self.current_at(charge)
        mean, _ = drive_line(self.drive, (1.0 - RECENT) * time, time + 1e-3 * RECENT * jnp.max(knots, axis=0))
        return self._current(mean, charge)

    def _current(self, value: Array, charge: Array) -> Array:
        if isinstance(self.front, IonBeamCurrent):
            return value / self.current_unit()
        start, growth = self._resistance()
        return value / self.medium.thermal_potential / (start + growth * charge)

    def front_scale(self, charge: Array) -> Array:
        """Predicted ℓ = D₂/v₀ [nm]; under a trace with the mean of the last tenth of the time."""
        return self.medium.foreign(jnp.full_like(charge, 0.5)) / self.recent_current(charge)

    def place_at(self, clock: Array) -> Place:
        """Where the mesh is at a value of the clock: charge [nm] with a beam, time [s] at rest."""
        start = self.place
        if self.resting:
            diffused = 8.0 * self.medium.foreign(jnp.full_like(clock, 0.5)) * clock
            return Place(start.front, jnp.sqrt(start.scale**2 + diffused), start.spread)
        ell = self.front_scale(clock)
        young = ell / jnp.sqrt(1.0 + ell / (self.charge + clock))
        sharp = 2.0 * jnp.sqrt(young**2 + 4.0 * self.medium.debye_squared)
        # A front that a rest has widened sharpens again while it moves by its own width.
        wide = start.scale * jnp.exp(-clock / jnp.maximum(start.scale, 1e-6))
        return Place(
            start.front + self.theory.speed * clock,
            jnp.sqrt(sharp**2 + jnp.where(start.scale > sharp, wide, 0.0) ** 2),
            start.spread + self.theory.spreading * clock,
        )

    def faces_at(self, clock: Array, behind: int, ahead: int) -> Array:
        """Faces of the mesh [nm]; held by differentiation, as a mesh is no part of the problem."""
        place = self.place_at(clock)
        wanted = REACH * place.scale + place.spread
        reach = jnp.minimum(wanted, 0.99 * (self.medium.thickness - place.front))
        return jax.lax.stop_gradient(front_mesh(behind, ahead, place.front, place.scale, reach))
