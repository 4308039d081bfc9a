"""A sweep as a table (CSV) and as arrays (NPZ) for simulation-based inference, written part by part."""

import csv
import io
import itertools
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import h5py
import numpy as np

from npp_jax.files.origin import Origin
from npp_jax.files.writing import written_whole
from npp_jax.observe import RECORDED
from npp_jax.physics.checks import expects
from npp_jax.simulation.status import Status
from npp_jax.store.stored import observable, reading_sweep
from npp_jax.sweeping import OBSERVABLES, SweepFileError, SweepResult
from npp_jax.sweeping.profiles import GRID, labels

_ROWS = 4096
"""Candidates that are in memory at once."""


@expects(path=(str, Path), result=SweepResult, target=(str, Path))
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


@expects(path=(str, Path), result=SweepResult, target=(str, Path))
def write_sweep_arrays(path: str | Path, result: SweepResult, target: str | Path, origin: Origin | None = None) -> Path:
    """Write θ, its box, profiles, statuses and the measured data as arrays of NumPy.

    `theta` [candidate, parameter] with `parameters` and the box in which they vary evenly, `low`, `high` and `scale`;
    `status` [candidate], 0 where the simulation is good, and `good`, false where a candidate failed;
    `profile_NAME` [candidate, species, depth] of each experiment with `species_NAME` and `depth_nm_NAME`, before
    sensitivity and background; `measured_NAME`, `sigma_NAME` and `weight_NAME` [species, depth] of what was measured
    there, `below_NAME` [species, depth] where the study has limits of detection, true at points that only tell that
    they are below `measured_NAME`, and `depth_measured_nm_NAME` where these depths are others;
    `record_QUANTITY_NAME` [candidate, point]; `chi2`
    [candidate], infinite where a candidate failed. `training_data` makes more of the same file: noise that is drawn.

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
            for end in ("low", "high", "scale"):
                _add(archive, end, np.array([getattr(parameter, end) for parameter in result.parameters]))
            _add(archive, "status", result.worst)
            _add(archive, "good", result.worst < Status.NOT_CONVERGED)
            _add(archive, "chi2", result.total)
            for label in kept.values():
                species = f"species_{label}"
                depth = GRID if GRID in reader else f"depth_{label}"
                _add(archive, species, np.array(reader.names(species, (species,))))
                _add(archive, f"depth_nm_{label}", reader.array(depth, (depth,)))
                dims = ("candidate", species, depth)
                _add(archive, f"profile_{label}", reader.dataset(f"profile_{label}", dims))
                if f"measured_{label}" in reader:
                    along = f"depth_{label}"
                    if along != depth:
                        _add(archive, f"depth_measured_nm_{label}", reader.array(along, (along,)))
                    for name in ("measured", "sigma", "weight"):
                        _add(archive, f"{name}_{label}", reader.array(f"{name}_{label}", (species, along)))
                    if (below := f"below_{label}") in reader:
                        _add(archive, below, reader.array(below, (species, along)) > 0.0)
            for quantity, label in itertools.product(RECORDED, labels(result.experiments)):
                name = f"record_{quantity}_{label}"
                if name in reader:
                    _add(archive, name, reader.dataset(name, ("candidate", f"point_{quantity}_{label}")))
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
