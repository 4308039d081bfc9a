"""The folder in which compiled code is kept between runs: what is damaged in it, and who else could write to it."""

import contextlib
import glob
import os
import re
import stat
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

_TROUBLE = re.compile(r"Error (reading|writing) persistent compilation cache entry for '([^']*)': (.*)", re.DOTALL)


def mend_cache(folder: Path, tell: Callable[[str], None]) -> None:
    """Throw away what is damaged in the cache of compiled code, in place of warnings with each run.

    JAX writes an entry in place and replaces none: a process that is killed, or a full disk, leaves a part of it.

    Parameters
    ----------
    folder
        Where the cache is.
    tell
        Is told once why nothing can be kept.
    """
    plain, told = warnings.showwarning, []

    def show(message: Warning | str, *rest: Any, **more: Any) -> None:
        found = _TROUBLE.match(str(message))
        if found is None:
            return plain(message, *rest, **more)
        doing, name, reason = found.groups()
        with contextlib.suppress(OSError):
            entries = sorted(folder.glob(f"{glob.escape(name)}-*-cache"), key=lambda entry: entry.stat().st_mtime)
            # The name does not say which one could not be read; that which was written is the last.
            for entry in entries if doing == "reading" else entries[-1:]:
                entry.unlink()
        if doing == "writing" and not told:
            told.append(reason)
            tell(f"{folder}: compiled code cannot be kept: {reason.rpartition('] ')[2]}")

    warnings.filterwarnings("always", message="Error (reading|writing) persistent compilation cache")
    warnings.showwarning = show


def open_to(folder: Path) -> str | None:
    """Why another account could place code in a folder; None if none could, but for the administrator.

    What is read from the cache of compiled code is executed.

    Parameters
    ----------
    folder
        Where the cache is, without links.
    """
    if not hasattr(os, "getuid"):
        return None
    owners = (os.getuid(), 0)
    for place in (folder, *folder.parents):
        found = place.stat()
        if found.st_uid not in owners:
            return f"{place} belongs to another account"
        # In a sticky folder as /tmp nobody moves what is not his.
        if found.st_mode & 0o022 and (place == folder or not found.st_mode & stat.S_ISVTX):
            return f"other accounts may write to {place} (chmod go-w ends that; empty it before)"
    entered = folder.stat().st_mode & 0o011
    with os.scandir(folder) as entries:
        for entry in entries:
            found = entry.stat(follow_symlinks=False)
            if found.st_uid not in owners or entry.is_symlink() or (entered and found.st_mode & 0o022):
                return f"{entry.path} may be of another account"
    return None
