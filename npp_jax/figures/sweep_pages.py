"""Figures of a sweep, page by page."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from jaxtyping import Int

from npp_jax.figures.axes import headline, label_axis
from npp_jax.figures.sweep import (
    LEAST_ROWS,
    MOST_PROFILES,
    candidates,
    chi2_along,
    chi2_map,
    histogram,
    profile_spread,
    statuses,
    statuses_along,
)
from npp_jax.sweeping import SweepResult, accepted, read_sweep
from npp_jax.sweeping.landscape import telling_pair
from npp_jax.sweeping.profiles import StoredProfiles, read_profiles
from npp_jax.sweeping.ranking import threshold

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def figure_landscape(result: SweepResult) -> "Figure":
    """Lowest χ² along each parameter (diagonal) and over each pair."""

    def below(ax: "Axes", x: int, y: int) -> None:
        chi2_map(ax, result, x, y)

    figure, axes = _triangle(result, lambda ax, k: chi2_along(ax, result, k), below)
    headline(figure, f"{result.title}\nstar: best candidate; dashed: 95 % of the probability")
    return _with_bar(figure, axes, "lowest $\\chi^2$ / point", "max")


def figure_pairs(result: SweepResult, chosen: Int[np.ndarray, " chosen"]) -> "Figure":
    """Chosen candidates over each pair of parameters, and how many lie where along each (diagonal)."""

    def below(ax: "Axes", x: int, y: int) -> None:
        candidates(ax, result, chosen, x, y)

    figure, axes = _triangle(result, lambda ax, k: histogram(ax, result, chosen, k), below)
    limit = threshold(result)
    within = int((result.total[chosen] <= result.total.min() + limit).sum())
    text = f"the best {len(chosen)} candidates, {within} of them within Δχ² = {limit:.3g} (95 %)"
    headline(figure, f"{result.title}\n{text}")
    return _with_bar(figure, axes, "$\\chi^2$ / point", "neither")


def figure_failures(result: SweepResult) -> "Figure":
    """Where each status occurs: along each parameter, and over the two that tell most."""
    from matplotlib.figure import Figure

    count = len(result.parameters)
    columns = min(3, count)
    lines = -(-count // columns)
    figure = Figure(figsize=(3.2 * columns + 4.6, max(2.6 * lines, 4.4)), layout="constrained")
    grid = figure.add_gridspec(lines, columns + 1, width_ratios=[3.2] * columns + [4.6])
    for k in range(count):
        statuses_along(figure.add_subplot(grid[divmod(k, columns)]), result, k)
    statuses(figure.add_subplot(grid[:, -1]), result, *telling_pair(result))
    headline(figure, result.title, size="large")
    return figure


def figure_profiles(result: SweepResult, stored: Sequence[StoredProfiles]) -> "Figure":
    """Profiles of some candidates against data, one column an experiment, linear and logarithmic."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(max(4.0 * len(stored), 5.0), 6.0), layout="constrained")
    axes = figure.subplots(2, len(stored), squeeze=False)
    for column, profiles in zip(axes.T, stored, strict=True):
        for ax, logarithmic in zip(column, (False, True), strict=True):
            profile_spread(ax, profiles, logarithmic=logarithmic)
    count = len(stored[0].profile)
    text = f"best candidate (line), range of the best {count} (band), measured (points)"
    if not stored[0].observed:
        text = "composition without the depth resolution of the data: " + text
    headline(figure, f"{result.title}\n{text}")
    return figure


def sweep_figures(path: Path) -> dict[str, "Figure"]:
    """Draw all figures of a sweep that its file allows.

    Parameters
    ----------
    path
        File of a finished sweep.

    Returns
    -------
    Figures by their names, in the order of these.

    Raises
    ------
    SweepFileError
        The file is no finished sweep.
    """
    result = read_sweep(path)
    figures = {"failures": figure_failures(result)} if np.any(result.worst) else {}
    chosen = accepted(result, least=LEAST_ROWS)
    if len(chosen):
        if len(result.theta) > 1:
            figures |= {"landscape": figure_landscape(result), "pairs": figure_pairs(result, chosen)}
        stored = read_profiles(path, chosen[:MOST_PROFILES])
        if stored:
            figures["profiles"] = figure_profiles(result, stored)
    return dict(sorted(figures.items()))


def _triangle(
    result: SweepResult, diagonal: Callable[["Axes", int], object], below: Callable[["Axes", int, int], object]
) -> tuple["Figure", np.ndarray]:
    """One panel for each parameter and each pair; only the outer ones keep their labels."""
    from matplotlib.figure import Figure

    count = len(result.parameters)
    size = 1.2 + 1.9 * count
    figure = Figure(figsize=(max(size, 5.2), max(0.85 * size, 3.6)), layout="constrained")
    axes = figure.subplots(count, count, squeeze=False, sharex="col")
    for (y, x), ax in np.ndenumerate(axes):
        if x > y:
            ax.set_axis_off()
            continue
        if x == y:
            diagonal(ax, x)
            ax.yaxis.tick_right()
            ax.yaxis.set_label_position("right")
            if x > 0:
                ax.set_ylabel("")
        else:
            below(ax, x, y)
            if x > 0:
                ax.set_ylabel("")
                ax.tick_params(labelleft=False, which="both")
        if y < count - 1:
            ax.set_xlabel("")
        else:
            ax.tick_params(axis="x", rotation=60)
    return figure, axes


def _with_bar(figure: "Figure", axes: np.ndarray, text: str, extend: Literal["neither", "max"]) -> "Figure":
    """Colour bar of the maps beside a triangle of panels."""
    if len(axes) > 1:
        # In the empty corner above the diagonal.
        place = axes[0, -1].inset_axes((0.55, 0.0, 0.1, 1.0))
        bar = figure.colorbar(axes[1, 0].collections[0], cax=place, extend=extend)
        label_axis(bar.ax.yaxis, text)
    return figure
