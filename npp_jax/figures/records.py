"""Figures of records beside a fit: functions that draw into an `ax` and return it."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float

from npp_jax.figures.axes import COLOURS, end_residuals, headline, mark_beyond
from npp_jax.observe import Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DATA = {"marker": ".", "ms": 3.5, "ls": "none", "alpha": 0.6}

_ACROSS = 3
"""Panels in a row of the figure."""

SHOWN: dict[str, tuple[str, float]] = {
    "current": ("$j$ / (nA cm$^{-2}$)", 1e5),
    "potential": ("$U$ / V", 1.0),
    "charge": ("$q$ / (mC cm$^{-2}$)", 0.1),
    "conductivity": (r"$\sigma$ / (S m$^{-1}$)", 1.0),
}
"""Label and factor of the quantities that have a panel."""


class DrawnRecord(NamedTuple):
    """A record and its fit."""

    name: str
    """Name of the experiment and of the quantity."""
    record: Record
    signal: Float[np.ndarray, " point"]
    """The fitted record [unit of the record]."""
    half: Float[np.ndarray, " point"]
    """Half the width of its 95 % band."""

    @property
    def residual(self) -> Float[np.ndarray, " point"]:
        """(record - fit)/σ."""
        return (np.asarray(self.record.value) - self.signal) / np.asarray(self.record.sigma)

    @property
    def has_panel(self) -> bool:
        """Whether there is more to draw than a number."""
        return self.record.quantity in SHOWN and self.record.at.size > 1


def figure_records(title: str, records: Sequence[DrawnRecord]) -> "Figure":
    """A panel for each record of several points, with its residuals below."""
    from matplotlib.figure import Figure

    across = min(_ACROSS, len(records))
    down = math.ceil(len(records) / across)
    figure = Figure(figsize=(3.9 * across, 4.4 * down), layout="constrained")
    axes = figure.subplots(2 * down, across, squeeze=False, height_ratios=[2.6, 1.2] * down)
    for k in range(across * down):
        above, below = (axes[2 * (k // across) + row, k % across] for row in (0, 1))
        if k >= len(records):
            above.set_axis_off()
            below.set_axis_off()
            continue
        record_and_fit(above, records[k])
        above.tick_params(labelbottom=False)
        record_residuals(below, records[k])
        below.sharex(above)
    headline(figure, title)
    return figure


def place(record: Record) -> tuple[str, Float[np.ndarray, " point"]]:
    """Label of the axis along which a record goes, and its points: hours, or 1000 K/T of a conductivity."""
    at = np.asarray(record.at)
    return ("1000 K / $T$", 1000.0 / at) if record.quantity == "conductivity" else ("time / h", at / 3600.0)


def record_and_fit(ax: "Axes", one: DrawnRecord, *, curve: str = "fit") -> "Axes":
    """Recorded values with their standard deviations, and the fit, or another curve, with its 95 % band."""
    record = one.record
    label, factor = SHOWN[record.quantity]
    _, x = place(record)
    value, sigma = factor * np.asarray(record.value), factor * np.asarray(record.sigma)
    ax.errorbar(x, value, sigma, color=COLOURS[0], label="recorded", elinewidth=0.6, **_DATA)
    order = np.argsort(x)
    line, wide = factor * one.signal[order], factor * one.half[order]
    ax.plot(x[order], line, color=COLOURS[1], lw=1.2, label=curve, zorder=3)
    ax.fill_between(x[order], line - wide, line + wide, color=COLOURS[1], alpha=0.3, lw=0)
    ax.set(ylabel=label)
    if record.quantity == "conductivity":
        ax.set_yscale("log")
    ax.set_title(one.name, fontsize="medium")
    ax.legend(frameon=False, fontsize="small")
    return ax


def record_residuals(ax: "Axes", one: DrawnRecord) -> "Axes":
    """Residuals of a record over its standard deviations."""
    label, x = place(one.record)
    beyond = mark_beyond(ax, x, one.residual, np.ones(len(x), bool), COLOURS[0], **_DATA)
    end_residuals(ax, beyond, float(np.max(np.abs(one.residual))))
    ax.set(xlabel=label)
    return ax
