"""Random legal experiments, each judged by an independent solver.

Usage: python benchmarks/random_experiments.py [--count 60] [--seed 0] [--keep FOLDER] [--save]

Is what is called done inside the target? Every experiment is written to a file, simulated as `npp-jax simulate` does,
and solved by `method_of_lines` on two meshes, whose difference is the error of the judge. Profiles are compared up to
one and a half times the depth of the foreign ion; the targets are those of the default settings. Printed: a line each,
and the counts

    done, inside   done, outside   flagged, outside   flagged, inside   not judged

`not judged` are those that the library refuses, and those on which the error of the judge, a third of what its two
meshes differ by, is above half of the target.
"""

import argparse
import itertools
import json
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import jax
import numpy as np
import record
from method_of_lines import NotCovered, Profiles, solve
from scipy import stats

import npp_jax as npp
from npp_jax.simulation.simulate import ACCURATE
from npp_jax.simulation.status import Status
from npp_jax.simulation.to_target import simulate_to_target

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "pairs"))
from toml_text import dumps

NM = 1e-9
KT = 8.617333e-5


class Drawn:
    """Random numbers of one experiment."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def log(self, low: float, high: float) -> float:
        """Number of a uniform logarithm, in three digits."""
        return float(f"{np.exp(self._rng.uniform(np.log(low), np.log(high))):.3g}")

    def even(self, low: float, high: float) -> float:
        """Uniform number, in three digits."""
        return float(f"{self._rng.uniform(low, high):.3g}")

    def one(self, *options: Any) -> Any:
        """One of the options."""
        return options[self._rng.integers(len(options))]


def experiment(seed: int) -> tuple[dict[str, Any], float, float]:
    """Tables of an experiment, its expected depth [nm], and the length D/v₀ of its front [nm]."""
    of = Drawn(seed)
    temperature, hours = of.even(320, 400), of.log(2.0, 40.0)
    depth, front = of.log(30.0, 200.0), of.log(0.7, 8.0)
    speed = depth / (3600.0 * hours)
    density, thickness = 1.4e28, 300.0
    D_foreign = speed * front * NM**2
    kind = of.one("current", "current", "potential", "potential", "ramp", "reservoir", "exchange")
    natives = of.one("one", "one", "two", "divalent")
    sites = of.one("gaussian", "gaussian", "mixture", "table", "constant")
    filling, vacancies = of.one("sharp", "sharp", "fermi-dirac"), of.one(0.05, 0.1, 0.2, 0.4)
    populations = of.one("separate", "separate", "separate", "intermixed")
    immobile = of.one(0.0, 0.05, 0.15) if populations == "separate" else 0.0
    fwhm = of.even(0.05, 0.28)
    melt = kind in ("reservoir", "exchange")
    ratio = of.log(1.5, 100.0) if melt else of.log(30.0, 3e4)
    volts = of.log(5.0, 200.0)
    if melt:
        # The depth of interdiffusion instead of that of a charge.
        D_foreign = (depth * NM) ** 2 / (3600.0 * hours) / 4.0
    D_native = D_foreign * ratio
    if kind == "potential":
        # The sample is the resistance that sets the current.
        D_native = speed * NM * thickness * 1e-6 * KT * temperature / volts

    def law(factor: float) -> dict[str, Any]:
        if sites == "constant":
            return {"law": "constant", "D_m2_s": D_native * factor}
        base = {
            "law": "sed", "D_bulk_m2_s": D_native * factor, "vacancy_fraction": vacancies,
            "immobile_fraction": immobile, "filling": filling, "populations": populations,
        }  # fmt: skip
        occupied = [0.001, 0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98, 0.999]
        if sites == "gaussian":
            return base | {"sed_fwhm_eV": fwhm}
        if sites == "mixture":
            form = {
                "kind": "mixture",
                "energy_eV": [0.0, of.even(0.05, 0.3)],
                "fwhm_eV": [fwhm, fwhm],
                "weight": [1.0, 0.5],
            }
            return base | {"sed": form}
        energy = (fwhm / 2.3548 * stats.norm.ppf(occupied)).round(5).tolist()
        return base | {"sed": {"kind": "table", "occupied": occupied, "energy_eV": energy}}

    shares = {"one": [("Li", 1, 1.0)], "divalent": [("Ca", 2, 1.0)], "two": [("Na", 1, 0.6), ("K", 1, 0.4)]}[natives]
    species = [
        {"name": name, "charge": charge, "bulk_fraction": share, "diffusivity": law(1.0 if k == 0 else 0.3)}
        for k, (name, charge, share) in enumerate(shares)
    ]
    foreign: dict[str, Any] = {"law": "constant", "D_m2_s": D_foreign}
    if of.one(False, False, True):
        foreign = {
            "law": "sed", "D_bulk_m2_s": D_foreign, "vacancy_fraction": of.one(0.1, 0.3),
            "sed_fwhm_eV": of.even(0.03, 0.2),
            "filling": of.one("sharp", "fermi-dirac"), "populations": populations,
        }  # fmt: skip
    species.append({"name": "Rb", "bulk_fraction": 0.0, "diffusivity": foreign})
    base = {"front": "ion-beam", "beam": "Rb", "temperature_K": temperature, "duration_s": 3600.0 * hours}
    base["output_times_s"] = [0.4 * base["duration_s"], base["duration_s"]]
    charge = 2 if natives == "divalent" else 1
    current = float(f"{1.602e-19 * density * speed * NM:.4g}")
    if melt:
        kept = [of.even(0.0, 0.3) for _ in shares]
        fractions = {name: k * share for (name, _, share), k in zip(shares, kept, strict=True)}
        fractions["Rb"] = charge - sum(q * fractions[name] for name, q, _ in shares)
        first = {"front": "reservoir", "reservoir_fraction": fractions}
        if kind == "exchange":
            first["exchange_rate_m_s"] = of.log(0.3, 3.0) * speed * NM
        stage = {k: v for k, v in base.items() if k not in ("front", "beam")} | first
    elif kind == "current":
        stage = base | {"current_density_A_m2": current}
    elif kind == "ramp":
        stage = base | {"current_density_A_m2": 0.4 * current, "current_density_end_A_m2": 1.6 * current}
    else:
        stage = base | {"potential_V": volts}
    stages = [stage]
    after = of.one("nothing", "nothing", "rest", "again")
    if after == "rest":
        stages.append({"front": "closed", "temperature_K": temperature, "duration_s": 3600.0 * hours})
    elif after == "again" and not melt:
        stages.append(stage | {"temperature_K": float(f"{temperature + 10.0:.4g}")})
    sample = {"thickness_um": thickness, "permittivity": 9.0, "bulk_density_m3": density}
    table = {"schema_version": 1, "title": f"{kind} {natives} {sites} {filling} {populations} after {after}"}
    return (
        table | {"sample": sample, "species": species, "stages": stages},
        depth * (2.2 if after == "again" else 1.2),
        front,
    )


def judged(file: Path, depth: float, front: float) -> tuple[Profiles, Profiles]:
    """The independent solution on two meshes."""
    step = min(0.3, max(0.05, front / 5.0))
    return tuple(solve(file, reach_nm=2.5 * depth, step_nm=h, rtol=r) for h, r in ((2 * step, 1e-5), (step, 1e-6)))  # pyright: ignore


def edge(depth: np.ndarray, foreign: np.ndarray) -> float:
    """Depth at which the foreign ion falls to half of its largest fraction for the last time [nm]."""
    half = 0.5 * foreign.max()
    last = np.flatnonzero(foreign >= half)[-1]
    if last + 1 >= len(depth):
        return float(depth[-1])
    a, b = foreign[last], foreign[last + 1]
    return float(depth[last] + (depth[last + 1] - depth[last]) * (a - half) / (a - b))


def compare(file: Path, depth: float, front: float) -> tuple[str, str]:
    """Verdict and a line about it."""
    begin = time.perf_counter()
    try:
        built = npp.load_experiment(file)
        solution = simulate_to_target(built, ACCURATE)
    except Exception as error:
        if type(error).__name__ not in ("ConfigError", "Unsupported"):
            raise
        return "not judged", f"refused: {str(error)[:100]}"
    own = time.perf_counter() - begin
    status = Status(int(solution.report.status))
    # A lack of neutrality is the physics of the model, not an error of its solution.
    flagged = status not in (Status.DONE, Status.NOT_NEUTRAL)
    try:
        rough, fine = judged(file, depth, front)
    except NotCovered as error:
        return "not judged", f"judge: {error} ({status.name})"
    worst, doubt, shifts = 0.0, 0.0, []
    for k in range(len(fine.times)):
        reach = 1.5 * edge(fine.depth, fine.fraction[k, -1])
        at = np.linspace(0.0, reach, 600)[1:]
        mine = np.asarray(solution.profile(at * NM, k))
        theirs, coarse = (np.stack([np.interp(at, p.depth, f) for f in p.fraction[k]]) for p in (fine, rough))
        worst = max(worst, float(np.sqrt(np.max(np.mean((mine - theirs) ** 2, axis=1)))))
        doubt = max(doubt, float(np.sqrt(np.max(np.mean((coarse - theirs) ** 2, axis=1)))))
        fronts = [edge(at, profile[-1]) for profile in (mine, theirs, coarse)]
        limit = max(0.25, 2.5e-3 * fronts[1])
        shifts.append((abs(fronts[0] - fronts[1]) / limit, abs(fronts[2] - fronts[1]) / limit))
    shift, shift_doubt = max(s for s, _ in shifts), max(d for _, d in shifts)
    estimate = float(np.max(solution.report.profile_error))
    line = (
        f"{status.name:14} off {worst:.1e} (estimate {estimate:.1e}, judge {doubt:.1e}), front {shift:.2f} of its "
        f"target (judge {shift_doubt:.2f}), {own:.0f} s"
    )
    # The two meshes of the judge differ by three times the error of the finer one, at second order.
    inside = worst <= ACCURATE.profile_target + doubt / 3.0 and shift <= 1.0 + shift_doubt / 3.0
    if doubt > 1.5 * ACCURATE.profile_target or shift_doubt > 1.5:
        return "not judged", f"judge unsure; {line}"
    return ("flagged" if flagged else "done") + (", inside" if inside else ", outside"), line


def main() -> None:
    """Draw, simulate, judge, count."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # pyright: ignore
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, default=Path(tempfile.mkdtemp()))
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/random_experiments.json")
    arguments = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    counts: Counter[str] = Counter()
    for number in itertools.islice(itertools.count(arguments.seed), arguments.count):
        table, depth, front = experiment(number)
        file = arguments.keep / f"r{number}.toml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dumps(table), encoding="utf-8")
        verdict, line = compare(file, depth, front)
        counts[verdict] += 1
        print(f"{number:4d} {verdict:17} {line} [{table['title']}]", flush=True)
    print(json.dumps(dict(counts)))
    if arguments.save:
        record.save("random_experiments", {"seed": arguments.seed, "counts": dict(counts)})


if __name__ == "__main__":
    main()
