"""A sweep from its study file to one HDF5 file, with progress: what `npp-jax sweep` does."""

import dataclasses
from pathlib import Path

from rich.console import Console

from npp_jax.commands.progress import candidates
from npp_jax.commands.report.pages import draw_figures, report_files, write_report
from npp_jax.commands.report.provenance import Begun
from npp_jax.commands.sweep_report import shown_figures, sweep_page
from npp_jax.files.origin import ROOM, Origin, check_targets
from npp_jax.files.study import Study
from npp_jax.files.writing import told_earlier, written_together
from npp_jax.simulation.simulate import SETTINGS
from npp_jax.simulation.status import Status
from npp_jax.store.store import stored_manifest
from npp_jax.store.stored import reading_sweep
from npp_jax.sweeping import OBSERVABLES, StoreMismatch, SweepFileError, SweepResult, Workers, sweep


def check_place(study: Study, target: Path, *, force: bool = False) -> None:
    """Refuse, before the work, a result that cannot be written or would replace what the study reads.

    Parameters
    ----------
    study
        What is to be evaluated.
    target
        File of the results; the report lies beside it.
    force
        Replace a report and figures that are not those of this file.

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
    check_targets([*report_files(_stem(target)), *_every_figure(target)], _origin_of_report(study, target), force=force)


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
        The results cannot be kept; those of finished chunks are. Or there is another run, and no `force`.
    """
    stored = _stored(target)
    different = None if force else study.identity.difference(stored, ranges=True)
    if different is not None:
        raise StoreMismatch(f"{target}: holds another run (--force replaces it); what differs: {different}")
    console = Console(stderr=True, markup=False)
    return sweep(
        study.problem,
        study.design,
        dataclasses.replace(SETTINGS[study.sweep.setting], companion=study.sweep.error_estimate, trace=False),
        model=study.sweep.model,
        store=target,
        dtype=study.sweep.dtype,
        chunk=study.sweep.chunk,
        profiles=study.sweep.kept,
        title=study.title,
        identity=study.identity.as_in(stored),
        force=force,
        workers=workers,
        watch=lambda total, done: candidates("sweep", total, done, quiet=quiet),
        on_fault=lambda text: console.print(text, highlight=False, soft_wrap=True),
    )


def _stored(target: Path) -> str:
    """Text of the sweep that is in a place, finished or begun; empty without."""
    try:
        with reading_sweep(target) as reader:
            return reader.text("configuration")
    except SweepFileError:
        pass
    manifest = stored_manifest(target.with_suffix(".sweep"))
    return "" if manifest is None else manifest.configuration


def write_sweep_report(
    study: Study, result: SweepResult, target: Path, begun: Begun, *, figures: bool
) -> tuple[list[Path], list[str]]:
    """Write the report of a sweep beside its file.

    Parameters
    ----------
    study, result, target
        The study, its result and the file of that.
    begun
        What is known of the run from its begin.
    figures
        Whether there are figures.

    Returns
    -------
    Files, the page of HTML first, and a sentence for each figure that could not be drawn.
    """
    stem, origin = _stem(target), _origin_of_report(study, target)
    shown = shown_figures(target, result) if figures else ()
    with written_together():
        drawn = draw_figures(shown, lambda name: _figure(stem, name), origin)
        report = write_report(sweep_page(study, result, drawn.drawn, drawn.lost, begun), stem, origin)
    files = [*report, *drawn.files]
    return files, drawn.lost + told_earlier(_every_figure(target), files)


def _stem(target: Path) -> Path:
    return target.with_name(f"{target.stem}_sweep_report")


def _every_figure(target: Path) -> list[Path]:
    """Figures that the report of a sweep may have."""
    return [_figure(_stem(target), name) for name in ("failures", "landscape", "pairs", "profiles")]


def _figure(stem: Path, name: str) -> Path:
    return stem.with_name(f"{stem.name.removesuffix('_report')}_{name}.png")


def _origin_of_report(study: Study, target: Path) -> Origin:
    """The report is that of the file beside it, whatever study made that."""
    return Origin("sweep", target, reads=(study.path, *study.identity.files.values()))


def failures(result: SweepResult) -> int:
    """Number of candidates without a result that counts."""
    return int((result.worst >= Status.NOT_CONVERGED).sum())
