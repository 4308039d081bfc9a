"""A sweep on the processes or machines of a dask.distributed cluster.

Workers evaluate chunks and hand them back; this process alone writes the store. What a worker had not handed back when
it died is done by another.
"""

import contextlib
import itertools
import pickle
import threading
import uuid
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
from distributed import Client, Future, KilledWorker, LocalCluster, Worker, WorkerPlugin, as_completed, get_worker

from npp_jax._version import __version__
from npp_jax.sweeping import AbstractDesign, rows
from npp_jax.sweeping.run import Arrays, Evaluator, SweepStopped

_PATIENCE = "20s"
"""How long a scheduler may take to answer."""


@contextlib.contextmanager
def connect(scheduler: str | None, processes: int | None) -> Iterator[Client]:
    """Client of a cluster.

    Parameters
    ----------
    scheduler
        Address of a running scheduler, as in `tcp://node1:8786`, or the file that it writes, ending in .json.
    processes
        Without a scheduler: number of processes of a cluster on this machine, which ends with the context.

    Raises
    ------
    SweepStopped
        No scheduler answers.
    """
    with contextlib.ExitStack() as stack:
        try:
            if scheduler is None:
                # Compiled code is shared through the cache of this process.
                cache = jax.config.values["jax_compilation_cache_dir"]
                cluster = LocalCluster(
                    n_workers=processes,
                    threads_per_worker=1,
                    dashboard_address=":0",
                    # Chunks are small, and the compiler is not to be stopped half-way.
                    memory_limit=0,
                    env={"JAX_COMPILATION_CACHE_DIR": cache} if cache else None,
                )
                client = Client(stack.enter_context(cluster), timeout=_PATIENCE)
            elif scheduler.endswith(".json"):
                client = Client(scheduler_file=scheduler, timeout=_PATIENCE)
            else:
                client = Client(scheduler, timeout=_PATIENCE)
        except (OSError, ValueError) as error:
            raise SweepStopped(f"no cluster at {scheduler or 'this machine'}: {error}") from None
        yield stack.enter_context(client)


def evaluate_chunks_on(
    client: Client,
    evaluator: Evaluator,
    design: AbstractDesign,
    spans: Iterator[tuple[int, int, int]],
    *,
    order: list[int],
) -> Iterator[tuple[int, np.ndarray, Arrays]]:
    """Evaluate chunks on all workers and hand them over as they come; otherwise as `evaluate_chunks`.

    At most two chunks a thread of the workers are in flight. Workers that join later take part.

    Parameters
    ----------
    client
        Client of the cluster.
    evaluator
        What evaluates a chunk; each worker makes its own of it, for its own devices.
    design
        Candidates.
    spans
        Number, first candidate and the one after the last of each chunk.
    order
        Columns of the design in the order of the parameters.

    Yields
    ------
    Number of the chunk, its parameters [candidate, parameter], its results.

    Raises
    ------
    SweepStopped
        A worker has other versions, the scheduler is gone, or workers die again and again on one chunk.
    """
    name = f"npp_jax-{uuid.uuid4().hex}"
    numbers: dict[Future, int] = {}
    running = as_completed()

    def fill() -> None:
        threads: Any = client.nthreads()
        free = max(2, 2 * sum(threads.values())) - len(numbers)
        for number, start, stop in itertools.islice(spans, max(0, free)):
            future = client.submit(_evaluate, name, start, stop, key=f"{name}-{number}", pure=False)
            numbers[future] = number
            running.add(future)

    try:
        client.register_plugin(_Prepared(_versions(), pickle.dumps((evaluator, design, order))), name=name)
        fill()
        for future in running:
            number = numbers.pop(future)
            yield number, *future.result()
            fill()
    except KilledWorker:
        raise SweepStopped("workers died again and again on one chunk; run again to resume") from None
    except Exception as error:
        raise SweepStopped(f"the cluster gave up: {error or type(error).__name__}; run again to resume") from error
    finally:
        # A cluster that stays is left as it was found.
        if client.status == "running":
            with contextlib.suppress(Exception):
                client.cancel(list(numbers))
                client.unregister_worker_plugin(name)


class _Prepared(WorkerPlugin):
    """Gives each worker, also one that joins later, what it evaluates with."""

    def __init__(self, versions: str, content: bytes) -> None:
        self._versions = versions
        self._content = content

    def setup(self, worker: Worker) -> None:
        """Unpack on the worker."""
        if self._versions != _versions():
            raise RuntimeError(f"the worker {worker.address} has {_versions()}, the sweep {self._versions}")
        # The process is the worker's own; before unpacking, which would round otherwise.
        jax.config.update("jax_enable_x64", True)
        self._evaluator, self._design, self._order = pickle.loads(self._content)
        self._first, self._compiled = threading.Lock(), False

    def evaluate(self, start: int, stop: int) -> tuple[np.ndarray, Arrays]:
        """Evaluate candidates; the first call compiles, while other threads wait."""
        theta = rows(self._design, start, stop)[:, self._order]
        with contextlib.nullcontext() if self._compiled else self._first:
            found = self._evaluator(theta)
        self._compiled = True
        return theta, found


def _evaluate(name: str, start: int, stop: int) -> tuple[np.ndarray, Arrays]:
    plugin = get_worker().plugins[name]
    assert isinstance(plugin, _Prepared)
    return plugin.evaluate(start, stop)


def _versions() -> str:
    return f"npp_jax {__version__} and jax {jax.__version__}"
