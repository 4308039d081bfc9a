"""Files that are there whole or not at all, a lock that ends with its process, and errors of the store."""

import contextlib
import errno
import hashlib
import os
import re
import secrets
import socket
import time
from collections.abc import Iterator
from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

# A lock of the kernel belongs to the process: a second one of the same process would be granted, and closing any
# descriptor of the file would drop the first.
_HELD: dict[Path, "Lock"] = {}

_UNDER_WAY: set[Path] = set()
"""Files that this process is writing."""


class StoreError(Exception):
    """The store cannot go on; the message is one line."""


class StoreFull(StoreError):
    """The disk is full, or a quota or limit is reached. What was finished is kept."""


class StoreLocked(StoreError):
    """Another process uses the store."""


@contextlib.contextmanager
def plain_errors(path: Path) -> Iterator[None]:
    """Turn errors of the operating system into a `StoreError` that names `path`."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise StoreFull(
                f"{path}: {error.strerror}; finished chunks are kept, make room and run again to resume"
            ) from error
        raise StoreError(f"{error.filename or path}: {error.strerror or error}") from error


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Name for a new file that takes the place of `path` once it is on the disk, or never.

    The content reaches the disk before the name changes, and the name before this returns: neither a killed process
    nor a power failure leaves a part of a file under the name. What fails on the way leaves the former file as it was.
    """
    with on_disk(path) as temporary:
        yield temporary
    try:
        put_in_place(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def on_disk(path: Path) -> Iterator[Path]:
    """Name for a new file beside `path`, on the disk when the block ends; gone if it fails."""
    _clear(path)
    temporary = part_of(path)
    _UNDER_WAY.add(temporary)
    os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    try:
        yield temporary
        _sync(temporary, os.O_RDWR)
    except BaseException:
        temporary.unlink(missing_ok=True)
        _UNDER_WAY.discard(temporary)
        raise


def put_in_place(temporary: Path, path: Path) -> None:
    """Give a new file that is on the disk its name, in place of the former one."""
    os.replace(temporary, path)
    _UNDER_WAY.discard(temporary)
    sync_folder(path.parent)


def drop_parts() -> None:
    """Remove what is being written, before the process ends at once."""
    for temporary in tuple(_UNDER_WAY):
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[int]:
    """Descriptor of a file of the store that is written whole.

    Raises
    ------
    StoreFull
        No room; the former file is as it was.
    StoreError
        Another error of the operating system.
    """
    with plain_errors(path), written_whole(path) as temporary:
        descriptor = os.open(temporary, os.O_RDWR)
        try:
            yield descriptor
        finally:
            os.close(descriptor)


_PART = re.compile(r"\.(.+)\.([0-9a-f]{8})-([0-9]+)-[0-9a-f]{8}\.part")
"""Name of a file that is being written: what it will be, machine and process that write it, and what no other has."""

_LONGEST_NAME = 200
"""Bytes of a name that leave room in the 255 of a folder for what the name of a part says beside it."""

_LONGEST = 86400.0
"""Age at which a file that another machine began is given up [s]."""


def part_of(path: Path) -> Path:
    """Name under which a file is written, another one each time."""
    return path.with_name(f".{_called(path.name)}.{_here()}-{os.getpid()}-{secrets.token_hex(4)}.part")


def _called(name: str) -> str:
    """How a file is called in the names of its parts: one of the longest name has no room for more."""
    encoded = os.fsencode(name)
    return name if len(encoded) <= _LONGEST_NAME else f"{name[:32]}~{hashlib.sha256(encoded).hexdigest()[:32]}"


def is_part_of(name: str, path: Path) -> bool:
    """Whether a process writes a file under this name that will take the place of `path`."""
    return target_of(name) == _called(path.name)


def target_of(name: str) -> str | None:
    """Name that a file will have of which a process is writing one of this name, short of the longest; else None."""
    found = _PART.fullmatch(name)
    return None if found is None else found[1]


def _here() -> str:
    """Mark of the machine that this is, in eight characters."""
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]


def _clear(path: Path) -> None:
    """Remove what processes left that were killed while they wrote a file."""
    called = _called(path.name)
    # Where the folder cannot be read, writing tells.
    with contextlib.suppress(OSError):
        for name in os.listdir(path.parent):
            # Most are others, and folders of sweeps have many.
            found = _PART.fullmatch(name) if name.startswith(f".{called}.") else None
            if found is not None and found[1] == called:
                with contextlib.suppress(OSError):
                    part = path.with_name(name)
                    if _is_left(part, found):
                        part.unlink()


def _is_left(part: Path, found: re.Match[str]) -> bool:
    """Whether nobody writes a file any longer, of which the parts of its name are found."""
    # Processes of other machines cannot be asked, nor are there signals on Windows that ask only.
    if found[2] != _here() or os.name != "posix":
        return time.time() - part.lstat().st_mtime > _LONGEST
    try:
        os.kill(int(found[3]), 0)
    except (ProcessLookupError, OverflowError):
        return True
    except OSError:
        # There is one, of another account.
        return False
    return False


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Write every byte at the position of the descriptor; a single call may write fewer."""
    rest = memoryview(data).cast("B")
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk; where folders cannot be opened, as on Windows, the system sees to it."""
    if hasattr(os, "O_DIRECTORY"):
        _sync(folder, os.O_RDONLY)


def _sync(path: Path, mode: int) -> None:
    descriptor = os.open(path, mode)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Lock:
    """Sole use of a folder by this process, until `release` or the end of the process, however it ends.

    Raises
    ------
    StoreLocked
        Another process, or this one, holds the lock.
    """

    def __init__(self, path: Path) -> None:
        try:
            import fcntl
        except ImportError:
            raise StoreError(f"{path}: the store needs the file locks of Linux or macOS") from None
        self._path = path.resolve()
        if self._path in _HELD:
            raise StoreLocked(f"{path.parent}: already open in this process")
        self._process = os.getpid()
        # Not through a link, which another account may have put there.
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        try:
            # Not flock: forked children would keep it alive.
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.pread(self._descriptor, 200, 0).decode(errors="replace").strip()
            os.close(self._descriptor)
            if error.errno not in (errno.EACCES, errno.EAGAIN):
                raise
            raise StoreLocked(f"{path.parent}: in use by {owner or 'another process'}") from None
        _HELD[self._path] = self
        # Only told to people; a disk too full for it is no reason to stop.
        with contextlib.suppress(OSError):
            # Not a file of another place that is linked here.
            if os.fstat(self._descriptor).st_nlink == 1:
                os.ftruncate(self._descriptor, 0)
                os.pwrite(self._descriptor, f"process {self._process} on {socket.gethostname()}\n".encode(), 0)

    @property
    def held(self) -> bool:
        """Whether this process, not its parent, holds the lock."""
        return _HELD.get(self._path) is self and self._process == os.getpid()

    def release(self) -> None:
        """Give the lock back; more than once does no harm."""
        if self.held:
            del _HELD[self._path]
            os.close(self._descriptor)
