"""A sweep from its study file to one HDF5 file, with progress: what `npp-jax sweep` does."""

import dataclasses
from pathlib import Path

from rich.console import Console

from npp_jax.commands.progress import progress
from npp_jax.files.origin import ROOM, Origin, check_targets
from npp_jax.files.study import Study
from npp_jax.simulation.simulate import FAST
from npp_jax.simulation.status import Status
from npp_jax.sweeping import OBSERVABLES, SweepResult, Workers, sweep


def check_place(study: Study, target: Path) -> None:
    """Refuse, before the work, a result that cannot be written or would replace what the study reads.

    Raises
    ------
    ConfigError
        The file is read, or is a folder.
    OSError
        Its folder cannot be written, or has no room.
    """
    # Another sweep in the place is known by what it is made of, not by where its study lay: the store looks at that.
    origin = Origin("sweep", study.path, reads=tuple(study.identity.files.values()))
    check_targets([target], origin, force=True, room=max(ROOM, _room(study, target)))


def _room(study: Study, target: Path) -> int:
    """Bytes that a sweep needs beside what it has: its chunks, and the file of results, compressed to half of them."""
    measurements = study.problem.measurements
    row = 8 * (len(study.problem.parameters) + len(OBSERVABLES) * len(measurements))
    grid = study.sweep.profile_grid
    for measurement in measurements if study.sweep.profiles else ():
        profile = measurement.profile
        if grid is not None:
            row += 4 * grid.points * len(measurement.experiment.species)
        elif profile is not None:
            row += 4 * profile.fraction.size
    whole = row * study.design.size
    chunks = target.with_suffix(".sweep").glob("*.chunk")
    return max(0, whole - sum(chunk.stat().st_size for chunk in chunks)) + whole // 2


def run_study(study: Study, target: Path, *, force: bool, workers: Workers, quiet: bool) -> SweepResult:
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
        Who evaluates.
    quiet
        No progress.

    Raises
    ------
    SweepStopped
        The cluster is not there or gave up, or dask.distributed is not installed; finished chunks are kept.
    StoreError
        The results cannot be kept; those of finished chunks are.
    """
    console = Console(stderr=True, markup=False)
    return sweep(
        study.problem,
        study.design,
        dataclasses.replace(FAST, companion=study.sweep.error_estimate),
        model=study.sweep.model,
        store=target,
        dtype=study.sweep.dtype,
        chunk=study.sweep.chunk,
        profiles=study.sweep.kept,
        title=study.title,
        identity=study.identity.text,
        force=force,
        workers=workers,
        watch=lambda total, done: progress(total, done, quiet=quiet),
        on_fault=lambda text: console.print(text, highlight=False, soft_wrap=True),
    )


def failures(result: SweepResult) -> int:
    """Number of candidates without a result that counts."""
    return int((result.worst >= Status.NOT_CONVERGED).sum())
