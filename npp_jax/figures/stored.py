"""Figures of stored fits and tracer studies, from the arrays of their files."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from npp_jax.figures.axes import (
    COLOURS,
    end_residuals,
    headline,
    ion_colours,
    label_axis,
    legend_above,
    line_colour,
    mark_beyond,
    reach,
    share_depths,
)
from npp_jax.figures.tracer import (
    UM,
    Activated,
    GrainImage,
    arrhenius,
    isotope_map,
    isotope_profiles,
    isotope_residuals,
)
from npp_jax.inference.profile import DELTA_CHI2_95
from npp_jax.physics.keys import unit_at_end
from npp_jax.tracer.measured import MeasuredProfile

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DATA = {"marker": ".", "ms": 3.5, "ls": "none", "alpha": 0.6}


class SeenFit(NamedTuple):
    """A measured profile and its fit."""

    name: str
    depth: Float[np.ndarray, " depth"]
    species: tuple[str, ...]
    measured: Float[np.ndarray, "species depth"]
    sigma: Float[np.ndarray, "species depth"]
    fitted: Float[np.ndarray, "species depth"]


class StoredLikelihood(NamedTuple):
    """A profile likelihood."""

    name: str
    unit: str
    scale: str
    """Of its axis: `linear`, `log` or `logit`."""
    best: float
    values: Float[np.ndarray, " values"]
    delta_chi2: Float[np.ndarray, " values"]
    ends: Float[np.ndarray, " end"]
    """Ends of the 95 % interval that the data set."""


class StageSeen(NamedTuple):
    """A profile measured through a chain of grains, and the model at its points."""

    position: Float[np.ndarray, " point"]
    """Positions [m]."""
    measured: Float[np.ndarray, " point"]
    error: Float[np.ndarray, " point"]
    modelled: Float[np.ndarray, " point"]


class Cut(NamedTuple):
    """Fractions along a line through a map."""

    position: Float[np.ndarray, " point"]
    """Positions along it [m]."""
    model: Float[np.ndarray, " point"]
    measured: tuple[np.ndarray, np.ndarray] | None
    """Measured fractions and their standard errors."""
    ends: Float[np.ndarray, "end place"] | None = None
    """Row and column of its ends [m]."""


def figure_seen(title: str, seen: Sequence[SeenFit]) -> "Figure":
    """Data, fit and residuals of each experiment, fractions linear and logarithmic."""
    figure = _figure(max(4.4 * len(seen), 5.0), 7.2)
    axes = figure.subplots(3, len(seen), squeeze=False, height_ratios=[3, 2.4, 1.2])
    for column, fit in zip(axes.T, seen, strict=True):
        beyond = 0
        residual = (fit.measured - fit.fitted) / fit.sigma
        colours = ion_colours(fit.species)
        for k, name in enumerate(fit.species):
            colour = colours[name]
            for ax in column[:2]:
                ax.plot(fit.depth, fit.measured[k], color=colour, label=f"{name} data", **_DATA)
                ax.plot(fit.depth, fit.fitted[k], color=colour, lw=1.2, label=f"{name} fit")
            known = np.isfinite(residual[k])
            beyond += mark_beyond(column[2], fit.depth, residual[k], known, colour, **_DATA)
        end_residuals(column[2], beyond, float(np.nanmax(np.abs(residual), initial=0.0)))
        far = reach(fit.depth, fit.fitted)
        column[0].set(ylabel="$n_i/N$", xlim=(0.0, far))
        floor = float(np.clip(0.5 * np.min(fit.sigma), 1e-6, 1e-2))
        column[1].set(ylabel="$n_i/N$", yscale="log", ylim=(floor, 2.0), xlim=(0.0, far))
        share_depths(list(column), fit.depth, residual)
        legend_above(column[0], fit.name)
    headline(figure, title)
    return figure


def figure_matrix(names: Sequence[str], correlation: Float[np.ndarray, "row column"]) -> "Figure":
    """Correlation matrix of the parameters."""
    figure = _figure(5.5, 4.8)
    correlations(figure.subplots(), names, correlation)
    return figure


def correlations(ax: "Axes", names: Sequence[str], correlation: Float[np.ndarray, "row column"]) -> "Axes":
    """Correlation matrix with its numbers."""
    image = ax.imshow(correlation, vmin=-1.0, vmax=1.0, cmap="RdBu_r")
    ax.set_xticks(range(len(names)), names, rotation=40, ha="right")
    ax.set_yticks(range(len(names)), names)
    if len(names) <= 12:
        for (i, j), value in np.ndenumerate(correlation):
            if np.isfinite(value):
                colour = "white" if abs(value) > 0.6 else "black"
                ax.text(j, i, f"{value:.2f}", ha="center", va="center", fontsize="small", color=colour)
    ax.figure.colorbar(image, ax=ax, label="correlation", shrink=0.8)
    return ax


def likelihood_curve(
    values: np.ndarray, height: np.ndarray, best: float, scale: Callable[[np.ndarray], np.ndarray] = np.asarray
) -> tuple[np.ndarray, np.ndarray]:
    """Δχ² between the values, which ascend: straight in √Δχ², as where the ends of the interval are looked for."""
    side = np.sign(scale(values) - scale(np.asarray(best))) * np.sqrt(np.maximum(height, 0.0))
    x = np.linspace(values[0], values[-1], 200)
    return x, np.interp(scale(x), scale(values), side) ** 2


def figure_likelihoods(found: Sequence[StoredLikelihood]) -> "Figure":
    """Δχ² along each parameter, with the ends of the intervals."""
    columns = min(3, len(found))
    lines = -(-len(found) // columns)
    figure = _figure(max(3.3 * columns, 4.0), 2.7 * lines)
    axes = figure.subplots(lines, columns, squeeze=False).ravel()
    for ax, one in zip(axes, found, strict=False):
        known = np.isfinite(one.delta_chi2)
        values, order = np.unique(np.append(one.values[known], one.best), return_index=True)
        height = np.append(one.delta_chi2[known], 0.0)[order]
        ax.axhline(DELTA_CHI2_95, color="0.7", lw=0.8, label="95 %")
        ax.set_xscale(one.scale if one.best > 0.0 and len(values) > 1 else "linear")
        ax.plot(*likelihood_curve(values, height, one.best), color=COLOURS[0], label="profile")
        ax.plot(values, height, "o", ms=3.5, color=COLOURS[0])
        for k, end in enumerate(one.ends):
            ax.axvline(end, color=COLOURS[1], lw=0.8, label="ends of the interval" if k == 0 else None)
        ax.set(ylabel="$\\Delta\\chi^2$", ylim=(0.0, 12.5))
        end, named = unit_at_end(one.name)
        stem = one.name.removesuffix(f"_{end}") if end and named == one.unit else one.name
        label_axis(ax.xaxis, stem, one.unit)
        legend_above(ax)
    for ax in axes[len(found) :]:
        ax.remove()
    return figure


def figure_exchange(
    title: str,
    panels: Sequence[tuple[str, Sequence[MeasuredProfile], Sequence[str], np.ndarray, np.ndarray]],
    activated: Mapping[str, Activated],
) -> "Figure":
    """Isotope profiles with fits and residuals, and lines of D if there are any.

    A panel has a title, profiles, names, positions [m] and curves.
    """
    columns = len(panels) + bool(activated)
    figure = _figure(5.6 * columns, 5.2)
    axes = figure.subplots(2, columns, squeeze=False, height_ratios=[3.0, 1.0])
    if activated:
        arrhenius(axes[0, -1], activated)
        axes[1, -1].remove()
    for (upper, lower), (name, measured, labels, position, curves) in zip(axes.T, panels, strict=False):
        lower.sharex(upper)
        line, fitted = jnp.asarray(position), jnp.asarray(curves)
        isotope_profiles(upper, measured, labels, position=line, fitted=fitted).set_title(name)
        isotope_residuals(lower, measured, line, fitted)
    headline(figure, title)
    return figure


def figure_steps(
    title: str,
    time: np.ndarray,
    position: np.ndarray,
    fraction: Float[np.ndarray, "time position"],
    edges: np.ndarray,
    seen: Mapping[int, StageSeen],
) -> "Figure":
    """Profiles through a chain of grains after each stage: times [s], positions and boundaries [m].

    What was measured after a stage stands beside its line, with the residuals below.
    """
    figure = _figure(6.4, 5.6 if seen else 4.2)
    axes = figure.subplots(2 if seen else 1, 1, squeeze=False, sharex=True, height_ratios=[3.0, 1.0][: 1 + bool(seen)])
    ax, beyond, largest = axes[0, 0], 0, 0.0
    style = {"marker": "o", "ms": 2.5, "ls": "none", "mfc": "none"}
    # A line ends at each boundary: between the cells beside it there is a step.
    at = np.searchsorted(position, edges)
    x = np.insert(position, at, edges) / UM
    for k, seconds in enumerate(time):
        ax.plot(x, np.insert(fraction[k], at, np.nan), color=line_colour(k), label=f"after {seconds / 3600.0:.3g} h")
        if k in seen:
            one, told = seen[k], "data" if k == max(seen) else None
            points = (one.position / UM, one.measured, one.error)
            ax.errorbar(*points, fmt="o", ms=2.5, lw=0.6, mfc="none", color=line_colour(k), alpha=0.6, label=told)
            residual = (one.measured - one.modelled) / one.error
            known = np.isfinite(residual)
            beyond += mark_beyond(axes[1, 0], points[0], residual, known, line_colour(k), **style)
            largest = max(largest, float(np.max(np.abs(residual[known]), initial=0.0)))
    for k, edge in enumerate(edges):
        ax.axvline(edge / UM, color="0.8", lw=0.8, zorder=0, label="grain boundary" if k == 0 else None)
    ax.set(ylabel="isotope fraction $C$")
    ax.legend(frameon=False, fontsize="small")
    if seen:
        end_residuals(axes[1, 0], beyond, largest)
    axes[-1, 0].set_xlabel("position / µm")
    headline(figure, title)
    return figure


def figure_map(
    title: str,
    model: Float[np.ndarray, "row column"],
    measured: np.ndarray | None,
    image: GrainImage,
    cuts: Sequence[Cut],
) -> "Figure":
    """Maps of data and model, and cuts through them."""
    maps = [*([("data", measured)] if measured is not None else []), ("model", model)]
    figure = _figure(7.0, 3.2 * (len(maps) + bool(cuts)))
    axes = figure.subplots(len(maps) + bool(cuts), 1, squeeze=False)[:, 0]
    limits = (float(model.min()), float(model.max()))
    ends = [((one[0][0], one[0][1]), (one[1][0], one[1][1])) for cut in cuts if (one := cut.ends) is not None]
    for ax, (name, values) in zip(axes, maps, strict=False):
        isotope_map(ax, values, image, limits=limits, cuts=ends).set_title(name)
    for k, cut in enumerate(cuts):
        colour = line_colour(k + 1)
        axes[-1].plot(cut.position / UM, cut.model, color=colour, label=f"cut {k + 1}, model")
        if cut.measured is not None:
            points = (cut.position / UM, *cut.measured)
            axes[-1].errorbar(*points, fmt="o", ms=2.5, lw=0.6, mfc="none", color=colour, label="data")
    if cuts:
        axes[-1].set(xlabel="position along the cut / µm", ylabel="isotope fraction $C$")
        axes[-1].legend(frameon=False, fontsize="small")
    headline(figure, title)
    return figure


def figure_lines(title: str, lines: Mapping[str, Activated]) -> "Figure":
    """Arrhenius plot of lines by name."""
    figure = _figure(6.0, 4.4)
    arrhenius(figure.subplots(), lines)
    headline(figure, title)
    return figure


def _figure(width: float, height: float) -> "Figure":
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")
