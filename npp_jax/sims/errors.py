"""The one exception of SIMS files."""

from pathlib import Path

from npp_jax.text.errors import OneLineError, located


class SimsFileError(OneLineError):
    """A SIMS file, or what was asked of it, is wrong; the message is one line."""


def fault(
    path: str | Path, expected: str, *, line: int | None = None, column: int | str | None = None
) -> SimsFileError:
    """The exception for one place of a file.

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
    return SimsFileError(located(path, expected, line=line, column=column))
