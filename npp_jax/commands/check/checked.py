"""What `npp-jax check` found: lines to print, warnings, a figure, and an exit code."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclasses.dataclass(frozen=True)
class Checked:
    """A file that was read and looked at."""

    lines: list[str]
    """What it says, with units and ranges."""
    warnings: list[str]
    """What looks wrong or has no effect, one sentence each."""
    reads: tuple[Path, ...]
    """Files that it names."""
    draw: Callable[[], "Figure"]
    """Draws data and start."""
    code: int = 0
    """3 where the simulation of the start carries a warning in its status, 4 where it has no finite result."""


def unit_shown(unit: str) -> str:
    """A unit for the terminal: `m2 s-1` is m²/s, a plain number nothing."""
    words = {"1": "", "um": "µm", "m2 s-1": "m²/s", "m s-1": "m/s", "S m-1": "S/m", "m-3": "1/m³", "mC cm-2": "mC/cm²"}
    return {**words, "C m-2": "C/m²", "A m-2": "A/m²"}.get(unit, unit)
