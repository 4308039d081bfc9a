"""Study files: experiments, measured profiles, the parameters that vary, and the design of a sweep.

TOML, keys with units; a wrong file ends in a `ConfigError` of one line, like that of an experiment file.
"""

import dataclasses
import hashlib
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, ValidationError, model_validator

from npp_jax.config import ConfigError, ConfigTable, load_experiment, one_line
from npp_jax.fit import Bound, Bounds, Measurement, Parameter, Problem, with_free_form
from npp_jax.io.profile_table import read_measured
from npp_jax.observe import (
    MINIMUM_POINTS,
    AbstractLikelihood,
    AbstractResponse,
    DowsettResponse,
    GaussianLikelihood,
    GaussianResponse,
    NoResponse,
    NuisancePrior,
    Observation,
    PoissonLikelihood,
    StudentLikelihood,
)
from npp_jax.physics import SEDDiffusivity
from npp_jax.simulate import Unsupported, check_supported
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

SLOPE = "sed_slope_"
"""Names of the parameters of a free-form distribution begin with this."""


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


class LikelihoodTable(ConfigTable):
    """[experiments.likelihood]: law of the noise."""

    kind: Literal["gaussian", "student", "poisson"] = "gaussian"
    relative_sigma: NotNegative = 0.0
    degrees: Positive | None = None

    @model_validator(mode="after")
    def _complete(self) -> "LikelihoodTable":
        if self.degrees is not None and self.kind != "student":
            raise ValueError("degrees belongs to kind = 'student'")
        return self


class ExperimentEntry(ConfigTable):
    """[[experiments]]."""

    name: str = Field(min_length=1)
    file: str
    profile: str | None = None
    depth_scale: Positive = 1.0
    first_depth_nm: NotNegative = 0.0
    counts_per_fraction: Positive | None = None
    response: ResponseTable = ResponseTable()
    nuisance: NuisanceTable = NuisanceTable()
    likelihood: LikelihoodTable = LikelihoodTable()


class ParameterTable(ConfigTable):
    """[[parameters]]."""

    name: str = Field(min_length=1)
    keys: list[str] = Field(min_length=1)
    experiments: list[str] | None = None
    low: float
    high: float
    scale: Literal["linear", "log", "logit"] = "linear"
    levels: int | None = None
    prior_mean: float | None = None
    prior_sigma: Positive | None = None


class RivalTable(ConfigTable):
    """[[fit.rivals]]: another model of the same data, told by what differs."""

    name: str = Field(min_length=1)
    separate: list[str] = Field(default_factory=list)
    without: list[str] = Field(default_factory=list)
    parameters: list[ParameterTable] = Field(default_factory=list)
    files: dict[str, str] = Field(default_factory=dict)
    set: dict[str, Any] = Field(default_factory=dict)
    contains_first: bool | None = None
    free_form_knots: Annotated[int, Field(ge=4, le=60)] | None = None


class PosteriorTable(ConfigTable):
    """[fit.posterior]: draws from the posterior; no table, no draws."""

    chains: Annotated[int, Field(ge=4, le=1024)] = 16
    warm_up: Annotated[int, Field(ge=20, le=100_000)] = 100
    draws: Annotated[int, Field(ge=20, le=1_000_000)] = 150
    steps: Annotated[int, Field(ge=1, le=100)] = 3
    seed: Annotated[int, Field(ge=0)] = 0


class FitTable(ConfigTable):
    """[fit]."""

    starts: Annotated[int, Field(ge=1, le=4096)] = 16
    setting: Literal["accurate", "fast"] = "accurate"
    model: Literal["electroneutral", "full"] = "electroneutral"
    method: Literal["levenberg-marquardt", "lbfgs", "adam"] = "levenberg-marquardt"
    iterations: Annotated[int, Field(ge=1, le=10_000)] | None = None
    profile_points: Annotated[int, Field(ge=0, le=101)] = 9
    posterior: PosteriorTable | None = None
    rivals: list[RivalTable] = Field(default_factory=list)


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
        if self.model == "full" and self.dtype == "float32":
            raise ValueError("dtype = 'float32' does not resolve the currents of the full model; allowed is 'float64'")
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
    fit: FitTable = FitTable()


_TABLES: dict[str, type[ConfigTable]] = {
    "experiments": ExperimentEntry,
    "response": ResponseTable,
    "nuisance": NuisanceTable,
    "likelihood": LikelihoodTable,
    "fit": FitTable,
    "posterior": PosteriorTable,
    "rivals": RivalTable,
    "parameters": ParameterTable,
    "design": DesignTable,
    "sweep": SweepTable,
    "profile_grid": ProfileGridTable,
}


@dataclasses.dataclass(frozen=True)
class Rival:
    """One model of the data: the main one of a study, or another that competes with it."""

    name: str
    problem: Problem
    axes: tuple[Axis, ...]
    """Range and scale of each parameter."""
    bounds: Bounds
    """The same with the priors."""
    free_form: bool = False
    """Whether the site energy distribution is given by its slopes, which a prior holds together."""
    contains_main: bool = False
    """Whether the main model of the study is a case of this one."""


@dataclasses.dataclass(frozen=True)
class Study:
    """A study file, read and checked."""

    title: str
    main: Rival
    """The model of the study."""
    design: AbstractDesign
    sweep: SweepTable
    fit: FitTable
    rivals: tuple[Rival, ...]
    text: str
    """All files that make the study, the profiles by their checksum: its identity."""

    @property
    def problem(self) -> Problem:
        """Experiments and parameters of the main model."""
        return self.main.problem

    @property
    def axes(self) -> tuple[Axis, ...]:
        """Range and scale of each parameter of the main model."""
        return self.main.axes


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
        main = _model(table.title or path.stem, measurements, table.parameters)
        design = _design(table.design, main.axes, path.parent)
        rivals = tuple(_rival(rival, table, measurements, path.parent) for rival in table.fit.rivals)
        _check_names(main.problem, table.sweep)
        for model in (main, *rivals):
            for measurement in model.problem.measurements:
                check_supported(measurement.experiment, table.sweep.model)
    except ConfigError:
        raise
    except (DesignError, Unsupported, ValueError) as error:
        raise ConfigError(f"{path}: {error}") from None
    # What is done with the results of a sweep is no part of its identity.
    kept = [part for part in text.split("\n[") if not part.startswith(("fit]", "[fit."))]
    return Study(
        title=table.title,
        main=main,
        design=design,
        sweep=table.sweep,
        fit=table.fit,
        rivals=rivals,
        text="\n".join(
            [
                "\n[".join(kept),
                *(file.read_text(encoding="utf-8") for file in files),
                *(f"{file.name} sha256 {hashlib.sha256(file.read_bytes()).hexdigest()}" for file in profiles),
            ]
        ),
    )


def _model(name: str, measurements: tuple[Measurement, ...], tables: list[ParameterTable]) -> Rival:
    parameters = tuple(
        Parameter(p.name, tuple(p.keys), None if p.experiments is None else tuple(p.experiments)) for p in tables
    )
    return Rival(
        name,
        Problem(measurements, parameters),
        tuple(Axis(p.name, p.low, p.high, p.scale, p.levels) for p in tables),
        tuple(
            Bound(p.name, p.low, p.high, p.scale, prior_mean=p.prior_mean, prior_sigma=p.prior_sigma) for p in tables
        ),
    )


def _rival(rival: RivalTable, study: StudyTable, measurements: tuple[Measurement, ...], folder: Path) -> Rival:
    names = [measurement.name for measurement in measurements]
    known = [table.name for table in study.parameters]
    for kind, given, allowed in (
        ("separate", rival.separate, known),
        ("without", rival.without, known),
        ("files", rival.files, names),
    ):
        unknown = [name for name in given if name not in allowed]
        if unknown:
            raise ConfigError(f"rival '{rival.name}': {kind} = '{unknown[0]}'; known are {', '.join(allowed)}")
    tables: list[ParameterTable] = []
    for table in study.parameters:
        if table.name in rival.separate:
            own = table.experiments or names
            tables += [table.model_copy(update={"name": f"{table.name}_{n}", "experiments": [n]}) for n in own]
        elif table.name not in rival.without:
            tables.append(table)
    with_files = _changed(rival, study.experiments, measurements, folder)
    if rival.free_form_knots is not None:
        return _free_form(rival, with_files, [*tables, *rival.parameters])
    more = len(tables) + len(rival.parameters) > len(study.parameters)
    contains = rival.contains_first
    if contains is None:
        contains = more and not (rival.without or rival.files or rival.set)
    if contains and not more:
        raise ConfigError(f"rival '{rival.name}': a model that contains the first has more parameters than it")
    model = _model(rival.name, with_files, [*tables, *rival.parameters])
    return dataclasses.replace(model, contains_main=contains)


def _changed(
    rival: RivalTable, entries: list[ExperimentEntry], measurements: tuple[Measurement, ...], folder: Path
) -> tuple[Measurement, ...]:
    """The measurements with the experiments of a rival: other files, other keys where an experiment has their place."""
    if not rival.files and not rival.set:
        return measurements
    found, placed = [], set()
    for entry, measurement in zip(entries, measurements, strict=True):
        species = {s.name for s in measurement.experiment.species}
        own = {k: v for k, v in rival.set.items() if k.split(".")[0] in {"sample", "stages", *species}}
        placed |= set(own)
        path = folder / rival.files.get(entry.name, entry.file)
        found.append(dataclasses.replace(measurement, experiment=load_experiment(path, changes=own)))
    lost = [key for key in rival.set if key not in placed]
    if lost:
        raise ConfigError(f"rival '{rival.name}': set = '{lost[0]}' has no place in any experiment")
    return tuple(found)


def _free_form(rival: RivalTable, measurements: tuple[Measurement, ...], tables: list[ParameterTable]) -> Rival:
    """The native ion of every experiment gets a distribution given by its slopes, each of them a parameter."""
    natives = {s.name for m in measurements for s in m.experiment.species if isinstance(s.diffusivity, SEDDiffusivity)}
    if len(natives) != 1:
        raise ConfigError(f"rival '{rival.name}': free_form_knots needs one ion with a site energy distribution")
    (native,) = natives
    replaced = tuple(
        dataclasses.replace(m, experiment=with_free_form(m.experiment, rival.free_form_knots or 0))
        for m in measurements
    )
    shape = (f"{native}.sed_fwhm_eV", f"{native}.vacancy_fraction")
    kept = [table for table in tables if not set(table.keys) & set(shape)]
    slopes = [
        ParameterTable(name=f"{SLOPE}{k}_eV", keys=[f"{native}.sed_slope_eV.{k}"], low=0.005, high=1.0, scale="log")
        for k in range(rival.free_form_knots or 0)
    ]
    return dataclasses.replace(_model(rival.name, replaced, [*slopes, *kept]), free_form=True)


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
    profile = read_measured(
        folder / entry.profile, first_depth=entry.first_depth_nm, counts_per_fraction=entry.counts_per_fraction
    )
    left = int(np.sum(np.asarray(profile.weight)[0] > 0.0))
    if left < MINIMUM_POINTS:
        raise ConfigError(
            f"{entry.name}: {left} points of {entry.profile} lie below first_depth_nm = {entry.first_depth_nm:g}; at "
            f"least {MINIMUM_POINTS} are needed"
        )
    likelihood = _likelihood(entry.likelihood)
    if isinstance(likelihood, PoissonLikelihood) and profile.counts is None:
        raise ConfigError(f"{entry.name}: a poisson likelihood needs counts; give counts_per_fraction")
    count = len(profile.species)
    return Measurement(
        entry.name,
        experiment,
        profile,
        Observation(_response(entry.response), np.ones(count), np.zeros(count), depth_scale=entry.depth_scale),
        NuisancePrior(
            sensitivity_sigma=entry.nuisance.sensitivity_sigma, background_sigma=entry.nuisance.background_sigma
        ),
        likelihood,
    )


def _likelihood(table: LikelihoodTable) -> AbstractLikelihood:
    match table.kind:
        case "poisson":
            return PoissonLikelihood(relative_sigma=table.relative_sigma)
        case "student":
            return StudentLikelihood(degrees=table.degrees or 4.0, relative_sigma=table.relative_sigma)
    return GaussianLikelihood(relative_sigma=table.relative_sigma)


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
