"""A process that evaluates chunks for another one: parameters on its standard input, results on its standard output.

Nothing listens: the pipes have no name, and no other account of the machine can open them.
"""

import gc
import os
import pickle
import queue
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from npp_jax._compile import mend_cache
from npp_jax._version import __version__

_SETTINGS = (
    "jax_enable_x64",
    "jax_logging_level",
    "jax_compilation_cache_dir",
    "jax_persistent_cache_min_compile_time_secs",
    "jax_persistent_cache_min_entry_size_bytes",
)
"""Settings of JAX that a worker takes over."""


def versions() -> str:
    """What a worker must have in common with the sweep."""
    return f"npp_jax {__version__} and jax {jax.__version__}"


def packed(evaluator: Callable[[np.ndarray], Any]) -> bytes:
    """What the first message of a worker holds: who sends it, the settings, the evaluator."""
    settings = {name: jax.config.values[name] for name in _SETTINGS}
    return pickle.dumps((versions(), settings, gc.get_threshold(), pickle.dumps(evaluator)))


def _unpacked(content: bytes) -> Callable[[np.ndarray], Any]:
    sender, settings, threshold, evaluator = pickle.loads(content)
    if sender != versions():
        raise RuntimeError(f"a new process has {versions()}, the sweep {sender}")
    gc.set_threshold(*threshold)
    # Before unpacking, which would round otherwise.
    for name, value in settings.items():
        jax.config.update(name, value)
    cache = settings["jax_compilation_cache_dir"]
    if cache:
        # What is wrong with it the process of the sweep has told.
        mend_cache(Path(cache), lambda text: None)
    return pickle.loads(evaluator)


def main() -> None:
    """Evaluate what comes until the other process closes the pipe, or ends however it ends."""
    out = os.fdopen(os.dup(1), "wb")
    # What libraries print is not a result.
    os.dup2(2, 1)
    messages: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(messages,), daemon=True).start()
    evaluator = None
    while True:
        try:
            message = messages.get()
            if evaluator is None:
                evaluator = _unpacked(message)
                continue
            answer = True, evaluator(message)
        except Exception as error:
            answer = False, f"{type(error).__name__}: {error}"
        pickle.dump(answer, out, pickle.HIGHEST_PROTOCOL)
        out.flush()


def _listen(messages: "queue.SimpleQueue[Any]") -> None:
    """Hand messages over; end the process with the other one, also in the middle of a chunk."""
    try:
        while True:
            messages.put(pickle.load(sys.stdin.buffer))
    finally:
        os._exit(0)
