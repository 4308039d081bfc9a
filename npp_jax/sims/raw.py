"""A depth profile as the instrument exported it: nothing converted but the units of the axes."""

import dataclasses
import difflib
from collections import Counter

import numpy as np
from jaxtyping import Float, Int

from npp_jax.sims.errors import fault
from npp_jax.text.errors import shorten
from npp_jax.text.titles import Axis, Kind

AXIS_UNITS: dict[Axis, str] = {"depth": "nm", "time": "s", "cycle": "1"}
MINIMUM_POINTS = 5
"""Fewest points of a depth profile."""
_DIGITS = 15
"""Digits of a number of a file that a conversion and back leave as they are."""


@dataclasses.dataclass(frozen=True, eq=False)
class Channel:
    """One signal of a file against its own axis; NaN where the file has no number."""

    name: str
    """Name in the file; repeated names end in #1, #2, …"""
    axis: Float[np.ndarray, "point"]
    """Sputter time [s], depth [nm] or cycle [1], increasing; which of them says the profile."""
    values: Float[np.ndarray, "point"]
    """Signal in `unit`; zero where no ion was counted."""
    unit: str
    """Unit of the signal, as the file gives it."""
    kind: Kind
    """What the signal is; only counts and rates carry counting statistics."""
    lines: Int[np.ndarray, "point"]
    """Lines of the file, counted from one."""
    per_count: float | None = None
    """Signal of one counted ion, in `unit`; None where it is not known."""
    pulses: float | None = None
    """Pulses a point of a counter that takes one ion a pulse and was corrected for it (dead time); None without."""
    counting_limit: float | None = None
    """Signal above which the instrument measured a current instead of counting ions, in `unit`; None without."""
    dwell: float | None = None
    """Counting time of a point [s]."""
    mass: float | None = None
    """Mass over charge [u]."""
    converted: float = 1.0
    """Factor by which the numbers of the file were converted to `unit`."""
    summed: bool = False
    """Whether it is a sum of peaks of a counter with dead time."""

    def written(self) -> Float[np.ndarray, "point"]:
        """Signals with the digits of the file, in its own unit."""
        if self.converted == 1.0:
            return self.values
        return np.array([float(f"{value:.{_DIGITS}g}") for value in self.values / self.converted])


@dataclasses.dataclass(frozen=True, eq=False)
class RawProfile:
    """All signals of one file."""

    path: str
    """File."""
    format: str
    """Format it was read as."""
    sha256: str
    """Checksum of the file."""
    axis: Axis
    """What the axes of the channels are."""
    channels: tuple[Channel, ...]
    """Signals, in the order of the file."""
    duration: float | None
    """Sputter time at the end of the crater [s]; None where the file does not tell."""
    sputter_rate: float | None
    """Mean rate by which the file made depths of times [nm/s]; None without."""
    metadata: dict[str, str]
    """What else the file says, as text."""
    warnings: tuple[str, ...] = ()
    """What is odd but readable, one line each."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the channels."""
        return tuple(channel.name for channel in self.channels)

    def channel(self, name: str) -> Channel:
        """The channel of a name; `^`, `_` and spaces of the name are of no account.

        Raises
        ------
        SimsFileError
            No channel, or more than one, has that name.
        """
        exact = [channel for channel in self.channels if channel.name == name]
        found = exact or [c for c in self.channels if plain_name(c.name) == plain_name(name)]
        if not found:
            found = [c for c in self.channels if plain_name(c.name.rpartition("#")[0]) == plain_name(name)]
        if len(found) == 1:
            return found[0]
        if found:
            raise fault(
                self.path, f"{len(found)} channels are called {name!r}: choose {' or '.join(c.name for c in found)}"
            )
        near = difflib.get_close_matches(plain_name(name), [plain_name(n) for n in self.names], 3, 0.5)
        known = near or [shorten(n, 20) for n in self.names[:12]]
        hint = f"{'did you mean' if near else 'it has'} {', '.join(known)}{'?' if near else ' …'}"
        raise fault(self.path, f"no channel is called {shorten(name)!r}; {hint}")


def shown_name(name: str) -> str:
    """Name without the marks of super- and subscripts: `^13CH_5N_2+` → `13CH5N2+`."""
    return "".join(c for c in name if c not in "^_{}").strip()


def plain_name(name: str) -> str:
    """The same without blanks, by which names are compared."""
    return "".join(shown_name(name).split())


def number_repeated(names: list[str]) -> list[str]:
    """Names of which those that occur more than once got #1, #2 and so on."""
    all_of, seen = Counter(names), Counter[str]()
    numbered = []
    for name in names:
        seen[name] += 1
        numbered.append(f"{name}#{seen[name]}" if all_of[name] > 1 else name)
    return numbered
