"""A sweep on processes of this machine: what is killed loses nothing, and nothing listens."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import other_account
import pytest
from slow_evaluator import DESIGN, RUN, Slow, is_right, killed_at_work, marks, spans

from npp_jax.sweeping import processes as of_this_machine
from npp_jax.sweeping import worker
from npp_jax.sweeping.processes import Processes
from npp_jax.sweeping.run import SweepStopped, evaluate_chunks

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked up in /proc")


def children() -> list[int]:
    """Processes that this one has started and that still run."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            except OSError:
                continue
            if int(parent) == os.getpid() and state != "Z":
                found.append(int(entry.name))
    return found


def listening(processes: list[int]) -> list[str]:
    """Local addresses of the sockets on which processes listen."""
    inodes = set()
    for process in processes:
        for link in Path(f"/proc/{process}/fd").iterdir():
            try:
                inodes.add(os.readlink(link))
            except OSError:
                continue
    rows = [row.split() for kind in ("tcp", "tcp6") for row in Path(f"/proc/net/{kind}").read_text().splitlines()[1:]]
    names = [row.split() for row in Path("/proc/net/unix").read_text().splitlines()[1:]]
    ports = [row[1] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in inodes]
    return ports + [row[-1] for row in names if len(row) == 8 and f"socket:[{row[6]}]" in inodes]


def entered_by_another_account(folder: Path, processes: list[int]) -> list[str]:
    """What another account achieves, where this one may become another."""
    if os.getuid() != 0:
        return []
    command = [sys.executable, other_account.__file__, folder, *map(str, processes)]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def test_a_killed_process_loses_nothing_and_nobody_is_let_in(tmp_path: Path):
    others, told, handed, heard, entered, killed = children(), [], [], None, None, []
    tmp_path.chmod(0o700)
    killer = threading.Thread(target=lambda: killed.append(killed_at_work(tmp_path)))
    with Processes(2, Slow(tmp_path), told.append) as evaluate:
        for chunk, theta, found in evaluate_chunks(evaluate, DESIGN, iter(spans()), order=[1, 0], workers=2):
            handed.append(chunk)
            assert is_right(chunk, theta, found)
            if chunk == 2:
                own = [child for child in children() if child not in others]
                heard = listening(own)
                entered = entered_by_another_account(tmp_path, own)
                killer.start()
        killer.join()
    assert own and heard == []
    assert entered == []
    assert handed == list(range(RUN.chunks)) and set(marks(tmp_path, "done")) == set(handed)
    hint = "memory may be short; another takes its place"
    assert told == [f"process {killed[0]} of the sweep ended by signal 9 (SIGKILL); {hint}"]
    assert children() == others


@pytest.mark.slow
def test_processes_killed_as_they_start_are_replaced(tmp_path: Path):
    told, others, ended = [], children(), threading.Event()

    def kill() -> None:
        """The first two, within their first second."""
        killed: set[int] = set()
        while len(killed) < 2 and not ended.is_set():
            for process in {*children()} - {*others} - killed:
                os.kill(process, signal.SIGKILL)
                killed.add(process)
            time.sleep(0.02)

    thread = threading.Thread(target=kill)
    thread.start()
    with Processes(2, Slow(tmp_path), told.append) as evaluate:
        found = list(evaluate_chunks(evaluate, DESIGN, iter(spans()[:4]), order=[1, 0], workers=2))
    ended.set()
    thread.join()
    assert [chunk for chunk, _, _ in found] == [0, 1, 2, 3]
    assert all(is_right(*one) for one in found)
    assert len(told) == 2 and all("SIGKILL" in text for text in told)


@pytest.mark.slow
def test_a_chunk_that_kills_its_processes_ends_the_sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(of_this_machine, "_DEATHS", 2)
    told, others = [], children()
    with (
        pytest.raises(SweepStopped, match="2 processes died in turn on one chunk; run again to resume"),
        Processes(1, Slow(tmp_path, deadly=0), told.append) as evaluate,
    ):
        list(evaluate_chunks(evaluate, DESIGN, iter(spans()), order=[1, 0], workers=1))
    assert [text.endswith("; another takes its place") for text in told] == [True, False]
    assert children() == others


def test_a_process_of_another_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """As where the package is replaced while a sweep runs."""
    own = worker.versions()
    monkeypatch.setattr(worker, "versions", lambda: "npp_jax 0.0.0 and jax 0.0.0")
    with (
        Processes(1, Slow(tmp_path), print) as evaluate,
        pytest.raises(SweepStopped, match=f"a new process has {own}, the sweep npp_jax 0.0.0"),
    ):
        list(evaluate_chunks(evaluate, DESIGN, iter(spans()), order=[1, 0], workers=1))
