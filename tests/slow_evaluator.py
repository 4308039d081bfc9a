"""An evaluator that is cheap and slow, and leaves a file when it begins a chunk and one when it has done it."""

import os
import signal
import time
from collections import Counter
from pathlib import Path

import numpy as np

from npp_jax.inference import Parameter
from npp_jax.sweeping import Manifest, Sobol, rows
from npp_jax.sweeping.run import Evaluator

DESIGN = Sobol(64, seed=3, parameters=(Parameter("a", (), 0.0, 1.0), Parameter("b", (), 1.0, 2.0)))
RUN = Manifest("", "0", "float64", 64, 4)


def spans() -> list[tuple[int, int, int]]:
    return [(chunk, *RUN.span(chunk)) for chunk in range(RUN.chunks)]


def is_right(chunk: int, theta: np.ndarray, found: dict[str, np.ndarray]) -> bool:
    """Whether a chunk came back as it was evaluated, its columns exchanged."""
    expected = rows(DESIGN, *RUN.span(chunk))[:, ::-1]
    return np.array_equal(theta, expected) and np.array_equal(found["sum"], expected.sum(axis=1))


class Slow(Evaluator):
    """Adds the parameters, and takes its time; processes whose chunk is `deadly` kill themselves."""

    def __init__(self, folder: Path, deadly: int = -1) -> None:
        self.folder, self.deadly = folder, deadly

    def __reduce__(self) -> tuple:
        return Slow, (self.folder, self.deadly)

    def __call__(self, theta: np.ndarray) -> dict[str, np.ndarray]:
        chunk = int(np.flatnonzero((rows(DESIGN, 0, 64)[:, ::-1] == theta[0]).all(axis=1))[0]) // 4
        (self.folder / f"begun-{chunk}-{os.getpid()}").touch()
        if chunk == self.deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.1)
        (self.folder / f"done-{chunk}-{os.getpid()}").touch()
        return {"sum": theta.sum(axis=1)}


def marks(folder: Path, kind: str) -> Counter[int]:
    """How often each chunk was `begun` or `done`."""
    return Counter(int(path.name.split("-")[1]) for path in folder.glob(f"{kind}-*"))


def killed_at_work(folder: Path) -> int:
    """Wait until some process is in the middle of a chunk, and kill it there."""
    until = time.monotonic() + 60.0
    while time.monotonic() < until:
        done = {path.name.removeprefix("done-") for path in folder.glob("done-*")}
        for path in folder.glob("begun-*"):
            name = path.name.removeprefix("begun-")
            if name not in done:
                process = int(name.split("-")[1])
                os.kill(process, signal.SIGKILL)
                return process
        time.sleep(0.01)
    raise TimeoutError("no process is in the middle of a chunk")
