"""Figures of the next experiment: what proposals would bring, and how intervals would shrink."""

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from npp_jax.figures.axes import COLOURS, MAP, line_colour
from npp_jax.planning import Plan, Ranked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

_LABEL = 30
"""Letters of a line of a label."""

MOST_BARS = 15
"""Proposals in a figure."""


def gains(ax: "Axes", plan: Plan, ranked: "Sequence[Ranked]", label: str) -> "Axes":
    """What the best proposals would bring as bars, coloured by their cost.

    Parameters
    ----------
    ax
        Where to draw.
    plan
        The proposals.
    ranked
        Best first.
    label
        What the length of a bar is.
    """
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LogNorm, Normalize

    shown = [row for row in ranked if np.isfinite(row.gain)][:MOST_BARS]
    hours = plan.hours[[row.proposal for row in shown]]
    wide = hours.min() > 0.0 and hours.max() > 10.0 * hours.min()
    norm = LogNorm(hours.min(), hours.max()) if wide else Normalize(0.0, max(float(hours.max()), 1e-9))
    places = np.arange(len(shown))
    ax.barh(places, [row.gain for row in shown], color=colormaps[MAP](norm(hours)))
    ax.set_yticks(places, [textwrap.fill(plan.proposals[row.proposal].name, _LABEL) for row in shown], fontsize="small")
    ax.invert_yaxis()
    ax.set_xlabel(label)
    ax.figure.colorbar(ScalarMappable(norm, MAP), ax=ax, label="cost / h")
    return ax


def shrinking(ax: "Axes", plan: Plan, chosen: "Sequence[Ranked]") -> "Axes":
    """Expected standard deviation of each parameter after each chosen experiment, over that of today.

    Parameters
    ----------
    ax
        Where to draw.
    plan
        The proposals.
    chosen
        Those that are made, in their order.
    """
    done = [plan.remaining([row.proposal for row in chosen[:count]]) for count in range(len(chosen) + 1)]
    table = np.array(done)
    markers = "osD^v<>P"
    for k, parameter in enumerate(plan.parameters):
        colour = line_colour(k) if len(plan.parameters) > 1 else COLOURS[0]
        ax.plot(table[:, k], marker=markers[k % len(markers)], color=colour, label=parameter.name)
    ax.set_yscale("log")
    lowest = float(table.min())
    ax.set_ylim(0.8 * lowest, 1.2)
    ticks = [tick for tick in (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0) if tick >= 0.8 * lowest]
    ax.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.minorticks_off()
    ax.set_xticks(range(len(done)), ["today", *(f"+ {k + 1}" for k in range(len(chosen)))])
    ax.set_xlabel("experiments done")
    ax.set_ylabel("expected standard deviation / today's")
    ax.legend(fontsize="small")
    return ax
