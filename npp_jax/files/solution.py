"""Results on disk: HDF5 with dimension scales, units and provenance; CSV tables of profiles and trace."""

import contextlib
import hashlib
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import jax.numpy as jnp
import numpy as np

from npp_jax.files.errors import ConfigError
from npp_jax.files.origin import Origin, relative_to
from npp_jax.files.stored import written_result
from npp_jax.files.writing import write_text
from npp_jax.physics.checks import expects
from npp_jax.simulation.numbers import solution_of
from npp_jax.simulation.quantities import REPORT, SOLUTION, TRACE, Quantity
from npp_jax.simulation.solution import Model, Solution
from npp_jax.simulation.status import Status
from npp_jax.store.arrays import Array
from npp_jax.store.reading import FileFault, Reader, reading
from npp_jax.text.errors import shorten
from npp_jax.text.opened import read_bytes

SCHEMA_VERSION = 1
TITLE = "npp_jax simulation"


@expects(path=(str, Path), solution=Solution)
def write_solution(
    path: str | Path,
    solution: Solution,
    *,
    experiment_text: str = "",
    command: str = "",
    origin: Origin | None = None,
    tables: Mapping[Path, str] | None = None,
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
        Tables that are its own, with the checksums of what they hold.
    """
    arrays = {
        **{name: _described(getattr(solution, name), quantity) for name, quantity in SOLUTION.items()},
        **{f"trace_{name}": _described(getattr(solution.trace, name), quantity) for name, quantity in TRACE.items()},
        **{f"report_{name}": _described(getattr(solution.report, name), quantity) for name, quantity in REPORT.items()},
        "species": Array(list(solution.species), "1", "name of a species", ("species",)),
    }
    with written_result(
        path,
        TITLE,
        SCHEMA_VERSION,
        arrays,
        scales={"output": "time", "step": "trace_time"},
        origin=origin,
        model=solution.model,
        experiment=experiment_text,
        command=command,
        tables=[relative_to(table, Path(path).parent) for table in tables or {}],
        tables_sha256=list((tables or {}).values()),
    ):
        pass


def _described(values: Any, quantity: Quantity) -> Array:
    """An array of a solution; where it lies in the sample goes with it."""
    own = {"point": "depth", "face": "faces"}.get(quantity.dims[-1] if quantity.dims else "", "")
    places = {} if not own or quantity in (SOLUTION["depth"], SOLUTION["faces"]) else {"coordinates": own}
    return Array(np.asarray(values), quantity.units, quantity.long_name, quantity.dims, places)


def read_solution(path: str | Path) -> Solution:
    """Read a solution that `write_solution` wrote.

    Raises
    ------
    ConfigError
        The file is not such a result, or not as it was written, in one line.
    """
    with reading_solution(path) as reader:
        report = {name: _values(reader, f"report_{name}", quantity, False) for name, quantity in REPORT.items()}
        if not 0 <= int(report["status"]) < len(Status):
            raise reader.fault(f"'report_status' = {int(report['status'])} is no outcome")
        whole = int(report["status"]) != Status.NOT_FINITE
        fields = {n: _values(reader, n, q, whole and n not in _MAY_BE_UNKNOWN) for n, q in SOLUTION.items()}
        there = {n: q for n, q in TRACE.items() if n not in _ADDED or f"trace_{n}" in reader}
        trace = {n: _values(reader, f"trace_{n}", q, whole and n not in _MAY_BE_UNKNOWN) for n, q in there.items()}
        trace |= {n: np.full_like(trace["time"], np.nan) for n in _ADDED - there.keys()}
        told = {f"report_{name}": values for name, values in report.items()}
        told |= {f"trace_{name}": values for name, values in trace.items()}
        numbers = {name: jnp.asarray(values) for name, values in (fields | told).items()}
        for name in ("depth", "faces"):
            if whole and np.any(np.diff(fields[name], axis=-1) < 0.0):
                raise reader.fault(f"'{name}' does not increase")
        model = reader.text("model")
        if model not in get_args(Model):
            raise reader.fault(f"'{shorten(model)}' is no model; known are {', '.join(get_args(Model))}")
        return solution_of(numbers, reader.names("species", ("species",)), model)


@contextlib.contextmanager
def reading_solution(path: str | Path) -> Iterator[Reader]:
    """Open the file of a solution.

    Raises
    ------
    ConfigError
        The file is none, of another version, or damaged, in one line.
    """
    try:
        with reading(path, "a result of `npp-jax simulate` or `npp-jax sweep`") as reader:
            reader.check_title(TITLE)
            reader.check_schema(SCHEMA_VERSION, SCHEMA_VERSION)
            yield reader
    except FileFault as error:
        raise ConfigError(str(error)) from None


_MAY_BE_UNKNOWN = {"front_depth", "front_width", "plateau", "leading_edge", "current_density", "surface_potential"}
"""What not every solution has: a front; the others are finite, but in one that has no finite result."""

_LONGEST = 1.0
"""Lengths in a solution, which is that of a sample of 0.1 m at most [m]."""

_ADDED = {"start"}
"""Arrays of a trace that files of older versions do not have."""


def _values(reader: Reader, name: str, quantity: Quantity, finite: bool) -> np.ndarray:
    values = reader.array(name, quantity.dims, kinds="fiu", finite=finite)
    if quantity.units == "m" and np.any(np.abs(values) > _LONGEST):
        raise reader.fault(f"'{name}' holds lengths of more than {_LONGEST:g} m")
    return values


def tables_of(path: Path) -> dict[Path, str]:
    """Tables that the file of a solution tells to be its own, with their checksums; none where it cannot be read.

    One that was edited since is not among them. Files of older versions tell no checksums.
    """
    try:
        with reading_solution(path) as reader:
            names, told = (np.asarray(reader.attribute(name)).ravel() for name in ("tables", "tables_sha256"))
    except ConfigError:
        return {}
    sums = told if len(told) == len(names) else [""] * len(names)
    listed = {path.parent / name: str(known) for name, known in zip(names, sums, strict=True) if isinstance(name, str)}
    return {table: known for table, known in listed.items() if not known or known == _checksum_of(table)}


def checksum(text: str) -> str:
    """Checksum of a table as it is written."""
    return hashlib.sha256(text.encode()).hexdigest()


def _checksum_of(table: Path) -> str:
    try:
        return hashlib.sha256(read_bytes(table)).hexdigest()
    except OSError:
        return ""


def _quoted(title: str) -> str:
    """A title in a table that is separated by commas."""
    return '"' + title.replace('"', '""') + '"' if set(title) & set(',"\n\r') else title


def table_names(directory: Path, outputs: int) -> list[Path]:
    """Tables that `write_csv` makes of a solution with so many output points."""
    return [*(directory / f"profiles_{k + 1}.csv" for k in range(outputs)), directory / "trace.csv"]


@expects(directory=(str, Path), solution=Solution)
def write_csv(directory: str | Path, solution: Solution) -> list[Path]:
    """Write `profiles_<k>.csv` for each output and `trace.csv`; return the paths.

    Columns: depth_nm, one fraction a species, potential_V, field_V_m, excess_charge_fraction; and time_s,
    current_density_A_m2, potential_V, charge_C_m2, front_depth_nm.
    """
    Path(directory).mkdir(parents=True, exist_ok=True)
    texts = csv_texts(directory, solution)
    for path, text in texts.items():
        write_text(path, text)
    return list(texts)


def csv_texts(directory: str | Path, solution: Solution) -> dict[Path, str]:
    """What `write_csv` writes, by the paths."""
    others = ["potential_V", "field_V_m", "excess_charge_fraction"]
    ions = [f"{name}_fraction" if name in ("depth_nm", *others) else name for name in solution.species]
    names = [["depth_nm", *ions, *others]] * len(solution.time)
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
    texts = {}
    for path, header, data in zip(table_names(Path(directory), len(solution.time)), names, columns, strict=True):
        with io.StringIO() as text:
            rows = np.column_stack([np.asarray(c) for c in data])
            np.savetxt(text, rows, "%.10g", ",", header=",".join(map(_quoted, header)), comments="")
            texts[path] = text.getvalue()
    return texts
