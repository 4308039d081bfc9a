"""What is explored: a problem and where its page begins; from a study, from an experiment, or from Python."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from npp_jax.explorer.added import first_parameters
from npp_jax.explorer.state import Setting, View
from npp_jax.files import ConfigError, load_experiment
from npp_jax.files.measured import make_measurement
from npp_jax.files.seen_tables import ResponseTable
from npp_jax.files.study import Study, load_study
from npp_jax.files.study_out import RecordSource, Source, record_source
from npp_jax.files.study_tables import ExperimentEntry, StudyTable
from npp_jax.files.toml import read_toml
from npp_jax.files.writing import readable
from npp_jax.fitting import Measurement, Problem, with_systematic
from npp_jax.inference import Parameter, ParameterError
from npp_jax.observe import MINIMUM_POINTS
from npp_jax.simulation.supported import Unsupported, check_supported
from npp_jax.sweeping import Table

_UNKNOWN = ResponseTable(kind="gaussian", sigma_nm=0.0)
"""Depth resolution of a profile of which nobody has told it: perfect, until it has a slider."""


@dataclasses.dataclass(frozen=True)
class Subject:
    """Experiments, what was measured on them, and parameters with the values at which a page begins."""

    title: str
    name: str
    """Stem of the files that are downloaded."""
    problem: Problem
    values: tuple[float, ...]
    profiles: Mapping[str, Source] = dataclasses.field(default_factory=dict)
    """Files of measured profiles, by experiment."""
    records: Mapping[str, RecordSource] = dataclasses.field(default_factory=dict)
    """Tables and files of what else was recorded, by experiment."""
    notes: tuple[str, ...] = ()
    """What was changed on the way, one sentence each."""

    release: Setting = "accurate"
    """With what pictures are made once nothing moves."""

    def view(self) -> View:
        """The first state of its page."""
        return View(self.problem.parameters, self.values, (None,) * len(self.problem.measurements), self.release)

    def with_problem(self, problem: Problem, values: Mapping[str, float]) -> "Subject":
        """The subject with another problem; values of what is new come from its experiments."""
        begin = tuple(values.get(p.name, value_in(problem, p)) for p in problem.parameters)
        return dataclasses.replace(self, problem=problem, values=begin)


def subject_of_study(path: Path) -> Subject:
    """Study file; the page begins where a design of one candidate says, or else at what the experiments say.

    Raises
    ------
    ConfigError
        One line: file, key, value, what is allowed.
    """
    return of_study(load_study(path))


def of_study(study: Study) -> Subject:
    """The same of a study that was read."""
    problem = with_systematic(study.problem)
    one = study.design if isinstance(study.design, Table) and study.design.size == 1 else None
    given = {} if one is None else dict(zip(one.names, one.values[0].tolist(), strict=True))
    made = of_problem(problem, title=study.title, name=readable(study.path.stem), given=given)
    files = {
        m.name: Source.of(study.identity.files[key])
        for k, m in enumerate(problem.measurements)
        if (key := f"experiments[{k}].profile") in study.identity.files
    }
    entries = read_toml(study.path, StudyTable).experiments
    records = {entry.name: source for entry in entries if (source := record_source(entry, study.path.parent))}
    # A study of one candidate is what the page saves, with the setting of its picture.
    rough = one is not None and study.fit.setting == "fast"
    release = "full" if study.fit.model == "full" else "fast" if rough else "accurate"
    return dataclasses.replace(made, profiles=files, records=records, release=release)


def of_problem(
    problem: Problem, *, title: str = "", name: str = "explored", given: Mapping[str, float] | None = None
) -> Subject:
    """Subject of a problem, at given values and else at those of its experiments, all within their ranges."""
    values, notes = [], []
    for parameter in problem.parameters:
        value = (given or {}).get(parameter.name, value_in(problem, parameter))
        inside = min(max(value, float(parameter.low)), float(parameter.high))
        if inside != value:
            notes.append(f"{parameter.name} begins at {inside:.4g}: {value:.4g} of the file is outside of its range.")
        values.append(inside)
    return Subject(title, name, problem, tuple(values), notes=tuple(notes))


def subject_of_experiment(path: Path, data: Path | None = None) -> Subject:
    """Experiment file, and a profile that was measured on it.

    Raises
    ------
    ConfigError
        One line: file, key, value, what is allowed.
    """
    if data is None:
        measurement = Measurement(readable(path.stem), load_experiment(path))
    else:
        entry = ExperimentEntry(
            name=readable(path.stem), file=path.name, profile=str(data.absolute()), response=_UNKNOWN
        )
        try:
            measurement = make_measurement(entry, path.parent)
        except ConfigError:
            raise
        except ValueError as error:
            raise ConfigError(f"{data}: {error}") from None
        check_species(measurement, data.name)
    try:
        check_supported(measurement.experiment, "electroneutral")
    except Unsupported as error:
        raise ConfigError(f"{path}: {error}") from None
    problem = with_systematic(Problem((measurement,), first_parameters((measurement,))))
    made = of_problem(problem, title=measurement.experiment.title, name=readable(path.stem))
    return dataclasses.replace(made, profiles={} if data is None else {measurement.name: Source.of(data)})


def check_species(measurement: Measurement, source: str) -> None:
    """Refuse a profile of ions that its experiment does not have, or of too few points that count.

    Raises
    ------
    ConfigError
        In one line.
    """
    profile = measurement.profile
    assert profile is not None
    known = [ion.name for ion in measurement.experiment.species]
    other = [name for name in profile.species if name not in known]
    if other:
        raise ConfigError(f"{source}: {other[0]} is no ion of {measurement.name}, which has {', '.join(known)}")
    left = int(np.sum(np.asarray(profile.weight).max(axis=0) > 0.0))
    if left < MINIMUM_POINTS:
        raise ConfigError(f"{source}: {left} points count; at least {MINIMUM_POINTS} are needed")


def value_in(problem: Problem, parameter: Parameter) -> float:
    """What the experiments say of a parameter; the middle of its range where they say nothing."""
    for measurement in problem.measurements:
        for key in parameter.keys if problem.enters(parameter, measurement) else ():
            try:
                value = float(np.asarray(measurement.value_of(key)))
            except ParameterError:
                continue
            if np.isfinite(value):
                return value
    return float(parameter.at(np.array([0.5]))[0]) if parameter.bounded else 1.0
