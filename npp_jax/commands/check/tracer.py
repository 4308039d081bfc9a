"""`npp-jax check` for a tracer study: every file is read, and the start of a profile is drawn beside the data."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import erfc

from npp_jax.commands.check.checked import Checked
from npp_jax.commands.tracer.images import read_counts, read_grains, read_labels
from npp_jax.commands.tracer.stored import HOUR, UM, read_profile_of
from npp_jax.commands.tracer.study import (
    ArrheniusStudy,
    ChainStudy,
    EvolutionStudy,
    MapStudy,
    ProfileStudy,
    TracerStudy,
    data_files,
    load_tracer_study,
)
from npp_jax.commands.tracer.tables import ProfileFile
from npp_jax.figures.check import figure_isotopes, figure_points
from npp_jax.tracer.measured import MeasuredProfile

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_POINTS = 300


class _Panel(NamedTuple):
    """Profiles of one panel of the figure."""

    title: str
    measured: Sequence[MeasuredProfile]
    labels: Sequence[str]
    position: np.ndarray
    curve: np.ndarray | None


def check_tracer(path: Path) -> Checked:
    """Read a tracer study with all its files and tell what it says.

    Raises
    ------
    ConfigError
        A file is wrong.
    """
    study = load_tracer_study(path)
    lines, warnings, panels = [f"tracer study {path} ({study.kind}): {study.title}"], list[str](), list[_Panel]()
    read = _Read(path.parent, lines)
    match study:
        case ProfileStudy():
            panels.append(_profile(study, read, warnings))
        case EvolutionStudy():
            for specimen in study.specimens:
                labels = ["exchanged", *(f"+ {a.duration_h:g} h at {a.temperature_K:g} K" for a in specimen.anneals)]
                files = [specimen.exchanged, *(anneal.profile for anneal in specimen.anneals)]
                profiles = [
                    read.profile(file, f"{specimen.name}, {label}") for file, label in zip(files, labels, strict=True)
                ]
                panels.append(_Panel(specimen.name, profiles, labels, np.zeros(0), None))
            lines.append(
                f"  D to start from: {study.fit.start_D_m2_s:g} m²/s at {study.fit.reference_temperature_K:g} K"
            )
        case ChainStudy():
            sizes = study.chain.sizes_um
            lines.append(f"  {len(sizes)} grains, {sum(sizes):g} µm, D {study.chain.D_bulk_m2_s:g} m²/s")
            for k, stage in enumerate(study.stages):
                lines.append(
                    f"  stage {k}: {stage.duration_h:g} h, {'closed' if stage.source is None else stage.source}"
                )
                if stage.profile is not None:
                    found = read.profile(stage.profile, f"stage {k}")
                    panels.append(_Panel(f"stage {k}", [found], ["measured"], np.zeros(0), None))
        case MapStudy():
            labels = read_grains(study.map, path.parent, fitted=study.counts is not None)
            lines.append(f"  {study.map.labels}: {labels.shape} pixels of {study.map.pixel_um:g} µm")
            lines.append(f"  {len(np.unique(labels))} labels of grains")
            if study.counts is not None:
                light, heavy = (
                    read_counts(path.parent / n, labels.shape) for n in (study.counts.light, study.counts.heavy)
                )
                total = light + heavy
                lines.append(f"  counts a pixel: {total.min():g} to {total.max():g}, mean {total.mean():.4g}")
        case ArrheniusStudy():
            for line in study.lines:
                points = "a law" if line.temperature_K is None else f"{len(line.temperature_K)} points"
                lines.append(f"  {line.name}: {points}")
    title = study.title or path.stem

    def draw() -> "Figure":
        return figure_isotopes(title, panels) if panels else _other(study, path.parent, title)

    return Checked(lines, warnings, (path, *(path.parent / name for name in data_files(study))), draw)


class _Read(NamedTuple):
    """Reads profiles and tells of them."""

    folder: Path
    lines: list[str]

    def profile(self, table: ProfileFile, label: str) -> MeasuredProfile:
        """Read one, with a line of what it holds."""
        found = read_profile_of(table, self.folder)
        x, C = np.asarray(found.position) / UM, np.asarray(found.fraction)
        error = float(np.median(np.asarray(found.error)))
        self.lines.append(
            f"  {label}: {table.file}, {len(x)} points from {x[0]:.4g} to {x[-1]:.4g} µm, fraction {C.min():.4g} to "
            f"{C.max():.4g} ± {error:.2g}"
        )
        return found


def _profile(study: ProfileStudy, read: _Read, warnings: list[str]) -> _Panel:
    found, model = read.profile(study.profile, "profile"), study.model
    x, C = np.asarray(found.position), np.asarray(found.fraction)
    if model.start_length_um is not None:
        length = model.start_length_um * UM
    else:
        length = 2.0 * math.sqrt((model.start_D_m2_s or 0.0) * (model.duration_h or 0.0) * HOUR)
    read.lines.append(f"  start: 2√(Dt) {length / UM:.4g} µm, {model.source}")
    extent, spacing = float(x[-1] - x[0]), float(np.median(np.diff(x)))
    if length > 3.0 * extent or length < spacing:
        warnings.append(
            f"2√(Dt) of the start is {length / UM:.3g} µm, the profile goes over {extent / UM:.3g} µm in steps of "
            f"{spacing / UM:.3g} µm: the data cannot show it"
        )
    tail = max(3, len(C) // 10)
    base = float(np.median(C[-tail:])) if model.base is None else model.base
    top = float(np.median(C[:3]))
    if abs(top - base) < 3.0 * float(np.median(np.asarray(found.error))):
        warnings.append("the profile is flat within its errors: there is no D to be found in it")
    deep, error = float(np.median(C[-tail:])), float(np.median(np.asarray(found.error)))
    if abs(deep - base) > abs(top - base) + 5.0 * error:
        # Of two isotopes that are swapped the fraction is that of the other one.
        isotopes = ", and light and heavy not swapped" if found.counts is not None else ""
        warnings.append(
            f"the fraction is {top:.4g} at the surface and {deep:.4g} at the deep end, further from the base of "
            f"{base:g}: are base and columns right{isotopes}?"
        )
    position = np.linspace(x[0], x[-1], _POINTS)
    curve = base + (top - base) * erfc(np.maximum(position, 0.0) / length)
    return _Panel("", [found], ["measured"], position, curve)


def _other(study: TracerStudy, folder: Path, title: str) -> "Figure":
    """Grains of a map, or points of Arrhenius lines; a chain without data has its sizes alone."""
    match study:
        case MapStudy():
            labels = read_labels(folder / study.map.labels)
            return figure_points(title, labels=labels, pixel_um=study.map.pixel_um)
        case ArrheniusStudy():
            lines = {
                line.name: (np.asarray(line.temperature_K), np.asarray(values))
                for line in study.lines
                if line.temperature_K and (values := line.D_m2_s or line.D_cait_m2_s or line.conductivity_S_m)
            }
            return figure_points(title, lines=lines)
        case ChainStudy():
            return figure_points(title, edges_um=np.cumsum([0.0, *study.chain.sizes_um]) + study.chain.start_um)
    return figure_points(title)
