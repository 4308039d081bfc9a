"""One page and what happens on it: views come from the controls, pictures from threads, and stale ones are dropped."""

import dataclasses
import html
import threading
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from bokeh.document import Document

from npp_jax.explorer.fitting import Fitter, Found, Stopped
from npp_jax.explorer.picture import Painter, Picture
from npp_jax.explorer.state import DepthRange, History, Setting, View
from npp_jax.explorer.subject import Subject
from npp_jax.explorer.work import Latest, later


class _Job(NamedTuple):
    painter: Painter
    view: View
    setting: Setting


class Session:
    """State of a page; everything but the work itself happens in the thread of its document.

    Parameters
    ----------
    document
        The page.
    subject
        What it is of.
    shown
        Takes each picture, in the thread of the document.
    tell
        Takes a line about the picture: what is being made.
    """

    def __init__(
        self,
        document: Document,
        subject: Subject,
        painter: Painter,
        shown: Callable[[Picture], None],
        tell: Callable[[str], None],
    ) -> None:
        self.document, self.subject = document, subject
        self.history = History(subject.view())
        self.painter, self.fitter = painter, Fitter(subject.problem)
        self._shown, self._tell = shown, tell
        self.picture: Picture | None = None
        self._ready: tuple[_Job, Picture] | None = None
        self._fast, self._slow = (Latest(self._paint, self._failed) for _ in range(2))
        self._fitting = False
        self._begun: View | None = None
        self._shown_of: tuple[object, ...] = ()

    @property
    def view(self) -> View:
        """The view now."""
        return self.history.now

    def replaced(self, subject: Subject, painter: Painter) -> None:
        """Go on with another problem."""
        self.fitter.stop.set()
        self.subject, self.painter, self.fitter = subject, painter, Fitter(subject.problem)
        self.picture, self._shown_of = None, ()
        release = self.view.release
        self.history = History(subject.view())
        self.choose(release)

    def choose(self, release: Setting) -> None:
        """Choose with what pictures are made once nothing moves."""
        self.history = self.history.then(dataclasses.replace(self.view, release=release))
        self.refresh()

    def moved(self, name: str, value: float, done: bool) -> None:
        """A parameter has another value; whether it was let go."""
        self._change(self.view.moved(name, value), done)

    def at(self, view: View) -> None:
        """Go to a view, in one step that can be undone."""
        self._change(view, True)

    def ranged(self, experiment: int, depths: DepthRange) -> None:
        """Other depths are fitted, in the course of a move that `settle` ends."""
        self._change(self.view.fitted_over(experiment, depths), False)

    def settle(self) -> None:
        """Nothing moves any more: what has moved is one step that can be undone."""
        if self.moving:
            self._change(self.view, True)

    def undo(self) -> None:
        """Go back to the view before."""
        self.history, self._begun = self.history.back(), None
        self.refresh()

    def _change(self, view: View, done: bool) -> None:
        # While something moves, only its end is a step that can be undone.
        if done:
            past = self._begun or self.view
            self._begun = None
            self.history = History(past, self.history.past).then(view)
            self.refresh()
        else:
            self._begun = self._begun or self.view
            self.history = History(view, self.history.past)
            self._fast.ask(_Job(self.painter, view, "fast"))

    def refresh(self) -> None:
        """Make the picture of the view anew: fast, and when that is there as it is wanted."""
        if not self.painter.knows("fast"):
            self._tell("preparing the first picture …")
        self._fast.ask(_Job(self.painter, self.view, "fast"))

    def _paint(self, job: _Job) -> None:
        """In a thread of its own."""
        picture = job.painter.paint(job.view.values, job.view.ranges, job.setting)
        self._ready = (job, picture)
        later(self.document, partial(self._arrived, job, picture))

    def _failed(self, error: Exception) -> None:
        text = " ".join(str(error).split())[:300]
        later(self.document, lambda: self._tell(f"no picture: {text}"))

    def _arrived(self, job: _Job, picture: Picture) -> None:
        """Show a picture, unless another has come since, or what it is of is no more."""
        newest = self._ready is not None and self._ready[1] is picture
        same = job.view.values == self.view.values and job.view.ranges == self.view.ranges
        fine = picture.setting == self.view.release
        if job.painter is not self.painter or not (same or (picture.setting == "fast" and newest)):
            return
        if same and not fine and not self.moving:
            if self._is_shown(job):
                return
            # Two programs that are made at once would delay each other.
            self._slow.ask(job._replace(setting=self.view.release))
        self.picture, self._shown_of = picture, (job.view.values, job.view.ranges, picture.setting)
        self._shown(picture)
        model = {"full": "full model", "accurate": "accurate setting", "fast": "fast setting"}[picture.setting]
        more = ""
        if same and not fine and not self.moving:
            more = (
                f"; {self.view.release} follows"
                if self.painter.knows(self.view.release)
                else (f"; {self.view.release} is being compiled, once")
            )
        self._tell(f"picture: {model}{more}")

    def _is_shown(self, job: _Job) -> bool:
        """Whether the better picture of a view is there already."""
        return self._shown_of == (job.view.values, job.view.ranges, self.view.release)

    @property
    def moving(self) -> bool:
        """Whether a slider is held."""
        return self._begun is not None

    def fit(self, tell: Callable[[str], None], done: Callable[[Found], None]) -> None:
        """Fit from the view of now; both are called in the thread of the document."""
        if self._fitting:
            self.fitter.stop.set()
            return
        self._fitting, view, fitter = True, self.view, self.fitter
        then = partial(later, self.document)

        def told(text: str) -> None:
            then(partial(tell, text))

        def work() -> None:
            try:
                found = fitter.fit(view, told)
            except Stopped:
                then(partial(self._ended, partial(tell, "stopped")))
            except Exception as error:
                then(partial(self._ended, partial(tell, html.escape(f"no fit: {error}"[:300]))))
            else:
                then(partial(self._ended, partial(self._fitted, fitter, view, found, told, done)))

        threading.Thread(target=work, daemon=True).start()

    def _ended(self, then: Callable[[], None]) -> None:
        self._fitting = False
        then()

    def _fitted(
        self, fitter: Fitter, view: View, found: Found, tell: Callable[[str], None], done: Callable[[Found], None]
    ) -> None:
        if fitter is not self.fitter:
            tell("stopped")
            return
        self.at(view.at(tuple(map(float, found.result.theta))))
        done(found)

    @property
    def fitting(self) -> bool:
        """Whether a fit goes on."""
        return self._fitting

    def end(self) -> None:
        """The page is closed."""
        self.fitter.stop.set()
        self._fast.end()
        self._slow.end()
