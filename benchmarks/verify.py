"""Accuracy of the engine against the converged reference solutions, for both models and both named settings.

Usage: python benchmarks/verify.py [--reference DIR ...] [--cases p1 p2 ...] [--models full] [--settings accurate fast]
       [--save]

Three of the nine cases are published with the package, in tests/verification/reference; the others are taken from
../shared/reference where it is there. What is found is compared.

Prints one line for each output of each case: errors of front depth, profiles, plateau, charge, current and potential,
and whether all are inside the limits. A candidate that reports NOT_NEUTRAL, its front thinner than the Debye length, is
outside the electroneutral model and counted apart. Exit status 1 if a limit of the setting `accurate` is exceeded.
`--save` writes benchmarks/results/verify.json.
"""

import argparse
import csv
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)

import record

from npp_jax.files import load_experiment
from npp_jax.physics import (
    ConstantDiffusivity,
    Drive,
    Experiment,
    GaussianSED,
    IonBeamPotential,
    Sample,
    SEDDiffusivity,
    Species,
    Stage,
)
from npp_jax.simulation.simulate import ACCURATE, FAST, simulate
from npp_jax.simulation.status import Status

NM = 1e-9
THIN = 0.3
"""Width [nm] below which a front is compared by its depth alone."""
FULL_ONLY = ("p6",)
"""Blocking fronts: no limit of electroneutrality."""
DECAYED = 1e-3
"""A current that has decayed below this share of that of the first output is compared on that scale."""
SETTINGS = {"accurate": ACCURATE, "fast": FAST}
CASES = tuple(f"p{k}" for k in range(1, 10))
ROOT = Path(__file__).parents[1]
REFERENCES = (ROOT.parent / "shared" / "reference", ROOT / "tests" / "verification" / "reference")
"""Folders of reference solutions, the one with all cases and points first."""
ROWS: list[dict] = []
"""Errors of each output, in the order of printing."""
# Front [nm, share], profile RMSE, plateau, relative error of charge, current, potential and time.
LIMITS = {"accurate": (0.1, 1e-3, 1e-3, 1e-3, 2e-3), "fast": (0.25, 2.5e-3, 2e-3, 2e-3, 2e-3)}


def errors(solution, output, depth_nm, fractions, expected):
    """Errors of one output against a reference profile and its key numbers.

    Profiles are compared over one and a half front depths, the range that a measured profile shows. A charge, current
    or potential of zero (rest, reservoir) has no relative error and is left out. Where the front is thinner than
    0.3 nm, a shift of a few picometres is a large error of the profile in it: the front depth tells that, and the
    profile is compared outside of one front width, as the notes of the reference solutions advise.
    """
    offset = max(0.0, DECAYED * expected.get("first_current", 0.0) - expected["current"])
    reach = depth_nm <= 1.5 * expected["front_depth_nm"]
    if expected.get("width", np.inf) < THIN:
        reach &= np.abs(depth_nm - expected["front_depth_nm"]) > expected["width"]
    depth = depth_nm[reach]
    profile = np.asarray(solution.profile(jnp.asarray(depth * NM), output))
    span = depth[-1] - depth[0]
    rmse = [
        float(np.sqrt(np.trapezoid((ours - theirs[reach]) ** 2, depth) / span))
        for ours, theirs in zip(profile, fractions, strict=True)
    ]
    return {
        "front": float(solution.front_depth[output]) / NM - expected["front_depth_nm"],
        "profile": max(rmse),
        "plateau": float(solution.plateau[output]) - expected["plateau"],
        "other": max(
            abs(float(ours) / theirs - 1.0)
            for ours, theirs in (
                (solution.charge[output], expected["charge"]),
                (solution.current_density[output] + offset, expected["current"] + offset),
                (solution.surface_potential[output], expected["potential"]),
                (solution.time[output], expected["time"]),
            )
            if theirs != 0.0
        ),
    }


def within(found: dict, front_nm: float, setting: str) -> bool:
    """Whether all errors are inside the limits of a setting."""
    absolute, share, profile, plateau, other = LIMITS[setting]
    return bool(
        abs(found["front"]) <= max(absolute, share * front_nm)
        and found["profile"] <= profile
        and abs(found["plateau"]) <= plateau
        and found["other"] <= other
    )


def report(label: str, found: dict, front_nm: float, setting: str, status: int) -> str:
    """Print one line and return the verdict."""
    verdict = "inside" if within(found, front_nm, setting) else "OUTSIDE"
    if verdict == "OUTSIDE" and status == Status.NOT_NEUTRAL:
        verdict = "flagged NOT_NEUTRAL"
    print(
        f"{label:34s} front {found['front']:+9.4f} nm of {front_nm:8.3f}  profile {found['profile']:.1e}  "
        f"plateau {found['plateau']:+.1e}  charge, current, potential, time {found['other']:.1e}  "
        f"{verdict}"
    )
    ROWS.append({"label": label, "front_nm": front_nm, **found, "setting": setting, "verdict": verdict})
    return verdict


def verify_case(folder: Path, model: str, setting: str) -> list[str]:
    """Run one case file and compare each of its outputs."""
    experiment = load_experiment(folder / "case.toml")
    # Each program runs once: code that is quickly compiled.
    quick = {"xla_backend_optimization_level": 0}
    solution = jax.jit(lambda e: simulate(e, SETTINGS[setting], model=model), compiler_options=quick)(experiment)
    results = []
    outputs = json.loads((folder / "summary.json").read_text())["outputs"]
    for k, expected in enumerate(outputs):
        table = np.genfromtxt(folder / expected["file"], delimiter=",", names=True)
        wanted = {
            "front_depth_nm": expected["front_depth_nm"],
            "plateau": expected["plateau_half_depth"],
            "charge": expected["charge_C_m2"],
            "current": expected["current_density_A_m2"],
            "potential": expected["surface_potential_V"],
            "time": expected["time_s"],
        }
        if folder.name in FULL_ONLY:
            wanted["first_current"] = outputs[0]["current_density_A_m2"]
        found = errors(solution, k, table["depth_nm"], [table[n] for n in solution.species], wanted)
        label = f"{folder.name} {model} {setting} {expected['time_s']:.0f} s"
        results.append(report(label, found, expected["front_depth_nm"], setting, int(solution.report.status)))
    return results


def candidates(table: list[dict], dtype: jnp.dtype = jnp.float64) -> Experiment:
    """Experiments of the candidate table, one batch with a trailing axis."""

    def column(name: str, factor: float = 1.0) -> jax.Array:
        return jnp.asarray([float(row[name]) * factor for row in table], dtype)

    native = SEDDiffusivity(
        D_bulk=jnp.asarray(1e-18, dtype),
        sed=GaussianSED(column("sed_fwhm_eV")),
        vacancy_fraction=column("vacancy_fraction"),
        immobile_fraction=jnp.asarray(0.0, dtype),
    )
    foreign = ConstantDiffusivity(D=column("D_foreign_m2_s"))
    return Experiment(
        sample=Sample(column("thickness_um", 1e-6), jnp.asarray(9.0, dtype), jnp.asarray(1.4e28, dtype)),
        species=(Species("Li", native, jnp.asarray(1.0, dtype)), Species("K", foreign, jnp.asarray(0.0, dtype))),
        stages=(
            Stage(
                IonBeamPotential("K", Drive.constant(column("potential_V"))),
                column("temperature_K"),
                charge=column("charge_C_m2"),
            ),
        ),
    )


def verify_candidates(folder: Path, model: str, setting: str) -> list[str]:
    """Run the candidates as one batch and compare each."""
    with (folder / "candidates.csv").open() as file:
        table = list(csv.DictReader(file))
    profiles = np.load(folder / "profiles.npz")
    batch = jax.jit(lambda e: simulate(e, SETTINGS[setting], model=model))(candidates(table))
    results = []
    for k, row in enumerate(table):
        solution = jax.tree.map(lambda leaf, k=k: leaf[..., k], batch)
        known = np.isfinite(profiles["depth_nm"][k])
        depth, native, foreign = (
            profiles[name][k][known] for name in ("depth_nm", "native_fraction", "foreign_fraction")
        )
        wanted = {
            "front_depth_nm": float(row["front_depth_nm"]),
            "width": float(row["front_width_16_84_nm"]),
            "plateau": float(row["plateau_half_depth"]),
            "charge": float(row["charge_C_m2"]),
            "current": float(row["current_density_end_A_m2"]),
            "potential": float(row["potential_V"]),
            "time": float(row["duration_s"]),
        }
        found = errors(solution, 0, depth, (native, foreign), wanted)
        status = int(solution.report.status)
        results.append(report(f"p9/{k} {model} {setting}", found, wanted["front_depth_nm"], setting, status))
    return results


def found_cases(cases: Sequence[str], places: Sequence[Path]) -> dict[str, Path]:
    """The first folder that holds each case, of those that are anywhere."""
    found = {case: [place / case for place in places if (place / case).is_dir()] for case in cases}
    return {case: folders[0] for case, folders in found.items() if folders}


def main() -> int:
    """Run all comparisons and print a summary."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reference", type=Path, nargs="+", default=REFERENCES, help="folders, the first wins")
    parser.add_argument("--cases", nargs="*", default=CASES, choices=CASES)
    parser.add_argument("--models", nargs="*", default=["electroneutral", "full"], choices=["electroneutral", "full"])
    parser.add_argument("--settings", nargs="*", default=list(SETTINGS), choices=list(SETTINGS))
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/verify.json")
    options = parser.parse_args()
    folders = found_cases(options.cases, options.reference)
    absent = [case for case in options.cases if case not in folders]
    if absent:
        places = ", ".join(map(str, options.reference))
        print(f"left out, not published with the package and not in {places}: {', '.join(absent)}")
    if not folders:
        print("nothing to compare with")
        return 2
    summary, failed = [], False
    for model in options.models:
        for setting in options.settings:
            for case, folder in folders.items():
                if model != "full" and case in FULL_ONLY:
                    continue
                begin = time.perf_counter()
                check = verify_candidates if case == "p9" else verify_case
                results = check(folder, model, setting)
                spent = time.perf_counter() - begin
                counts = ", ".join(f"{results.count(verdict)} {verdict}" for verdict in dict.fromkeys(results))
                summary.append(f"{case} {model} {setting}: {len(results)} outputs, {counts} ({spent:.0f} s)")
                failed |= setting == "accurate" and "OUTSIDE" in results
    print("\n".join(["", *summary]))
    if options.save:
        record.save("verify", {"limits": LIMITS, "rows": ROWS})
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
