"""A SIMS file to a profile of fractions in one call."""

from pathlib import Path

import numpy as np

from npp_jax.sims.convert import convert
from npp_jax.sims.options import ImportOptions
from npp_jax.sims.profile import SimsProfile
from npp_jax.sims.raw import RawProfile
from npp_jax.sims.read import read_raw


def import_sims(path: str | Path, options: ImportOptions, format: str = "auto") -> SimsProfile:
    """Read a SIMS file and make it a profile of fractions of the bulk against depth.

    Parameters
    ----------
    path
        Export of SurfaceLab, of a CAMECA instrument, or a table of any program.
    options
        Channels of the species, depth of the crater, ways to the fractions.
    format
        `surfacelab`, `cameca`, `table`, or `auto` to find it from the content.

    Raises
    ------
    SimsFileError
        In one line: file, line, column, what was expected.
    """
    return convert(read_raw(path, format), options)


def describe(raw: RawProfile) -> list[str]:
    """Lines that tell what a file holds: one for the file, one for each channel."""
    first = raw.channels[0]
    span = f"{first.axis[0]:.4g} to {first.axis[-1]:.4g} {dict(time='s', depth='nm', cycle='cycles')[raw.axis]}"
    lines = [f"{Path(raw.path).name}: {raw.format}, {len(raw.channels)} channels, {len(first.axis)} points, {span}"]
    width = min(max(len(c.name) for c in raw.channels), 40)
    for c in raw.channels:
        top = float(np.max(np.nan_to_num(c.values)))
        lines.append(f"  {c.name[:40]:<{width}}  {c.kind:<13} up to {top:.4g} {c.unit}".removesuffix(" 1"))
    return lines
