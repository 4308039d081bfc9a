"""Texts of HDF5 lie in heaps, and the library does not return from a heap whose sizes are damaged: they are read first.

Source: HDF5 File Format Specification 3.0, section III.E "Disk Format: Level 1E - Global Heap". A heap begins with
its signature, version 1 and its size; objects follow, each with a head of 16 bytes, of which the last 8 are the size of
what follows, filled up to a multiple of 8. The object of number 0 is what is free, its size that of all of it.
"""

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from npp_jax.text.opened import open_file

_SIGNATURE = b"GCOL\x01"
_HEAD = struct.Struct("<8sQ")
_OBJECT = struct.Struct("<HHIQ")
_SMALLEST = 4096
"""Length of a heap at least [bytes]; the library refuses others itself."""


class Heaps(NamedTuple):
    """What the heaps of a file are like."""

    damaged: int | None
    """Where the first lies whose objects do not fill it one after the other [byte]; None if all are sound."""
    longest: int
    """Length of the longest object before that [bytes]: no text is longer, however many refer to it."""


def look_at_heaps(path: str | Path) -> Heaps:
    """Follow the objects of every heap."""
    with open_file(path) as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        end = longest = 0
        for start, length in _heaps(content):
            # No heap lies in another; to follow each from its start would take for ever.
            found = None if start < end else _longest(content, start, start + length)
            if found is None:
                return Heaps(start, longest)
            end, longest = start + length, max(longest, found)
    return Heaps(None, longest)


def _heaps(content: mmap.mmap) -> Iterator[tuple[int, int]]:
    """Start and length of all heaps that lie in the file [bytes]; the library refuses others itself."""
    start = content.find(_SIGNATURE)
    while 0 <= start <= len(content) - _HEAD.size:
        _, length = _HEAD.unpack_from(content, start)
        if _SMALLEST <= length <= len(content) - start:
            yield start, length
        start = content.find(_SIGNATURE, start + 1)


def _longest(content: mmap.mmap, start: int, end: int) -> int | None:
    """Length of the longest object of a heap [bytes]; None where they do not fill it."""
    longest, place = 0, start + _HEAD.size
    while place + _OBJECT.size <= end:
        number, _, _, size = _OBJECT.unpack_from(content, place)
        length = _OBJECT.size + -(-size // 8) * 8 if number else size
        if not _OBJECT.size <= length <= end - place:
            return None
        if number:
            longest = max(longest, size)
        place += length
    return longest
