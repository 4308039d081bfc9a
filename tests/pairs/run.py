"""Run every pair of options through the command line: `make pairs`, some 80 minutes of one core.

Prints one line for each command; ends with exit code 1 if one ended in a traceback or in more than one line.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import experiments
import studies
import tracers
from commands import Outcome, command_of, run_apart
from covering import covering

ROOT = Path(__file__).parents[2]


class Task(NamedTuple):
    """One command."""

    name: str
    arguments: tuple[object, ...]


def main() -> int:
    """Run what the arguments ask for; return the number of faults."""
    makers = {"experiments": _experiments, "studies": _studies, "tracers": _tracers, "shipped": _shipped}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", choices=list(makers), default=list(makers))
    parser.add_argument("--folder", type=Path, help="keep the files here")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="commands at once")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary, ThreadPoolExecutor(given.jobs) as pool:
        folder = given.folder or Path(temporary)
        tasks = [task for kind in given.only for task in makers[kind](folder / kind)]
        outcomes = list(pool.map(_told, tasks))
    faults = sum(bool(outcome.fault) for outcome in outcomes)
    codes = {code: sum(outcome.code == code for outcome in outcomes) for code in (0, 2, 3, 4)}
    print(f"{len(outcomes)} commands: {faults} faults; exit codes {codes}")
    return faults


def _told(task: Task) -> Outcome:
    start = time.perf_counter()
    outcome = run_apart(*task.arguments)
    mark = f"FAULT {outcome.fault}" if outcome.fault else outcome.text
    print(f"{task.name:28} {outcome.code} {time.perf_counter() - start:6.1f} s  {mark}", flush=True)
    return outcome


def _experiments(folder: Path) -> Iterator[Task]:
    rows = [*covering(experiments.OPTIONS), *covering(experiments.OPTIONS, seed=1)[:13]]
    for k, choice in enumerate(rows):
        place = folder / str(k)
        file = experiments.make(choice, place)
        yield Task(f"experiment {k}", ("simulate", file, "--model", choice["model"], "--output", place))


def _studies(folder: Path) -> Iterator[Task]:
    for k, choice in enumerate(covering(studies.OPTIONS)):
        place = folder / str(k)
        file = studies.make(choice, place)
        yield Task(f"study {k} {choice['command']}", (choice["command"], file, "--output", place / "results"))


def _tracers(folder: Path) -> Iterator[Task]:
    for k, choice in enumerate(covering(tracers.OPTIONS)[:24]):
        place = folder / str(k)
        file = tracers.make(choice, place)
        yield Task(f"tracer {k} {choice['kind']}", ("tracer", file, "--output", place))


def _shipped(folder: Path) -> Iterator[Task]:
    for file in sorted((ROOT / "sweeps").glob("*.toml")):
        kind = command_of(file)
        model = ["--model", "full"] if file.stem == "thermal_poling" else []
        yield Task(f"{kind} {file.name}", (kind, file, *model, "--output", folder))


if __name__ == "__main__":
    sys.exit(bool(main()))
