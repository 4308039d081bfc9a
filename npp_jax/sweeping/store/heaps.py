"""Texts of HDF5 lie in heaps, and the library does not return from a heap whose sizes are damaged: they are read first.

Source: HDF5 File Format Specification 3.0, section III.E "Disk Format: Level 1E - Global Heap". A heap begins with
its signature, version 1 and its size; objects follow, each with a head of 16 bytes, of which the last 8 are the size of
what follows, filled up to a multiple of 8. The object of number 0 is what is free, its size that of all of it.
"""

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path

_SIGNATURE = b"GCOL\x01"
_HEAD = struct.Struct("<8sQ")
_OBJECT = struct.Struct("<HHIQ")
_SMALLEST = 4096
"""Length of a heap at least [bytes]; the library refuses others itself."""


def damaged_heap(path: str | Path) -> int | None:
    """Where the first heap lies whose objects do not fill it one after the other [byte]; None if all are sound."""
    with Path(path).open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        end = 0
        for start, length in _heaps(content):
            # No heap lies in another; to follow each from its start would take for ever.
            if start < end or not _is_sound(content, start, start + length):
                return start
            end = start + length
    return None


def _heaps(content: mmap.mmap) -> Iterator[tuple[int, int]]:
    """Start and length of all heaps that lie in the file [bytes]; the library refuses others itself."""
    start = content.find(_SIGNATURE)
    while 0 <= start <= len(content) - _HEAD.size:
        _, length = _HEAD.unpack_from(content, start)
        if _SMALLEST <= length <= len(content) - start:
            yield start, length
        start = content.find(_SIGNATURE, start + 1)


def _is_sound(content: mmap.mmap, start: int, end: int) -> bool:
    place = start + _HEAD.size
    while place + _OBJECT.size <= end:
        number, _, _, size = _OBJECT.unpack_from(content, place)
        length = _OBJECT.size + -(-size // 8) * 8 if number else size
        if not _OBJECT.size <= length <= end - place:
            return False
        place += length
    return True
