"""A tracer study from its file to results on disk: what `npp-jax tracer` does."""

from pathlib import Path

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
from npp_jax.files import ConfigError
from npp_jax.files.writing import write_figure


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


def result_files(study: TracerStudy, folder: Path, output: Path, stem: str, *, format: str = "png") -> list[Path]:
    """Paths of result and figure of a study, none of which is a file that it reads.

    Parameters
    ----------
    study, folder
        Study, and where the files lie that it names.
    output, stem
        Folder of the results, and name of the files without ending.
    format
        Format of the figure.

    Raises
    ------
    ConfigError
        A result would replace a data file.
    """
    written = [output / f"{stem}.{ending}" for ending in ("h5", format)]
    read = {(folder / name).resolve() for name in data_files(study)}
    for path in written:
        if path.resolve() in read:
            raise ConfigError(f"the result {path} would replace a data file of the study: give another --output")
    return written


def write_report(report: TracerReport, study: TracerStudy, files: list[Path], *, text: str, command: str) -> None:
    """Write result and figure of a study.

    Parameters
    ----------
    report, study
        Result and what it is of.
    files
        Paths of result and figure, as from `result_files`, in a folder that exists.
    text, command
        Study file and command, kept as provenance.
    """
    result, drawn = files
    write_tracer(result, report, kind=study.kind, study_text=text, command=command)
    if study.title:
        report.figure.suptitle(study.title)
    write_figure(drawn, report.figure)
