"""`npp-jax tracer`."""

from pathlib import Path
from typing import Annotated

import typer

from npp_jax.cli.terminal import exit_codes, make_folder, say, start_jax, tell_written, typed
from npp_jax.text.formats import FigureFormat


def tracer(
    file: Annotated[Path, typer.Argument(help="Tracer study file (TOML).")],
    output: Annotated[Path, typer.Option(help="Folder of the results.")] = Path(),
    format: Annotated[FigureFormat, typer.Option(help="Format of the figure.")] = "png",
    force: Annotated[bool, typer.Option(help="Replace what other studies or programs wrote there.")] = False,
    quiet: Annotated[bool, typer.Option(help="Print the status only.")] = False,
) -> None:
    """Isotope exchange and grain boundaries: profiles, evolution, chains and maps of grains, Arrhenius lines."""
    start_jax()
    from npp_jax.commands.progress import evaluating, fitting, progress
    from npp_jax.commands.report.provenance import begin
    from npp_jax.commands.tracer.report import printed
    from npp_jax.commands.tracer.run import evaluations, origin_of, result_files, run_tracer, write_report
    from npp_jax.commands.tracer.study import load_tracer_study
    from npp_jax.files.origin import check_targets
    from npp_jax.files.toml import toml_text

    with exit_codes(file):
        study = load_tracer_study(file)
        # The file may have changed when the work is done.
        text = toml_text(file)
        origin, targets = origin_of(study, file), result_files(output, file.stem, format=format)
        make_folder(output)
        with exit_codes():
            check_targets(targets, origin, force=force)
        begun = begin(typed(), file, text, origin.reads)
        most = evaluations(study)
        what, compiling = f"{study.kind}: {file.name}", most is not None
        with fitting(what, most, "evaluations at most", compiling=compiling, quiet=quiet) as shows:
            report = run_tracer(study, file.parent, evaluating(shows.refinement), shows.ends)
        # The numbers are told before anything can go wrong with their files.
        if not quiet:
            say(printed(report.lines))
        for warning in report.warnings:
            say(f"warning: {warning}")
        with progress("drawing the figures", quiet=quiet):
            written, lost = write_report(report, study, targets, begun=begun, origin=origin)
    if not quiet:
        tell_written(written)
    for warning in lost:
        say(f"warning: {warning}")
    say(f"status: {report.status}")
    if not quiet:
        say(f"report: {written[0]}")
    if report.code:
        raise typer.Exit(report.code)
