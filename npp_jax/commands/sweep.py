"""A sweep from its study file to one HDF5 file, with progress: what `npp-jax sweep` does."""

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import jax
import numpy as np
from rich.console import Console

from npp_jax._version import __version__
from npp_jax.commands.progress import progress
from npp_jax.files.study import Study
from npp_jax.fitting import Objective
from npp_jax.simulation.simulate import FAST
from npp_jax.simulation.status import STATUS_ADVICE, Status
from npp_jax.sweeping import (
    OBSERVABLES,
    Manifest,
    Store,
    as_stored,
    best,
    fingerprint,
    parameter_variables,
    read_sweep,
    shared_values,
)
from npp_jax.sweeping.run import Evaluator, SweepStopped, evaluate_chunks, suited_chunk


def run_study(
    study: Study,
    target: Path,
    *,
    force: bool,
    workers: int | None,
    quiet: bool,
    scheduler: str | None = None,
    processes: int | None = None,
) -> Path:
    """Evaluate all candidates of a study that have no result yet, and write the file.

    Parameters
    ----------
    study
        What to evaluate.
    target
        File of the results; chunks are kept beside it, in a folder with the ending .sweep.
    force
        Discard the chunks of another run.
    workers
        Threads; None for one a core.
    quiet
        No progress.
    scheduler
        Address of a dask.distributed scheduler, or its file; its workers evaluate.
    processes
        Number of processes on this machine that evaluate, instead of threads.

    Raises
    ------
    SweepStopped
        The cluster is not there or gave up, or dask.distributed is not installed; finished chunks are kept.
    StoreError
        The results cannot be kept; those of finished chunks are.
    """
    controls = dataclasses.replace(FAST, companion=study.sweep.error_estimate)
    objective, kept = Objective(study.problem, controls, study.sweep.model), study.sweep.kept
    folder = target.with_suffix(".sweep")
    manifest = Manifest(
        configuration=study.text,
        version=__version__,
        dtype=study.sweep.dtype,
        candidates=study.design.size,
        chunk_size=study.sweep.chunk or suited_chunk(study.design.size, len(study.problem.measurements)),
        design=fingerprint(study.design),
    )
    if study.sweep.chunk is None:
        manifest = as_stored(folder, manifest)
    evaluator = Evaluator(objective, manifest.chunk_size, study.sweep.dtype, kept=kept)
    names = [parameter.name for parameter in study.problem.parameters]
    order = [study.design.names.index(name) for name in names]
    with contextlib.ExitStack() as stack:
        store = stack.enter_context(Store.open(folder, manifest, force=force))
        for damaged in store.verify():
            Console(stderr=True).print(f"{damaged}: computed again", highlight=False)
            damaged.path.unlink()
        pending = store.pending()

        def spans() -> Iterator[tuple[int, int, int]]:
            for chunk in pending:
                yield chunk, *manifest.span(chunk)

        if not pending or (scheduler is None and processes is None):
            results = evaluate_chunks(evaluator, study.design, spans(), order=order, workers=workers)
        else:
            connect, evaluate_chunks_on = _cluster()
            client = stack.enter_context(connect(scheduler, processes))
            results = evaluate_chunks_on(client, evaluator, study.design, spans(), order=order)
        done = manifest.candidates - sum(stop - start for _, start, stop in spans())
        with progress(manifest.candidates, done, quiet=quiet) as tell:
            for chunk, theta, found in results:
                store.write(chunk, {**found, **{name: theta[:, k] for k, name in enumerate(names)}})
                tell(len(theta), int((found["status"] != Status.DONE).any(axis=1).sum()))
        store.finish(
            target,
            {**parameter_variables(study.problem.parameters), **OBSERVABLES, **(kept.variables(study.problem) if kept else {})},
            coordinates=shared_values(study.problem) | (kept.coordinates(study.problem) if kept else {}),
            attributes={
                "study": study.title,
                "parameters": names,
                "jax_version": jax.__version__,
                "device": jax.devices()[0].device_kind,
            },
        )
    return target


def summary(path: Path, shown: int = 5) -> tuple[list[str], int, int]:
    """What a finished sweep found, in a few lines; and the numbers of failed and of all candidates."""
    result = read_sweep(path)
    lines = [f"{len(result.theta)} candidates"]
    for value in np.unique(result.worst):
        lines.append(f"  {int((result.worst == value).sum()):8d}  {STATUS_ADVICE[Status(int(value))]}")
    for mark, text in ((1, "finer settings"), (2, "the full model")):
        lines.append(f"  {int((result.again == mark).sum()):8d}  evaluated again with {text}")
    first = best(result, shown, apart=0.0)
    if len(first):
        lines.append("best candidates:")
        rows: list[tuple[str, ...]] = [("candidate", "chi2/point", *result.names)]
        for k in first:
            numbers = (result.total[k] / result.points.sum(), *result.theta[k])
            rows.append((str(k), *(f"{value:.5g}" for value in numbers)))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines += ["  " + "  ".join(text.rjust(w) for text, w in zip(row, widths, strict=True)) for row in rows]
    return lines, int((result.worst >= Status.NOT_CONVERGED).sum()), len(result.theta)


def _cluster():
    """The two functions of `sweep_cluster`, which needs an extra."""
    try:
        from npp_jax.sweeping.cluster import connect, evaluate_chunks_on
    except ImportError as error:
        if not (error.name or "").startswith(("distributed", "dask")):
            raise
        raise SweepStopped(
            "processes and schedulers need the extra 'cluster': pip install 'dask[distributed]'"
        ) from None
    return connect, evaluate_chunks_on
