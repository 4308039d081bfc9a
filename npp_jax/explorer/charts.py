"""Figures of the page for one experiment: profile linear and logarithmic, residuals, and how the solver ended."""

import html
from collections.abc import Mapping
from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource, Div, RangeTool, Span
from bokeh.models.layouts import Column
from jaxtyping import Float

from npp_jax.explorer.common import interval, plain, put
from npp_jax.explorer.picture import Panel
from npp_jax.explorer.profile_figure import ProfileFigure
from npp_jax.explorer.state import DepthRange
from npp_jax.fitting import Measurement
from npp_jax.inference import misfit
from npp_jax.simulation.status import Status

RESIDUALS = 6.0
"""Largest residual that is shown where it is; those beyond are marked at the edge."""

LINES = (
    "Profiles: solid as the instrument sees it, dotted composition, dashed frozen. Records: points, dashed with gain."
)
"""What the curves of the page are."""


class ExperimentCharts:
    """Figures of one experiment, and what is put into them."""

    def __init__(self, measurement: Measurement, colours: Mapping[str, str]) -> None:
        self.measurement, self.colours = measurement, colours
        profile = measurement.profile
        self.measured = () if profile is None else profile.species
        self.reach = 100.0 if profile is None else float(profile.depth[-1])
        name = f"<b>{html.escape(measurement.name)}</b>"
        # Figures stay where they are while a status comes and goes; long advice can be scrolled.
        self.title = Div(
            text=name, sizing_mode="stretch_width", height=40, margin=(4, 5, 0, 5), styles={"overflow-y": "auto"}
        )
        self.depths = interval(0.0, self.reach)
        self.residual = {name: ColumnDataSource({"x": [], "y": [], "marker": []}) for name in self.measured}
        self.numbers = ColumnDataSource({"x": [], "y": [], "text": [], "colour": []}, name=f"told {measurement.name}")
        self._told: Status | None = None
        self.following = False
        self.linear = ProfileFigure(measurement, colours, self.depths, logarithmic=False)
        # Curves may pass behind the words.
        self.linear.figure.text(
            "x", "y", "text", source=self.numbers, color="colour", text_font_size="9pt",
            background_fill_color="white", background_fill_alpha=0.75,
        )  # fmt: skip
        self.logarithmic = ProfileFigure(measurement, colours, self.depths, logarithmic=True)
        self.logarithmic.figure.xaxis.axis_label = "depth / nm"
        children = [self.title, self.linear.figure]
        self.kept: Any = None
        if profile is not None:
            children.append(self._residuals(self.depths))
        children.append(self.logarithmic.figure)
        self.column = Column(children=children, sizing_mode="stretch_width", spacing=2)

    def _residuals(self, depths: Any) -> Any:
        """Residuals, with the range of depths that is fitted, which can be dragged."""
        profile = self.measurement.profile
        assert profile is not None
        one = plain("Residuals (drag the shaded edges)", 140, tools="", x_range=depths,
                    y_range=interval(-RESIDUALS - 0.6, RESIDUALS + 0.6))  # fmt: skip
        one.title.text_font_size = "9pt"
        for name in self.measured:
            one.scatter(
                "x", "y", source=self.residual[name], marker="marker", size=4, color=self.colours[name], alpha=0.6
            )
        one.add_layout(Span(location=0.0, dimension="width", line_color="#999999", line_width=1))
        used = np.asarray(profile.depth)[np.asarray(profile.weight).max(axis=0) > 0.0]
        self.limits = (float(used[0]), float(used[-1]))
        self.kept = interval(*self.limits)
        tool = RangeTool(x_range=self.kept)
        tool.overlay.fill_color, tool.overlay.fill_alpha = "#0072B2", 0.07
        tool.overlay.line_color = "#0072B2"
        one.add_tools(tool)
        one.toolbar_location = None
        one.yaxis.axis_label = "residual / σ"
        return one

    def show(self, panel: Panel) -> None:
        """Put profile, χ² and status of a picture into the figures."""
        self._tell(panel)
        self._follow(panel)
        self.linear.show(panel)

    def show_rest(self, panel: Panel) -> None:
        """The same of the other figures."""
        self.logarithmic.show(panel)
        profile = self.measurement.profile
        if profile is None or panel.residual is None:
            return
        for name, rest in zip(self.measured, panel.residual, strict=True):
            known = np.isfinite(rest)
            beyond = np.abs(rest[known]) > RESIDUALS
            up = np.where(rest[known] > 0.0, "triangle", "inverted_triangle")
            shown = {
                "x": np.asarray(profile.depth)[known],
                "y": np.clip(rest[known], -RESIDUALS, RESIDUALS),
                "marker": np.where(beyond, up, "circle").tolist(),
            }
            put(self.residual[name], shown)

    def _follow(self, panel: Panel) -> None:
        """Where nothing was measured the depths shown go with the composition."""
        wanted = panel.far()
        if self.measurement.profile is not None or not np.isfinite(wanted):
            return
        if not 0.5 * self.reach < wanted < 1.05 * self.reach:
            self.reach = wanted
            self.depths.end = wanted

    def _tell(self, panel: Panel) -> None:
        """Numbers of the experiment, and the status of the solver in words."""
        depth, width, plateau = panel.front
        colour = {Status.DONE: "#009E73"}.get(panel.status, "#D55E00")
        # What changes with every move stands here alone: a text of the page makes the browser lay all of it out anew.
        chi2 = f"χ² {misfit(panel.chi2)} / {panel.points}" if panel.points else ""
        ions = [ion.name for ion in self.measurement.experiment.species]
        # The names of the ions stand in for a legend, which would cost the browser more than the curves.
        # Lines are short: three figures side by side leave them little room before the front.
        front = (f"front {depth:.4g} nm", f"width {width:.3g} nm", f"{100 * plateau:.3g} % behind it")
        told = [(text, "#444444") for text in (chi2, *front)] + [(panel.status.name, colour)]
        told += [(one.words(), "#444444") for one in panel.records[:3]]
        rows = [(0.05, 0.7 - 0.1 * k, *one) for k, one in enumerate(told)]
        rows += [(0.9, 0.62 - 0.1 * k, name, self.colours[name]) for k, name in enumerate(ions)]
        x, y, text, colours = (list(column) for column in zip(*rows, strict=True))
        put(self.numbers, {"x": [self.reach * share for share in x], "y": y, "text": text, "colour": colours})
        if panel.status == self._told:
            return
        self._told = panel.status
        ended = f"<b style='color:{colour}'>{panel.status.name}</b>"
        if panel.status is not Status.DONE:
            ended += f" {html.escape(panel.words())}"
        self.title.text = f"<b>{html.escape(panel.name)}</b> &nbsp; {ended}"

    def fitted_over(self, depths: DepthRange) -> None:
        """Put the shaded range to fitted depths."""
        if self.kept is not None:
            self.following = True
            self.kept.update(**dict(zip(("start", "end"), depths or self.limits, strict=True)))
            self.following = False

    def freeze(self) -> None:
        """Keep the curves of now as an overlay, beside those that are kept."""
        self.linear.freeze()
        self.logarithmic.freeze()

    def clear(self) -> None:
        """Take the overlays away."""
        self.linear.clear()
        self.logarithmic.clear()

    def banded(self, half: Float[np.ndarray, "species depth"] | None) -> None:
        """Bands of 95 % about the signal of now; none for None."""
        self.linear.banded(half)
        self.logarithmic.banded(half)
