"""The candidates of a sweep over two parameters, coloured by χ²; a click on one chooses it."""

import html
from collections.abc import Callable
from typing import Any

import numpy as np
from bokeh.models import ColorBar, ColumnDataSource, Div, FixedTicker, LogColorMapper, Select, TapTool
from bokeh.models.layouts import Column, Row
from bokeh.palettes import Cividis256

from npp_jax.explorer.common import interval, label_log, log_ticks, plain
from npp_jax.explorer.controls import label_of
from npp_jax.figures.simulation import COLOURS
from npp_jax.simulation.status import STATUS_ADVICE, Status
from npp_jax.sweeping import SweepResult, rank
from npp_jax.sweeping.landscape import telling_pair
from npp_jax.sweeping.ranking import threshold

_BEST, _OTHERS = 1000, 2000
"""Candidates that are drawn: the best ones, and an even choice of the others."""

_HEIGHT = 330


class Landscape:
    """Figure of a sweep.

    Parameters
    ----------
    result
        The sweep.
    chosen
        Is told the number of a candidate that was clicked.
    """

    def __init__(self, result: SweepResult, chosen: Callable[[int], None]) -> None:
        self._result, self._chosen = result, chosen
        self._candidate: int | None = None
        order = rank(result)
        order = order[np.isfinite(result.total[order])]
        rest = order[_BEST:]
        self._drawn = np.concatenate([order[:_BEST], rest[:: max(1, len(rest) // _OTHERS)]])[::-1]
        x, y = telling_pair(result)
        if x == y and len(result.parameters) > 1:
            x, y = 0, 1
        names: list[Any] = list(result.names)
        self._x = Select(title="across", value=names[x], options=names, width=150, name="across")
        self._y = Select(title="up", value=names[y], options=names, width=150, name="up")
        self._x.on_change("value", lambda attr, old, new: self._along(self._y, old, new))
        self._y.on_change("value", lambda attr, old, new: self._along(self._x, old, new))
        self.words = Div(text="Click a candidate to see its profiles.", name="candidate", sizing_mode="stretch_width")
        self._place = Column(children=[], sizing_mode="stretch_width")
        self.column = Column(
            children=[Row(children=[self._x, self._y, self.words], sizing_mode="stretch_width"), self._place],
            sizing_mode="stretch_width",
        )
        self.source = ColumnDataSource({"x": [], "y": [], "chi2": [], "colour": []}, name="candidates")
        self.source.selected.on_change("indices", lambda attr, old, new: self._clicked(new))
        self._here = ColumnDataSource({"x": [], "y": []}, name="chosen")
        self._draw()

    @property
    def best(self) -> int | None:
        """The candidate of lowest χ², if one was measured against."""
        return int(self._drawn[-1]) if len(self._drawn) else None

    def _along(self, other: Select, old: str, new: str) -> None:
        """Draw over other parameters; an axis that takes that of the other one gives its own in exchange."""
        if other.value == new and old != new:
            # It is told of that as well, and draws.
            other.value = old
        else:
            self._draw()

    def _axes(self) -> tuple[int, int]:
        names = list(self._result.names)
        return names.index(self._x.value), names.index(self._y.value)

    def _draw(self) -> None:
        result, (x, y) = self._result, self._axes()
        across, up = result.parameters[x], result.parameters[y]
        one = plain(
            "Candidates of the sweep", _HEIGHT, tools="pan,box_zoom,wheel_zoom,reset,save",
            x_axis_type="log" if across.scale == "log" else "linear",
            y_axis_type="log" if up.scale == "log" else "linear",
            x_range=interval(float(across.low), float(across.high)), y_range=interval(float(up.low), float(up.high)),
        )  # fmt: skip
        # Within the figure the tools would lie over candidates.
        one.toolbar_inner, one.toolbar.autohide = False, False
        one.xaxis.axis_label, one.yaxis.axis_label = label_of(across), label_of(up)
        for axis, span, parameter in ((one.xaxis, one.x_range, across), (one.yaxis, one.y_range, up)):
            if parameter.scale == "log":
                label_log(axis[0], span)
        points = max(int(result.points.sum()), 1)
        chi2 = result.total[self._drawn] / points
        within = result.total[self._drawn] <= result.total.min() + threshold(result)
        self.source.data = {
            "x": result.theta[self._drawn, x],
            "y": result.theta[self._drawn, y],
            "chi2": chi2,
            "colour": np.where(within, COLOURS[1], "rgba(0,0,0,0)").tolist(),
        }
        low = float(chi2.min()) if len(chi2) else 1.0
        # The colours are for the valley, not for the peaks around it.
        high = max(1.001 * low, float(np.median(chi2))) if len(chi2) else 2.0
        mapper = LogColorMapper(palette=Cividis256, low=low, high=high)
        one.scatter(
            "x", "y", source=self.source, size=6, fill_color={"field": "chi2", "transform": mapper},
            line_color="colour", line_width=1.5, nonselection_fill_alpha=1.0, nonselection_line_alpha=1.0,
        )  # fmt: skip
        if self.best is not None:
            best = result.theta[self.best]
            one.scatter([best[x]], [best[y]], marker="star", size=15, color=COLOURS[1], line_color="white")
        one.scatter("x", "y", source=self._here, marker="circle_cross", size=14, fill_alpha=0.0, line_color="black")
        ticks: Any = log_ticks(low, high)
        bar = ColorBar(
            color_mapper=mapper, ticker=FixedTicker(ticks=list(ticks)), major_label_overrides=ticks, width=10,
            title="χ² / point", title_standoff=8,
        )  # fmt: skip
        one.add_layout(bar, "right")
        one.add_tools(TapTool())
        self._place.children = [one]
        self._mark()

    def _clicked(self, indices: list[int]) -> None:
        if indices:
            self.choose(int(self._drawn[indices[-1]]))

    def choose(self, candidate: int) -> None:
        """Choose a candidate by its number."""
        self._candidate = candidate
        self._mark()
        result = self._result
        status = Status(int(result.worst[candidate]))
        numbers = ", ".join(f"{n} = {v:.4g}" for n, v in zip(result.names, result.theta[candidate], strict=True))
        told = status.name if status is Status.DONE else f"{status.name}: {STATUS_ADVICE[status]}"
        limit, chi2 = f"{threshold(result):.3g}", f"{result.total[candidate]:.1f}"
        self.words.text = (
            f"<b>candidate {candidate}</b>: χ² {chi2} in the sweep, {told}<br>"
            f"{html.escape(numbers)}<br>ringed: Δχ² below {limit} (95 %); star: the best"
        )
        self._chosen(candidate)

    def _mark(self) -> None:
        if self._candidate is not None:
            x, y = self._axes()
            here = self._result.theta[self._candidate]
            self._here.data = {"x": [here[x]], "y": [here[y]]}
