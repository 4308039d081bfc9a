"""Does a measured profile hold the charge that was passed? Every foreign ion takes the place of a native charge."""

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from npp_jax.constants import ELEMENTARY_CHARGE, NM
from npp_jax.fitting.first_guess import see_front
from npp_jax.fitting.measured_row import beams_of, measured_row
from npp_jax.fitting.problem import Measurement, Problem
from npp_jax.fitting.replaced import native_ion, replaced_depth, until

_APART = 0.1
"""Relative difference of the two charges that is told of."""
_TOO_DEEP = 5.0
"""Ratio beyond which the unit of a profile is doubted that is cut off, or whose numbers hang on a sensitivity.

Ten is that of ångströms which stand for nanometres; sensitivities are not off by as much."""
_UNIT = 3.0
"""The same of a native profile that is seen from the surface to the bulk, and of one that holds too little."""
_CUT_OFF = 30.0
"""The same of a profile that is cut off, and holds no more than if it were fully exchanged: a unit is a thousand."""
_ALIKE = 1.6
"""Factor by which a ratio may be off that of two units: foreign ions and depths are measured with errors."""

_DEPTHS = {
    1e9: "m and not in nm", 1e7: "cm and not in nm", 1e6: "mm and not in nm", 1e4: "µm and not in Å",
    1e3: "µm and not in nm", 10.0: "nm and not in Å", 0.1: "Å and not in nm", 1e-3: "nm and not in µm",
    1e-4: "Å and not in µm",
}  # fmt: skip
"""Factors to true depths."""
_CHARGES = {
    1e4: "C/cm² and not in C/m²", 1e3: "C/cm² and not in mC/cm²", 10.0: "mC/cm² and not in C/m²",
    0.1: "C/m² and not in mC/cm²", 1e-2: "µC/cm² and not in C/m²", 1e-3: "µC/cm² and not in mC/cm²",
    1e-6: "nC/cm² and not in mC/cm²",
}  # fmt: skip
"""Factors to the true charge."""
_CURRENTS = {
    1e4: "A/cm² and not in A/m²", 10.0: "mA/cm² and not in A/m²", 1e-2: "µA/cm² and not in A/m²",
    1e-3: "mA/m² and not in A/m²", 1e-5: "nA/cm² and not in A/m²",
}  # fmt: skip
_TIMES = {
    3600.0: "h and not in s",
    60.0: "min and not in s",
    1 / 60.0: "min and not in h",
    1 / 3600.0: "s and not in h",
}
_MORE = ("charge_C_m2", "charge_mC_cm2", "current_density_A_m2", "duration_s", "duration_h")
"""Keys that make the charge larger."""
_LESS = ("bulk_density_m3", "depth_scale", "sputter_ratio")
"""Keys that make the charge of the profile larger."""


class Balance(NamedTuple):
    """Depth of complete replacement: that of the profile, and that for which the charge is enough."""

    held: float
    """Area above the native profiles, or that of the foreign ones [nm]."""
    allowed: float
    """What the charge passed replaces [nm]."""
    limit: bool
    """Whether less charge may have passed."""
    whole: bool
    """Whether the profile shows all of it, so that too little is told too; else `held` may be its last depth."""
    foreign: bool
    """Whether the foreign ions tell, whose numbers must be fractions."""
    charge: float
    """Charge passed [C/m²]."""
    given: bool
    """Whether the protocol gives the charge, and not a current and a time."""
    depth_scale: float
    """Of the study [1]."""

    @property
    def ratio(self) -> float:
        """Charge of the profile over that passed."""
        return self.held / self.allowed

    @property
    def doubtful(self) -> bool:
        """Whether no glass and no instrument explains the difference: a unit is wrong."""
        deep = _UNIT if self.whole and not self.foreign else _TOO_DEEP
        shallow = 1.0 / (_UNIT if self.whole else _CUT_OFF)
        return self.ratio > deep or (not self.limit and self.ratio < shallow)

    def sentences(self) -> Iterator[str]:
        """What is told: at most one sentence."""
        if self.doubtful:
            yield self._doubt()
        elif self.whole and not self.limit and not self.foreign and abs(self.ratio - 1.0) > _APART:
            yield (
                f"the profile holds {self.charge * self.ratio:.4g} C/m², {self.charge:.4g} C/m² were passed "
                f"({self.ratio:.2f} of it): is the depth scale right (observation.depth_scale as a parameter), the "
                "density, the charge?"
            )

    def _doubt(self) -> str:
        factor, scale = max(self.ratio, 1.0 / self.ratio), 1.0 / self.ratio
        shown = "shows" if self.whole or self.ratio > 1.0 else "ends at"
        reasons = [
            f"the depths are in {unit} (depth_scale = {self.depth_scale * true:g})"
            for true, unit in _like(_DEPTHS, scale)
        ]
        if not self.limit:
            kinds = {"charge": _CHARGES} if self.given else {"current": _CURRENTS, "time": _TIMES}
            reasons += [f"the {kind} is in {unit}" for kind, of in kinds.items() for _, unit in _like(of, self.ratio)]
            reasons += ["bulk_density_m3 is in 1/cm³ and not in 1/m³" for _ in _like({1e-6: ""}, self.ratio)]
        if self.foreign:
            reasons += ["the numbers are per cent and not fractions" for _ in _like({0.01: ""}, scale)]
        most = " at most" if self.limit else ""
        others = "conductivity, potential and time" if self.limit else "charge"
        why = (
            f"They agree if {', or if '.join(reasons)}"
            if reasons
            else f"No unit explains that: are depths, {others}, and density right, and are the numbers fractions?"
        )
        return (
            f"charge and depths disagree, by a factor of about {_rough(factor)}: the charge passed is enough for{most} "
            f"{self.allowed:.3g} nm of complete replacement ({self.charge:.3g} C/m² = {0.1 * self.charge:.3g} mC/cm²), "
            f"the profile {shown} {self.held:.3g} nm. {why}"
        )


def charge_balance(problem: Problem, measurement: Measurement) -> Balance | None:
    """Compare the charge of a measured profile with that of its protocol.

    Parameters
    ----------
    problem
        Whose parameters may vary charge, density and depths.
    measurement
        A profile and its experiment.

    Returns
    -------
    None where one of the two is not known, or where parameters reach the values at which they agree.
    """
    experiment = until(measurement.experiment, measurement.output)
    expected, seen = replaced_depth(experiment), _held(measurement)
    if expected is None or seen is None or not expected[0] > 0.0:
        return None
    allowed, limit = expected[0] / NM, expected[1]
    cut_off = not seen.whole and seen.last < allowed / _CUT_OFF
    held = seen.last if cut_off else seen.depth
    if not held > 0.0:
        return None
    carriers = float(experiment.sample.bulk_density) * native_ion(experiment).charge * ELEMENTARY_CHARGE
    found = Balance(
        held, allowed, limit, seen.whole and expected[0] <= float(experiment.sample.thickness), seen.foreign,
        expected[0] * carriers, any(stage.charge is not None for stage in experiment.stages),
        1.0 if measurement.observation is None else float(measurement.observation.depth_scale),
    )  # fmt: skip
    return None if _reached(problem, measurement, found.ratio) else found


class _Held(NamedTuple):
    """Depth of complete replacement that a profile shows."""

    depth: float
    """The depth [nm]."""
    whole: bool
    """Whether that is all of it."""
    foreign: bool
    """Whether the foreign ions tell it."""
    last: float
    """Last depth of the profile [nm]."""


def _held(measurement: Measurement) -> _Held | None:
    """What the native ions tell if they are seen down to the bulk, else the foreign ones where they are seen whole."""
    native, foreign = _native(measurement), _foreign(measurement)
    if native is None or foreign is None:
        return native or foreign
    # What looks like the bulk is none where the foreign ions go on.
    native = native._replace(whole=native.whole and foreign.whole)
    return foreign if foreign.whole and not native.whole else native


def _native(measurement: Measurement) -> _Held | None:
    experiment = measurement.experiment
    ions = [ion for ion in experiment.species if float(np.max(np.asarray(ion.bulk_fraction))) > 0.0]
    rows = [(ion, row) for ion in ions if (row := measured_row(measurement, ion.name)) is not None]
    if not rows or len(rows) < len(ions):
        return None
    held, whole = 0.0, True
    for ion, row in rows:
        front = see_front(row.depth, row.fraction)
        share = float(np.max(np.asarray(ion.bulk_fraction))) * ion.charge / native_ion(experiment).charge
        if front is not None and front.reached:
            held += share * front.replaced / NM
            continue
        # The highest tenth is the bulk, if the profile reaches it; its median keeps outliers out.
        missing = 1.0 - row.fraction / max(np.quantile(row.fraction, 0.9), np.finfo(float).tiny)
        held, whole = held + share * row._replace(fraction=missing).integral, False
    return _Held(held, whole, False, float(rows[0][1].depth[-1]))


def _foreign(measurement: Measurement) -> _Held | None:
    experiment = measurement.experiment
    beams = beams_of(experiment)
    rows = [(ion, row) for ion in beams if (row := measured_row(measurement, ion.name)) is not None]
    if not rows or len(rows) < len(beams):
        return None
    # A profile that ends before the foreign ion does tells nothing of how much there is.
    whole = all(row.ends()[1] < 0.1 * row.fraction.max() for _, row in rows)
    held = sum(ion.charge / native_ion(experiment).charge * row.integral for ion, row in rows)
    return _Held(held, whole, True, float(rows[0][1].depth[-1]))


def _reached(problem: Problem, measurement: Measurement, ratio: float) -> bool:
    """Whether a parameter has values in its range at which both charges agree."""
    for parameter in problem.parameters:
        if not problem.enters(parameter, measurement):
            continue
        for key in parameter.keys:
            name = key.rpartition(".")[2]
            if name not in (*_MORE, *_LESS):
                continue
            wanted = float(np.asarray(measurement.value_of(key))) * (ratio if name in _MORE else 1.0 / ratio)
            if parameter.low / (1.0 + _APART) <= wanted <= parameter.high * (1.0 + _APART):
                return True
    return False


def _like(units: Mapping[float, str], factor: float) -> Iterator[tuple[float, str]]:
    """Units whose factor is nearly the one that is wanted."""
    return ((true, unit) for true, unit in units.items() if abs(math.log(factor / true)) < math.log(_ALIKE))


def _rough(factor: float) -> str:
    """A factor with one digit, or as a power of ten."""
    near = 10.0 ** round(math.log10(factor))
    if abs(math.log(factor / near)) < math.log(1.2):
        return f"{near:.0f}" if near < 1e5 else f"{near:.0e}"
    return f"{factor:.2g}" if factor < 100.0 else f"{float(f'{factor:.1g}'):.0f}"
