"""Tables of any program: comma, semicolon, tab or blanks between the cells, decimal point or comma, titles above.

Each axis column (depth, time or cycle) serves the signals up to the next one, so that pairs of columns can be read.
"""

import csv
import re

import numpy as np

from npp_jax.sims.dwell import CountingTimes, counting_times
from npp_jax.sims.errors import fault, shorten
from npp_jax.sims.raw import AXIS_UNITS, MINIMUM_POINTS, Axis, Channel, Kind, RawProfile, number_repeated
from npp_jax.sims.text import MISSING, Text, check_axis, is_number, numbers
from npp_jax.sims.titles import LENGTHS, TIMES, Title, axis_factor, known_unit, read_title

FORMAT = "table"
_WORDS = re.compile(r"[^\s(\[]+(?:\s*[(\[][^)\]]*[)\]])?")


def read_table(text: Text) -> RawProfile:
    """Read such a table.

    Raises
    ------
    SimsFileError
        The text holds no such table.
    """
    path = text.path
    delimiter, width, first = _layout(text)
    titles, head = _titles(text, delimiter, width, first)
    rows, lines = _rows(text, delimiter, width, first)
    decimal, warnings = _decimal(rows, delimiter)
    table = np.array(
        [numbers(row, path, line, [t.name for t in titles], decimal) for row, line in zip(rows, lines, strict=True)]
    )
    line_numbers = np.array(lines)
    named = [k for k, title in enumerate(titles) if title.name or np.any(np.isfinite(table[:, k]))]
    groups = _groups([(k, titles[k]) for k in named], path, head)
    kinds: set[Axis] = {axis for k, _ in groups if (axis := titles[k].axis)}
    if len(kinds) != 1:
        raise fault(path, f"signals against {' and '.join(sorted(kinds))}; one was expected", line=head)
    axis_kind = kinds.pop()
    metadata = _metadata(text, delimiter, head)
    channels: list[Channel] = []
    names = number_repeated([titles[k].name or f"column {k + 1}" for _, signals in groups for k in signals])
    dwells: CountingTimes | None = None
    for axis, signals in groups:
        title = titles[axis]
        factor = axis_factor(title)
        if factor is None:
            units = ", ".join(LENGTHS if title.axis == "depth" else TIMES)
            if title.unit:
                raise fault(
                    path, f"unit {shorten(title.unit)!r}; one of {units} was expected", line=head, column=axis + 1
                )
            warnings.append(f"{title.name}: no unit; {AXIS_UNITS[axis_kind]} assumed")
            factor = 1.0
        # Pairs of columns may have different lengths: the shorter end in empty cells.
        filled = np.flatnonzero(np.any(np.isfinite(table[:, [axis, *signals]]), axis=1))
        stop = int(filled[-1]) + 1 if filled.size else 0
        values = table[:stop, axis] * factor
        check_axis(values, line_numbers[:stop], path, title.name, MINIMUM_POINTS)
        if dwells is None:
            spacing = float(np.median(np.diff(values))) if axis_kind == "time" else None
            dwells = counting_times(metadata, names, spacing)
        for k in signals:
            signal = table[:stop, k]
            kind = _kind(titles[k], signal, warnings)
            dwell = dwells.of(names[len(channels)])
            channels.append(
                Channel(
                    name=names[len(channels)],
                    axis=values,
                    values=np.where(np.isfinite(signal), signal, np.nan),
                    unit=titles[k].unit or ("counts" if kind == "counts" else "1"),
                    kind=kind,
                    lines=line_numbers[:stop],
                    per_count=1.0 if kind == "counts" else (1.0 / dwell if kind == "rate" and dwell else None),
                    dwell=dwell,
                )
            )
    if dwells and any(c.kind == "rate" for c in channels):
        warnings += dwells.warnings
    warnings += [f"channel name {n!r} occurs more than once" for n in {c.name[:-2] for c in channels if "#1" in c.name}]
    return RawProfile(
        path=path,
        format=FORMAT,
        sha256=text.sha256,
        axis=axis_kind,
        channels=tuple(channels),
        duration=max(float(c.axis[-1]) for c in channels) if axis_kind == "time" else None,
        sputter_rate=None,
        metadata=metadata,
        warnings=tuple(warnings),
    )


def _cells(line: str, delimiter: str) -> list[str]:
    """Cells of a line; quotation marks hold a delimiter."""
    if delimiter == " ":
        return line.split()
    if '"' not in line:
        return line.split(delimiter)
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return line.split(delimiter)


def _comment(line: str) -> bool:
    return line.lstrip().startswith(("#", "%", "//"))


def _is_data(cells: list[str]) -> bool:
    """Whether cells are at least two numbers and nothing but numbers and marks of none."""
    found = [is_number(cell) for cell in cells]
    rest = [cell for cell, yes in zip(cells, found, strict=True) if not yes]
    return sum(found) >= 2 and all(cell.strip().strip('"').lower() in MISSING | {"inf", "-inf"} for cell in rest)


def _layout(text: Text) -> tuple[str, int, int]:
    """Delimiter, number of cells and index of the first line of numbers."""
    sample = [(k, line) for k, line in enumerate(text.lines[:2000]) if line.strip() and not _comment(line)]
    best: tuple[int, str, int, int] | None = None
    for delimiter in ("\t", ";", ",", "|", " "):
        data = [(k, len(cells)) for k, line in sample if _is_data(cells := _cells(line, delimiter))]
        if not data:
            continue
        widths = [width for _, width in data]
        width = max(set(widths), key=widths.count)
        count = widths.count(width)
        if best is None or count > best[0]:
            best = (count, delimiter, width, next(k for k, w in data if w == width))
    if best is None:
        raise fault(text.path, "no table: no line has two numbers or more", line=1)
    return best[1:]


def _titles(text: Text, delimiter: str, width: int, first: int) -> tuple[list[Title], int]:
    """Titles of the columns, from the last line above the numbers or the last two, and the line they stand in."""
    above = [k for k in range(first) if text.lines[k].strip()]
    if not above:
        raise fault(text.path, "no titles above the numbers, such as 'depth_nm' or 'Sputter Time (s)'", line=first + 1)
    last = _title_cells(text.lines[above[-1]], delimiter, width)
    bare = [cell.strip().strip('()[]"#') for cell in last]
    if len(above) > 1 and any(bare) and all(not cell or known_unit(cell) for cell in bare):
        upper = _title_cells(text.lines[above[-2]], delimiter, width)
        if len(upper) == width >= len(bare):
            units = bare + [""] * (width - len(bare))
            return [read_title(cell, unit) for cell, unit in zip(upper, units, strict=True)], above[-2] + 1
    if len(last) != width:
        raise fault(
            text.path, f"{len(last)} titles; {width} were expected, as there are numbers below", line=above[-1] + 1
        )
    return [read_title(cell) for cell in last], above[-1] + 1


def _title_cells(line: str, delimiter: str, width: int) -> list[str]:
    cells = _WORDS.findall(line.lstrip("#% ")) if delimiter == " " else _cells(line, delimiter)
    if delimiter == " " and len(cells) != width:
        cells = line.lstrip("#% ").split()
    while len(cells) > width and not cells[-1].strip():
        cells.pop()
    return cells


def _rows(text: Text, delimiter: str, width: int, first: int) -> tuple[list[list[str]], list[int]]:
    """Cells of the lines of numbers, and their lines; empty lines and comments are left out."""
    rows, lines = [], []
    for index, line in enumerate(text.lines[first:], first + 1):
        if _comment(line) or not line.strip(" \t;,|"):
            continue
        cells = _cells(line, delimiter)
        while len(cells) > width and not cells[-1].strip():
            cells.pop()
        if len(cells) != width:
            raise fault(text.path, f"{len(cells)} cells; {width} were expected", line=index)
        rows.append(cells)
        lines.append(index)
    return rows, lines


def _decimal(rows: list[list[str]], delimiter: str) -> tuple[str, list[str]]:
    """Decimal mark that most numbers have, and what is odd about it."""
    if delimiter == ",":
        return ".", []
    cells = [cell for row in rows for cell in row]
    comma = [cell.strip() for cell in cells if "," in cell and is_number(cell)]
    if len(comma) <= sum("." in cell and is_number(cell) for cell in cells):
        return ".", []
    if all(re.fullmatch(r"[0-9]{1,3},[0-9]{3}", cell) for cell in comma):
        return ",", [
            "all commas have three digits behind them: read as decimal commas, a factor of 1000 if they are not"
        ]
    return ",", []


def _groups(titled: list[tuple[int, Title]], path: str, head: int) -> list[tuple[int, list[int]]]:
    """Axis column and signal columns that belong together; depth goes before time and cycle."""
    groups: list[tuple[list[tuple[int, Title]], list[int]]] = [([], [])]
    for k, title in titled:
        axes, signals = groups[-1]
        if title.axis is None:
            signals.append(k)
        elif signals and any(seen.axis == title.axis for _, seen in axes):
            groups.append(([(k, title)], []))
        else:
            axes.append((k, title))
    order = ("depth", "time", "cycle")
    found = []
    for axes, signals in groups:
        if not axes:
            names = shorten(", ".join(title.name for _, title in titled), 80)
            raise fault(path, f"no column of depth, time or cycle among the titles {names}", line=head)
        if not signals:
            raise fault(path, "no signal beside the axis", line=head, column=axes[0][1].name)
        found.append((min(axes, key=lambda item: order.index(item[1].axis or "cycle"))[0], signals))
    return found


def _kind(title: Title, values: np.ndarray, warnings: list[str]) -> Kind:
    """What a signal is; whole numbers without a unit are taken for counts."""
    if title.unit:
        return title.kind
    finite = values[np.isfinite(values)]
    if finite.size and np.all(finite == np.round(finite)) and finite.max() > 1.0:
        warnings.append(f"{title.name}: no unit; whole numbers are taken for counts")
        return "counts"
    warnings.append(f"{title.name}: no unit; not taken for counts")
    return "other"


def _metadata(text: Text, delimiter: str, head: int) -> dict[str, str]:
    """`key: value`, `key = value` or two cells in the lines above the titles."""
    found: dict[str, str] = {}
    for line in text.lines[: head - 1]:
        words = line.strip().lstrip("#%/ ")
        for mark in (":", "=", delimiter if delimiter != " " else "\t"):
            key, separator, value = words.partition(mark)
            if separator and key.strip() and value.strip(f"{delimiter} "):
                found.setdefault(key.strip(), value.strip(f"{delimiter} "))
                break
    return found
