"""`npp-jax plot` and `npp-jax export`: what is done with stored results."""

from pathlib import Path
from typing import Annotated

import typer

from npp_jax.cli.terminal import exit_codes, make_folder, start_jax, tell_written


def plot(
    file: Annotated[Path, typer.Argument(help="Result of any command (HDF5).")],
    output: Annotated[
        Path | None,
        typer.Option(
            help="Folder, as of all commands, for NAME_plot.png; or one figure, whose ending gives the format "
            "(of several FIGURE_pairs.png, …). Beside the result if not given."
        ),
    ] = None,
    force: Annotated[bool, typer.Option(help="Replace what is there and is no figure of this result.")] = False,
) -> None:
    """Draw the figures of a stored result."""
    start_jax(computing=False)
    from npp_jax.commands.plot import draw_stored, target_of
    from npp_jax.commands.progress import progress

    with exit_codes():
        target = target_of(file, output)
        make_folder(target.parent)
        with progress("drawing the figures", lines=False):
            written = draw_stored(file, target, force=force)
        tell_written(written)


def export(
    file: Annotated[Path, typer.Argument(help="Result of `npp-jax sweep` (HDF5).")],
    csv: Annotated[Path | None, typer.Option(help="Table, one row a candidate.")] = None,
    npz: Annotated[Path | None, typer.Option(help="Arrays of NumPy: theta, its box, profiles, statuses, data.")] = None,
    force: Annotated[bool, typer.Option(help="Replace what is there and was made of another sweep.")] = False,
) -> None:
    """Write a sweep as a table, or as arrays for simulation-based inference."""
    from npp_jax.commands.export import export_sweep

    with exit_codes():
        tell_written(export_sweep(file, csv=csv, npz=npz, force=force))
