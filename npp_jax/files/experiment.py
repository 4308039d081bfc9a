"""Experiment files: TOML of schema version 1 → `Experiment`.

A wrong file ends in a `ConfigError` that names file, key, value, what is allowed and, for an unknown key, the nearest
known one.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp

from npp_jax.files.curves import read_initial
from npp_jax.files.errors import ConfigError, required
from npp_jax.files.experiment_tables import ExperimentTable, InitialTable, SpeciesTable, StageTable
from npp_jax.files.laws import law_of
from npp_jax.files.toml import toml_table, validated
from npp_jax.files.trace import read_trace
from npp_jax.physics import (
    AbstractFront,
    AbstractInitial,
    Blocking,
    Closed,
    Drive,
    Experiment,
    InitialErfc,
    InitialGaussian,
    InitialStep,
    IonBeamCurrent,
    IonBeamPotential,
    Reservoir,
    Sample,
    Species,
    Stage,
)
from npp_jax.physics.keys import STAGE


def load_experiment(path: str | Path, *, changes: Mapping[str, Any] | None = None) -> Experiment:
    """Read an experiment file.

    Parameters
    ----------
    path
        TOML file of schema version 1. Traces are looked for beside it.
    changes
        Keys that take another value than in the file, such as `Li.filling` or `stages.0.temperature_K`.

    Raises
    ------
    ConfigError
        One line: file, key, value, what is allowed.
    """
    path = Path(path)
    table = toml_table(path)
    try:
        for key, value in (changes or {}).items():
            _table_of(table, key)[key.rpartition(".")[2]] = value
        return parse_experiment(table, folder=path.parent)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def _table_of(table: dict[str, Any], key: str) -> dict[str, Any]:
    """Table of a file in which a key stands: that of the sample, of a stage, of a start, of a species or
    of its diffusivity.
    """
    place, _, name = key.rpartition(".")
    parts: dict[str, Any] = {"sample": table.get("sample")}
    parts |= {f"stages.{k}": stage for k, stage in enumerate(table.get("stages", []))}
    parts |= {f"initial.{entry.get('species')}": entry for entry in table.get("initial", [])}
    for species in table.get("species", []):
        own = name in SpeciesTable.model_fields
        parts[species.get("name")] = species if own else species.get("diffusivity")
    found = parts.get(place)
    if not isinstance(found, dict):
        raise ConfigError(f"'{key}' has no place; known are {', '.join(f'{part}.KEY' for part in parts)}")
    return found


def parse_experiment(table: Mapping[str, Any], *, folder: Path = Path()) -> Experiment:
    """Turn the content of an experiment file into an `Experiment`.

    Raises
    ------
    ConfigError
        One line: key, value, what is allowed.
    """
    checked = validated(table, ExperimentTable)
    temperature = checked.stages[0].temperature_K
    sample = checked.sample
    thickness = sample.thickness_um * 1e-6
    initial = {entry.species: _initial(entry, folder, k, thickness) for k, entry in enumerate(checked.initial)}
    return _known(
        sample=Sample(
            thickness,
            sample.permittivity,
            sample.bulk_density_m3,
            None if sample.hop_length_nm is None else sample.hop_length_nm * 1e-9,
            sample.cross_coefficient,
        ),
        species=tuple(
            Species(
                s.name,
                law_of(s, sample.bulk_density_m3, temperature, folder, k),
                s.bulk_fraction,
                s.charge,
                s.back,
                s.diffusivity.fraction_of,
            )
            for k, s in enumerate(checked.species)
        ),
        stages=tuple(_stage(stage, folder, k) for k, stage in enumerate(checked.stages)),
        title=checked.title,
        conductivities=tuple(s.name for s in checked.species if s.diffusivity.conductivity_S_m is not None),
        initial=initial or None,
    )


def _known(**parts: Any) -> Experiment:
    """An experiment; what its parts say of one another is told as what is wrong with the file."""
    try:
        return Experiment(**parts)
    except ValueError as error:
        raise ConfigError(str(error)) from None


def files_of(path: Path) -> list[Path]:
    """Files of numbers that an experiment file names, which are looked for beside it: traces, laws, profiles."""
    return [path.parent / name for name in validated(toml_table(path), ExperimentTable).tables.values()]


def experiment_schema() -> dict[str, Any]:
    """JSON Schema of the experiment file, for editors."""
    return ExperimentTable.model_json_schema()


def _initial(table: InitialTable, folder: Path, number: int, thickness: float) -> AbstractInitial:
    if table.form == "table":
        try:
            return read_initial(folder / required(table.table), table.species, thickness)
        except ConfigError as error:
            raise ConfigError(f"initial[{number}].table: {error}") from None
    if table.position_um is not None and table.position_um * 1e-6 > thickness:
        raise ConfigError(
            f"initial[{number}].position_um = {table.position_um:g}: the sample ends at {thickness * 1e6:g} µm"
        )
    width = 0.0 if table.width_um is None else table.width_um * 1e-6
    if table.form == "gaussian":
        position, peak = required(table.position_um) * 1e-6, required(table.peak_fraction)
        return InitialGaussian(position, peak, width, table.deep_fraction or 0.0)
    ends = required(table.surface_fraction), required(table.deep_fraction)
    if table.form == "erfc":
        return InitialErfc(*ends, width)
    return InitialStep(required(table.position_um) * 1e-6, *ends, width)


def _stage(table: StageTable, folder: Path, number: int) -> Stage:
    end = required(table.duration if table.duration is not None else table.end_charge)
    points = (table.output_times_s if table.duration is not None else table.output_charges_C_m2) or []
    shares = [point / end for point in points]
    if not shares or shares[-1] < 1.0 - 1e-9:
        shares.append(1.0)
    shares[-1] = 1.0
    return Stage(
        front=_front(table, folder, number),
        temperature=table.temperature_K,
        duration=None if table.duration is None else jnp.asarray(table.duration),
        charge=None if table.end_charge is None else jnp.asarray(table.end_charge),
        outputs=tuple(shares),
    )


def _front(table: StageTable, folder: Path, number: int) -> AbstractFront:
    if table.front == "closed":
        return Closed()
    if table.front == "reservoir":
        fraction = {name: jnp.asarray(value) for name, value in required(table.reservoir_fraction).items()}
        return Reservoir(fraction, table.exchange_rate_m_s)
    if table.potential_trace is not None or table.potential_V is not None:
        drive = _drive(table, "potential", "V", folder, number)
        return Blocking(drive) if table.front == "blocking" else IonBeamPotential(required(table.beam), drive)
    return IonBeamCurrent(required(table.beam), _drive(table, "current_density", "A_m2", folder, number))


def _drive(table: StageTable, name: str, unit: str, folder: Path, number: int) -> Drive:
    level, end = getattr(table, f"{name}_{unit}"), getattr(table, f"{name}_end_{unit}")
    if level is not None:
        if end is None:
            return Drive.constant(level)
        return Drive.trace(jnp.asarray([0.0, table.duration]), jnp.asarray([level, end]))
    column = f"{name}_{unit}"
    try:
        return read_trace(
            folder / getattr(table, f"{name}_trace"),
            column,
            STAGE[column].limits,
            duration=table.duration,
            charge=table.end_charge if name == "current_density" else None,
        )
    except ConfigError as error:
        raise ConfigError(f"stages[{number}].{name}_trace: {error}") from None
