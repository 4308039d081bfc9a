"""Figures of the page for one experiment: profile linear and logarithmic, residuals, and how the solver ended."""

import html
from collections.abc import Mapping, Sequence

import numpy as np
from bokeh.models import ColumnDataSource, Div, Range1d, RangeTool, Span
from bokeh.models.layouts import Column
from bokeh.plotting import figure
from jaxtyping import Float

from npp_jax.explorer.picture import Panel
from npp_jax.explorer.state import DepthRange
from npp_jax.figures.simulation import COLOURS
from npp_jax.fitting import Measurement
from npp_jax.simulation.status import Status

TOOLS = "pan,box_zoom,wheel_zoom,reset,save"
RESIDUALS = 6.0
"""Largest residual that is shown where it is; those beyond are marked at the edge."""
FLOOR = 1e-4
"""Least fraction of the logarithmic figure."""
NEVER = 1e9
"""Depth that no profile has [nm]."""


def colours_of(measurements: tuple[Measurement, ...]) -> dict[str, str]:
    """One colour for each species, the same in all figures."""
    names = dict.fromkeys(ion.name for m in measurements for ion in m.experiment.species)
    return {name: COLOURS[k % len(COLOURS)] for k, name in enumerate(names)}


def plain(title: str, height: int, *, tools: str = TOOLS, **options: object) -> figure:
    """An empty figure in the style of the page."""
    made = figure(
        height=height, min_width=200, sizing_mode="stretch_width", tools=tools, title=title, toolbar_location="above",
        **options,
    )  # fmt: skip
    made.toolbar.logo = None
    made.toolbar.autohide = True
    made.title.text_font_size = "10pt"
    made.axis.axis_label_text_font_style = "normal"
    made.axis.axis_label_text_font_size = "9pt"
    made.grid.grid_line_alpha = 0.5
    return made


def follow(
    axis: Range1d, values: Sequence[np.ndarray], *, logarithmic: bool = False, floor: float | None = None
) -> None:
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
        decades = np.floor(np.log10(least)), np.ceil(np.log10(most) + 1e-9)
        if not (shown[0] <= least and most <= shown[1] and np.diff(np.log10(shown))[0] <= np.diff(decades)[0] + 2.0):
            axis.update(start=10.0 ** decades[0], end=10.0 ** decades[1])
        return
    low = least if floor is None else floor
    span = max(most - low, 1e-9 * abs(most), 1e-300)
    if not (shown[0] <= low and most <= shown[1] and span >= 0.6 * (shown[1] - shown[0])):
        axis.update(start=low - (0.04 * span if floor is None else 0.0), end=most + 0.1 * span)


def lines(species: tuple[str, ...]) -> dict[str, ColumnDataSource]:
    """An empty source for each species."""
    return {name: ColumnDataSource({"x": [], "y": []}) for name in species}


class ExperimentCharts:
    """Figures of one experiment, and what is put into them."""

    def __init__(self, measurement: Measurement, colours: Mapping[str, str]) -> None:
        self.measurement = measurement
        self.colours = colours
        self.species = tuple(ion.name for ion in measurement.experiment.species)
        profile = measurement.profile
        self.measured = () if profile is None else profile.species
        self.reach = 100.0 if profile is None else float(profile.depth[-1])
        self.title = Div(
            text=f"<b>{html.escape(measurement.name)}</b>", sizing_mode="stretch_width", height=54, margin=(4, 5, 0, 5)
        )
        depths = Range1d(0.0, self.reach)
        self.depths = depths
        self.composition = {name: ColumnDataSource({"x": [], "y": [], "alpha": []}) for name in self.species}
        self.signal = lines(self.measured)
        self.residual = {name: ColumnDataSource({"x": [], "y": [], "marker": []}) for name in self.measured}
        self.frozen = ColumnDataSource({"x": [], "y": [], "colour": []})
        self.band = {name: ColumnDataSource({"x": [], "low": [], "high": []}) for name in self.measured}
        self.following = False
        self.linear = plain("Profile", 230, x_range=depths, y_range=Range1d(-0.05, 1.15))
        self.logarithmic = plain(
            "Profile, logarithmic", 210, x_range=depths, y_range=Range1d(FLOOR, 2.0), y_axis_type="log"
        )
        for one, logarithmic in ((self.linear, False), (self.logarithmic, True)):
            self._draw(one, logarithmic)
            one.yaxis.axis_label = "fraction n/N"
        self.linear.legend.location = "right"
        self.logarithmic.xaxis.axis_label = "depth / nm"
        children = [self.title, self.linear]
        self.kept: Range1d | None = None
        if profile is not None:
            children.append(self._residuals(depths))
        self.column = Column(children=[*children, self.logarithmic], sizing_mode="stretch_width", spacing=2)

    def _draw(self, one: figure, logarithmic: bool) -> None:
        """Points, curves, bands and overlays of a figure of the profile."""
        profile = self.measurement.profile
        one.multi_line("x", "y", source=self.frozen, color="colour", line_dash="dashed", line_alpha=0.8)
        for name in self.species:
            colour = self.colours[name]
            if profile is not None and name in self.measured:
                k = self.measured.index(name)
                depth, used = np.asarray(profile.depth), np.asarray(profile.weight[k]) > 0.0
                value, sigma = np.asarray(profile.fraction[k]), np.asarray(profile.sigma[k])
                low = np.maximum(value - sigma, 0.2 * FLOOR) if logarithmic else value - sigma
                shown = used & (value > 0.0) if logarithmic else used
                columns = {"x": depth, "y": value, "low": low, "high": value + sigma}
                points = ColumnDataSource({key: column[shown] for key, column in columns.items()})
                one.segment("x", "low", "x", "high", source=points, color=colour, line_alpha=0.25)
                one.scatter("x", "y", source=points, size=3, color=colour, alpha=0.45)
                one.varea("x", "low", "high", source=self.band[name], fill_color=colour, fill_alpha=0.25)
                one.multi_line(
                    "x", "y", source=self.composition[name], color=colour, line_dash="dotted", line_alpha="alpha"
                )
                one.line("x", "y", source=self.signal[name], color=colour, line_width=2, legend_label=name)
            else:
                one.multi_line(
                    "x", "y", source=self.composition[name], color=colour, line_width=2, line_alpha="alpha",
                    legend_label=name,
                )  # fmt: skip
        if logarithmic:
            one.legend.visible = False
        one.legend.border_line_alpha = 0.0
        one.legend.background_fill_alpha = 0.6
        one.legend.padding, one.legend.spacing = 3, 0

    def _residuals(self, depths: Range1d) -> figure:
        """Residuals, with the range of depths that is fitted, which can be dragged."""
        profile = self.measurement.profile
        assert profile is not None
        one = plain("Residuals (drag the shaded edges)", 140, tools="", x_range=depths,
                    y_range=Range1d(-RESIDUALS - 0.6, RESIDUALS + 0.6))  # fmt: skip
        one.title.text_font_size = "9pt"
        for name in self.measured:
            one.scatter(
                "x", "y", source=self.residual[name], marker="marker", size=4, color=self.colours[name], alpha=0.6
            )
        one.add_layout(Span(location=0.0, dimension="width", line_color="#999999", line_width=1))
        used = np.asarray(profile.depth)[np.asarray(profile.weight).max(axis=0) > 0.0]
        self.limits = (float(used[0]), float(used[-1]))
        self.kept = Range1d(*self.limits)
        tool = RangeTool(x_range=self.kept)
        tool.overlay.fill_color, tool.overlay.fill_alpha = "#0072B2", 0.07
        tool.overlay.line_color = "#0072B2"
        one.add_tools(tool)
        one.toolbar_location = None
        one.yaxis.axis_label = "residual / σ"
        return one

    def show(self, panel: Panel) -> None:
        """Put a picture into the figures."""
        failed = panel.status >= Status.NOT_CONVERGED
        alphas = 0.3 + 0.7 * (np.arange(len(panel.depth)) + 1) / len(panel.depth)
        self._follow(panel)
        inside = panel.depth <= 1.5 * float(self.depths.end)
        for i, name in enumerate(panel.species):
            curves = [
                (x[near], np.where(y[i] > 0.0, y[i], np.nan)[near] if failed else y[i][near])
                for x, y, near in zip(panel.depth, panel.fraction, inside, strict=True)
            ]
            self.composition[name].data = {
                "x": [x for x, _ in curves], "y": [y for _, y in curves], "alpha": 0.5 * alphas if failed else alphas,
            }  # fmt: skip
        profile = self.measurement.profile
        if profile is None or panel.signal is None or panel.residual is None:
            return self._tell(panel)
        depth = np.asarray(profile.depth)
        for k, name in enumerate(self.measured):
            self.signal[name].data = {"x": depth, "y": panel.signal[k]}
            rest = panel.residual[k]
            known = np.isfinite(rest)
            beyond = np.abs(rest[known]) > RESIDUALS
            up = np.where(rest[known] > 0.0, "triangle", "inverted_triangle")
            self.residual[name].data = {
                "x": depth[known],
                "y": np.clip(rest[known], -RESIDUALS, RESIDUALS),
                "marker": np.where(beyond, up, "circle").tolist(),
            }
        return self._tell(panel)

    def _follow(self, panel: Panel) -> None:
        """Where nothing was measured the depths shown go with the front."""
        if self.measurement.profile is not None or not np.isfinite(panel.front[0]):
            return
        wanted = max(1.3 * panel.front[0], panel.front[0] + 2.0 * panel.front[1], 1.0)
        if not 0.5 * self.reach < wanted < 1.05 * self.reach:
            self.reach = wanted
            self.depths.end = wanted

    def _tell(self, panel: Panel) -> None:
        """Numbers of the experiment, and the status of the solver in words."""
        depth, width, plateau = panel.front
        chi2 = "" if not panel.points else f" &nbsp; χ² {panel.chi2:.1f} for {panel.points} points"
        front = f"front {depth:.4g} nm, width {width:.3g} nm, {100 * plateau:.3g} % behind it"
        colour = {Status.DONE: "#009E73"}.get(panel.status, "#D55E00")
        told = f"<b style='color:{colour}'>{panel.status.name}</b>"
        if panel.status is not Status.DONE:
            told += f" {html.escape(panel.words())}"
        self.title.text = f"<b>{html.escape(panel.name)}</b>{chi2}<br>{front}<br>{told}"

    def fitted_over(self, depths: DepthRange) -> None:
        """Put the shaded range to fitted depths."""
        if self.kept is not None:
            self.following = True
            self.kept.update(**dict(zip(("start", "end"), depths or self.limits, strict=True)))
            self.following = False

    def freeze(self) -> None:
        """Keep the curves of now as an overlay, beside those that are kept."""
        kept = {key: list(column) for key, column in self.frozen.data.items()}
        for name in self.species:
            measured = name in self.measured
            data = self.signal[name].data if measured else self.composition[name].data
            kept["x"].append(np.asarray(data["x"] if measured else data["x"][-1]))
            kept["y"].append(np.asarray(data["y"] if measured else data["y"][-1]))
            kept["colour"].append(self.colours[name])
        self.frozen.data = kept

    def clear(self) -> None:
        """Take the overlays away."""
        self.frozen.data = {"x": [], "y": [], "colour": []}

    def banded(self, half: Float[np.ndarray, "species depth"] | None) -> None:
        """Bands of 95 % about the signal of now; none for None."""
        for k, name in enumerate(self.measured):
            data = self.signal[name].data
            empty = {"x": [], "low": [], "high": []}
            y = np.asarray(data["y"])
            self.band[name].data = empty if half is None else {"x": data["x"], "low": y - half[k], "high": y + half[k]}
