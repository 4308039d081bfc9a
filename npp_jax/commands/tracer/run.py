"""A tracer study from its file to results on disk: what `npp-jax tracer` does."""

from pathlib import Path
from typing import TYPE_CHECKING

from npp_jax.commands.tracer.arrhenius import run_arrhenius
from npp_jax.commands.tracer.chain import run_chain
from npp_jax.commands.tracer.evolution import run_evolution
from npp_jax.commands.tracer.map import run_map
from npp_jax.commands.tracer.profile import run_profile
from npp_jax.commands.tracer.report import TracerReport
from npp_jax.commands.tracer.results import write_tracer
from npp_jax.commands.tracer.study import (
    ArrheniusStudy,
    ChainStudy,
    EvolutionStudy,
    MapStudy,
    ProfileStudy,
    TracerStudy,
    data_files,
)
from npp_jax.files.origin import Origin
from npp_jax.files.writing import draw, written_together

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def run_tracer(study: TracerStudy, folder: Path) -> TracerReport:
    """Run a study of any kind.

    Parameters
    ----------
    study
        What to do.
    folder
        Where the files lie that it names.

    Raises
    ------
    ConfigError
        One of them is wrong.
    """
    match study:
        case ProfileStudy():
            return run_profile(study, folder)
        case EvolutionStudy():
            return run_evolution(study, folder)
        case ChainStudy():
            return run_chain(study, folder)
        case MapStudy():
            return run_map(study, folder)
        case ArrheniusStudy():
            return run_arrhenius(study)


def origin_of(study: TracerStudy, file: Path) -> Origin:
    """Whose the results of a study file are."""
    return Origin("tracer", file, reads=tuple(file.parent / name for name in data_files(study)))


def result_files(output: Path, stem: str, *, format: str = "png") -> list[Path]:
    """Paths of result and figure of a study.

    Parameters
    ----------
    output, stem
        Folder of the results, and name of the files without ending.
    format
        Format of the figure.
    """
    return [output / f"{stem}.{ending}" for ending in ("h5", format)]


def write_report(
    report: TracerReport, study: TracerStudy, files: list[Path], *, text: str, command: str, origin: Origin
) -> tuple[list[Path], list[str]]:
    """Write result and figure of a study, both or none.

    Parameters
    ----------
    report, study
        Result and what it is of.
    files
        Paths of result and figure, as from `result_files`, in a folder that exists.
    text, command
        Study file and command, kept as provenance.
    origin
        Whose the files are.

    Returns
    -------
    The files, and a sentence if the figure could not be drawn.
    """
    result, drawn = files

    def make() -> "Figure":
        figure = report.draw()
        if study.title:
            figure.suptitle(study.title)
        return figure

    lost: list[str] = []
    with written_together():
        write_tracer(result, report, kind=study.kind, study_text=text, command=command, origin=origin)
        return [result, *draw(drawn, make, lost, origin=origin)], lost
