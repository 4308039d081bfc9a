"""Tables of numbers as text: cells separated by commas under a line of names, told apart by file, line and column."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from npp_jax.files.errors import ConfigError


class Cells(NamedTuple):
    """Cells of a table, as text."""

    path: Path
    names: list[str]
    """Names of the columns."""
    lines: list[int]
    """Line of the file of each row."""
    rows: list[list[str]]

    def numbers(self, columns: Sequence[str] | None = None) -> Float[np.ndarray, "row column"]:
        """Values of some columns, by default of all.

        Raises
        ------
        ConfigError
            One line: file, line, column, what is no number.
        """
        wanted = self.names if columns is None else list(columns)
        places = [self.names.index(name) for name in wanted]
        table = np.empty((len(self.rows), len(places)))
        for row, (line, fields) in enumerate(zip(self.lines, self.rows, strict=True)):
            if len(fields) != len(self.names):
                raise ConfigError(f"{self.path}: line {line}: {len(fields)} fields, the header has {len(self.names)}")
            for column, place in enumerate(places):
                try:
                    table[row, column] = float(fields[place])
                except ValueError:
                    raise ConfigError(
                        f"{self.path}: line {line}: {wanted[column]} = '{fields[place]}' is not a number"
                    ) from None
        return table


def read_cells(path: Path, expected: str) -> Cells:
    """Read a table; lines that are empty or begin with # are left out.

    Parameters
    ----------
    path
        The file, in UTF-8.
    expected
        Columns that were expected, for the message about an empty file.

    Raises
    ------
    ConfigError
        One line: the file cannot be read, is no text, or has no line but comments.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = [(number, line) for number, line in enumerate(file, 1) if line.strip() and line[0] != "#"]
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not a text file in UTF-8: {error}") from None
    if not lines:
        raise ConfigError(f"{path}: no line but comments; the columns {expected} were expected")
    names = [name.strip() for name in lines[0][1].split(",")]
    # Line by line: a quotation mark left open does not swallow what follows.
    rows = [next(csv.reader([line])) for _, line in lines[1:]]
    return Cells(path, names, [number for number, _ in lines[1:]], rows)
