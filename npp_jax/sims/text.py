"""Bytes of a file to lines of text, and cells to numbers, with the place named where it fails."""

import codecs
import dataclasses
import hashlib
import math
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from npp_jax.sims.errors import fault, shorten

LARGEST_FILE = 200_000_000
"""Longest file that is read [bytes]."""

MISSING = frozenset(
    {"", "n/a", "na", "#n/a", "n.a.", "nan", "-nan", "null", "none", "-", "--", "#nv", "#div/0!", "#wert!", "#value!"}
)
INFINITE = frozenset({"inf", "+inf", "-inf", "infinity", "1.#inf", "-1.#inf", "∞"})

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:[.,][0-9]*)?|[.,][0-9]+)(?:[eEdD][+-]?[0-9]{1,4})?")
_PLAIN = re.compile(r"[-+0-9.eE]+")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_FOREIGN = {
    b"PK\x03\x04": "an Excel workbook or archive; save the sheet as text (CSV)",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook; save the sheet as text (CSV)",
    b"\x89HDF": "an HDF5 file; profiles of npp_jax are read with read_profile",
    b"%PDF": "a PDF",
    b"\x1f\x8b": "a gzip file; unpack it first",
}


@dataclasses.dataclass(frozen=True)
class Text:
    """A file as lines."""

    path: str
    """File."""
    lines: tuple[str, ...]
    """Lines without their ends."""
    sha256: str
    """Checksum of the bytes."""
    encoding: str
    """Encoding it was read in."""


def read_text(path: str | Path) -> Text:
    """Read a file of unknown encoding as lines.

    Raises
    ------
    SimsFileError
        The file cannot be opened, is empty, too long, or holds no text.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise fault(path, f"cannot be read ({reason})") from None
    if not data.strip(b" \t\r\n\0"):
        raise fault(path, "the file is empty; a depth profile was expected")
    if len(data) > LARGEST_FILE:
        raise fault(path, f"longer than {LARGEST_FILE // 1_000_000} MB; a depth profile was expected")
    for magic, what in _FOREIGN.items():
        if data.startswith(magic):
            raise fault(path, f"this is {what}")
    text, encoding = _decoded(path, data)
    # Only these end a line: splitlines() would also cut at characters that occur in names.
    lines = re.split(r"\r\n|\n|\r", text.rstrip("\x1a\0"))
    for number, line in enumerate(lines, 1):
        odd = _CONTROL.search(line)
        if odd:
            raise fault(
                path,
                f"binary content (character {ord(odd[0])}); text was expected",
                line=number,
                column=odd.start() + 1,
            )
    return Text(str(path), tuple(lines), hashlib.sha256(data).hexdigest(), encoding)


def _decoded(path: str | Path, data: bytes) -> tuple[str, str]:
    """Text and encoding: by the mark at the beginning, by the zeros of UTF-16, by trying."""
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), None)
    head = data[:4096]
    if encoding is None and head.count(0) > 0.3 * len(head):
        encoding = "utf-16-le" if head[1::2].count(0) > head[::2].count(0) else "utf-16-be"
    line = 1
    for name in (encoding,) if encoding else ("utf-8", "cp1252", "latin-1"):
        try:
            return data.decode(name), name
        except UnicodeDecodeError as error:
            line = data[: error.start].count(b"\n") + 1
    raise fault(path, f"not {encoding} text, which its beginning promises", line=line)


def number(cell: str, path: str | Path, line: int, column: int | str, decimal: str = ".") -> float:
    """Number of a cell; NaN where the file says that there is none, ±inf where it says so.

    Raises
    ------
    SimsFileError
        The cell holds anything else.
    """
    word = _word(cell)
    if word.lower() in MISSING:
        return math.nan
    if word.lower() in INFINITE:
        return -math.inf if word.startswith("-") else math.inf
    wrong = "," if decimal == "." else "."
    if not _NUMBER.fullmatch(word) or wrong in word:
        raise fault(path, f"{shorten(cell.strip())!r} is not a number", line=line, column=column)
    value = _float(word)
    if math.isinf(value):
        raise fault(path, f"{shorten(word)!r} is too large a number", line=line, column=column)
    return value


def numbers(
    cells: list[str], path: str | Path, line: int, columns: Sequence[int | str], decimal: str = "."
) -> list[float]:
    """Numbers of the cells of a line, like `number` of each."""
    if decimal == "." and _PLAIN.fullmatch("".join(cells)):
        try:
            values = [float(cell) for cell in cells]
        except ValueError:
            values = [math.inf]
        if all(map(math.isfinite, values)):
            return values
    return [number(cell, path, line, column, decimal) for cell, column in zip(cells, columns, strict=True)]


def is_number(cell: str) -> bool:
    """Whether a cell reads as a number, with a decimal point or comma."""
    return _NUMBER.fullmatch(_word(cell)) is not None


def positive_number(cell: str | None) -> float | None:
    """A positive number of a head, with a decimal point or comma, or None."""
    if cell is None or not is_number(cell):
        return None
    value = _float(_word(cell))
    return value if 0.0 < value < math.inf else None


def _word(cell: str) -> str:
    """Cell without blanks and quotation marks, with the sign of the keyboard."""
    plain = cell.replace("\N{MINUS SIGN}", "-").replace("\N{NO-BREAK SPACE}", "")
    return plain.strip().strip('"').strip()


def _float(word: str) -> float:
    """Number of a word that `_NUMBER` matches."""
    return float(word.replace(",", ".").lower().replace("d", "e"))


def check_axis(axis: np.ndarray, lines: np.ndarray, path: str | Path, name: str, minimum: int) -> None:
    """Refuse an axis that is too short, has gaps, or does not increase, naming the line.

    Raises
    ------
    SimsFileError
        In these cases.
    """
    if len(axis) < minimum:
        raise fault(path, f"{len(axis)} points; a depth profile has at least {minimum}", column=name)
    bad = np.flatnonzero(~np.isfinite(axis))
    if bad.size:
        raise fault(path, "no number where the axis should be", line=int(lines[bad[0]]), column=name)
    if axis[0] < 0.0:
        raise fault(path, f"{axis[0]:g} is negative; the axis begins at the surface", line=int(lines[0]), column=name)
    step = np.flatnonzero(np.diff(axis) <= 0.0)
    if step.size:
        k = int(step[0])
        text = f"{axis[k + 1]:g} follows {axis[k]:g}; the axis has to increase"
        raise fault(path, text, line=int(lines[k + 1]), column=name)
