"""How far work is, on standard error: a bar in a terminal, plain lines elsewhere; the one way of all commands."""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    # Read with JAX, before which something is to be seen.
    from npp_jax.inference import Iteration

_EVERY = 10.0
"""Time between plain lines [s]."""


Tell = Callable[..., None]
"""`tell(done, note, left)`: how much is done, what is to be said of it, the time left; by the rate, if not given."""


@contextlib.contextmanager
def progress(
    what: str,
    total: int | None = None,
    unit: str = "",
    *,
    done: int = 0,
    compiling: bool = False,
    lines: bool = True,
    quiet: bool = False,
) -> Iterator[Tell]:
    """Show how far some work is while the context lasts.

    Parameters
    ----------
    what
        What is done, in words.
    total, unit
        Of how many, and of what; None where that is not known: then all that is told is shown, and at once.
    done
        How many of them an earlier run left done.
    compiling
        Whether the work begins with a compilation, which is then said until the first news comes.
    lines
        Whether lines are said where there is no terminal.
    quiet
        Show nothing.
    """
    console = Console(stderr=True, markup=False)
    if quiet or not (lines or console.is_terminal):
        yield lambda done=0, note="", left=None: None
    elif console.is_terminal:
        with _bar(console, what, total, done, compiling) as tell:
            yield tell
    else:
        yield _lines(console, what, total, unit, done, compiling)


@contextlib.contextmanager
def _bar(console: Console, what: str, total: int | None, done: int, compiling: bool) -> Iterator[Tell]:
    amount = (SpinnerColumn(),) if total is None else (BarColumn(), MofNCompleteColumn())
    columns = (TextColumn("{task.description}"), *amount, TextColumn("{task.fields[note]}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        begun = f"{what}: compiling" if compiling else what
        task = bar.add_task(begun, total=total, completed=done, note="")
        rest = _left(total, done, compiling)

        def tell(done: int = 0, note: str = "", left: str | None = None) -> None:
            told = ", ".join(part for part in (note, rest(done) if left is None else left) if part)
            bar.update(task, description=what, completed=done, note=told)

        yield tell


def _lines(console: Console, what: str, total: int | None, unit: str, done: int, compiling: bool) -> Tell:
    """One line now, and one in a while as long as it goes on."""

    def say(text: str) -> None:
        console.print(text, highlight=False, soft_wrap=True)

    before = f": {done} of {total} {unit} done before" if done else f": {total} {unit}" if total and unit else ""
    say(f"{what}{before}{'; compiling' if compiling else ''}")
    said, rest = time.monotonic(), _left(total, done, compiling)

    def tell(done: int = 0, note: str = "", left: str | None = None) -> None:
        nonlocal said
        left = rest(done) if left is None else left
        if total is None:
            say(note)
        elif time.monotonic() - said >= _EVERY:
            said = time.monotonic()
            say(", ".join(part for part in (f"{done} of {total} {unit}", note, left) if part))

    return tell


class _Pace:
    """How much is done in a second, from the first news on: before, there may have been a compilation."""

    def __init__(self, done: int) -> None:
        self.first, self.since, self.known = done, time.monotonic(), False

    def __call__(self, done: int) -> float:
        """Rate up to now [1/s]; zero where nothing is done."""
        now = time.monotonic()
        rate = (done - self.first) / max(now - self.since, 1e-9)
        if not self.known and done > self.first:
            self.first, self.since, self.known = done, now, True
        return rate


def _left(total: int | None, before: int, compiling: bool) -> Callable[[int], str]:
    """Time that is left, in words, by the rate up to now; what came with a compilation tells no rate."""
    pace = _Pace(before)

    def rest(done: int) -> str:
        unknown = compiling and not pace.known
        rate = pace(done)
        if total is None or rate <= 0.0 or done >= total or unknown:
            return ""
        return f"{duration((total - done) / rate)} left"

    return rest


def duration(seconds: float) -> str:
    """A time in words: `3 s`, `4 min 10 s`, `2 h 5 min`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes == 0:
        return f"{rest} s"
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


@contextlib.contextmanager
def candidates(what: str, total: int, done: int, *, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """Progress of a sweep; what it gives takes the candidates of a chunk that was done, and how many are flagged."""
    with progress(what, total, "candidates", done=done, compiling=True, quiet=quiet) as tell:
        pace, now, wrong = _Pace(done), done, 0

        def chunk(count: int, flagged: int) -> None:
            nonlocal now, wrong
            now, wrong = now + count, wrong + flagged
            tell(now, f"{wrong} flagged, {pace(now):.0f} per s")

        yield chunk


class Fitting(NamedTuple):
    """What takes the news of a fit."""

    refinement: Tell
    """How far the refinement is."""
    refined: Callable[[str], None]
    """What it found, in one line, which stays whatever comes of the rest."""
    ends: Callable[[int, int], None]
    """How many ends of intervals are found, and of how many."""


@contextlib.contextmanager
def fitting(what: str, total: int | None, unit: str, *, compiling: bool, quiet: bool) -> Iterator[Fitting]:
    """Progress of a refinement, and then of the profile likelihoods behind it."""
    with contextlib.ExitStack() as stack:
        tell = stack.enter_context(progress(what, total, unit, compiling=compiling, quiet=quiet))
        of_ends: Tell | None = None
        known, begun = 0, 0.0

        def refined(text: str) -> None:
            stack.close()
            if not quiet:
                Console(stderr=True, markup=False).print(text, highlight=False, soft_wrap=True)

        def ends(done: int, total: int) -> None:
            nonlocal of_ends, known, begun
            if of_ends is None or total != known:
                stack.close()
                known, begun = total, time.monotonic()
                of_ends = stack.enter_context(progress("profile likelihoods", total, "ends of intervals", quiet=quiet))
            # The last ends take longest: the rate of the first tells no time.
            again = "looking at them from other starts, " if done == total else ""
            of_ends(done, f"{again}{duration(time.monotonic() - begun)} so far", left="")

        yield Fitting(tell, refined, ends)


def evaluating(tell: Tell) -> Callable[["Iteration"], None]:
    """Takes the iterations of a fit from one start, and tells their number, χ² and the time left."""
    return _told(tell, lambda now: now.number)


def refining(tell: Tell) -> Callable[["Iteration"], None]:
    """Takes the iterations of a refinement, and tells the starts that have ended, the best χ² and the time left."""
    return _told(tell, lambda now: int(np.sum(now.ended)))


def _told(tell: Tell, done: Callable[["Iteration"], int]) -> Callable[["Iteration"], None]:
    first, seen = time.monotonic(), -1

    def iteration(now: "Iteration") -> None:
        nonlocal first, seen
        if seen < 0:
            # The first one may have compiled.
            first, seen = time.monotonic(), now.number
        cost = np.asarray(now.cost)
        best = f"best χ² {2.0 * float(cost.min()):.1f}" if np.isfinite(cost).any() else ""
        left = ""
        if now.number > seen:
            each = (time.monotonic() - first) / (now.number - seen)
            left = f"at most {duration(each * (now.limit - now.number))} left"
        tell(done(now), best, left)

    return iteration
