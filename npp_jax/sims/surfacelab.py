"""Text exports of depth profiles by IONTOF SurfaceLab.

Line 1 tells of smoothing, line 2 names the signals from the fifth field on, line 3 gives their m/z, line 4 is
`#Data Point # ⇥ Sputter Time (s) ⇥ Dose (ions) ⇥ Fluence (ions/cm^2) ⇥ Intensity ⇥ …`; one line a point follows.
Intensities are ions a data point, corrected for the dead time.
"""

import math

import numpy as np

from npp_jax.sims.axis import check_axis
from npp_jax.sims.counting import pulses_per_point
from npp_jax.sims.errors import fault
from npp_jax.sims.raw import MINIMUM_POINTS, Channel, RawProfile, number_repeated
from npp_jax.text.decode import Text
from npp_jax.text.errors import shorten
from npp_jax.text.numbers import decimal_mark, number, numbers
from npp_jax.text.titles import Kind

FORMAT = "surfacelab"
_FIRST_SIGNAL = 4


def is_surfacelab(text: Text) -> bool:
    """Whether one of the first lines is the head of such a table."""
    return _head(text) is not None


def _head(text: Text) -> int | None:
    """Index of the line of column titles."""
    for index, line in enumerate(text.lines[:40]):
        if line.startswith("#") and "Sputter Time" in line and "\t" in line:
            return index
    return None


def read_surfacelab(text: Text) -> RawProfile:
    """Read such an export.

    Raises
    ------
    SimsFileError
        The text is no such export.
    """
    path, head = text.path, _head(text)
    if head is None or head < 2:
        raise fault(path, "not a SurfaceLab export: no line '#Data Point #, Sputter Time (s), …' below names and m/z")
    titles = [title.strip() for title in text.lines[head].split("\t")]
    names, masses = _names(text, head, len(titles))
    if titles[1:_FIRST_SIGNAL] != ["Sputter Time (s)", "Dose (ions)", "Fluence (ions/cm^2)"]:
        found = shorten(", ".join(titles[1:_FIRST_SIGNAL]), 80)
        text_ = f"columns {found}; 'Sputter Time (s), Dose (ions), Fluence (ions/cm^2)' were expected"
        raise fault(path, text_, line=head + 1)
    table, lines = _table(text, head + 1, _FIRST_SIGNAL + len(names), names)
    warnings = []
    time, signals = table[:, 1], table[:, _FIRST_SIGNAL:]
    check_axis(time, lines, path, "Sputter Time (s)", MINIMUM_POINTS)
    metadata = _metadata(text, head)
    smoothed = "disabled" not in metadata.get("Profile Smoothing is", "disabled").lower()
    if smoothed:
        warnings.append("profile smoothing is on: neighbouring points are not independent, sigma is too small")
    units = titles[_FIRST_SIGNAL : _FIRST_SIGNAL + len(names)]
    kinds: list[Kind] = [_kind(name, unit) for name, unit in zip(names, units, strict=True)]
    single = [k for k, (kind, mass) in enumerate(zip(kinds, masses, strict=True)) if kind == "counts" and mass]
    pulses = pulses_per_point(signals[:, single])
    numbered = number_repeated(names)
    warnings += [f"channel name {name!r} occurs {names.count(name)} times" for name in _repeated(names)]
    channels = tuple(
        Channel(
            name=numbered[k],
            axis=time,
            values=np.where(np.isfinite(signals[:, k]), signals[:, k], np.nan),
            unit="counts" if kinds[k] == "counts" else ("1" if kinds[k] == "ratio" else units[k]),
            kind=kinds[k],
            lines=lines,
            per_count=1.0 if kinds[k] == "counts" and not smoothed else None,
            pulses=pulses if kinds[k] == "counts" and masses[k] else None,
            mass=masses[k],
            summed=bool(pulses) and kinds[k] == "counts" and masses[k] is None,
        )
        for k in range(len(names))
    )
    return RawProfile(
        path=path,
        format=FORMAT,
        sha256=text.sha256,
        axis="time",
        channels=channels,
        duration=float(time[-1]),
        sputter_rate=None,
        metadata={**metadata, **({"pulses per point": f"{pulses:.0f}"} if pulses else {})},
        warnings=tuple(warnings),
    )


def _names(text: Text, head: int, fields: int) -> tuple[list[str], list[float | None]]:
    """Names and m/z of the signals, which stand two lines and one line above the titles."""
    path = text.path
    named = [name.strip() for name in text.lines[head - 2].split("\t")]
    weighed = [mass.strip() for mass in text.lines[head - 1].split("\t")]
    while len(named) > _FIRST_SIGNAL and not named[-1]:
        named.pop()
    names = named[_FIRST_SIGNAL:]
    if not names or not named[0].startswith("#"):
        raise fault(path, "no names of signals from the fifth field on", line=head - 1)
    if "" in names:
        raise fault(path, "a signal without a name", line=head - 1, column=_FIRST_SIGNAL + 1 + names.index(""))
    if len(weighed) < len(named) or fields < len(named):
        short, which = (head, "m/z") if len(weighed) < len(named) else (head + 1, "titles")
        raise fault(path, f"fewer {which} than names ({len(names)}) of signals", line=short)
    masses: list[float | None] = []
    decimal, _ = decimal_mark([weighed[_FIRST_SIGNAL : len(named)]])
    for column, cell in enumerate(weighed[_FIRST_SIGNAL : len(named)], _FIRST_SIGNAL + 1):
        mass = number(cell, path, head, column, decimal)
        masses.append(mass if math.isfinite(mass) else None)
    return names, masses


def _table(text: Text, start: int, width: int, names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Numbers [point, field] and their lines."""
    rows, lines = [], []
    titles = ["Data Point #", "Sputter Time (s)", "Dose (ions)", "Fluence (ions/cm^2)", *names]
    for index, line in enumerate(text.lines[start:], start + 1):
        if not line.strip() or line.startswith("#"):
            continue
        cells = line.split("\t")
        if line.endswith("\t"):
            cells.pop()
        if len(cells) != width:
            raise fault(text.path, f"{len(cells)} fields; {width} were expected", line=index)
        rows.append(cells)
        lines.append(index)
    if not rows:
        raise fault(text.path, "no data points below the titles", line=start)
    decimal, _ = decimal_mark(rows)
    found = [numbers(row, text.path, line, titles, decimal) for row, line in zip(rows, lines, strict=True)]
    return np.array(found), np.array(lines)


def _kind(name: str, unit: str) -> Kind:
    """Quotients that the user defined stand among the intensities; their names have a fraction bar."""
    if "/" in name:
        return "ratio"
    return "counts" if unit in {"Intensity", "Intensity (counts)"} else "other"


def _metadata(text: Text, head: int) -> dict[str, str]:
    """`# Profile Smoothing is Disabled` and `# key: value` above the names."""
    found = {}
    for line in text.lines[: head - 2]:
        words = line.lstrip("# ").strip()
        key, separator, value = words.partition(":")
        if words.startswith("Profile Smoothing is"):
            found["Profile Smoothing is"] = words.removeprefix("Profile Smoothing is").strip()
        elif separator and key:
            found[key.strip()] = value.strip()
    return found


def _repeated(names: list[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})
