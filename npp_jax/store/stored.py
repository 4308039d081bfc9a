"""Arrays in the file of a sweep by the names of today, also where an older version of the package wrote it."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import h5py

from npp_jax.store.manifest import SCHEMA_VERSION
from npp_jax.store.reading import FileFault, Reader, reading

TITLE = "npp_jax sweep"
"""What `assemble` calls its files."""

_FORMER = {"chi2": "misfit", "reevaluated_with": "again"}
"""What was called otherwise in files of schema version 1."""


class SweepFileError(Exception):
    """A file is no finished sweep; the message is one line."""


@contextlib.contextmanager
def reading_sweep(path: str | Path, *, again: bool = False) -> Iterator[Reader]:
    """Open the file of a finished sweep.

    Parameters
    ----------
    path
        The file.
    again
        Its version does not matter, or was looked at before.

    Raises
    ------
    SweepFileError
        The file is none, of a newer version, or damaged.
    """
    try:
        with reading(path, "a file of `npp-jax sweep`") as reader:
            reader.check_title(TITLE)
            if not again:
                reader.check_schema(1, SCHEMA_VERSION)
            yield reader
    except FileFault as error:
        raise SweepFileError(str(error)) from None


def observable(reader: Reader, name: str, dims: tuple[str, ...] = (), *, kinds: str = "fiu") -> h5py.Dataset:
    """An array that every sweep has, by the name it has today; the first axis is candidate.

    Parameters
    ----------
    reader
        File of the sweep.
    name
        Name of the array.
    dims
        Axes after the first.
    kinds
        Kinds of its type as NumPy calls them.
    """
    version = reader.attribute("schema_version")
    return reader.dataset(_FORMER.get(name, name) if version == 1 else name, ("candidate", *dims), kinds=kinds)
