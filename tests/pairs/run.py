"""Run every pair of options through the command line: `make pairs`, an hour or so on two cores.

Prints one line for each file; ends with exit code 1 if one ended in a traceback or in more than one line.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import experiments
import studies
import tracers
from commands import Outcome, command_of, run
from covering import covering

ROOT = Path(__file__).parents[2]


def main() -> int:
    """Run what the arguments ask for; return the number of faults."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", choices=["experiments", "studies", "tracers", "shipped"])
    parser.add_argument("--folder", type=Path, help="keep the files here")
    given = parser.parse_args()
    kinds = given.only or ["experiments", "studies", "tracers", "shipped"]
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        makers = {"experiments": _experiments, "studies": _studies, "tracers": _tracers, "shipped": _shipped}
        outcomes = [outcome for kind in kinds for outcome in makers[kind](folder / kind)]
    faults = sum(bool(outcome.fault) for outcome in outcomes)
    codes = {code: sum(outcome.code == code for outcome in outcomes) for code in (0, 2, 3, 4)}
    print(f"{len(outcomes)} commands: {faults} faults; exit codes {codes}")
    return faults


def _told(name: str, *arguments: object) -> Outcome:
    start = time.perf_counter()
    outcome = run(*arguments)
    mark = f"FAULT {outcome.fault}" if outcome.fault else outcome.text
    print(f"{name:28} {outcome.code} {time.perf_counter() - start:6.1f} s  {mark}", flush=True)
    return outcome


def _experiments(folder: Path):
    rows = [*covering(experiments.OPTIONS), *covering(experiments.OPTIONS, seed=1)[:13]]
    for k, choice in enumerate(rows):
        place = folder / str(k)
        file = experiments.make(choice, place)
        yield _told(f"experiment {k}", "simulate", file, "--model", choice["model"], "--output", place)


def _studies(folder: Path):
    for k, choice in enumerate(covering(studies.OPTIONS)):
        place = folder / str(k)
        file = studies.make(choice, place)
        yield _told(f"study {k} {choice['command']}", choice["command"], file, "--output", place / "results")


def _tracers(folder: Path):
    for k, choice in enumerate(covering(tracers.OPTIONS)[:24]):
        place = folder / str(k)
        yield _told(f"tracer {k} {choice['kind']}", "tracer", tracers.make(choice, place), "--output", place)


def _shipped(folder: Path):
    for file in sorted((ROOT / "sweeps").glob("*.toml")):
        kind = command_of(file)
        model = ["--model", "full"] if file.stem == "thermal_poling" else []
        yield _told(f"{kind} {file.name}", kind, file, *model, "--output", folder)


if __name__ == "__main__":
    sys.exit(bool(main()))
