"""A sweep: chunks of candidates evaluated in parallel, those in doubt evaluated again, all of it stored.

Chunks have a fixed number of candidates and are compiled once. A candidate that fails carries its status; it does not
touch the others.
"""

import dataclasses
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from npp_jax._compile import Program, own_promotion, quick, signature, wide
from npp_jax.fitting import Objective
from npp_jax.simulation.controls import refined
from npp_jax.simulation.simulate import ACCURATE
from npp_jax.simulation.status import RESOLUTION, UNSOLVED, Status
from npp_jax.sweeping.design.designs import AbstractDesign, rows
from npp_jax.sweeping.profiles import KeptProfiles

_AT_ONCE_ON_CPU = 256
_AT_ONCE = 49_152
"""Simulations in a batch: on a CPU what stays in the cache of a core, on an accelerator what keeps it busy."""

_ROOM = 8
"""One candidate in so many is room for in a batch that is evaluated again: unused room costs as much as used."""

Arrays = dict[str, np.ndarray]


class SweepStopped(Exception):
    """The evaluation cannot go on, or cannot begin; the message is one line. Finished chunks are kept."""


def suited_chunk(candidates: int, experiments: int) -> int:
    """How many of the candidates, of so many experiments each, the devices of this machine evaluate best at once."""
    simulations = _AT_ONCE_ON_CPU if jax.default_backend() == "cpu" else _AT_ONCE * jax.local_device_count()
    return min(candidates, max(1, simulations // experiments))


class Evaluator:
    """Evaluates chunks of candidates on all devices of this machine: compiled at its first call, for one size of chunk.

    Each device takes an equal part of a chunk, and no part knows of another.
    """

    def __init__(
        self,
        objective: Objective,
        chunk: int,
        dtype: str,
        *,
        kept: KeptProfiles | None = None,
        mesh: Mesh | None = None,
        screening: bool = False,
    ) -> None:
        """Prepare the evaluation; nothing is compiled yet.

        Parameters
        ----------
        objective
            What is evaluated.
        chunk
            Candidates of a chunk.
        dtype
            Precision of the first evaluation, `float64` or `float32`; candidates in doubt are evaluated again in
            `float64`.
        kept
            Profiles that are among the results.
        mesh
            Devices that share the work, along its one axis `candidate`; by default all of this process.
        screening
            Only χ² and status, none evaluated again: compiled in a third of the time.

        Raises
        ------
        ValueError
            For the full model in single precision.
        """
        if objective.model == "full" and dtype == "float32":
            raise ValueError("dtype = 'float32' does not resolve the currents of the full model; allowed is 'float64'")
        self._made_of = (objective, chunk, dtype, kept)
        self._dtype = np.dtype(dtype)
        self._chunk, self._room = chunk, -(-chunk // _ROOM)
        mesh = Mesh(np.asarray(jax.local_devices()), ("candidate",)) if mesh is None else mesh
        self._parts = NamedSharding(mesh, PartitionSpec("candidate"))

        def compiled(objective: Objective) -> Callable[[jax.Array], dict[str, jax.Array]]:
            @own_promotion
            def evaluate(theta: jax.Array) -> dict[str, jax.Array]:
                solutions = objective.solve(theta)
                found = objective.assess(solutions, theta)._asdict()
                if screening:
                    return {name: found[name] for name in ("chi2", "status")}
                return found | ({} if kept is None else kept.arrays(objective, solutions, theta))

            options = quick() if screening else wide()
            if mesh.size == 1:
                return Program(evaluate, lambda: signature([objective, kept, screening], values=True), options)
            spec = self._parts.spec
            mapped = jax.shard_map(evaluate, mesh=mesh, in_specs=spec, out_specs=spec, check_vma=False)
            return jax.jit(mapped, compiler_options=options)

        self._plain = compiled(objective)
        # Neutrality fails by physics, not by numbers: those candidates need Poisson's equation.
        own = objective.controls
        finer = dataclasses.replace(
            ACCURATE,
            trace=False,
            companion=own.companion,
            profile_target=own.profile_target,
            front_target=own.front_target,
        )
        # What has not converged gives up some accuracy of its cells for it; what is coarse has none to give.
        tries = (
            (RESOLUTION, finer),
            ((Status.COARSE,), refined(finer)),
            (UNSOLVED, dataclasses.replace(refined(finer), robust=True)),
        )
        self._finer = [
            (cured, compiled(dataclasses.replace(objective, controls=settings))) for cured, settings in tries
        ]
        self._full = compiled(dataclasses.replace(objective, controls=finer, model="full"))
        self._screening = screening
        self._may_be_full = objective.model == "electroneutral"

    def __reduce__(self) -> tuple:
        """Compiled code and devices stay where they are: a copy in another process makes its own."""
        return _evaluator, self._made_of

    def __call__(self, theta: np.ndarray) -> Arrays:
        """Evaluate candidates, at most a chunk of them.

        Parameters
        ----------
        theta
            Parameters, shape [candidate, parameter].

        Returns
        -------
        Arrays by name, first axis candidate; `reevaluated_with` is 0 where the first evaluation stands, 1 where finer
        settings replaced it, 2 where the full model did.
        """
        found = self._batch(self._plain, theta, self._chunk, self._dtype)
        found["reevaluated_with"] = np.zeros(len(theta), np.int8)
        if self._screening:
            return found
        for cured, finer in self._finer:
            self._replace(found, theta, np.asarray(np.isin(found["status"], cured).any(axis=1)), finer, 1)
        if self._may_be_full:
            self._replace(found, theta, np.asarray((found["status"] == Status.NOT_NEUTRAL).any(axis=1)), self._full, 2)
        return found

    def _replace(self, found: Arrays, theta: np.ndarray, which: np.ndarray, evaluate: Callable, mark: int) -> None:
        places = np.flatnonzero(which)
        for start in range(0, len(places), self._room):
            part = places[start : start + self._room]
            better = self._batch(evaluate, theta[part], self._room, np.dtype(np.float64))
            # Numbers are not given up for none.
            kept = np.asarray(better["status"] != Status.NOT_FINITE).all(axis=1)
            for name, values in better.items():
                found[name][part[kept]] = values[kept]
            found["reevaluated_with"][part[kept]] = mark

    def _batch(
        self, evaluate: Callable[[jax.Array], dict[str, jax.Array]], theta: np.ndarray, size: int, dtype: np.dtype
    ) -> Arrays:
        """Evaluate with the batch filled up by its first candidate, so that one compilation serves all."""
        whole = size + -size % self._parts.num_devices
        padded = np.concatenate([theta, np.repeat(theta[:1], whole - len(theta), axis=0)]).astype(dtype)
        result = evaluate(jax.device_put(padded, self._parts))
        return {name: np.array(values[: len(theta)]) for name, values in jax.device_get(result).items()}


def _evaluator(objective: Objective, chunk: int, dtype: str, kept: KeptProfiles | None) -> Evaluator:
    return Evaluator(objective, chunk, dtype, kept=kept)


def evaluate_chunks(
    evaluator: Callable[[np.ndarray], Arrays],
    design: AbstractDesign,
    spans: Iterator[tuple[int, int, int]],
    *,
    order: list[int],
    workers: int | None = None,
) -> Iterator[tuple[int, np.ndarray, Arrays]]:
    """Evaluate chunks in several threads and hand them over in order.

    At most two chunks a worker are in flight, so that memory is bounded whatever the number of candidates.

    Parameters
    ----------
    evaluator
        What evaluates a chunk.
    design
        Candidates.
    spans
        Number, first candidate and the one after the last of each chunk.
    order
        Columns of the design in the order of the parameters.
    workers
        Threads; by default one for each core on a CPU and one on an accelerator.

    Yields
    ------
    Number of the chunk, its parameters [candidate, parameter], its results.
    """
    if workers is None:
        workers = (os.cpu_count() or 1) if jax.default_backend() == "cpu" else 1

    def work(start: int, stop: int) -> tuple[np.ndarray, Arrays]:
        theta = rows(design, start, stop)[:, order]
        return theta, evaluator(theta)

    waiting: deque[tuple[int, Future]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for chunk, start, stop in spans:
                waiting.append((chunk, pool.submit(work, start, stop)))
                # The first chunk compiles; others would compile the same.
                if len(waiting) >= 2 * workers or chunk == 0:
                    number, future = waiting.popleft()
                    yield number, *future.result()
            while waiting:
                number, future = waiting.popleft()
                yield number, *future.result()
        finally:
            for _, future in waiting:
                future.cancel()
