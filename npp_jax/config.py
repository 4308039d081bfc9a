"""Experiment files: TOML of schema version 1 ↔ `Experiment`, with one clear line for everything that is wrong.

Keys carry their units. A wrong file ends in a `ConfigError` that names file, key, value, what is allowed and, for an
unknown key, the nearest known one.
"""

import csv
import difflib
import itertools
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import jax.numpy as jnp
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from npp_jax.physics import (
    AbstractDiffusivity,
    AbstractFront,
    AbstractSED,
    Arrhenius,
    Blocking,
    Closed,
    ConstantDiffusivity,
    Drive,
    Experiment,
    GaussianSED,
    IonBeamCurrent,
    IonBeamPotential,
    MixtureSED,
    Reservoir,
    Sample,
    SEDDiffusivity,
    Species,
    Stage,
    TabulatedSED,
)
from npp_jax.physics.nernst_einstein import nernst_einstein

Diffusion = Annotated[float, Field(gt=0.0, le=1e-4)]
Energy = Annotated[float, Field(gt=0.0, le=2.0)]
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Temperature = Annotated[float, Field(ge=50.0, le=2000.0)]
Potential = Annotated[float, Field(gt=0.0, le=1e5)]
Current = Annotated[float, Field(gt=0.0, le=1e6)]
Time = Annotated[float, Field(gt=0.0, le=1e12)]
Charge = Annotated[float, Field(gt=0.0, le=1e9)]


T = TypeVar("T")


class ConfigError(ValueError):
    """The experiment file is wrong; the message is one line."""


class ConfigTable(BaseModel):
    """A table of a TOML file: unknown keys and numbers that are not finite are refused."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, str_strip_whitespace=True)


class SampleTable(ConfigTable):
    """[sample]."""

    thickness_um: Annotated[float, Field(ge=1e-2, le=1e5)]
    permittivity: Annotated[float, Field(ge=1.0, le=1e4)]
    bulk_density_m3: Annotated[float, Field(ge=1e20, le=1e30)]


class SEDTable(ConfigTable):
    """Distribution of site energies other than one Gaussian."""

    kind: Literal["mixture", "table"]
    energy_eV: list[float] = Field(min_length=1)
    fwhm_eV: list[Energy] | None = None
    weight: list[Annotated[float, Field(gt=0.0)]] | None = None
    occupied: list[Annotated[float, Field(gt=0.0, lt=1.0)]] | None = None

    @model_validator(mode="after")
    def _columns(self) -> "SEDTable":
        columns = {"mixture": ("fwhm_eV", "weight"), "table": ("occupied",)}[self.kind]
        for name in ("fwhm_eV", "weight", "occupied"):
            values = getattr(self, name)
            if (values is not None) != (name in columns):
                raise ValueError(f"kind = '{self.kind}' takes the columns energy_eV, {', '.join(columns)}")
            if values is not None and len(values) != len(self.energy_eV):
                raise ValueError(f"{name} must have as many entries as energy_eV ({len(self.energy_eV)})")
        if self.kind == "table":
            for name in ("energy_eV", "occupied"):
                values = getattr(self, name)
                if len(values) < 4 or any(a >= b for a, b in itertools.pairwise(values)):
                    raise ValueError(f"{name} must increase and have at least 4 entries")
        return self


class DiffusivityTable(ConfigTable):
    """[species.diffusivity]."""

    law: Literal["constant", "sed"]
    D_m2_s: Diffusion | None = None
    D_bulk_m2_s: Diffusion | None = None
    conductivity_S_m: Annotated[float, Field(ge=1e-30, le=1e6)] | None = None
    sed_fwhm_eV: Energy | None = None
    sed: SEDTable | None = None
    vacancy_fraction: Annotated[float, Field(gt=0.0, lt=1.0)] | None = None
    immobile_fraction: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    filling: Literal["sharp", "fermi-dirac"] = "sharp"
    populations: Literal["separate", "intermixed"] = "separate"
    activation_energy_eV: Annotated[float, Field(ge=0.0, le=5.0)] | None = None
    reference_temperature_K: Temperature | None = None

    @model_validator(mode="after")
    def _complete(self) -> "DiffusivityTable":
        given = self.model_fields_set
        if (self.activation_energy_eV is None) != (self.reference_temperature_K is None):
            raise ValueError("activation_energy_eV and reference_temperature_K go together")
        if self.law == "constant":
            extra = sorted(given - {"law", "D_m2_s", "activation_energy_eV", "reference_temperature_K"})
            if extra:
                raise ValueError(f"law = 'constant' does not take {', '.join(extra)}")
            if self.D_m2_s is None:
                raise ValueError("law = 'constant' needs the key D_m2_s")
            return self
        if self.D_m2_s is not None:
            raise ValueError("law = 'sed' takes D_bulk_m2_s or conductivity_S_m, not D_m2_s")
        if (self.D_bulk_m2_s is None) == (self.conductivity_S_m is None):
            raise ValueError("law = 'sed' needs exactly one of the keys D_bulk_m2_s and conductivity_S_m")
        if (self.sed_fwhm_eV is None) == (self.sed is None):
            raise ValueError("law = 'sed' needs exactly one of the keys sed_fwhm_eV and sed")
        if self.vacancy_fraction is None:
            raise ValueError("law = 'sed' needs the key vacancy_fraction")
        return self


class SpeciesTable(ConfigTable):
    """[[species]]."""

    name: str = Field(min_length=1)
    charge: Annotated[int, Field(ge=1, le=4)] = 1
    bulk_fraction: Fraction
    back: Literal["releasing", "blocking"] = "releasing"
    diffusivity: DiffusivityTable


class StageTable(ConfigTable):
    """[[stages]]."""

    front: Literal["ion-beam", "closed", "reservoir", "blocking"]
    temperature_K: Temperature
    beam: str | None = None
    duration_s: Time | None = None
    duration_h: Time | None = None
    charge_C_m2: Charge | None = None
    charge_mC_cm2: Charge | None = None
    output_times_s: list[Time] | None = None
    output_charges_C_m2: list[Charge] | None = None
    potential_V: Potential | None = None
    potential_end_V: Potential | None = None
    potential_trace: str | None = None
    current_density_A_m2: Current | None = None
    current_density_end_A_m2: Current | None = None
    current_density_trace: str | None = None
    reservoir_fraction: dict[str, Fraction] | None = None
    exchange_rate_m_s: Annotated[float, Field(gt=0.0, le=1.0)] | None = None

    @model_validator(mode="after")
    def _consistent(self) -> "StageTable":
        ends = [k for k in ("duration_s", "duration_h", "charge_C_m2", "charge_mC_cm2") if getattr(self, k) is not None]
        if len(ends) != 1:
            raise ValueError(
                f"a stage has exactly one end: duration_s, duration_h, charge_C_m2 or charge_mC_cm2; "
                f"given: {ends or 'none'}"
            )
        drives = ("potential_V", "potential_trace", "current_density_A_m2", "current_density_trace")
        given = [k for k in drives if getattr(self, k) is not None]
        if self.front == "ion-beam":
            if self.beam is None:
                raise ValueError("front = 'ion-beam' needs the key beam")
            if len(given) != 1:
                raise ValueError(f"an ion beam has exactly one of {', '.join(drives)}; given: {given or 'none'}")
        elif (self.front == "blocking" and [k for k in given if k.startswith("potential")] != given) or (
            self.front == "blocking" and len(given) != 1
        ):
            raise ValueError("front = 'blocking' needs potential_V or potential_trace")
        elif self.front in ("closed", "reservoir") and given:
            raise ValueError(f"front = '{self.front}' takes no {given[0]}")
        if self.front != "ion-beam" and self.beam is not None:
            raise ValueError(f"front = '{self.front}' takes no beam")
        if (self.front == "reservoir") != (self.reservoir_fraction is not None):
            raise ValueError("reservoir_fraction belongs to front = 'reservoir', and only there")
        if self.front != "reservoir" and self.exchange_rate_m_s is not None:
            raise ValueError("exchange_rate_m_s belongs to front = 'reservoir', and only there")
        if self.front != "ion-beam" and self.duration is None:
            raise ValueError(f"front = '{self.front}' ends at a duration")
        for ramp, level in (("potential_end_V", "potential_V"), ("current_density_end_A_m2", "current_density_A_m2")):
            if getattr(self, ramp) is not None and (getattr(self, level) is None or self.duration is None):
                raise ValueError(f"{ramp} needs {level} and a duration")
        by_time = self.duration is not None
        times, end = (self.output_times_s, self.duration) if by_time else (self.output_charges_C_m2, self.end_charge)
        if (self.output_charges_C_m2 if by_time else self.output_times_s) is not None:
            raise ValueError(
                "outputs follow the end of the stage: output_times_s with a duration, output_charges_C_m2 with a charge"
            )
        if times and (any(a >= b for a, b in itertools.pairwise(times)) or times[-1] > _known(end) * (1 + 1e-9)):
            raise ValueError(f"output points must increase and not exceed the end of the stage ({end:g})")
        return self

    @property
    def duration(self) -> float | None:
        """Length of the stage [s]."""
        return self.duration_s if self.duration_h is None else 3600.0 * self.duration_h

    @property
    def end_charge(self) -> float | None:
        """Charge at which the stage ends [C/m²]."""
        return self.charge_C_m2 if self.charge_mC_cm2 is None else 10.0 * self.charge_mC_cm2


class ExperimentTable(ConfigTable):
    """A whole experiment file."""

    schema_version: Literal[1]
    title: str = ""
    sample: SampleTable
    species: list[SpeciesTable] = Field(min_length=1)
    stages: list[StageTable] = Field(min_length=1)

    @model_validator(mode="after")
    def _names(self) -> "ExperimentTable":
        names = [species.name for species in self.species]
        if len(set(names)) != len(names):
            raise ValueError(f"species names must differ, got {names}")
        for k, stage in enumerate(self.stages):
            named = [stage.beam] if stage.beam is not None else list(stage.reservoir_fraction or {})
            for name in named:
                if name not in names:
                    raise ValueError(f"stages[{k}] names the species '{name}', known are {', '.join(names)}")
        total = sum(species.bulk_fraction for species in self.species)
        if abs(total - 1.0) > 1e-6:
            raise ValueError(f"the bulk fractions must add up to 1, got {total:g}")
        return self


def load_experiment(path: str | Path, *, changes: Mapping[str, Any] | None = None) -> Experiment:
    """Read an experiment file.

    Parameters
    ----------
    path
        TOML file of schema version 1. Traces are looked for beside it.
    changes
        Keys that take another value than in the file, such as `Li.filling` or `stages.0.temperature_K`.

    Raises
    ------
    ConfigError
        One line: file, key, value, what is allowed.
    """
    path = Path(path)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not a TOML file: {error}") from None
    try:
        for key, value in (changes or {}).items():
            _table_of(table, key)[key.rpartition(".")[2]] = value
        return parse_experiment(table, folder=path.parent)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def _table_of(table: dict[str, Any], key: str) -> dict[str, Any]:
    """Table of a file in which a key stands: that of the sample, of a stage, of a species or of its diffusivity."""
    place, _, name = key.rpartition(".")
    parts: dict[str, Any] = {"sample": table.get("sample")}
    parts |= {f"stages.{k}": stage for k, stage in enumerate(table.get("stages", []))}
    for species in table.get("species", []):
        own = name in SpeciesTable.model_fields
        parts[species.get("name")] = species if own else species.get("diffusivity")
    found = parts.get(place)
    if not isinstance(found, dict):
        raise ConfigError(f"'{key}' has no place; known are {', '.join(f'{part}.KEY' for part in parts)}")
    return found


def parse_experiment(table: Mapping[str, Any], *, folder: Path = Path()) -> Experiment:
    """Turn the content of an experiment file into an `Experiment`.

    Raises
    ------
    ConfigError
        One line: key, value, what is allowed.
    """
    try:
        checked = ExperimentTable.model_validate(table)
    except ValidationError as error:
        raise ConfigError(one_line(error, ExperimentTable, _TABLES)) from None
    temperature = checked.stages[0].temperature_K
    sample = checked.sample
    return Experiment(
        sample=Sample(sample.thickness_um * 1e-6, sample.permittivity, sample.bulk_density_m3),
        species=tuple(
            Species(s.name, _law(s, sample.bulk_density_m3, temperature), s.bulk_fraction, s.charge, s.back)
            for s in checked.species
        ),
        stages=tuple(_stage(stage, folder, k) for k, stage in enumerate(checked.stages)),
        title=checked.title,
    )


def experiment_schema() -> dict[str, Any]:
    """JSON Schema of the experiment file, for editors."""
    return ExperimentTable.model_json_schema()


def _known(value: T | None) -> T:
    """A value that the checks of the tables have made sure of."""
    if value is None:
        raise ConfigError("incomplete table")
    return value


def _law(species: SpeciesTable, density: float, temperature: float) -> AbstractDiffusivity:
    table = species.diffusivity
    arrhenius = None
    if table.activation_energy_eV is not None:
        arrhenius = Arrhenius(table.activation_energy_eV, _known(table.reference_temperature_K))
    if table.law == "constant":
        return ConstantDiffusivity(_known(table.D_m2_s), arrhenius)
    bulk = table.D_bulk_m2_s
    if bulk is None:
        carriers = species.bulk_fraction * density
        if carriers == 0.0:
            raise ConfigError(f"species '{species.name}': conductivity_S_m needs an ion that is present in the bulk")
        bulk = nernst_einstein(_known(table.conductivity_S_m), carriers, temperature, charge_number=species.charge)
    return SEDDiffusivity(
        bulk,
        _sed(table),
        _known(table.vacancy_fraction),
        table.immobile_fraction,
        filling=table.filling,
        populations=table.populations,
        arrhenius=arrhenius,
    )


def _sed(table: DiffusivityTable) -> AbstractSED:
    if table.sed is None:
        return GaussianSED(_known(table.sed_fwhm_eV))
    if table.sed.kind == "mixture":
        return MixtureSED(
            jnp.asarray(table.sed.energy_eV), jnp.asarray(table.sed.fwhm_eV), jnp.asarray(table.sed.weight)
        )
    return TabulatedSED(jnp.asarray(table.sed.occupied), jnp.asarray(table.sed.energy_eV))


def _stage(table: StageTable, folder: Path, number: int) -> Stage:
    end = _known(table.duration if table.duration is not None else table.end_charge)
    points = (table.output_times_s if table.duration is not None else table.output_charges_C_m2) or []
    shares = [point / end for point in points]
    if not shares or shares[-1] < 1.0 - 1e-9:
        shares.append(1.0)
    shares[-1] = 1.0
    return Stage(
        front=_front(table, folder, number),
        temperature=table.temperature_K,
        duration=None if table.duration is None else jnp.asarray(table.duration),
        charge=None if table.end_charge is None else jnp.asarray(table.end_charge),
        outputs=tuple(shares),
    )


def _front(table: StageTable, folder: Path, number: int) -> AbstractFront:
    if table.front == "closed":
        return Closed()
    if table.front == "reservoir":
        fraction = {name: jnp.asarray(value) for name, value in _known(table.reservoir_fraction).items()}
        return Reservoir(fraction, table.exchange_rate_m_s)
    if table.potential_trace is not None or table.potential_V is not None:
        drive = _drive(table, "potential", "V", folder, number)
        return Blocking(drive) if table.front == "blocking" else IonBeamPotential(_known(table.beam), drive)
    return IonBeamCurrent(_known(table.beam), _drive(table, "current_density", "A_m2", folder, number))


def _drive(table: StageTable, name: str, unit: str, folder: Path, number: int) -> Drive:
    level, end = getattr(table, f"{name}_{unit}"), getattr(table, f"{name}_end_{unit}")
    if level is not None:
        if end is None:
            return Drive.constant(level)
        return Drive.trace(jnp.asarray([0.0, table.duration]), jnp.asarray([level, end]))
    return _read_trace(folder / getattr(table, f"{name}_trace"), f"{name}_{unit}", f"stages[{number}].{name}_trace")


def _read_trace(path: Path, column: str, key: str) -> Drive:
    """Measured trace: CSV with the columns time_s and the driven quantity."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        time = [float(row["time_s"]) for row in rows]
        value = [float(row[column]) for row in rows]
    except OSError as error:
        raise ConfigError(f"{key}: {path}: {error.strerror}") from None
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(
            f"{key}: {path}: needs the columns time_s and {column}, filled with numbers ({error})"
        ) from None
    increasing = all(a < b for a, b in itertools.pairwise(time))
    if len(time) < 2 or not increasing or not all(0.0 < v < 1e6 for v in value):
        raise ConfigError(f"{key}: {path}: needs two or more rows, times that increase, and positive values")
    return Drive.trace(jnp.asarray(time), jnp.asarray(value))


_TABLES: dict[str, type[ConfigTable]] = {
    "sample": SampleTable,
    "species": SpeciesTable,
    "diffusivity": DiffusivityTable,
    "sed": SEDTable,
    "stages": StageTable,
}


def one_line(error: ValidationError, root: type[ConfigTable], tables: Mapping[str, type[ConfigTable]]) -> str:
    """First problem of a validation, in one line: key, value, what is allowed."""
    # An unknown key is often the missing one with another unit: it says more.
    problems = error.errors()
    problem = next((p for p in problems if p["type"] == "extra_forbidden"), problems[0])
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in problem["loc"]).lstrip(".")
    if problem["type"] == "extra_forbidden":
        names = [part for part in problem["loc"][:-1] if isinstance(part, str)]
        known = sorted((tables[names[-1]] if names else root).model_fields)
        key = str(problem["loc"][-1])
        stem = key.split("_")[0]
        near = difflib.get_close_matches(key, known, n=1, cutoff=0.5) or [k for k in known if k.startswith(stem)][:1]
        hint = f"did you mean '{near[0]}'?" if near else f"known keys: {', '.join(known)}"
        return f"{place}: unknown key; {hint}"
    if problem["type"] == "missing":
        return f"{place}: missing key"
    message = problem["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    if problem["type"] == "value_error":
        return f"{place}: {message}" if place else message
    value = problem["input"]
    shown = f"{value!r}" if not isinstance(value, dict | list) else type(value).__name__
    return f"{place} = {shown}: {message}"
