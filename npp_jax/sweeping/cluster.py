"""A sweep on the workers of a dask.distributed cluster.

Workers evaluate chunks and hand them back; this process alone writes the store. What a worker had not handed back when
it died is done by another.
"""

import contextlib
import gc
import itertools
import logging
import pickle
import ssl
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
from distributed import Client, Future, KilledWorker, Security, Worker, WorkerPlugin, as_completed, get_worker

from npp_jax._compile import open_to
from npp_jax.sweeping import AbstractDesign, Certificates, rows
from npp_jax.sweeping.run import Arrays, Evaluator, SweepStopped
from npp_jax.sweeping.worker import versions

_PATIENCE = "20s"
"""How long a scheduler may take to answer."""

_LOOK = 5.0
"""Time between two looks at who is there [s]."""


@contextlib.contextmanager
def connect(scheduler: str, certificates: Certificates | None = None) -> Iterator[Client]:
    """Client of a cluster.

    Parameters
    ----------
    scheduler
        Address of a running scheduler, as in `tls://node1:8786`, or the file that it writes, ending in .json.
    certificates
        By default those that the settings of dask name; without any, a scheduler without TLS is spoken to.

    Raises
    ------
    SweepStopped
        No scheduler answers, a certificate cannot be read, or the scheduler does not take it.
    """
    where: Any = {"scheduler_file": scheduler} if scheduler.endswith(".json") else {"address": scheduler}
    if certificates is not None:
        ca, cert, key = _checked(certificates)
        where["security"] = Security(require_encryption=True, tls_ca_file=ca, tls_client_cert=cert, tls_client_key=key)
    client, fault = None, ""
    try:
        client = Client(**where, timeout=_PATIENCE)
    except TypeError:
        fault = f"{scheduler} asks for a certificate"
    except (OSError, ValueError, RuntimeError) as error:
        fault = f"no cluster at {scheduler}: {error}"
    if client is None:
        # A client that did not start closes itself when it is collected; amid the start of another both would wait.
        gc.collect()
        raise SweepStopped(fault)
    # What it meets is raised here as well, without a traceback.
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
    with client:
        yield client


def _checked(certificates: Certificates) -> Certificates:
    """The files, which can all be read."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ca, cert, key = certificates
    name = ca
    try:
        context.load_verify_locations(ca)
        name = cert if key is None else f"{cert} with {key}"
        # A key under a password is refused; it would be asked for again and again.
        context.load_cert_chain(cert, key, password="")
    except OSError as error:
        raise SweepStopped(f"{name}: {error.strerror or error}") from None
    return certificates


def evaluate_chunks_on(
    client: Client,
    evaluator: Evaluator,
    design: AbstractDesign,
    spans: Iterator[tuple[int, int, int]],
    *,
    order: list[int],
    on_fault: Callable[[str], None],
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
    on_fault
        Is told of a cluster without TLS, and each time when no worker is left.

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

    ended = threading.Event()
    assert client.scheduler is not None
    address = client.scheduler.address or ""
    if not address.startswith(("tls:", "wss:")):
        on_fault(f"{address} has no TLS: whoever reaches its port can run code as you, and alter results")
    threading.Thread(target=_watch, args=(client, address, on_fault, ended), daemon=True).start()
    try:
        client.register_plugin(_Prepared(versions(), pickle.dumps((evaluator, design, order))), name=name)
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
        ended.set()
        # A cluster that stays is left as it was found.
        if client.status == "running":
            with contextlib.suppress(Exception):
                client.cancel(list(numbers))
                client.unregister_worker_plugin(name)


def _watch(client: Client, address: str, on_fault: Callable[[str], None], ended: threading.Event) -> None:
    """Say when nobody works, once each time; the sweep goes on with the next worker."""
    alone = False
    while not ended.wait(_LOOK):
        try:
            threads: Any = client.nthreads()
        except Exception:  # the one that waits for results tells what is wrong with the scheduler
            continue
        if not threads and not alone:
            on_fault(f"{address} has no worker; waiting for one")
        alone = not threads


class _Prepared(WorkerPlugin):
    """Gives each worker, also one that joins later, what it evaluates with."""

    def __init__(self, versions: str, content: bytes) -> None:
        self._versions = versions
        self._content = content

    def setup(self, worker: Worker) -> None:
        """Unpack on the worker."""
        if self._versions != versions():
            raise RuntimeError(f"the worker {worker.address} has {versions()}, the sweep {self._versions}")
        cache = jax.config.values["jax_compilation_cache_dir"]
        wrong = open_to(Path(cache).resolve()) if cache and Path(cache).is_dir() else None
        if wrong:
            logging.getLogger("distributed.worker").warning("compiled code is neither kept nor read: %s", wrong)
            jax.config.update("jax_compilation_cache_dir", None)
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
