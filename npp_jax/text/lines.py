"""Lines to cells: comments, what stands between the cells, quotation marks."""

import csv
import re

DELIMITERS = ("\t", ";", ",", "|", " ")
"""What may stand between cells, in the order in which it is tried."""

_WORDS = re.compile(r"[^\s(\[]+(?:\s*[(\[][^)\]]*[)\]])?")
_QUOTED = re.compile(r'"[^"]*"|\S+')


def is_comment(line: str) -> bool:
    """Whether a line is a comment."""
    return line.lstrip().startswith(("#", "%", "//"))


def is_blank(line: str) -> bool:
    """Whether a line holds nothing, or empty cells only."""
    return not line.strip(" \t;,|")


def cells_of(line: str, delimiter: str) -> list[str]:
    """Cells of a line; quotation marks hold a delimiter."""
    if '"' not in line:
        return line.split() if delimiter == " " else line.split(delimiter)
    if delimiter == " ":
        return _QUOTED.findall(line)
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True), [])
    except csv.Error:
        # A quotation mark left open, or one that means inches.
        return line.split(delimiter)


def title_cells(line: str, delimiter: str, width: int) -> list[str]:
    """Cells of a line of titles, which may be a comment; blanks in front of a unit do not part it from its name."""
    if is_comment(line):
        line = line.lstrip().lstrip("#%/ ")
    cells = _WORDS.findall(line) if delimiter == " " and '"' not in line else cells_of(line, delimiter)
    if delimiter == " " and len(cells) != width:
        cells = line.split()
    while len(cells) > width and not cells[-1].strip():
        cells.pop()
    return [cell.strip().strip('"').strip() for cell in cells]
