"""Tables for people: rows of words and numbers, as plain text and as HTML of a notebook."""

import html
from typing import NamedTuple


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

    def html(self) -> str:
        """The same for a notebook."""
        row = lambda cells, tag: "<tr>" + "".join(f"<{tag}>{html.escape(c)}</{tag}>" for c in cells) + "</tr>"  # noqa: E731
        body = "".join(row(cells, "td") for cells in self.rows)
        remarks = "".join(f"<br>{html.escape(text)}" for text in self.remarks)
        return (
            f"<div><b>{html.escape(self.title)}</b><table><thead>{row(self.header, 'th')}</thead><tbody>{body}</tbody>"
            f"</table>{remarks.removeprefix('<br>')}</div>"
        )
