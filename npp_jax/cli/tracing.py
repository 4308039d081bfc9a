"""`npp-jax tracer`."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from npp_jax.cli.terminal import cannot_write, make_folder, spinner, start_jax, wrong_input


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
    from npp_jax.files import ConfigError

    try:
        study = load_tracer_study(file)
    except ConfigError as error:
        raise wrong_input(str(error)) from None
    try:
        written = result_files(study, file.parent, output, file.stem, format=format)
        make_folder(output)
        with spinner(f"{study.kind}: {file.name}", quiet=quiet):
            report = run_tracer(study, file.parent)
        text = file.read_text(encoding="utf-8")
        write_report(report, study, written, text=text, command=" ".join(sys.argv))
    except ConfigError as error:
        raise wrong_input(f"{file}: {error}") from None
    except OSError as error:
        raise cannot_write(error) from None
    if not quiet:
        typer.echo("\n".join(report.lines))
        typer.echo("written: " + ", ".join(str(path) for path in written))
    for text in report.warnings:
        typer.echo(f"warning: {text}")
    typer.echo(f"status: {report.status}")
    if report.code:
        raise typer.Exit(report.code)
