"""Results are read back as what was written: names, axes, types and sizes are looked at before anything is loaded.

A file may be damaged, cut or made to do harm. Links to other files, data that lie outside of the file, and arrays that
claim more than it can hold are refused.
"""

import contextlib
import errno
import math
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from npp_jax.store.heaps import look_at_heaps
from npp_jax.text.opened import DEVICE, is_device

_LARGEST = 1e150
"""Modulus that no quantity has; squares of what is below are numbers still."""

_DEFLATED = 1100
"""How many times its size an array may have been before it was compressed: deflate makes 1032 to 1 at most."""

_KINDS = (h5py.h5t.INTEGER, h5py.h5t.FLOAT, h5py.h5t.STRING)
"""Types of attributes, as they are written."""

_CHUNK = 1 << 24
"""Length of a chunk that may be longer than its array [bytes]; the library makes room for all of it."""

_TEXTS = 1 << 28
"""Length of the texts of one list that is read whatever the size of the file [bytes]."""

_NAME = 4096
"""Signs of a name, or of keys as they stand in one."""

_LOCK = re.compile(r"errno = (\d+)")


class FileFault(Exception):
    """A file is not what it should be; the message is one line that begins with its name."""


@contextlib.contextmanager
def reading(path: str | Path, what: str) -> Iterator["Reader"]:
    """Open a result.

    Parameters
    ----------
    path
        The file.
    what
        What it should be: "a file of `npp-jax sweep`".

    Raises
    ------
    FileFault
        There is none, it cannot be read, or it is none such.
    """
    # A pipe would be waited for.
    if is_device(path):
        raise FileFault(f"{path}: {DEVICE}")
    try:
        file = h5py.File(path, "r")
        heaps = look_at_heaps(path)
    except OSError as error:
        raise FileFault(f"{path}: {_reason(Path(path), error, what)}") from None
    if heaps.damaged is not None:
        file.close()
        raise FileFault(f"{path}: not {what}, or damaged (the heap of texts at byte {heaps.damaged})")
    # A damaged number may be a NaN that warns when it is converted; the checks find it where it matters.
    with file, np.errstate(invalid="ignore", over="ignore"):
        try:
            yield Reader(path, file, what, heaps.longest)
        except (ArithmeticError, OSError, KeyError, RuntimeError, TypeError, ValueError) as error:
            # An error of the system is about another file; one that names the file says what is wrong.
            if (isinstance(error, OSError) and error.errno is not None) or str(error).startswith(str(path)):
                raise
            # Something is no longer as it was written, which the library or the checks of a profile have found.
            raise FileFault(f"{path}: not {what}, or damaged ({' '.join(str(error).split())})") from None


def _reason(path: Path, error: OSError, what: str) -> str:
    """Why a file cannot be opened, in words."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return "no such file"
    except OSError as unseen:
        return unseen.strerror or str(unseen)
    if stat.S_ISDIR(found.st_mode):
        return "a folder, not a file"
    text = str(error)
    if "unable to lock" in text:
        found = _LOCK.search(text)
        number = int(found[1]) if found else error.errno
        if number in (errno.EAGAIN, errno.EACCES):
            return "another program has it open for writing; try again when that has ended"
        reason = os.strerror(number) if number else "it cannot be locked"
        return f"{reason}; with HDF5_USE_FILE_LOCKING=FALSE in the environment it is read without a lock"
    if error.errno not in (None, 0):
        return os.strerror(error.errno)
    return f"not {what}" if "signature" in text or not found.st_size else f"not {what}, or damaged"


def _way(name: str) -> Iterator[str]:
    """The groups that lead to an array, from above, and the array."""
    return (name.rsplit("/", k)[0] for k in range(name.count("/"), -1, -1))


def _sound(value: Any) -> Any:
    """A text without bytes that are none: they come as surrogates, which neither files nor figures take."""
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace") if isinstance(value, str) else value


class Reader:
    """An open result, of which every part is checked before it is loaded."""

    def __init__(self, path: str | Path, file: h5py.File, what: str, longest: int) -> None:
        self.path, self.file, self._what, self._longest = path, file, what, longest
        self._lengths: dict[str, tuple[int, str]] = {}

    def fault(self, text: str) -> FileFault:
        """Error of one line."""
        return FileFault(f"{self.path}: {text}")

    def attribute(self, name: str, *, of: h5py.HLObject | None = None) -> Any:
        """An attribute of the file or of a part of it; None where there is none, or none that can be read."""
        held = (self.file if of is None else of).attrs
        try:
            found = held.get_id(name)
            # The library does not survive the reading of some types.
            known = found.get_type().get_class() in _KINDS
            too_long = known and found.dtype.kind == "O" and self._texts(found.shape) is not None
            value = held.get(name) if known and not too_long else None
        except (OSError, TypeError, ValueError, RuntimeError, KeyError):
            return None
        if isinstance(value, np.ndarray) and value.dtype.kind == "O":
            return np.reshape(np.array([_sound(part) for part in value.flat], object), value.shape)
        return _sound(value)

    def check_title(self, title: str) -> None:
        """The title of the file must be this."""
        found = self.attribute("title")
        if not isinstance(found, str) or found != title:
            raise self.fault(f"not {self._what}")

    def check_schema(self, first: int, last: int) -> int:
        """Version of its schema, which must be between two."""
        version = self.attribute("schema_version")
        if version is None:
            raise self.fault(f"'schema_version' is missing: not {self._what}, or damaged")
        if not isinstance(version, int | np.integer) or not first <= version <= last:
            known = f"{first} to {last}" if first < last else f"{last}"
            raise self.fault(
                f"schema_version {version}, this version reads {known}: "
                "read it with the version of npp_jax that wrote it"
            )
        return int(version)

    def text(self, name: str, otherwise: str | None = None) -> str:
        """A text, which is an attribute, or an array where it is long."""
        value = self.attribute(name)
        if value is None and name in self:
            value = str(self.dataset(name, (), kinds="S").asstr("utf-8", "replace")[()])
        if value is None and otherwise is not None:
            return otherwise
        if not isinstance(value, str):
            raise self.fault(f"'{name}' is missing, or is no text")
        return value

    def number(self, value: Any, name: str) -> float:
        """A finite number of an attribute."""
        array = np.asarray(value) if value is not None and not isinstance(value, h5py.Empty) else np.empty(0)
        if array.size != 1 or array.dtype.kind not in "fiu" or not np.isfinite(array.item()):
            raise self.fault(f"'{name}' is missing, or is no finite number")
        if abs(array.item()) > _LARGEST:
            raise self.fault(f"'{name}' is {array.item():g}: no quantity is so large")
        return float(array.item())

    def __contains__(self, name: str) -> bool:
        # What a link leads to is not looked up: it is there, and is refused where it is read.
        for above in _way(name):
            link = self.file.get(above, getlink=True)
            if not isinstance(link, h5py.HardLink):
                return link is not None
        return True

    def part(self, name: str) -> h5py.HLObject:
        """An array or a group of the file itself."""
        for above in _way(name):
            link = self.file.get(above, getlink=True)
            if link is None:
                raise self.fault(f"'{above}' is missing: not {self._what}, or damaged")
            if not isinstance(link, h5py.HardLink):
                raise self.fault(f"'{above}' is a link to somewhere else, which is not followed")
        return self.file[name]

    def groups(self, name: str = "/") -> list[str]:
        """Names of the groups in a group of the file itself; none where there is no such group."""
        if name != "/" and name not in self:
            return []
        place = self.part(name) if name != "/" else self.file
        if not isinstance(place, h5py.Group):
            return []
        inside = "" if name == "/" else f"{name}/"
        return [mark for mark in map(str, place) if isinstance(self.part(f"{inside}{mark}"), h5py.Group)]

    def dataset(self, name: str, dims: tuple[str, ...], *, kinds: str = "f") -> h5py.Dataset:
        """An array, not loaded.

        Parameters
        ----------
        name
            Its name.
        dims
            Its axes; one that occurs in several arrays has the same length in all.
        kinds
            Kinds of its type as NumPy calls them; S for names.
        """
        data = self.part(name)
        if not isinstance(data, h5py.Dataset):
            raise self.fault(f"'{name}' is no array")
        if data.is_virtual or data.external:
            raise self.fault(f"'{name}' lies in another file, which is not read")
        kind = "S" if h5py.check_string_dtype(data.dtype) is not None else data.dtype.kind
        if kind not in kinds or (kind != "S" and data.dtype.itemsize > 8):
            raise self.fault(f"'{name}' is of type {data.dtype}, which was not written")
        if data.shape is None or len(data.shape) != len(dims):
            raise self.fault(f"'{name}' has the shape {data.shape}; the axes {', '.join(dims) or 'none'} were written")
        for axis, length in zip(dims, data.shape, strict=True):
            known, first = self._lengths.setdefault(axis, (length, name))
            if length != known:
                raise self.fault(f"'{name}' has {length} values along {axis}, '{first}' has {known}")
        self._check_size(name, data)
        if kind == "S" and (claimed := self._texts(data.shape)) is not None:
            raise self.fault(f"'{name}' claims up to {claimed} bytes of texts that are not in the file")
        return data

    def _texts(self, shape: tuple[int, ...] | None) -> int | None:
        """Length to which a list of texts may come [bytes], where that is too much: many may refer to one long text."""
        claimed = math.prod(shape or (1,)) * self._longest
        return claimed if claimed > max(_TEXTS, 4 * self.file.id.get_filesize()) else None

    def _check_size(self, name: str, data: h5py.Dataset) -> None:
        """What an array claims to hold lies in the file."""
        stored, claimed = data.id.get_storage_size(), math.prod(data.shape) * data.dtype.itemsize
        stored = min(stored, self.file.id.get_filesize())
        whole = claimed <= (stored if data.chunks is None else _DEFLATED * stored)
        if data.chunks is not None and whole and claimed:
            pieces = (-(-length // piece) for length, piece in zip(data.shape, data.chunks, strict=True))
            whole = data.id.get_num_chunks() == math.prod(pieces)
        if data.chunks is not None and math.prod(data.chunks) * data.dtype.itemsize > max(claimed, _CHUNK):
            raise self.fault(f"'{name}' has chunks of {data.chunks}, longer than itself, which were not written")
        if not whole:
            raise self.fault(f"'{name}' claims {claimed} bytes that are not in the file")

    def array(self, name: str, dims: tuple[str, ...], *, kinds: str = "f", finite: bool = False) -> np.ndarray:
        """An array; see `dataset`. If `finite`, every number in it must be."""
        values = np.asarray(self.dataset(name, dims, kinds=kinds))
        # A program may have written it for another machine: JAX takes the order of bytes of this one only.
        values = values.astype(values.dtype.newbyteorder("="), copy=False)
        if finite and not np.isfinite(values).all():
            place = ", ".join(map(str, np.argwhere(~np.isfinite(values))[0]))
            raise self.fault(f"'{name}' [{place}] is not a finite number")
        if values.dtype == np.float64 and (far := np.isfinite(values) & (np.abs(values) > _LARGEST)).any():
            place = tuple(np.argwhere(far)[0])
            raise self.fault(f"'{name}' [{', '.join(map(str, place))}] is {values[place]:g}: no quantity is so large")
        return values

    def names(self, name: str, dims: tuple[str, ...]) -> tuple[str, ...]:
        """Names along an axis."""
        values = self.dataset(name, dims, kinds="S").asstr("utf-8", "replace")[...]
        found = tuple(str(value) for value in np.ravel(values))
        if (longest := max(map(len, found), default=0)) > _NAME:
            raise self.fault(f"'{name}' has a name of {longest} signs, which was not written")
        return found
