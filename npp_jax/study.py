"""Study files: experiments, measured profiles, the parameters that vary, and the design of a sweep.

TOML, keys with units; a wrong file ends in a `ConfigError` of one line, like that of an experiment file.
"""

import csv
import dataclasses
import hashlib
import tomllib
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, ValidationError, model_validator

from npp_jax.config import ConfigError, ConfigTable, load_experiment, one_line
from npp_jax.fit import Measurement, Parameter, Problem
from npp_jax.io.sims.errors import SimsFileError
from npp_jax.io.sims.storage import read_profile
from npp_jax.observe import (
    AbstractResponse,
    DepthProfile,
    DowsettResponse,
    GaussianResponse,
    NoResponse,
    NuisancePrior,
    Observation,
)
from npp_jax.simulate import Unsupported
from npp_jax.sweep import (
    OBSERVABLES,
    AbstractDesign,
    Axis,
    DesignError,
    Grid,
    KeptProfiles,
    LatinHypercube,
    Sobol,
    Uniform,
    read_table,
    shared_values,
)

Positive = Annotated[float, Field(gt=0.0)]
NotNegative = Annotated[float, Field(ge=0.0)]


class ResponseTable(ConfigTable):
    """[experiments.response]: depth resolution."""

    kind: Literal["none", "gaussian", "dowsett"] = "none"
    leading_nm: NotNegative | None = None
    trailing_nm: NotNegative | None = None
    sigma_nm: NotNegative | None = None

    @model_validator(mode="after")
    def _complete(self) -> "ResponseTable":
        needed = {"none": set(), "gaussian": {"sigma_nm"}, "dowsett": {"leading_nm", "trailing_nm", "sigma_nm"}}
        given = self.model_fields_set - {"kind"}
        if given != needed[self.kind]:
            raise ValueError(f"kind = '{self.kind}' takes {', '.join(sorted(needed[self.kind])) or 'nothing else'}")
        return self


class NuisanceTable(ConfigTable):
    """[experiments.nuisance]: what is known of sensitivity and background, which are solved for."""

    sensitivity_sigma: NotNegative = 0.0
    background_sigma: NotNegative = 0.0


class ExperimentEntry(ConfigTable):
    """[[experiments]]."""

    name: str = Field(min_length=1)
    file: str
    profile: str | None = None
    depth_scale: Positive = 1.0
    first_depth_nm: NotNegative = 0.0
    response: ResponseTable = ResponseTable()
    nuisance: NuisanceTable = NuisanceTable()


class ParameterTable(ConfigTable):
    """[[parameters]]."""

    name: str = Field(min_length=1)
    keys: list[str] = Field(min_length=1)
    experiments: list[str] | None = None
    low: float
    high: float
    scale: Literal["linear", "log", "logit"] = "linear"
    levels: int | None = None


class DesignTable(ConfigTable):
    """[design]."""

    kind: Literal["sobol", "latin-hypercube", "random", "grid", "table"] = "sobol"
    candidates: Annotated[int, Field(ge=1, le=2**30)] | None = None
    seed: Annotated[int, Field(ge=0)] = 0
    file: str | None = None

    @model_validator(mode="after")
    def _complete(self) -> "DesignTable":
        if (self.kind == "table") != (self.file is not None):
            raise ValueError("file belongs to kind = 'table', and only there")
        if (self.kind in ("grid", "table")) == (self.candidates is not None):
            raise ValueError("candidates belongs to the kinds sobol, latin-hypercube and random, which need it")
        return self


class ProfileGridTable(ConfigTable):
    """[sweep.profile_grid]: evenly spaced depths in the sample."""

    first_nm: NotNegative = 0.0
    last_nm: Positive
    points: Annotated[int, Field(ge=2, le=10_000)]

    @model_validator(mode="after")
    def _increasing(self) -> "ProfileGridTable":
        if not self.first_nm < self.last_nm:
            raise ValueError(f"first_nm = {self.first_nm:g} must be less than last_nm = {self.last_nm:g}")
        return self


class SweepTable(ConfigTable):
    """[sweep]."""

    model: Literal["electroneutral", "full"] = "electroneutral"
    dtype: Literal["float64", "float32"] = "float64"
    chunk: Annotated[int, Field(ge=1, le=65536)] = 256
    error_estimate: bool = True
    profiles: bool = False
    profile_grid: ProfileGridTable | None = None

    @model_validator(mode="after")
    def _complete(self) -> "SweepTable":
        if self.profile_grid is not None and not self.profiles:
            raise ValueError("profile_grid belongs to profiles = true, and only there")
        return self

    @property
    def kept(self) -> KeptProfiles | None:
        """Profiles that the sweep keeps."""
        grid = self.profile_grid
        if not self.profiles or grid is None:
            return KeptProfiles() if self.profiles else None
        return KeptProfiles(np.linspace(grid.first_nm, grid.last_nm, grid.points))


class StudyTable(ConfigTable):
    """A whole study file."""

    schema_version: Literal[1]
    title: str = ""
    experiments: list[ExperimentEntry] = Field(min_length=1)
    parameters: list[ParameterTable] = Field(min_length=1)
    design: DesignTable = DesignTable(candidates=4096)
    sweep: SweepTable = SweepTable()


_TABLES: dict[str, type[ConfigTable]] = {
    "experiments": ExperimentEntry,
    "response": ResponseTable,
    "nuisance": NuisanceTable,
    "parameters": ParameterTable,
    "design": DesignTable,
    "sweep": SweepTable,
    "profile_grid": ProfileGridTable,
}


@dataclasses.dataclass(frozen=True)
class Study:
    """A study file, read and checked."""

    title: str
    problem: Problem
    axes: tuple[Axis, ...]
    """Range and scale of each parameter."""
    design: AbstractDesign
    sweep: SweepTable
    text: str
    """All files that make the study, the profiles by their checksum: its identity."""


def load_study(path: str | Path) -> Study:
    """Read a study file and the files that it names, which are looked for beside it.

    Raises
    ------
    ConfigError
        One line: file, key, value, what is allowed.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        table = StudyTable.model_validate(tomllib.loads(text))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not a TOML file: {error}") from None
    except ValidationError as error:
        raise ConfigError(f"{path}: {one_line(error, StudyTable, _TABLES)}") from None
    files = [path.parent / entry.file for entry in table.experiments]
    profiles = [path.parent / entry.profile for entry in table.experiments if entry.profile is not None]
    try:
        measurements = tuple(_measurement(entry, path.parent) for entry in table.experiments)
        parameters = tuple(
            Parameter(p.name, tuple(p.keys), None if p.experiments is None else tuple(p.experiments))
            for p in table.parameters
        )
        axes = tuple(Axis(p.name, p.low, p.high, p.scale, p.levels) for p in table.parameters)
        problem = Problem(measurements, parameters)
        design = _design(table.design, axes, path.parent)
        _check_names(problem, table.sweep)
    except ConfigError:
        raise
    except (DesignError, Unsupported, ValueError) as error:
        raise ConfigError(f"{path}: {error}") from None
    return Study(
        title=table.title,
        problem=problem,
        axes=axes,
        design=design,
        sweep=table.sweep,
        text="\n".join(
            [
                text,
                *(file.read_text(encoding="utf-8") for file in files),
                *(f"{file.name} sha256 {hashlib.sha256(file.read_bytes()).hexdigest()}" for file in profiles),
            ]
        ),
    )


def _check_names(problem: Problem, sweep: SweepTable) -> None:
    """Names that a file of results can hold."""
    taken = {*OBSERVABLES, *shared_values(problem), "candidate", "configuration"}
    if sweep.kept is not None:
        taken |= {*sweep.kept.variables(problem), *sweep.kept.coordinates(problem)}
    for parameter in problem.parameters:
        if parameter.name in taken or "/" in parameter.name:
            raise ValueError(f"parameters: the name '{parameter.name}' is taken or has a slash")
    if sweep.profiles and sweep.profile_grid is None and all(m.profile is None for m in problem.measurements):
        raise ValueError("sweep.profiles: nothing was measured, so that a profile_grid is needed")


def _measurement(entry: ExperimentEntry, folder: Path) -> Measurement:
    experiment = load_experiment(folder / entry.file)
    if entry.profile is None:
        return Measurement(entry.name, experiment)
    read = _read_imported if entry.profile.endswith(".h5") else read_profile_table
    profile = read(folder / entry.profile, first_depth=entry.first_depth_nm)
    count = len(profile.species)
    return Measurement(
        entry.name,
        experiment,
        profile,
        Observation(_response(entry.response), np.ones(count), np.zeros(count), depth_scale=entry.depth_scale),
        NuisancePrior(
            sensitivity_sigma=entry.nuisance.sensitivity_sigma, background_sigma=entry.nuisance.background_sigma
        ),
    )


def _response(table: ResponseTable) -> AbstractResponse:
    if table.kind == "gaussian":
        return GaussianResponse(table.sigma_nm or 0.0)
    if table.kind == "dowsett":
        return DowsettResponse(table.leading_nm or 0.0, table.trailing_nm or 0.0, table.sigma_nm or 0.0)
    return NoResponse()


def _design(table: DesignTable, axes: tuple[Axis, ...], folder: Path) -> AbstractDesign:
    names = [axis.name for axis in axes]
    if table.kind == "grid":
        return Grid(axes)
    if table.kind == "table":
        return read_table(folder / (table.file or ""), names, names)
    kinds = {"sobol": Sobol, "latin-hypercube": LatinHypercube, "random": Uniform}
    return kinds[table.kind](axes, candidates=table.candidates or 0, seed=table.seed)


def _read_imported(path: Path, *, first_depth: float = 0.0) -> DepthProfile:
    """Profile written by `npp-jax import-sims`."""
    try:
        stored = read_profile(path)
        used = np.where(stored.depth_nm >= first_depth, 1.0, 0.0)
        return DepthProfile(stored.depth_nm, stored.species, stored.fraction, stored.sigma, weight=used)
    except (OSError, SimsFileError, ValueError) as error:
        raise ConfigError(f"{path}: {error}") from None


def read_profile_table(path: Path, *, first_depth: float = 0.0) -> DepthProfile:
    """Read a measured depth profile: CSV with the columns depth_nm, NAME and NAME_sigma of each species.

    Parameters
    ----------
    path
        The file. Lines that begin with # are comments.
    first_depth
        Points above are masked: the transient at the surface. [nm]

    Raises
    ------
    ConfigError
        One line: file, line, column, what is wrong.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = [(number, line) for number, line in enumerate(file, 1) if line.strip() and line[0] != "#"]
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not a text file: {error}") from None
    names = [name.strip() for name in lines[0][1].split(",")] if lines else []
    species = [name for name in names[1:] if not name.endswith("_sigma")]
    if not species or names != ["depth_nm", *(x for s in species for x in (s, f"{s}_sigma"))]:
        raise ConfigError(
            f"{path}: the columns must be depth_nm, NAME, NAME_sigma, …, got {', '.join(names) or 'none'}"
        )
    table = np.empty((len(lines) - 1, len(names)))
    fields_of = csv.reader(line for _, line in lines[1:])
    for row, ((number, _), fields) in enumerate(zip(lines[1:], fields_of, strict=True)):
        if len(fields) != len(names):
            raise ConfigError(f"{path}: line {number}: {len(fields)} fields, the header has {len(names)}")
        for column, field in enumerate(fields):
            try:
                table[row, column] = float(field)
            except ValueError:
                raise ConfigError(f"{path}: line {number}: {names[column]} = '{field}' is not a number") from None
    try:
        return DepthProfile(
            table[:, 0],
            species,
            table[:, 1::2].T,
            table[:, 2::2].T,
            weight=np.where(table[:, 0] >= first_depth, 1.0, 0.0),
        )
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from None
