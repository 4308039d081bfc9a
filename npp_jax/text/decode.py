"""Bytes of a file of unknown encoding to lines of text."""

import codecs
import dataclasses
import hashlib
import re
from pathlib import Path

from npp_jax.text.errors import fault
from npp_jax.text.opened import open_file

LARGEST_FILE = 200_000_000
"""Longest file that is read [bytes]."""

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


def read_text(path: str | Path, expected: str, *, may_be_empty: bool = False) -> Text:
    """Read a file of unknown encoding as lines.

    Parameters
    ----------
    path
        The file.
    expected
        What it should hold, for the messages about a file that holds nothing of it.
    may_be_empty
        Whether a file that holds nothing is a text, too.

    Raises
    ------
    TextError
        The file cannot be opened, is empty, too long, or holds no text.
    """
    try:
        with open_file(path) as file:
            data = file.read(LARGEST_FILE + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise fault(path, reason) from None
    if not (may_be_empty or data.strip(b" \t\r\n\0")):
        raise fault(path, f"the file is empty; expected: {expected}")
    if len(data) > LARGEST_FILE:
        raise fault(path, f"longer than {LARGEST_FILE // 1_000_000} MB; expected: {expected}")
    for magic, what in _FOREIGN.items():
        if data.startswith(magic):
            raise fault(path, f"this is {what}")
    text, encoding = _decoded(path, data)
    # Only these end a line: splitlines() would also cut at characters that occur in names.
    lines = re.split(r"\r\n|\n|\r", text.lstrip("\ufeff").rstrip("\x1a\0"))
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
