"""A sweep as a table (CSV) and as arrays (NPZ) for simulation-based inference, written part by part."""

import csv
import io
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import h5py
import numpy as np

from npp_jax.files.origin import Origin
from npp_jax.files.writing import written_whole
from npp_jax.simulation.status import Status
from npp_jax.sweeping import OBSERVABLES, SweepFileError, SweepResult
from npp_jax.sweeping.profiles import GRID, labels
from npp_jax.sweeping.store.stored import observable, reading_sweep

_ROWS = 4096
"""Candidates that are in memory at once."""


def write_sweep_table(path: str | Path, result: SweepResult, target: str | Path) -> Path:
    """Write one row a candidate: parameters, total χ², status in words, and every observable of each experiment.

    Columns carry their units in their names, and all values of a column are of one type, so that any reader of tables
    takes it as it is and makes Parquet of it.

    Parameters
    ----------
    path, result
        File of a finished sweep, and what `read_sweep` made of it.
    target
        Table; replaced as a whole.
    """
    target = Path(target)
    words = [status.name.lower() for status in Status]
    marks = labels(result.experiments)
    each = [name for name, variable in OBSERVABLES.items() if variable.dims == ("experiment",)]
    with (
        written_whole(target) as temporary,
        reading_sweep(path) as reader,
        temporary.open("w", newline="", encoding="utf-8") as out,
    ):
        table = csv.writer(out, lineterminator="\n")
        table.writerow(
            ["candidate", *result.names, "chi2", "status", "reevaluated_with", *observable_columns(result.experiments)]
        )
        stored = [observable(reader, name, ("experiment",)) for name in each]
        for start, stop in _parts(len(result.theta)):
            found = [np.asarray(data[start:stop]).tolist() for data in stored]
            for k in range(stop - start):
                row = start + k
                own = [result.theta[row].tolist(), [float(result.total[row]), words[result.worst[row]]]]
                values = [found[i][k][e] for e in range(len(marks)) for i in range(len(each))]
                table.writerow([row, *own[0], *own[1], int(result.reevaluated_with[row]), *values])
    return target


def observable_columns(experiments: Sequence[str]) -> list[str]:
    """Names of the columns of all observables, experiment by experiment, with their units."""
    each = {name: variable.units for name, variable in OBSERVABLES.items() if variable.dims == ("experiment",)}
    units = {name: "" if unit == "1" else f"_{unit}".replace(" ", "_").replace("-", "") for name, unit in each.items()}
    return [f"{name}_{mark}{unit}" for mark in labels(experiments) for name, unit in units.items()]


def write_sweep_arrays(path: str | Path, result: SweepResult, target: str | Path, origin: Origin | None = None) -> Path:
    """Write θ, profiles and statuses as arrays of NumPy.

    `theta` [candidate, parameter] with `parameters`; `status` [candidate], 0 where the simulation is good;
    `profile_NAME` [candidate, species, depth] of each experiment with `species_NAME` and `depth_nm_NAME`, before
    sensitivity and background; `chi2` [candidate], infinite where a candidate failed.

    Parameters
    ----------
    path, result
        File of a finished sweep, and what `read_sweep` made of it.
    target
        Arrays; replaced as a whole.
    origin
        Whose the file is.

    Raises
    ------
    SweepFileError
        The sweep kept no profiles.
    """
    target = Path(target)
    with reading_sweep(path, again=True) as reader, written_whole(target) as temporary:
        kept = {
            name: label
            for name, label in zip(result.experiments, labels(result.experiments), strict=True)
            if f"profile_{label}" in reader
        }
        if not kept:
            raise SweepFileError(f"{path}: the sweep kept no profiles; `profiles = true` in [sweep] keeps them")
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            if origin is not None:
                archive.comment = origin.mark(target).encode()
            _add(archive, "theta", result.theta)
            _add(archive, "parameters", np.array(result.names))
            _add(archive, "status", result.worst)
            _add(archive, "chi2", result.total)
            for label in kept.values():
                species = f"species_{label}"
                depth = next(name for name in (GRID, f"depth_{label}") if name in reader)
                _add(archive, species, np.array(reader.names(species, (species,))))
                _add(archive, f"depth_nm_{label}", reader.array(depth, (depth,)))
                dims = ("candidate", species, depth)
                _add(archive, f"profile_{label}", reader.dataset(f"profile_{label}", dims))
    return target


def _add(archive: zipfile.ZipFile, name: str, values: np.ndarray | h5py.Dataset) -> None:
    """One array of the archive, part by part."""
    header = {"descr": np.lib.format.dtype_to_descr(values.dtype), "fortran_order": False, "shape": values.shape}
    with archive.open(f"{name}.npy", "w", force_zip64=True) as out:
        start_of_file = io.BytesIO()
        np.lib.format.write_array_header_2_0(start_of_file, header)
        out.write(start_of_file.getvalue())
        for start, stop in _parts(len(values)):
            out.write(np.ascontiguousarray(values[start:stop]).tobytes())


def _parts(count: int) -> Iterator[tuple[int, int]]:
    for start in range(0, count, _ROWS):
        yield start, min(start + _ROWS, count)
