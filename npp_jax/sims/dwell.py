"""How long each point was counted, from the words of a file: dwell, counting, integration or acquisition time."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from npp_jax.text.errors import shorten
from npp_jax.text.numbers import positive_number
from npp_jax.text.titles import TIMES

_KEY = re.compile(
    r"(?P<what>(?:dwell|count(?:ing)?|integration|acquisition)[ _]?time|dwell|ct|verweilzeit|z(?:ä|ae)hlzeit"
    r"|integrationszeit)(?P<rest>(?![a-zäöü]).*)",
    re.IGNORECASE,
)
_UNIT = re.compile(r"(?P<rest>.*?)\s*(?:[(\[]\s*(?P<held>[^()\[\]]*?)\s*[)\]]|[_/]\s*(?P<bare>[^\W\d]+))\s*")
_VALUE = re.compile(r"(?P<number>\S*?[0-9.,])\s*(?P<unit>[^\W\d]*)\.?")
_POINT = {"", "perpoint", "perdatapoint", "percycle", "/point", "/cycle", "propunkt", "prozyklus"}
_SLACK = 1.05
"""A counting time may exceed the time between points by this factor, as both are rounded."""


class CountingTimes(NamedTuple):
    """Counting times that a file tells."""

    common: float | None
    """That of all channels without one of their own [s]."""
    own: dict[str, float]
    """Those of single channels [s]."""
    warnings: tuple[str, ...]
    """Why what the file tells was not taken, one line each."""

    def of(self, channel: str) -> float | None:
        """Counting time of a point of a channel [s]."""
        return self.own.get(channel, self.common)


def counting_times(metadata: Mapping[str, str], channels: list[str], spacing: float | None) -> CountingTimes:
    """Find the counting times among the lines above a table.

    A time that is longer than that between two points cannot be the one of a point; it is often that of the whole run.

    Parameters
    ----------
    metadata
        Keys and values of the file, such as `Dwell time (ms)` and `500`, or `Dwell time` and `500 ms`.
    channels
        Names of the signals, of which a key may name one.
    spacing
        Time between two points, None where the axis is no time. [s]
    """
    common: list[tuple[str, float]] = []
    own: dict[str, float] = {}
    warnings: list[str] = []
    for key, value in metadata.items():
        found = _KEY.fullmatch(key.strip())
        if not found:
            continue
        said = f"{shorten(key.strip())}: {shorten(value)}"
        rest, unit = _rest_and_unit(found["rest"])
        seconds = _seconds(value, unit)
        channel = next((name for name in channels if _plain(name) == _plain(rest)), None)
        if seconds is None or (channel is None and _plain(rest).lower() not in _POINT):
            warnings.append(f"'{said}' is not understood as the counting time of a point; if it is, give dwell_s")
        elif spacing is not None and seconds > _SLACK * spacing:
            warnings.append(
                f"'{said}' is not taken: {seconds:g} s is longer than the {spacing:.4g} s between points (is it that "
                "of the whole run?); give dwell_s, the counting time of a point"
            )
        elif channel is not None:
            own[channel] = seconds
        else:
            common.append((said, seconds))
    # "Acquisition time" has many meanings; any other word is clearer.
    common.sort(key=lambda item: item[0].lower().startswith("acq"))
    different = [said for said, seconds in common if abs(seconds / common[0][1] - 1.0) > 1e-6]
    if different:
        warnings.append(f"'{common[0][0]}' is taken for the counting time of a point, not '{different[0]}'")
    return CountingTimes(common[0][1] if common else None, own, tuple(warnings))


def _rest_and_unit(words: str) -> tuple[str, str]:
    """What stands behind the name of the time, and its unit; seconds without."""
    found = _UNIT.fullmatch(words)
    unit = ((found["held"] or found["bare"] or "") if found else "").lower()
    if found and (unit in TIMES or found["held"]):
        return found["rest"], unit
    return words, ""


def _seconds(value: str, unit: str) -> float | None:
    """Seconds of `0.5`, `500 ms` or `0,5 s`; the unit beside the number counts. None where there is no such number."""
    found = _VALUE.fullmatch(value.strip().strip('"').strip())
    number = positive_number(found["number"]) if found else None
    factor = TIMES.get((found["unit"].lower() if found else "") or unit or "s")
    return number * factor if number and factor else None


def _plain(name: str) -> str:
    return "".join(c for c in name if c not in " \t_^{}:")
