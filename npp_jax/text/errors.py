"""The one exception of files of text, and the place in a file that it names."""

from pathlib import Path

LONGEST = 800
"""Longest message [characters]; what a file holds may be longer."""


class OneLineError(ValueError):
    """What a user reads in one line, whatever stands in the file that it quotes."""

    def __init__(self, message: str):
        super().__init__(one_line(message))


class TextError(OneLineError):
    """A file of text is wrong; the message is one line."""


def fault(path: str | Path, expected: str, *, line: int | None = None, column: int | str | None = None) -> TextError:
    """The exception for one place of a file, see `located`."""
    return TextError(located(path, expected, line=line, column=column))


def located(path: str | Path, expected: str, *, line: int | None = None, column: int | str | None = None) -> str:
    """One line that tells of one place of a file.

    Parameters
    ----------
    path
        File.
    expected
        What was found and what was expected.
    line
        Line, counted from one.
    column
        Column, counted from one, or its name.
    """
    place = [str(path)]
    if line is not None:
        place.append(f"line {line}")
    if column is not None:
        place.append(f"column {column if isinstance(column, int) else repr(shorten(column))}")
    return f"{', '.join(place)}: {expected}"


def one_line(text: str) -> str:
    """Text in one line that any terminal can show; the middle of a long one is left out."""
    plain = _printable(" ".join(text.split()))
    return plain if len(plain) <= LONGEST else f"{plain[: LONGEST - 200]} … {plain[-190:]}"


def shorten(text: str, length: int = 40) -> str:
    """Text of a file, short and printable, for a message."""
    shown = _printable(text)
    return shown if len(shown) <= length else shown[: length - 1] + "…"


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
