"""Titles of columns: name, unit and what the column holds."""

import dataclasses
import re

from npp_jax.sims.raw import Axis, Kind

LENGTHS = {"nm": 1.0, "um": 1e3, "µm": 1e3, "μm": 1e3, "micron": 1e3, "microns": 1e3, "a": 0.1, "å": 0.1}
LENGTHS |= {"angstrom": 0.1, "ang": 0.1, "mm": 1e6, "cm": 1e7, "m": 1e9}
TIMES = {"s": 1.0, "sec": 1.0, "second": 1.0, "seconds": 1.0, "sekunden": 1.0, "h": 3600.0}
TIMES |= {"min": 60.0, "mn": 60.0, "minute": 60.0, "minutes": 60.0, "minuten": 60.0}
TIMES |= {"ms": 1e-3, "msec": 1e-3, "milliseconds": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6}
COUNTS = {"counts", "count", "cts", "ct", "cnt", "cnts", "ions"}
_PER_SECOND = r"(?:/s|/sec|persecond|s-1|s\^-1|·s-1)"
_RATE = re.compile(rf"(?:counts?|cts?|cnts?|c|ions?){_PER_SECOND}|cps")
_CONCENTRATION = re.compile(r"at(?:oms?)?(?:/|\s?per\s?)?(?:cm\^?-?3|cc|ccm)|(?:cm|m)\^?-3|1/cm\^?3")
_FRACTIONS = {"1", "-", "fraction", "%", "at%", "at.%", "mol%", "molpct", "wt%", "pct", "atpct", "wtpct"}

_AXES: tuple[tuple[Axis, re.Pattern[str]], ...] = (
    ("depth", re.compile(r"(?:sputter|crater|profile)?[ _-]*(?:depth|tiefe)|z", re.IGNORECASE)),
    ("time", re.compile(r"(?:sputter(?:ing)?|etch|elapsed)?[ _-]*(?:time|zeit)|sputterzeit|t", re.IGNORECASE)),
    (
        "cycle",
        re.compile(
            r"#?\s*(?:cycles?|zyklus|frames?|scans?|data point|points?|index|level)\s*(?:#|number|no\.?)?", re.I
        ),
    ),
)
_BRACKETS = re.compile(r"(.*?)\s*[(\[]([^()\[\]]*)[)\]]\s*")
_SLASH = re.compile(r"(.*\S)\s+/\s+([^\s()]+)")
_SUFFIX = re.compile(r"(.*[^_ ])[_ ]([^_ ]+)")


@dataclasses.dataclass(frozen=True)
class Title:
    """What the head of a column says."""

    name: str
    """Name without the unit."""
    unit: str
    """Unit as written, empty without."""
    axis: Axis | None
    """Kind of axis, None for a signal."""

    @property
    def kind(self) -> Kind:
        """What a signal of this unit is."""
        unit = self.unit.lower().replace(" ", "")
        if unit in COUNTS:
            return "counts"
        if _RATE.fullmatch(unit):
            return "rate"
        if _CONCENTRATION.fullmatch(unit):
            return "concentration"
        return "ratio" if unit in _FRACTIONS else "other"


def known_unit(word: str) -> bool:
    """Whether a word is a unit of an axis or a signal."""
    unit = word.lower().strip()
    return unit in LENGTHS or unit in TIMES or Title("", word, None).kind != "other"


def read_title(cell: str, unit: str = "") -> Title:
    """Name, unit and axis of `Depth (nm)`, `depth_um`, `Sputter Time [s]`, `7Li+ / cps` and the like.

    Parameters
    ----------
    cell
        Title.
    unit
        Unit from a line of units below the titles, empty without.
    """
    name = " ".join(cell.replace("\N{NO-BREAK SPACE}", " ").strip().strip('"').lstrip("#%").split())
    if not unit:
        for pattern in (_BRACKETS, _SLASH, _SUFFIX):
            found = pattern.fullmatch(name)
            # What is no unit belongs to the name, as in `I+ ( Pb+ )`, but not behind the name of an axis.
            if found and found[1].strip() and (known_unit(found[2]) or (not _axis(name) and _axis(found[1]))):
                name, unit = found[1].strip(), found[2].strip()
                break
    return Title(name.rstrip(",:"), unit.strip(" ()[]"), _axis(name))


def _axis(name: str) -> Axis | None:
    return next((axis for axis, pattern in _AXES if pattern.fullmatch(name.strip().rstrip(",:"))), None)


def axis_factor(title: Title) -> float | None:
    """Factor to nm, s or 1; None if the unit is missing or none of the axis."""
    if title.axis == "cycle":
        return 1.0
    return (LENGTHS if title.axis == "depth" else TIMES).get(title.unit.lower())
