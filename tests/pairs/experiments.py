"""Experiments made of one option of each table of an experiment file."""

from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats
from toml_text import dumps

from npp_jax.constants import FWHM_PER_SIGMA

OPTIONS: dict[str, tuple[str, ...]] = {
    "law": ("gaussian", "mixture", "table", "constant"),
    "filling": ("sharp", "fermi-dirac"),
    "vacancies": ("few", "many"),
    "populations": ("separate", "intermixed", "intermixing"),
    "diffusion term": ("ideal", "thermodynamic"),
    "averaging": ("middle", "integral"),
    "hops": ("no length", "length"),
    "cross terms": ("none", "some"),
    "immobile": ("none", "some"),
    "level": ("D_bulk", "conductivity"),
    "activation": ("none", "given"),
    "natives": ("one", "two", "divalent"),
    "foreign": ("constant", "own distribution"),
    "front": ("potential", "current", "ramp", "potential trace", "current trace", "reservoir", "blocking", "exchange"),
    "stages": ("one", "with a rest", "two"),
    "end": ("duration", "hours", "charge"),
    "outputs": ("end", "some"),
    "back": ("releasing", "blocking"),
    "model": ("electroneutral", "full"),
}
"""Options by table; what does not go together is refused in one line."""

HOURS = 10.0
_SED = {"sed_fwhm_eV": 0.2}


def make(choice: dict[str, str], folder: Path) -> Path:
    """Write an experiment file with its traces into a folder; return the file."""
    folder.mkdir(parents=True, exist_ok=True)
    times = np.linspace(0.0, 3600.0 * HOURS, 11)
    for name, level in (("potential_V", 10.0), ("current_density_A_m2", 1e-3)):
        values = level * np.where(times < 0.5 * times[-1], 1.0, 1.4)
        rows = np.column_stack([times, values])
        np.savetxt(folder / f"{name}.csv", rows, delimiter=",", header=f"time_s,{name}", comments="")
    table = {
        "schema_version": 1,
        "title": "made of options",
        "sample": {"thickness_um": 300.0, "permittivity": 9.0, "bulk_density_m3": 1.4e28}
        | ({"hop_length_nm": 0.4} if choice["hops"] == "length" else {})
        | ({"cross_coefficient": 0.3} if choice["cross terms"] == "some" else {}),
        "species": _species(choice),
        "stages": _stages(choice),
    }
    file = folder / "e.toml"
    file.write_text(dumps(table), encoding="utf-8")
    return file


def _law(choice: dict[str, str], factor: float) -> dict[str, Any]:
    activation = {"activation_energy_eV": 0.6, "reference_temperature_K": 350.0}
    more = activation if choice["activation"] == "given" else {}
    if choice["law"] == "constant":
        return {"law": "constant", "D_m2_s": 1e-18 * factor, **more}
    vacancies = {"few": 0.05, "many": 0.4}[choice["vacancies"]]
    level = {"D_bulk": {"D_bulk_m2_s": 1e-18 * factor}, "conductivity": {"conductivity_S_m": 1e-7 * factor}}
    law = {
        "law": "sed",
        "vacancy_fraction": vacancies,
        "immobile_fraction": 0.05 if choice["immobile"] == "some" and choice["populations"] == "separate" else 0.0,
        "filling": choice["filling"],
        **_populations(choice),
        "diffusion_term": choice["diffusion term"] if choice["populations"] == "separate" else "ideal",
        "averaging": choice["averaging"],
        **level[choice["level"]],
        **more,
    }
    occupied = [0.001, 0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98, 0.999]
    forms = {
        "gaussian": _SED,
        "mixture": {"sed": {"kind": "mixture", "energy_eV": [0.0, 0.1], "fwhm_eV": [0.2, 0.15], "weight": [1.0, 0.5]}},
        "table": {
            "sed": {
                "kind": "table",
                "occupied": occupied,
                "energy_eV": (0.2 / FWHM_PER_SIGMA * stats.norm.ppf(occupied)).tolist(),
            }
        },
    }
    return law | forms[choice["law"]]


def _populations(choice: dict[str, str]) -> dict[str, Any]:
    in_time = {"populations": "intermixed", "mixing_time_s": 5e3}
    return in_time if choice["populations"] == "intermixing" else {"populations": choice["populations"]}


def _species(choice: dict[str, str]) -> list[dict[str, Any]]:
    # Ions pile up where some pass and others do not, or where no current flows.
    melted = choice["front"] in ("reservoir", "exchange")
    back = choice["back"] if choice["natives"] == "two" or melted else "releasing"
    if choice["natives"] == "two":
        natives = [
            {"name": "Na", "bulk_fraction": 0.6, "back": "releasing", "diffusivity": _law(choice, 1.0)},
            {"name": "K", "bulk_fraction": 0.4, "back": back, "diffusivity": _law(choice, 0.4)},
        ]
    else:
        charge = 2 if choice["natives"] == "divalent" else 1
        natives = [
            {"name": "Li", "charge": charge, "bulk_fraction": 1.0, "back": back, "diffusivity": _law(choice, 1.0)}
        ]
    own = {"law": "sed", "D_bulk_m2_s": 2e-21, "vacancy_fraction": 0.1, "sed_fwhm_eV": 0.05}
    foreign = {"law": "constant", "D_m2_s": 2e-21} if choice["foreign"] == "constant" else own
    if "vacancy_fraction" in foreign:
        foreign = foreign | _populations(choice)
    behind = back if choice["natives"] != "two" else "releasing"
    return [*natives, {"name": "Rb", "bulk_fraction": 0.0, "back": behind, "diffusivity": foreign}]


def _stages(choice: dict[str, str]) -> list[dict[str, Any]]:
    first = _stage(choice, choice["front"])
    if choice["stages"] == "one":
        return [first]
    if choice["stages"] == "two":
        return [first, _stage(choice | {"outputs": "end"}, choice["front"])]
    return [first, {"front": "closed", "temperature_K": 380.0, "duration_s": 3600.0 * HOURS}]


def _stage(choice: dict[str, str], front: str) -> dict[str, Any]:
    with_charge = choice["end"] == "charge" and front not in ("reservoir", "exchange", "blocking", "ramp")
    end: dict[str, Any] = {"charge_C_m2": 30.0} if with_charge else {"duration_s": 3600.0 * HOURS}
    if choice["end"] == "hours":
        end = {"duration_h": HOURS}
    if choice["outputs"] == "some":
        key, last = ("output_charges_C_m2", 30.0) if "charge_C_m2" in end else ("output_times_s", 3600.0 * HOURS)
        end[key] = [0.3 * last, last]
    beam = {"front": "ion-beam", "beam": "Rb", "temperature_K": 350.0}
    natives = {"one": ["Li"], "divalent": ["Li"], "two": ["Na", "K"]}[choice["natives"]]
    left = dict(zip(natives, (0.1, 0.05), strict=False))
    charge = 2.0 if choice["natives"] == "divalent" else 1.0
    melt = left | {"Rb": charge * (1.0 - sum(left.values()))}
    kinds: dict[str, dict[str, Any]] = {
        "potential": beam | {"potential_V": 10.0},
        "current": beam | {"current_density_A_m2": 1e-3},
        "ramp": beam | {"current_density_A_m2": 5e-4, "current_density_end_A_m2": 1e-3},
        "potential trace": beam | {"potential_trace": "potential_V.csv"},
        "current trace": beam | {"current_density_trace": "current_density_A_m2.csv"},
        "reservoir": {"front": "reservoir", "temperature_K": 350.0, "reservoir_fraction": melt},
        "exchange": {
            "front": "reservoir", "temperature_K": 350.0, "reservoir_fraction": melt, "exchange_rate_m_s": 1e-12,
        },
        "blocking": {"front": "blocking", "temperature_K": 350.0, "potential_V": 5.0},
    }  # fmt: skip
    return kinds[front] | end
