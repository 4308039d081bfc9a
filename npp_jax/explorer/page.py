"""The page: controls on the left, figures on the right."""

import dataclasses
import html
from typing import Any

from bokeh.document import Document
from bokeh.models import Button, Div, Select
from bokeh.models.layouts import Column, Row

from npp_jax.explorer.added import addable, added_parameter
from npp_jax.explorer.charts import LINES, ExperimentCharts
from npp_jax.explorer.common import colours_of
from npp_jax.explorer.controls import WIDTH, Controls, note
from npp_jax.explorer.doubts import Doubts
from npp_jax.explorer.download import Downloads
from npp_jax.explorer.fitting import Found, fit_end, fit_table
from npp_jax.explorer.law_charts import LawCharts
from npp_jax.explorer.picture import Painter, Picture
from npp_jax.explorer.session import Session
from npp_jax.explorer.subject import Subject
from npp_jax.explorer.upload import Upload
from npp_jax.explorer.work import later
from npp_jax.fitting import Problem
from npp_jax.inference import ParameterError, Parameters

_RELEASE = [
    ("fast", "fast (as in sweeps)"),
    ("accurate", "accurate (as npp-jax simulate)"),
    ("full", "full model (with Poisson's equation)"),
]
_IN_A_ROW = 3
"""Experiments side by side."""

_SETTLED = 300
"""Time after which an edge that was dragged is taken to be let go [ms]."""

_SOON = 100
"""Time until the other figures follow the profiles while a slider moves [ms]."""

_STICKY: dict[str, str | None] = {
    "position": "sticky",
    "top": "0px",
    "max-height": "100vh",
    "overflow-y": "auto",
    "overflow-x": "hidden",
    "background": "#f7f7f7",
}


class Page:
    """What is on one page, and what its buttons do.

    Parameters
    ----------
    document
        Where the page is built.
    subject
        What it is of.
    painter
        Makes pictures of the problem of the subject; it may serve several pages.
    """

    def __init__(self, document: Document, subject: Subject, painter: Painter) -> None:
        self.document = document
        self._status = note(name="status")
        self._message = note(name="message", colour="#D55E00")
        self._doubts = Doubts()
        self._fit_text, self._fit_found = note(name="fit status"), note(name="fit table")
        self.session = Session(document, subject, painter, self._show, self._tell)
        self._controls_place = Column(children=[], width=WIDTH)
        self._figures_place = Column(children=[], sizing_mode="stretch_width")
        self._add = Select(title="Add a slider for", options=[], width=WIDTH - 20, name="add")
        self._add.on_change("value", lambda attr, old, new: self._add_slider(new))
        release = Select(title="When let go, calculate", options=list(_RELEASE), width=WIDTH - 20, name="release")
        release.value = subject.release
        release.on_change("value", lambda attr, old, new: self.session.choose(new))
        self._above: list[Column] = []
        self._bands_of: tuple[float, ...] | None = None
        self.bands: Found | None = None
        self._frozen_by_hand = False
        self._rest_waits: Any = None
        self._settles: Any = None
        self.downloads = Downloads(self)
        self.upload = Upload(self)
        head = Div(text=f"<b style='font-size:15px'>{html.escape(subject.title or subject.name)}</b>", width=WIDTH - 20)
        controls = [
            head, self._status, self._message, self._buttons(), self._fit_text, self._doubts.words,
            self._controls_place, self._fit_found, self._add, release, note(LINES), self.downloads.column,
            self.upload.column,
        ]  # fmt: skip
        left = Column(children=controls, width=WIDTH + 30, styles=_STICKY, name="controls")
        self._build()
        right = self._figures_place
        self.document.add_root(Row(children=[left, right], sizing_mode="stretch_width", spacing=8, name="page"))
        self.document.title = f"{subject.title or subject.name} – npp_jax"
        self.document.on_session_destroyed(lambda context: self.session.end())
        for text in subject.notes:
            self.say(text)
        self.session.refresh()

    def above(self, column: Column) -> None:
        """Show something above the figures."""
        self._above.append(column)
        self._figures_place.children = [column, *self._figures_place.children]

    def go_to(self, values: tuple[float, ...]) -> None:
        """Go to values of all parameters."""
        self.session.at(self.session.view.at(values))
        self.controls.show(self.session.view)

    def _buttons(self) -> Row:
        self._fit = Button(label="Fit from here", button_type="primary", width=104, name="fit")
        self._fit.on_click(self._on_fit)
        freeze = Button(label="Freeze", width=62, name="freeze")
        freeze.on_click(self._freeze_by_hand)
        clear = Button(label="Clear", width=54, name="clear")
        clear.on_click(self._clear)
        undo = Button(label="Undo", width=54, name="undo")
        undo.on_click(self._undo)
        return Row(children=[self._fit, freeze, clear, undo], spacing=2)

    def _build(self) -> None:
        """Controls and figures of the problem."""
        problem = self.session.subject.problem
        colours = colours_of(problem.measurements)
        self.charts = [ExperimentCharts(m, colours) for m in problem.measurements]
        self.laws = LawCharts(problem.measurements, colours)
        for k, chart in enumerate(self.charts):
            if chart.kept is not None:
                for end in ("start", "end"):
                    chart.kept.on_change(end, lambda attr, old, new, k=k: self._dragged(k))
        rows = [
            Row(children=[chart.column for chart in self.charts[k : k + _IN_A_ROW]], sizing_mode="stretch_width")
            for k in range(0, len(self.charts), _IN_A_ROW)
        ]
        self._figures_place.children = [*self._above, *rows, self.laws.column]
        self._fit.disabled = not (problem.data and problem.parameters)
        self._build_controls()

    def _build_controls(self) -> None:
        self.controls = Controls(self.session.view, self._moved, self.say)
        self._controls_place.children = [self.controls.column]
        choices: Any = [("", "…"), *addable(self.session.subject.problem)]
        self._add.options, self._add.value = choices, ""

    def _show(self, picture: Picture) -> None:
        """Put a picture into the figures: profiles at once, the others when the browser has drawn them."""
        self.document.hold("combine")
        try:
            for chart, panel in zip(self.charts, picture.panels, strict=True):
                chart.show(panel)
            if self._bands_of is not None and self._bands_of != self.session.view.values:
                self._show_bands(None)
        finally:
            self.document.unhold()
        if not self.session.moving:
            self._show_rest(picture)
            # After the browser has its picture.
            later(self.document, self._show_doubts)
        elif self._rest_waits is None:
            self._rest_waits = self.document.add_timeout_callback(self._show_waiting, _SOON)

    def _show_waiting(self) -> None:
        self._rest_waits = None
        if self.session.picture is not None:
            self._show_rest(self.session.picture)

    def _show_rest(self, picture: Picture) -> None:
        self.document.hold("combine")
        try:
            for chart, panel in zip(self.charts, picture.panels, strict=True):
                chart.show_rest(panel)
            self.laws.show(picture)
            if self.bands is not None:
                self._show_bands(self.bands)
        finally:
            self.document.unhold()

    def _show_doubts(self) -> None:
        self._doubts.show(self.session.subject.problem, self.session.view.values)

    def _tell(self, text: str) -> None:
        self._status.text = html.escape(text)

    def say(self, *texts: str) -> None:
        """Tell the user something that stands until something else happens, each text on a line of its own."""
        self._message.text = "<br>".join(map(html.escape, texts))

    def _moved(self, name: str, value: float, done: bool) -> None:
        self._message.text = ""
        self.session.moved(name, value, done)

    def _dragged(self, experiment: int) -> None:
        chart = self.charts[experiment]
        if chart.kept is None or chart.following:
            return
        low, high = sorted((float(chart.kept.start), float(chart.kept.end)))
        first, last = chart.limits
        whole = low <= first and high >= last
        self.session.ranged(experiment, None if whole else (low, high))
        # An edge that is dragged tells each place it passes, and not where it is let go.
        if self._settles is not None:
            self.document.remove_timeout_callback(self._settles)
        self._settles = self.document.add_timeout_callback(self._settle, _SETTLED)

    def _settle(self) -> None:
        self._settles = None
        self.session.settle()

    def _undo(self) -> None:
        self.session.undo()
        self.controls.show(self.session.view)
        for chart, depths in zip(self.charts, self.session.view.ranges, strict=True):
            chart.fitted_over(depths)

    def _freeze(self) -> None:
        for chart in self.charts:
            chart.freeze()

    def _freeze_by_hand(self) -> None:
        self._frozen_by_hand = True
        self._freeze()

    def _thaw(self) -> None:
        self._frozen_by_hand = False
        for chart in self.charts:
            chart.clear()

    def _clear(self) -> None:
        self._thaw()
        self._show_bands(None)

    def _on_fit(self) -> None:
        if not self.session.fitting:
            self._show_bands(None)
            if not self._frozen_by_hand:
                self._thaw()
                self._freeze()
            self.say()
            self._fit_found.text = ""
            self._fit.label, self._fit.button_type = "Stop", "warning"
            self._fit_text.text = "fit: begun"
        self.session.fit(self._fit_told, self._fit_done)

    def _fit_told(self, text: str) -> None:
        self._fit_text.text = f"fit: {text}"
        if not self.session.fitting:
            self._fit.label, self._fit.button_type = "Fit from here", "primary"

    def _fit_done(self, found: Found) -> None:
        self._fit.label, self._fit.button_type = "Fit from here", "primary"
        self.controls.show(self.session.view)
        self.bands, self._bands_of = found, self.session.view.values
        self._fit_text.text, self._fit_found.text = fit_end(found), fit_table(found)

    def _show_bands(self, found: Found | None) -> None:
        for k, chart in enumerate(self.charts):
            chart.banded(None if found is None else found.halves[k])
        self.laws.banded(None if found is None else found.laws)
        if found is None:
            self.bands = self._bands_of = None

    def _add_slider(self, choice: str) -> None:
        if not choice:
            return
        subject = self.session.subject
        try:
            added = added_parameter(subject.problem, choice)
            self.renew((*subject.problem.parameters, added))
        except (ParameterError, ValueError) as error:
            self.say(str(error))
            self._add.value = ""

    def renew(self, parameters: Parameters) -> None:
        """Go on with other parameters; the values of the others are kept."""
        problem = dataclasses.replace(self.session.subject.problem, parameters=parameters)
        self.go_on(problem, figures=False)

    def go_on(self, problem: Problem, *, figures: bool = True) -> None:
        """Go on with another problem, with the values of now where it has their parameters."""
        view = self.session.view
        values = {p.name: v for p, v in zip(view.parameters, view.values, strict=True)}
        subject = self.session.subject.with_problem(problem, values)
        self._show_bands(None)
        # What a fit has found is of other data, or of other parameters.
        self._fit_text.text = self._fit_found.text = ""
        self.session.replaced(subject, Painter(problem))
        if figures:
            self._frozen_by_hand = False
            self._build()
            later(self.document, self._show_doubts)
        else:
            self._build_controls()
