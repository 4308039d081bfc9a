"""Figure of a stored tracer study, from the arrays of its file."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np

from npp_jax.figures.stored import (
    Cut,
    StageSeen,
    figure_exchange,
    figure_lines,
    figure_map,
    figure_steps,
)
from npp_jax.figures.tracer import Activated, GrainImage
from npp_jax.inference.uncertainty import NORMAL_95
from npp_jax.store.reading import Reader, reading
from npp_jax.tracer.measured import MeasuredProfile
from npp_jax.tracer.transport import ArrheniusFit

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
                return figure_exchange(file.stem, _panels(reader), _evolved(reader))
            case "chain":
                time, position = (reader.array(name, (name,), finite=True) for name in ("time", "position"))
                edges = reader.array("boundary_position", ("boundary",), finite=True)
                fraction = reader.array("fraction", ("time", "position"))
                return figure_steps(file.stem, time, position, fraction, edges, _seen(reader, len(time)))
            case "map":
                model = reader.array("fraction", ("time", "row", "column"))[-1]
                measured = reader.array("measured", ("row", "column")) if "measured" in reader else None
                grain = reader.array("grain", ("row", "column"), kinds="iu")
                image = GrainImage(grain, float(reader.array("pixel_size", (), finite=True)))
                return figure_map(file.stem, model, measured, image, _cuts(reader))
            case "arrhenius":
                return figure_lines(file.stem, _lines(reader))
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
    found = [name for name in map(str, reader.file) if re.fullmatch(pattern, name)]
    return sorted(found, key=lambda name: [int(number) for number in re.findall(r"\d+", name)])


def _cuts(reader: Reader) -> list[Cut]:
    """Cuts through a map, with what was measured along them if anything was."""
    found = []
    for name in _named(reader, r"cut\d+_model"):
        own = name.removesuffix("_model")
        axis = (f"{own}_position",)
        data = [reader.array(part, axis) for part in (own, f"{own}_error") if part in reader]
        both = (data[0], data[1]) if len(data) == 2 else None
        ends = reader.array(f"{own}_ends", ("end", "place"), finite=True) if f"{own}_ends" in reader else None
        found.append(Cut(reader.array(axis[0], axis), reader.array(name, axis), both, ends))
    return found


def _seen(reader: Reader, stages: int) -> dict[int, StageSeen]:
    """What was measured after the stages of a chain."""
    found = {}
    for k in range(stages):
        axis = (f"stage{k + 1}_measured_position",)
        if axis[0] in reader:
            parts = ("measured_position", "measured", "measured_error", "modelled")
            found[k] = StageSeen(*(reader.array(f"stage{k + 1}_{part}", axis) for part in parts))
    return found


def _lines(reader: Reader) -> dict[str, Activated]:
    """Points and laws of an Arrhenius plot."""
    found = {}
    for axis in _named(reader, r"line\d+_temperature"):
        own = axis.removesuffix("temperature")
        told = str(reader.attribute("long_name", of=reader.part(axis)) or axis).removeprefix("temperature, ")
        D, relative = (
            jnp.asarray(reader.array(f"{own}{part}", (axis,))) if f"{own}{part}" in reader else None
            for part in ("D", "relative_error")
        )
        law = _law(reader, own, f"{own}covariance", ("parameter", "parameter2"))
        found[told] = Activated(jnp.asarray(reader.array(axis, (axis,), finite=True)), D, relative, law)
    return found


def _evolved(reader: Reader) -> dict[str, Activated]:
    """D of an evolution at its temperatures, with the law through them if one was fitted."""
    law = _law(reader, "", "arrhenius_covariance", ("arrhenius_parameter", "arrhenius_parameter2"))
    if law is None:
        return {}
    axis = ("temperature",)
    temperature, D = (jnp.asarray(reader.array(name, axis, finite=True)) for name in ("temperature", "D"))
    low, high = jnp.asarray(reader.array("D_interval", (*axis, "end"))).T
    return {"D of the fit": Activated(temperature, D, 0.5 * jnp.log(high / low) / NORMAL_95, law)}


def _law(reader: Reader, own: str, covariance: str, square: tuple[str, str]) -> ArrheniusFit | None:
    """An Arrhenius line; without its covariance where that is not known."""
    if f"{own}log_prefactor" not in reader:
        return None
    start, energy = (jnp.asarray(reader.array(f"{own}{part}", ())) for part in ("log_prefactor", "energy"))
    spread = reader.array(covariance, square) if covariance in reader else np.full((2, 2), np.nan)
    return ArrheniusFit(start, energy, jnp.asarray(spread), jnp.asarray(0.0), 0)
