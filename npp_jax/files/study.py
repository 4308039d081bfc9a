"""Study files to studies: every file that they name is read and checked.

A wrong file ends in a `ConfigError` of one line, like that of an experiment file.
"""

import dataclasses
import itertools
import os
from collections.abc import Mapping
from pathlib import Path

from npp_jax.files import ConfigError
from npp_jax.files.hypotheses import Hypothesis, make_rival
from npp_jax.files.identity import Identity, identify
from npp_jax.files.measured import make_measurement
from npp_jax.files.next_experiments import Next, make_next
from npp_jax.files.recorded import record_files
from npp_jax.files.study_tables import DesignTable, FitTable, StudyTable, SweepTable
from npp_jax.files.sweep_export import observable_columns
from npp_jax.files.toml import read_toml, toml_text
from npp_jax.files.writing import readable
from npp_jax.fitting import Measurement, Problem
from npp_jax.fitting.observed import key_range
from npp_jax.inference import Parameters
from npp_jax.simulation.solution import Model
from npp_jax.simulation.supported import Unsupported, check_supported
from npp_jax.sweeping import (
    OBSERVABLES,
    AbstractDesign,
    DesignError,
    Grid,
    LatinHypercube,
    Sobol,
    Table,
    Uniform,
    read_table,
    shared_values,
)


@dataclasses.dataclass(frozen=True)
class Study:
    """A study file, read and checked."""

    title: str
    main: Hypothesis
    """What the study takes to be true."""
    design: AbstractDesign
    sweep: SweepTable
    fit: FitTable
    rivals: tuple[Hypothesis, ...]
    path: Path
    """The study file."""
    text: str
    """Its content, as it was written."""
    identity: Identity
    """What makes its sweep, and the files that it reads."""
    truth: Mapping[str, float] = dataclasses.field(default_factory=dict)
    """Parameters behind synthetic profiles, by their names; empty for what was measured."""
    next: Next | None = None
    """Experiments that could be made next, where the study names some."""

    @property
    def problem(self) -> Problem:
        """Experiments and parameters of the main hypothesis."""
        return self.main.problem


def load_study(path: str | Path) -> Study:
    """Read a study file and the files that it names, which are looked for beside it.

    Raises
    ------
    ConfigError
        One line: file, key, value, what is allowed.
    """
    path = Path(path)
    table = read_toml(path, StudyTable)
    for k, entry in enumerate(table.experiments):
        for key, name in (("file", entry.file), ("profile", entry.profile), *record_files(entry).items()):
            if name is not None and not os.path.exists(path.parent / name):
                raise ConfigError(f"{path}: experiments[{k}].{key} = '{name}': No such file or directory")
    try:
        measurements = tuple(make_measurement(entry, path.parent) for entry in table.experiments)
        parameters = tuple(entry.parameter() for entry in table.parameters)
        main = Hypothesis(table.title or readable(path.stem), Problem(measurements, parameters))
        design = _design(table.design, parameters, path.parent)
        _check_ranges(main, design)
        rivals = tuple(make_rival(rival, main, table.experiments, path.parent) for rival in table.fit.rivals)
        _check_names(main.problem, table.sweep)
        _check_truth(table.truth, main)
        proposals = None
        if table.next is not None:
            proposals = make_next(table.next, table.experiments, main, table.fit.rivals, path.parent)
            # What cannot be simulated would be refused after the fit only.
            for proposal in itertools.chain(proposals.proposals, *proposals.rivals):
                _check_supported(proposal.measurement, table.fit.model, "next.experiments", proposal.name)
        for hypothesis in (main, *rivals):
            of = "experiments" if hypothesis is main else f"fit.rivals: '{hypothesis.name}'"
            for measurement in hypothesis.problem.measurements:
                _check_supported(measurement, table.sweep.model, of, measurement.name)
    except ConfigError:
        # It names the file that it is about.
        raise
    except (DesignError, Unsupported, ValueError) as error:
        raise ConfigError(f"{path}: {error}") from None
    return Study(
        title=table.title,
        main=main,
        design=design,
        sweep=table.sweep,
        fit=table.fit,
        rivals=rivals,
        path=path,
        text=toml_text(path),
        identity=identify(path, table),
        truth=table.truth,
        next=proposals,
    )


def _check_supported(measurement: Measurement, model: Model, table: str, name: str) -> None:
    """An experiment can be simulated; if not, it is told which."""
    try:
        check_supported(measurement.experiment, model)
    except (Unsupported, ValueError) as error:
        raise ValueError(f"{table}: '{name}': {error}") from None


def _check_truth(truth: Mapping[str, float], main: Hypothesis) -> None:
    """Each name that of a parameter."""
    known = [parameter.name for parameter in main.parameters]
    for name in truth:
        if name not in known:
            raise ValueError(f"truth: '{name}' is no parameter; known are {', '.join(known)}")


_EDGE = 1e-9
"""Share of an end of a range by which digits of a table may miss it."""


def _check_ranges(main: Hypothesis, design: AbstractDesign) -> None:
    """Candidates of a table within the ranges of the keys."""
    if not isinstance(design, Table):
        return
    for parameter in main.problem.parameters:
        column = design.values[:, design.names.index(parameter.name)]
        for key in parameter.keys:
            limits = key_range(key)
            wrong = [value for value in (float(column.min()), float(column.max())) if not limits.hold(value)]
            if wrong:
                raise ValueError(f"the table of candidates has {parameter.name} = {wrong[0]:g}: {key} must be {limits}")
        low, high = float(parameter.low), float(parameter.high)
        outside = [value for value in column.tolist() if not low * (1.0 - _EDGE) <= value <= high * (1.0 + _EDGE)]
        if outside:
            raise ValueError(
                f"the table of candidates has {parameter.name} = {outside[0]:g}: its range is {low:g} to {high:g}"
            )
    least, most = design.values.min(axis=0).tolist(), design.values.max(axis=0).tolist()
    main.problem.check_ranges(dict(zip(design.names, zip(least, most, strict=True), strict=True)))


def _check_names(problem: Problem, sweep: SweepTable) -> None:
    """Names that a file of results can hold."""
    taken = {*OBSERVABLES, *shared_values(problem), "candidate", "configuration"}
    taken |= set(observable_columns([m.name for m in problem.measurements]))
    if sweep.kept is not None:
        taken |= {*sweep.kept.variables(problem), *sweep.kept.coordinates(problem)}
    for parameter in problem.parameters:
        if parameter.name in taken or "/" in parameter.name:
            raise ValueError(f"parameters: the name '{parameter.name}' is taken or has a slash")
    if sweep.profiles and sweep.profile_grid is None and not problem.data:
        raise ValueError("sweep.profiles: nothing was measured, so that a profile_grid is needed")


def _design(table: DesignTable, parameters: Parameters, folder: Path) -> AbstractDesign:
    names = [parameter.name for parameter in parameters]
    if table.kind == "grid":
        return Grid().over(parameters)
    if table.kind == "table":
        return read_table(folder / (table.file or ""), names, names).over(parameters)
    kinds = {"sobol": Sobol, "latin-hypercube": LatinHypercube, "random": Uniform}
    return kinds[table.kind](table.candidates or 0, seed=table.seed).over(parameters)
