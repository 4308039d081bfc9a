"""Files are written whole or not at all: the one way in which results, tables, reports and figures reach the disk."""

import contextlib
import contextvars
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py

from npp_jax.files.origin import Origin, check_state, note_state
from npp_jax.store import disk

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_STAGED = contextvars.ContextVar[dict[Path, Path] | None]("staged", default=None)
"""New files that wait for the others, by their targets."""

_ODD = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Orders to a terminal, marks that turn the direction of what follows, and odd bytes of file names."""


@contextlib.contextmanager
def written_together() -> Iterator[None]:
    """The files that are written in this block take their places when it ends, all of them, or none does."""
    staged: dict[Path, Path] = {}
    token = _STAGED.set(staged)
    try:
        yield
        _put_in_place(staged)
    finally:
        _STAGED.reset(token)
        _drop(staged)


def _put_in_place(staged: Mapping[Path, Path]) -> None:
    """Give new files that are on the disk their names, if nobody else has written such files meanwhile."""
    for path in staged:
        check_state(path)
    for path, temporary in staged.items():
        with _named(path):
            disk.put_in_place(temporary, path)
        note_state(path)


def _drop(staged: Mapping[Path, Path]) -> None:
    for temporary in staged.values():
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """Name for a new file that takes the place of `path` when the block ends, or never.

    Parameters
    ----------
    path
        Target; replaced as a whole once the new file is on the disk, and left as it was where the block fails.

    Raises
    ------
    OSError
        The file cannot be written; `filename` is that of the target.
    """
    path, staged = Path(path), _STAGED.get()
    with _named(path):
        with disk.on_disk(path) as temporary:
            yield temporary
        if staged is not None:
            if path in staged:
                # Written again in one block: the last one counts.
                staged[path].unlink(missing_ok=True)
            staged[path] = temporary
            return
        try:
            _put_in_place({path: temporary})
        finally:
            _drop({path: temporary})


def staged_for(path: Path) -> Path:
    """The new file that waits for others to take the place of `path`."""
    return (_STAGED.get() or {})[path]


def told_earlier(own: Iterable[Path], written: Iterable[Path]) -> list[str]:
    """A sentence on each file that a command could have written here, has not, and that would be taken for its own."""
    new = {path.resolve() for path in written}
    former = [path for path in dict.fromkeys(own) if path.resolve() not in new and path.exists()]
    return [f"{path} was there before, and is not of this run" for path in former]


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """Errors of the system name the target, not the file that takes its place."""
    try:
        yield
    except OSError as error:
        if error.filename is None or disk.is_part_of(Path(error.filename).name, path):
            error.filename, error.filename2 = str(path), None
        raise


def readable(text: str) -> str:
    """Text that may have odd bytes of file names, orders to a terminal or marks of direction, with another mark in the
    place of each.
    """
    return _ODD.sub("\ufffd", text)


def write_text(path: str | Path, text: str) -> None:
    """Write a text file in UTF-8, whole or not at all."""
    with written_whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_page(path: str | Path, text: str, origin: Origin | None = None) -> None:
    """Write a text of Markdown or HTML, which tells its origin in a comment."""
    write_text(path, readable(text) + (f"\n<!-- {origin.mark(Path(path))} -->\n" if origin else ""))


def write_json(path: str | Path, content: dict[str, Any], origin: Origin | None = None) -> None:
    """Write JSON, whole or not at all; numbers that are not finite, which JSON does not know, are null."""
    told = {"origin": origin.mark(Path(path))} if origin else {}
    write_text(path, json_text({**content, **told}, indent=2) + "\n")


def json_text(content: Any, *, indent: int | None = None) -> str:
    """Content as JSON that every reader takes: null for numbers that are not finite."""
    return json.dumps(_finite(content), indent=indent, allow_nan=False)


def _finite(content: Any) -> Any:
    match content:
        case dict():
            return {key: _finite(value) for key, value in content.items()}
        case list() | tuple():
            return [_finite(value) for value in content]
        case float() if not math.isfinite(content):
            return None
        case str():
            return readable(content)
    return content


@contextlib.contextmanager
def written_hdf5(path: str | Path, origin: Origin | None = None) -> Iterator[h5py.File]:
    """HDF5 file of some megabytes, written whole or not at all.

    It is made in memory: a disk that is full while HDF5 writes can end the process.

    Parameters
    ----------
    path
        Target; replaced as a whole.
    origin
        Whose the file is.
    """
    # The library sees no odd bytes of a name.
    with h5py.File("result.h5", "w", driver="core", backing_store=False) as file:
        if origin is not None:
            file.attrs["origin"] = origin.mark(Path(path))
        yield file
        file.flush()
        image = file.id.get_file_image()
    with written_whole(path) as temporary:
        temporary.write_bytes(image)


def write_figure(path: str | Path, figure: "Figure", *, dpi: int = 150, origin: Origin | None = None) -> None:
    """Write a figure, whole or not at all; the ending of the name gives the format.

    Raises
    ------
    ValueError
        No format has this ending.
    """
    check_figure(path)
    form = Path(path).suffix[1:].lower()
    told = {} if origin is None else _metadata(form, origin.mark(Path(path)))
    with written_whole(path) as temporary:
        figure.savefig(temporary, dpi=dpi, format=form, **told)


def draw(
    path: Path,
    make: Callable[[], "Figure | None"],
    lost: list[str],
    *,
    name: str | None = None,
    dpi: int = 150,
    origin: Origin | None = None,
) -> list[Path]:
    """Draw a figure and write it; what it meets, the disk apart, costs no number.

    Parameters
    ----------
    path
        Target.
    make
        Draws it; nothing where there is nothing to show.
    lost
        Takes a sentence where the figure could not be drawn.
    name
        How the sentence calls it; as the file by default.

    Returns
    -------
    The file, if there is one.
    """
    try:
        figure = make()
        if figure is None:
            return []
        write_figure(path, figure, dpi=dpi, origin=origin)
    except OSError:
        raise
    except Exception as error:
        words = f"{type(error).__name__}: {error}".splitlines()[0]
        lost.append(f"The figure '{name or path.stem}' could not be drawn: {words}")
        return []
    return [path]


def _metadata(form: str, mark: str) -> dict[str, Any]:
    """Options of matplotlib that put a mark into a figure; none for a format without a place for it."""
    keys = {"png": "Description", "svg": "Description", "pdf": "Keywords", "ps": "Creator", "eps": "Creator"}
    if form in keys:
        return {"metadata": {keys[form]: mark}}
    keys = {"jpg": "comment", "jpeg": "comment", "tif": "description", "tiff": "description"}
    return {"pil_kwargs": {keys[form]: mark}} if form in keys else {}


def check_figure(path: str | Path) -> None:
    """Refuse a name of a figure whose ending is that of no format.

    Raises
    ------
    ValueError
        One line: the name, and the endings that there are.
    """
    from matplotlib.figure import Figure

    formats = Figure().canvas.get_supported_filetypes()
    if Path(path).suffix[1:].lower() not in formats:
        raise ValueError(f"{path}: the ending of a figure is one of {', '.join(sorted(formats))}")
