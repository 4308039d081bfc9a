"""Figures of records beside a fit: functions that draw into an `ax` and return it."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from npp_jax.figures.axes import COLOURS, end_residuals, mark_beyond
from npp_jax.observe import Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DATA = {"marker": ".", "ms": 3.5, "ls": "none", "alpha": 0.6}

SHOWN: dict[str, tuple[str, float]] = {
    "current": ("$j$ / (nA cm$^{-2}$)", 1e5),
    "potential": ("$U$ / V", 1.0),
    "charge": ("$q$ / (mC cm$^{-2}$)", 0.1),
    "conductivity": (r"$\sigma$ / (S m$^{-1}$)", 1.0),
}
"""Label and factor of the quantities that have a panel."""


def place(record: Record) -> tuple[str, Float[np.ndarray, " point"]]:
    """Label of the axis along which a record goes, and its points: hours, or 1000 K/T of a conductivity."""
    at = np.asarray(record.at)
    return ("1000 K / $T$", 1000.0 / at) if record.quantity == "conductivity" else ("time / h", at / 3600.0)


def record_and_fit(
    ax: "Axes",
    name: str,
    record: Record,
    signal: Float[np.ndarray, " point"],
    half: Float[np.ndarray, " point"],
) -> "Axes":
    """Recorded values with their standard deviations, and the fit with its 95 % band.

    Parameters
    ----------
    ax
        Where to.
    name
        Title.
    record
        What was recorded.
    signal, half
        The fitted record at its points, and half the width of the band. [unit of the record]
    """
    label, factor = SHOWN[record.quantity]
    _, x = place(record)
    value, sigma = factor * np.asarray(record.value), factor * np.asarray(record.sigma)
    bars = {"elinewidth": 0.6, **_DATA}
    ax.errorbar(x, value, sigma, color=COLOURS[0], label="recorded", **bars)
    order = np.argsort(x)
    line, wide = factor * np.asarray(signal)[order], factor * np.asarray(half)[order]
    ax.plot(x[order], line, color=COLOURS[1], lw=1.2, label="fit", zorder=3)
    ax.fill_between(x[order], line - wide, line + wide, color=COLOURS[1], alpha=0.3, lw=0)
    ax.set(ylabel=label)
    if record.quantity == "conductivity":
        ax.set_yscale("log")
    ax.set_title(name, fontsize="medium")
    ax.legend(frameon=False, fontsize="small")
    return ax


def record_residuals(ax: "Axes", record: Record, residual: Float[np.ndarray, " point"]) -> "Axes":
    """Residuals of a record over its standard deviations."""
    label, x = place(record)
    beyond = mark_beyond(ax, x, residual, np.ones(len(x), bool), COLOURS[0], **_DATA)
    end_residuals(ax, beyond, float(np.max(np.abs(residual))))
    ax.set(xlabel=label)
    return ax
