"""An example of each key of the files that people write."""

from typing import Any

_EXAMPLES: dict[str, Any] = {
    # Experiments.
    "schema_version": 1, "title": "K beam on a glass with Li", "thickness_um": 500.0, "permittivity": 9.0,
    "bulk_density_m3": 1.4e28, "name": "K", "charge": 1, "bulk_fraction": 1.0, "back": "releasing", "law": "sed",
    "D_m2_s": 9.7e-22, "D_bulk_m2_s": 1.3e-18, "conductivity_S_m": 1e-7, "sed_fwhm_eV": 0.25, "vacancy_fraction": 0.1,
    "immobile_fraction": 0.05, "filling": "fermi-dirac", "populations": "separate",
    "mixing_time_s": 8e4, "averaging": "integral",
    "diffusion_term": "thermodynamic", "hop_length_nm": 0.5, "cross_coefficient": 0.2, "activation_energy_eV": 0.6,
    "reference_temperature_K": 350.0, "energy_eV": [0.0, 0.1], "fwhm_eV": [0.2, 0.2], "weight": [1.0, 0.5],
    "occupied": [0.1, 0.4, 0.7, 0.95], "front": "ion-beam", "temperature_K": 350.0, "beam": "K", "duration_s": 3600.0,
    "duration_h": 4.0, "charge_C_m2": 201.0, "charge_mC_cm2": 20.1, "output_times_s": [600.0, 1800.0],
    "output_charges_C_m2": [50.0, 100.0], "potential_V": 10.0, "potential_end_V": 50.0, "potential_trace": "trace.csv",
    "current_density_A_m2": 0.002, "current_density_end_A_m2": 0.001, "current_density_trace": "trace.csv",
    "reservoir_fraction": {"Na": 0.1, "K": 0.9}, "exchange_rate_m_s": 1e-9, "SEDTable.kind": "mixture",
    "ln_D_coefficient": [3.0, -1.5], "reference_fraction": 0.5, "knot_fraction": [0.0, 0.4, 1.0],
    "knot_D_m2_s": [2e-15, 1.7e-15, 5e-17], "curve": "free", "table": "D.csv", "partner": "Mo", "fraction_of": "Rb",
    "InitialTable.species": "Mo", "form": "step", "position_um": 300.0, "InitialTable.width_um": 20.0,
    "surface_fraction": 0.0, "deep_fraction": 1.0, "peak_fraction": 0.02, "InitialTable.table": "start.csv",
    # Studies.
    "leading_nm": 0.8, "trailing_nm": 2.5, "sigma_nm": 1.5, "sensitivity_sigma": 0.05, "background_sigma": 0.01,
    "relative_sigma": 0.02, "degrees": 4.0, "file": "glass.toml", "ExperimentEntry.profile": "K.csv", "output": 1,
    "depth_scale": 1.02, "sputter_ratio": 1.1,
    "mixing_nm": 2.0, "roughness_nm": 0.8, "information_nm": 0.5,
    "first_depth_nm": 3.0, "last_depth_nm": 140.0, "counts_per_fraction": 2000.0,
    "keys": ["K.D_m2_s"], "experiments": ["K"], "low": 3e-22, "high": 3e-21, "scale": "log", "levels": 5,
    "prior_mean": 1e-21,
    "prior_sigma": 0.3, "separate": ["sed_fwhm_eV"], "without": ["vacancy_fraction"], "files": {"K": "other.toml"},
    "set": {"Li.filling": "fermi-dirac"}, "contains_first": True, "free_form_knots": 20, "chains": 16, "warm_up": 100,
    "draws": 150, "steps": 3, "seed": 0, "starts": 16, "setting": "fast", "model": "electroneutral",
    "method": "levenberg-marquardt", "iterations": 40, "profile_points": 9, "candidates": 4096, "first_nm": 0.0,
    "last_nm": 200.0, "points": 101, "dtype": "float64", "chunk": 256, "error_estimate": True, "profiles": True,
    "ResponseTable.kind": "dowsett", "LikelihoodTable.kind": "poisson", "DesignTable.kind": "sobol",
    "DesignTable.file": "candidates.csv", "ParameterTable.name": "D_K_m2_s", "RivalTable.name": "immobile ions",
    "StudyTable.truth": {"D_K_m2_s": 9.7e-22}, "fast_ratio": 10.0, "fast_share": 0.33, "D_slope": 1.5,
    "TruthTable.surface": 0.95, "TruthTable.base": 0.0759,
    "detection_limits": {"K": 0.002}, "CurrentTable.file": "K_current.csv", "PotentialTable.file": "K_potential.csv",
    "ChargeTable.file": "K_charge.csv", "estimate_sigma": True, "gain_sigma": 0.02, "first_time_s": 600.0,
    "last_time_s": 1.0e5, "CurrentTable.points": 200, "PotentialTable.points": 200, "ChargeTable.points": 200,
    "sigma_A_m2": 2e-5, "sigma_V": 0.05, "sigma_C_m2": 2.0, "value_C_m2": 201.0, "value_S_m": 1e-7, "sigma_S_m": 5e-9,
    "value_eV": 0.7, "sigma_eV": 0.02, "ExperimentEntry.charge": {"value_C_m2": 201.0, "sigma_C_m2": 2.0},
    "ExperimentEntry.conductivity": [{"temperature_K": 350.0, "value_S_m": 1e-7, "relative_sigma": 0.05}],
    "goal": "sed_fwhm_eV", "choose": 3, "by_hour": True, "NextTable.draws": 16, "like": "K",
    "ProposalTable.name": "K, longer", "vary": {"stages.0.charge_mC_cm2": [20.0, 40.0]}, "ions": ["Li", "K"],
    "depth_nm": 200.0, "ProposalTable.points": 60, "sigma": 0.01, "cost_h": 3.0,
    # Tracers.
    "Dt_m2": 3.2e-7, "TruthTable.energy_eV": 0.43,
    "ProfileFile.file": "isotopes.csv", "light": "6Li", "heavy": "7Li", "species": "Li",
    "background_light_counts": 0.5, "background_heavy_counts": 2.0, "mass_bias": 1.03, "first_um": 0.3,
    "last_um": 50.0, "zero_um": 0.24, "source": "constant-surface", "start_D_m2_s": 1e-12, "start_length_um": 0.8,
    "KnownTable.name": "surface", "KnownTable.low": 0.5, "KnownTable.high": 1.0, "KnownTable.prior_mean": 0.95,
    "KnownTable.prior_sigma": 0.01, "transport": "two-path", "rivals": ["two-path", "composition-dependent"],
    "start_k_m_s": 1e-9, "source_um": 0.1, "base": 0.0759, "find_origin": True, "left_mm": -1.0, "right_mm": 6.0,
    "start_energy_eV": 0.3, "start_profile": "exchange", "cells": 200, "EvolutionTable.steps": 32,
    "StageTable.source": 0.95,
    "k_m_s": 1e-9, "sizes_um": [16.0, 22.0, 12.0], "permeability_m_s": 2e-8, "initial": 0.0759, "start_um": 0.0,
    "boundary_nm": 0.5, "fit_bulk": True, "labels": "grains.npy", "pixel_um": 1.0, "D_bulk_relative_error": 0.1,
    "boundaries": "one", "CountsTable.light": "light.npy", "CountsTable.heavy": "heavy.npy", "end_um": [16.0, 60.0],
    "CutTable.start_um": [16.0, 0.0], "width_um": 5.0, "interval_um": 1.0, "LineTable.temperature_K": [295.0, 473.0],
    "LineTable.D_m2_s": [3e-13, 6.6e-11], "D_cait_m2_s": [6e-13, 1.3e-10], "ChainTable.cells": 16,
    "LineTable.conductivity_S_m": [0.1, 2.0], "relative_error": 0.1, "number_density_m3": 5e27,
    "prefactor_m2_s": 4.8e-6,
    "LineTable.energy_eV": 0.43, "tracer": "bulk, tracer", "conductivity": "bulk, conductivity",
    "HavenTable.temperature_K": [295.0], "SpecimenTable.name": "22 C", "LineTable.name": "bulk, tracer",
    "ProfileStudy.kind": "profile", "EvolutionStudy.kind": "evolution", "ChainStudy.kind": "chain",
    "MapStudy.kind": "map", "ArrheniusStudy.kind": "arrhenius",
}  # fmt: skip
"""By key, or by table and key where several tables have one of a name."""


def example_of(table: str, key: str) -> Any:
    """Example of a key of a table; None for keys that are tables."""
    return _EXAMPLES.get(f"{table}.{key}", _EXAMPLES.get(key))
