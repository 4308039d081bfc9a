"""`npp-jax explore` and `npp.explore`: from what is to be explored to a page that is served."""

import contextlib
import dataclasses
import html
import importlib.util
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from npp_jax.files import ConfigError
from npp_jax.files.toml import toml_table
from npp_jax.inference import MissingExtra

if TYPE_CHECKING:
    from bokeh.document import Document

    from npp_jax.explorer.state import Setting
    from npp_jax.explorer.subject import Subject
    from npp_jax.fitting import Problem

Build = Callable[["Document"], None]


def check_bokeh() -> None:
    """Refuse where the library of the page is not installed.

    Raises
    ------
    MissingExtra
        In one line.
    """
    if importlib.util.find_spec("bokeh") is None:
        raise MissingExtra("the explorer needs the extra 'explore': pip install 'bokeh>=3.8.2'")


def page_of(file: Path, data: Path | None = None, *, release: "Setting | None" = None) -> Build:
    """What builds the page of a file.

    Parameters
    ----------
    file
        A study, an experiment, a tracer study, or the result of a sweep.
    data
        A profile measured on the experiment, or the study of the sweep.
    release
        Setting of the pictures once nothing moves; by default the full model if the study says so, else `accurate`.

    Raises
    ------
    ConfigError
        One line: file, key, value, what is allowed.
    """
    if file.suffix == ".h5":
        return _sweep(file, data)
    table = toml_table(file)
    if "experiments" in table:
        from npp_jax.explorer.subject import subject_of_study

        if data is not None:
            raise ConfigError(f"{file}: a study names its profiles itself; leave {data} out")
        subject = subject_of_study(file)
    elif "kind" in table:
        if data is not None:
            raise ConfigError(f"{file}: a tracer study names its profiles itself; leave {data} out")
        return _tracer(file)
    else:
        from npp_jax.explorer.subject import subject_of_experiment

        subject = subject_of_experiment(file, data)
    return build_of(subject if release is None else dataclasses.replace(subject, release=release))


def _sweep(file: Path, study: Path | None) -> Build:
    """The same of a finished sweep, with its study or with the profiles that it keeps."""
    from npp_jax.explorer.picture import Painter
    from npp_jax.explorer.sweep_page import StoredPage, SweepPage, read_stored, sweep_of_study

    if study is None:
        result = read_stored(file)
        return lambda document: _built(StoredPage(document, file, result))
    result, subject = sweep_of_study(file, study)
    painter = Painter(subject.problem)
    return lambda document: _built(SweepPage(document, result, subject, painter))


def _tracer(file: Path) -> Build:
    """The same of a tracer study, which is fitted when the page is opened."""
    from npp_jax.commands.tracer.study import load_tracer_study
    from npp_jax.explorer.tracer_page import TracerPage

    study = load_tracer_study(file)
    return lambda document: _built(TracerPage(document, study, file))


def _built(page: object) -> None:
    """A page lives with its document, which knows its callbacks."""


def build_of(subject: "Subject", *, ahead: bool = True) -> Build:
    """What builds the page of a subject; tabs share what is compiled for its problem.

    Parameters
    ----------
    subject
        What is explored.
    ahead
        Whether the first picture is made before a page is opened.
    """
    from npp_jax.explorer.picture import Painter

    painter, view = Painter(subject.problem), subject.view()

    def prepare() -> None:
        # While the library of the page is read and the browser starts; what goes wrong is told on the page.
        with contextlib.suppress(Exception):
            painter.paint(view.values, view.ranges, "fast")

    if ahead:
        threading.Thread(target=prepare, daemon=True).start()
    from npp_jax.explorer.page import Page

    def build(document: "Document") -> None:
        Page(document, subject, painter)

    return build


class Explorer:
    """A page of a problem that is served as long as Python runs; a notebook shows it."""

    def __init__(self, problem: "Problem") -> None:
        """Begin to serve.

        Parameters
        ----------
        problem
            Experiments, their profiles, and the parameters that get a slider.

        Raises
        ------
        MissingExtra
            Bokeh is not installed.
        """
        check_bokeh()
        from npp_jax.explorer.serve import served_aside
        from npp_jax.explorer.subject import of_problem
        from npp_jax.fitting import with_systematic

        self.url = served_aside(build_of(of_problem(with_systematic(problem)), ahead=False)).url

    def _repr_html_(self) -> str:
        return f'<iframe src="{html.escape(self.url)}" width="100%" height="900" style="border:0"></iframe>'

    def __repr__(self) -> str:
        return f"Explorer: {self.url}"


def explore(problem: "Problem") -> Explorer:
    """Open a problem in a page with sliders, as `npp-jax explore` does of a study; needs the extra `explore`.

    Parameters
    ----------
    problem
        Experiments, their profiles, and the parameters that get a slider.
    """
    return Explorer(problem)
