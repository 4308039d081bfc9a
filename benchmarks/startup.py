"""What a user waits for: whole commands with an empty and with a filled cache of compiled code.

Usage: python benchmarks/startup.py [--repeat N] [--save]

For each command the median over N runs of the wall time, the processor time and the largest memory: `cold` with an
empty cache, `warm` with the cache of a run before. Quote it from an otherwise idle machine.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import record

SWEEPS = Path(__file__).parents[1] / "sweeps"
_FOURTH = """
[[species]]
name = "K"
charge = 1
bulk_fraction = 0.0
[species.diffusivity]
law = "constant"
D_m2_s = 9.7e-22

"""
_THIRD_STAGE = """
[[stages]]
front = "ion-beam"
beam = "K"
temperature_K = 350.0
potential_V = 10.0
charge_mC_cm2 = 4.0
"""


def four_ions(folder: Path) -> Path:
    """Three beams after one another: the shipped experiment of two beams with a third ion and stage."""
    text = (SWEEPS / "double_cait_rubidium_caesium.toml").read_text(encoding="utf-8")
    species, stages = text.split("[[stages]]", 1)
    file = folder / "four_ions.toml"
    file.write_text(f"{species}{_FOURTH}[[stages]]{stages}{_THIRD_STAGE}", encoding="utf-8")
    return file


def run(arguments: list[str], cache: Path) -> tuple[float, float, float]:
    """Wall time [s], processor time [s] and largest memory [MB] of a command."""
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache)}
    environment.pop("JAX_COMPILATION_CACHE_DIR", None)
    command = [sys.executable, "-m", "npp_jax", *arguments]
    start = time.perf_counter()
    child = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in (0, 3):
        raise SystemExit(f"{' '.join(arguments)}: exit code {child.returncode}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024.0


def main() -> None:
    """Time the commands and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=3, help="runs of each kind")
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/startup.json")
    options = parser.parse_args()
    rows = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        commands = {
            "--help": ["--help"],
            "two ions, one stage": ["simulate", str(SWEEPS / "lithium_borate_K.toml")],
            "three ions, two stages": ["simulate", str(SWEEPS / "double_cait_rubidium_caesium.toml")],
            "four ions, three stages": ["simulate", str(four_ions(folder))],
            "fit of the demo": ["fit", str(SWEEPS / "one_distribution.toml")],
        }
        print(f"{'command':26s}{'cache':6s}{'wall / s':>10s}{'processor / s':>15s}{'memory / MB':>13s}", flush=True)
        for title, arguments in commands.items():
            output = [] if title == "--help" else ["--output", str(folder / "results"), "--force"]
            found: dict[str, list[tuple[float, float, float]]] = {"cold": [], "warm": []}
            for k in range(options.repeat):
                cache = folder / f"{len(rows)}_{k}"
                for state in found:
                    found[state].append(run([*arguments, *output], cache))
            for state, runs in found.items():
                wall, processor, memory = (statistics.median(column) for column in zip(*runs, strict=True))
                print(f"{title:26s}{state:6s}{wall:10.2f}{processor:15.2f}{memory:13.0f}", flush=True)
                rows[f"{title}, {state}"] = {"wall_s": wall, "processor_s": processor, "memory_MB": memory}
    if options.save:
        record.save("startup", {"repeat": options.repeat, "commands": rows})


if __name__ == "__main__":
    main()
