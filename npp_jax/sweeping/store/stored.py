"""Arrays in the file of a sweep by the names of today, also where an older version of the package wrote it."""

import h5py

from npp_jax.sweeping.store.manifest import SCHEMA_VERSION

_FORMER = {"chi2": "misfit", "reevaluated_with": "again"}
"""What was called otherwise in files of schema version 1."""


class SweepFileError(Exception):
    """A file is no finished sweep; the message is one line."""


def check_schema(file: h5py.File) -> None:
    """Refuse the file of a newer version of the package.

    Raises
    ------
    SweepFileError
        Its schema is none that this version reads.
    """
    version = file.attrs.get("schema_version")
    if version not in range(1, SCHEMA_VERSION + 1):
        raise SweepFileError(
            f"{file.filename}: schema_version {version}, this version reads 1 to {SCHEMA_VERSION}: "
            "read it with the version of npp_jax that wrote it"
        )


def observable(file: h5py.File, name: str) -> h5py.Dataset:
    """An array that every sweep has, by the name it has today."""
    data = file[_FORMER.get(name, name) if file.attrs["schema_version"] == 1 else name]
    assert isinstance(data, h5py.Dataset)
    return data
