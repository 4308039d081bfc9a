"""Results on disk: HDF5 with dimension scales, units and provenance; CSV tables of profiles and trace."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import h5py
import jax
import jax.numpy as jnp
import numpy as np

from npp_jax._version import __version__
from npp_jax.files.errors import ConfigError
from npp_jax.files.origin import Origin, relative_to
from npp_jax.files.writing import readable, written_hdf5, written_whole
from npp_jax.simulation.quantities import REPORT, SOLUTION, TRACE, Quantity
from npp_jax.simulation.solution import Report, Solution, Trace

SCHEMA_VERSION = 1


def write_solution(
    path: str | Path,
    solution: Solution,
    *,
    experiment_text: str = "",
    command: str = "",
    origin: Origin | None = None,
    tables: Iterable[Path] = (),
) -> None:
    """Write a solution to HDF5.

    Parameters
    ----------
    path
        Target; replaced as a whole.
    solution
        Solution of one candidate, without batch axes.
    experiment_text
        Text of the experiment file, kept as provenance.
    command
        Command that made the result, kept as provenance.
    origin
        Whose the file is.
    tables
        Tables that were written with it and are its own.
    """
    with written_hdf5(path, origin) as file:
        file.attrs["tables"] = [relative_to(table, Path(path).parent) for table in tables]
        file.attrs.update(
            schema_version=SCHEMA_VERSION,
            model=solution.model,
            title="npp_jax simulation",
            npp_jax_version=__version__,
            jax_version=jax.__version__,
            numpy_version=np.__version__,
            device=str(jax.devices()[0].device_kind),
            experiment=experiment_text,
            command=readable(command),
        )
        scales = {
            "output": np.arange(len(solution.time)),
            "point": np.arange(solution.depth.shape[1]),
            "face": np.arange(solution.faces.shape[1]),
            "step": np.arange(len(solution.trace.time)),
        }
        for name, values in scales.items():
            file.create_dataset(name, data=values).make_scale(name)
        file.create_dataset("species", data=list(solution.species), dtype=h5py.string_dtype()).make_scale("species")

        def put(name: str, values: np.ndarray | jax.Array, quantity: Quantity) -> None:
            data = file.create_dataset(name, data=np.asarray(values))
            data.attrs.update(units=quantity.units, long_name=quantity.long_name)
            for axis, label in enumerate(quantity.dims):
                data.dims[axis].attach_scale(file[label])
                data.dims[axis].label = label

        for name, quantity in SOLUTION.items():
            put(name, getattr(solution, name), quantity)
        for name, quantity in TRACE.items():
            put(f"trace_{name}", getattr(solution.trace, name), quantity)
        for name, quantity in REPORT.items():
            put(f"report_{name}", np.asarray(getattr(solution.report, name)), quantity)


def read_solution(path: str | Path) -> Solution:
    """Read a solution that `write_solution` wrote.

    Raises
    ------
    ConfigError
        The file is not such a result, in one line.
    """
    try:
        with h5py.File(path, "r") as file:
            if file.attrs.get("schema_version") != SCHEMA_VERSION:
                raise ConfigError(
                    f"{path}: schema_version {file.attrs.get('schema_version')}, this version reads {SCHEMA_VERSION}"
                )
            arrays = {name: jnp.asarray(_values(file, name)) for name in SOLUTION}
            trace = Trace(**{name: jnp.asarray(_values(file, f"trace_{name}")) for name in TRACE})
            fields = {name: _values(file, f"report_{name}") for name in REPORT}
            kept: dict[str, Any] = {name: jnp.asarray(values) for name, values in fields.items()}
            report = Report(**{**kept, "steps": int(fields["steps"]), "cells": int(fields["cells"])})
            species = tuple(name.decode() for name in _values(file, "species"))
            return Solution(species=species, model=str(file.attrs["model"]), trace=trace, report=report, **arrays)
    except (OSError, KeyError):
        missing = None if Path(path).exists() else "no such file"
        raise ConfigError(f"{path}: {missing or 'not a result of `npp-jax simulate` or `npp-jax sweep`'}") from None


def _values(file: h5py.File, name: str) -> np.ndarray:
    return np.asarray(file[name])


def tables_of(path: Path) -> list[Path]:
    """Tables that the file of a solution tells to be its own; none where it cannot be read."""
    try:
        with h5py.File(path) as file:
            return [path.parent / str(name) for name in np.asarray(file.attrs["tables"])]
    except (OSError, KeyError):
        return []


def table_names(directory: Path, outputs: int) -> list[Path]:
    """Tables that `write_csv` makes of a solution with so many output points."""
    return [*(directory / f"profiles_{k + 1}.csv" for k in range(outputs)), directory / "trace.csv"]


def write_csv(directory: str | Path, solution: Solution) -> list[Path]:
    """Write `profiles_<k>.csv` for each output and `trace.csv`; return the paths.

    Columns: depth_nm, one fraction a species, potential_V, field_V_m, excess_charge_fraction; and time_s,
    current_density_A_m2, potential_V, charge_C_m2, front_depth_nm.
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    names = [["depth_nm", *solution.species, "potential_V", "field_V_m", "excess_charge_fraction"]] * len(solution.time)
    columns: list[list[Any]] = [
        [
            solution.depth[k] * 1e9,
            *solution.fraction[k],
            solution.potential[k],
            solution.field[k],
            solution.excess_charge[k],
        ]
        for k in range(len(solution.time))
    ]
    trace = solution.trace
    names.append(["time_s", "current_density_A_m2", "potential_V", "charge_C_m2", "front_depth_nm"])
    columns.append([trace.time, trace.current_density, trace.surface_potential, trace.charge, trace.front_depth * 1e9])
    paths = table_names(directory, len(solution.time))
    for path, header, data in zip(paths, names, columns, strict=True):
        with written_whole(path) as temporary:
            np.savetxt(
                temporary,
                np.column_stack([np.asarray(c) for c in data]),
                "%.10g",
                ",",
                header=",".join(header),
                comments="",
                encoding="utf-8",
            )
    return paths
