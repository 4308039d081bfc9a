"""Any SIMS file: its format is found from its content."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np

from npp_jax.sims import cameca, surfacelab, table
from npp_jax.sims.empty_end import without_empty_end, without_pauses
from npp_jax.sims.errors import SimsFileError, fault
from npp_jax.sims.raw import RawProfile
from npp_jax.text.decode import Text, read_text
from npp_jax.text.errors import TextError

FORMATS: dict[str, Callable[[Text], RawProfile]] = {
    surfacelab.FORMAT: surfacelab.read_surfacelab,
    cameca.FORMAT: cameca.read_cameca,
    table.FORMAT: table.read_table,
}
"""Readers by the name of the format."""


def find_format(text: Text) -> str:
    """Name of the format of a text; whatever is no export of an instrument is a table."""
    if cameca.is_cameca(text):
        return cameca.FORMAT
    return surfacelab.FORMAT if surfacelab.is_surfacelab(text) else table.FORMAT


def read_raw(path: str | Path, format: str = "auto") -> RawProfile:
    """Read a SIMS depth profile.

    Parameters
    ----------
    path
        File.
    format
        `surfacelab`, `cameca`, `table`, or `auto` to find it from the content.

    Raises
    ------
    SimsFileError
        The file is not a depth profile, or not of that format; the message names the line.
    """
    if format != "auto" and format not in FORMATS:
        raise fault(path, f"format {format!r} is not known; auto, {', '.join(FORMATS)} are")
    try:
        text = read_text(path, "a depth profile")
        # Numbers beyond the range of doubles are found as infinities by the checks.
        with np.errstate(all="ignore"):
            raw = FORMATS[find_format(text) if format == "auto" else format](text)
            raw = without_pauses(without_empty_end(raw))
    except TextError as error:
        raise SimsFileError(str(error)) from None
    return dataclasses.replace(raw, warnings=raw.warnings + _odd_values(raw))


def _odd_values(raw: RawProfile) -> tuple[str, ...]:
    """Lines on gaps, negative signals, and axes that look like a wrong unit."""
    found = []
    for channel in raw.channels:
        gaps, negative = np.isnan(channel.values), channel.values < 0.0
        for mask, what in ((gaps, "without a number"), (negative, "negative")):
            if np.any(mask) and channel.kind != "ratio":
                line = int(channel.lines[np.argmax(mask)])
                found.append(f"{channel.name}: {int(mask.sum())} points {what}, the first in line {line}")
    end = max(float(channel.axis[-1]) for channel in raw.channels)
    if raw.axis == "depth" and not 5.0 <= end <= 1e5:
        found.append(f"the depths end at {end:g} nm: is their unit right (factor 1000)?")
    if raw.axis == "time" and not 1.0 <= end <= 1e6:
        found.append(f"the sputter times end at {end:g} s: is their unit right (factor 1000)?")
    return tuple(found)
