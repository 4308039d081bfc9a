"""A small run of the store as a program of its own, to be killed and starved: `python sweep_run.py COMMAND FOLDER`.

`random`   kill the run at random moments until it is done
`steps`    kill it before each of its calls of the operating system in turn, and resume it
`heard`    raise from a handler of signals at random moments while the final file is made
`full`     fill a file system of its own until it is full, enlarge it, resume
`hold`     keep the store open until killed, with a worker that outlives it
"""

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

if __name__ == "__main__":
    # The store alone, without JAX and SciPy: it starts fast, and forks a hundred times as fast.
    root = Path(__file__).resolve().parents[1]
    for name in ("npp_jax", "npp_jax.sweeping", "npp_jax.store"):
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__path__ = [str(root / name.replace(".", "/"))]

from npp_jax.store.assemble import Coordinate, Variable
from npp_jax.store.disk import StoreError, StoreFull
from npp_jax.store.manifest import Manifest
from npp_jax.store.store import Store

VARIABLES = {
    "fraction": Variable("1", "fraction of bulk", ("species", "depth")),
    "front_depth": Variable("m", "depth of the front"),
    "status": Variable("1", "how the simulation ended", attributes={"flag_meanings": "done failed"}),
    "trace": Variable("V", "potential", ("step",)),
}
COORDINATES = {
    "species": Coordinate(("Li", "K"), "1", "mobile ion"),
    "depth": Coordinate(np.linspace(0.0, 1e-7, 5), "m", "depth"),
}
TORN = {"write", "pwrite"}
CALLS = ("open", "write", "pwrite", "fsync", "close", "ftruncate", "mkdir", "replace", "unlink")


def manifest(candidates: int, chunk_size: int) -> Manifest:
    return Manifest("[sample]\nthickness_um = 500.0", "0.1.0", "float64", candidates, chunk_size, design="f00d")


def arrays(run: Manifest, chunk: int) -> dict[str, np.ndarray]:
    """Results of a chunk: the same each time, with values that a careless copy would change."""
    start, stop = run.span(chunk)
    rng = np.random.default_rng(chunk)
    front = rng.random(stop - start)
    front[0] = (np.nan, np.inf, -0.0)[chunk % 3]
    return {
        "fraction": rng.random((stop - start, 2, 5)),
        "front_depth": front.astype(np.float32),
        "status": rng.integers(0, 2, stop - start, np.int32),
        "trace": rng.random((stop - start, 3)),
    }


def finish(store: Store, target: Path) -> None:
    store.finish(target, VARIABLES, coordinates=COORDINATES, attributes={"device": "cpu"})


def complete(folder: Path, run: Manifest, moments: Iterator[None] | None = None) -> None:
    """Start or resume the run and bring it to its end; `moments` is advanced before each chunk and the final file."""
    moments = itertools.repeat(None) if moments is None else moments
    with Store.open(folder / "run.sweep", run) as store:
        for chunk in store.pending():
            next(moments)
            store.write(chunk, arrays(run, chunk))
        next(moments)
        finish(store, folder / "out.h5")


def forked(work: Callable[[], None]) -> int:
    """Process that does `work` and ends."""
    process = os.fork()
    if process == 0:
        try:
            work()
            os._exit(0)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
    return process


def killed(process: int) -> bool:
    """Whether the process was killed; it must not have failed."""
    status = os.waitpid(process, 0)[1]
    if os.WIFSIGNALED(status):
        return os.WTERMSIG(status) in (signal.SIGKILL, signal.SIGALRM)
    if os.WEXITSTATUS(status):
        sys.exit("a run failed")
    return False


def kill_at_random(folder: Path, run: Manifest, seed: int) -> None:
    """Kill after some more chunks, at any moment of the next two; then a few times while the final file is made.

    A process sets the clock for its own end, so that a busy machine cannot let it run past that moment. The clock
    counts in the time that a chunk takes, as disks differ a hundredfold.
    """
    rng, left = random.Random(seed), []

    def pending() -> int:
        return run.chunks - len(list(folder.glob("run.sweep/*.chunk")))

    def dying(chunks: int, part: float) -> None:
        def armed() -> Iterator[None]:
            times = [time.perf_counter()]
            for _ in range(chunks):
                yield
                times.append(time.perf_counter())
            chunk = min(np.diff(times), default=0.05)
            signal.setitimer(signal.ITIMER_REAL, max(part * chunk, 1e-6))
            yield from itertools.repeat(None)

        complete(folder, run, armed())

    finishing = 4
    while finishing:
        chunks = rng.randint(3, 12) if pending() else 0  # The first write of a process is slow.
        finishing -= not pending()
        part = rng.uniform(0.0, 2.0)
        if killed(forked(lambda: dying(chunks, part))):  # noqa: B023
            left.append(pending())
    killed(forked(lambda: complete(folder, run)))
    print(json.dumps(left))


def _dying_at(step: int, work: Callable[[], None]) -> None:
    """Do `work`, but die before the call of that number; of what was to be written, half is."""
    seen = 0

    def wrap(name: str) -> None:
        plain = getattr(os, name)

        def call(*arguments, **options):
            nonlocal seen
            seen += 1
            if seen > step:
                if name in TORN:
                    plain(arguments[0], memoryview(arguments[1])[: len(arguments[1]) // 2], *arguments[2:])
                os.kill(os.getpid(), signal.SIGKILL)
            return plain(*arguments, **options)

        setattr(os, name, call)

    for name in CALLS:
        wrap(name)
    work()


def kill_at_each_step(folder: Path, run: Manifest) -> None:
    # Waiting for the disk changes nothing for a process that is killed while the machine runs on.
    os.fsync = lambda descriptor: None
    results = set()
    # The store takes the first fifty; then HDF5 writes piece after piece.
    for step in (*range(60), *range(60, 10_000, 5)):
        place = folder / str(step)
        place.mkdir()
        if not killed(forked(lambda at=place, n=step: _dying_at(n, lambda: complete(at, run)))):
            break
        half = place / "out.h5"
        results.add(half.read_bytes() if half.exists() else None)
        killed(forked(lambda at=place: complete(at, run)))
        results.add(half.read_bytes())
        left = sorted(path.name for path in place.rglob("*.part"))
        if left:
            sys.exit(f"step {step} leaves {left}")
    results.discard(None)
    (folder / "out.h5").write_bytes(results.pop())
    print(json.dumps([step, 1 + len(results)]))


def interrupt_at_random(folder: Path, run: Manifest, seed: int) -> None:
    """Raise where a keyboard interrupt would, and leave the final file away or whole each time."""
    rng, target, ends = random.Random(seed), folder / "out.h5", {"raised": 0, "whole": 0}
    complete(folder, run)
    whole = target.read_bytes()
    with Store.open(folder / "run.sweep", run) as store:
        started = time.perf_counter()
        finish(store, target)
        longest = time.perf_counter() - started

        def heard(number: int, frame: types.FrameType | None) -> None:
            raise KeyboardInterrupt

        signal.signal(signal.SIGALRM, heard)
        for _ in range(40):
            target.unlink(missing_ok=True)
            try:
                signal.setitimer(signal.ITIMER_REAL, rng.uniform(1e-4, 1.1 * longest))
                finish(store, target)
                signal.setitimer(signal.ITIMER_REAL, 0.0)
            except KeyboardInterrupt:
                ends["raised"] += 1
            if target.exists():
                ends["whole"] += 1
                if target.read_bytes() != whole:
                    sys.exit("the file is another")
    print(json.dumps(ends))


def fill_the_disk(folder: Path, run: Manifest) -> None:
    try:
        complete(folder, run)
        print("-1 no error", flush=True)
    except StoreFull as error:
        print(f"{len(list(folder.glob('run.sweep/*.chunk')))} {error}", flush=True)
    subprocess.run(["mount", "-o", "remount,size=20m", str(folder)], check=True)
    complete(folder, run)
    sys.stdout.buffer.write((folder / "out.h5").read_bytes())


def hold(folder: Path, run: Manifest) -> None:
    store = Store.open(folder / "run.sweep", run)
    reader, writer = os.pipe()

    def work() -> None:
        try:
            store.write(0, arrays(run, 0))
            os.write(writer, b"written")
        except StoreError as error:
            os.write(writer, str(error).encode())
        time.sleep(60.0)

    worker = forked(work)
    print(json.dumps([worker, os.read(reader, 1000).decode()]), flush=True)
    time.sleep(60.0)


if __name__ == "__main__":
    command, place = sys.argv[1], Path(sys.argv[2])
    if command == "random":
        kill_at_random(place, manifest(240, 4), int(sys.argv[3]))
    elif command == "steps":
        kill_at_each_step(place, manifest(3, 2))
    elif command == "heard":
        interrupt_at_random(place, manifest(4000, 50), int(sys.argv[3]))
    elif command == "full":
        fill_the_disk(place, manifest(4000, 250))
    elif command == "hold":
        hold(place, manifest(5, 2))
