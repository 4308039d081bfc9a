"""Figures of stored results: what `npp-jax plot` does."""

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from npp_jax.commands.plot_fit import FIT, fit_figures
from npp_jax.commands.plot_tracer import TRACER, tracer_figure
from npp_jax.figures.sims import figure_profile
from npp_jax.figures.simulation import figure_summary
from npp_jax.figures.sweep_pages import sweep_figures
from npp_jax.files import ConfigError, parse_experiment, sims_profile
from npp_jax.files.origin import Origin, check_targets
from npp_jax.files.solution import TITLE as SIMULATION
from npp_jax.files.solution import read_solution, reading_solution
from npp_jax.files.toml import parsed_toml
from npp_jax.files.writing import check_figure, write_figure, written_together
from npp_jax.simulation.status import Status
from npp_jax.store.reading import FileFault, reading
from npp_jax.store.stored import TITLE as SWEEP
from npp_jax.sweeping import SweepFileError
from npp_jax.text.errors import OneLineError, shorten

if TYPE_CHECKING:
    from matplotlib.figure import Figure


_DRAWN = "results of simulate, sweep, fit, tracer and import-sims"


def target_of(file: Path, output: Path | None) -> Path:
    """The figure for a place: a file with the ending of a format, a folder, or beside the result.

    In a folder it is called otherwise than the figures of the commands that make results.
    """
    folder = file.parent if output is None else output
    if output is not None and output.suffix and not output.is_dir():
        return output
    return folder / f"{file.stem}_plot.png"


def draw_stored(file: Path, target: Path, *, force: bool = True) -> list[Path]:
    """Draw the figures of a result of any command.

    Parameters
    ----------
    file
        The result.
    target
        Figure; its ending gives the format. Those of a sweep or a fit are `figure_landscape.png` and so on for
        `figure.png`.
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
    origin = Origin("plot", file)
    with _drawing(file):
        figures = {
            target.with_name(f"{target.stem}{name and '_'}{name}{target.suffix}"): figure
            for name, figure in _figures(file).items()
        }
        check_targets(figures, origin, force=force)
        with written_together():
            for path, figure in figures.items():
                write_figure(path, figure, origin=origin)
    return list(figures)


@contextlib.contextmanager
def _drawing(file: Path) -> Iterator[None]:
    """Tell in one line what numbers of a damaged result, read as they are, make of a figure.

    Raises
    ------
    ConfigError
        The figure cannot be drawn.
    """
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            # What the library of the figures warns of, as a logarithmic axis of negative numbers, is seen in them.
            warnings.simplefilter("ignore", UserWarning)
            yield
    except (OneLineError, FileFault, SweepFileError):
        raise
    except (ValueError, ArithmeticError) as error:
        words = shorten(" ".join(str(error).split()), 120)
        raise ConfigError(f"{file}: its numbers cannot be drawn, is it damaged? ({words})") from None


def _figures(file: Path) -> dict[str, "Figure"]:
    """Figures of a result by their names; one alone has none."""
    try:
        title = _title(file)
        if title == SWEEP:
            return sweep_figures(file)
        if title == sims_profile.TITLE:
            return {"": figure_profile(sims_profile.read_profile(file))}
        if title == SIMULATION:
            return {"": _summary(file)}
        if title == FIT:
            return fit_figures(file)
        if title.startswith(TRACER):
            return {"": tracer_figure(file, title.removeprefix(TRACER))}
    except FileFault as error:
        raise ConfigError(str(error)) from None
    told = f"its title is '{shorten(title)}'" if title else "it has no title"
    raise ConfigError(f"{file}: not a result of npp_jax, or damaged: {told}; plot draws {_DRAWN}")


def _title(file: Path) -> str:
    """Title of a result; nothing where it has none.

    Raises
    ------
    FileFault
        The file cannot be read.
    """
    with reading(file, "a result of npp_jax (HDF5)") as reader:
        title = reader.attribute("title")
        return title if isinstance(title, str) else ""


def _summary(file: Path) -> "Figure":
    solution = read_solution(file)
    if int(solution.report.status) == Status.NOT_FINITE:
        raise ConfigError(f"{file}: the simulation has no finite result; there is nothing to draw")
    with reading_solution(file) as reader:
        text = reader.text("experiment")
    try:
        experiment = parse_experiment(_without_traces(parsed_toml(text)))
    except (ConfigError, KeyError, TypeError, AttributeError) as error:
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
