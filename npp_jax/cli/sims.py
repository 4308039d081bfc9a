"""`npp-jax import-sims`."""

from pathlib import Path
from typing import Annotated

import typer

from npp_jax.cli.terminal import exit_codes, say, typed


def import_sims(
    file: Annotated[Path, typer.Argument(help="SIMS file: SurfaceLab text, CAMECA ASCII, or a table.")],
    species: Annotated[list[str] | None, typer.Option(help="K=39K+; none: list the channels.")] = None,
    out: Annotated[Path | None, typer.Option(help="Profile (HDF5); beside the file if not given.")] = None,
    figure: Annotated[Path | None, typer.Option(help="Figure; its ending gives the format.")] = None,
    format: Annotated[str, typer.Option(help="auto, surfacelab, cameca or table.")] = "auto",
    crater_depth_nm: Annotated[float | None, typer.Option(help="Depth of the crater.")] = None,
    crater_sigma_nm: Annotated[float, typer.Option(help="Its standard deviation.")] = 0.0,
    duration_s: Annotated[float | None, typer.Option(help="Sputter time of the whole crater.")] = None,
    normalise: Annotated[
        list[str] | None,
        typer.Option(help="Li=bulk, K=uptake, … or one word for all; bulk if not given."),
    ] = None,
    bulk_nm: Annotated[str | None, typer.Option(help="Depths of the untouched bulk, 800:1000.")] = None,
    reference: Annotated[str | None, typer.Option(help="Channel of the matrix.")] = None,
    background: Annotated[list[str] | None, typer.Option(help="K=800:1000 in nm, or K=0.4 ions a point.")] = None,
    sputter_rate: Annotated[
        list[str] | None,
        typer.Option(help="K=1.3 and, once more, Li=1: relative, one for each species."),
    ] = None,
    close_sum: Annotated[bool, typer.Option(help="Scale so that all species add up to one.")] = False,
    surface_nm: Annotated[float, typer.Option(help="Points above are cut: the surface transient.")] = 0.0,
    deepest_nm: Annotated[float | None, typer.Option(help="Points below are cut.")] = None,
    charge_mC_cm2: Annotated[float | None, typer.Option("--charge-mC-cm2", help="Charge passed.")] = None,
    density_m3: Annotated[float | None, typer.Option(help="Mobile ions of the bulk.")] = None,
    dwell_s: Annotated[float | None, typer.Option(help="Acquisition time of a point.")] = None,
    as_counts: Annotated[bool, typer.Option(help="Take signals of unknown unit for counts.")] = False,
    sigma_relative: Annotated[float, typer.Option(help="Relative uncertainty beside counting.")] = 0.0,
    trust_counting: Annotated[
        bool, typer.Option(help="Keep counts whose scatter is not that of counting, and saturated ones.")
    ] = False,
    force: Annotated[
        bool,
        typer.Option(help="Replace what is there and was not imported from this file; write fractions far above one."),
    ] = False,
) -> None:
    """Read a SIMS depth profile: depth scale, normalisation, counting statistics."""
    from npp_jax.commands.import_sims import DoubtfulFractions, command

    with exit_codes():
        try:
            command(
                file,
                species or [],
                out=out,
                figure=figure,
                format=format,
                crater_depth_nm=crater_depth_nm,
                crater_sigma_nm=crater_sigma_nm,
                duration_s=duration_s,
                normalise=normalise or [],
                bulk_nm=bulk_nm,
                reference=reference,
                background=background or [],
                sputter_rate=sputter_rate or [],
                close_sum=close_sum,
                surface_nm=surface_nm,
                deepest_nm=deepest_nm,
                charge_mC_cm2=charge_mC_cm2,
                density_m3=density_m3,
                dwell_s=dwell_s,
                as_counts=as_counts,
                sigma_relative=sigma_relative,
                trust_counting=trust_counting,
                force=force,
                command_line=typed(),
                tell=say,
            )
        except DoubtfulFractions as error:
            say(f"npp-jax: {error}", err=True)
            raise typer.Exit(3) from None
