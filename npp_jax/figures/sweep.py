"""Figures of a sweep: functions that draw into an `ax` and return it, in colour-blind safe colours."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int

from npp_jax.figures.axes import BELOW, COLOURS, MAP, depth_axis, ion_colours, label_axis, legend_above, reach
from npp_jax.figures.parameter_axes import scale_axis
from npp_jax.simulation.status import Status
from npp_jax.sweeping import SweepResult, best
from npp_jax.sweeping.landscape import bins, edges, lowest_along, lowest_over, status_shares
from npp_jax.sweeping.profiles import StoredProfiles
from npp_jax.sweeping.ranking import threshold

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEAST_ROWS = 30
"""Candidates that are shown as accepted even if fewer are."""
_MOST_DRAWN = 4000
_FEWEST_CELLS = 4
"""Cells along a parameter below which no line is drawn through a map."""
_MARGIN = 0.05
"""Share of a range by which an axis goes beyond it, so that points on its ends are whole."""
MOST_PROFILES = 200

_STATUS = {
    Status.DONE: ("0.6", ".", "done"),
    Status.NOT_NEUTRAL: (COLOURS[5], "s", "not neutral"),
    Status.COARSE: (COLOURS[4], "D", "coarse"),
    Status.NOT_CONVERGED: (COLOURS[1], "x", "not converged"),
    Status.MISSED_TIME: (COLOURS[3], "^", "missed its time"),
    Status.BEYOND_TRACE: (COLOURS[2], "v", "beyond its trace"),
    Status.NOT_FINITE: ("k", "+", "not finite"),
    Status.IMPOSSIBLE: ("k", "1", "impossible"),
}
"""Colour, marker and words of each status."""


def chi2_along(ax: "Axes", result: SweepResult, parameter: int) -> "Axes":
    """Lowest χ² per measured point along one parameter; dashed: what 95 % of the probability lies below."""
    points = max(int(result.points.sum()), 1)
    count = bins(result, parameter, 1)
    limits, lowest = edges(result, parameter, count), lowest_along(result, parameter, count)
    ax.stairs(lowest / points, limits, baseline=None, color=COLOURS[0], lw=1.2)
    if np.isfinite(lowest).any():
        ax.axhline((np.nanmin(lowest) + threshold(result)) / points, color="0.5", ls="--", lw=0.8, label="95 %")
    ax.set_yscale("log")
    label_axis(ax.yaxis, "lowest $\\chi^2$ / point")
    return scale_axis(ax, result.parameters[parameter], "x")


def chi2_map(ax: "Axes", result: SweepResult, x: int, y: int) -> "Axes":
    """Lowest χ² per measured point over two parameters, with the best candidate; grey where all failed or none is.

    Colours are logarithmic, the same in all maps of a sweep; `ax.collections[0]` makes a colour bar.
    """
    from matplotlib.colors import LogNorm

    points = max(int(result.points.sum()), 1)
    shape = (bins(result, x, 2), bins(result, y, 2))
    lowest = lowest_over(result, x, y, shape) / points
    finite = result.total[np.isfinite(result.total)] / points
    low = finite.min() if len(finite) else 0.5
    # The colours are for the valley, not for the peaks around it.
    norm = LogNorm(low, max(1.001 * low, float(np.median(finite)) if len(finite) else 1.0))
    ax.set_facecolor("0.85")
    ax.pcolormesh(
        edges(result, x, shape[0]), edges(result, y, shape[1]), lowest.T, norm=norm, cmap=MAP, rasterized=True
    )
    for k in best(result, 1):
        star = {"marker": "*", "ms": 9, "color": COLOURS[1], "mec": "w", "mew": 0.6, "zorder": 5, "clip_on": False}
        ax.plot(*result.theta[k, [x, y]], **star)
    _contour(ax, result, x, y)
    return scale_axis(scale_axis(ax, result.parameters[x], "x"), result.parameters[y], "y")


def _contour(ax: "Axes", result: SweepResult, x: int, y: int) -> None:
    """Line around what 95 % of the probability lies within, where the candidates are dense enough to draw one."""
    shape = (bins(result, x, 2), bins(result, y, 2))
    total = lowest_over(result, x, y, shape)
    known = np.where(np.isfinite(total), total, np.nan)
    if min(shape) < _FEWEST_CELLS or not np.isfinite(known).any():
        return
    level = np.nanmin(known) + threshold(result)
    if np.nanmax(known) > level and np.sum(known <= level) > 1:
        middle = [result.parameters[k].at((np.arange(n) + 0.5) / n) for k, n in zip((x, y), shape, strict=True)]
        ax.contour(*middle, known.T, levels=[level], colors="w", linewidths=1.0, linestyles="--")


def candidates(ax: "Axes", result: SweepResult, chosen: Int[np.ndarray, " chosen"], x: int, y: int) -> "Axes":
    """Chosen candidates over two parameters, coloured by their χ² per measured point, the best on top."""
    from matplotlib.colors import LogNorm

    points = max(int(result.points.sum()), 1)
    order = chosen[np.argsort(-result.total[chosen], kind="stable")]
    values = result.total[order] / points
    norm = LogNorm(values.min(), max(values.max(), 1.001 * values.min())) if len(values) else None
    ax.scatter(*result.theta[order][:, [x, y]].T, c=values, s=12, cmap=MAP, norm=norm, lw=0, rasterized=True)
    return _plane(ax, result, x, y)


def _plane(ax: "Axes", result: SweepResult, x: int, y: int) -> "Axes":
    """Axes along two parameters for points."""
    scale_axis(ax, result.parameters[x], "x", margin=_MARGIN)
    return scale_axis(ax, result.parameters[y], "y", margin=_MARGIN)


def histogram(ax: "Axes", result: SweepResult, chosen: Int[np.ndarray, " chosen"], parameter: int) -> "Axes":
    """How many of the chosen candidates lie where along one parameter."""
    count = max(5, min(30, int(np.sqrt(len(chosen)))))
    # Counted on the scale of the axis, where the design is even.
    found, _ = np.histogram(result.share[chosen, parameter], np.linspace(0.0, 1.0, count + 1))
    ax.stairs(found, edges(result, parameter, count), fill=True, color=COLOURS[0], alpha=0.6)
    ax.set(ylabel="candidates")
    return scale_axis(ax, result.parameters[parameter], "x", margin=_MARGIN)


def statuses(ax: "Axes", result: SweepResult, x: int, y: int) -> "Axes":
    """Where over two parameters each status occurs, the worst on top; at most some thousand candidates of each."""
    for status in Status:
        there = np.flatnonzero(result.worst == status)
        if len(there):
            colour, marker, text = _STATUS[status]
            shown = there[:: -(-len(there) // _MOST_DRAWN)]
            ax.scatter(
                *result.theta[shown][:, [x, y]].T, s=8 if len(there) > 400 else 30, color=colour, marker=marker,
                lw=1.0 if marker in "x+" else 0.0, label=f"{text}: {len(there)}", rasterized=True,
            )  # fmt: skip
    ax.legend(frameon=False, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2, fontsize="small")
    return _plane(ax, result, x, y)


def statuses_along(ax: "Axes", result: SweepResult, parameter: int) -> "Axes":
    """Share of each status but `done` along one parameter, on top of each other."""
    count = bins(result, parameter, 1)
    count = min(count, 20)
    shares, limits = np.nan_to_num(status_shares(result, parameter, count)), edges(result, parameter, count)
    below = np.zeros(count)
    for status in reversed(Status):
        if status != Status.DONE and shares[status].any():
            top = below + shares[status]
            ax.stairs(100.0 * top, limits, baseline=100.0 * below, fill=True, color=_STATUS[status][0])
            below = top
    ax.set(ylabel="share / %", ylim=(0.0, max(1.0, 110.0 * float(below.max()))))
    return scale_axis(ax, result.parameters[parameter], "x")


def profile_spread(ax: "Axes", stored: StoredProfiles, *, logarithmic: bool = False) -> "Axes":
    """Profiles of candidates against what was measured: the first as a line, the range of all as a band.

    Parameters
    ----------
    ax
        Where to draw.
    stored
        Profiles of candidates, the best one first.
    logarithmic
        Logarithmic fractions.
    """
    data = stored.measured
    colours = ion_colours(stored.species)
    for k, name in enumerate(stored.species):
        colour = colours[name]
        if data is not None:
            used = np.asarray(data.weight[k]) > 0.0
            below = used & (np.zeros_like(used) if data.censored is None else np.asarray(data.censored[k]) > 0.0)
            if below.any():
                at = np.asarray(data.depth)[below], np.asarray(data.fraction[k])[below]
                ax.plot(*at, color=colour, label=f"{name} below its limit", **BELOW)
            used = used & ~below
            ax.errorbar(
                np.asarray(data.depth)[used], np.asarray(data.fraction[k])[used], np.asarray(data.sigma[k])[used],
                fmt="o", ms=2.0, lw=0.6, color="0.45", mfc=colour, mec="none", zorder=1, label=f"{name} data",
            )  # fmt: skip
        band = stored.profile[:, k]
        ax.fill_between(stored.depth, band.min(axis=0), band.max(axis=0), color=colour, alpha=0.25, lw=0.0)
        ax.plot(stored.depth, band[0], color=colour, lw=1.2, label=f"{name} best")
    ax.set(ylabel="$n_i/N$", xlim=(float(stored.depth[0]), reach(stored.depth, stored.profile[0])))
    depth_axis(ax)
    if logarithmic:
        ax.set(yscale="log", ylim=(1e-4, 2.0))
    else:
        legend_above(ax, stored.experiment)
    return ax
