"""`npp-jax simulate`."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from npp_jax.cli.terminal import exit_codes, make_folder, spinner, start_jax, tell_written

Model = Literal["electroneutral", "full"]


def simulate(
    file: Annotated[Path, typer.Argument(help="Experiment file (TOML).")],
    model: Annotated[Model, typer.Option(help="Equations to solve.")] = "electroneutral",
    setting: Annotated[Literal["accurate", "fast"], typer.Option(help="Cells, steps, iterations.")] = "accurate",
    output: Annotated[Path, typer.Option(help="Folder of the results.")] = Path(),
    csv: Annotated[Path | None, typer.Option(help="Folder for profiles_<k>.csv and trace.csv.")] = None,
    figures: Annotated[bool, typer.Option(help="Draw the summary figure.")] = True,
    format: Annotated[Literal["png", "pdf"], typer.Option(help="Format of the figure.")] = "png",
    quiet: Annotated[bool, typer.Option(help="Print the status only.")] = False,
) -> None:
    """Simulate one experiment: depth profiles, potential, current, report."""
    start_jax()
    from npp_jax.commands.simulate import once_more, read_supported, run_simulation, write_simulation
    from npp_jax.simulation.remarks import remarks
    from npp_jax.simulation.status import STATUS_ADVICE, Status

    with exit_codes(file):
        experiment = read_supported(file, model)
        for folder in (output, output if csv is None else csv):
            make_folder(folder)
        with spinner(f"simulating {file.name} ({model}, {setting})", quiet=quiet) as tell:
            solution = run_simulation(
                experiment, model=model, setting=setting, on_level=lambda _, found: tell(once_more(found))
            )
        written = write_simulation(
            experiment,
            solution,
            file,
            output,
            csv=csv,
            figure_format=format if figures else None,
            command=" ".join(sys.argv),
        )
    if not quiet:
        typer.echo(solution.summary())
        for text in remarks(experiment, solution):
            typer.echo(f"remark: {text}")
        tell_written(written)
    status = Status(int(solution.report.status))
    if quiet:
        typer.echo(f"status: {STATUS_ADVICE[status]}")
    if status is Status.NOT_FINITE:
        raise typer.Exit(4)
    if status is not Status.DONE:
        raise typer.Exit(3)
