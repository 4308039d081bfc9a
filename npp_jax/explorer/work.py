"""Work beside the page: one thread each, the newest wish first; what was wished before and not begun is dropped."""

import atexit
import contextlib
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from bokeh.document import Document

Job = TypeVar("Job")


def later(document: Document, callback: Callable[[], None]) -> None:
    """Have a callback called in the thread of a document; the page may be gone by now."""
    # Bokeh takes a document apart, and does not say so.
    with contextlib.suppress(AttributeError, RuntimeError):
        document.add_next_tick_callback(callback)


class Latest(Generic[Job]):
    """A thread that does the newest job.

    Parameters
    ----------
    work
        Does a job; what it gives back is its own business. What it raises goes to `failed`.
    failed
        Takes what a job raised.
    """

    def __init__(self, work: Callable[[Job], None], failed: Callable[[Exception], None]) -> None:
        self._work, self._failed = work, failed
        self._waiting: list[Job] = []
        self._change = threading.Condition()
        self._ended = False
        # Ends with the program, in the middle of a compilation too.
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        # A compilation that the interpreter leaves behind as it ends would abort it.
        atexit.register(self._finish)

    def ask(self, job: Job) -> None:
        """Do a job as soon as the one in hand is done; one that was waiting is dropped."""
        with self._change:
            self._waiting = [job]
            self._change.notify()

    def end(self) -> None:
        """Begin no further job."""
        with self._change:
            self._ended, self._waiting = True, []
            self._change.notify()
        atexit.unregister(self._finish)

    def _finish(self) -> None:
        self.end()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._waiting or self._ended)
                if self._ended:
                    return
                job = self._waiting.pop()
            try:
                self._work(job)
            except Exception as error:
                self._failed(error)
