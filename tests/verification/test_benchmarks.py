"""The scripts of benchmarks/ run by their commands, at sizes that take seconds."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

COMMANDS = {
    "throughput": ("--candidates", "32", "--chunk", "16", "--checked", "0", "--models", "electroneutral"),
    "sweep_scaling": ("--sizes", "64", "--chunk", "32"),
    "observe": (),
    "startup": ("--help",),
    "explorer_latency": ("--help",),
    "draw_results": ("--help",),
    "couple_coverage": ("--replicates", "2"),
    "tracer_coverage": ("--replicates", "2"),
    "ions_cost": ("--batch", "16", "--rounds", "1"),
    "gradients": ("--candidates", "2", "--models", "electroneutral", "--settings", "fast"),
    "input_gradients": ("couple_exponential",),
    "outputs": ("record", "FOLDER/outputs.npz", "--only", "tracer"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_benchmarks_run(name: str, project_root: Path, tmp_path: Path) -> None:
    script = project_root / "benchmarks" / f"{name}.py"
    # Measured as the package runs, not as the tests compile.
    surroundings = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"}
    done = subprocess.run(
        [sys.executable, script, *(word.replace("FOLDER", str(tmp_path)) for word in COMMANDS[name])],
        capture_output=True, text=True, env=surroundings, cwd=project_root, timeout=600, check=False,
    )  # fmt: skip
    # 1 is a target that a small size misses.
    assert done.returncode in (0, 1) and "Traceback" not in done.stderr, done.stderr[-2000:]
    assert done.stdout.strip()
