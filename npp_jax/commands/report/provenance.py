"""Where a result comes from: command, files with checksums, versions, device, precision, time."""

import hashlib
import os
import platform
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
import scipy
from jaxlib.version import __version__ as jaxlib_version

from npp_jax._version import __version__
from npp_jax.commands.progress import duration
from npp_jax.commands.report.blocks import Block, Code, Folded, Section
from npp_jax.files.origin import relative_to
from npp_jax.simulation.text_table import TextTable
from npp_jax.text.opened import open_file


class Begun(NamedTuple):
    """A run at its begin: files may have changed when it ends."""

    command: str
    """As it was typed."""
    text: str
    """What the file of the study says."""
    checksums: tuple[tuple[str, str], ...] = ()
    """Every file that is read, as it is found from the study, and its SHA-256."""
    clock: float = 0.0
    """Reading of the clock. [s]"""
    warnings: tuple[str, ...] = ()
    """What looked wrong in the files then, one sentence each."""


def begin(command: str, source: Path, text: str, reads: Iterable[Path] = (), warnings: Iterable[str] = ()) -> Begun:
    """Note what a run reads, before its work.

    Parameters
    ----------
    command
        As it was typed.
    source
        File of the study.
    text
        What it says.
    reads
        Other files that are read.
    warnings
        What looks wrong in them.
    """
    files = dict.fromkeys([source, *reads])
    sums = tuple((relative_to(file, source.parent), _checksum(file)) for file in files if file.is_file())
    return Begun(command, text, sums, time.monotonic(), tuple(warnings))


def provenance(begun: Begun, precision: str, counts: Sequence[Block]) -> Section:
    """All that is to be known to make the result again, and what the run met.

    Parameters
    ----------
    begun
        The run.
    precision
        Precision of the numbers, in words.
    counts
        How simulations and starts ended.
    """
    devices = [f"{device.platform}: {device.device_kind}" for device in jax.devices()]
    told = {
        "npp_jax": __version__,
        "jax, jaxlib": f"{jax.__version__}, {jaxlib_version}",
        "numpy, scipy": f"{np.__version__}, {scipy.__version__}",
        "Python": f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        "device": f"{len(devices)} × {devices[0]}; {os.cpu_count()} cores of the processor",
        "precision": precision,
        "made": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "wall time": duration(time.monotonic() - begun.clock),
    }
    return Section(
        "Provenance",
        [
            TextTable("", ("what", "value"), tuple(told.items())),
            TextTable("Files that were read", ("file", "SHA-256"), begun.checksums),
            *counts,
            Folded("Text of the study", [Code(begun.text)]),
        ],
    )


def _checksum(file: Path) -> str:
    with open_file(file) as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
