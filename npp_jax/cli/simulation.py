"""`npp-jax simulate`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from npp_jax.cli.terminal import exit_codes, make_folder, say, start_jax, tell_written, typed
from npp_jax.text.formats import FigureFormat

Model = Literal["electroneutral", "full"]


def simulate(
    file: Annotated[Path, typer.Argument(help="Experiment file (TOML).")],
    model: Annotated[Model, typer.Option(help="Equations to solve.")] = "electroneutral",
    setting: Annotated[Literal["accurate", "fast"], typer.Option(help="Cells, steps, iterations.")] = "accurate",
    output: Annotated[Path, typer.Option(help="Folder of the results.")] = Path(),
    csv: Annotated[Path | None, typer.Option(help="Folder for profiles_<k>.csv and trace.csv.")] = None,
    figures: Annotated[bool, typer.Option(help="Draw the summary figure.")] = True,
    format: Annotated[FigureFormat, typer.Option(help="Format of the figure.")] = "png",
    force: Annotated[bool, typer.Option(help="Replace what other inputs, models or programs wrote there.")] = False,
    quiet: Annotated[bool, typer.Option(help="Print the status only.")] = False,
) -> None:
    """Simulate one experiment: depth profiles, potential, current, report."""
    start_jax()
    from npp_jax.commands.progress import progress
    from npp_jax.commands.simulate import (
        check_results,
        once_more,
        origin_of,
        read_supported,
        result_files,
        run_simulation,
        write_simulation,
    )
    from npp_jax.files.toml import toml_text
    from npp_jax.simulation.remarks import remarks
    from npp_jax.simulation.status import STATUS_ADVICE, Status

    with exit_codes(file):
        experiment = read_supported(file, model)
        for folder in (output, output if csv is None else csv):
            make_folder(folder)
        # The file may have changed when the work is done.
        text, origin, drawn = toml_text(file), origin_of(file, model), format if figures else None
        with exit_codes():
            check_results(result_files(experiment, file, output, csv, drawn), origin, force=force)
        with progress(f"simulating {file.name} ({model}, {setting})", compiling=True, quiet=quiet) as tell:
            solution = run_simulation(
                experiment, model=model, setting=setting, on_level=lambda _, found: tell(note=once_more(found))
            )
        status = Status(int(solution.report.status))
        # The numbers are told before anything can go wrong with their files.
        if quiet:
            say(f"status: {STATUS_ADVICE[status]}")
        else:
            say(solution.summary())
            for remark in remarks(experiment, solution):
                say(f"remark: {remark}")
        written, lost = write_simulation(
            experiment, solution, file, output, csv=csv, figure_format=drawn, command=typed(), origin=origin, text=text
        )
    for warning in lost:
        say(f"warning: {warning}")
    if not quiet:
        tell_written(written)
    if status is Status.NOT_FINITE:
        raise typer.Exit(4)
    if status is not Status.DONE:
        raise typer.Exit(3)
