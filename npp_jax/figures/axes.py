"""Axes that figures share: colours, scales and ticks of parameters, points beyond a panel, depths worth showing."""

import re
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from jaxtyping import Bool, Float

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Colours of Okabe and Ito, which colour-blind readers can tell apart."""

BELOW = {"marker": "v", "ms": 3.5, "ls": "none", "alpha": 0.6}
"""Points that only tell that they are below where they are drawn."""

_ELEMENTS = {"Li": 0, "K": 1, "Rb": 2, "Cs": 3, "Na": 4, "Ag": 5, "H": 6}
"""Numbers of the colours of the ions that are exchanged most."""
_PLAIN_NAME = re.compile(r"^\d+|[+\d]+$")

LARGE = 3.0
"""Standard deviations beyond which a residual is large."""

MAP = "cividis"
"""Colours of maps: even to the eye, and to that of the colour-blind."""

RESIDUAL = 5.0
"""Standard deviations up to which residuals are drawn at their place."""

_POWER = re.compile(r"(?<=[a-zA-Z])-?\d+")
_PLAIN = (1e-3, 1e5)
"""Numbers between these need no power of ten."""
_CHANGED = 0.05
"""Share of its range by which a profile differs from its end where something happens."""
_DEEP = 1e4
"""Depth beyond which an axis is in µm [nm]."""
_BEYOND = 1.5
"""How far an axis of depth goes beyond that."""


def line_colour(k: int) -> str:
    """Colour of a line by its number; none comes twice among thirty."""
    if k < len(COLOURS):
        return COLOURS[k]
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    return to_hex(colormaps["tab20b"]((k - len(COLOURS)) % 20))


def ion_colours(ions: Sequence[str]) -> dict[str, str]:
    """Colour of each ion: that of its element in all figures and pages, and of those without one what is left.

    Parameters
    ----------
    ions
        Names of all ions that are drawn together, as `Li`, `K+` or `7Li`.
    """
    own = {name: _ELEMENTS.get(_PLAIN_NAME.sub("", name)) for name in dict.fromkeys(ions)}
    found = dict[str, str]()
    for name, number in own.items():
        if number is not None and COLOURS[number] not in found.values():
            found[name] = COLOURS[number]
    free = (colour for k in range(30) if (colour := line_colour(k)) not in found.values())
    return {name: found.get(name) or next(free) for name in own}


def headline(figure: "Figure", text: str, *, size: Literal["medium", "large"] = "medium") -> None:
    """Words above a figure, on as many lines as its width asks for; what stands in a title of a file is no formula."""
    from matplotlib.font_manager import FontProperties

    # Letters are half as wide as they are high, and few titles have wider ones.
    letter = 0.55 * FontProperties(size=size).get_size_in_points() / 72.0
    room = max(int(figure.get_figwidth() / letter), 10)
    lines = [line for part in text.split("\n") for line in textwrap.wrap(part, room) or [""]]
    figure.suptitle("\n".join(lines), fontsize=size, parse_math=False)


def legend_above(ax: "Axes", title: str = "") -> None:
    """Title and legend above a panel: curves that fill it leave no place for either.

    Parameters
    ----------
    ax
        The panel, with all its curves.
    title
        Of the panel, which stands on the left.
    """
    count = len(ax.get_legend_handles_labels()[1])
    ax.legend(
        frameon=False, fontsize="x-small", loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=-(-count // 2),
        borderaxespad=0.2, columnspacing=1.0, handlelength=1.5,
    )  # fmt: skip
    if title:
        ax.set_title(title, loc="left", fontsize="medium")


def share_depths(
    axes: Sequence["Axes"], depth: Float[np.ndarray, " depth"], residual: Float[np.ndarray, "species depth"]
) -> None:
    """One range of depths for profiles and their residuals: that of the first, and as deep as a residual is large.

    Parameters
    ----------
    axes
        Panels below each other, the profile first.
    depth
        Depths of the points.
    residual
        Residuals, NaN or zero where there is none: a large one below the front is worth showing as well, and what lies
        deeper is told.
    """
    beyond = np.any(np.abs(np.nan_to_num(residual)) > LARGE, axis=0)
    far = max(axes[0].get_xlim()[1], float(np.max(depth[beyond], initial=0.0)))
    for ax in axes:
        ax.set_xlim(0.0, min(far, float(depth[-1])))
        depth_axis(ax, named=ax is axes[-1])
    deeper = residual[:, depth > far]
    deeper = deeper[np.isfinite(deeper) & (deeper != 0.0)]
    if deeper.size:
        scale, unit = (1e-3, "µm") if depth[-1] > _DEEP else (1.0, "nm")
        size, end = f"rms {np.sqrt(np.mean(deeper**2)):.2f}", f"{scale * depth[-1]:.4g} {unit}"
        told, panel = f"not shown: {deeper.size} residuals down to {end}, {size}", axes[-1]
        panel.text(0.99, 0.97, told, ha="right", va="top", fontsize="x-small", color="0.4", transform=panel.transAxes)


def depth_axis(ax: "Axes", *, named: bool = True) -> "Axes":
    """Label and ticks of an axis of depths in nm whose limits are set.

    Numbers of five digits would run into each other: they are told in µm.

    Parameters
    ----------
    ax
        Where to draw.
    named
        Whether the axis has its label; of panels below each other the last one has.
    """
    from matplotlib.ticker import FuncFormatter, ScalarFormatter

    # Also back to nm: the limits of an axis may have been set before, and deeper.
    deep = ax.get_xlim()[1] > _DEEP
    in_um = FuncFormatter(lambda depth, _: f"{1e-3 * depth:.5g}")
    ax.xaxis.set_major_formatter(in_um if deep else ScalarFormatter())
    if named:
        ax.set_xlabel("depth / µm" if deep else "depth / nm")
    return ax


def in_math(unit: str) -> str:
    """A unit with raised powers: `m2 s-1`."""
    return _POWER.sub(r"$^{\g<0>}$", unit.replace("um", "µm"))


def label_axis(axis: "Axis", name: str, unit: str = "1") -> None:
    """Label of an axis whose limits are set, with the power of ten that its ticks leave out, and short ticks."""
    power = easy_ticks(axis)
    parts = [f"$10^{{{power}}}$"] if power else []
    parts += [in_math(unit)] if unit != "1" else []
    divided = " ".join(parts)
    # What is divided by a product stands before parentheses.
    axis.set_label_text(name if not parts else f"{name} / ({divided})" if " " in divided else f"{name} / {divided}")


def easy_ticks(axis: "Axis", count: int = 4) -> int:
    """Few ticks with short labels on an axis whose limits are set.

    Returns
    -------
    Power of ten that the labels leave out, which belongs into the label of the axis; 0 for none.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

    if axis.get_scale() == "logit":
        return 0
    low, high = sorted(axis.get_view_interval())
    if axis.get_scale() == "log":
        decades = np.log10(high / low) if low > 0.0 else 1.0
        if decades >= 0.8:
            subs = (1.0, 2.0, 5.0) if decades < 1.3 else (1.0, 3.0) if decades < 2.2 else (1.0,)
            axis.set_major_locator(LogLocator(subs=subs, numticks=8))
            axis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))
            axis.set_minor_formatter(NullFormatter())
            return 0
        # Within less than a decade ticks are those of a linear axis, and as short.
        axis.set_minor_locator(NullLocator())
    largest = max(abs(low), abs(high))
    power = 0 if largest == 0.0 or _PLAIN[0] <= largest < _PLAIN[1] else int(np.floor(np.log10(largest)))
    axis.set_major_locator(MaxNLocator(count))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / 10.0**power:.5g}"))
    return power


def mark_beyond(
    ax: "Axes",
    x: Float[np.ndarray, " point"],
    residual: Float[np.ndarray, " point"],
    used: Bool[np.ndarray, " point"],
    colour: str,
    **style: object,
) -> int:
    """Residuals in a panel of ± `RESIDUAL`; those beyond stand as triangles at its edges. Returns how many do."""
    beyond = used & (np.abs(residual) > RESIDUAL)
    inside = used & ~beyond
    ax.plot(x[inside], residual[inside], color=colour, **style)  # type: ignore[arg-type]
    for sign, marker in ((1.0, "^"), (-1.0, "v")):
        there = beyond & (sign * residual > 0.0)
        edge = np.full(int(there.sum()), sign * 0.92 * RESIDUAL)
        ax.plot(x[there], edge, marker, ms=5.0, color=colour, mec="k", mew=0.5)
    return int(beyond.sum())


def end_residuals(ax: "Axes", count: int, largest: float) -> "Axes":
    """Limits and label of a panel of residuals, and a word on those beyond it."""
    ax.axhline(0.0, color="0.7", lw=0.8, zorder=0)
    ax.set(ylabel="residual / σ", ylim=(-RESIDUAL, RESIDUAL))
    if count:
        told = f"triangles: {count} beyond the panel, up to {largest:.3g} σ"
        ax.text(0.99, 0.03, told, ha="right", va="bottom", fontsize="small", color="0.3", transform=ax.transAxes)
    return ax


def reach(depth: Float[np.ndarray, " point"], fraction: Float[np.ndarray, "species point"]) -> float:
    """Depth up to which a profile is worth showing: beyond the last place where it differs from its end.

    Parameters
    ----------
    depth, fraction
        Depths, and the smooth or measured profiles.
    """
    tail = max(3, len(depth) // 20)
    end = np.median(fraction[:, -tail:], axis=1, keepdims=True)
    noise = np.std(fraction[:, -tail:], axis=1, keepdims=True)
    span = np.ptp(fraction, axis=1, keepdims=True)
    happens = np.any(np.abs(fraction - end) > np.maximum(_CHANGED * span, 4.0 * noise), axis=0)
    last = float(depth[np.flatnonzero(happens)[-1]]) if happens.any() else float(depth[-1])
    return min(_BEYOND * max(last, float(depth[min(4, len(depth) - 1)])), float(depth[-1]))


def _short(value: float) -> str:
    """A number on a logarithmic axis."""
    if value <= 0.0 or _PLAIN[0] <= value < _PLAIN[1]:
        return f"{value:.4g}"
    power = int(np.floor(np.log10(value) + 1e-9))
    first = value / 10.0**power
    return f"$10^{{{power}}}$" if abs(first - 1.0) < 1e-6 else f"${first:.3g}{{\\times}}10^{{{power}}}$"
