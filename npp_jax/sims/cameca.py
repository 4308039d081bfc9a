"""ASCII exports of depth profiles by CAMECA magnetic-sector instruments (`*.dp_rpc_asc`).

Sections are headed by `*** NAME ***`. In DATA START each species has three columns, time, depth and signal; the one of
time and depth that was not asked for is empty, and every species has its own axis because the magnet switches.
Where no ion was counted the signal reads 1.00000E-003.
"""

import dataclasses
import re

import numpy as np

from npp_jax.sims.axis import check_axis
from npp_jax.sims.counting import counting_quantum
from npp_jax.sims.errors import fault
from npp_jax.sims.raw import MINIMUM_POINTS, Channel, RawProfile, number_repeated, plain_name
from npp_jax.text.decode import Text
from npp_jax.text.errors import shorten
from npp_jax.text.numbers import decimal_mark, number, positive_number
from npp_jax.text.titles import LENGTHS, TIMES, Axis, Kind, rate_factor

FORMAT = "cameca"
NO_COUNT = 1e-3
"""Signal that stands for none [counts/s]."""

_SECTION = re.compile(r"\*\*\*\s*([^*]*?)\s*\*\*\*[:;\s]*")
_TITLE = re.compile(r"\s*(Time|Depth|I|C)\s*(?:\[([^\]]*)\])?\s*")


def is_cameca(text: Text) -> bool:
    """Whether the text has the section DATA START."""
    return any(line.startswith("***") and "DATA START" in line for line in text.lines[:200])


def read_cameca(text: Text) -> RawProfile:
    """Read such an export.

    Raises
    ------
    SimsFileError
        The text is no such export.
    """
    path, sections = text.path, _sections(text)
    if "DATA START" not in sections:
        raise fault(path, "not a CAMECA export: no section '*** DATA START ***'")
    start, stop = sections["DATA START"]
    if "DATA END" not in sections:
        raise fault(path, "the file is cut off: no '*** DATA END ***' below the data", line=len(text.lines))
    rows = [(k + 1, text.lines[k]) for k in range(start, stop) if text.lines[k].strip("; \t")]
    if len(rows) < 3:
        raise fault(path, "no names of species below '*** DATA START ***'", line=start)
    _, (_, named), (line_titles, titled), *data = rows
    delimiter = max("\t;", key=titled.count)
    names = [name.strip() for name in named.split(delimiter) if name.strip()]
    titles = [title for title in titled.split(delimiter) if title.strip()]
    if not names or len(titles) != 3 * len(names):
        raise fault(path, f"{len(titles)} titles for {len(names)} species; three each were expected", line=line_titles)
    if not data:
        raise fault(path, "no data points below the titles", line=line_titles)
    data = [(line, row.split(delimiter)) for line, row in data]
    decimal, warnings = decimal_mark([row for _, row in data])
    metadata = _metadata(text, sections, delimiter)
    conditions = _conditions(text, sections)
    calibration = _calibration(text, sections, delimiter)
    numbered = number_repeated(names)
    channels, axes = [], []
    for k, name in enumerate(names):
        axis, channel = _channel(text, k, numbered[k], titles[3 * k : 3 * k + 3], line_titles, data, decimal)
        dwell = conditions.get(plain_name(name), {}).get("CT(s)")
        axes.append(axis)
        channels.append(_counted(channel, dwell, calibration.get(plain_name(name), {}), metadata, path))
    if len(set(axes)) != 1:
        raise fault(path, f"axes of the species differ: {', '.join(axes)}", line=line_titles)
    channels, odd = _shared_quantum(channels)
    warnings = [*warnings, *odd]
    for channel in channels:
        limit = channel.counting_limit
        above = int(np.sum(channel.values > limit)) if limit else 0
        if above:
            warnings.append(f"{channel.name}: {above} points are currents (above the counting limit), not counts")
    expected = positive_number(metadata.get("# of data point/species"))
    if expected and expected != len(data):
        warnings.append(f"{len(data)} points, though the header tells of {expected:g}")
    rate = positive_number(metadata.get("Mean SR (nm/min)"))
    return RawProfile(
        path=path,
        format=FORMAT,
        sha256=text.sha256,
        axis=axes[0],
        channels=tuple(channels),
        duration=_duration(metadata, axes[0], channels),
        sputter_rate=rate / 60.0 if rate and axes[0] == "depth" else None,
        metadata=metadata,
        warnings=tuple(warnings),
    )


def _sections(text: Text) -> dict[str, tuple[int, int]]:
    """Lines of each section without its head, as a half-open range."""
    heads = [(k, m[1]) for k, line in enumerate(text.lines) if (m := _SECTION.fullmatch(line))]
    ends = [k for k, _ in [*heads, (len(text.lines), "")][1:]]
    return {name.split(",")[0]: (k + 1, end) for (k, name), end in zip(heads, ends, strict=True)}


def _duration(metadata: dict[str, str], axis: Axis, channels: list[Channel]) -> float | None:
    """Sputter time of the crater: the header cuts it to whole seconds, so that the last point may lie behind it."""
    told = positive_number(metadata.get("Total sputtering time (s)"))
    last = max(float(channel.axis[-1]) for channel in channels)
    return last if told and axis == "time" and told < last < told + 1.0 else told


def _metadata(text: Text, sections: dict[str, tuple[int, int]], delimiter: str) -> dict[str, str]:
    """Keys and values of the sections that are not tables; the first occurrence of a key counts."""
    found: dict[str, str] = {}
    for name, (start, stop) in sections.items():
        if name.startswith(("DATA START", "MEASUREMENT CONDITIONS")):
            continue
        for line in text.lines[start:stop]:
            key, _, value = line.partition(delimiter)
            if key.strip() and value.strip():
                found.setdefault(key.strip(), value.strip())
    return found


def _conditions(text: Text, sections: dict[str, tuple[int, int]]) -> dict[str, dict[str, float]]:
    """Table `Species | Mass (amu) | … | CT(s)` as numbers by plain name of the species and title."""
    start, stop = sections.get("MEASUREMENT CONDITIONS", (0, 0))
    rows = [[c.strip() for c in re.split(r"[|;]", line)] for line in text.lines[start:stop] if re.search(r"[|;]", line)]
    if not rows:
        return {}
    values = [
        {t: v for t, c in zip(rows[0], row, strict=False) if (v := positive_number(c)) is not None} for row in rows
    ]
    return {plain_name(row[0]): value for row, value in zip(rows[1:], values[1:], strict=True)}


def _calibration(text: Text, sections: dict[str, tuple[int, int]], delimiter: str) -> dict[str, dict[str, str]]:
    """Keys below each `Species` of CALIBRATION PARAMETERS, by plain name of the species."""
    found: dict[str, dict[str, str]] = {}
    current: dict[str, str] = {}
    for line in text.lines[slice(*sections.get("CALIBRATION PARAMETERS", (0, 0)))]:
        key, _, value = line.partition(delimiter)
        if key.strip() == "Species":
            current = found.setdefault(plain_name(value.strip()), {})
        elif value.strip():
            current[key.strip()] = value.strip()
    return found


def _channel(
    text: Text,
    index: int,
    name: str,
    titles: list[str],
    line_titles: int,
    data: list[tuple[int, list[str]]],
    decimal: str,
) -> tuple[Axis, Channel]:
    """Axis and signal of one species."""
    path, parts = text.path, [_TITLE.fullmatch(title) for title in titles]
    if [part and part[1] for part in parts[:2]] != ["Time", "Depth"] or not parts[2] or parts[2][1] not in "IC":
        found = shorten(", ".join(titles))
        raise fault(path, f"titles {found}; Time, Depth and I[…] or C[…] were expected", line=line_titles, column=name)
    time_unit, depth_unit, unit = (part[2] for part in parts if part)
    lines = np.array([line for line, _ in data])
    cells = []
    for line, fields in data:
        if len(fields) < 3 * index + 3:
            raise fault(path, f"{len(fields)} fields; three for each species were expected", line=line, column=name)
        cells.append([number(c, path, line, name, decimal) for c in fields[3 * index : 3 * index + 3]])
    time, depth, signal = np.array(cells).T
    # The title may name a unit of the depth though the depth was not asked for, which is empty or zero then.
    deep = np.any(np.isfinite(depth) & (depth != 0.0))
    axis: Axis = "depth" if depth_unit and (deep or not np.any(np.isfinite(time))) else "time"
    factors, given = (LENGTHS, depth_unit) if axis == "depth" else (TIMES, time_unit)
    factor_of_axis = factors.get((given or "").strip().lower())
    if factor_of_axis is None:
        raise fault(path, f"unit {given!r} of the axis; one of {', '.join(factors)} was expected", line=line_titles)
    values = (depth if axis == "depth" else time) * factor_of_axis
    check_axis(values, lines, path, f"{axis} of {name}", MINIMUM_POINTS)
    other: Kind = "concentration" if parts[2][1] == "C" else "other"
    kind: Kind = "rate" if rate_factor(unit or "") == 1.0 else other
    shown = {"rate": "counts/s"}.get(kind, unit or "1")
    signal = np.where(np.isfinite(signal), signal, np.nan)
    return axis, Channel(name=name, axis=values, values=signal, unit=shown, kind=kind, lines=lines)


def _counted(
    channel: Channel, dwell: float | None, calibration: dict[str, str], metadata: dict[str, str], path: str
) -> Channel:
    """The channel with what its header tells of counting; zeros where no ion was counted."""
    factor = 1.0 if channel.kind == "rate" else positive_number(calibration.get("RSF  (at/cm3)"))
    if channel.kind not in {"rate", "concentration"} or factor is None:
        return channel
    values = np.where(channel.values <= 1.0000001 * NO_COUNT * factor, 0.0, channel.values)
    values = np.where((channel.values < 0.0) | ~np.isfinite(channel.values), channel.values, values)
    limit = positive_number(metadata.get("EM -> FC threshold (c/s)"))
    yield_ = positive_number(metadata.get("EM yield (%)")) or 100.0
    return dataclasses.replace(
        channel,
        values=values,
        per_count=factor / (dwell * yield_ / 100.0) if dwell else None,
        counting_limit=limit * factor if limit else None,
        dwell=dwell,
    )


def _shared_quantum(channels: list[Channel]) -> tuple[list[Channel], list[str]]:
    """Signal of one ion from the numbers: the header rounds the yield of the detector, which all species share."""
    ratios = {}
    for channel in channels:
        if channel.per_count:
            quantum = counting_quantum(channel.values, channel.per_count)
            if quantum:
                ratios[channel.name] = quantum / channel.per_count
    if not ratios:
        return channels, []
    ratio = float(np.median(list(ratios.values())))
    odd = [name for name, value in ratios.items() if abs(value / ratio - 1.0) > 2e-3]
    warnings = [
        f"{name}: one count differs by {ratios[name] / ratio - 1.0:+.1%} from the other species" for name in odd
    ]
    return [
        dataclasses.replace(c, per_count=c.per_count * ratios.get(c.name, ratio)) if c.per_count else c
        for c in channels
    ], warnings
