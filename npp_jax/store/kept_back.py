"""A file for HDF5 whose errors wait until HDF5 has closed it."""

import io
import os
from typing import Any

from npp_jax.store.disk import write_all


class KeptBack(io.RawIOBase):
    """File for HDF5 that keeps errors back until HDF5 has closed it: HDF5 does not survive a write that fails.

    From the first error on, what is written stays in memory, where HDF5 may read it again; `check` then raises it.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self.error: BaseException | None = None
        self._descriptor = descriptor
        self._place = 0
        self._end = 0
        self._kept: list[tuple[int, bytes]] = []

    def check(self) -> None:
        """Raise the first error, if there was one."""
        if self.error is not None:
            raise self.error

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place."""
        self._place = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._end}[whence]
        return self._place

    def tell(self) -> int:
        """Where the next byte goes."""
        return self._place

    def write(self, data: Any) -> int:
        """Write all, or keep it."""
        part = memoryview(data).cast("B")
        place, self._place = self._place, self._place + len(part)
        self._end = max(self._end, self._place)
        if self.error is None:
            try:
                os.lseek(self._descriptor, place, os.SEEK_SET)
                write_all(self._descriptor, part)
            except BaseException as error:
                self.error = error
        if self.error is not None:
            self._kept.append((place, bytes(part)))
        return len(part)

    def readinto(self, buffer: Any) -> int:
        """Read what is on the disk, and what is kept over it."""
        part = memoryview(buffer).cast("B")
        start, self._place = self._place, self._place + len(part)
        try:
            data = os.pread(self._descriptor, len(part), start)
        except BaseException as error:
            self.error, data = self.error or error, b""
        part[: len(data)] = data
        part[len(data) :] = bytes(len(part) - len(data))
        for place, kept in self._kept:
            first, last = max(start, place), min(start + len(part), place + len(kept))
            if first < last:
                part[first - start : last - start] = kept[first - place : last - place]
        return len(part)

    def truncate(self, size: int | None = None) -> int:
        """Cut or extend the file."""
        self._end = self._place if size is None else size
        if self.error is None:
            try:
                os.ftruncate(self._descriptor, self._end)
            except BaseException as error:
                self.error = error
        return self._end

    def flush(self) -> None:
        """Nothing is buffered here."""
