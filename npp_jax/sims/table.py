"""Tables of signals from any program.

Each axis column (depth, time or cycle) serves the signals up to the next one, so that pairs of columns can be read.
"""

import numpy as np

from npp_jax.sims.axis import check_axis
from npp_jax.sims.dwell import CountingTimes, counting_times
from npp_jax.sims.errors import fault
from npp_jax.sims.raw import AXIS_UNITS, MINIMUM_POINTS, Channel, RawProfile, number_repeated
from npp_jax.text import table as text_table
from npp_jax.text.decode import Text
from npp_jax.text.errors import shorten
from npp_jax.text.titles import LENGTHS, TIMES, Axis, Kind, Title, axis_factor, rate_factor, read_title

FORMAT = "table"

GUESSED = ("no known unit; whole numbers are taken for counts", "no known unit; not taken for counts")
"""What is said of a signal whose title does not tell what it is; who says that it is counts needs to hear neither."""


def read_table(text: Text) -> RawProfile:
    """Read such a table.

    Raises
    ------
    SimsFileError
        The text holds no such table.
    """
    path = text.path
    cells = text_table.read_table(text, _is_head, "titles such as 'depth_nm' or 'Sputter Time (s)' above numbers")
    titles, head = [read_title(*cell) for cell in zip(cells.titles, cells.units, strict=True)], cells.head
    table, warnings = cells.numbers(), list(cells.odd)
    line_numbers = np.array(cells.lines)
    groups = _groups(list(enumerate(titles)), path, head)
    kinds: set[Axis] = {axis for k, _ in groups if (axis := titles[k].axis)}
    if len(kinds) != 1:
        raise fault(path, f"signals against {' and '.join(sorted(kinds))}; one was expected", line=head)
    axis_kind = kinds.pop()
    metadata = _metadata(text, cells.delimiter, head)
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
            rate = rate_factor(titles[k].unit) or 1.0
            unit = titles[k].unit or ("counts" if kind == "counts" else "1")
            dwell = dwells.of(names[len(channels)])
            channels.append(
                Channel(
                    name=names[len(channels)],
                    axis=values,
                    values=np.where(np.isfinite(signal), signal * rate, np.nan),
                    unit="counts/s" if rate != 1.0 else unit,
                    kind=kind,
                    lines=line_numbers[:stop],
                    per_count=1.0 if kind == "counts" else (1.0 / dwell if kind == "rate" and dwell else None),
                    dwell=dwell,
                    converted=rate,
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


def _is_head(cells: list[str]) -> bool:
    """Whether cells are titles, of which one is that of an axis."""
    return any(read_title(cell).axis for cell in cells)


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
        warnings.append(f"{title.name}: {GUESSED[0]}")
        return "counts"
    warnings.append(f"{title.name}: {GUESSED[1]}")
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
