"""`npp-jax tracer`."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from npp_jax.cli.terminal import exit_codes, make_folder, spinner, start_jax, tell_written


def tracer(
    file: Annotated[Path, typer.Argument(help="Tracer study file (TOML).")],
    output: Annotated[Path, typer.Option(help="Folder of the results.")] = Path(),
    format: Annotated[Literal["png", "pdf"], typer.Option(help="Format of the figure.")] = "png",
    quiet: Annotated[bool, typer.Option(help="Print the status only.")] = False,
) -> None:
    """Isotope exchange and grain boundaries: profiles, evolution, chains and maps of grains, Arrhenius lines."""
    start_jax()
    from npp_jax.commands.tracer.run import result_files, run_tracer, write_report
    from npp_jax.commands.tracer.study import load_tracer_study
    from npp_jax.files.toml import toml_text

    with exit_codes(file):
        study = load_tracer_study(file)
        written = result_files(study, file.parent, output, file.stem, format=format)
        make_folder(output)
        with spinner(f"{study.kind}: {file.name}", quiet=quiet):
            report = run_tracer(study, file.parent)
        text = toml_text(file)
        write_report(report, study, written, text=text, command=" ".join(sys.argv))
    if not quiet:
        typer.echo("\n".join(report.lines))
        tell_written(written)
    for text in report.warnings:
        typer.echo(f"warning: {text}")
    typer.echo(f"status: {report.status}")
    if report.code:
        raise typer.Exit(report.code)
