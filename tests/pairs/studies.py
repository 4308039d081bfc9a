"""Studies made of one option of each table of a study file, about a synthetic profile."""

from pathlib import Path
from typing import Any

import numpy as np
from toml_text import dumps

OPTIONS: dict[str, tuple[str, ...]] = {
    "experiments": ("one", "two"),
    "output": ("last", "first"),
    "likelihood": ("gaussian", "student", "poisson"),
    "model_error": ("none", "some"),
    "response": ("none", "gaussian", "dowsett", "mri", "each ion"),
    "nuisance": ("none", "sensitivity", "both"),
    "counts": ("none", "given"),
    "records": ("none", "current", "charge, conductivity"),
    "limit": ("none", "given"),
    "first": ("width", "conductivity", "temperature", "immobile"),
    "scale": ("linear", "log"),
    "prior": ("none", "given"),
    "seen": ("none", "depth_scale", "background", "sputter_ratio"),
    "design": ("sobol", "latin-hypercube", "random", "grid", "table"),
    "model": ("electroneutral", "full"),
    "dtype": ("float64", "float32"),
    "profiles": ("none", "kept", "grid"),
    "estimate": ("true", "false"),
    "command": ("sweep", "fit"),
    "setting": ("fast", "accurate"),
    "method": ("levenberg-marquardt", "lbfgs", "adam"),
    "points": ("0", "3"),
    "posterior": ("none", "drawn"),
    # Those that compile for long beside the method that takes fewest programs, in what `make test` runs of this.
    "rival": ("none", "without, larger, free form, filling", "separate"),
}
"""Options by table; what does not go together is refused in one line."""

OF_FITS = ("setting", "method", "points", "posterior", "rival")
"""Tables that a sweep does not look at."""

_FIRST: dict[str, tuple[str, float, float]] = {
    "width": ("Li.sed_fwhm_eV", 0.18, 0.32),
    "conductivity": ("Li.conductivity_S_m", 3e-8, 3e-7),
    "temperature": ("stages.0.temperature_K", 330.0, 370.0),
    "immobile": ("Li.immobile_fraction", 0.001, 0.05),
}

_EXPERIMENT = {
    "schema_version": 1,
    "sample": {"thickness_um": 500.0, "permittivity": 9.0, "bulk_density_m3": 1.4e28},
    "species": [
        {
            "name": "Li",
            "bulk_fraction": 1.0,
            "diffusivity": {"law": "sed", "conductivity_S_m": 1e-7, "sed_fwhm_eV": 0.25, "vacancy_fraction": 0.1},
        },
        {"name": "K", "bulk_fraction": 0.0, "diffusivity": {"law": "constant", "D_m2_s": 9.7e-22}},
    ],
    "stages": [{"front": "ion-beam", "beam": "K", "temperature_K": 350.0, "potential_V": 10.0, "charge_C_m2": 201.0}],
}
_TWO_OUTPUTS = {"charge_C_m2": 402.0, "output_charges_C_m2": [201.0, 402.0]}


def make(choice: dict[str, str], folder: Path) -> Path:
    """Write a study with its experiment, profile and table of candidates into a folder; return the study."""
    folder.mkdir(parents=True, exist_ok=True)
    stage: dict[str, Any] = _EXPERIMENT["stages"][0]  # pyright: ignore
    stage = stage | (_TWO_OUTPUTS if choice["output"] == "first" else {})
    (folder / "glass.toml").write_text(dumps(_EXPERIMENT | {"stages": [stage]}), encoding="utf-8")
    _write_profile(folder / "profile.csv")
    # Synthetic, too: a current that falls as that of such a glass.
    rows = "".join(f"{k},{200.0 / (1.0 + 0.01 * k)}\n" for k in range(1, 26))
    (folder / "current.csv").write_text(f"time [h],j [nA/cm2]\n{rows}", encoding="utf-8")
    key, low, high = _FIRST[choice["first"]]
    first: dict[str, Any] = {"name": "first", "keys": [key], "low": low, "high": high, "scale": choice["scale"]}
    if choice["prior"] == "given":
        first |= {"prior_mean": 0.5 * (low + high), "prior_sigma": high - low}
    parameters = [first, {"name": "D_K", "keys": ["K.D_m2_s"], "low": 3e-22, "high": 3e-21, "scale": "log"}]
    if choice["seen"] == "depth_scale":
        parameters.append({"name": "depth", "keys": ["observation.depth_scale"], "low": 0.9, "high": 1.1})
    if choice["seen"] == "sputter_ratio":
        parameters.append({"name": "sputtering", "keys": ["observation.sputter_ratio"], "low": 0.8, "high": 1.25})
    if choice["seen"] == "background":
        parameters.append({"name": "floor", "keys": ["observation.K.background"], "low": 0.0, "high": 0.05})
    if choice["design"] == "grid":
        parameters = [parameter | {"levels": 3} for parameter in parameters]
    if choice["design"] == "table":
        rows = [[p["low"] + share * (p["high"] - p["low"]) for p in parameters] for share in (0.2, 0.4, 0.6, 0.8)]
        head = ",".join(str(p["name"]) for p in parameters)
        np.savetxt(folder / "table.csv", rows, delimiter=",", header=head, comments="")
    designs: dict[str, dict[str, Any]] = {"grid": {"kind": "grid"}, "table": {"kind": "table", "file": "table.csv"}}
    study = {
        "schema_version": 1,
        "title": "made of options",
        "experiments": [_entry(choice, name) for name in ("one", "two")[: 1 if choice["experiments"] == "one" else 2]],
        "parameters": parameters,
        "design": designs.get(choice["design"], {"kind": choice["design"], "candidates": 16}),
        "sweep": _sweep(choice),
        "fit": _fit(choice),
    }
    file = folder / "study.toml"
    file.write_text(dumps(study), encoding="utf-8")
    return file


def _write_profile(file: Path) -> None:
    """Synthetic: a front near 100 nm with a plateau of 15 % of Li behind it, and noise."""
    depth = np.arange(3.0, 160.0, 4.0)
    step = 1.0 / (1.0 + np.exp((depth - 100.0) / 2.0))
    native = 1.0 - 0.85 * step
    noise = 0.01 * np.random.default_rng(0).normal(size=(2, len(depth)))
    sigma = np.full_like(depth, 0.01)
    rows = np.column_stack([depth, np.abs(native + noise[0]), sigma, np.abs(1.0 - native + noise[1]), sigma])
    np.savetxt(file, rows, delimiter=",", header="depth_nm,Li,Li_sigma,K,K_sigma", comments="", fmt="%.5f")


def _entry(choice: dict[str, str], name: str) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": name, "file": "glass.toml", "profile": "profile.csv"}
    if choice["output"] == "first":
        entry["output"] = 0
    if choice["counts"] == "given" or choice["likelihood"] == "poisson":
        entry["counts_per_fraction"] = 2000.0
    entry["likelihood"] = {"kind": choice["likelihood"]}
    if choice["model_error"] == "some":
        entry["likelihood"]["relative_sigma"] = 0.02
    responses = {"gaussian": {"sigma_nm": 1.5}, "dowsett": {"leading_nm": 0.8, "trailing_nm": 2.5, "sigma_nm": 1.5}}
    responses["mri"] = {"mixing_nm": 2.5, "roughness_nm": 1.5, "information_nm": 0.8}
    kind = "gaussian" if choice["response"] == "each ion" else choice["response"]
    entry["response"] = {"kind": kind, **responses.get(kind, {})}
    if kind != choice["response"]:
        entry["response"]["sigma_nm"] = {"Li": 1.5, "K": 2.0}
    # Solved for inside of the comparison, which takes Gaussian noise.
    solved = choice["nuisance"] if choice["likelihood"] == "gaussian" else "none"
    if solved != "none":
        entry["nuisance"] = {"sensitivity_sigma": 0.05}
    # A background that is a parameter is not solved for too.
    if solved == "both" and choice["seen"] != "background":
        entry["nuisance"]["background_sigma"] = 0.01
    if choice["limit"] == "given" and choice["likelihood"] == "gaussian" and solved == "none":
        entry["detection_limits"] = {"K": 0.03}
    if choice["records"] == "current":
        entry["current"] = {"file": "current.csv", "estimate_sigma": True, "gain_sigma": 0.02, "points": 10}
    elif choice["records"] != "none":
        entry["charge"] = {"value_C_m2": 201.0, "sigma_C_m2": 2.0}
        entry["conductivity"] = [{"temperature_K": 350.0, "value_S_m": 1e-7, "relative_sigma": 0.1}]
    return entry


def _sweep(choice: dict[str, str]) -> dict[str, Any]:
    table: dict[str, Any] = {"model": choice["model"], "setting": choice["setting"]}
    table["error_estimate"] = choice["estimate"] == "true"
    table["dtype"] = "float64" if choice["model"] == "full" else choice["dtype"]
    if choice["profiles"] != "none":
        table["profiles"] = True
    if choice["profiles"] == "grid":
        table["profile_grid"] = {"first_nm": 0.0, "last_nm": 150.0, "points": 12}
    return table


def _fit(choice: dict[str, str]) -> dict[str, Any]:
    table: dict[str, Any] = {
        "starts": 2,
        "setting": choice["setting"],
        "model": choice["model"],
        "method": choice["method"],
        "iterations": 8,
        "profile_points": int(choice["points"]),
    }
    if choice["posterior"] == "drawn":
        table["posterior"] = {"chains": 4, "warm_up": 20, "draws": 20}
    rivals: dict[str, dict[str, Any]] = {
        "separate": {"separate": ["first"]},
        "without": {"without": ["first"]},
        "free form": {"free_form_knots": 5},
        "filling": {"set": {"Li.filling": "fermi-dirac"}},
        "larger": {"parameters": [{"name": "more", "keys": ["Li.vacancy_fraction"], "low": 0.05, "high": 0.2}]},
    }
    if choice["rival"] != "none":
        table["rivals"] = [{"name": name, **rivals[name]} for name in choice["rival"].split(", ")]
    return table
