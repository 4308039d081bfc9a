"""A simulation from its experiment file to results on disk: what `npp-jax simulate` does."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import jax
import numpy as np

from npp_jax.figures.simulation import figure_summary
from npp_jax.files import ConfigError, load_experiment
from npp_jax.files.experiment import files_of
from npp_jax.files.origin import Origin, check_targets
from npp_jax.files.solution import checksum, csv_texts, table_names, tables_of, write_solution
from npp_jax.files.toml import toml_text
from npp_jax.files.writing import draw, told_earlier, write_text, written_together
from npp_jax.physics import Experiment
from npp_jax.physics.cuts import drive_of
from npp_jax.simulation.simulate import SETTINGS
from npp_jax.simulation.solution import Solution
from npp_jax.simulation.status import STATUS_ADVICE, Status
from npp_jax.simulation.supported import Unsupported, check_supported
from npp_jax.simulation.to_target import LEVELS, simulate_to_target
from npp_jax.text.formats import FORMATS

Model = Literal["electroneutral", "full"]


def read_supported(file: Path, model: Model) -> Experiment:
    """Read an experiment file, which a model must be able to simulate.

    Raises
    ------
    ConfigError
        One line: the file, and what is wrong or not supported.
    """
    experiment = load_experiment(file)
    try:
        # Before compilation, inside which the bulk fractions have no values to check.
        check_supported(experiment, model)
    except Unsupported as error:
        raise ConfigError(f"{file}: {error}") from None
    return experiment


def run_simulation(
    experiment: Experiment,
    *,
    model: Model,
    setting: Literal["accurate", "fast"],
    on_level: Callable[[int, Solution], None] | None = None,
) -> Solution:
    """Simulate an experiment: `accurate` refines itself, `fast` is what a sweep makes of it.

    Raises
    ------
    ConfigError
        One line: a stage goes on after its trace.
    """
    levels = LEVELS if setting == "accurate" else 0
    solution = simulate_to_target(experiment, SETTINGS[setting], model=model, levels=levels, on_level=on_level)
    _check_covered(experiment, solution)
    # What is looked at number by number is not to be a program for each.
    return jax.device_get(solution)


def once_more(solution: Solution) -> str:
    """Why a solution is not kept, and what follows, in words."""
    report = solution.report
    status = Status(int(report.status))
    if status is Status.COARSE:
        profile, front = (float(np.max(np.asarray(e))) for e in (report.profile_error, report.front_error))
        reason = f"error estimate of {profile:.1e} (profiles) and {front * 1e9:.2g} nm (front) above the target"
    else:
        reason = STATUS_ADVICE[status].split(":")[0]
    return f"{reason}, once more with {2 * report.cells} cells"


def _check_covered(experiment: Experiment, solution: Solution) -> None:
    """Refuse a stage that reaches its charge after its trace has ended, which is known only now."""
    if int(solution.report.status) != Status.BEYOND_TRACE:
        return
    last = np.cumsum([len(stage.outputs) for stage in experiment.stages]) - 1
    lengths = np.diff(np.asarray(solution.time)[last], prepend=0.0)
    for k, (stage, length) in enumerate(zip(experiment.stages, lengths, strict=True)):
        drive = drive_of(stage)
        if drive is not None and drive.time is not None and length > float(drive.time[-1]):
            raise ConfigError(
                f"stages[{k}]: its charge is reached after {length:.6g} s, its trace ends at "
                f"{float(drive.time[-1]):.6g} s; a longer trace, or less charge, is needed"
            )


def origin_of(file: Path, model: Model) -> Origin:
    """Whose the results of an experiment file are: those of two models do not replace each other."""
    return Origin("simulate", file, model, tuple(files_of(file)))


def result_files(experiment: Experiment, file: Path, output: Path, csv: Path | None, form: str | None) -> list[Path]:
    """Files of a simulation: the solution first, the tables, the figure last; see `write_simulation`."""
    outputs = sum(len(stage.outputs) for stage in experiment.stages)
    tables = [] if csv is None else table_names(csv, outputs)
    return [output / f"{file.stem}.h5", *tables, *([] if form is None else [output / f"{file.stem}.{form}"])]


def check_results(targets: list[Path], origin: Origin, *, force: bool) -> None:
    """Refuse, before the work, what cannot be written or would replace another result; see `check_targets`."""
    check_targets(targets, origin, force=force, listed=_own_tables(targets[0], origin))


def _own_tables(result: Path, origin: Origin | None) -> dict[Path, str]:
    """Tables that an earlier result of the same origin lists, with their checksums, but for those that were edited."""
    return tables_of(result) if origin is not None and origin.made(result) else {}


def write_simulation(
    experiment: Experiment,
    solution: Solution,
    file: Path,
    output: Path,
    *,
    csv: Path | None,
    figure_format: str | None,
    command: str,
    origin: Origin | None = None,
    text: str | None = None,
) -> tuple[list[Path], list[str]]:
    """Write solution, tables and figure, all of them or none.

    Parameters
    ----------
    experiment, solution
        What was simulated, and the result.
    file
        Experiment file; the results have its name.
    output, csv
        Folders of the results and of the tables, which exist; None for no tables.
    figure_format
        Ending of the figure; None for no figure.
    command
        Command that made the result, kept as provenance.
    origin
        Whose the results are.
    text
        What the file said when it was read, kept as provenance; read now if not given.

    Returns
    -------
    The files, and a sentence if the figure could not be drawn.
    """
    result, *others = result_files(experiment, file, output, csv, figure_format)
    tables = [path for path in others if path.suffix == ".csv"]
    text = toml_text(file) if text is None else text
    texts = {} if csv is None else csv_texts(csv, solution)
    new = {path.resolve() for path in texts}
    own = _own_tables(result, origin).items()
    former = {path: told for path, told in own if path.exists() and path.resolve() not in new}
    # Tables of an earlier run beside these would be taken for theirs.
    stale = [path for path in former if csv is not None and path.parent.resolve() == csv.resolve()]
    left = {path: told for path, told in former.items() if path not in stale}
    listed = {path: checksum(table) for path, table in texts.items()} | left
    lost: list[str] = []
    with written_together():
        write_solution(result, solution, experiment_text=text, command=command, origin=origin, tables=listed)
        for path, table in texts.items():
            write_text(path, table)
        written = [result, *texts]
        for path in others[len(tables) :]:
            written += draw(path, lambda: figure_summary(experiment, solution), lost, origin=origin)
    for path in stale:
        path.unlink(missing_ok=True)
    if left:
        lost.append(f"{len(left)} tables of an earlier run, as {next(iter(left))}, are not of this one")
    # Edited since, or of a result that is elsewhere.
    beside = [] if csv is None else [path for path in sorted(csv.glob("profiles_*.csv")) if path.resolve() not in new]
    if beside:
        more = f", nor are {len(beside) - 1} more of its folder" if len(beside) > 1 else ""
        lost.append(f"{beside[0]} is not of this run{more}")
    return written, lost + told_earlier([output / f"{file.stem}.{form}" for form in FORMATS], written)
