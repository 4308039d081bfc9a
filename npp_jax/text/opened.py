"""The one way in which a file of the user is opened to be read: a pipe or a device in its place is not waited for."""

import errno
import io
import os
import stat
from pathlib import Path

DEVICE = "a pipe or a device, not a file"
"""What is said of a place that holds neither a file nor a folder."""


def open_file(path: str | Path) -> io.BufferedReader:
    """Open a file to read its bytes.

    Raises
    ------
    OSError
        There is none, it cannot be read, or what is there is no file.
    """
    file = open(path, "rb", opener=_at_once)
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, DEVICE, str(path))
    return file


def _at_once(path: str, flags: int) -> int:
    """A pipe with a name is waited for when it is opened, unless it is asked not to be."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def read_bytes(path: str | Path) -> bytes:
    """All bytes of a file; see `open_file`."""
    with open_file(path) as file:
        return file.read()


def is_device(path: str | Path) -> bool:
    """Whether something is seen there that is neither a file nor a folder."""
    # Those of a path raise an error where a folder above is closed.
    return os.path.exists(path) and not (os.path.isfile(path) or os.path.isdir(path))
