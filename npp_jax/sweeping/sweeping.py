"""A sweep from a problem and a design to its result, in memory or in a file from which it resumes."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Literal, NamedTuple

import jax
import numpy as np

from npp_jax._compile import own_promotion
from npp_jax._version import __version__
from npp_jax.fitting import Objective, Problem
from npp_jax.physics.checks import expects
from npp_jax.simulation.controls import Controls
from npp_jax.simulation.simulate import FAST
from npp_jax.simulation.solution import Model
from npp_jax.simulation.status import Status
from npp_jax.store.manifest import Manifest
from npp_jax.store.store import Store, StoreMismatch, as_stored
from npp_jax.store.stored import SweepFileError, reading_sweep
from npp_jax.sweeping.description import OBSERVABLES, data_checksum, parameter_variables, shared_values
from npp_jax.sweeping.design.designs import AbstractDesign, fingerprint
from npp_jax.sweeping.processes import Processes
from npp_jax.sweeping.profiles import KeptProfiles
from npp_jax.sweeping.ranking import SweepResult, read_sweep
from npp_jax.sweeping.run import Arrays, Evaluator, SweepStopped, evaluate_chunks, suited_chunk

Tell = Callable[[int, int], None]
"""Takes the candidates of a chunk that was done, and how many of them are flagged."""

Watch = Callable[[int, int], AbstractContextManager[Tell]]
"""Takes the number of candidates and of those that an earlier run left done."""

OnFault = Callable[[str], None]
"""Takes a line that says what is wrong and does not stop the sweep; any thread may call it."""

Dtype = Literal["float64", "float32"]


class Certificates(NamedTuple):
    """Files in PEM format with which this process and a scheduler know each other."""

    ca: str
    """Certificates of those who may sign."""
    cert: str
    """Certificate of this process."""
    key: str | None = None
    """Its private key; by default that in the file of the certificate."""


@dataclasses.dataclass(frozen=True)
class Workers:
    """Who evaluates: threads of this process, other processes, or a cluster; at most one of them is given."""

    threads: int | None = None
    """Threads; by default one for each core on a CPU and one on an accelerator."""
    processes: int | None = None
    """Processes on this machine."""
    scheduler: str | None = None
    """Address of a dask.distributed scheduler, or its file; its workers evaluate."""
    certificates: Certificates | None = None
    """For a scheduler with TLS; by default those in the settings of dask."""


@own_promotion
@expects(problem=Problem, design=AbstractDesign)
def sweep(
    problem: Problem,
    design: AbstractDesign,
    controls: Controls = FAST,
    *,
    model: Model = "electroneutral",
    store: str | Path | None = None,
    dtype: Dtype = "float64",
    chunk: int | None = None,
    profiles: KeptProfiles | None = None,
    title: str = "",
    identity: str | None = None,
    force: bool = False,
    workers: Workers | None = None,
    watch: Watch | None = None,
    on_fault: OnFault | None = None,
) -> SweepResult:
    """Evaluate the candidates of a design against the measured profiles of a problem.

    Parameters
    ----------
    problem
        Experiments, their profiles, and the parameters that vary.
    design
        Candidates: `Sobol(4096, seed=0)`, spread over the ranges of the parameters of the problem.
    controls, model
        Numerical settings and equations.
    store
        File of the results (HDF5); finished chunks lie beside it in a folder with the ending .sweep, from which the
        same call resumes. By default the result stays in memory.
    dtype
        Precision of the first evaluation; candidates in doubt are evaluated again in double precision.
    chunk
        Candidates evaluated at once; by default what suits the device.
    profiles
        Profiles to keep, in the store.
    title
        Title of the result.
    identity
        Text that tells this sweep from another one in the same store; by default made of problem and settings.
    force
        Discard another sweep in the same store.
    workers
        Who evaluates.
    watch, on_fault
        Are told of the progress, and of what is wrong and does not stop the sweep: a damaged chunk, a process that
        died, a cluster without TLS or workers.

    Raises
    ------
    SweepStopped
        The cluster is not there or gave up, or dask.distributed is not installed; finished chunks are kept.
    StoreError
        The results cannot be kept; those of finished chunks are.
    """
    design, workers, watch = design.over(problem.parameters), workers or Workers(), watch or unwatched
    size, names = design.size, design.names
    cut = chunk or suited_chunk(size, len(problem.measurements))
    if profiles is not None and store is None:
        raise ValueError("profiles are kept in a store; give its file")
    objective = Objective(problem, controls, model)
    told = on_fault or (lambda text: None)
    if store is None:
        spans = [(k, first, min(first + cut, size)) for k, first in enumerate(range(0, size, cut))]
        evaluator = Evaluator(objective, cut, dtype)
        parts = []
        with ExitStack() as stack:
            tell = stack.enter_context(watch(size, 0))
            for _, theta, found in _evaluated(evaluator, design, spans, workers, told, stack):
                parts.append((theta, found))
                tell(len(theta), flagged(found))
        return in_memory(problem, parts, title)
    target = Path(store)
    manifest = Manifest(
        configuration=_identity(problem, controls, model, profiles) if identity is None else identity,
        version=__version__,
        dtype=dtype,
        candidates=size,
        chunk_size=cut,
        design=fingerprint(design),
    )
    folder = target.with_suffix(".sweep")
    if chunk is None:
        manifest = as_stored(folder, manifest)
    if not force:
        _check_target(target, manifest)
    evaluator = Evaluator(objective, manifest.chunk_size, dtype, kept=profiles)
    with ExitStack() as stack:
        kept = stack.enter_context(Store.open(folder, manifest, force=force))
        for damaged in kept.verify():
            told(f"{damaged}: computed again")
            damaged.path.unlink()
        spans = [(k, *manifest.span(k)) for k in kept.pending()]
        done = size - sum(stop - start for _, start, stop in spans)
        results = _evaluated(evaluator, design, spans, workers, told, stack)
        with watch(size, done) as tell:
            for number, theta, found in results:
                kept.write(number, {**found, **{name: theta[:, k] for k, name in enumerate(names)}})
                tell(len(theta), flagged(found))
        kept.finish(
            target,
            {
                **parameter_variables(problem.parameters),
                **OBSERVABLES,
                **(profiles.variables(problem) if profiles else {}),
            },
            coordinates=shared_values(problem) | (profiles.coordinates(problem) if profiles else {}),
            attributes={
                "study": title,
                "parameters": list(names),
                "measurements_sha256": data_checksum(problem),
                "jax_version": jax.__version__,
                "device": jax.devices()[0].device_kind,
            },
        )
    # The file holds no keys.
    return dataclasses.replace(read_sweep(target), parameters=problem.parameters)


def _check_target(target: Path, manifest: Manifest) -> None:
    """Refuse to replace the result of another run, or what is no result of a sweep."""
    if not target.exists():
        return
    try:
        with reading_sweep(target) as reader:
            made = (reader.text("configuration"), reader.text("design"))
    except SweepFileError:
        raise StoreMismatch(f"{target}: a file is there that is no result of a sweep; --force replaces it") from None
    differences = manifest.differences(dataclasses.replace(manifest, configuration=made[0], design=made[1]))
    if differences:
        told = "; ".join(differences)
        raise StoreMismatch(f"{target}: holds another run (--force replaces it); what differs: {told}")


def in_memory(problem: Problem, parts: list[tuple[np.ndarray, Arrays]], title: str) -> SweepResult:
    """Result of evaluated chunks: parameters [candidate, parameter] and arrays of each, in order."""
    joined = {
        name: np.concatenate([found[name] for _, found in parts]) for name in ("chi2", "status", "reevaluated_with")
    }
    shared = shared_values(problem)
    return SweepResult(
        title=title,
        parameters=problem.parameters,
        experiments=tuple(m.name for m in problem.measurements),
        points=np.asarray(shared["points"].values),
        censored=np.array([m.censored for m in problem.measurements]),
        expected=np.asarray(shared["expected_chi2"].values),
        data=data_checksum(problem),
        theta=np.concatenate([theta for theta, _ in parts]),
        chi2=joined["chi2"],
        status=joined["status"],
        reevaluated_with=joined["reevaluated_with"],
    )


def _evaluated(
    evaluator: Evaluator,
    design: AbstractDesign,
    spans: list[tuple[int, int, int]],
    workers: Workers,
    on_fault: OnFault,
    stack: ExitStack,
) -> Iterator[tuple[int, np.ndarray, Arrays]]:
    """Results of chunks, by whom the workers are; processes and clients end with the stack."""
    order = list(range(len(design.names)))
    if not spans or (workers.scheduler is None and workers.processes is None):
        return evaluate_chunks(evaluator, design, iter(spans), order=order, workers=workers.threads)
    if workers.scheduler is None:
        number = min(workers.processes or 1, len(spans))
        processes = stack.enter_context(Processes(number, evaluator, on_fault))
        return evaluate_chunks(processes, design, iter(spans), order=order, workers=number)
    try:
        from npp_jax.sweeping.cluster import connect, evaluate_chunks_on
    except ImportError as error:
        if not (error.name or "").startswith(("distributed", "dask")):
            raise
        raise SweepStopped("schedulers need the extra 'cluster': pip install 'dask[distributed]'") from None
    client = stack.enter_context(connect(workers.scheduler, workers.certificates))
    return evaluate_chunks_on(client, evaluator, design, iter(spans), order=order, on_fault=on_fault)


def flagged(found: Arrays) -> int:
    """How many candidates of a chunk have another status than done."""
    return int((found["status"] != Status.DONE).any(axis=1).sum())


@contextlib.contextmanager
def unwatched(total: int, done: int) -> Iterator[Tell]:
    """Tell nobody."""
    yield lambda count, flagged: None


def _identity(problem: Problem, controls: Controls, model: Model, profiles: KeptProfiles | None) -> str:
    """Text of all settings, and a checksum of experiments and profiles."""
    depth = None if profiles is None or profiles.depth is None else profiles.depth.tolist()
    lines = [repr(problem.parameters), repr(controls), model, f"profiles {profiles is not None} {depth}"]
    return "\n".join([*lines, f"measurements sha256 {data_checksum(problem)}"])
