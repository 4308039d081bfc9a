"""Choices of the compiler for programs that run a few times, where compilation is most of the time; its cache."""

import contextlib
import functools
import glob
import os
import platform
import re
import stat
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import jax
import jax.numpy as jnp

P = ParamSpec("P")
R = TypeVar("R")

_QUICK = {"xla_backend_optimization_level": 1, "xla_cpu_use_fusion_emitters": False}

# Without optimisation and with instructions that round a product and a sum once (FMA), the older emitters leave random
# numbers drawn by rejection unset now and then: AVX has no such instructions.
_ONCE = {"xla_backend_optimization_level": 0, "xla_cpu_use_fusion_emitters": False, "xla_cpu_max_isa": "AVX"}

_TROUBLE = re.compile(r"Error (reading|writing) persistent compilation cache entry for '([^']*)': (.*)", re.DOTALL)


@functools.cache
def quick() -> dict[str, Any]:
    """Options that halve the compilation of a simulation on a CPU; it then runs up to a third slower.

    None of them on other devices, and where XLA does not know them.
    """
    return dict(_QUICK) if _known(_QUICK) else {}


@functools.cache
def once() -> dict[str, Any]:
    """Options for a program that runs once: a third of the compilation on a CPU, and three times the run.

    None of them on other devices; elsewhere than on x86, and where XLA does not know them, no optimisation alone.
    """
    if jax.default_backend() != "cpu":
        return {}
    if platform.machine() in ("x86_64", "AMD64") and _known(_ONCE):
        return dict(_ONCE)
    return {"xla_backend_optimization_level": 0}


def _known(options: dict[str, Any]) -> bool:
    """Whether the device is a CPU whose compiler knows the options."""
    if jax.default_backend() != "cpu":
        return False
    try:
        jax.jit(lambda x: x, compiler_options=options).lower(jnp.zeros(())).compile()
    except jax.errors.JaxRuntimeError:
        return False
    return True


def jit_small(function: Callable[..., Any], *, static: tuple[str, ...] = ()) -> Callable[..., Any]:
    """`jax.jit` of a short program that is not part of another: optimising its machine code is not worth the time."""

    @functools.cache
    def compiled() -> Callable[..., Any]:
        # The device is known with the first call; at import it must not be asked for.
        return jax.jit(function, static_argnames=static, compiler_options=once())

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        return compiled()(*args, **kwargs)

    return wrapped


def own_promotion(function: Callable[P, R]) -> Callable[P, R]:
    """Trace a function with JAX's standard rules of promotion, whatever stricter ones the program around it has set."""

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
            return function(*args, **kwargs)

    return wrapped


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
