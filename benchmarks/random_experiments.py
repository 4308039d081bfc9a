"""Random legal experiments, each judged by an independent solver.

Usage: python benchmarks/random_experiments.py [--count 60] [--seed 100] [--keep FOLDER] [--patience 60]
       [--deadline 900] [--save]

Is what is called done inside the target? Every experiment is written to a file, simulated as `npp-jax simulate` does,
and solved by `method_of_lines` on two meshes, whose difference is the error of the judge. Profiles are compared up to
one and a half times the depth of the foreign ion; the targets are those of the default settings. Printed: a line each,
and the counts

    done, inside   done, outside   flagged, outside   flagged, inside   not judged

The error of the judge is a third of what its two meshes differ by, as at second order. Where that is above half of
the target, or the result is outside, a third mesh tells the order (behind a front that leaves immobile ions it is the
first), the judge is what the three go to, and its error half of the last step to it; finer meshes follow within
`--patience` seconds. `not judged` are those that the library refuses, those that the judge has not solved within
`--deadline` seconds, and those on which that error stays above half of the target.
With `--save` each result is kept as it comes, beside those of other seeds, and a seed that is kept is not run again,
unless the judge was not sure of it and has more patience now.
"""

import argparse
import json
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

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

RESULT = record.FOLDER / "random_experiments.json"
NM = 1e-9
KT = 8.617333e-5
PATIENCE = 60.0
"""Time after which no finer mesh of the judge is begun, by default [s]."""
DEADLINE = 900
"""Time that all meshes of the judge have together, by default [s]."""


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


def judged(file: Path, edges: list[float], front: float, level: int) -> Profiles:
    """The independent solution on a mesh that is finer by two with every level; `edges` are about its depths [nm]."""
    step = 2.0 * min(max(0.3, max(edges) / 400.0), max(0.05, front / 5.0), min(edges) / 40.0)
    return solve(file, reach_nm=1.7 * max(edges), step_nm=step / 2**level, rtol=1e-5 * 0.3**level)


def edge(depth: np.ndarray, foreign: np.ndarray, half: float | None = None) -> float:
    """Depth at which the foreign ion falls for the last time to half of its largest fraction, or to `half` [nm]."""
    half = 0.5 * foreign.max() if half is None else half
    reached = np.flatnonzero(foreign >= half)
    if not len(reached):
        return 0.0
    last = reached[-1]
    if last + 1 >= len(depth):
        return float(depth[-1])
    a, b = foreign[last], foreign[last + 1]
    return float(depth[last] + (depth[last + 1] - depth[last]) * (a - half) / (a - b))


def depths(solution: npp.Solution, expected: float) -> list[float]:
    """About how deep the foreign ion is at the outputs [nm], for the mesh of the judge; else what was expected.

    That is where a tenth of its largest fraction is left: of ions that pile up at the surface less than half may reach
    the front.
    """
    at = np.linspace(0.0, 4.0 * expected, 2000)
    ends = [np.asarray(solution.profile(at * NM, k))[-1] for k in range(len(solution.time))]
    found = [edge(at, foreign, 0.1 * foreign.max()) for foreign in ends]
    return [max(x, 1.0) if np.isfinite(x) else expected for x in found]


@contextmanager
def within(seconds: int) -> Iterator[None]:
    """Raise `TimeoutError` where what is done takes longer."""

    def late(*_: object) -> None:
        raise TimeoutError(f"no end within {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def compare(
    file: Path, depth: float, front: float, patience: float = PATIENCE, deadline: int = DEADLINE
) -> tuple[str, str]:
    """Verdict and a line about it; no finer mesh of the judge is begun after `patience` seconds."""
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
        with within(deadline):
            found = _judge(file, solution, depths(solution, depth), front, patience)
    except (NotCovered, TimeoutError) as error:
        return "not judged", f"judge: {error} ({status.name})"
    estimate = float(np.max(solution.report.profile_error))
    line = (
        f"{status.name:14} off {found.profile:.1e} (estimate {estimate:.1e}, judge {found.profile_doubt:.1e}), "
        f"front {found.front:.2f} of its target (judge {found.front_doubt:.2f}), {own:.0f} s"
    )
    if found.unsure:
        return "not judged", f"judge unsure; {line}"
    return ("flagged" if flagged else "done") + (", inside" if found.inside else ", outside"), line


def _judge(file: Path, solution: npp.Solution, edges: list[float], front: float, patience: float) -> "Comparison":
    """Compare with two meshes, and with finer ones where these are unsure or the solution is outside."""
    level = 1
    solutions = [judged(file, edges, front, k) for k in (0, level)]
    found = Comparison.of(solution, *solutions)
    third = time.perf_counter()
    while (found.unsure or not found.inside) and time.perf_counter() - third < patience:
        solutions = [*solutions[-2:], judged(file, edges, front, level := level + 1)]
        found = Comparison.of(solution, *solutions)
    return found


class Comparison(NamedTuple):
    """How far a solution is from the judge, and the error of the judge; the worst of all outputs."""

    profile: float
    """RMSE of the profiles, of the ion for which it is largest."""
    profile_doubt: float
    front: float
    """Difference of the fronts in units of the target."""
    front_doubt: float

    @staticmethod
    def of(solution: npp.Solution, *meshes: Profiles) -> "Comparison":
        """Compare with two or three meshes, up to one and a half times the depth of the foreign ion."""
        rows = []
        for k in range(len(meshes[-1].times)):
            reach = 1.5 * edge(meshes[-1].depth, meshes[-1].fraction[k, -1])
            at = np.linspace(0.0, reach, 600)[1:]
            mine = np.asarray(solution.profile(at * NM, k))
            judges = [np.stack([np.interp(at, p.depth, f) for f in p.fraction[k]]) for p in meshes]
            judge, doubt = limit_of(judges)
            # One level for all: a thin layer at the surface may hold the largest fraction, which no mesh resolves.
            half = 0.5 * judges[-1][-1].max()
            front, front_doubt = limit_of([np.array([edge(at, profile[-1], half)]) for profile in judges])
            limit = max(0.25, 2.5e-3 * front[0])
            moved = abs(edge(at, mine[-1], half) - front[0]) / limit
            rows.append((rms(mine - judge), doubt, moved, front_doubt / limit))
        return Comparison(*np.max(rows, axis=0).tolist())

    @property
    def unsure(self) -> bool:
        """Whether the error of the judge is above half of the target."""
        return self.profile_doubt > 0.5 * ACCURATE.profile_target or self.front_doubt > 0.5

    @property
    def inside(self) -> bool:
        """Whether the solution is inside of the targets, but for the error of the judge."""
        return self.profile <= ACCURATE.profile_target + self.profile_doubt and self.front <= 1.0 + self.front_doubt


def rms(difference: np.ndarray) -> float:
    """Root of the mean square over the last axis, of the ion for which it is largest."""
    return float(np.sqrt(np.max(np.mean(difference**2, axis=-1))))


def limit_of(meshes: list[np.ndarray]) -> tuple[np.ndarray, float]:
    """Best value of two or three meshes, each finer by two than the one before, and its error.

    Of two it is the finer, whose error at second order is a third of their difference. Three tell by the ratio of
    their differences, of which between 1.5 and 4 is believed, where they go to.
    """
    *_, coarse, fine = meshes
    last = fine - coarse
    if len(meshes) == 2 or not last.any():
        return fine, rms(last) / 3.0
    ratio = float(np.clip(rms(coarse - meshes[0]) / rms(last), 1.5, 4.0))
    return fine + last / (ratio - 1.0), 0.5 * rms(last) / (ratio - 1.0)


def main() -> None:
    """Draw, simulate, judge, count."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # pyright: ignore
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--seed", type=int, default=100)
    parser.add_argument("--keep", type=Path, default=Path(tempfile.mkdtemp()))
    parser.add_argument("--patience", type=float, default=PATIENCE, help="seconds for finer meshes of the judge")
    parser.add_argument("--deadline", type=int, default=DEADLINE, help="seconds for all meshes of the judge")
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/random_experiments.json")
    arguments = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    kept = json.loads(RESULT.read_text("utf-8"))["rows"] if arguments.save and RESULT.exists() else {}
    for number in range(arguments.seed, arguments.seed + arguments.count):
        unsure = "judge unsure" in kept.get(str(number), "")
        if str(number) in kept and not (unsure and arguments.patience > PATIENCE):
            continue
        table, depth, front = experiment(number)
        file = arguments.keep / f"r{number}.toml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dumps(table), encoding="utf-8")
        verdict, line = compare(file, depth, front, arguments.patience, arguments.deadline)
        kept[str(number)] = f"{verdict}: {line} [{table['title']}]"
        print(f"{number:4d} {verdict:17} {line} [{table['title']}]", flush=True)
        if arguments.save:
            counts = Counter(row.partition(": ")[0] for row in kept.values())
            record.save(RESULT.stem, {"counts": dict(counts), "rows": kept})
    print(json.dumps(Counter(row.partition(": ")[0] for row in kept.values())))


if __name__ == "__main__":
    main()
