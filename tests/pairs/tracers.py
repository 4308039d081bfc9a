"""Tracer studies made of one option of each table, about the bundled synthetic data."""

import copy
import tomllib
from pathlib import Path
from typing import Any

from toml_text import dumps

SWEEPS = Path(__file__).parents[2] / "sweeps"

OPTIONS: dict[str, tuple[str, ...]] = {
    "kind": ("profile", "evolution", "chain", "map", "arrhenius"),
    "source": ("constant-surface", "surface-exchange", "finite-source"),
    "duration": ("given", "none"),
    "base": ("free", "given"),
    "origin": ("given", "found"),
    "range": ("all", "cut"),
    "energy": ("none", "given"),
    "before": ("exchange", "measured"),
    "bulk": ("held", "free", "prior"),
    "boundaries": ("one", "each"),
    "thickness": ("none", "given"),
    "cuts": ("none", "one"),
    "law": ("D", "law", "conductivity"),
}
"""Options by table; those of other kinds than the study's are not used."""


def make(choice: dict[str, str], folder: Path) -> Path:
    """Write a tracer study into a folder; return the file."""
    folder.mkdir(parents=True, exist_ok=True)
    data = str(SWEEPS / "synthetic_tracer")
    makers = {"profile": _profile, "evolution": _evolution, "chain": _chain, "map": _map, "arrhenius": _arrhenius}
    table = {"schema_version": 1, "kind": choice["kind"], **makers[choice["kind"]](choice, data)}
    file = folder / "tracer.toml"
    file.write_text(dumps(table), encoding="utf-8")
    return file


def _shipped(name: str, data: str) -> dict[str, Any]:
    text = (SWEEPS / f"{name}.toml").read_text(encoding="utf-8").replace("synthetic_tracer", data)
    table = tomllib.loads(text)
    return {k: copy.deepcopy(v) for k, v in table.items() if k not in ("schema_version", "kind")}


def _profile(choice: dict[str, str], data: str) -> dict[str, Any]:
    timed = choice["duration"] == "given"
    model: dict[str, Any] = {"source": choice["source"], "find_origin": choice["origin"] == "found"}
    model |= {"duration_h": 110.0, "start_D_m2_s": 2e-12} if timed else {"start_length_um": 1500.0}
    if choice["source"] == "surface-exchange" and timed:
        model["start_k_m_s"] = 1e-8
    if choice["source"] == "finite-source":
        model |= {"source_um": 800.0, "thickness_um": 8000.0}
    if choice["base"] == "given":
        model["base"] = 0.0759
    profile: dict[str, Any] = {"file": f"{data}/cool0.csv"}
    if choice["range"] == "cut":
        profile |= {"first_um": 0.0, "last_um": 4000.0}
    return {"profile": profile, "model": model}


def _evolution(choice: dict[str, str], data: str) -> dict[str, Any]:
    table = _shipped("tracer_evolution", data)
    fit = table["fit"] | {"cells": 60, "steps": 8, "start_profile": choice["before"]}
    if choice["energy"] == "none":
        del fit["start_energy_eV"]
        table["specimens"] = table["specimens"][:1]
    if choice["base"] == "given" and choice["before"] == "exchange":
        fit["base"] = 0.0759
    return table | {"fit": fit}


def _chain(choice: dict[str, str], data: str) -> dict[str, Any]:
    table = _shipped("tracer_chain", data)
    table["chain"] |= {"cells": 8, "fit_bulk": choice["bulk"] != "held"}
    if choice["thickness"] == "none":
        del table["chain"]["boundary_nm"]
    if choice["boundaries"] == "each":
        table["chain"]["permeability_m_s"] = [2e-8, 2e-8, 2e-8]
    table["stages"] = [stage | {"steps": 8} for stage in table["stages"]]
    return table


def _map(choice: dict[str, str], data: str) -> dict[str, Any]:
    table = _shipped("tracer_map", data)
    table["map"] |= {"boundaries": choice["boundaries"], "iterations": 5}
    if choice["bulk"] == "prior":
        table["map"]["D_bulk_relative_error"] = 0.2
    if choice["thickness"] == "none":
        del table["map"]["boundary_nm"]
    table["stages"] = [stage | {"steps": 6} for stage in table["stages"]]
    if choice["cuts"] == "none":
        del table["cuts"]
    return table


def _arrhenius(choice: dict[str, str], data: str) -> dict[str, Any]:
    temperatures = [295.15, 350.0, 473.15]
    lines: dict[str, dict[str, Any]] = {
        "D": {"temperature_K": temperatures, "D_m2_s": [3e-13, 4e-12, 6.6e-11], "relative_error": 0.1},
        "law": {"prefactor_m2_s": 4.8e-6, "energy_eV": 0.43},
        "conductivity": {
            "temperature_K": temperatures, "conductivity_S_m": [0.1, 0.6, 5.0], "number_density_m3": 5e27,
        },
    }  # fmt: skip
    return {"lines": [{"name": choice["law"], **lines[choice["law"]]}, {"name": "other", **lines["law"]}]}
