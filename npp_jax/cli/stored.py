"""`npp-jax plot` and `npp-jax export`: what is done with stored results."""

from pathlib import Path
from typing import Annotated, Any

import typer

from npp_jax.cli.terminal import cannot_write, start_jax, wrong_input


def plot(
    file: Annotated[Path, typer.Argument(help="Result of `npp-jax simulate` or `npp-jax sweep` (HDF5).")],
    output: Annotated[
        Path | None, typer.Option(help="Figure; its ending gives the format. Those of a sweep: NAME_landscape.png, …")
    ] = None,
) -> None:
    """Draw the figures of a stored result."""
    start_jax()
    import tomllib

    import h5py
    from matplotlib.figure import Figure

    from npp_jax.figures.simulation import figure_summary
    from npp_jax.figures.sweep import draw_sweep
    from npp_jax.files import ConfigError, parse_experiment
    from npp_jax.files.solution import read_solution
    from npp_jax.sweeping import SweepFileError, is_sweep

    target = output or file.with_suffix(".png")
    formats = Figure().canvas.get_supported_filetypes()
    if target.suffix[1:].lower() not in formats:
        raise wrong_input(f"{target}: the ending of a figure is one of {', '.join(sorted(formats))}")
    try:
        if is_sweep(file):
            written = draw_sweep(file, target)
            typer.echo("written: " + ", ".join(str(path) for path in written))
            return
        solution = read_solution(file)
        with h5py.File(file) as stored:
            experiment = parse_experiment(_without_traces(tomllib.loads(str(stored.attrs["experiment"]))))
        figure_summary(experiment, solution).savefig(target, dpi=150)
    except (ConfigError, SweepFileError, ValueError) as error:
        raise wrong_input(str(error)) from None
    except OSError as error:
        raise cannot_write(error) from None
    typer.echo(f"written: {target}")


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


def export(
    file: Annotated[Path, typer.Argument(help="Result of `npp-jax sweep` (HDF5).")],
    csv: Annotated[Path | None, typer.Option(help="Table, one row a candidate.")] = None,
    npz: Annotated[Path | None, typer.Option(help="Arrays of NumPy: theta, profiles, statuses.")] = None,
) -> None:
    """Write a sweep as a table, or as arrays for simulation-based inference."""
    from npp_jax.files.sweep_export import write_sweep_arrays, write_sweep_table
    from npp_jax.sweeping import SweepFileError, read_sweep

    if csv is None and npz is None:
        raise wrong_input("nothing to write; say where: --csv TABLE.csv, --npz ARRAYS.npz or both")
    try:
        result = read_sweep(file)
        # The arrays first: they are refused where the sweep kept no profiles, and then nothing is written.
        written = [] if npz is None else [write_sweep_arrays(file, result, npz)]
        written += [] if csv is None else [write_sweep_table(file, result, csv)]
    except SweepFileError as error:
        raise wrong_input(str(error)) from None
    except OSError as error:
        raise cannot_write(error) from None
    typer.echo("written: " + ", ".join(str(path) for path in written))
