"""Tables for people: rows of words and numbers, as plain text and as HTML of a notebook."""

import html
import re
from typing import NamedTuple

_NUMBER = re.compile(r"[-+−±]?\(?[0-9.]+(e[-+]?\d+)?( × 10[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)?( ?%)?|nan|–|")
"""A cell that holds a number, or nothing."""

_LONG = 24
"""Letters above which a cell may be broken into lines."""


class TextTable(NamedTuple):
    """A table with a title above and remarks below."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    """Cells, as many in each row as in the header."""
    remarks: tuple[str, ...] = ()
    """Lines below the table."""

    def text(self) -> str:
        """Columns of equal width, aligned to the right."""
        lines = [self.header, *self.rows]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        grid = ("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
        return "\n".join([self.title, *grid, *self.remarks])

    def without_empty(self) -> "TextTable":
        """The table without columns that have nothing in any row."""
        kept = [k for k in range(len(self.header)) if any(row[k] for row in self.rows)]
        rows = tuple(tuple(row[k] for k in kept) for row in self.rows)
        return self._replace(header=tuple(self.header[k] for k in kept), rows=rows)

    def html(self, first: str = "") -> str:
        """The same for a notebook, below a first sentence."""
        above = f"<p>{html.escape(first)}</p>" if first else ""
        return f"<div>{above}{self.grid_html()}{'<br>'.join(html.escape(text) for text in self.remarks)}</div>"

    def grid_html(self) -> str:
        """Title and rows as a table of HTML; cells of columns that hold words are aligned to the left."""
        columns = list(zip(*self.rows, strict=True)) or [()] * len(self.header)
        marks = [_mark(column) for column in columns]

        def row(cells: tuple[str, ...], tag: str) -> str:
            of = ' scope="col"' if tag == "th" else ""
            inner = (f"<{tag}{of}{m}>{html.escape(c)}</{tag}>" for c, m in zip(cells, marks, strict=True))
            return f"<tr>{''.join(inner)}</tr>"

        body = "".join(row(cells, "td") for cells in self.rows)
        title = f"<caption>{html.escape(self.title)}</caption>" if self.title else ""
        return f"<table>{title}<thead>{row(self.header, 'th')}</thead><tbody>{body}</tbody></table>"


def _mark(column: tuple[str, ...]) -> str:
    """Attributes of the cells of a column: words are aligned to the left, where notebooks align all to the right."""
    if column and all(_NUMBER.fullmatch(cell) for cell in column):
        return ""
    kind = "words long" if max(map(len, column), default=0) > _LONG else "words"
    return f' class="{kind}" style="text-align:left"'
