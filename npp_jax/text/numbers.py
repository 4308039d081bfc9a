"""Cells to numbers, with the place named where one is none."""

import math
import re
from collections.abc import Sequence
from pathlib import Path

from npp_jax.text.errors import fault, shorten

_MISSING = frozenset(
    {"", "n/a", "na", "#n/a", "n.a.", "nan", "-nan", "null", "none", "-", "--", "#nv", "#div/0!", "#wert!", "#value!"}
)
_INFINITE = frozenset({"inf", "+inf", "-inf", "infinity", "1.#inf", "-1.#inf", "∞"})

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:[.,][0-9]*)?|[.,][0-9]+)(?:[eEdD][+-]?[0-9]{1,4})?")
_MARKED = re.compile(r"[+-]?[0-9]+([.,'][0-9]+)+")
_PLAIN = re.compile(r"[-+0-9.eE]+")


LARGEST = 1e100
"""Largest modulus of a number of a file: no measured one is as large, and its square is a number still."""


def number(cell: str, path: str | Path, line: int, column: int | str, decimal: str = ".") -> float:
    """Number of a cell; NaN where the file says that there is none, ±inf where it says so.

    Raises
    ------
    TextError
        The cell holds anything else.
    """
    word = _word(cell)
    if word.lower() in _MISSING:
        return math.nan
    if word.lower() in _INFINITE:
        return -math.inf if word.startswith("-") else math.inf
    wrong = "," if decimal == "." else "."
    if not _NUMBER.fullmatch(word) or wrong in word:
        said = f"{shorten(cell.strip())!r} is not a number"
        if _MARKED.fullmatch(word):
            mark = "comma" if decimal == "," else "point"
            said += f" where others have a decimal {mark}; a mark of thousands is not read"
        raise fault(path, said, line=line, column=column)
    value = _float(word)
    if abs(value) > LARGEST:
        raise fault(path, f"{shorten(word)!r} is too large a number", line=line, column=column)
    return value


def numbers(
    cells: list[str], path: str | Path, line: int, columns: Sequence[int | str], decimal: str = "."
) -> list[float]:
    """Numbers of the cells of a line, like `number` of each."""
    joined = "".join(cells)
    if decimal == "," and "." not in joined:
        joined, plain = joined.replace(",", "."), [cell.replace(",", ".") for cell in cells]
    else:
        plain = cells if decimal == "." else []
    if plain and _PLAIN.fullmatch(joined):
        try:
            values = [float(cell) for cell in plain]
        except ValueError:
            values = [math.inf]
        if all(abs(value) <= LARGEST for value in values):
            return values
    return [number(cell, path, line, column, decimal) for cell, column in zip(cells, columns, strict=True)]


def is_number(cell: str) -> bool:
    """Whether a cell reads as a number, with a decimal point or comma."""
    return _NUMBER.fullmatch(_word(cell)) is not None


def decimal_mark(rows: Sequence[Sequence[str]]) -> tuple[str, tuple[str, ...]]:
    """Decimal mark that most numbers have, and what is odd about it."""
    comma, point = ([c.strip() for row in rows for c in row if mark in c and is_number(c)] for mark in ",.")
    mark = "," if len(comma) > len(point) else "."
    # Marks of thousands beside decimal ones are the majority where counts are many.
    if mark == "." and comma and _grouped(point) and not _grouped(comma):
        mark = ","
    if mark == "," and not _grouped(comma):
        return mark, ()
    if mark == "." and not any(_grouped_counts(column) for column in zip(*rows, strict=False)):
        return mark, ()
    word = "commas" if mark == "," else "points"
    return mark, (
        f"all {word} have three digits behind them and are read as decimal {word}; if they mark thousands, the numbers "
        "that have one are 1000 times too small: write all without them",
    )


def _grouped(cells: Sequence[str]) -> bool:
    """Whether all marks may be those of thousands."""
    return all(re.fullmatch(r"[1-9][0-9]{0,2}[.,][0-9]{3}", cell) for cell in cells)


def _grouped_counts(column: Sequence[str]) -> bool:
    """Whether the whole numbers of a column look as if only those from a thousand on had a point."""
    cells = [cell.strip() for cell in column]
    marked = [cell for cell in cells if "." in cell]
    return len(marked) >= 3 and _grouped(marked) and any(re.fullmatch("[0-9]{1,3}", cell) for cell in cells)


def positive_number(cell: str | None) -> float | None:
    """A positive number of a head, with a decimal point or comma, or None."""
    if cell is None or not is_number(cell):
        return None
    value = _float(_word(cell))
    return value if 0.0 < value < math.inf else None


def is_missing(cell: str) -> bool:
    """Whether a cell says that there is no number."""
    return _word(cell).lower() in _MISSING


def is_infinite(cell: str) -> bool:
    """Whether a cell says that its number is infinite."""
    return _word(cell).lower() in _INFINITE


def _word(cell: str) -> str:
    """Cell without blanks and a pair of quotation marks, with the sign of the keyboard."""
    plain = cell.replace("\N{MINUS SIGN}", "-").replace("\N{NO-BREAK SPACE}", "")
    plain = plain.strip()
    return plain[1:-1].strip() if len(plain) > 1 and plain[0] == plain[-1] == '"' else plain


def _float(word: str) -> float:
    """Number of a word that `_NUMBER` matches."""
    return float(word.replace(",", ".").lower().replace("d", "e"))
