"""A sweep on all devices, as a program of its own: their number is fixed when JAX starts.

`python devices_run.py STUDY FILE` evaluates the candidates of a study and keeps profiles at 30, 60, … nm; it writes
the arrays and the shapes of all batches that were traced.
"""

import dataclasses
import sys

import jax
import numpy as np

from npp_jax.files.study import load_study
from npp_jax.fitting import Objective
from npp_jax.simulation.controls import Controls
from npp_jax.sweeping import KeptProfiles, rows
from npp_jax.sweeping.run import Evaluator

COARSE = Controls(cells_behind=40, cells_ahead=16, steps=6, iterations=2, tolerance=0.0, trace=False, companion=False)
DEPTHS = np.arange(30.0, 301.0, 30.0)
CHUNK = 8


def main() -> None:
    jax.config.update("jax_enable_x64", True)
    study = load_study(sys.argv[1])
    traces: list[tuple[int, ...]] = []

    @dataclasses.dataclass(frozen=True)
    class Counted(Objective):
        def solve(self, theta):
            traces.append(theta.shape)
            return super().solve(theta)

    evaluator = Evaluator(Counted(study.problem, COARSE), CHUNK, "float64", kept=KeptProfiles(DEPTHS))
    # What is done again is compiled apart, and not looked at here.
    evaluator._replace = lambda *arguments: None
    size = study.design.size
    parts = [evaluator(rows(study.design, k, min(k + CHUNK, size))) for k in range(0, size, CHUNK)]
    found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    np.savez(sys.argv[2], devices=len(jax.local_devices()), traces=traces, **found)


if __name__ == "__main__":
    main()
