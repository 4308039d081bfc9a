"""What the user says to `npp-jax new`."""

import dataclasses
import re
from pathlib import Path

from npp_jax.files import ConfigError
from npp_jax.physics.keys import ION, SAMPLE, STAGE
from npp_jax.physics.limits import above, between

_NAME = re.compile(r"[^\W_][\w.+-]*")
_COMMON = {"name", "profile"}
_GLASS = {"native", "foreign", "first_depth_nm", "counts_per_fraction", "temperature_K", "thickness_um", "density_m3"}
TAKEN = {
    "cait": _COMMON | _GLASS | {"charge_mC_cm2", "potential_V", "conductivity_S_m"},
    "melt": _COMMON | _GLASS | {"duration_h"},
    "poling": _COMMON | _GLASS | {"potential_V", "duration_h"},
    "couple": _COMMON | {"duration_h", "species"},
    "tracer": _COMMON | {"duration_h", "light", "heavy", "species"},
}
"""Options of each kind of file."""

_LIMITS = {
    **{name: STAGE[name].limits for name in ("charge_mC_cm2", "potential_V", "temperature_K", "duration_h")},
    **{name: SAMPLE[name].limits for name in ("thickness_um",)},
    "density_m3": SAMPLE["bulk_density_m3"].limits,
    "conductivity_S_m": ION["conductivity_S_m"].limits,
    "counts_per_fraction": above(0.0),
    "first_depth_nm": between(0.0),
}


@dataclasses.dataclass(frozen=True)
class Options:
    """Options, None where they were not given; units are in the names."""

    name: str | None = None
    profile: Path | None = None
    native: str | None = None
    foreign: str | None = None
    first_depth_nm: float | None = None
    counts_per_fraction: float | None = None
    charge_mC_cm2: float | None = None
    potential_V: float | None = None
    temperature_K: float | None = None
    duration_h: float | None = None
    thickness_um: float | None = None
    density_m3: float | None = None
    conductivity_S_m: float | None = None
    light: str | None = None
    heavy: str | None = None
    species: str | None = None

    def check(self, kind: str) -> None:
        """Refuse options that a kind of file has no place for.

        Raises
        ------
        ConfigError
            One line: the option, and those that there are.
        """
        given = {field.name for field in dataclasses.fields(self) if getattr(self, field.name) is not None}
        wrong = sorted(given - TAKEN[kind])
        if wrong:
            known = ", ".join(map(option, sorted(TAKEN[kind])))
            raise ConfigError(f"new {kind} takes no {option(wrong[0])}; it takes {known}")
        for name, limits in _LIMITS.items():
            value = getattr(self, name)
            if value is not None and not limits.hold(value):
                raise ConfigError(f"{option(name)} {value:g}: must be {limits}")
        if self.name is not None and not _NAME.fullmatch(self.name):
            raise ConfigError(f"--name {self.name!r}: letters, digits and . _ + - are allowed")
        if self.profile is None and (self.counts_per_fraction is not None or self.first_depth_nm is not None):
            raise ConfigError("--counts-per-fraction and --first-depth-nm belong to --profile")


def option(name: str) -> str:
    """An option as it is typed."""
    return "--" + name.replace("_", "-")
