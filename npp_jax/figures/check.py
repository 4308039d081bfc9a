"""Figures of what is there before any fit: data, the model at its start, the depth resolution."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from npp_jax.constants import NM
from npp_jax.figures.axes import depth_axis, headline, ion_colours, legend_above, line_colour, reach
from npp_jax.figures.simulation import diffusivities, profiles
from npp_jax.figures.tracer import isotope_profiles
from npp_jax.fitting import Measurement
from npp_jax.observe import NoResponse, broadest, differs_by_ion, of_each_ion
from npp_jax.physics import Experiment
from npp_jax.simulation.solution import Solution
from npp_jax.tracer.measured import MeasuredProfile

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_FLOOR = 1e-4
"""Least fraction on a logarithmic axis."""
_HIGH = 0.3
"""Height of the depth resolution on the axis of fractions."""


class Start(NamedTuple):
    """An experiment of a study and its model at the start."""

    measurement: Measurement
    depth: Float[np.ndarray, " point"]
    """Depths, as measured [nm]."""
    signal: Float[np.ndarray, "species point"]
    """The model there, as the instrument sees it [1]."""
    species: tuple[str, ...]
    front: float
    """Depth of the front, as measured [nm]."""


def data_and_start(ax: "Axes", start: Start, *, logarithmic: bool = False) -> "Axes":
    """Measured profile with its errors, the model at the start, and the depth resolution, drawn at the front."""
    profile = start.measurement.profile
    colours = ion_colours([ion.name for ion in start.measurement.experiment.species])
    for k, name in enumerate(start.species):
        colour = colours[name]
        if profile is not None:
            row = profile.species.index(name)
            used = np.asarray(profile.weight)[row] > 0.0
            values, sigma = np.asarray(profile.fraction)[row], np.asarray(profile.sigma)[row]
            shown = used & (values > 0.0) if logarithmic else used
            points = (np.asarray(profile.depth)[shown], values[shown], sigma[shown])
            if logarithmic and not np.array_equal(shown, used):
                # Nothing was found there: one standard deviation is what there may be.
                none = used & ~shown
                ax.plot(np.asarray(profile.depth)[none], sigma[none], "v", ms=2.5, color=colour, alpha=0.4, mew=0.0)
            ax.errorbar(*points, fmt=".", ms=3.0, lw=0.6, color=colour, alpha=0.5, label=f"{name} data")
            if not used.all():
                ax.plot(
                    start.depth[~used], values[~used], "x", ms=3.0, color="0.7", label="left out" if k == 0 else None
                )
        ax.plot(start.depth, start.signal[k], color=colour, lw=1.4, label=f"{name} start")
    if not logarithmic:
        _resolution(ax, start)
    ax.set(xlim=(0.0, reach(start.depth, start.signal)), ylabel="$n_i/N$")
    depth_axis(ax)
    if logarithmic:
        ax.set(yscale="log", ylim=(_FLOOR, 2.0))
    else:
        legend_above(ax, start.measurement.name)
    return ax


def _resolution(ax: "Axes", start: Start) -> None:
    """How a sharp layer at the front would be seen."""
    seen = start.measurement.observation
    if seen is None or isinstance(seen.response, NoResponse) or not np.isfinite(start.front):
        return
    wide = 6.0 * broadest(seen.response)
    z = np.linspace(-wide, wide, 401)
    assert start.measurement.profile is not None
    count = len(start.measurement.profile.species) if differs_by_ion(seen.response) else 1
    densities = jax.vmap(lambda response: response.density(jnp.asarray(z)))(of_each_ion(seen.response, count))
    label = "depth resolution"
    for density in np.asarray(densities):
        if density.max() > 0.0:
            shape = _HIGH * density / density.max()
            ax.fill_between(start.front + z, shape, color="0.5", alpha=0.35 / count, lw=0.0, label=label)
            label = None


def figure_starts(title: str, starts: Sequence[Start]) -> "Figure":
    """Data and start of all experiments of a study, linear above and logarithmic below."""
    from matplotlib.figure import Figure

    columns = min(len(starts), 4)
    lines = -(-len(starts) // columns)
    figure = Figure(figsize=(max(4.4 * columns, 5.5), 6.2 * lines), layout="constrained")
    axes = figure.subplots(2 * lines, columns, squeeze=False)
    for k, start in enumerate(starts):
        line, column = divmod(k, columns)
        data_and_start(axes[2 * line, column], start)
        data_and_start(axes[2 * line + 1, column], start, logarithmic=True)
    for k in range(len(starts), lines * columns):
        for ax in axes[2 * (lines - 1) :, k % columns]:
            ax.remove()
    measured = any(start.measurement.profile is not None for start in starts)
    told = "data (points), start (lines)" if measured else "start; nothing was measured"
    headline(figure, f"{title}\nbefore any fit: {told}")
    return figure


def figure_experiment(experiment: Experiment, solution: Solution) -> "Figure":
    """Profiles of an experiment, linear and logarithmic, and its laws."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12.0, 3.6), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    profiles(left, solution)
    profiles(middle, solution, logarithmic=True)
    diffusivities(right, experiment)
    headline(figure, f"{experiment.title}\ncoarse simulation, setting fast")
    return figure


def figure_isotopes(
    title: str, panels: Sequence[tuple[str, Sequence[MeasuredProfile], Sequence[str], np.ndarray, np.ndarray | None]]
) -> "Figure":
    """Measured isotope profiles, and the curve to start from where there is one.

    Parameters
    ----------
    title
        Of the study.
    panels
        Title, profiles and their names, positions [m] and fractions of the curve of each panel.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.6 * len(panels), 4.0), layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for ax, (name, measured, labels, position, curve) in zip(axes, panels, strict=True):
        if curve is None:
            isotope_profiles(ax, measured, labels)
        else:
            isotope_profiles(
                ax, measured, labels, position=jnp.asarray(position), fitted=jnp.asarray(curve)[None], curve="start"
            )
        ax.set_title(name)
    headline(figure, f"{title}\nbefore any fit: data (points), start (lines)")
    return figure


def in_measured_depth(measurement: Measurement, depth: float) -> float:
    """Depth as the instrument gives it, of a true depth [m]. [nm]."""
    seen = measurement.observation
    if seen is None:
        return depth / NM
    return (depth / NM - float(seen.depth_offset)) / float(seen.depth_scale)


def figure_points(
    title: str,
    *,
    labels: np.ndarray | None = None,
    pixel_um: float = 1.0,
    lines: Mapping[str, tuple[np.ndarray, np.ndarray]] | None = None,
    edges_um: np.ndarray | None = None,
) -> "Figure":
    """What a tracer study without profiles has: an image of grains, points of Arrhenius lines, or grains in a row.

    Parameters
    ----------
    title
        Of the study.
    labels, pixel_um
        Grain of each pixel, and the size of a pixel [µm].
    lines
        Temperatures [K] and values by name, each in its own unit.
    edges_um
        Edges of grains in a row [µm].
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.0, 4.2), layout="constrained")
    ax = figure.subplots()
    if labels is not None:
        rows, columns = labels.shape
        numbers = np.unique(labels, return_inverse=True)[1].reshape(labels.shape)
        ends = (0.0, columns * pixel_um, 0.0, rows * pixel_um)
        ax.imshow(numbers % 20, origin="lower", extent=ends, cmap="tab20", interpolation="nearest")
        ax.set(xlabel="$x$ / µm", ylabel="$y$ / µm")
    elif edges_um is not None:
        ax.vlines(edges_um, 0.0, 1.0, color="0.4")
        ax.set(xlabel="position / µm", yticks=[], title="boundaries of the grains")
    else:
        for k, (name, (temperature, value)) in enumerate((lines or {}).items()):
            ax.plot(1e3 / temperature, value, "o", ms=4, color=line_colour(k), label=name)
        ax.set(yscale="log", xlabel="1000 K / $T$", ylabel="value in its own unit")
        if lines:
            ax.legend(frameon=False)
    headline(figure, title)
    return figure
