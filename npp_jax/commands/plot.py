"""Figures of stored results: what `npp-jax plot` does."""

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from npp_jax.figures.simulation import figure_summary
from npp_jax.figures.sweep_pages import sweep_figures
from npp_jax.files import ConfigError, parse_experiment
from npp_jax.files.origin import Origin, check_targets
from npp_jax.files.solution import read_solution, reading_solution
from npp_jax.files.writing import check_figure, write_figure, written_together
from npp_jax.simulation.status import Status
from npp_jax.sweeping import is_sweep

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def default_target(file: Path) -> Path:
    """Figure that is called otherwise than those of the commands that make results."""
    return file.with_name(f"{file.stem}_plot.png")


def draw_stored(file: Path, target: Path, *, force: bool = True) -> list[Path]:
    """Draw the figures of a result of `npp-jax simulate` or `npp-jax sweep`.

    Parameters
    ----------
    file
        The result.
    target
        Figure; its ending gives the format. Those of a sweep are `figure_landscape.png` and so on for `figure.png`.
    force
        Replace what is there and is no figure of this result.

    Returns
    -------
    The files that were written.

    Raises
    ------
    ConfigError, SweepFileError
        The file is no such result, no format has the ending of the figure, or another file is there.
    OSError
        The figures cannot be written.
    """
    try:
        check_figure(target)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    if is_sweep(file):
        figures = {
            target.with_name(f"{target.stem}_{name}{target.suffix}"): figure
            for name, figure in sweep_figures(file).items()
        }
    else:
        figures = {target: _summary(file)}
    origin = Origin("plot", file)
    check_targets(figures, origin, force=force)
    with written_together():
        for path, figure in figures.items():
            write_figure(path, figure, origin=origin)
    return list(figures)


def _summary(file: Path) -> "Figure":
    solution = read_solution(file)
    if int(solution.report.status) == Status.NOT_FINITE:
        raise ConfigError(f"{file}: the simulation has no finite result; there is nothing to draw")
    with reading_solution(file) as reader:
        text = reader.text("experiment")
    try:
        experiment = parse_experiment(_without_traces(tomllib.loads(text)))
    except (tomllib.TOMLDecodeError, ConfigError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{file}: the experiment that it tells is none: {error}") from None
    names = tuple(species.name for species in experiment.species)
    if names != solution.species:
        told = f"its species are {', '.join(solution.species)}, those of its experiment {', '.join(names)}"
        raise ConfigError(f"{file}: {told}")
    return figure_summary(experiment, solution)


def _without_traces(table: dict[str, Any]) -> dict[str, Any]:
    """Experiment that needs no other file. Traces lie beside the experiment file, not beside the result, and no figure
    shows them: what the potential and the current were is in the solution.
    """
    levels = {"potential_trace": "potential_V", "current_density_trace": "current_density_A_m2"}
    stages = [
        {levels.get(key, key): 1.0 if key in levels else value for key, value in stage.items()}
        for stage in table["stages"]
    ]
    return {**table, "stages": stages}
