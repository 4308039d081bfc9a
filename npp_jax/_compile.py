"""Choices of the compiler for programs that run a few times, where compilation is most of the time; its cache."""

import contextlib
import functools
import glob
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import jax
import jax.numpy as jnp

P = ParamSpec("P")
R = TypeVar("R")

_QUICK = {"xla_backend_optimization_level": 1, "xla_cpu_use_fusion_emitters": False}

_TROUBLE = re.compile(r"Error (reading|writing) persistent compilation cache entry for '([^']*)': (.*)", re.DOTALL)


@functools.cache
def quick() -> dict[str, Any]:
    """Options that halve the compilation of a simulation on a CPU; it then runs up to a third slower.

    None of them on other devices, and where XLA does not know them.
    """
    if jax.default_backend() != "cpu":
        return {}
    try:
        jax.jit(lambda x: x, compiler_options=_QUICK).lower(jnp.zeros(())).compile()
    except jax.errors.JaxRuntimeError:
        return {}
    return dict(_QUICK)


def jit_small(function: Callable[..., Any], *, static: tuple[str, ...] = ()) -> Callable[..., Any]:
    """`jax.jit` of a short program that is not part of another: optimising its machine code is not worth the time."""
    return jax.jit(function, static_argnames=static, compiler_options={"xla_backend_optimization_level": 0})


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
            tell(f"{folder}: compiled code cannot be kept: {reason}")

    warnings.filterwarnings("always", message="Error (reading|writing) persistent compilation cache")
    warnings.showwarning = show
