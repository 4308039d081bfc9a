"""Figures of isotope exchange: functions that draw into an `ax` and return it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from npp_jax.plots import COLOURS
from npp_jax.tracer.diffusion import TracerMedium, profile_at
from npp_jax.tracer.fit import MeasuredProfile
from npp_jax.tracer.transport import ArrheniusFit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MM, UM = 1e-3, 1e-6
_LINE_POINTS = 400


class Activated(NamedTuple):
    """Points of one line of an Arrhenius plot."""

    temperature: Float[Array, " point"]
    """Temperatures [K]."""
    D: Float[Array, " point"]
    """Diffusion coefficients, or others of their unit such as (l/δ)D_gb [m²/s]."""
    relative_error: Float[Array, " point"] | None = None
    """Standard errors of ln D [1]."""
    fit: ArrheniusFit | None = None
    """Its Arrhenius line, drawn with its band of one standard error."""


def isotope_profiles(
    ax: "Axes",
    measured: Sequence[MeasuredProfile],
    labels: Sequence[str],
    *,
    position: Float[Array, " point"] | None = None,
    fitted: Float[Array, "profile point"] | None = None,
) -> "Axes":
    """Measured isotope profiles at several times (points with errors), and the fitted ones (lines), in mm.

    Parameters
    ----------
    ax
        Where to draw.
    measured, labels
        Profiles and what to call them.
    position, fitted
        Positions [m] and fractions of the fits, in the order of the profiles.
    """
    for k, (profile, label) in enumerate(zip(measured, labels, strict=True)):
        colour = COLOURS[k % len(COLOURS)]
        error = np.broadcast_to(np.asarray(profile.error), profile.fraction.shape)
        ax.errorbar(
            np.asarray(profile.position) / MM, np.asarray(profile.fraction), error, fmt="o", ms=3, lw=0.8, mfc="none",
            color=colour, label=label,
        )  # fmt: skip
        if position is not None and fitted is not None:
            ax.plot(np.asarray(position) / MM, np.asarray(fitted[k]), color=colour)
    ax.set(xlabel="position / mm", ylabel="isotope fraction $C$")
    ax.legend(frameon=False)
    return ax


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
            mfc="none", color="0.5",
        )  # fmt: skip
    x = jnp.linspace(medium.faces[0], medium.faces[-1], _LINE_POINTS)
    ax.plot(np.asarray(x) / UM, np.asarray(jax.jit(profile_at)(medium, fraction, x)), color=COLOURS[0])
    for place in () if boundaries is None else np.asarray(boundaries):
        ax.axvline(float(place) / UM, color="0.8", lw=0.8, zorder=0)
    ax.set(xlabel="position / µm", ylabel="isotope fraction $C$")
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
        colour = COLOURS[k % len(COLOURS)]
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
            value, factor = np.asarray(at.value), np.exp(np.asarray(at.error / at.value))
            ax.plot(1e3 * np.asarray(inverse), value, color=colour)
            ax.fill_between(1e3 * np.asarray(inverse), value / factor, value * factor, color=colour, alpha=0.2, lw=0)
    ax.set(yscale="log", xlabel="1000 K / $T$", ylabel="$D$ / (m$^2$ s$^{-1}$)")
    ax.legend(frameon=False)
    return ax
