"""Figure of a stored tracer study, from the arrays of its file."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np

from npp_jax.figures.stored import Cut, figure_exchange, figure_lines, figure_map, figure_steps
from npp_jax.sweeping.store.reading import Reader, reading
from npp_jax.tracer.measured import MeasuredProfile

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TRACER = "npp_jax tracer: "
"""Beginning of the title of such a file; its kind follows."""


def tracer_figure(file: Path, kind: str) -> "Figure":
    """Draw what a tracer study found.

    Raises
    ------
    FileFault
        The file is damaged, or of a kind that this version does not know.
    """
    with reading(file, "a file of `npp-jax tracer`") as reader:
        match kind:
            case "profile" | "evolution":
                return figure_exchange(file.stem, _panels(reader))
            case "chain":
                time, position = (reader.array(name, (name,), finite=True) for name in ("time", "position"))
                edges = reader.array("boundary_position", ("boundary",), finite=True)
                return figure_steps(file.stem, time, position, reader.array("fraction", ("time", "position")), edges)
            case "map":
                model = reader.array("fraction", ("time", "row", "column"))[-1]
                measured = reader.array("measured", ("row", "column")) if "measured" in reader else None
                return figure_map(file.stem, model, measured, _cuts(reader))
            case "arrhenius":
                found = _named(reader, r"line\d+_D")
                lines = {}
                for name in found:
                    axis = name.replace("_D", "_temperature")
                    told = str(reader.file[name].attrs.get("long_name", name)).removeprefix("diffusion coefficient, ")
                    lines[told] = (reader.array(axis, (axis,)), reader.array(name, (axis,)))
                return figure_lines(file.stem, lines)
        raise reader.fault(f"a tracer study of the kind '{kind}', which this version does not draw")


def _panels(reader: Reader) -> list[tuple[str, list[MeasuredProfile], list[str], np.ndarray, np.ndarray]]:
    """Profiles and curves of each specimen; of a study of one profile there is one."""
    found = []
    for prefix in (name.removesuffix("profile") for name in _named(reader, r"(specimen\d+_)?profile")):
        which, line = f"{prefix}profile", f"{prefix}position"
        names = list(reader.names(which, (which,)))
        measured = []
        for k in range(1, len(names) + 1):
            axis = (f"{prefix}measured_position{k}",)
            parts = (f"{prefix}{part}{k}" for part in ("measured_position", "measured", "measured_error"))
            x, fraction, error = (jnp.asarray(reader.array(part, axis, finite=True)) for part in parts)
            measured.append(MeasuredProfile(x, fraction, error))
        position = reader.array(line, (line,), finite=True)
        curves = reader.array(f"{prefix}fitted", (which, line), finite=True)
        title = names[0].partition(": ")[0] if prefix else ""
        found.append((title, measured, [name.rpartition(": ")[2] for name in names], position, curves))
    return found


def _named(reader: Reader, pattern: str) -> list[str]:
    """Arrays whose names are like a pattern."""
    return sorted(name for name in map(str, reader.file) if re.fullmatch(pattern, name))


def _cuts(reader: Reader) -> list[Cut]:
    """Cuts through a map, with what was measured along them if anything was."""
    found = []
    for name in _named(reader, r"cut\d+_model"):
        own = name.removesuffix("_model")
        axis = (f"{own}_position",)
        data = [reader.array(part, axis) for part in (own, f"{own}_error") if part in reader]
        both = (data[0], data[1]) if len(data) == 2 else None
        found.append(Cut(reader.array(axis[0], axis), reader.array(name, axis), both))
    return found
