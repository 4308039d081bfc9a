"""Processes of this machine that evaluate chunks: one that dies is told, and another takes its place and its chunk."""

import contextlib
import os
import pickle
import queue
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from npp_jax.sweeping.run import Arrays, SweepStopped
from npp_jax.sweeping.worker import packed

_DEATHS = 3
"""So many processes may die in turn on one chunk: it may be the chunk that kills them."""

_START = "from npp_jax.sweeping.worker import main; main()"


class Processes:
    """An evaluator for as many threads as there are processes; a context manager that ends them.

    Each call takes a process of its own. Processes are started at their first chunk.
    """

    def __init__(self, number: int, evaluator: Callable[[np.ndarray], Arrays], on_fault: Callable[[str], None]) -> None:
        self._content = packed(evaluator)
        self._on_fault = on_fault
        self._free: queue.SimpleQueue[_Process | None] = queue.SimpleQueue()
        for _ in range(number):
            self._free.put(None)
        self._started: list[_Process] = []
        self._closed = False

    def __enter__(self) -> "Processes":
        return self

    def __exit__(self, *_: object) -> None:
        self._closed = True
        for process in self._started:
            process.end()

    def __call__(self, theta: np.ndarray) -> Arrays:
        """Evaluate candidates, shape [candidate, parameter], in a process that is free.

        Raises
        ------
        SweepStopped
            The evaluation failed, or processes die in turn.
        """
        for left in reversed(range(_DEATHS)):
            process = self._free.get()
            try:
                process = process or self._start()
                right, found = process.ask(theta)
            except _Died as death:
                self._free.put(None)
                if not self._closed:
                    self._on_fault(f"{death}{'; another takes its place' if left else ''}")
                continue
            self._free.put(process)
            if not right:
                raise SweepStopped(f"a process failed: {found}; run again to resume")
            return found
        raise SweepStopped(f"{_DEATHS} processes died in turn on one chunk; run again to resume")

    def _start(self) -> "_Process":
        if self._closed:
            raise SweepStopped("the processes have ended")
        try:
            process = _Process()
        except OSError as error:
            raise SweepStopped(f"no process can be started: {error.strerror}; run again to resume") from error
        self._started.append(process)
        process.tell(self._content)
        return process


class _Died(Exception):
    """A process is gone; the message says which and how."""


class _Process:
    """One process and the pipes to it."""

    def __init__(self) -> None:
        # That of this process, also where a program has changed it; not the folder in which it happens to run.
        path = os.pathsep.join(os.path.abspath(folder) for folder in sys.path)
        self._popen = subprocess.Popen(
            [sys.executable, "-P", "-c", _START],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
            # Ctrl-C in a terminal is for the process of the sweep, with which the others end.
            process_group=0 if os.name == "posix" else None,
        )

    def tell(self, message: Any) -> None:
        """Send without waiting for an answer."""
        try:
            assert self._popen.stdin is not None
            pickle.dump(message, self._popen.stdin, pickle.HIGHEST_PROTOCOL)
            self._popen.stdin.flush()
        except (OSError, ValueError):
            raise self._death() from None

    def ask(self, message: Any) -> Any:
        """Send and wait for the answer."""
        self.tell(message)
        try:
            assert self._popen.stdout is not None
            return pickle.load(self._popen.stdout)
        except (OSError, ValueError, EOFError, pickle.UnpicklingError):
            raise self._death() from None

    def _death(self) -> _Died:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(5.0)
        self.end()
        code = self._popen.returncode
        how = f"by signal {-code} ({signal.Signals(-code).name})" if code < 0 else f"with exit code {code}"
        hint = "; memory may be short" if code == -getattr(signal, "SIGKILL", 0) else ""
        return _Died(f"process {self._popen.pid} of the sweep ended {how}{hint}")

    def end(self) -> None:
        """End the process; more than once does no harm."""
        self._popen.kill()
        self._popen.wait()
        for pipe in (self._popen.stdin, self._popen.stdout):
            # What could not be sent is lost, as it should be.
            with contextlib.suppress(OSError):
                assert pipe is not None
                pipe.close()
