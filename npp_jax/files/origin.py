"""Whose a result is: every file that a command writes carries a mark, and what has another one is not replaced.

A mark tells the command, and by a checksum its input, as that is found from the folder of the result, and what else
makes it a result of its own, such as the model. It is plain text in the file, whatever the format: an attribute, a
comment, metadata of a figure. So a study that is edited replaces its results, a folder that moves as a whole keeps
them, and two studies of one name do not meet. Tables (CSV) have no place for it; a result beside them lists them.
"""

import errno
import hashlib
import mmap
import os
import re
import secrets
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from npp_jax.files.errors import ConfigError

ROOM = 1 << 20
"""Room that is asked for before the work where nothing more is known [bytes]; results of one experiment take less."""

_MARK = re.compile(rb"npp-jax-result:([a-z-]+):[0-9a-f]{32}")


@dataclass(frozen=True)
class Origin:
    """What a result is made of."""

    command: str
    """Command that makes it: `simulate`."""
    source: Path
    """Its input."""
    detail: str = ""
    """What tells apart results of one input that must not replace each other."""
    reads: tuple[Path, ...] = ()
    """Every file that is read, which no result replaces."""

    def mark(self, target: Path) -> str:
        """Mark of a result at a place."""
        text = os.fsencode(f"{relative_to(self.source, target.parent)}\n{self.detail}")
        return f"npp-jax-result:{self.command}:{hashlib.sha256(text).hexdigest()[:32]}"

    def made(self, target: Path) -> bool:
        """Whether the file at a place is such a result."""
        return self.mark(target).encode() in _marks(target)


def relative_to(path: Path, folder: Path) -> str:
    """How a file is found from a folder; in full where it lies on another drive."""
    try:
        return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
    except ValueError:
        return path.resolve().as_posix()


def check_targets(
    targets: Iterable[Path], origin: Origin, *, force: bool, listed: Iterable[Path] = (), room: int = ROOM
) -> None:
    """Refuse, before the work, results that cannot be written, or would replace what is not theirs.

    Parameters
    ----------
    targets
        The results, in folders that exist.
    origin
        Whose they are.
    force
        Replace what is there, unless it is read.
    listed
        Tables that a result of the same origin tells to be its own.
    room
        How much room they need. [bytes]

    Raises
    ------
    ConfigError
        In one line: a target is read, is a folder, is named twice, or is there and of another origin.
    OSError
        Its folder is not there, cannot be written, or has no room.
    """
    targets, own = list(targets), {path.resolve() for path in listed}
    for k, target in enumerate(targets):
        for read in (origin.source, *origin.reads):
            if _same(target, read):
                raise ConfigError(f"{target}: it would replace a data file that is read; give another place")
        if any(_same(target, other) for other in targets[:k]):
            raise ConfigError(f"{target}: two results would have this name; give one of them another")
        if target.is_dir():
            raise ConfigError(f"{target}: a folder is there; a file is to be written")
        if target.exists() and not target.is_file():
            raise ConfigError(f"{target}: a device is there; a file is to be written")
        if target.exists() and not force and target.resolve() not in own and not origin.made(target):
            raise ConfigError(f"{target}: {_other(target, origin)}; give another place, or --force to replace it")
    for folder in dict.fromkeys(target.parent for target in targets):
        check_folder(folder, room)
    for target in targets:
        note_state(target)


_STATES: dict[Path, tuple[int, ...]] = {}
"""What was at the places of results when they were looked at."""


def note_state(target: Path) -> None:
    """Remember what is at a place now."""
    _STATES[target.resolve()] = _state(target)


def check_state(target: Path) -> None:
    """Refuse to replace what came to a place since it was looked at, as by another command at the same time.

    Raises
    ------
    OSError
        With the file and the reason.
    """
    known = _STATES.get(target.resolve())
    if known is not None and known != _state(target):
        raise OSError(errno.EBUSY, "another command has written it since this one began", str(target))


def _state(target: Path) -> tuple[int, ...]:
    try:
        found = target.stat()
    except OSError:
        return ()
    return found.st_ino, found.st_size, found.st_mtime_ns


def check_folder(folder: Path, room: int = ROOM) -> None:
    """Refuse, before the work, a folder in which a file of a size cannot be made.

    Raises
    ------
    OSError
        With the folder and the reason.
    """
    # A name that no other account can guess, and never a file that is there, as a link to one of this account.
    probe = folder / f".npp_jax_{secrets.token_hex(8)}.part"
    try:
        free = shutil.disk_usage(folder).free
        if free < room:
            reason = os.strerror(errno.ENOSPC)
            raise OSError(errno.ENOSPC, f"{reason}: {free / 1e6:.3g} MB of about {room / 1e6:.3g} MB")
        descriptor = os.open(probe, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            if hasattr(os, "posix_fallocate"):
                # Quotas and limits too; a file in memory is not to be larger.
                os.posix_fallocate(descriptor, 0, min(room, ROOM))
        finally:
            os.close(descriptor)
            probe.unlink(missing_ok=True)
    except OSError as error:
        error.filename, error.filename2 = str(folder), None
        raise


def _other(target: Path, origin: Origin) -> str:
    """What is at a place that is not a result of an origin, in words."""
    commands = {mark.split(b":")[1].decode() for mark in _marks(target)}
    of = f"{origin.source}{f' ({origin.detail})' if origin.detail else ''}"
    if not commands:
        return f"a file is there that does not tell that it is a result of `npp-jax {origin.command}` of {of}"
    if origin.command in commands:
        return f"there is a result of `npp-jax {origin.command}`, and not of {of}"
    return f"there is a result of `npp-jax {min(commands)}`, not of `npp-jax {origin.command}`"


def _marks(path: Path) -> set[bytes]:
    """Marks in a file; none where it cannot be read."""
    # A pipe, which another account may have put there, would be waited for.
    if not path.is_file():
        return set()
    try:
        with path.open("rb") as file:
            if not os.fstat(file.fileno()).st_size:
                return set()
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                return {found[0] for found in _MARK.finditer(content)}
    except (OSError, ValueError):
        return set()


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return one.resolve() == other.resolve()
