"""How far a sweep is: a bar in a terminal, plain lines elsewhere."""

import contextlib
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

_EVERY = 30.0
"""Time between plain lines [s]."""

Tell = Callable[[int, int], None]
"""Takes the candidates of a chunk that was done, and how many of them are flagged."""


@contextlib.contextmanager
def progress(total: int, done: int, *, quiet: bool) -> Iterator[Tell]:
    """Show progress on standard error while the context lasts.

    Parameters
    ----------
    total, done
        Number of candidates, and of those that an earlier run left done.
    quiet
        Show nothing.
    """
    console = Console(stderr=True, markup=False)
    if quiet:
        yield lambda count, flagged: None
    elif console.is_terminal:
        columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[flagged]} flagged"), _Rate())
        with Progress(TextColumn("{task.description}"), *columns, TimeRemainingColumn(), console=console) as bar:
            task = bar.add_task("compiling", total=total, completed=done, flagged=0)

            def tell(count: int, flagged: int) -> None:
                flagged += bar.tasks[0].fields["flagged"]
                bar.update(task, advance=count, description="candidates", flagged=flagged)

            yield tell
    else:
        yield _lines(console, total, done)


class _Rate(ProgressColumn):
    """Candidates per second."""

    def render(self, task: Task) -> Text:
        """One cell of the bar."""
        return Text(f"{task.speed:.0f} per s" if task.speed else "")


def _lines(console: Console, total: int, done: int) -> Tell:
    """One line now, and one in half a minute as long as it goes on."""
    console.print(f"{done} of {total} candidates done before; compiling", highlight=False, soft_wrap=True)
    first, said, now, wrong = time.monotonic(), time.monotonic(), 0, 0

    def tell(count: int, flagged: int) -> None:
        nonlocal said, now, wrong
        now, wrong = now + count, wrong + flagged
        passed = time.monotonic() - first
        if time.monotonic() - said < _EVERY:
            return
        said = time.monotonic()
        rate = now / passed
        left = (total - done - now) / rate
        text = f"{done + now} of {total} candidates, {wrong} flagged, {rate:.0f} per s, {left / 60.0:.0f} min left"
        console.print(text, highlight=False, soft_wrap=True)

    return tell
