"""Result files: arrays that say what they are, and where they come from."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import jax
import numpy as np

from npp_jax._version import __version__
from npp_jax.files.origin import Origin
from npp_jax.files.writing import readable, written_hdf5
from npp_jax.store.arrays import Array, describe, put

_ATTRIBUTE = 60_000
"""Length of a text that fits into an attribute of HDF5, which holds 64 KiB at most [bytes]."""


@contextlib.contextmanager
def written_result(
    path: str | Path,
    title: str,
    schema_version: int,
    arrays: Mapping[str, Array],
    *,
    scales: Mapping[str, str] | None = None,
    origin: Origin | None = None,
    **attributes: Any,
) -> Iterator[h5py.File]:
    """Write a result, whole or not at all; what the block adds, such as groups, goes into the same file.

    Parameters
    ----------
    path
        Target; replaced as a whole.
    title, schema_version
        What the file is.
    arrays, scales
        Its arrays; see `put`.
    origin
        Whose it is.
    attributes
        Where it comes from: texts of any length, numbers.
    """
    with written_hdf5(path, origin) as file:
        file.attrs.update(
            schema_version=schema_version,
            title=title,
            npp_jax_version=__version__,
            jax_version=jax.__version__,
            numpy_version=np.__version__,
            device=str(jax.devices()[0].device_kind),
        )
        for name, value in attributes.items():
            text = readable(value) if isinstance(value, str) else value
            if isinstance(text, str) and len(text.encode()) > _ATTRIBUTE:
                describe(file.create_dataset(name, data=text, dtype=h5py.string_dtype()), "1", name)
            else:
                file.attrs[name] = text
        put(file, arrays, scales=scales)
        yield file
