"""`npp-jax plot` and `npp-jax export`: what is done with stored results."""

from pathlib import Path
from typing import Annotated

import typer

from npp_jax.cli.terminal import exit_codes, start_jax, tell_written


def plot(
    file: Annotated[Path, typer.Argument(help="Result of `npp-jax simulate` or `npp-jax sweep` (HDF5).")],
    output: Annotated[
        Path | None,
        typer.Option(
            help="Figure; NAME_plot.png if not given, its ending gives the format. Of a sweep: NAME_plot_pairs.png, …"
        ),
    ] = None,
    force: Annotated[bool, typer.Option(help="Replace what is there and is no figure of this result.")] = False,
) -> None:
    """Draw the figures of a stored result."""
    start_jax(computing=False)
    from npp_jax.commands.plot import default_target, draw_stored
    from npp_jax.commands.progress import progress

    with exit_codes():
        with progress("drawing the figures", lines=False):
            written = draw_stored(file, output or default_target(file), force=force)
        tell_written(written)


def export(
    file: Annotated[Path, typer.Argument(help="Result of `npp-jax sweep` (HDF5).")],
    csv: Annotated[Path | None, typer.Option(help="Table, one row a candidate.")] = None,
    npz: Annotated[Path | None, typer.Option(help="Arrays of NumPy: theta, profiles, statuses.")] = None,
    force: Annotated[bool, typer.Option(help="Replace what is there and was made of another sweep.")] = False,
) -> None:
    """Write a sweep as a table, or as arrays for simulation-based inference."""
    from npp_jax.commands.export import export_sweep

    with exit_codes():
        tell_written(export_sweep(file, csv=csv, npz=npz, force=force))
