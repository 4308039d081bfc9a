"""Figures of isotope exchange: functions that draw into an `ax` and return it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Integer

from npp_jax.figures.axes import COLOURS, end_residuals, line_colour, mark_beyond
from npp_jax.tracer.diffusion import TracerMedium, profile_at
from npp_jax.tracer.grain_map import GrainMap
from npp_jax.tracer.isotope import LineScan
from npp_jax.tracer.measured import MeasuredProfile
from npp_jax.tracer.transport import ArrheniusFit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

UM = 1e-6
_LENGTHS = (("mm", 1e-3), ("µm", 1e-6), ("nm", 1e-9))
_LINE_POINTS = 400


class Activated(NamedTuple):
    """Points of one line of an Arrhenius plot."""

    temperature: Float[Array, " point"]
    """Temperatures [K]."""
    D: Float[Array, " point"] | None
    """Diffusion coefficients, or others of their unit such as (l/δ)D_gb; None for the line alone [m²/s]."""
    relative_error: Float[Array, " point"] | None = None
    """Standard errors of ln D [1]."""
    fit: ArrheniusFit | None = None
    """Its Arrhenius line, drawn with its band of one standard error."""


class GrainImage(NamedTuple):
    """Grains of a stored map: what is drawn of them."""

    grain: Integer[np.ndarray, "row column"]
    """Number of the grain of each pixel."""
    pixel_size: float
    """Edge of a pixel [m]."""


def isotope_profiles(
    ax: "Axes",
    measured: Sequence[MeasuredProfile],
    labels: Sequence[str],
    *,
    position: Float[Array, " point"] | None = None,
    fitted: Float[Array, "profile point"] | None = None,
    quantity: str = "isotope fraction $C$",
    curve: str = "fit",
) -> "Axes":
    """Measured isotope profiles at several times (points with errors), and the fitted ones (lines).

    Parameters
    ----------
    ax
        Where to draw.
    measured, labels
        Profiles and what to call them.
    position, fitted
        Positions [m] and fractions of the fits, in the order of the profiles.
    quantity
        What the fraction is.
    curve
        What the lines are called.
    """
    unit, length = _unit(measured)
    for k, (profile, label) in enumerate(zip(measured, labels, strict=True)):
        colour = line_colour(k)
        error = np.broadcast_to(np.asarray(profile.error), profile.fraction.shape)
        ax.errorbar(
            np.asarray(profile.position) / length, np.asarray(profile.fraction), error,
            fmt="o", ms=3, lw=0.8, mfc="none",
            color=colour, label=label,
        )  # fmt: skip
        if position is not None and fitted is not None:
            # One profile and its curve are told apart by colour; of several, those of one colour belong together.
            line = COLOURS[1] if len(measured) == 1 else colour
            label = curve if k == len(measured) - 1 else None
            ax.plot(np.asarray(position) / length, np.asarray(fitted[k]), color=line, lw=1.4, label=label)
    ax.set(xlabel=f"position / {unit}", ylabel=quantity)
    ax.legend(frameon=False)
    return ax


def isotope_residuals(
    ax: "Axes",
    measured: Sequence[MeasuredProfile],
    position: Float[Array, " point"],
    fitted: Float[Array, "profile point"],
) -> "Axes":
    """Measured minus fitted fractions over their standard errors, below `isotope_profiles` and in its colours.

    Parameters
    ----------
    ax
        Where to draw.
    measured
        Profiles.
    position, fitted
        Positions [m] and fractions of the fits, in the order of the profiles.
    """
    unit, length = _unit(measured)
    beyond, largest = 0, 0.0
    for k, profile in enumerate(measured):
        x, fraction = np.asarray(profile.position), np.asarray(profile.fraction)
        error = np.broadcast_to(np.asarray(profile.error), fraction.shape)
        residual = (fraction - np.interp(x, np.asarray(position), np.asarray(fitted[k]))) / error
        known = np.isfinite(residual)
        style = {"marker": "o", "ms": 3, "ls": "none", "mfc": "none"}
        beyond += mark_beyond(ax, x / length, residual, known, line_colour(k), **style)
        largest = max(largest, float(np.max(np.abs(residual[known]), initial=0.0)))
    end_residuals(ax, beyond, largest)
    ax.set_xlabel(f"position / {unit}")
    return ax


def _unit(measured: Sequence[MeasuredProfile]) -> tuple[str, float]:
    """Unit of the axis of positions, and its length [m]."""
    extent = max(float(np.ptp(np.asarray(profile.position))) for profile in measured)
    return next((pair for pair in _LENGTHS if extent > pair[1]), _LENGTHS[-1])


def boundary_steps(
    ax: "Axes",
    medium: TracerMedium,
    fraction: Float[Array, " cell"],
    *,
    measured: MeasuredProfile | None = None,
    boundaries: Float[Array, " boundary"] | None = None,
) -> "Axes":
    """Profile through single grains, with its steps at the boundaries, in µm.

    Parameters
    ----------
    ax
        Where to draw.
    medium, fraction
        Chain of grains and fractions of its cells.
    measured
        Measured profile, if any.
    boundaries
        Positions of the boundaries, drawn as vertical lines. [m]
    """
    if measured is not None:
        error = np.broadcast_to(np.asarray(measured.error), measured.fraction.shape)
        ax.errorbar(
            np.asarray(measured.position) / UM, np.asarray(measured.fraction), error, fmt="o", ms=2.5, lw=0.6,
            mfc="none", color="0.5", label="data",
        )  # fmt: skip
    x = jnp.linspace(medium.faces[0], medium.faces[-1], _LINE_POINTS)
    ax.plot(np.asarray(x) / UM, np.asarray(jax.jit(profile_at)(medium, fraction, x)), color=COLOURS[1], label="model")
    for k, place in enumerate(() if boundaries is None else np.asarray(boundaries)):
        ax.axvline(float(place) / UM, color="0.8", lw=0.8, zorder=0, label="grain boundary" if k == 0 else None)
    ax.set(xlabel="position / µm", ylabel="isotope fraction $C$")
    ax.legend(frameon=False, fontsize="small")
    return ax


def step_residuals(
    ax: "Axes", medium: TracerMedium, fraction: Float[Array, " cell"], measured: MeasuredProfile
) -> "Axes":
    """Measured minus modelled fractions over their standard errors, below `boundary_steps`.

    Parameters
    ----------
    ax
        Where to draw.
    medium, fraction
        Chain of grains and fractions of its cells.
    measured
        Measured profile.
    """
    x = measured.position
    model = np.asarray(jax.jit(profile_at)(medium, fraction, x))
    residual = (np.asarray(measured.fraction) - model) / np.broadcast_to(np.asarray(measured.error), model.shape)
    style = {"marker": "o", "ms": 2.5, "ls": "none", "mfc": "none"}
    beyond = mark_beyond(ax, np.asarray(x) / UM, residual, np.isfinite(residual), "0.4", **style)
    end_residuals(ax, beyond, float(np.nanmax(np.abs(residual), initial=0.0)))
    ax.set_xlabel("position / µm")
    return ax


def arrhenius(ax: "Axes", lines: Mapping[str, Activated]) -> "Axes":
    """Arrhenius plot of, for example, D of the bulk, (l/δ)D_gb of the boundaries and the effective D.

    Parameters
    ----------
    ax
        Where to draw.
    lines
        Points, and their fits if there are any, by name.
    """
    for k, (name, line) in enumerate(lines.items()):
        colour = line_colour(k)
        if line.D is not None:
            D = np.asarray(line.D)
            relative = np.zeros_like(D) if line.relative_error is None else np.asarray(line.relative_error)
            # An error of ln D is a factor, so that no bar reaches below zero.
            bars = np.stack([D - D * np.exp(-relative), D * np.exp(relative) - D])
            bars = bars if np.any(relative) else None
            ax.errorbar(1e3 / np.asarray(line.temperature), D, bars, fmt="o", ms=4, color=colour, label=name)
        if line.fit is not None:
            ends = 1.0 / jnp.asarray([jnp.max(line.temperature), jnp.min(line.temperature)])
            inverse = jnp.linspace(ends[0], ends[1], 60)
            at = line.fit.at(1.0 / inverse)
            value, factor = np.asarray(at.value), np.exp(np.asarray(at.sigma / at.value))
            ax.plot(1e3 * np.asarray(inverse), value, color=colour, label=name if line.D is None else None)
            ax.fill_between(1e3 * np.asarray(inverse), value / factor, value * factor, color=colour, alpha=0.2, lw=0)
    ax.set(yscale="log", xlabel="1000 K / $T$", ylabel="$D$ / (m$^2$ s$^{-1}$)")
    ax.legend(frameon=False)
    return ax


def isotope_map(
    ax: "Axes",
    fraction: Float[np.ndarray, "row column"],
    grains: GrainMap | GrainImage,
    *,
    limits: tuple[float, float] | None = None,
    cuts: Sequence[tuple[tuple[float, float], tuple[float, float]]] = (),
) -> "Axes":
    """Isotope map with the boundaries of the grains and, if there are any, lines along which it is cut, in µm.

    Parameters
    ----------
    ax
        Where to draw.
    fraction
        Isotope fractions, NaN where there is none. [1]
    grains
        Image of the grains.
    limits
        Fractions at the ends of the colour scale; those of the map if not given.
    cuts
        Ends (row, column) of the lines. [m]
    """
    pixel = grains.pixel_size / UM
    labels = np.asarray(grains.grain)
    rows, columns = labels.shape
    low, high = (None, None) if limits is None else limits
    image = ax.imshow(
        np.asarray(fraction), origin="lower", extent=(0.0, columns * pixel, 0.0, rows * pixel), vmin=low, vmax=high,
        cmap="viridis", interpolation="nearest",
    )  # fmt: skip
    from matplotlib.collections import LineCollection

    # Faces between different grains, as one collection of short lines.
    row, column = np.nonzero(labels[:, 1:] != labels[:, :-1])
    upright = np.stack([np.stack([column + 1, row], -1), np.stack([column + 1, row + 1], -1)], 1)
    row, column = np.nonzero(labels[1:] != labels[:-1])
    level = np.stack([np.stack([column, row + 1], -1), np.stack([column + 1, row + 1], -1)], 1)
    ax.add_collection(LineCollection(list(np.concatenate([upright, level]) * pixel), colors="w", linewidths=0.5))
    for k, ends in enumerate(cuts):
        (y0, x0), (y1, x1) = (np.asarray(end) / UM + 0.5 * pixel for end in ends)
        ax.plot([x0, x1], [y0, y1], color=line_colour(k + 1), lw=1.5, label=f"cut {k + 1}")
    if cuts:
        # Letters need a ground of their own on the colours of a map.
        ax.legend(loc="upper right", fontsize="small", frameon=True)
    ax.figure.colorbar(image, ax=ax, label="isotope fraction $C$")
    ax.set(xlabel="$x$ / µm", ylabel="$y$ / µm")
    return ax


def cut_profile(ax: "Axes", number: int, modelled: LineScan, measured: LineScan | None = None) -> "Axes":
    """Isotope fraction along a cut through a map, in the colour of its line in `isotope_map`, in µm.

    Parameters
    ----------
    ax
        Where to draw.
    number
        Number of the cut, from zero.
    modelled, measured
        The cut through the model and through the measured map.
    """
    colour, label = line_colour(number + 1), f"cut {number + 1}, model"
    ax.plot(np.asarray(modelled.position) / UM, np.asarray(modelled.fraction.value), color=colour, label=label)
    if measured is not None:
        ax.errorbar(
            np.asarray(measured.position) / UM, np.asarray(measured.fraction.value),
            np.asarray(measured.fraction.error), fmt="o", ms=2.5, lw=0.6, mfc="none", color=colour,
            label="data",
        )  # fmt: skip
    ax.set(xlabel="position along the cut / µm", ylabel="isotope fraction $C$")
    ax.legend(frameon=False)
    return ax
