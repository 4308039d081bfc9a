"""Figures of a sweep: functions that draw into an `ax` and return it, in colour-blind safe colours."""

import re
from typing import TYPE_CHECKING, Literal

import numpy as np
from jaxtyping import Int

from npp_jax.figures.simulation import COLOURS
from npp_jax.fitting.units import split_unit
from npp_jax.simulation.status import Status
from npp_jax.sweeping import SweepResult, best
from npp_jax.sweeping.landscape import bins, edges, lowest_along, lowest_over, status_shares
from npp_jax.sweeping.profiles import StoredProfiles
from npp_jax.sweeping.ranking import threshold

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MAP = "cividis"
LEAST_ROWS = 30
"""Candidates that are shown as accepted even if fewer are."""
_MOST_DRAWN = 4000
MOST_PROFILES = 200

_POWER = re.compile(r"(?<=[a-zA-Z])-?\d+")

_STATUS = {
    Status.DONE: ("0.6", ".", "done"),
    Status.NOT_NEUTRAL: (COLOURS[5], "s", "not neutral"),
    Status.COARSE: (COLOURS[4], "D", "coarse"),
    Status.NOT_CONVERGED: (COLOURS[1], "x", "not converged"),
    Status.MISSED_TIME: (COLOURS[3], "^", "missed its time"),
    Status.BEYOND_TRACE: (COLOURS[2], "v", "beyond its trace"),
    Status.NOT_FINITE: ("k", "+", "not finite"),
}
"""Colour, marker and words of each status."""


def chi2_along(ax: "Axes", result: SweepResult, parameter: int) -> "Axes":
    """Lowest χ² per measured point along one parameter; dashed: what 95 % of the probability lies below."""
    points = max(int(result.points.sum()), 1)
    count = bins(result, parameter, 1)
    limits, lowest = edges(result, parameter, count), lowest_along(result, parameter, count)
    ax.stairs(lowest / points, limits, baseline=None, color=COLOURS[0], lw=1.2)
    if np.isfinite(lowest).any():
        ax.axhline((np.nanmin(lowest) + threshold(result)) / points, color="0.5", ls="--", lw=0.8)
    ax.set(yscale="log", ylabel="lowest $\\chi^2$ / point")
    return _scaled(ax, result, parameter, "x")


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
        edges(result, x, shape[0]), edges(result, y, shape[1]), lowest.T, norm=norm, cmap=_MAP, rasterized=True
    )
    for k in best(result, 1):
        ax.plot(*result.theta[k, [x, y]], marker="*", ms=9, color=COLOURS[1], mec="w", mew=0.6)
    return _scaled(_scaled(ax, result, x, "x"), result, y, "y")


def candidates(ax: "Axes", result: SweepResult, chosen: Int[np.ndarray, " chosen"], x: int, y: int) -> "Axes":
    """Chosen candidates over two parameters, coloured by their χ² per measured point, the best on top."""
    from matplotlib.colors import LogNorm

    points = max(int(result.points.sum()), 1)
    order = chosen[np.argsort(-result.total[chosen], kind="stable")]
    values = result.total[order] / points
    norm = LogNorm(values.min(), max(values.max(), 1.001 * values.min())) if len(values) else None
    ax.scatter(*result.theta[order][:, [x, y]].T, c=values, s=12, cmap=_MAP, norm=norm, lw=0, rasterized=True)
    return _scaled(_scaled(ax, result, x, "x"), result, y, "y")


def histogram(ax: "Axes", result: SweepResult, chosen: Int[np.ndarray, " chosen"], parameter: int) -> "Axes":
    """How many of the chosen candidates lie where along one parameter."""
    count = max(5, min(30, int(np.sqrt(len(chosen)))))
    # Counted on the scale of the axis, where the design is even.
    found, _ = np.histogram(result.share[chosen, parameter], np.linspace(0.0, 1.0, count + 1))
    ax.stairs(found, edges(result, parameter, count), fill=True, color=COLOURS[0], alpha=0.6)
    ax.set(ylabel="candidates")
    return _scaled(ax, result, parameter, "x")


def statuses(ax: "Axes", result: SweepResult, x: int, y: int) -> "Axes":
    """Where over two parameters each status occurs, the worst on top; at most some thousand candidates of each."""
    for status in Status:
        there = np.flatnonzero(result.worst == status)
        if len(there):
            colour, marker, text = _STATUS[status]
            shown = there[:: -(-len(there) // _MOST_DRAWN)]
            ax.scatter(
                *result.theta[shown][:, [x, y]].T, s=12 if status == Status.DONE else 22, color=colour, marker=marker,
                lw=1.0 if marker in "x+" else 0.0, label=f"{text}: {len(there)}", rasterized=True,
            )  # fmt: skip
    ax.legend(frameon=False, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2, fontsize="small")
    return _scaled(_scaled(ax, result, x, "x"), result, y, "y")


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
    if not below.any():
        ax.text(0.5, 0.5, "all done", ha="center", va="center", color="0.5", transform=ax.transAxes)
    ax.set(ylabel="share / %", ylim=(0.0, max(1.0, 110.0 * float(below.max()))))
    return _scaled(ax, result, parameter, "x")


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
    for k, name in enumerate(stored.species):
        colour = COLOURS[k % len(COLOURS)]
        if data is not None:
            used = np.asarray(data.weight[k]) > 0.0
            ax.errorbar(
                np.asarray(data.depth)[used], np.asarray(data.fraction[k])[used], np.asarray(data.sigma[k])[used],
                fmt="o", ms=2.0, lw=0.6, color="0.45", mfc=colour, mec="none", zorder=1,
            )  # fmt: skip
        band = stored.profile[:, k]
        ax.fill_between(stored.depth, band.min(axis=0), band.max(axis=0), color=colour, alpha=0.25, lw=0.0)
        ax.plot(stored.depth, band[0], color=colour, lw=1.2, label=name)
    ax.set(xlabel="depth / nm", ylabel="$n_i/N$", title=stored.experiment)
    ax.margins(x=0.0)
    if logarithmic:
        ax.set(yscale="log", ylim=(1e-4, 2.0))
    else:
        ax.legend(frameon=False, fontsize="small")
    return ax


def _scaled(ax: "Axes", result: SweepResult, parameter: int, side: Literal["x", "y"]) -> "Axes":
    """Scale, limits and label of one parameter."""
    from matplotlib.ticker import LogFormatterSciNotation, LogLocator, MaxNLocator, NullFormatter

    axis = result.parameters[parameter]
    stem, unit = split_unit(axis)
    text = stem if unit == "1" else f"{stem} / " + _POWER.sub(r"$^{\g<0>}$", unit)
    ax.set(**{f"{side}scale": axis.scale, f"{side}lim": (axis.low, axis.high), f"{side}label": text})
    drawn = ax.xaxis if side == "x" else ax.yaxis
    if axis.scale == "linear":
        drawn.set_major_locator(MaxNLocator(4))
    elif axis.scale == "log":
        decades = np.log10(axis.high / axis.low)
        drawn.set_major_locator(LogLocator(subs=(1.0, 3.0) if decades < 2.0 else (1.0,)))
        drawn.set_major_formatter(LogFormatterSciNotation(labelOnlyBase=False))
        drawn.set_minor_formatter(NullFormatter())
    return ax
