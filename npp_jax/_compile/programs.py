"""Traced programs that are kept between runs beside compiled code: tracing in Python is most of a warm start.

What is kept is StableHLO of `jax.export`, by a name made of the source of this package, the versions of JAX and Python,
the platform, and all that a program depends on beside the values of its arguments. Whatever goes wrong, the program
is traced as it would be without.
"""

import contextlib
import dataclasses
import functools
import hashlib
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import export
from jaxlib.version import __version__ as jaxlib_version

_LOG = logging.getLogger(__name__)
_ENDING = ".hlo"
_DAYS = 30.0
"""Programs that were not used for so long are removed."""

_FORMS = 8
"""Shapes of arguments for which a program stays compiled; see `simulation.simulate` for what that takes."""

WrittenWhole = Callable[[Path], AbstractContextManager[Path]]
"""Gives the name of a new file that takes the place of a path when the block ends."""


class _Place(NamedTuple):
    folder: Path
    written_whole: WrittenWhole


_kept: _Place | None = None


def keep_programs(folder: Path, written_whole: WrittenWhole) -> None:
    """Keep traced programs from now on.

    Parameters
    ----------
    folder
        Where: no other account may write to it.
    written_whole
        How files are written.
    """
    global _kept
    _kept = _Place(folder / "programs", written_whole)


class Unknown(TypeError):
    """Something of which no text can be made that tells it from all others."""


def signature(thing: Any, *, values: bool) -> str:
    """Text that differs where two things do: numbers, texts, arrays, and what containers and classes of npp_jax hold.

    Parameters
    ----------
    thing
        What is told.
    values
        Whether arrays differ by their values too, or by shape and type alone.

    Raises
    ------
    Unknown
        It holds something else, such as a law of the user: what that computes may change under one name.
    """
    inner = functools.partial(signature, values=values)
    match thing:
        case None | bool() | int() | float():
            return repr(thing)
        case str():
            return repr(str(thing))
        case jax.Array() | np.ndarray():
            held = hashlib.sha256(np.asarray(thing).tobytes()).hexdigest() if values else ""
            return f"{thing.dtype}{thing.shape}{held}"
        case tuple() | list():
            return f"{type(thing).__qualname__}({','.join(map(inner, thing))})"
        case Mapping():
            return "{" + ",".join(f"{inner(key)}:{inner(value)}" for key, value in thing.items()) + "}"
    own = type(thing).__module__.partition(".")[0] == __name__.partition(".")[0]
    if not own or not dataclasses.is_dataclass(thing):
        raise Unknown(type(thing).__qualname__)
    fields = (f"{field.name}={inner(getattr(thing, field.name))}" for field in dataclasses.fields(thing))
    return f"{type(thing).__module__}.{type(thing).__qualname__}({','.join(fields)})"


class Program:
    """A function of arrays as a compiled program, traced at its first call or taken from those that are kept.

    Parameters
    ----------
    function
        Takes arrays; returns dictionaries, lists and tuples of arrays.
    made_of
        Returns all that it depends on beside its arguments, in a text; may raise `Unknown`.
    options
        Options of the compiler.
    """

    def __init__(
        self, function: Callable[..., Any], made_of: Callable[[], str], options: dict[str, Any] | None = None
    ) -> None:
        self._function, self._made_of, self._options = function, made_of, options
        self._lock = threading.Lock()
        self._compiled: dict[object, Callable[..., Any]] = {}

    def __call__(self, *arguments: Any) -> Any:
        return self.compiled(*arguments)(*arguments)

    def compiled(self, *arguments: Any) -> Callable[..., Any]:
        """The program for arguments of these shapes and types."""
        form = (_setting("default_device"), *((one.shape, one.dtype, _place(one)) for one in arguments))
        with self._lock:
            if form not in self._compiled:
                shapes = [jax.ShapeDtypeStruct(shape, dtype, sharding=place) for shape, dtype, place in form[1:]]
                try:
                    # Exported whether it is kept or not: results are the same to the last bit.
                    lowered = jax.jit(self._exported(shapes).call).lower(*shapes)
                except Exception:
                    # What cannot be exported is compiled as it is; an error of the function is raised there.
                    _LOG.debug("not exported", exc_info=True)
                    lowered = jax.jit(self._function).lower(*shapes)
                if len(self._compiled) >= _FORMS:
                    del self._compiled[next(iter(self._compiled))]
                self._compiled[form] = lowered.compile(compiler_options=self._options)
            return self._compiled[form]

    def _exported(self, shapes: list[jax.ShapeDtypeStruct]) -> export.Exported:
        """The traced program, from its file where there is one."""
        path = self._path(shapes)
        exported = None if path is None else _read(path)
        if exported is None:
            exported = export.export(jax.jit(self._function))(*shapes)
            if path is not None and _kept is not None:
                _write(path, exported, _kept.written_whole)
        return exported

    def _path(self, shapes: list[jax.ShapeDtypeStruct]) -> Path | None:
        """File of the program; None where none is kept."""
        if _kept is None:
            return None
        try:
            parts = (self._made_of(), [(one.shape, str(one.dtype)) for one in shapes], _surroundings())
        except Unknown:
            return None
        return _kept.folder / (hashlib.sha256(repr(parts).encode()).hexdigest() + _ENDING)


def _setting(name: str) -> Any:
    """A setting of JAX, as it is here and now."""
    return getattr(jax.config, f"jax_{name}")


def _place(argument: Any) -> Any:
    """Where an argument is bound to be; None for anywhere."""
    return argument.sharding if isinstance(argument, jax.Array) and argument.committed else None


def _read(path: Path) -> export.Exported | None:
    try:
        content = path.read_bytes()
        check, blob = content[:32], content[32:]
        if hashlib.sha256(blob).digest() != check:
            return None
        os.utime(path)
        return export.deserialize(bytearray(blob))
    except (OSError, ImportError, ValueError):
        return None


def _write(path: Path, exported: export.Exported, written_whole: WrittenWhole) -> None:
    """Whole or not at all, with a checksum; what has not been used for long makes room."""
    # No program is lost by a full disk, or for want of what writes it.
    with contextlib.suppress(OSError, ImportError, ValueError):
        blob = bytes(exported.serialize())
        path.parent.mkdir(mode=0o700, exist_ok=True)
        with written_whole(path) as temporary, temporary.open("wb") as file:
            file.write(hashlib.sha256(blob).digest() + blob)
        for old in path.parent.iterdir():
            if time.time() - old.stat().st_mtime > 86_400.0 * _DAYS:
                old.unlink()


@functools.cache
def _source() -> str:
    """Checksum of the source of this package."""
    digest = hashlib.sha256()
    root = Path(__file__).parents[1]
    for file in sorted(root.rglob("*.py")):
        digest.update(str(file.relative_to(root)).encode() + file.read_bytes())
    return digest.hexdigest()


def _surroundings() -> tuple[object, ...]:
    """What else a traced program depends on."""
    settings = [_setting(name) for name in ("enable_x64", "default_matmul_precision", "debug_nans")]
    return (_source(), jax.__version__, jaxlib_version, sys.version, jax.default_backend(), settings)
