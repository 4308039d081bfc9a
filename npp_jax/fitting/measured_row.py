"""What was measured of one species, in numbers that a warning needs."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from npp_jax.fitting.problem import Measurement
from npp_jax.physics import Experiment, IonBeamCurrent, IonBeamPotential, Species


class Row(NamedTuple):
    """Points of one species that are used."""

    depth: Float[np.ndarray, "point"]
    """True depths [nm]."""
    fraction: Float[np.ndarray, "point"]
    """Fractions of the bulk of the native ion [1]."""

    @property
    def integral(self) -> float:
        """Integral of the fraction from the surface on [nm]."""
        mean = 0.5 * (self.fraction[1:] + self.fraction[:-1])
        return float(self.depth[0] * self.fraction[0] + np.sum(mean * np.diff(self.depth)))

    def ends(self) -> tuple[float, float]:
        """Medians of the first and of the last tenth of the points."""
        tenth = -(-len(self.fraction) // 10)
        return float(np.median(self.fraction[:tenth])), float(np.median(self.fraction[-tenth:]))


def measured_row(measurement: Measurement, name: str) -> Row | None:
    """Points of a species that are used; None if it was not measured."""
    profile = measurement.profile
    if profile is None or measurement.observation is None or name not in profile.species:
        return None
    row = profile.species.index(name)
    used = np.asarray(profile.weight)[row] > 0.0
    depth = np.asarray(measurement.observation.true_depth(profile.depth))[used]
    return Row(depth, np.asarray(profile.fraction)[row][used]) if used.any() else None


def beams_of(experiment: Experiment) -> list[Species]:
    """Ions of the beams; none if the glass has one of them from the beginning, as its part is then not known."""
    fronts = [stage.front for stage in experiment.stages]
    named = {front.beam for front in fronts if isinstance(front, IonBeamPotential | IonBeamCurrent)}
    found = [s for s in experiment.species if s.name in named]
    return found if all(float(np.max(s.bulk_fraction)) == 0.0 for s in found) else []
