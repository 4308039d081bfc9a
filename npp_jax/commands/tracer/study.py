"""Study files of `npp-jax tracer`: what was measured, where it lies, and what is wanted. TOML, keys with units.

The key `kind` says which study it is: `profile`, `evolution`, `chain`, `map` or `arrhenius`. A wrong file ends in a
`ConfigError` of one line.
"""

from pathlib import Path
from typing import Literal, TypeAlias

from pydantic import Field, model_validator

from npp_jax.commands.tracer.model_tables import KnownTable, ModelTable
from npp_jax.commands.tracer.tables import (
    ChainTable,
    CountsTable,
    CutTable,
    EvolutionTable,
    HavenTable,
    LineTable,
    MapTable,
    ProfileFile,
    SpecimenTable,
    StageTable,
)
from npp_jax.commands.tracer.truth_table import TruthTable
from npp_jax.files import ConfigTable
from npp_jax.files.toml import read_toml
from npp_jax.text.errors import shorten


class FittedStudy(ConfigTable):
    """A study with data, which may be synthetic."""

    truth: TruthTable = TruthTable()
    """With what synthetic data were made, [truth]."""


class ProfileStudy(FittedStudy):
    """kind = "profile": D of one profile."""

    schema_version: Literal[1]
    """Version of the format."""
    kind: Literal["profile"]
    """Kind of the study."""
    title: str = ""
    """Title of the figure."""
    profile: ProfileFile
    """What was measured, [profile]."""
    model: ModelTable
    """What it is fitted with, [model]."""
    known: list[KnownTable] = Field(default_factory=list)
    """What is known of parameters beforehand, one [[known]] each."""

    @model_validator(mode="after")
    def _entering(self) -> "ProfileStudy":
        names = self.model.names()
        for k, table in enumerate(self.known):
            if table.name not in names:
                raise ValueError(
                    f"known: '{shorten(table.name)}' is no parameter of this model; they are {', '.join(names)}"
                )
            if any(other.name == table.name for other in self.known[:k]):
                raise ValueError(f"known: '{table.name}' stands twice")
        return self


class EvolutionStudy(FittedStudy):
    """kind = "evolution": D from profiles after several times and temperatures, Arrhenius law inside the fit."""

    schema_version: Literal[1]
    """Version of the format."""
    kind: Literal["evolution"]
    """Kind of the study."""
    title: str = ""
    """Title of the figure."""
    fit: EvolutionTable
    """Where the fit starts, [fit]."""
    specimens: list[SpecimenTable] = Field(min_length=1)
    """Samples, one [[specimens]] each."""

    @model_validator(mode="after")
    def _activated(self) -> "EvolutionStudy":
        found = {anneal.temperature_K for specimen in self.specimens for anneal in specimen.anneals}
        if self.fit.start_energy_eV is None and found != {self.fit.reference_temperature_K}:
            raise ValueError("fit.start_energy_eV is needed: not all anneals are at reference_temperature_K")
        if self.fit.start_energy_eV is not None and len(found) < 2:
            raise ValueError("fit.start_energy_eV: one temperature does not fix an activation energy; leave it out")
        return self


class ChainStudy(FittedStudy):
    """kind = "chain": simulation of a chain of grains, and fit of each D_gb/δ where a stage has a profile."""

    schema_version: Literal[1]
    """Version of the format."""
    kind: Literal["chain"]
    """Kind of the study."""
    title: str = ""
    """Title of the figure."""
    chain: ChainTable
    """The grains, [chain]."""
    stages: list[StageTable] = Field(min_length=1)
    """What was done, one [[stages]] each, in order."""


class MapStudy(FittedStudy):
    """kind = "map": isotope map on an image of grains, and fit of D_gb/δ to measured counts."""

    schema_version: Literal[1]
    """Version of the format."""
    kind: Literal["map"]
    """Kind of the study."""
    title: str = ""
    """Title of the figure."""
    map: MapTable
    """The image of grains, [map]."""
    stages: list[StageTable] = Field(min_length=1)
    """What was done, one [[stages]] each, in order."""
    counts: CountsTable | None = None
    """What was measured after the last stage, [counts]."""
    cuts: list[CutTable] = Field(default_factory=list)
    """Lines across the map, one [[cuts]] each."""

    @model_validator(mode="after")
    def _complete(self) -> "MapStudy":
        if any(stage.profile is not None or stage.k_m_s is not None for stage in self.stages):
            raise ValueError("stages: those of a map take no profile and no k_m_s")
        return self


class ArrheniusStudy(ConfigTable):
    """kind = "arrhenius": Nernst–Einstein, Arrhenius lines and Haven ratios."""

    schema_version: Literal[1]
    """Version of the format."""
    kind: Literal["arrhenius"]
    """Kind of the study."""
    title: str = ""
    """Title of the figure."""
    lines: list[LineTable] = Field(min_length=1)
    """Coefficients at temperatures, or laws, one [[lines]] each."""
    haven: list[HavenTable] = Field(default_factory=list)
    """Ratios of two of them, one [[haven]] each."""

    @model_validator(mode="after")
    def _known(self) -> "ArrheniusStudy":
        names = [line.name for line in self.lines]
        if len(set(names)) != len(names):
            raise ValueError("lines: two have the same name")
        for pair in self.haven:
            unknown = [name for name in (pair.tracer, pair.conductivity) if name not in names]
            if unknown:
                raise ValueError(f"haven: '{unknown[0]}' is no line; lines are {', '.join(names)}")
        return self


TracerStudy: TypeAlias = ProfileStudy | EvolutionStudy | ChainStudy | MapStudy | ArrheniusStudy


def data_files(study: TracerStudy) -> list[str]:
    """Names of the files that a study reads, as it gives them."""
    match study:
        case ProfileStudy():
            return [study.profile.file]
        case EvolutionStudy():
            anneals = [anneal.profile.file for specimen in study.specimens for anneal in specimen.anneals]
            return [specimen.exchanged.file for specimen in study.specimens] + anneals
        case ChainStudy():
            return [stage.profile.file for stage in study.stages if stage.profile is not None]
        case MapStudy():
            counts = [] if study.counts is None else [study.counts.light, study.counts.heavy]
            return [study.map.labels, *counts]
        case ArrheniusStudy():
            return []


def load_tracer_study(path: str | Path) -> TracerStudy:
    """Read a study file of `npp-jax tracer`; the files that it names are read where they are needed.

    Raises
    ------
    ConfigError
        One line: file, key, value, what is allowed.
    """
    return read_toml(path, ProfileStudy, EvolutionStudy, ChainStudy, MapStudy, ArrheniusStudy)
