"""Study of `npp-jax tracer` on an image of grains: isotope map, and D_gb/δ from measured counts."""

import functools
import math
from pathlib import Path
from typing import TYPE_CHECKING

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from npp_jax.commands.tracer.data import no_counts
from npp_jax.commands.tracer.images import read_counts, read_grains
from npp_jax.commands.tracer.report import (
    Line,
    Quantity,
    TracerReport,
    chi2_lines,
    ending,
    one_sided,
    relative_error,
    searched_row,
    vague,
)
from npp_jax.commands.tracer.study import MapStudy
from npp_jax.figures.tracer import cut_profile, isotope_map
from npp_jax.files import ConfigError
from npp_jax.inference import Estimate
from npp_jax.store.arrays import Array
from npp_jax.tracer.boundaries import series_diffusivity
from npp_jax.tracer.counts import IsotopeCounts
from npp_jax.tracer.grain_fit import fit_permeability
from npp_jax.tracer.grain_map import GrainMap, grain_map
from npp_jax.tracer.isotope import LineScan, isotope_fraction, line_scan
from npp_jax.tracer.isotope_map import MapStage, simulate_map
from npp_jax.tracer.tracer_fit import OnEnds, OnIteration, TracerFit

if TYPE_CHECKING:
    from matplotlib.figure import Figure

UM, HOUR = 1e-6, 3600.0
_ROWS = 12
"""Boundaries that are printed one by one; the file holds all."""
_MOST_POINTS = 100_000
"""Points along a cut: more than pixels of any image."""
_EVEN = 1e6
"""Counts a pixel of a model map along a cut: any number, the same everywhere."""


def run_map(study: MapStudy, folder: Path, on_iteration: OnIteration = None, on_ends: OnEnds = None) -> TracerReport:
    """Simulate the isotope map; fit D_gb/δ first where counts were measured."""
    table = study.map
    labels = read_grains(table, folder, fitted=study.counts is not None)
    try:
        grains = grain_map(labels, table.pixel_um * UM, classes=table.boundaries)
    except ValueError as error:
        raise ConfigError(f"{folder / table.labels}: {error}") from None
    _check_cuts(study, grains)
    stages = tuple(MapStage(s.duration_h * HOUR, s.source, steps=s.steps) for s in study.stages)
    counts = None
    if study.counts is not None:
        counts = [read_counts(folder / name, grains.shape) for name in (study.counts.light, study.counts.heavy)]
        if (told := no_counts(*counts)) is not None:
            raise ConfigError(f"counts: {study.counts.light} and {study.counts.heavy} hold {told}: these are no counts")
        seen = int(np.sum(counts[0] + counts[1] > 0.0))
        if seen <= grains.classes:
            raise ConfigError(f"counts: {seen} pixels have some, and there are {grains.classes} D_gb/δ to find")
    D, permeability = jnp.asarray(table.D_bulk_m2_s), jnp.asarray(table.permeability_m_s)
    pixels = " × ".join(map(str, labels.shape))
    lines: list[Line] = [f"{grains.grains} grains, {sum(map(len, grains.pairs))} pairs of neighbours, {pixels} pixels"]
    warnings: list[str] = []
    arrays: dict[str, Array] = {}
    status, code, fit = "simulated; no counts to fit to", 0, None
    if counts is not None:
        fit = fit_permeability(
            grains, IsotopeCounts(*counts), D_bulk=table.D_bulk_m2_s, initial=table.initial, stages=stages,
            guess=table.permeability_m_s, D_bulk_error=table.D_bulk_relative_error, iterations=table.iterations,
            on_iteration=on_iteration, on_ends=on_ends,
        )  # fmt: skip
        permeability = jnp.asarray(fit.fitted("permeability_m_s").value)
        D = fit.values().get("D_bulk_m2_s", D)
        lines += _rows(study, grains, fit)
        arrays |= _fitted_arrays(grains, fit, D)
        told, doubt = chi2_lines(fit)
        lines += [f"{told[0]}, {int(fit.refined.evaluations[0])} evaluations"]
        warnings += [*doubt, *_doubts(grains, _errors(_found(grains, fit)))]
        status, code = ending(fit)
    solution = eqx.filter_jit(simulate_map)(grains, D, permeability, jnp.asarray(table.initial), stages)
    modelled = np.asarray(solution.fraction)
    if not np.all(np.isfinite(modelled)):
        status, code = "no finite result: check the values of the study", 4
    size = float(np.sqrt(labels.size / grains.grains)) * grains.pixel_size
    known = np.ones(grains.classes, bool) if fit is None else _errors(_found(grains, fit)) < 1.0
    lines.append(_effective(grains, D, permeability, size, known))
    arrays |= {
        "time": Array(np.cumsum([s.duration_h * HOUR for s in study.stages]), "s", "time from the start", ("time",)),
        "fraction": Array(modelled, "1", "isotope fraction of the model", ("time", "row", "column")),
        "uptake": Array(np.asarray(solution.uptake), "m2", "isotope fraction times area that came in", ("time",)),
        "grain": Array(np.asarray(grains.grain), "1", "number of a grain", ("row", "column")),
        "pixel_size": Array(np.asarray(grains.pixel_size), "m", "edge of a pixel"),
    }
    if counts is not None:
        arrays["measured"] = Array(_measured(counts), "1", "measured isotope fraction", ("row", "column"))
    scans = _scans(study, grains, counts, modelled[-1], arrays)
    draw = functools.partial(_drawn, study, grains, counts, modelled[-1], scans)
    return TracerReport(lines, arrays, draw, warnings, status, code, fit)


def _rows(study: MapStudy, grains: GrainMap, fit: TracerFit) -> list[Line]:
    """Lines of the permeabilities and of D."""
    value, names, found = fit.fitted("permeability_m_s").value, _names(grains), _found(grains, fit)
    each = list(zip(names, found, strict=True))[:_ROWS]
    lines: list[Line] = [searched_row(name, one, "m/s", key="permeability_m_s") for name, one in each]
    if len(names) > _ROWS:
        known = _errors(found) < 1.0
        spread = value[known] if known.any() else np.array([np.nan])
        lines.append(
            f"… {len(names)} pairs, {known.sum()} of them known to a factor of e: D_gb/δ {spread.min():.3g} to "
            f"{spread.max():.3g}, geometric mean {np.exp(np.log(spread).mean()):.3g} m/s"
        )
    if study.map.boundary_nm is not None and grains.classes == 1:
        thick = study.map.boundary_nm * 1e-9
        name = f"D_gb (δ {study.map.boundary_nm:g} nm assumed)"
        lines.append(searched_row(name, found[0], "m²/s", of=lambda value: value * thick))
    if study.map.D_bulk_relative_error is not None:
        bulk = fit["D_bulk_m2_s"]
        lines.append(searched_row("D of the grains", bulk, "m²/s", key="D_bulk_m2_s"))
    return [*lines, *one_sided(names, found)]


def _found(grains: GrainMap, fit: TracerFit) -> list[Estimate]:
    """D_gb/δ of each class of boundaries."""
    return [fit[name] for name in fit.names[: grains.classes]]


def _errors(found: list[Estimate]) -> np.ndarray:
    """Relative errors of them."""
    return np.array([relative_error(one) for one in found])


def _effective(
    grains: GrainMap, D: jax.Array, permeability: jax.Array, size: float, known: np.ndarray
) -> Quantity | str:
    """D over many grains, of which the resistances of boundaries add up: their mean is that of 1/P.

    A boundary of which the data tell nothing may have any resistance.
    """
    note = f"in series, grains of {size / UM:.1f} µm (root of the mean area)"
    if not any(grains.pairs):
        return Quantity("D_eff", float(D), "m²/s", note="that of the grain: there is no boundary")
    if not known.any():
        return "D_eff is not known: the data do not determine D_gb/δ."
    if grains.classes > 1:
        of = "" if known.all() else f" {known.sum()} of {known.size}"
        note += f", mean resistance of{of or ' the'} boundaries{' that are known to a factor of e' if of else ''}"
    seen = jnp.broadcast_to(permeability, known.shape)[known]
    return Quantity("D_eff", float(series_diffusivity(D, 1.0 / jnp.mean(1.0 / seen), size)), "m²/s", note=note)


def _names(grains: GrainMap) -> list[str]:
    if grains.classes == 1:
        return ["D_gb/δ"]
    return [f"D_gb/δ between {a} and {b}" for ((a, b), *_) in grains.pairs]


def _doubts(grains: GrainMap, error: np.ndarray) -> list[str]:
    if grains.classes <= _ROWS:
        return vague(_names(grains), error)
    poor = int(np.sum(~(error < 1.0)))
    if not poor:
        return []
    return [f"The data hardly determine {poor} of {grains.classes} boundaries: the isotope changes little across them."]


def _fitted_arrays(grains: GrainMap, fit: TracerFit, D: jax.Array) -> dict[str, Array]:
    pairs = np.asarray([pairs[0] for pairs in grains.pairs]) if grains.classes > 1 else np.zeros((1, 2), int) - 1
    found = fit.fitted("permeability_m_s")
    return {
        "permeability": Array(found.value, "m s-1", "D_gb/δ", ("boundary",)),
        "permeability_interval": Array(
            found.interval, "m s-1", "ends of the 95 % interval of D_gb/δ", ("boundary", "end")
        ),
        "grains_of_boundary": Array(pairs, "1", "numbers of both grains; -1 for all boundaries", ("boundary", "side")),
        "D_bulk": Array(np.asarray(D), "m2 s-1", "D of the grains"),
        "covariance": Array(
            np.asarray(fit.covariance.scaled), "1", "covariance of the logarithms", ("parameter", "parameter2")
        ),
    }


def _check_cuts(study: MapStudy, grains: GrainMap) -> None:
    height, width = (n * study.map.pixel_um for n in grains.shape)
    margin = 0.5 * study.map.pixel_um
    for k, cut in enumerate(study.cuts):
        for row, column in (cut.start_um, cut.end_um):
            if not (-margin <= row <= height - margin and -margin <= column <= width - margin):
                raise ConfigError(
                    f"cuts[{k}]: ({row:g}, {column:g}) lies outside of the map, {height:g} × {width:g} µm"
                )
        points = math.dist(cut.start_um, cut.end_um) / cut.interval_um
        if points > _MOST_POINTS:
            told = f"makes {points:.3g} points; at most {_MOST_POINTS} are taken"
            raise ConfigError(f"cuts[{k}].interval_um = {cut.interval_um:g} {told}")


def _in_metres(place: tuple[float, float]) -> tuple[float, float]:
    return UM * place[0], UM * place[1]


def _measured(counts: list[np.ndarray]) -> np.ndarray:
    """Measured fractions, NaN where nothing was counted."""
    fraction = np.asarray(isotope_fraction(*counts).value)
    return np.where(counts[0] + counts[1] > 0.0, fraction, np.nan)


def _scans(
    study: MapStudy, grains: GrainMap, counts: list[np.ndarray] | None, model: np.ndarray, arrays: dict[str, Array]
) -> list[tuple[LineScan, LineScan | None]]:
    """Model and data along each cut; they go into the arrays too."""
    found = []
    for k, cut in enumerate(study.cuts):
        scanned = functools.partial(
            line_scan,
            start=_in_metres(cut.start_um),
            end=_in_metres(cut.end_um),
            pixel_size=grains.pixel_size,
            width=cut.width_um * UM,
            interval=cut.interval_um * UM,
        )
        try:
            smooth = scanned(_EVEN * model, _EVEN * (1.0 - model))
            scan = None if counts is None else scanned(*counts)
        except ValueError as error:
            raise ConfigError(f"cuts[{k}]: {error}") from None
        found.append((smooth, scan))
        line = f"cut{k + 1}_position"
        arrays[line] = Array(np.asarray(smooth.position), "m", "position along the cut", (line,))
        ends = np.asarray([_in_metres(cut.start_um), _in_metres(cut.end_um)])
        arrays[f"cut{k + 1}_ends"] = Array(ends, "m", "row and column of its ends", ("end", "place"))
        arrays[f"cut{k + 1}_model"] = Array(
            np.asarray(smooth.fraction.value), "1", "isotope fraction of the model", (line,)
        )
        if scan is not None:
            arrays[f"cut{k + 1}"] = Array(np.asarray(scan.fraction.value), "1", "measured isotope fraction", (line,))
            arrays[f"cut{k + 1}_error"] = Array(np.asarray(scan.fraction.error), "1", "its standard error", (line,))
    return found


def _drawn(
    study: MapStudy,
    grains: GrainMap,
    counts: list[np.ndarray] | None,
    model: np.ndarray,
    scans: list[tuple[LineScan, LineScan | None]],
) -> "Figure":
    """Maps above one another, and the cuts below."""
    from matplotlib.figure import Figure

    ends = [(_in_metres(cut.start_um), _in_metres(cut.end_um)) for cut in study.cuts]
    panels = 1 + (counts is not None) + bool(study.cuts)
    figure = Figure(figsize=(7.0, 3.2 * panels), layout="constrained")
    axes = list(figure.subplots(panels, 1, squeeze=False)[:, 0])
    limits = (float(np.min(model)), float(np.max(model)))
    if counts is not None:
        isotope_map(axes[0], _measured(counts), grains, limits=limits, cuts=ends).set_title("data")
    isotope_map(axes[1 if counts is not None else 0], model, grains, limits=limits, cuts=ends).set_title("model")
    if study.cuts:
        axes[-1].set_title("model (lines)" if counts is None else "data (points), model (lines)")
    for k, (smooth, scan) in enumerate(scans):
        cut_profile(axes[-1], k, smooth, scan)
    return figure
