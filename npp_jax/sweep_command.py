"""A sweep from its study file to one HDF5 file, with progress: what `npp-jax sweep` does."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import h5py
import jax
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

import npp_jax
from npp_jax.fit import Objective
from npp_jax.simulate import FAST
from npp_jax.solver.status import STATUS_ADVICE, Status
from npp_jax.study import Study
from npp_jax.sweep import Coordinate, Manifest, Store, Variable, fingerprint
from npp_jax.sweep.run import Evaluator, evaluate_chunks

_EACH = ("experiment",)

_VARIABLES = {
    "front_depth": Variable("m", "depth of the front", _EACH),
    "front_width": Variable("m", "distance between 16 and 84 % of the front", _EACH),
    "plateau": Variable("1", "native fraction behind the front", _EACH),
    "charge": Variable("C m-2", "charge passed", _EACH),
    "time": Variable("s", "time", _EACH),
    "excess_charge": Variable("1", "excess charge of largest modulus over the bulk density", _EACH),
    "profile_error": Variable("1", "estimated numerical error of the profile", _EACH),
    "status": Variable(
        "1",
        "outcome of the simulation",
        _EACH,
        {"flag_values": [int(s) for s in Status], "flag_meanings": " ".join(s.name.lower() for s in Status)},
    ),
    "misfit": Variable("1", "chi squared of the profile with the best sensitivities and backgrounds", _EACH),
    "again": Variable(
        "1",
        "settings that gave the result",
        (),
        {"flag_values": [0, 1, 2], "flag_meanings": "first_evaluation finer_settings full_model"},
    ),
}


def run_study(study: Study, target: Path, *, force: bool, workers: int | None, quiet: bool) -> Path:
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

    Raises
    ------
    StoreError
        The results cannot be kept; those of finished chunks are.
    """
    controls = dataclasses.replace(FAST, companion=study.sweep.error_estimate)
    evaluator = Evaluator(Objective(study.problem, controls, study.sweep.model), study.sweep.chunk, study.sweep.dtype)
    manifest = Manifest(
        configuration=study.text,
        version=npp_jax.__version__,
        dtype=study.sweep.dtype,
        candidates=study.design.size,
        chunk_size=study.sweep.chunk,
        design=fingerprint(study.design),
    )
    names = [parameter.name for parameter in study.problem.parameters]
    order = [study.design.parameters.index(name) for name in names]
    with Store.open(target.with_suffix(".sweep"), manifest, force=force) as store:
        for damaged in store.verify():
            Console(stderr=True).print(f"{damaged}: computed again", highlight=False)
            damaged.path.unlink()
        with _progress(quiet) as progress:
            task = progress.add_task("compiling", total=manifest.candidates, flagged=0)
            pending = store.pending()
            progress.update(task, completed=manifest.candidates - sum(b - a for a, b in map(manifest.span, pending)))

            def spans() -> Iterator[tuple[int, int, int]]:
                for chunk in pending:
                    yield chunk, *manifest.span(chunk)

            flagged = 0
            for chunk, theta, found in evaluate_chunks(evaluator, study.design, spans(), order=order, workers=workers):
                store.write(chunk, {**found, **{name: theta[:, k] for k, name in enumerate(names)}})
                flagged += int((found["status"] != Status.DONE).any(axis=1).sum())
                progress.update(task, advance=len(theta), description="candidates", flagged=flagged)
        store.finish(
            target,
            {**{name: Variable(_unit(name), f"parameter {name}") for name in names}, **_VARIABLES},
            coordinates={
                "experiment": Coordinate(tuple(m.name for m in study.problem.measurements), "1", "experiment"),
            },
            attributes={
                "study": study.title,
                "parameters": names,
                "jax_version": jax.__version__,
                "device": jax.devices()[0].device_kind,
            },
        )
    return target


def summary(path: Path, best: int = 5) -> tuple[list[str], int, int]:
    """What a finished sweep found, in a few lines; and the numbers of failed and of all candidates."""
    with h5py.File(path) as file:
        names = [str(name) for name in np.asarray(file.attrs["parameters"])]
        status = _values(file, "status").max(axis=1)
        misfit, again = _values(file, "misfit").sum(axis=1), _values(file, "again")
        theta = np.stack([_values(file, name) for name in names], axis=1)
    lines = [f"{len(status)} candidates"]
    for value in np.unique(status):
        lines.append(f"  {int((status == value).sum()):8d}  {STATUS_ADVICE[Status(int(value))]}")
    lines.append(f"  {int((again == 1).sum()):8d}  evaluated again with finer settings")
    lines.append(f"  {int((again == 2).sum()):8d}  evaluated again with the full model")
    usable = np.isfinite(misfit) & (status != Status.NOT_FINITE)
    if usable.any():
        lines.append("best candidates: misfit, " + ", ".join(names))
        for k in np.argsort(np.where(usable, misfit, np.inf))[: min(best, int(usable.sum()))]:
            lines.append(f"  {misfit[k]:12.5g}  " + "  ".join(f"{value:.5g}" for value in theta[k]))
    return lines, int((status >= Status.NOT_CONVERGED).sum()), len(status)


def _values(file: h5py.File, name: str) -> np.ndarray:
    dataset = file[name]
    assert isinstance(dataset, h5py.Dataset)
    return dataset[()]


def _unit(name: str) -> str:
    """Unit at the end of a name of a parameter, if it has one."""
    units = {"eV": "eV", "K": "K", "V": "V", "m2_s": "m2 s-1", "S_m": "S m-1", "um": "um", "m3": "m-3", "s": "s"}
    units |= {"h": "h", "mC_cm2": "mC cm-2", "C_m2": "C m-2", "A_m2": "A m-2"}
    ends = sorted((end for end in units if name.endswith(f"_{end}")), key=len)
    return units[ends[-1]] if ends else "1"


def _progress(quiet: bool) -> Progress:
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[flagged]} flagged"),
        TimeRemainingColumn(),
        console=console,
        disable=quiet or not console.is_terminal,
    )
