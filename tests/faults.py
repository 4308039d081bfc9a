"""Faults in every phase of the commands, and what the next run makes of what they leave: `make faults`, some minutes.

A command is killed (SIGKILL), interrupted (Ctrl-C), met by a disk that takes no more, or loses its worker processes, at
a moment that its own actions name. It must end as it should, and the same command must then end with the bytes of a run
that was left alone. Prints a table; ends with exit code 1 where one of them is not so.
"""

import argparse
import contextlib
import dataclasses
import os
import re
import resource
import runpy
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

STUDY = """
schema_version = 1
title = "faults"
[[experiments]]
name = "K"
file = "lithium_borate_K.toml"
profile = "synthetic/K.csv"
counts_per_fraction = 2000.0
likelihood = { kind = "poisson" }
response = { kind = "dowsett", leading_nm = 0.8, trailing_nm = 2.5, sigma_nm = 1.5 }
[[parameters]]
name = "sed_fwhm_eV"
keys = ["Li.sed_fwhm_eV"]
low = 0.15
high = 0.40
[[parameters]]
name = "D_K_m2_s"
keys = ["K.D_m2_s"]
low = 3e-22
high = 3e-21
scale = "log"
[design]
kind = "sobol"
candidates = 12
seed = 0
[sweep]
chunk = 4
error_estimate = false
profiles = true
[fit]
starts = 2
iterations = 6
"""


@dataclasses.dataclass(frozen=True)
class Moment:
    """When a fault comes: at an event that Python reports to those who audit it, or some time after."""

    event: str
    """`import` of a module, `open` of a file, `os.rename` to a name, `subprocess.Popen`."""
    ending: str
    """How the name ends."""
    delay: float = 0.0
    """Time after the event [s]."""
    room: int = 0
    """Bytes that a file may still have where the disk is full."""


SWEEP = ("sweep", "study.toml", "--output", "out", "--quiet")
PROCESSES = (*SWEEP, "--processes", "2")
FIT = ("fit", "study.toml", "--output", "out", "--quiet")
PLOT = ("plot", "out/study.h5", "--output", "out/figure.png")
SIMULATE = ("simulate", "lithium_borate_K.toml", "--setting", "fast", "--output", "out", "--quiet")
EXPORT = ("export", "out/study.h5", "--csv", "out/table.csv")

PHASES: dict[str, tuple[tuple[str, ...], Moment]] = {
    "start": (SWEEP, Moment("import", "jax._src.core")),
    "evaluation": (SWEEP, Moment("os.rename", "manifest.json", 1.0)),
    "storing": (SWEEP, Moment("open", ".00000001.chunk.part")),
    "stored": (SWEEP, Moment("os.rename", "/00000001.chunk")),
    "assembly": (SWEEP, Moment("open", ".study.h5.part", room=4096)),
    "assembly, later": (SWEEP, Moment("open", ".study.h5.part", 0.004, room=4096)),
    "assembled": (SWEEP, Moment("os.rename", "/study.h5")),
    "report of a sweep": (SWEEP, Moment("open", ".study_sweep_report.md.part")),
    "figures": (PLOT, Moment("open", ".figure_landscape.png.part")),
    "table": (EXPORT, Moment("open", ".table.csv.part")),
    "simulation": (SIMULATE, Moment("open", ".lithium_borate_K.h5.part")),
    "fit": (FIT, Moment("import", "npp_jax.commands.fit.run", 3.0)),
    "report": (FIT, Moment("open", ".study_report.md.part")),
    "figures of a fit": (FIT, Moment("open", ".png.part")),
    "start of workers": (PROCESSES, Moment("subprocess.Popen", Path(sys.executable).name, 0.3)),
    "workers evaluate": (PROCESSES, Moment("subprocess.Popen", Path(sys.executable).name, 3.0)),
    "workers, storing": (PROCESSES, Moment("open", ".00000001.chunk.part")),
    "workers, assembly": (PROCESSES, Moment("open", ".study.h5.part", room=4096)),
}
OWN = re.compile(r"\.[0-9a-f]{8}-[0-9]+-[0-9a-f]{8}\.part$")
"""What the name of a file that is being written tells of its writer."""
TIMES = re.compile(rb"(made|wall time)[^\n]*?(UTC|\d s)\b")
"""When a report was made, and how long its run took."""
WORKERS = b" --processes 2"
"""What the command in a report has more where processes did the work."""

FAULTS = ("kill", "interrupt", "full disk", "dead workers")


def broken(phase: str, fault: str) -> None:
    """Run the command of a phase in this process, with the fault."""
    command, moment = PHASES[phase]
    armed = threading.Event()

    def strike() -> None:
        if fault == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif fault == "interrupt":
            os.kill(os.getpid(), signal.SIGINT)
            # It comes to another thread, which ends the process.
            time.sleep(1.0)
        elif fault == "full disk":
            resource.setrlimit(resource.RLIMIT_FSIZE, (moment.room, resource.RLIM_INFINITY))
        else:
            for process in _children():
                os.kill(process, signal.SIGKILL)

    def audit(event: str, arguments: tuple) -> None:
        if event != moment.event or armed.is_set():
            return
        name = arguments[event == "os.rename"]
        if isinstance(name, (str, os.PathLike)) and OWN.sub(".part", os.fspath(name)).endswith(moment.ending):
            armed.set()
            if moment.delay:
                threading.Timer(moment.delay, strike).start()
            else:
                strike()

    # A shell has the jobs in its background ignore interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.addaudithook(audit)
    sys.argv = ["npp_jax", *command]
    runpy.run_module("npp_jax", run_name="__main__", alter_sys=True)


def _children() -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and (entry / "stat").read_text().rpartition(")")[2].split()[1] == str(os.getpid()):
                found.append(int(entry.name))
    return found


def prepared(folder: Path) -> Path:
    """The files that the commands read."""
    shutil.copytree(ROOT / "sweeps" / "synthetic", folder / "synthetic")
    shutil.copy(ROOT / "sweeps" / "lithium_borate_K.toml", folder)
    (folder / "study.toml").write_text(STUDY, encoding="utf-8")
    return folder


def run(folder: Path, *command: str) -> subprocess.CompletedProcess:
    """Run a program of Python in a folder."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, "MPLBACKEND": "Agg"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def results(folder: Path) -> dict[str, bytes]:
    """What a user finds, times and number of processes in reports apart.

    A `.part` is named only by those that should not be there.
    """
    found = {path.name: path.read_bytes() for path in sorted((folder / "out").glob("*")) if path.is_file()}
    return {
        name: TIMES.sub(b"", content).replace(WORKERS, b"") if "report" in name else content
        for name, content in found.items()
    }


def outcome(phase: str, fault: str, folder: Path, undisturbed: dict[str, bytes]) -> tuple[str, list[str]]:
    """Meet a fault and run again: what was told, and what of it is not as it should be."""
    command, _ = PHASES[phase]
    first = run(folder, str(Path(__file__)), "--broken", phase, fault)
    told = first.stderr.strip().splitlines()
    last, wrong = (told[-1] if told else ""), []
    expected = {"kill": -signal.SIGKILL, "interrupt": 130, "full disk": 2, "dead workers": 0}[fault]
    if first.returncode != expected:
        wrong.append(f"exit code {first.returncode}")
    if phase == "start of workers" and "another takes its place" not in last:
        wrong.append("dead workers are not told")
    if "Traceback" in first.stderr:
        wrong.append("a traceback")
    if fault == "interrupt" and not last.startswith("npp-jax: interrupted"):
        wrong.append("the interrupt is not told")
    if expected == 2 and not (("out/" in last or "out:" in last) and "File too large" in last):
        wrong.append("file and reason are not told")
    for name, content in results(folder).items():
        # The report is written before the figures as well, without their names.
        early = phase == "figures of a fit" and name in ("study_report.md", "study_report.html")
        if not name.endswith(".part") and not early and content != undisturbed[name]:
            wrong.append(f"{name} is left half done")
    again = run(folder, "-m", "npp_jax", *command)
    if again.returncode != 0 or "Traceback" in again.stderr or "Error" in again.stderr:
        wrong.append(f"the next run ends with {again.returncode}: {again.stderr.strip()[-200:]}")
    found = results(folder)
    wrong += [f"{name} differs" for name in found if found[name] != undisturbed.get(name)]
    return last, wrong


def main() -> int:
    """Print the table; return the number of faults that were not survived."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--broken", nargs=2, metavar=("PHASE", "FAULT"), help="run one command with its fault")
    parser.add_argument("--only", nargs="*", metavar="PHASE", choices=PHASES, default=list(PHASES))
    given = parser.parse_args()
    if given.broken:
        broken(*given.broken)
        return 0
    bad = 0
    with tempfile.TemporaryDirectory() as temporary:
        whole = prepared(Path(temporary) / "whole")
        for command in (SWEEP, PLOT, EXPORT, SIMULATE, FIT):
            done = run(whole, "-m", "npp_jax", *command)
            assert done.returncode == 0, done.stderr
        undisturbed = results(whole)
        print(f"{'phase':18} {'fault':12} {'outcome':10} {'last line'}")
        for phase in given.only:
            for fault in FAULTS:
                command, _ = PHASES[phase]
                if (fault == "dead workers") != (command is PROCESSES) and phase != "workers, assembly":
                    continue
                folder = prepared(Path(temporary) / f"{phase} {fault}")
                if command in (PLOT, EXPORT):
                    (folder / "out").mkdir()
                    shutil.copy(whole / "out" / "study.h5", folder / "out")
                last, wrong = outcome(phase, fault, folder, undisturbed)
                bad += bool(wrong)
                print(f"{phase:18} {fault:12} {'; '.join(wrong) or 'same bytes':10} {last}", flush=True)
    return bad


if __name__ == "__main__":
    sys.exit(bool(main()))
