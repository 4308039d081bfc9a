"""The page of a tracer study: it is fitted, then its parameters are moved by hand and its curves follow."""

import base64
import dataclasses
import html
import io
import threading
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from bokeh.document import Document
from bokeh.models import Button, ColorBar, ColumnDataSource, CustomJS, Div, LinearColorMapper
from bokeh.models.layouts import Column, Row
from bokeh.palettes import Viridis256

from npp_jax._compile import own_promotion
from npp_jax.commands.tracer.report import TracerReport, printed
from npp_jax.commands.tracer.run import run_tracer
from npp_jax.commands.tracer.study import EvolutionStudy, TracerStudy
from npp_jax.explorer.common import plain
from npp_jax.explorer.controls import WIDTH, Controls, note
from npp_jax.explorer.download import TAKE
from npp_jax.explorer.state import View
from npp_jax.explorer.tracer_series import Series, chi2_of, series_of
from npp_jax.explorer.tracer_simulated import varied_of, with_values
from npp_jax.explorer.work import Latest, later
from npp_jax.figures.simulation import COLOURS
from npp_jax.fitting.units import split_unit
from npp_jax.inference import Parameter
from npp_jax.tracer.tracer_fit import TracerFit

_MOST = 14
"""Parameters with a slider; a map may have hundreds of boundaries."""


_WORDS = {
    "surface": "C of the source",
    "base": "C of the untouched sample",
    "area_m2": "Dt of the exchange",
    "permeability_m_s": "D_gb/δ",
    "fast_ratio": "D_fast/D",
    "fast_share": "share of the fast path",
    "D_slope": "ln D at the source less that of the untouched sample",
    "origin_m": "position of the surface",
}
"""What the table above the sliders calls parameters whose names do not tell it."""


class _Job(NamedTuple):
    values: tuple[float, ...]


class TracerPage:
    """Page of one tracer study."""

    def __init__(self, document: Document, study: TracerStudy, file: Path) -> None:
        self._document, self._study, self._file = document, study, file
        self._specimens = [one.name for one in study.specimens] if isinstance(study, EvolutionStudy) else []
        title = study.title or file.stem
        self._status, self._message = note("fitting …", name="status"), note(name="message", colour="#D55E00")
        head = Div(text=f"<b style='font-size:15px'>{html.escape(title)}</b>", width=WIDTH - 20)
        self._left = Column(children=[head, self._status, self._message], width=WIDTH + 14)
        self._right = Column(children=[Div(text="")], sizing_mode="stretch_width")
        document.add_root(Row(children=[self._left, self._right], sizing_mode="stretch_width", spacing=8))
        document.title = f"{title} – npp_jax"
        threading.Thread(target=self._run, daemon=True).start()

    @own_promotion
    def _run(self) -> None:
        """In a thread of its own."""
        try:
            report = run_tracer(self._study, self._file.parent)
        except Exception as error:
            text = html.escape(" ".join(str(error).split())[:400])
            later(self._document, partial(setattr, self._status, "text", f"no fit: {text}"))
        else:
            later(self._document, partial(self._fitted, report))

    def _fitted(self, report: TracerReport) -> None:
        self._report = report
        words = html.escape("\n".join([printed(report.lines), *report.warnings]))
        table = f"<pre style='font-size:11px;white-space:pre-wrap'>{words}</pre>"
        self._status.text = f"{table}status: {html.escape(report.status)}"
        self._take = Div(text="", visible=False)
        self._take.js_on_change("text", CustomJS(code=TAKE))
        figure = Button(label="Figure (PNG)", width=150, name="save PNG")
        figure.on_click(lambda: self._hand(self._report))
        fit = report.fit
        if fit is None:
            self._simulated(report, figure)
            return
        self._fit, self._series = fit, series_of(fit, self._specimens)
        begin = View(_bounded(fit)[:_MOST], tuple(map(float, fit.theta[:_MOST])), ())
        self._best = self._view = begin
        self._controls = Controls(begin, self._moved, self._say)
        back = Button(label="Back to the fit", width=150, button_type="primary", name="back")
        back.on_click(self._back)
        rest = len(fit.theta) - _MOST
        more = [note(f"{rest} further parameters keep the values of the fit")] if rest > 0 else []
        shown = {p.name.partition("[")[0]: split_unit(p)[0].partition("[")[0] for p in begin.parameters}
        if known := [f"{label}: {_WORDS[name]}" for name, label in shown.items() if name in _WORDS]:
            more.append(note(html.escape("; ".join(known)), name="words"))
        if self._specimens:
            told = ", ".join(f"[{k}] {name}" for k, name in enumerate(self._specimens, 1))
            more.append(note(f"specimens: {html.escape(told)}"))
        self._left.children = [
            *self._left.children, self._controls.column, *more, Row(children=[back, figure]), self._take,
        ]  # fmt: skip
        self._draw()
        self._work = Latest(self._evaluate, self._failed)
        self._document.on_session_destroyed(lambda context: self._work.end())
        self._work.ask(_Job(begin.values))

    def _draw(self) -> None:
        """Figures of all panels, with what was measured."""
        self._sources: dict[int, ColumnDataSource] = {}
        panels: dict[str, list[Series]] = {}
        for series in self._series:
            panels.setdefault(series.panel, []).append(series)
        figures = []
        # A row alone has the page to itself.
        height = 480 if len(panels) <= 2 else 320
        for panel, members in panels.items():
            if members[0].position is None:
                figures += self._maps(members[0], height)
                continue
            one = plain(panel, height)
            one.xaxis.axis_label, one.yaxis.axis_label = f"position / {members[0].unit}", "isotope fraction C"
            for k, series in enumerate(members):
                self._line(one, series, COLOURS[k % len(COLOURS)])
            one.legend.border_line_alpha = 0.0
            figures.append(one)
        rows: list[Any] = [
            Row(children=figures[k : k + 2], sizing_mode="stretch_width") for k in range(0, len(figures), 2)
        ]
        self._right.children = rows

    def _line(self, one: Any, series: Series, colour: str) -> None:
        assert series.error is not None
        known = np.isfinite(series.measured) & np.isfinite(series.error)
        x, y, e = np.asarray(series.position)[known], series.measured[known], series.error[known]
        data = ColumnDataSource({"x": x, "y": y, "low": y - e, "high": y + e})
        one.segment("x", "low", "x", "high", source=data, color=colour, line_alpha=0.3)
        one.scatter("x", "y", source=data, size=4, color=colour, alpha=0.6)
        source = ColumnDataSource({"x": [], "y": []}, name=f"curve {series.panel} {series.label}")
        one.line("x", "y", source=source, color=colour, line_width=2, legend_label=series.label)
        self._sources[series.place] = source

    def _maps(self, series: Series, height: int) -> list[Any]:
        """Data and model as images of one scale of colours."""
        rows, columns = (series.pixel * pixels for pixels in series.measured.shape)
        low, high = (float(f(series.measured)) for f in (np.nanmin, np.nanmax))
        mapper = LinearColorMapper(palette=Viridis256, low=low, high=high, nan_color="#dddddd")
        bar: dict[str, Any] = {"color_mapper": mapper, "width": 8}
        made = []
        for title in ("data", "model"):
            one = plain(f"Isotope fraction, {title}", height, match_aspect=True)
            image = series.measured if title == "data" else np.full_like(series.measured, np.nan)
            source = ColumnDataSource({"image": [image]}, name=f"image {title}")
            one.image("image", x=0, y=0, dw=columns, dh=rows, color_mapper=mapper, source=source)
            one.xaxis.axis_label, one.yaxis.axis_label = f"x / {series.unit}", f"y / {series.unit}"
            one.add_layout(ColorBar(**bar), "right")
            made.append(one)
        self._sources[series.place] = source
        return made

    def _say(self, text: str) -> None:
        self._message.text = html.escape(text)

    def _moved(self, name: str, value: float, done: bool) -> None:
        self._message.text = ""
        self._view = self._view.moved(name, value)
        self._work.ask(_Job(self._view.values))

    def _back(self) -> None:
        self._view = self._best
        self._controls.show(self._view)
        self._work.ask(_Job(self._view.values))

    @own_promotion
    def _evaluate(self, job: _Job) -> None:
        """In a thread of its own."""
        theta = np.concatenate([np.asarray(job.values), self._fit.theta[len(job.values) :]])
        modelled = [np.asarray(part) for part in dataclasses.replace(self._fit, theta=theta).modelled()]
        chi2 = chi2_of(self._fit, modelled)
        later(self._document, partial(self._show, job, modelled, chi2))

    def _failed(self, error: Exception) -> None:
        text = html.escape(" ".join(str(error).split())[:300])
        later(self._document, partial(setattr, self._message, "text", f"no curve: {text}"))

    def _show(self, job: _Job, modelled: list[np.ndarray], chi2: float) -> None:
        if job.values != self._view.values:
            return
        for series in self._series:
            fraction = modelled[series.place]
            if series.position is None:
                self._sources[series.place].data = {"image": [fraction]}
                continue
            order = np.argsort(series.position)
            self._sources[series.place].data = {"x": np.asarray(series.position)[order], "y": fraction[order]}
        finite = all(np.all(np.isfinite(part)) for part in modelled)
        best = self._fit.chi2
        told = f"χ² {chi2:.1f} (fit: {best:.1f}) for {self._fit.points} points"
        self._message.text = told if finite else f"{told}; numbers overflowed: these values cannot be represented"

    def _simulated(self, report: TracerReport, figure: Button) -> None:
        """A study that has nothing to fit: its figure, and sliders of its numbers."""
        varied = varied_of(self._study)[:_MOST]
        controls: list[Any] = []
        if varied:
            begin = View(tuple(one.parameter for one in varied), tuple(one.value for one in varied), ())
            self._best = self._view = begin
            self._controls = Controls(begin, self._moved, self._say)
            back = Button(label="Back to the study", width=150, button_type="primary", name="back")
            back.on_click(self._back)
            self._work = Latest(self._simulate, self._failed)
            self._document.on_session_destroyed(lambda context: self._work.end())
            controls = [self._controls.column, back]
        self._picture = Div(text="", name="picture")
        self._left.children = [*self._left.children, *controls, figure, self._take]
        self._right.children = [self._picture]
        self._show_figure(_Job(self._view.values) if varied else None, report, _as_image(report))

    @own_promotion
    def _simulate(self, job: _Job) -> None:
        """In a thread of its own."""
        names = [parameter.name for parameter in self._view.parameters]
        given = {one.parameter.name: one.value for one in varied_of(self._study)}
        study = with_values(self._study, {**given, **dict(zip(names, job.values, strict=True))})
        report = run_tracer(study, self._file.parent)
        later(self._document, partial(self._show_figure, job, report, _as_image(report)))

    def _show_figure(self, job: _Job | None, report: TracerReport, image: str) -> None:
        if job is None or job.values == self._view.values:
            self._report, self._picture.text = report, image
            words = html.escape(printed(report.lines))
            self._status.text = f"<pre style='font-size:11px;white-space:pre-wrap'>{words}</pre>simulated"

    def _hand(self, report: TracerReport) -> None:
        self._take.text = ""
        self._take.text = f"{self._file.stem}.png|image/png|{base64.b64encode(_png(report)).decode()}"


def _as_image(report: TracerReport) -> str:
    body = base64.b64encode(_png(report)).decode()
    return f"<img src='data:image/png;base64,{body}' style='max-width:100%'>"


def _png(report: TracerReport) -> bytes:
    content = io.BytesIO()
    report.draw().savefig(content, format="png", dpi=130)
    return content.getvalue()


def _bounded(fit: TracerFit) -> tuple[Parameter, ...]:
    """Parameters of a fit with ranges about their best values, wide enough to see what they do."""
    found = []
    for k, parameter in enumerate(fit.parameters):
        best, error = float(fit.theta[k]), float(fit.covariance.standard_error[k])
        if parameter.scale == "log":
            low, high = best / 10.0, best * 10.0
        else:
            reach = max(20.0 * error if np.isfinite(error) else 0.0, 0.3 * abs(best), 1e-6)
            low, high = max(best - reach, float(parameter.low)), min(best + reach, float(parameter.high))
        found.append(dataclasses.replace(parameter, low=low, high=high, prior=None))
    return tuple(found)
