"""Every continuous input of an experiment under its key: where it is, its unit, and its limits.

Experiment files, parameters of studies and tables of candidates take keys and limits from here. A key has its unit in
its name: `sample.thickness_um`, `Li.sed_fwhm_eV`, `stages.0.reservoir_fraction.K`.
"""

import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from npp_jax._compile import concrete
from npp_jax.physics.limits import Limits, above, between
from npp_jax.physics.sed import GaussianSED, MixtureSED, SlopeSED


class Key(NamedTuple):
    """A continuous input of a part of an experiment."""

    path: str
    """Attributes that lead from the part to the leaf."""
    limits: Limits
    """Range of the value, in the unit of the key."""
    unit: float = 1.0
    """What one unit of the key is in that of the leaf."""
    entry: int | None = None
    """Entry of the leaf, where it has several."""
    there: Callable[[Any], bool] = lambda part: True
    """Whether a part has it, beside having the leaf."""

    def leaf(self, part: Any) -> Any:
        """The leaf in a part."""
        return operator.attrgetter(self.path)(part)

    def of(self, part: Any) -> bool:
        """Whether a part has this input."""
        try:
            return self.leaf(part) is not None and self.there(part)
        except AttributeError:
            return False


def _level(name: str, limits: Limits, *, end: bool = False) -> Key:
    """Level of a drive: the constant one, or that of a ramp at the start and at the end of its stage."""

    def there(stage: Any) -> bool:
        drive = getattr(stage.front, name)
        return is_ramp(stage, drive) or (drive.time is None and not end)

    return Key(f"front.{name}.value", limits, entry=int(end), there=there)


def is_ramp(stage: Any, drive: Any) -> bool:
    """Whether a drive goes in one line from the start of a stage to its end, which is at a duration."""
    if drive.time is None or stage.duration is None or len(drive.time) != 2:
        return False
    if not concrete(drive.time, stage.duration):
        return False
    first, last = np.asarray(drive.time)
    return bool(np.all(first == 0.0) and np.all(last == np.asarray(stage.duration)))


def _in_bulk(ion: Any) -> bool:
    share = ion.bulk_fraction
    return not concrete(share) or bool(np.all(np.asarray(share) > 0.0))


def _among_others(ion: Any) -> bool:
    share = ion.bulk_fraction
    return not concrete(share) or bool(np.all((np.asarray(share) > 0.0) & (np.asarray(share) < 1.0)))


def _alone(ion: Any) -> bool:
    return ion.diffusivity.populations == "separate"


def _sites(kind: type) -> Callable[[Any], bool]:
    return lambda ion: isinstance(ion.diffusivity.sed, kind)


_DIFFUSIVITY = above(0.0, 1e-4)
_ENERGY = above(0.0, 2.0)
_TEMPERATURE = between(50.0, 2000.0)
_POTENTIAL = above(0.0, 1e5)
_CURRENT = above(0.0, 1e6)
_TIME = above(0.0, 1e12)
_CHARGE = above(0.0, 1e9)

SAMPLE = {
    "thickness_um": Key("thickness", between(1e-2, 1e5), 1e-6),
    "permittivity": Key("permittivity", between(1.0, 1e4)),
    "bulk_density_m3": Key("bulk_density", between(1e20, 1e30)),
    "hop_length_nm": Key("hop_length", above(0.0, 10.0), 1e-9),
    "cross_coefficient": Key("cross_coefficient", between(-0.99, 0.99)),
}
"""Keys of the sample, below `sample`."""

ION = {
    "bulk_fraction": Key("bulk_fraction", between(0.0, 1.0), there=_among_others),
    "D_m2_s": Key("diffusivity.D", _DIFFUSIVITY),
    "D_bulk_m2_s": Key("diffusivity.D_bulk", _DIFFUSIVITY),
    "conductivity_S_m": Key("diffusivity.D_bulk", between(1e-30, 1e6), there=_in_bulk),
    "vacancy_fraction": Key("diffusivity.vacancy_fraction", above(0.0, below=1.0)),
    "immobile_fraction": Key("diffusivity.immobile_fraction", between(0.0, below=1.0), there=_alone),
    "sed_fwhm_eV": Key("diffusivity.sed.sed_fwhm", _ENERGY, there=_sites(GaussianSED)),
    "mixing_time_s": Key("diffusivity.mixing_time", _TIME),
    "activation_energy_eV": Key("diffusivity.arrhenius.activation_energy", between(0.0, 5.0)),
    "reference_temperature_K": Key("diffusivity.arrhenius.reference_temperature", _TEMPERATURE),
}
"""Keys of an ion, below its name. One unit of conductivity is what Nernst and Einstein make of it."""

LISTS = {
    "sed_energy_eV": Key("diffusivity.sed.energy", Limits(), there=_sites(MixtureSED)),
    "sed_fwhm_eV": Key("diffusivity.sed.sed_fwhm", _ENERGY, there=_sites(MixtureSED)),
    "sed_weight": Key("diffusivity.sed.weight", above(0.0), there=_sites(MixtureSED)),
    "sed_slope_eV": Key("diffusivity.sed.slope", Limits(), there=_sites(SlopeSED)),
    "ln_D_coefficient": Key("diffusivity.coefficient", Limits()),
    "knot_D_m2_s": Key("diffusivity.D_knot", _DIFFUSIVITY),
}
"""Lists of numbers of an ion; each entry is a key, as `sed_weight.0`."""

_DEPTH = between(0.0, 1e5)
_FRACTION = between(0.0)

INITIAL = {
    "position_um": Key("position", _DEPTH, 1e-6),
    "width_um": Key("width", _DEPTH, 1e-6),
    "surface_fraction": Key("surface_fraction", _FRACTION),
    "deep_fraction": Key("deep_fraction", _FRACTION),
    "peak_fraction": Key("peak_fraction", _FRACTION),
}
"""Keys of the profile of an ion at the start, below `initial` and its name."""

STAGE = {
    "temperature_K": Key("temperature", _TEMPERATURE),
    "duration_s": Key("duration", _TIME),
    "duration_h": Key("duration", _TIME, 3600.0),
    "charge_C_m2": Key("charge", _CHARGE),
    "charge_mC_cm2": Key("charge", _CHARGE, 10.0),
    "potential_V": _level("potential", _POTENTIAL),
    "potential_end_V": _level("potential", _POTENTIAL, end=True),
    "current_density_A_m2": _level("current_density", _CURRENT),
    "current_density_end_A_m2": _level("current_density", _CURRENT, end=True),
    "exchange_rate_m_s": Key("front.exchange_rate", above(0.0, 1.0)),
}
"""Keys of a stage, below `stages` and its number."""

RESERVOIR = {"reservoir_fraction": Key("front.fraction", between(0.0))}
"""Fractions of a reservoir; each ion is a key, as `reservoir_fraction.K`. Their charge, that of the bulk, limits them
from above."""


NO_KEYS = {
    "output_times_s": "output points say where profiles are given",
    "output_charges_C_m2": "output points say where profiles are given",
    "knot_fraction": "knots say where the curve of a law is given; the values there may vary",
    "reference_fraction": "it says where D_m2_s is given, which may vary",
    "sed_occupied": "a table of sites is a curve; a mixture and a free form have numbers that vary",
}
"""Continuous inputs that are no keys, and why."""


_UNITS = {
    "eV": "eV", "K": "K", "V": "V", "m2_s": "m2 s-1", "m_s": "m s-1", "S_m": "S m-1", "nm": "nm", "um": "um",
    "mm": "mm", "m3": "m-3", "s": "s", "h": "h", "mC_cm2": "mC cm-2", "C_m2": "C m-2", "A_m2": "A m-2",
    "m2": "m2",
}  # fmt: skip
"""Units as they stand at the end of the name of a key, and as they are written in files of results."""


def unit_at_end(name: str) -> tuple[str, str]:
    """End of the name of a key that tells its unit, and the unit; nothing and `1` for a plain number."""
    end = max((end for end in _UNITS if name.endswith(f"_{end}")), key=len, default="")
    return end, _UNITS.get(end, "1")


def name_of(key: str) -> str:
    """Name in a key of an experiment: `potential_V` of `stages.0.potential_V`, `sed_weight` of `Li.sed_weight.1`."""
    part, *rest = key.split(".")
    return (rest[1] if part in ("stages", "initial") and len(rest) > 1 else rest[0]) if rest else key


def allowed_range(key: str) -> Limits:
    """Range of a key such as `Li.vacancy_fraction` or `stages.0.potential_V`; none for what is no key of a file."""
    part, *rest = key.split(".")
    if part == "stages":
        found = {**STAGE, **RESERVOIR}.get(rest[1]) if len(rest) > 1 else None
    elif part == "initial":
        found = INITIAL.get(rest[-1]) if rest else None
    elif part == "sample":
        found = SAMPLE.get(rest[-1]) if rest else None
    else:
        found = LISTS.get(rest[-2]) if rest and rest[-1].isdigit() else ION.get(rest[-1] if rest else "")
    return Limits() if found is None else found.limits
