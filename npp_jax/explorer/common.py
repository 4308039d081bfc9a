"""What all figures of the page have in common: style, colours, data that are sent where they change, axes that stay."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource, FixedTicker, Range1d
from bokeh.plotting import figure
from matplotlib.ticker import MaxNLocator

from npp_jax.figures.axes import ion_colours
from npp_jax.fitting import Measurement
from npp_jax.inference import together

_ONE_SCALE = 0.7
"""Decades below which the ticks of a logarithmic axis are those of a linear one."""
_MOST_DECADES = 8
"""Decades that have a label each."""
TOOLS = "pan,box_zoom,wheel_zoom,reset,save"

FRACTION = "fraction n/N"
"""Name of the axis of profiles: over all mobile ions of the bulk."""
LAW_FRACTION = "fraction n/n(ref)"
"""Name of the axis of laws: over the content of the bulk, and over N of a foreign ion."""


def colours_of(measurements: tuple[Measurement, ...]) -> dict[str, str]:
    """One colour for each species, the same in all figures."""
    return ion_colours([ion.name for m in measurements for ion in m.experiment.species])


def plain(title: str, height: int, *, tools: str = TOOLS, **options: Any) -> Any:
    """An empty figure in the style of the page."""
    made: Any = figure(
        height=height, min_width=200, sizing_mode="stretch_width", tools=tools, title=title, toolbar_location="above",
        **options,
    )  # fmt: skip
    made.toolbar.logo = None
    made.toolbar_inner = True
    made.toolbar.autohide = True
    made.title.text_font_size = "10pt"
    made.axis.axis_label_text_font_style = "normal"
    made.axis.axis_label_text_font_size = "9pt"
    made.grid.grid_line_alpha = 0.5
    return made


def interval(low: float, high: float) -> Any:
    """An axis of fixed ends; its attributes have types of Bokeh's own that say less than numbers."""
    return Range1d(start=low, end=high)


def log_ticks(low: float, high: float) -> dict[float, str]:
    """Values on a logarithmic axis and their labels; those of the browser leave the lower end of few decades bare.

    Parameters
    ----------
    low, high
        Ends of the axis.
    """
    if not 0.0 < low < high < math.inf:
        return {}
    decades = math.log10(high / low)
    if decades < _ONE_SCALE:
        values = [float(value) for value in MaxNLocator(5).tick_values(low, high)]
    else:
        factors = (1,) if decades > 3.0 else (1, 3) if decades > 2.0 else (1, 2, 5) if decades > 1.3 else (1, 2, 3, 5)
        step = math.ceil(decades / _MOST_DECADES)
        exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        values = [float(f"{factor}e{k}") for k in exponents if k % step == 0 for factor in factors]
    found: dict[float, str] = {}
    for value in values:
        if 0.999 * low <= value <= 1.001 * high:
            (number,), power = together((value,))
            alone = power and float(number) == 1.0
            found[value] = power.removeprefix(" × ") if alone else f"{float(number):g}{power}"
    return found


def label_log(axis: Any, span: Any) -> None:
    """Give a logarithmic axis its labels, also when another part of it is looked at.

    Parameters
    ----------
    axis
        The axis.
    span
        Its range.
    """

    def again(attr: str, old: object, new: object) -> None:
        ticks = log_ticks(*sorted((float(span.start), float(span.end))))
        axis.update(ticker=FixedTicker(ticks=list(ticks)), major_label_overrides=ticks)

    again("", None, None)
    for end in ("start", "end"):
        span.on_change(end, again)


def put(source: ColumnDataSource, data: dict[str, Any]) -> None:
    """Give a source its data, unless it has them: what does not change is not sent, nor drawn again."""
    old = source.data
    if set(old) != set(data) or any(not _equal(old[name], values) for name, values in data.items()):
        source.data = data


def _equal(a: Any, b: Any) -> bool:
    if len(a) != len(b):
        return False
    if len(a) and isinstance(a[0], np.ndarray):
        return all(np.array_equal(x, y, equal_nan=True) for x, y in zip(a, b, strict=True))
    return bool(np.array_equal(np.asarray(a), np.asarray(b)))


def follow(axis: Any, values: Sequence[np.ndarray], *, logarithmic: bool = False, floor: float | None = None) -> None:
    """Let an axis hold values; it stays where they fill most of it, so that curves move and not the axis.

    Parameters
    ----------
    axis
        The axis.
    values
        All that is drawn on it.
    logarithmic
        Whether the axis is.
    floor
        Where the axis begins, if not at the least value.
    """
    whole = np.concatenate([np.zeros(0), *values])
    whole = whole[np.isfinite(whole) & ((whole > 0.0) | (not logarithmic))]
    if not whole.size:
        return
    least, most = (float(whole.min()), float(whole.max()))
    shown = (float(axis.start), float(axis.end))
    if logarithmic:
        # A tenth of the axis is left above, for names that stand at the ends of curves.
        room = 0.1 * max(np.log10(most / least), 1.0)
        decades = np.floor(np.log10(least)), np.ceil(np.log10(most) + room)
        if not (
            shown[0] <= least
            and np.log10(most) + 0.5 * room <= np.log10(shown[1])
            and np.diff(np.log10(shown))[0] <= np.diff(decades)[0] + 2.0
        ):
            axis.update(start=10.0 ** decades[0], end=10.0 ** decades[1])
        return
    low = least if floor is None else floor
    span = max(most - low, 1e-9 * abs(most), 1e-300)
    if not (shown[0] <= low and most <= shown[1] and span >= 0.6 * (shown[1] - shown[0])):
        axis.update(start=low - (0.04 * span if floor is None else 0.0), end=most + 0.1 * span)
