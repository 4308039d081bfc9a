"""A sweep on worker processes, one of which is killed while it works: `python cluster_run.py FOLDER`.

What the workers evaluate is cheap and slow; they leave a file when they begin a chunk and one when they have done it.
Prints how often each chunk was begun, done and handed over, what of it was wrong, and what a worker of another version
is told.
"""

import json
import os
import signal
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

from npp_jax.inference import Parameter
from npp_jax.sweeping import Manifest, Sobol, rows
from npp_jax.sweeping import cluster as sweep_cluster
from npp_jax.sweeping.run import Evaluator, SweepStopped

DESIGN = Sobol(64, seed=3, parameters=(Parameter("a", (), 0.0, 1.0), Parameter("b", (), 1.0, 2.0)))
RUN = Manifest("", "0", "float64", 64, 4)


class Slow(Evaluator):
    """Adds the parameters, and takes its time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple:
        return Slow, (self.folder,)

    def __call__(self, theta: np.ndarray) -> dict[str, np.ndarray]:
        mark = f"{int(np.flatnonzero((rows(DESIGN, 0, 64)[:, ::-1] == theta[0]).all(axis=1))[0]) // 4}-{os.getpid()}"
        (self.folder / f"begun-{mark}").touch()
        time.sleep(0.1)
        (self.folder / f"done-{mark}").touch()
        return {"sum": theta.sum(axis=1)}


def killed_at_work(folder: Path, process: int) -> None:
    """Wait until a process is in the middle of a chunk, and kill it there."""
    while True:
        begun = {path.name.removeprefix("begun-") for path in folder.glob(f"begun-*-{process}")}
        if begun - {path.name.removeprefix("done-") for path in folder.glob(f"done-*-{process}")}:
            os.kill(process, signal.SIGKILL)
            return


def main() -> None:
    folder = Path(sys.argv[1])
    spans = lambda: ((chunk, *RUN.span(chunk)) for chunk in range(RUN.chunks))  # noqa: E731
    with sweep_cluster.connect(None, 2) as client:
        processes, handed, wrong = list(client.run(os.getpid).values()), Counter(), []
        killed = None
        for chunk, theta, found in sweep_cluster.evaluate_chunks_on(
            client, Slow(folder), DESIGN, spans(), order=[1, 0]
        ):
            handed[chunk] += 1
            expected = rows(DESIGN, *RUN.span(chunk))[:, ::-1]
            if not (np.array_equal(theta, expected) and np.array_equal(found["sum"], expected.sum(axis=1))):
                wrong.append(chunk)
            if killed is None and len(handed) == 3:
                killed = processes[0]
                killed_at_work(folder, killed)
        own = sweep_cluster._versions()
        sweep_cluster._versions = lambda: "npp_jax 0.0.0 and jax 0.0.0"
        try:
            list(sweep_cluster.evaluate_chunks_on(client, Slow(folder), DESIGN, spans(), order=[0, 1]))
            told = ""
        except SweepStopped as error:
            told = str(error)
    counts = {kind: Counter(int(p.name.split("-")[1]) for p in folder.glob(f"{kind}-*")) for kind in ("begun", "done")}
    print(json.dumps({**counts, "handed": handed, "wrong": wrong, "own": own, "told": told, "killed": killed}))


if __name__ == "__main__":
    main()
