"""Files of one chunk: named arrays under a checksum.

Layout: 8 bytes of magic; SHA-256 of all that follows; length of the header as 8 bytes, little-endian; header in JSON
(number of the chunk, key of the run, name, type, shape and offset of each array); the arrays, little-endian in C order,
each at a multiple of 64 bytes from the end of the header.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from npp_jax.store.disk import StoreError, replacing, write_all
from npp_jax.text.opened import read_bytes

_MAGIC = b"NPPCHNK1"
_PREFIX = len(_MAGIC) + 32 + 8
_ALIGN = 64
_NOT_WRITTEN = "its header is not one that was written"


class DamagedChunk(StoreError):
    """The file of a chunk is not what was written."""

    def __init__(self, chunk: int, path: Path, reason: str) -> None:
        super().__init__(f"{path}: chunk {chunk} is damaged ({reason})")
        self.chunk = chunk
        self.path = path
        self.reason = reason


def canonical_json(content: Mapping[str, Any]) -> bytes:
    """JSON with one spelling: sorted keys, no spaces, UTF-8."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def parsed_json(text: str | bytes) -> Any:
    """Content of a text in JSON, of anyone.

    Raises
    ------
    ValueError
        It is none, or lists lie within one another without end: Python tells that as another kind of error.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("lists or tables within one another without end") from None


def write_chunk(path: Path, chunk: int, run: str, arrays: Mapping[str, Any]) -> None:
    """Write the arrays of a chunk, whole or not at all.

    Parameters
    ----------
    path
        Target; replaced as a whole.
    chunk
        Number of the chunk.
    run
        Key of the run that the chunk belongs to.
    arrays
        Arrays of numbers or truth values by name.

    Raises
    ------
    StoreFull
        No room on the disk.
    StoreError
        An array of another type, or another error of the operating system.
    """
    table, parts, offset = [], [], 0
    for name in sorted(arrays):
        values = np.asarray(arrays[name])
        if values.dtype.kind not in "biufc":
            raise StoreError(f"chunk {chunk}: {name} is of type {values.dtype}, which is no number")
        # `ascontiguousarray` would turn a scalar into an array of length one.
        values = np.asarray(values, values.dtype.newbyteorder("<"), order="C")
        table.append({"name": name, "dtype": values.dtype.str, "shape": values.shape, "offset": offset})
        pad = -values.nbytes % _ALIGN
        parts += [values.reshape(-1).view(np.uint8), np.zeros(pad, np.uint8)]
        offset += values.nbytes + pad
    header = canonical_json({"chunk": chunk, "run": run, "arrays": table})
    parts.insert(0, np.frombuffer(len(header).to_bytes(8, "little") + header, np.uint8))
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    with replacing(path) as descriptor:
        write_all(descriptor, _MAGIC + digest.digest())
        for part in parts:
            write_all(descriptor, part.data)


def read_chunk(path: Path, chunk: int, run: str) -> dict[str, np.ndarray]:
    """Arrays of a chunk by name, read-only.

    Raises
    ------
    DamagedChunk
        Any byte is missing, added or changed, or the file is that of another chunk or run.
    FileNotFoundError
        The chunk was not written.
    """
    header, start, data = _checked(path, chunk)
    if header["chunk"] != chunk:
        raise DamagedChunk(chunk, path, f"the content is that of chunk {header['chunk']}")
    if header["run"] != run:
        raise DamagedChunk(chunk, path, "the content is that of another run")
    arrays = {}
    try:
        for entry in header["arrays"]:
            shape, dtype = tuple(entry["shape"]), np.dtype(entry["dtype"])
            arrays[entry["name"]] = np.frombuffer(data, dtype, math.prod(shape), start + entry["offset"]).reshape(shape)
    except (ValueError, KeyError, TypeError, OverflowError):
        raise DamagedChunk(chunk, path, _NOT_WRITTEN) from None
    return arrays


def run_of(path: Path, chunk: int) -> str:
    """Key of the run that wrote a chunk.

    Raises
    ------
    DamagedChunk
        The file is damaged.
    """
    return _checked(path, chunk)[0]["run"]


def _checked(path: Path, chunk: int) -> tuple[dict[str, Any], int, bytes]:
    """Header, where the arrays begin, and the whole file, once the checksum has been found right."""
    try:
        data = read_bytes(path)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise DamagedChunk(chunk, path, error.strerror or "unreadable") from error
    if len(data) < _PREFIX:
        raise DamagedChunk(chunk, path, f"truncated to {len(data)} bytes")
    if not data.startswith(_MAGIC):
        raise DamagedChunk(chunk, path, "not the file of a chunk")
    body = memoryview(data)[len(_MAGIC) + 32 :]
    if hashlib.sha256(body).digest() != data[len(_MAGIC) : len(_MAGIC) + 32]:
        raise DamagedChunk(chunk, path, "the checksum is wrong")
    length = int.from_bytes(body[:8], "little")
    start = _PREFIX + length
    # A checksum tells of damage only: anyone can make a right one.
    try:
        header = parsed_json(data[_PREFIX:start])
    except ValueError:
        header = None
    if not isinstance(header, dict) or not {"chunk", "run", "arrays"} <= set(header):
        raise DamagedChunk(chunk, path, _NOT_WRITTEN)
    return header, start, data
