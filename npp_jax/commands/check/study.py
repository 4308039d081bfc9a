"""`npp-jax check` for a study: experiments, profiles, parameters, and the model at the values of the files."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from npp_jax.commands.check.checked import Checked, unit_shown
from npp_jax.commands.check.experiment import describe_experiment, experiment_warnings
from npp_jax.commands.check.measured import measured_lines, measured_warnings
from npp_jax.commands.check.misfit import MOST, Seen, cause
from npp_jax.commands.warnings import study_warnings
from npp_jax.figures.check import Start, figure_starts, in_measured_depth
from npp_jax.files.study import Study, load_study
from npp_jax.files.study_tables import ExperimentEntry, StudyTable
from npp_jax.files.toml import read_toml
from npp_jax.fitting import Measurement, Objective, with_systematic
from npp_jax.fitting.units import split_unit
from npp_jax.inference import Parameter
from npp_jax.observe import RECORDED, Record
from npp_jax.simulation.remarks import causes
from npp_jax.simulation.simulate import FAST
from npp_jax.simulation.solution import Solution
from npp_jax.simulation.status import STATUS_ADVICE, Status
from npp_jax.simulation.text_table import TextTable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WIDE = 30.0
"""Ratio of the ends of a linear range beyond which its lower part is hardly looked at."""
_FAR_RECORD, _FAR_CHARGE = 30.0, 8.0
"""Ratio of a record and the start beyond which its unit is asked for."""
_POOR = 10.0
"""χ² of a point beyond which the start is said to be far from the data."""


def check_study(path: Path) -> Checked:
    """Read a study with all its files, tell what it says, and simulate its start coarsely.

    Raises
    ------
    ConfigError
        A file is wrong.
    """
    study, table = load_study(path), read_toml(path, StudyTable)
    measurements = study.problem.measurements
    start = _simulate(study)
    lines = [f"study {path}: {study.title}"]
    warnings = [*study_warnings(study), *_unused(table.experiments), *_parameters(study, start.theta)]
    for k, (measurement, entry) in enumerate(zip(measurements, table.experiments, strict=True)):
        lines += [f"experiment {measurement.name}: {entry.file}", *describe_experiment(measurement.experiment)]
        lines += [*measured_lines(measurement, entry), start.line(k, measurement)]
        alike = (m for m, e in zip(measurements, table.experiments, strict=True) if e.file == entry.file)
        own = [
            *experiment_warnings(measurement.experiment, _warm(alike)),
            *measured_warnings(study.problem, measurement, entry),
        ]
        warnings += [f"{measurement.name}: {text}" for text in [*own, *start.warnings(k, measurement)]]
    lines += [_parameter_table(study, start.theta).text(), *_known_errors(study), *_plan(study)]
    status = Status(int(np.max(start.status)))
    if status is not Status.DONE:
        warnings.append(f"the start, with the setting fast: {STATUS_ADVICE[status]}")
    code = 4 if status is Status.NOT_FINITE else 3 if status is not Status.DONE else 0

    def draw() -> "Figure":
        return figure_starts(study.title or path.stem, [start.drawn(k, m) for k, m in enumerate(measurements)])

    return Checked(lines, warnings, tuple(study.identity.files.values()), draw, code)


class _Started(NamedTuple):
    """The model at the values of the files."""

    theta: np.ndarray
    solutions: list[Solution]
    signals: dict[int, np.ndarray]
    residuals: dict[int, np.ndarray]
    records: dict[int, list[tuple[Record, np.ndarray]]]
    """Those of each experiment with their courses at the start."""
    chi2: np.ndarray
    status: np.ndarray

    def line(self, k: int, measurement: Measurement) -> str:
        """Front and χ² of one experiment."""
        solution, at = self.solutions[k], (measurement.output, 0)
        front, width = (float(values[at]) * 1e9 for values in (solution.front_depth, solution.front_width))
        told = f"  start: front at {front:.4g} nm, {width:.4g} nm wide"
        # Less than the solver knows is none.
        told += f", {max(round(float(solution.plateau[at]), 9), 0.0):.3g} of the native ion behind it"
        if not measurement.points:
            return told
        return f"{told}; χ² {self.chi2[k]:.4g} for {measurement.points} points"

    def warnings(self, k: int, measurement: Measurement) -> Iterator[str]:
        """A start that has no numbers, that the data cannot show, or that is far from them."""
        profile, points = measurement.profile, measurement.points
        yield from (text for record, course in self.records.get(k, []) if (text := _far_record(record, course)))
        yield from causes(measurement.experiment, self.solutions[k])
        if points and np.isfinite(self.chi2[k]) and self.chi2[k] > _POOR * points:
            why = self._cause(k, measurement)
            yield f"the start is far from the data, χ² {self.chi2[k] / points:.3g} a point: {why}"
        if profile is None:
            return
        front = in_measured_depth(measurement, float(self.solutions[k].front_depth[measurement.output, 0]))
        used = np.asarray(profile.weight)[0] > 0.0
        first, last = (float(np.asarray(profile.depth)[used][end]) for end in (0, -1))
        if not first < front < last:
            yield (
                f"the front of the start lies at {front:.4g} nm, the points from {first:.4g} to {last:.4g} nm: the "
                "data cannot show it; are charge, density and depth scale right?"
            )

    def _cause(self, k: int, measurement: Measurement) -> str:
        """Where most of χ² lies: in what was recorded, or where in the profile."""
        seen = self._seen(k, measurement) if k in self.signals else None
        recorded = 1.0 - (0.0 if seen is None else float(np.sum(seen.chi2))) / self.chi2[k]
        if recorded > MOST and k in self.records:
            names = dict.fromkeys(RECORDED[record.quantity][0] for record, _ in self.records.get(k, []))
            return f"{recorded:.0%} of it in {' and '.join(names)}; are units and values right?"
        return "see the figure" if seen is None else cause(seen)

    def _seen(self, k: int, measurement: Measurement) -> Seen:
        profile, solution, at = measurement.profile, self.solutions[k], (measurement.output, 0)
        assert profile is not None
        weight = np.asarray(profile.weight)
        # Those of what is solved for come behind the points.
        rows = np.where(weight > 0.0, self.residuals[k][: weight.size].reshape(weight.shape), 0.0)
        place, width = float(solution.front_depth[at]), float(solution.front_width[at])
        front = (in_measured_depth(measurement, place), width * 1e9)
        fraction, depth = np.asarray(profile.fraction), np.asarray(profile.depth)
        return Seen(profile.species, depth, fraction, self.signals[k], np.sum(rows**2, axis=0), front)

    def drawn(self, k: int, measurement: Measurement) -> Start:
        """What the figure shows of one experiment."""
        solution = self.solutions[k]
        front = in_measured_depth(measurement, float(solution.front_depth[measurement.output, 0]))
        if k in self.signals and measurement.profile is not None:
            depth = np.asarray(measurement.profile.depth)
            return Start(measurement, depth, self.signals[k], measurement.profile.species, front)
        return Start(
            measurement,
            np.asarray(solution.depth[measurement.output, :, 0]) * 1e9,
            np.asarray(solution.fraction[measurement.output, :, :, 0]),
            solution.species,
            front,
        )


def _simulate(study: Study) -> _Started:
    problem = study.problem
    theta = np.array([_in_files(study, parameter) for parameter in problem.parameters])
    objective = Objective(problem, FAST, study.fit.model)

    @jax.jit
    def started(values: jax.Array) -> tuple:
        solutions = objective.solve(values)
        seen = objective.compare(solutions, values)
        return solutions, seen.signals, seen.residuals, objective.assess(solutions, values)

    solutions, signals, residuals, found = started(jnp.asarray(theta)[None])
    measured = [k for k, m in enumerate(problem.measurements) if m.profile is not None]
    drawn, rest = (
        {k: np.asarray(rows[0]) for k, rows in zip(measured, of[: len(measured)], strict=True)}
        for of in (signals, residuals)
    )
    records = dict[int, list[tuple[Record, np.ndarray]]]()
    each = [(k, record) for k, m in enumerate(problem.measurements) for record in m.records]
    for (k, record), course in zip(each, signals[len(measured) :], strict=True):
        records.setdefault(k, []).append((record, np.asarray(course[0])))
    return _Started(theta, solutions, drawn, rest, records, np.asarray(found.chi2[0]), np.asarray(found.status[0]))


def _far_record(record: Record, course: np.ndarray) -> str | None:
    """A record that is far from the start as a whole, as by its unit."""
    name, unit = RECORDED[record.quantity]
    measured, modelled = (float(np.median(np.abs(values))) for values in (np.asarray(record.value), course))
    most = _FAR_CHARGE if record.quantity == "charge" else _FAR_RECORD
    if not (measured > 0.0 and modelled > 0.0) or 1.0 / most < measured / modelled < most:
        return None
    factor = max(measured / modelled, modelled / measured)
    # Files may give a charge in both units.
    also = f" ({0.1 * measured:.4g} mC/cm²)" if record.quantity == "charge" else ""
    return (
        f"{name}: {measured:.4g} {unit}{also} was measured, {modelled:.4g} is that of the start, a factor of "
        f"{factor:.3g}: is the unit right?"
    )


def _in_files(study: Study, parameter: Parameter) -> float:
    """Value of a parameter in the first experiment that it enters."""
    entered = next(m for m in study.problem.measurements if study.problem.enters(parameter, m))
    return float(np.asarray(entered.value_of(parameter.keys[0])))


def _parameter_table(study: Study, theta: np.ndarray) -> TextTable:
    rows = []
    for parameter, value in zip(study.problem.parameters, theta, strict=True):
        unit = unit_shown(split_unit(parameter)[1])
        known = "" if parameter.prior is None else f"{parameter.prior.mean:g} ± {parameter.prior.sigma:g}"
        where = "all" if parameter.experiments is None else ", ".join(parameter.experiments)
        ends = f"{parameter.low:g} … {parameter.high:g}"
        rows.append(
            (parameter.name, f"{value:.5g}", unit, ends, parameter.scale, ", ".join(parameter.keys), where, known)
        )
    header = ("parameter", "in the file", "unit", "range", "scale", "keys", "experiments", "prior")
    return TextTable("parameters", header, tuple(rows))


def _known_errors(study: Study) -> Iterator[str]:
    """Parameters that a fit adds: what the import knows of depth scale, sensitivities and backgrounds, with errors."""
    for parameter in with_systematic(study.problem).parameters[len(study.problem.parameters) :]:
        prior = parameter.prior
        if prior is not None:
            error = f"{prior.sigma:.2%}" if parameter.scale == "log" else f"{prior.sigma:.2g}"
            # Where the fit uses the points that a level is of, its error is wider than the import printed.
            apart = "" if parameter.name.endswith("depth_scale") else " without the points that are fitted"
            yield f"  a fit varies {parameter.name} as well, {prior.mean:.5g} ± {error} by the import{apart}"


def _parameters(study: Study, theta: np.ndarray) -> Iterator[str]:
    """Ranges that do not hold the value of the file, or are of the wrong scale; parameters that no data see."""
    problem = study.problem
    measured = bool(problem.data)
    for parameter, value in zip(problem.parameters, theta, strict=True):
        if not parameter.low <= value <= parameter.high:
            ends = f"{parameter.low:g} … {parameter.high:g}"
            yield f"{parameter.name}: the file has {value:.5g}, outside of the range {ends}"
        if parameter.scale == "linear" and parameter.low > 0.0 and parameter.high > _WIDE * parameter.low:
            factor = parameter.high / parameter.low
            yield f'{parameter.name}: the range spans a factor of {factor:.3g}; scale = "log" looks at all of it'
        entered = [m for m in problem.measurements if problem.enters(parameter, m)]
        if measured and not any(m.points for m in entered):
            yield f"{parameter.name}: no experiment that it enters has a profile or a record; the fit cannot find it"
        others = {float(np.asarray(m.value_of(key))) for m in entered for key in parameter.keys}
        if len(others) > 1:
            told = " and ".join(f"{other:.5g}" for other in sorted(others)[:3])
            yield f"{parameter.name}: the files have {told}; all get the value of the parameter"
    if not measured:
        yield "no experiment has a profile or a record: a sweep shows what there may be, a fit has nothing to fit to"


def _unused(entries: list[ExperimentEntry]) -> Iterator[str]:
    """Keys of [[experiments]] that have no effect."""
    needing = {
        "response",
        "nuisance",
        "likelihood",
        "depth_scale",
        "sputter_ratio",
        "first_depth_nm",
        "counts_per_fraction",
    }
    for entry in entries:
        given = sorted(entry.model_fields_set & needing)
        if entry.profile is None and given:
            yield f"{entry.name}: {', '.join(given)} {'has' if len(given) == 1 else 'have'} no effect without a profile"


def _warm(measurements: Iterable[Measurement]) -> set[float]:
    """Temperatures of the measured conductivities [K]."""
    records = (record for measurement in measurements for record in measurement.records)
    return {float(at) for record in records if record.quantity == "conductivity" for at in np.asarray(record.at)}


def _plan(study: Study) -> Iterator[str]:
    """What a sweep and a fit would do."""
    fit, sweep = study.fit, study.sweep
    yield f"design: {study.design.size} candidates; sweep: {sweep.model}, {sweep.setting}, {sweep.dtype}"
    yield f"fit: {fit.starts} starts, {fit.model}, {fit.setting}, {fit.method}; {len(study.rivals)} rivals"
