"""`npp-jax simulate`."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from npp_jax.cli.terminal import cannot_write, make_folder, spinner, start_jax, wrong_input

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
    import jax

    from npp_jax.files import ConfigError, load_experiment
    from npp_jax.files.solution import write_csv, write_solution
    from npp_jax.simulation.simulate import ACCURATE, FAST
    from npp_jax.simulation.simulate import simulate as run
    from npp_jax.simulation.status import STATUS_ADVICE, Status
    from npp_jax.simulation.supported import Unsupported, check_supported

    try:
        experiment = load_experiment(file)
        # Before compilation, inside which the bulk fractions have no values to check.
        check_supported(experiment, model)
        for folder in (output, output if csv is None else csv):
            make_folder(folder)
        controls = {"accurate": ACCURATE, "fast": FAST}[setting]
        with spinner(f"simulating {file.name} ({model}, {setting})", quiet=quiet):
            # What runs once is not worth a compiler's care: half of the time of a first run.
            options = {"xla_backend_optimization_level": 0}
            compiled = jax.jit(lambda e: run(e, controls, model=model), compiler_options=options)
            solution = jax.block_until_ready(compiled(experiment))
    except (ConfigError, Unsupported) as error:
        prefix = "" if str(error).startswith(str(file)) else f"{file}: "
        raise wrong_input(f"{prefix}{error}") from None
    try:
        result = output / f"{file.stem}.h5"
        write_solution(result, solution, experiment_text=file.read_text(encoding="utf-8"), command=" ".join(sys.argv))
        written = [result]
        if csv is not None:
            written += write_csv(csv, solution)
        if figures:
            from npp_jax.figures.simulation import figure_summary

            figure = output / f"{file.stem}.{format}"
            figure_summary(experiment, solution).savefig(figure, dpi=150)
            written.append(figure)
    except OSError as error:
        raise cannot_write(error) from None
    status = Status(int(solution.report.status))
    if not quiet:
        typer.echo(solution.summary())
        typer.echo("written: " + ", ".join(str(path) for path in written))
    else:
        typer.echo(f"status: {STATUS_ADVICE[status]}")
    if status is Status.NOT_FINITE:
        raise typer.Exit(4)
    if status is not Status.DONE:
        raise typer.Exit(3)
