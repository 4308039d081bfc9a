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
    depth = _true_depths(measurement)[used]
    return Row(depth, np.asarray(profile.fraction)[row][used]) if used.any() else None


def _true_depths(measurement: Measurement) -> Float[np.ndarray, "depth"]:
    """True depths of all points; where the exchanged material sputters at another rate, by the measured fractions."""
    profile, seen = measurement.profile, measurement.observation
    assert profile is not None and seen is not None
    depth, faster = np.asarray(seen.true_depth(profile.depth)), float(np.asarray(seen.sputter_ratio)) - 1.0
    if faster == 0.0:
        return depth
    bulk = {ion.name: float(np.max(np.asarray(ion.bulk_fraction))) for ion in measurement.experiment.species}
    native = {name for name, share in bulk.items() if share > 0.0}
    rows = dict(zip(profile.species, np.asarray(profile.fraction), strict=True))
    told = [fraction for name, fraction in rows.items() if name in native]
    # Ions that were not measured are those that the others leave room for.
    replaced = 1.0 - sum(told) if native <= set(rows) else sum(rows[name] for name in rows if name not in native)
    rate = 1.0 + faster * np.clip(replaced, 0.0, 1.0)
    steps = np.diff(depth) * 0.5 * (rate[1:] + rate[:-1])
    return depth[0] * rate[0] + np.concatenate([[0.0], np.cumsum(steps)])


def beams_of(experiment: Experiment) -> list[Species]:
    """Ions of the beams; none if the glass has one of them from the beginning, as its part is then not known."""
    fronts = [stage.front for stage in experiment.stages]
    named = {front.beam for front in fronts if isinstance(front, IonBeamPotential | IonBeamCurrent)}
    found = [s for s in experiment.species if s.name in named]
    return found if all(float(np.max(s.bulk_fraction)) == 0.0 for s in found) else []
