"""`npp-jax new` and `npp-jax check`: files to begin with, and a look at them."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from npp_jax.cli.terminal import exit_codes, make_folder, say, start_jax, tell_written
from npp_jax.text.formats import FigureFormat
from npp_jax.text.shell import shell_line


def new(
    kind: Annotated[
        Literal["cait", "melt", "poling", "couple", "tracer"],
        typer.Argument(help="Ion beam, melt, thermal poling, diffusion couple, or isotope profile."),
    ],
    profiles: Annotated[
        list[Path] | None, typer.Option("--profile", help="Measured profile, from which first guesses are made.")
    ] = None,
    native: Annotated[
        str | None, typer.Option(help="Ion of the glass, such as Li: to be given, unless a profile of two ions tells.")
    ] = None,
    foreign: Annotated[
        str | None,
        typer.Option(help="Ion that comes in, such as K: to be given too. In poling: a second, slower ion, if any."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Beginning of the names of the files; of kind and ion if not given.")
    ] = None,
    output: Annotated[Path, typer.Option(help="Folder of the files.")] = Path(),
    charge_mC_cm2: Annotated[float | None, typer.Option("--charge-mC-cm2", help="Charge passed.")] = None,
    potential_V: Annotated[float | None, typer.Option("--potential-V", help="Potential of the surface.")] = None,
    temperature_K: Annotated[float | None, typer.Option("--temperature-K", help="Temperature.")] = None,
    duration_h: Annotated[
        float | None, typer.Option(help="Time in the melt, of poling, of the exchange, or of the anneal.")
    ] = None,
    thickness_um: Annotated[float | None, typer.Option(help="Thickness of the sample.")] = None,
    density_m3: Annotated[float | None, typer.Option(help="Mobile ions of the bulk.")] = None,
    conductivity_S_m: Annotated[
        float | None, typer.Option("--conductivity-S-m", help="Conductivity of the bulk.")
    ] = None,
    counts_per_fraction: Annotated[float | None, typer.Option(help="Counts at fraction one, of a table.")] = None,
    first_depth_nm: Annotated[float | None, typer.Option(help="Points above, the transient, are left out.")] = None,
    light: Annotated[str | None, typer.Option(help="Column or species of the light isotope.")] = None,
    heavy: Annotated[str | None, typer.Option(help="Column or species of the heavy isotope.")] = None,
    species: Annotated[
        str | None, typer.Option(help="Species whose fraction is the tracer profile, or was measured in a couple.")
    ] = None,
    force: Annotated[bool, typer.Option(help="Replace files that are there.")] = False,
) -> None:
    """Write a commented experiment and study that run as they are: a place to begin.

    What is not given is guessed from the profile, or assumed: the files say so beside each number.
    """
    start_jax(computing=kind == "couple")
    from npp_jax.commands.new.options import Options
    from npp_jax.commands.new.run import doubts, make_files, one_profile, write_files

    profile = None if not profiles else profiles[0]
    options = Options(
        name, profile, native, foreign, first_depth_nm, counts_per_fraction, charge_mC_cm2, potential_V, temperature_K,
        duration_h, thickness_um, density_m3, conductivity_S_m, light, heavy, species,
    )  # fmt: skip
    with exit_codes():
        one_profile(profiles or ())
        drafts, told = make_files(kind, options, output)
        make_folder(output)
        written = write_files(drafts, output, reads=profile, force=force)
        told += doubts(written)
    for line in told:
        say(line)
    tell_written(written)
    last = next(path for path in reversed(written) if path.suffix == ".toml")
    say(f"next: {shell_line('check', last)}")


def check(
    file: Annotated[Path, typer.Argument(help="Study, experiment or tracer study (TOML).")],
    output: Annotated[Path, typer.Option(help="Folder of the figure, NAME_check.png.")] = Path(),
    figures: Annotated[bool, typer.Option(help="Draw data, start and depth resolution.")] = True,
    format: Annotated[FigureFormat, typer.Option(help="Format of the figure.")] = "png",
    force: Annotated[bool, typer.Option(help="Replace what other inputs or programs wrote there.")] = False,
) -> None:
    """Read a file and all that it names; print values, units, ranges and warnings, and draw data and start."""
    start_jax()
    from npp_jax.commands.check.run import check_file, write_figure_of

    with exit_codes(file):
        checked = check_file(file)
        for line in checked.lines:
            say(line)
        for text in checked.warnings:
            say(f"warning: {text}")
        if figures:
            make_folder(output)
            with exit_codes():
                written, lost = write_figure_of(checked, file, output / f"{file.stem}_check.{format}", force=force)
            tell_written(written)
            for text in lost:
                say(f"warning: {text}")
    if not checked.warnings:
        say("nothing looks wrong")
    if checked.code:
        raise typer.Exit(checked.code)
