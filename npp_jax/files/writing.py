"""Files are written whole or not at all: the one way in which results, tables, reports and figures reach the disk."""

import contextlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py

from npp_jax.sweeping.store import disk

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@contextlib.contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """Name for a new file that takes the place of `path` when the block ends, or never.

    Parameters
    ----------
    path
        Target; replaced as a whole once the new file is on the disk, and left as it was where the block fails.

    Raises
    ------
    OSError
        The file cannot be written; `filename` is that of the target.
    """
    path = Path(path)
    try:
        with disk.written_whole(path) as temporary:
            yield temporary
    except OSError as error:
        if error.filename is None or Path(error.filename) == disk.part_of(path):
            error.filename, error.filename2 = str(path), None
        raise


def write_text(path: str | Path, text: str) -> None:
    """Write a text file in UTF-8, whole or not at all."""
    with written_whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: str | Path, content: Any) -> None:
    """Write JSON, whole or not at all; numbers that are not finite, which JSON does not know, are null."""
    write_text(path, json.dumps(_finite(content), indent=2, allow_nan=False) + "\n")


def _finite(content: Any) -> Any:
    match content:
        case dict():
            return {key: _finite(value) for key, value in content.items()}
        case list() | tuple():
            return [_finite(value) for value in content]
        case float() if not math.isfinite(content):
            return None
    return content


@contextlib.contextmanager
def written_hdf5(path: str | Path) -> Iterator[h5py.File]:
    """HDF5 file of some megabytes, written whole or not at all.

    It is made in memory: a disk that is full while HDF5 writes can end the process.

    Parameters
    ----------
    path
        Target; replaced as a whole.
    """
    with h5py.File(path, "w", driver="core", backing_store=False) as file:
        yield file
        file.flush()
        image = file.id.get_file_image()
    with written_whole(path) as temporary:
        temporary.write_bytes(image)


def write_figure(path: str | Path, figure: "Figure", *, dpi: int = 150) -> None:
    """Write a figure, whole or not at all; the ending of the name gives the format.

    Raises
    ------
    ValueError
        No format has this ending.
    """
    check_figure(path)
    with written_whole(path) as temporary:
        figure.savefig(temporary, dpi=dpi, format=Path(path).suffix[1:])


def check_figure(path: str | Path) -> None:
    """Refuse a name of a figure whose ending is that of no format.

    Raises
    ------
    ValueError
        One line: the name, and the endings that there are.
    """
    from matplotlib.figure import Figure

    formats = Figure().canvas.get_supported_filetypes()
    if Path(path).suffix[1:].lower() not in formats:
        raise ValueError(f"{path}: the ending of a figure is one of {', '.join(sorted(formats))}")
