"""Pages of a finished sweep: with its study every candidate is simulated, without it the kept profiles are shown."""

import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from bokeh.document import Document
from bokeh.models import ColumnDataSource, Div
from bokeh.models.layouts import Column, Row

from npp_jax.explorer.common import FRACTION, interval, plain
from npp_jax.explorer.landscape import Landscape
from npp_jax.explorer.page import Page
from npp_jax.explorer.picture import Painter
from npp_jax.explorer.subject import Subject, of_study
from npp_jax.figures.axes import ion_colours
from npp_jax.files import ConfigError
from npp_jax.files.study import load_study
from npp_jax.sweeping import SweepResult, read_sweep
from npp_jax.sweeping.profiles import StoredProfiles, read_profiles
from npp_jax.sweeping.screening import of_problem


def sweep_of_study(file: Path, study: Path) -> tuple[SweepResult, Subject]:
    """A sweep and its study.

    Raises
    ------
    ConfigError, SweepFileError
        The file is no sweep, or one of another study, in one line.
    """
    loaded = load_study(study)
    try:
        return of_problem(read_sweep(file), loaded.problem), of_study(loaded)
    except ValueError as error:
        raise ConfigError(f"{file}: {error}") from None


class SweepPage:
    """The page of a study with the landscape of its sweep above."""

    def __init__(self, document: Document, result: SweepResult, subject: Subject, painter: Painter) -> None:
        self._result = result
        self._page = Page(document, subject, painter)
        landscape = Landscape(result, self._chosen)
        self._page.above(landscape.column)
        if landscape.best is not None:
            landscape.choose(landscape.best)

    def _chosen(self, candidate: int) -> None:
        session = self._page.session
        values = dict(zip(self._result.names, self._result.theta[candidate].tolist(), strict=True))
        now = zip(session.view.parameters, session.view.values, strict=True)
        self._page.go_to(tuple(values.get(p.name, v) for p, v in now))


class StoredPage:
    """Landscape of a sweep, and the profiles that its file keeps."""

    def __init__(self, document: Document, file: Path, result: SweepResult) -> None:
        self._file = file
        self._lines: dict[tuple[str, str], ColumnDataSource] = {}
        first = read_profiles(file, np.array([0]))
        columns: list[Any] = [self._figures(stored) for stored in first]
        rows = [Row(children=columns[k : k + 3], sizing_mode="stretch_width") for k in range(0, len(columns), 3)]
        landscape = Landscape(result, self._chosen)
        head = Div(
            text=f"<b style='font-size:15px'>{html.escape(result.title or file.name)}</b>", sizing_mode="stretch_width"
        )
        note = Div(text="To move parameters as well, give the study: npp-jax explore RESULT.h5 STUDY.toml")
        document.add_root(Column(children=[head, landscape.column, *rows, note], sizing_mode="stretch_width"))
        document.title = f"{result.title or file.name} – npp_jax"
        if landscape.best is not None:
            landscape.choose(landscape.best)

    def _figures(self, stored: StoredProfiles) -> Column:
        made, colours = [], ion_colours(stored.species)
        for logarithmic in (False, True):
            options = {"y_axis_type": "log", "y_range": interval(1e-4, 2.0)} if logarithmic else {}
            one = plain(
                f"{stored.experiment}{', logarithmic' if logarithmic else ''}", 230,
                x_range=interval(0.0, float(stored.depth[-1])), **{"y_range": interval(-0.05, 1.15), **options},
            )  # fmt: skip
            one.xaxis.axis_label, one.yaxis.axis_label = "depth / nm", FRACTION
            for k, name in enumerate(stored.species):
                colour = colours[name]
                if stored.measured is not None:
                    self._points(one, stored, k, colour, logarithmic)
                source = self._lines.setdefault(
                    (stored.experiment, name),
                    ColumnDataSource({"x": [], "y": []}, name=f"signal {stored.experiment} {name}"),
                )
                one.line("x", "y", source=source, color=colour, line_width=2, legend_label=name)
            one.legend.border_line_alpha, one.legend.location = 0.0, "right"
            made.append(one)
        return Column(children=made, sizing_mode="stretch_width")

    @staticmethod
    def _points(one: Any, stored: StoredProfiles, k: int, colour: str, logarithmic: bool) -> None:
        data = stored.measured
        assert data is not None
        value = np.asarray(data.fraction[k])
        used = (np.asarray(data.weight[k]) > 0.0) & ((value > 0.0) | (not logarithmic))
        one.scatter(np.asarray(data.depth)[used], value[used], size=3, color=colour, alpha=0.45)

    def _chosen(self, candidate: int) -> None:
        found: Sequence[StoredProfiles] = read_profiles(self._file, np.array([candidate]))
        for stored in found:
            for k, name in enumerate(stored.species):
                self._lines[stored.experiment, name].data = {"x": stored.depth, "y": stored.profile[0, k]}


def read_stored(file: Path) -> SweepResult:
    """A sweep that keeps profiles.

    Raises
    ------
    ConfigError, SweepFileError
        The file is no sweep, or keeps none, in one line.
    """
    result = read_sweep(file)
    if not len(result.theta) or not read_profiles(file, np.array([0])):
        raise ConfigError(f"{file}: it keeps no profiles; give its study too: npp-jax explore {file.name} STUDY.toml")
    return result
