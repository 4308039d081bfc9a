"""A simulation from its experiment file to results on disk: what `npp-jax simulate` does."""

import io
from pathlib import Path
from typing import Literal

import jax
from rich.console import Console
from rich.table import Table

from npp_jax.figures.simulation import figure_summary
from npp_jax.files import ConfigError, load_experiment
from npp_jax.files.solution import write_csv, write_solution
from npp_jax.files.writing import write_figure
from npp_jax.physics import Experiment
from npp_jax.simulation.simulate import ACCURATE, FAST, simulate
from npp_jax.simulation.solution import Solution
from npp_jax.simulation.supported import Unsupported, check_supported

Model = Literal["electroneutral", "full"]

_SETTINGS = {"accurate": ACCURATE, "fast": FAST}
_COLUMNS = (
    "time / h",
    "charge / mC cm⁻²",
    "front / nm",
    "width / nm",
    "plateau",
    "j / nA cm⁻²",
    "U / V",
    "excess / ‰",
    "front error / nm",
    "profile error",
)


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


def run_simulation(experiment: Experiment, *, model: Model, setting: Literal["accurate", "fast"]) -> Solution:
    """Simulate an experiment once."""
    controls = _SETTINGS[setting]
    # What runs once is not worth a compiler's care: half of the time of a first run.
    options = {"xla_backend_optimization_level": 0}
    compiled = jax.jit(lambda e: simulate(e, controls, model=model), compiler_options=options)
    return jax.block_until_ready(compiled(experiment))


def write_simulation(
    experiment: Experiment,
    solution: Solution,
    file: Path,
    output: Path,
    *,
    csv: Path | None,
    figure_format: str | None,
    command: str,
) -> list[Path]:
    """Write solution, tables and figure; return the files.

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
    """
    written = [output / f"{file.stem}.h5"]
    write_solution(written[0], solution, experiment_text=file.read_text(encoding="utf-8"), command=command)
    if csv is not None:
        written += write_csv(csv, solution)
    if figure_format is not None:
        written.append(output / f"{file.stem}.{figure_format}")
        write_figure(written[-1], figure_summary(experiment, solution))
    return written


def report_lines(solution: Solution) -> list[str]:
    """One row an output, and what the run cost."""
    table = Table(title=f"{solution.model}: {', '.join(solution.species)}")
    for name in _COLUMNS:
        table.add_column(name, justify="right")
    for k in range(len(solution.time)):
        excess = solution.excess_charge[k]
        extreme = float(excess[abs(excess).argmax()])
        table.add_row(
            f"{float(solution.time[k]) / 3600.0:.4g}",
            f"{float(solution.charge[k]) * 0.1:.4g}",
            f"{float(solution.front_depth[k]) * 1e9:.3f}",
            f"{float(solution.front_width[k]) * 1e9:.3f}",
            f"{float(solution.plateau[k]):.4f}",
            f"{float(solution.current_density[k]) * 1e5:.4g}",
            f"{float(solution.surface_potential[k]):.4g}",
            f"{1e3 * extreme:.3g}",
            f"{float(solution.report.front_error[k]) * 1e9:.2g}",
            f"{float(solution.report.profile_error[k]):.1e}",
        )
    console = Console(width=max(120, Console().width), file=io.StringIO(), record=True)
    console.print(table)
    report = solution.report
    return [
        console.export_text(styles=Console().is_terminal).rstrip("\n"),
        f"{report.cells} cells, {report.steps} steps, {int(report.iterations)} Newton iterations; "
        f"ion balance {float(report.ion_balance):.1e}",
    ]
