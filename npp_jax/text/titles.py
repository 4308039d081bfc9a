"""Titles of columns: name, unit and what the column holds."""

import dataclasses
import re
import unicodedata
from collections.abc import Callable
from typing import Literal, TypeAlias

Axis: TypeAlias = Literal["depth", "time", "cycle"]
Kind: TypeAlias = Literal["counts", "rate", "concentration", "ratio", "other"]

LENGTHS = {"nm": 1.0, "um": 1e3, "µm": 1e3, "μm": 1e3, "micron": 1e3, "microns": 1e3, "a": 0.1, "å": 0.1}
LENGTHS |= {"angstrom": 0.1, "ang": 0.1, "mm": 1e6, "cm": 1e7, "m": 1e9}
TIMES = {"s": 1.0, "sec": 1.0, "second": 1.0, "seconds": 1.0, "sekunden": 1.0}
TIMES |= dict.fromkeys(("h", "hr", "hrs", "hour", "hours", "std", "stunden"), 3600.0)
TIMES |= dict.fromkeys(("day", "days", "tage"), 86400.0)
TIMES |= {"min": 60.0, "mn": 60.0, "minute": 60.0, "minutes": 60.0, "minuten": 60.0}
TIMES |= {"ms": 1e-3, "msec": 1e-3, "milliseconds": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6}
COUNTS = {"counts", "count", "cts", "ct", "cnt", "cnts", "ions"}
_PER_SECOND = r"(?:/s|/sec|persecond|s-1|s\^-1|·s-1)"
_PER_MINUTE = r"(?:/min|/minute|perminute|min-1|min\^-1|·min-1)"
_COUNTED = r"(?:counts?|cts?|cnts?|c|ions?)"
_RATES = (
    (re.compile(rf"{_COUNTED}{_PER_SECOND}|cps|1?{_PER_SECOND}|hz"), 1.0),
    (re.compile(rf"k{_COUNTED}{_PER_SECOND}|kcps|khz"), 1e3),
    (re.compile(rf"m{_COUNTED}{_PER_SECOND}|mcps|mhz"), 1e6),
    (re.compile(rf"{_COUNTED}{_PER_MINUTE}|cpm|1?{_PER_MINUTE}"), 1.0 / 60.0),
)
_CONCENTRATION = re.compile(r"(?:at(?:oms?)?|ions?)(?:/|per|·)?(?:c?m\^?-?3|cc|ccm)|c?m\^?-3|1?/(?:c?m\^?3|cc|ccm)")
_FRACTIONS = {"1", "-", "fraction", "%", "at%", "at.%", "mol%", "molpct", "wt%", "pct", "atpct", "wtpct"}

_BY_WEIGHT = re.compile(
    r"(?<![^\W_])(?:(?:wt|weight|mass|gew(?:ichts)?|massen?|vol(?:ume|umen)?)[\s._-]*"
    r"(?:%|pct|ppm|per ?cent|fraction|prozent|anteil)|ma?[.-]+\s*%|(?:wppm|ppmw)(?!\w))",
    re.IGNORECASE,
)

_AXES: tuple[tuple[Axis, re.Pattern[str]], ...] = (
    ("depth", re.compile(r"(?:sputter|crater|profile)?[ _-]*(?:depth|tiefe)|z", re.IGNORECASE)),
    ("time", re.compile(r"(?:sputter(?:ing)?|etch|elapsed|mess)?[ _-]*(?:time|zeit)|sputterzeit|t", re.IGNORECASE)),
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
_LOOSE = (re.compile(r"([^/]*[^/\s])/(\S+)"), re.compile(r"(.*\S)\s+in\s+(\S.*)"), re.compile(r"(.*\S),\s*(\S+)"))
"""Units as in `Zeit/s`, `Zeit in s` and `Zeit, s`, which are told from names by what stands in front of them."""
_TWO_WORDS = re.compile(r"(.*[^_ ])[_ ]([^_ ]+[_ ][^_ ]+)")
_PREFIXES = {"": 1.0, "k": 1e3, "m": 1e-3, "u": 1e-6, "\N{GREEK SMALL LETTER MU}": 1e-6, "n": 1e-9, "p": 1e-12}
_VOLTS = re.compile(r"([km]?)V(?:olts?)?|volts?")
_CURRENT_DENSITY = re.compile(r"([kmunp\N{GREEK SMALL LETTER MU}]?)A/?([cm]?)m-?2")
_CHARGE = re.compile(r"([kmunp\N{GREEK SMALL LETTER MU}]?)C/?([cm]?)m-?2")
_AREAS = {"": 1.0, "c": 1e4, "m": 1e6}


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
        unit = _plain(self.unit).lower()
        if unit in COUNTS:
            return "counts"
        if rate_factor(unit) is not None:
            return "rate"
        if _CONCENTRATION.fullmatch(unit):
            return "concentration"
        return "ratio" if unit in _FRACTIONS else "other"


def rate_factor(unit: str) -> float | None:
    """Factor of a unit of counts in time to counts a second; None of others."""
    plain = _plain(unit).lower()
    return next((factor for pattern, factor in _RATES if pattern.fullmatch(plain)), None)


def known_unit(word: str) -> bool:
    """Whether a word is a unit of an axis or a signal."""
    unit = word.lower().strip()
    return unit in LENGTHS or unit in TIMES or Title("", word, None).kind != "other"


def is_unit(word: str) -> bool:
    """Whether a word in a line of units is one."""
    electric = (volts, amperes_per_square_metre, coulombs_per_square_metre)
    return known_unit(word) or any(factor(word) is not None for factor in electric)


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
        for pattern in (_BRACKETS, _SLASH, _SUFFIX, *_LOOSE):
            found = pattern.fullmatch(name)
            if found is None or not found[1].strip():
                continue
            # What is no unit belongs to the name, as in `I+ ( Pb+ )`, but not behind the name of an axis.
            behind_axis = not _axis(name) and _axis(found[1]) is not None
            if behind_axis or (pattern not in _LOOSE and known_unit(found[2])):
                name, unit = found[1].strip(), found[2].strip()
                break
    if not unit and (rate_factor(name) is not None or name.lower() in COUNTS):
        # A column may be called by its unit alone.
        unit = name
    return Title(name.rstrip(",:"), unit.strip(" ()[]"), _axis(name))


def with_unit(cell: str, unit: str, factor: Callable[[str], float | None]) -> tuple[str, float] | None:
    """Name of a title, and the factor of its unit; None if it has no unit of that kind.

    Parameters
    ----------
    cell
        Title.
    unit
        Unit from a line of units below the titles, empty without.
    factor
        Factor of a unit to that of SI, such as `volts`; None for what is none of the kind.
    """
    name = " ".join(cell.lstrip("#%").split())
    if unit:
        value = factor(unit)
        return None if value is None else (name, value)
    for pattern in (_BRACKETS, _SLASH, _TWO_WORDS, _SUFFIX, *_LOOSE):
        found = pattern.fullmatch(name)
        if found is not None and found[1].strip() and (value := factor(found[2])) is not None:
            return found[1].strip(), value
    return None


def by_weight(title: str) -> bool:
    """Whether a title tells a share by weight or volume, which no factor makes a mole fraction."""
    return _BY_WEIGHT.search(title) is not None


def seconds(unit: str) -> float | None:
    """Factor of a unit of time to s."""
    return TIMES.get(unit.strip().lower())


def nanometres(unit: str) -> float | None:
    """Factor of a unit of length to nm."""
    return LENGTHS.get(unicodedata.normalize("NFC", unit.strip()).lower())


def volts(unit: str) -> float | None:
    """Factor of a unit of potential to V."""
    found = _VOLTS.fullmatch(_plain(unit))
    return None if found is None else _PREFIXES[found[1] or ""]


def amperes_per_square_metre(unit: str) -> float | None:
    """Factor of a unit of current density to A/m²."""
    found = _CURRENT_DENSITY.fullmatch(_plain(unit).replace("per", "/"))
    return None if found is None else _PREFIXES[found[1]] * _AREAS[found[2]]


def coulombs_per_square_metre(unit: str) -> float | None:
    """Factor of a unit of charge per area to C/m²."""
    found = _CHARGE.fullmatch(_plain(unit).replace("per", "/"))
    return None if found is None else _PREFIXES[found[1]] * _AREAS[found[2]]


def fractions(unit: str) -> float | None:
    """Factor of a unit of fractions to 1."""
    return {"fraction": 1.0, "%": 0.01, "percent": 0.01, "pct": 0.01}.get(_plain(unit).lower())


def _plain(unit: str) -> str:
    """A unit in the letters of the keyboard, without what binds its parts."""
    plain = unicodedata.normalize("NFKC", unit).replace("\N{MINUS SIGN}", "-")
    return "".join(c for c in plain if c not in " ^_*·⋅()[]{}")


def _axis(name: str) -> Axis | None:
    return next((axis for axis, pattern in _AXES if pattern.fullmatch(name.strip().rstrip(",:"))), None)


def axis_factor(title: Title) -> float | None:
    """Factor to nm, s or 1; None if the unit is missing or none of the axis."""
    if title.axis == "cycle":
        return 1.0
    return nanometres(title.unit) if title.axis == "depth" else seconds(title.unit)
