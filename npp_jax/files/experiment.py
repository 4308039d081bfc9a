"""Experiment files: TOML of schema version 1 → `Experiment`.

A wrong file ends in a `ConfigError` that names file, key, value, what is allowed and, for an unknown key, the nearest
known one.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp

from npp_jax.files.errors import ConfigError, required
from npp_jax.files.experiment_tables import DiffusivityTable, ExperimentTable, SpeciesTable, StageTable
from npp_jax.files.toml import toml_table, validated
from npp_jax.files.trace import read_trace
from npp_jax.physics import (
    AbstractDiffusivity,
    AbstractFront,
    AbstractSED,
    Arrhenius,
    Blocking,
    Closed,
    ConstantDiffusivity,
    Drive,
    Experiment,
    GaussianSED,
    IonBeamCurrent,
    IonBeamPotential,
    MixtureSED,
    Reservoir,
    Sample,
    SEDDiffusivity,
    Species,
    Stage,
    TabulatedSED,
)
from npp_jax.physics.keys import STAGE
from npp_jax.physics.nernst_einstein import nernst_einstein


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
    """Table of a file in which a key stands: that of the sample, of a stage, of a species or of its diffusivity."""
    place, _, name = key.rpartition(".")
    parts: dict[str, Any] = {"sample": table.get("sample")}
    parts |= {f"stages.{k}": stage for k, stage in enumerate(table.get("stages", []))}
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
    return Experiment(
        sample=Sample(sample.thickness_um * 1e-6, sample.permittivity, sample.bulk_density_m3),
        species=tuple(
            Species(s.name, _law(s, sample.bulk_density_m3, temperature), s.bulk_fraction, s.charge, s.back)
            for s in checked.species
        ),
        stages=tuple(_stage(stage, folder, k) for k, stage in enumerate(checked.stages)),
        title=checked.title,
        conductivities=tuple(s.name for s in checked.species if s.diffusivity.conductivity_S_m is not None),
    )


def traces_of(path: Path) -> list[Path]:
    """Files of traces that an experiment file names, which are looked for beside it."""
    stages = validated(toml_table(path), ExperimentTable).stages
    return [path.parent / name for stage in stages for name in stage.traces.values()]


def experiment_schema() -> dict[str, Any]:
    """JSON Schema of the experiment file, for editors."""
    return ExperimentTable.model_json_schema()


def _law(species: SpeciesTable, density: float, temperature: float) -> AbstractDiffusivity:
    table = species.diffusivity
    arrhenius = None
    if table.activation_energy_eV is not None:
        arrhenius = Arrhenius(table.activation_energy_eV, required(table.reference_temperature_K))
    if table.law == "constant":
        return ConstantDiffusivity(required(table.D_m2_s), arrhenius)
    bulk = table.D_bulk_m2_s
    if bulk is None:
        carriers = species.bulk_fraction * density
        if carriers == 0.0:
            raise ConfigError(f"species '{species.name}': conductivity_S_m needs an ion that is present in the bulk")
        # The state in which the conductivity is given: D of another temperature follows from it by the activation.
        given_at = temperature if arrhenius is None else arrhenius.reference_temperature
        bulk = nernst_einstein(required(table.conductivity_S_m), carriers, given_at, charge_number=species.charge)
    return SEDDiffusivity(
        bulk,
        _sed(table),
        required(table.vacancy_fraction),
        table.immobile_fraction,
        filling=table.filling,
        populations=table.populations,
        arrhenius=arrhenius,
    )


def _sed(table: DiffusivityTable) -> AbstractSED:
    if table.sed is None:
        return GaussianSED(required(table.sed_fwhm_eV))
    if table.sed.kind == "mixture":
        return MixtureSED(
            jnp.asarray(table.sed.energy_eV), jnp.asarray(table.sed.fwhm_eV), jnp.asarray(table.sed.weight)
        )
    return TabulatedSED(jnp.asarray(table.sed.occupied), jnp.asarray(table.sed.energy_eV))


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
