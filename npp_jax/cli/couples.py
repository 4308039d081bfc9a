"""`npp-jax couple`."""

from pathlib import Path
from typing import Annotated

import typer

from npp_jax.cli.terminal import exit_codes, make_folder, say, start_jax, tell_written


def couple(
    file: Annotated[Path, typer.Argument(help="Table of a distance and a mole fraction.")],
    time_h: Annotated[float, typer.Option(min=1e-9, help="Time of the anneal.")],
    species: Annotated[str, typer.Option(help="Component whose mole fraction was measured.")] = "A",
    depth: Annotated[str | None, typer.Option(help="Column of the distance, where its name does not tell.")] = None,
    fraction: Annotated[str | None, typer.Option(help="Column of the fraction, where there are several.")] = None,
    depth_unit: Annotated[str | None, typer.Option(help="um, nm, mm; that of the title or um if not given.")] = None,
    percent: Annotated[bool, typer.Option(help="Fractions are in per cent.")] = False,
    smoothing_um: Annotated[
        float | None,
        typer.Option(
            help="Reach of the neighbours that smooth a point; twice the distance of the points if not given."
        ),
    ] = None,
    ends: Annotated[
        tuple[float, float] | None,
        typer.Option(help="Mole fractions of the ends, if the profile stops short of them."),
    ] = None,
    gap: Annotated[
        list[str] | None,
        typer.Option(help="Fractions between which no phase lives, as 0.3:0.55; once for each boundary of two phases."),
    ] = None,
    output: Annotated[Path, typer.Option(help="Folder of the results.")] = Path(),
    figures: Annotated[bool, typer.Option(help="Draw profile and D(c).")] = True,
    force: Annotated[bool, typer.Option(help="Replace what other inputs, columns or programs wrote there.")] = False,
) -> None:
    """Find D(c) of a diffusion couple by Sauer and Freise (Boltzmann–Matano); write a study that fits it."""
    from npp_jax.commands.couple import analyse_couple

    start_jax()
    with exit_codes(file):
        make_folder(output)
        lines, written = analyse_couple(
            file,
            output,
            time_h=time_h,
            species=species,
            depth=depth,
            fraction=fraction,
            depth_unit=depth_unit,
            percent=percent,
            smoothing_um=smoothing_um,
            ends=ends,
            gaps=gap or (),
            figures=figures,
            force=force,
        )
    for line in lines:
        say(line)
    tell_written(written)
