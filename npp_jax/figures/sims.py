"""Figures of an imported profile: functions that draw into an `ax` and return it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from npp_jax.figures.axes import COLOURS, depth_axis, headline, ion_colours, line_colour, reach
from npp_jax.sims.profile import SimsProfile
from npp_jax.sims.raw import RawProfile, shown_name
from npp_jax.text.errors import shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_AXIS_LABELS = {"time": "sputter time / s", "depth": "depth / nm", "cycle": "cycle"}
_MOST_CURVES = len(COLOURS)


def signals(ax: "Axes", raw: RawProfile, channels: Sequence[str] = ()) -> "Axes":
    """Signals of a file as they were measured, on a logarithmic axis; points without a count stand on its lower edge.

    Parameters
    ----------
    ax
        Axes to draw into.
    raw
        File.
    channels
        Names; the seven strongest if none are given.
    """
    chosen = [raw.channel(name) for name in channels]
    if not chosen:
        drawn = [c for c in raw.channels if c.kind not in {"ratio", "other"} and np.any(c.values > 0.0)] or raw.channels
        chosen = sorted(drawn, key=lambda c: -float(np.nan_to_num(c.values).max()))[:_MOST_CURVES]
    positive = np.concatenate([c.values[c.values > 0.0] for c in chosen])
    floor = 0.5 * float(positive.min()) if positive.size else 0.5
    for k, channel in enumerate(chosen):
        ax.plot(
            channel.axis,
            np.maximum(np.nan_to_num(channel.values, nan=floor), floor),
            color=line_colour(k),
            lw=1.2,
            label=shorten(shown_name(channel.name), 25),
        )
    units = " or ".join(dict.fromkeys(c.unit for c in chosen if c.unit not in ("", "1")))
    ax.set(
        yscale="log",
        ylim=(floor, None),
        xlabel=_AXIS_LABELS[raw.axis],
        ylabel=f"signal / {units}" if units else "signal",
    )
    ax.margins(x=0.0)
    if raw.axis == "depth":
        depth_axis(ax)
    ax.legend(frameon=False, fontsize="small")
    return ax


def fractions(ax: "Axes", profile: SimsProfile, *, logarithmic: bool = False) -> "Axes":
    """Fractions of an imported profile with a band of one standard deviation."""
    colours = ion_colours(profile.species)
    for k, name in enumerate(profile.species):
        value, sigma, own = profile.fraction[k], profile.sigma[k], colours[name]
        ax.plot(profile.depth_nm, value, color=own, lw=1.2, label=name)
        ax.fill_between(profile.depth_nm, value - sigma, value + sigma, color=own, alpha=0.25, lw=0.0)
    ax.set(xlim=(0.0, reach(profile.depth_nm, profile.fraction)), ylabel="$n_i/N$")
    depth_axis(ax)
    if logarithmic:
        smallest = float(profile.sigma.min())
        ax.set(yscale="log", ylim=(max(smallest, 1e-8), 2.0 * float(profile.fraction.max())))
    ax.legend(frameon=False)
    return ax


def figure_import(raw: RawProfile, profile: SimsProfile) -> "Figure":
    """Signals of the file beside the fractions made of them, linear and logarithmic."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13.0, 3.8), layout="constrained")
    left, *right = figure.subplots(1, 3)
    chosen = [*profile.options.species.values(), *([profile.options.reference] if profile.options.reference else [])]
    signals(left, raw, chosen)
    _both(right, profile)
    return figure


def figure_profile(profile: SimsProfile) -> "Figure":
    """Fractions of an imported profile, linear and logarithmic."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 3.8), layout="constrained")
    _both(figure.subplots(1, 2), profile)
    headline(figure, f"imported from {profile.source}; bands: one standard deviation")
    return figure


def _both(axes: Sequence["Axes"], profile: SimsProfile) -> None:
    linear, logarithmic = axes
    fractions(linear, profile)
    fractions(logarithmic, profile, logarithmic=True)
