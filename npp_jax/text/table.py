"""Tables of any program: comma, semicolon, tab or blanks between the cells, decimal point or comma, titles above.

All numbers of the project that come as text are read here: measured profiles, traces, designs, isotope profiles.
"""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from npp_jax.text.decode import Text
from npp_jax.text.errors import fault
from npp_jax.text.lines import DELIMITERS, cells_of, is_blank, is_comment, title_cells
from npp_jax.text.numbers import decimal_mark, is_infinite, is_missing, is_number, numbers
from npp_jax.text.titles import is_unit

_WORD = re.compile(r"[^\W\d_]|%")
_SAMPLE = 2000
"""Lines from the beginning among which the titles and the first numbers are looked for."""

_WIDTHS = 5
"""Numbers of columns that are tried, those of most lines first."""


class Table(NamedTuple):
    """Cells of a table, as text."""

    path: str
    """File."""
    titles: list[str]
    """Titles of the columns."""
    units: list[str]
    """Units from a line of their own below the titles, empty without."""
    head: int
    """Line of the titles, counted from one."""
    delimiter: str
    """What stands between the cells."""
    decimal: str
    """Decimal mark of the numbers."""
    rows: list[list[str]]
    """Cells of the lines of numbers."""
    lines: list[int]
    """Their lines, counted from one."""
    odd: tuple[str, ...]
    """What is odd but readable, one line each."""

    def numbers(self, columns: Sequence[int] | None = None) -> Float[np.ndarray, "row column"]:
        """Numbers of some columns, by default of all; NaN where the file says that there is none.

        Raises
        ------
        TextError
            One line: file, line, column, what is no number.
        """
        places = range(len(self.titles)) if columns is None else columns
        names = [self.titles[place] or place + 1 for place in places]
        found = np.empty((len(self.rows), len(names)))
        for k, (line, row) in enumerate(zip(self.lines, self.rows, strict=True)):
            wanted = row if columns is None else [row[place] for place in places]
            found[k] = numbers(wanted, self.path, line, names, self.decimal)
        return found


class _Layout(NamedTuple):
    """How a text may be a table."""

    known: bool
    """Whether the titles are such as are expected."""
    found: int
    """Lines of numbers found."""
    delimiter: str
    width: int
    head: int | None
    """Index of the line of titles."""
    first: int
    """Index of the first line of numbers."""


def read_table(text: Text, is_head: Callable[[list[str]], bool], expected: str, fewest: int = 2) -> Table:
    """Read a table.

    Parameters
    ----------
    text
        The file.
    is_head
        Whether cells are titles of such a table.
    expected
        What the table should hold, for the messages.
    fewest
        Fewest columns of numbers.

    Raises
    ------
    TextError
        One line: the text holds no table, or a line has too few or too many cells.
    """
    layouts = [found for mark in DELIMITERS if (found := _layout(text, mark, is_head, fewest)) is not None]
    if not layouts:
        raise fault(
            text.path, f"no table: no line has {'two numbers' if fewest > 1 else 'a number'} or more; expected: "
            f"{expected}", line=1,
        )  # fmt: skip
    # Numbers without titles that fit say more of what is wrong than titles without numbers.
    best = max(layouts, key=lambda one: (one.known and one.found > 0, one.found > 0, one.width > 1, one.found))
    if best.head is None:
        raise _no_titles(text, best, expected)
    titles = title_cells(text.lines[best.head], best.delimiter, best.width)
    units, below = _units(text, best)
    rows, lines = _rows(text, best, below)
    kept = [k for k, title in enumerate(titles) if title or not all(is_missing(row[k]) for row in rows)]
    if len(kept) < len(titles):
        titles, units, *rows = ([cells[k] for k in kept] for cells in (titles, units, *rows))
    decimal, odd = decimal_mark(rows)
    return Table(text.path, titles, units, best.head + 1, best.delimiter, decimal, rows, lines, odd)


def _layout(text: Text, delimiter: str, is_head: Callable[[list[str]], bool], fewest: int) -> _Layout | None:
    """The text as a table with one delimiter; None if nothing speaks for it."""
    sample = text.lines[:_SAMPLE]
    cells = {k: cells_of(line, delimiter) for k, line in enumerate(sample) if not (is_blank(line) or is_comment(line))}
    data = {k: len(row) for k, row in cells.items() if _is_data(row, fewest)}
    if not data:
        # A column of words may hide the numbers; what is wrong with them is told line by line.
        for k, row in cells.items():
            titles = title_cells(sample[k], delimiter, len(row))
            if len(titles) >= fewest and is_head(titles):
                return _Layout(True, 0, delimiter, len(titles), k, k + 1)
        return None
    widths = list(data.values())
    found: list[_Layout] = []
    for width in sorted(set(widths), key=lambda width: (-widths.count(width), width))[:_WIDTHS]:
        first = next(k for k, columns in data.items() if columns == width)
        # Delimiters at the ends of the lines make columns that the titles do not have.
        full = [cells[k] for k, columns in data.items() if columns == width]
        bare = max(j + 1 for row in full for j, cell in enumerate(row) if cell.strip())
        for columns in sorted({width, bare}, reverse=True):
            known, head = _head(sample, delimiter, columns, first, is_head)
            found.append(_Layout(known, len(full), delimiter, columns, head, first))
            if known:
                return found[-1]
    return next((layout for layout in found if layout.head is not None), found[0])


def _is_data(cells: list[str], fewest: int) -> bool:
    """Whether cells are some numbers and nothing but numbers and marks of none."""
    found = [is_number(cell) for cell in cells]
    return sum(found) >= fewest and all(
        yes or is_missing(cell) or is_infinite(cell) for cell, yes in zip(cells, found, strict=True)
    )


def _head(
    lines: Sequence[str], delimiter: str, width: int, first: int, is_head: Callable[[list[str]], bool]
) -> tuple[bool, int | None]:
    """Titles above the numbers: the nearest that are such as are expected, or else the nearest words."""
    words: list[tuple[bool, int]] = []
    for k in range(first - 1, -1, -1):
        cells = title_cells(lines[k], delimiter, width)
        if len(cells) != width:
            continue
        if is_head(cells):
            return True, k
        if any(cells) and not any(is_number(cell) for cell in cells):
            words.append((is_comment(lines[k]), -k))
    return False, -min(words)[1] if words else None


def _no_titles(text: Text, layout: _Layout, expected: str) -> Exception:
    """What is said where numbers have no titles."""
    above = [k for k in range(layout.first) if not (is_blank(text.lines[k]) or is_comment(text.lines[k]))]
    if not above:
        return fault(text.path, f"no titles above the numbers; expected: {expected}", line=layout.first + 1)
    titles = len(title_cells(text.lines[above[-1]], layout.delimiter, layout.width))
    hint = "; decimal commas need another mark between the cells" if layout.width == 2 * titles else ""
    said = f"{titles} titles; {layout.width} were expected, as there are numbers below{hint}"
    return fault(text.path, said, line=above[-1] + 1)


def _units(text: Text, layout: _Layout) -> tuple[list[str], int]:
    """Units of a line of their own below the titles, and the index of the line below."""
    none, start = [""] * layout.width, (layout.head or 0) + 1
    stop = layout.first if layout.found else layout.first + 1
    for k, line in enumerate(text.lines[start:stop], start):
        if is_blank(line) or is_comment(line):
            continue
        cells = [cell.strip("()[]# ") for cell in title_cells(line, layout.delimiter, layout.width)]
        if (
            len(cells) <= layout.width
            and any(map(_WORD.search, cells))
            and all(not cell or is_unit(cell) for cell in cells)
        ):
            return cells + none[len(cells) :], k + 1
        break
    return none, start


def _rows(text: Text, layout: _Layout, below: int) -> tuple[list[list[str]], list[int]]:
    """Cells of the lines below the titles, and their lines; empty lines and comments are left out."""
    rows, lines, width = [], [], layout.width
    for index, line in enumerate(text.lines[below:], below + 1):
        if is_blank(line) or is_comment(line):
            continue
        cells = cells_of(line, layout.delimiter)
        while len(cells) > width and not cells[-1].strip():
            cells.pop()
        if len(cells) != width:
            raise fault(text.path, f"{len(cells)} fields, the header has {width}", line=index)
        rows.append(cells)
        lines.append(index)
    return rows, lines
