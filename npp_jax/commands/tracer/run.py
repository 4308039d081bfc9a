"""A tracer study from its file to results on disk: what `npp-jax tracer` does."""

from pathlib import Path

from npp_jax.commands.report.pages import draw_figures, report_files
from npp_jax.commands.report.pages import write_report as write_pages
from npp_jax.commands.report.provenance import Begun
from npp_jax.commands.tracer.arrhenius import run_arrhenius
from npp_jax.commands.tracer.chain import run_chain
from npp_jax.commands.tracer.evolution import run_evolution
from npp_jax.commands.tracer.map import run_map
from npp_jax.commands.tracer.page import shown_figure, tracer_page
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
from npp_jax.files.writing import written_together
from npp_jax.inference import RefineOptions
from npp_jax.tracer.tracer_fit import OnEnds, OnIteration


def run_tracer(
    study: TracerStudy, folder: Path, on_iteration: OnIteration = None, on_ends: OnEnds = None
) -> TracerReport:
    """Run a study of any kind.

    Parameters
    ----------
    study
        What to do.
    folder
        Where the files lie that it names.
    on_iteration, on_ends
        Are told how far a fit is, and the profile likelihoods after it.

    Raises
    ------
    ConfigError
        One of them is wrong.
    """
    match study:
        case ProfileStudy():
            return run_profile(study, folder, on_iteration, on_ends)
        case EvolutionStudy():
            return run_evolution(study, folder, on_iteration)
        case ChainStudy():
            return run_chain(study, folder, on_iteration, on_ends)
        case MapStudy():
            return run_map(study, folder, on_iteration, on_ends)
        case ArrheniusStudy():
            return run_arrhenius(study)


def origin_of(study: TracerStudy, file: Path) -> Origin:
    """Whose the results of a study file are."""
    return Origin("tracer", file, reads=tuple(file.parent / name for name in data_files(study)))


def result_files(output: Path, stem: str, *, format: str = "png") -> list[Path]:
    """Paths of result, figure and report of a study.

    Parameters
    ----------
    output, stem
        Folder of the results, and name of the files without ending.
    format
        Format of the figure.
    """
    return [*(output / f"{stem}.{ending}" for ending in ("h5", format)), *report_files(output / f"{stem}_report")]


def evaluations(study: TracerStudy) -> int | None:
    """Largest number of evaluations of the fit of a study; None where there is no fit."""
    if isinstance(study, ArrheniusStudy):
        return None
    return study.map.iterations if isinstance(study, MapStudy) else RefineOptions().iterations


def write_report(
    report: TracerReport, study: TracerStudy, files: list[Path], *, begun: Begun, origin: Origin
) -> tuple[list[Path], list[str]]:
    """Write result, figure and report of a study, all or none.

    Parameters
    ----------
    report, study
        Result and what it is of.
    files
        Paths of them, as from `result_files`, in a folder that exists.
    begun
        What is known of the run from its begin, kept as provenance.
    origin
        Whose the files are.

    Returns
    -------
    The files, the page of HTML first, and a sentence if the figure could not be drawn.
    """
    result, drawn, page, _ = files
    shown = shown_figure(study, report, drawn.stem, result.name)
    with written_together():
        write_tracer(result, report, kind=study.kind, study_text=begun.text, command=begun.command, origin=origin)
        figures = draw_figures([shown], lambda _: drawn, origin, dpi=150)
        told = tracer_page(study, report, figures.drawn, figures.lost, begun, drawn.stem)
        pages = write_pages(told, page.with_suffix(""), origin)
    return [*pages, result, *figures.files], figures.lost
