"""Records of an experiment, from the tables of a study and the files that they name."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from npp_jax.files.errors import ConfigError
from npp_jax.files.record_tables import ChargeTable, CurrentTable, PotentialTable
from npp_jax.files.study_tables import ExperimentEntry
from npp_jax.files.trace import read_columns
from npp_jax.observe import Record, Recorded, gathered, scatter
from npp_jax.physics import Experiment

_FEWEST = 5
"""Points of a course from which its noise can be estimated, and that say anything of it."""

_COLUMNS: dict[str, tuple[str, str]] = {
    "current": ("current_density_A_m2", "sigma_A_m2"),
    "potential": ("potential_V", "sigma_V"),
    "charge": ("charge_C_m2", "sigma_C_m2"),
}
"""Column of the file, and key of the absolute standard deviation."""


def make_records(entry: ExperimentEntry, folder: Path, experiment: Experiment) -> tuple[Record, ...]:
    """All records of an entry of a study, and of its experiment.

    Raises
    ------
    ConfigError
        One line: a file is wrong.
    ValueError
        One line: a table is.
    """
    return tuple(_records(entry, folder, _jumps(experiment)))


def record_files(entry: ExperimentEntry) -> dict[str, str]:
    """Files that the records of an entry name, by their keys."""
    tables = {"current": entry.current, "potential": entry.potential, "charge": entry.charge}
    return {f"{name}.file": t.file for name, t in tables.items() if t is not None and t.file is not None}


def _jumps(experiment: Experiment) -> tuple[float, ...]:
    """Times at which stages end, up to the first that ends at a charge [s]."""
    lengths = [stage.duration for stage in experiment.stages]
    known = itertools.takewhile(lambda length: length is not None, lengths)
    return tuple(itertools.accumulate(float(np.asarray(length)) for length in known))


def _records(entry: ExperimentEntry, folder: Path, jumps: tuple[float, ...]) -> Iterator[Record]:
    if entry.current is not None:
        yield _course("current", entry.current, folder / entry.current.file, jumps)
    if entry.potential is not None:
        yield _course("potential", entry.potential, folder / entry.potential.file, jumps)
    charge = entry.charge
    if charge is not None and charge.file is not None:
        yield _course("charge", charge, folder / charge.file, jumps)
    elif charge is not None and charge.value_C_m2 is not None:
        sigma = np.hypot(charge.relative_sigma * charge.value_C_m2, charge.sigma_C_m2)
        output = -1 if charge.output is None else charge.output
        yield Record("charge", 0.0, charge.value_C_m2, sigma, gain_sigma=charge.gain_sigma, output=output)
    points = entry.conductivity
    if points:
        value = np.array([p.value_S_m for p in points])
        sigma = np.hypot(value * [p.relative_sigma for p in points], [p.sigma_S_m for p in points])
        yield Record("conductivity", [p.temperature_K for p in points], value, sigma)
    energy = entry.activation_energy
    if energy is not None:
        yield Record("activation_energy", 0.0, energy.value_eV, energy.sigma_eV)


def _course(
    quantity: Recorded, table: CurrentTable | PotentialTable | ChargeTable, path: Path, jumps: tuple[float, ...]
) -> Record:
    """A record in the course of time."""
    column, absolute = _COLUMNS[quantity]
    time, value = read_columns(path, column)
    if time[0] < 0.0:
        raise ConfigError(f"{path}: times begin at {time[0]:g} s; the protocol starts at 0")
    last = np.inf if table.last_time_s is None else table.last_time_s
    inside = (time >= table.first_time_s) & (time <= last)
    time, value = time[inside], value[inside]
    if len(time) < _FEWEST:
        raise ConfigError(
            f"{path}: {len(time)} points lie between first_time_s and last_time_s; at least {_FEWEST} are needed"
        )
    if table.estimate_sigma:
        sigma = np.full_like(value, scatter(value))
        if not sigma[0] > 0.0:
            raise ConfigError(f"{path}: {column} does not scatter, so that its noise cannot be estimated: give it")
    else:
        sigma = np.hypot(table.relative_sigma * value, getattr(table, absolute))
        if not np.all(sigma > 0.0):
            raise ConfigError(f"{path}: {column} = 0 needs {absolute} beside relative_sigma")
    at, mean, error, span = gathered(time, value, sigma, table.points, jumps)
    return Record(quantity, at, mean, error, span, gain_sigma=table.gain_sigma)
