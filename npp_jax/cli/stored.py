"""`npp-jax plot` and `npp-jax export`: what is done with stored results."""

from pathlib import Path
from typing import Annotated

import typer

from npp_jax.cli.terminal import start_jax, wrong_input


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

    from npp_jax.config import ConfigError, parse_experiment
    from npp_jax.io.results import read_solution
    from npp_jax.plots import figure_summary
    from npp_jax.sweep import SweepFileError, is_sweep
    from npp_jax.sweep_plots import draw_sweep

    try:
        if is_sweep(file):
            written = draw_sweep(file, output or file.with_suffix(".png"))
            typer.echo("written: " + ", ".join(str(path) for path in written))
            return
        solution = read_solution(file)
        with h5py.File(file) as stored:
            experiment = parse_experiment(tomllib.loads(str(stored.attrs["experiment"])), folder=file.parent)
        target = output or file.with_suffix(".png")
        figure_summary(experiment, solution).savefig(target, dpi=150)
    except (ConfigError, SweepFileError, ValueError, OSError) as error:
        raise wrong_input(str(error)) from None
    typer.echo(f"written: {target}")


def export(
    file: Annotated[Path, typer.Argument(help="Result of `npp-jax sweep` (HDF5).")],
    csv: Annotated[Path | None, typer.Option(help="Table, one row a candidate.")] = None,
    npz: Annotated[Path | None, typer.Option(help="Arrays of NumPy: theta, profiles, statuses.")] = None,
) -> None:
    """Write a sweep as a table, or as arrays for simulation-based inference."""
    from npp_jax.io.sweep_export import write_sweep_arrays, write_sweep_table
    from npp_jax.sweep import SweepFileError, read_sweep

    if csv is None and npz is None:
        raise wrong_input("nothing to write; say where: --csv TABLE.csv, --npz ARRAYS.npz or both")
    try:
        result = read_sweep(file)
        written = [] if csv is None else [write_sweep_table(file, result, csv)]
        written += [] if npz is None else [write_sweep_arrays(file, result, npz)]
    except (SweepFileError, OSError) as error:
        raise wrong_input(str(error)) from None
    typer.echo("written: " + ", ".join(str(path) for path in written))
