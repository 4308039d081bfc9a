"""Baselines of the speed figures: SUNDIALS IDA with banded Jacobian and compiled residual, looped over all cores.

Usage: python benchmarks/sundials_baseline.py [--meshes fixed moving] [--candidates N] [--processes P] [--models ...]

Two of them, both solving one candidate at a time by the variable-order, variable-step BDF method of IDA. `fixed` is the
conventional one (`sundials_fixed`): time as variable and a fixed graded mesh, which costs steps for every cell that the
front passes. `moving` borrows the formulation of the library: charge as clock and a mesh that moves with the front,
where the solution is nearly at rest. Cells and tolerances are the cheapest found that keep the practical accuracy,
front within 0.25 nm or 0.25 % and profile RMSE below 2e-3. Accuracy is printed against refined runs of the same model
and, where they are at hand, against the converged full solutions p9, two of which (front as thin as the Debye length, 9
and 11 % of excess charge) no electroneutral model meets.

The linear solver of `moving` is banded although the current depends on all cells: the Jacobian is taken at fixed
current, which Newton's method does not notice, as the charge is the clock. About half of the time is the binding's own
overhead of some 17 µs for each evaluation of the residual, whatever the number of cells.
"""

import argparse
import csv
import multiprocessing
import os
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Literal

import numpy as np
from scipy.interpolate import PchipInterpolator

try:
    import sundials_fixed
    import sundials_kernels as kernels
    from sksundae.ida import IDA
except ImportError as missing:
    sys.exit(f"{missing.name} is not installed; install the baseline with: python -m pip install scikit-sundae numba")

from npp_jax.constants import BOLTZMANN_EV, ELEMENTARY_CHARGE, FWHM_PER_SIGMA, VACUUM_PERMITTIVITY

NM = 1e-9
BULK_DENSITY = 1.4e28
PERMITTIVITY = 9.0
D_BULK = 1e-18
RAMP_POINTS = 48
OUTPUTS = 33
"""Charges at which the current is kept, for the time that has passed."""

Model = Literal["electroneutral", "full"]
Mesh = Literal["fixed", "moving"]


@dataclass(frozen=True)
class Settings:
    """Cells and tolerances of one run on the moving mesh."""

    behind: int
    """Cells behind the front."""
    ahead: int
    """Cells ahead of the front."""
    rtol: float
    """Relative tolerance of IDA."""
    atol: float
    """Absolute tolerance of IDA on a fraction."""
    first: float
    """Share of the charge at which a run starts from the theory of the front, where that is thin by then."""
    field: float = 1.0
    """Absolute tolerance on the field of the full model over that on a fraction, in kT/(eℓ)."""
    max_steps: int = 300
    """Steps between two kept charges after which a run is given up."""


AnySettings = Settings | sundials_fixed.FixedSettings

TUNED: dict[Mesh, dict[Model, AnySettings]] = {
    "fixed": {
        "electroneutral": sundials_fixed.FixedSettings(share=0.15, grading=0.05, surface=0.01, rtol=1e-4, atol=1e-5),
        "full": sundials_fixed.FixedSettings(share=0.2, grading=0.05, surface=0.01, rtol=1e-4, atol=1e-5),
    },
    "moving": {
        "electroneutral": Settings(behind=60, ahead=30, rtol=3e-4, atol=3e-4, first=0.03),
        "full": Settings(behind=70, ahead=30, rtol=1e-4, atol=2e-4, first=0.03, field=100.0),
    },
}
"""Cheapest settings found that keep the practical accuracy."""


@dataclass(frozen=True)
class Outcome:
    """Profile and history of one candidate."""

    success: bool
    depth: np.ndarray
    """Depths, the surface first. [m], shape [point]"""
    native: np.ndarray
    """Native fraction. [1], shape [point]"""
    foreign: np.ndarray
    """Foreign fraction. [1], shape [point]"""
    time: float
    """Time at which the charge has passed. [s]"""
    charge: float
    """Charge of the foreign ions in the profile: differs from the wanted one by the error of the run. [C/m²]"""
    current_density: float
    """Current density at that time. [A/m²]"""
    evaluations: int
    """Evaluations of the residual."""


def parameters(candidate: dict, model: Model) -> tuple[np.ndarray, float]:
    """Parameters of the kernels, and the charge to pass as a length [nm]."""
    kt = BOLTZMANN_EV * float(candidate["temperature_K"])
    filled = 1.0 - float(candidate["vacancy_fraction"])
    p = np.zeros(kernels.PARAMETERS)
    p[kernels.D_BULK] = D_BULK / NM**2
    p[kernels.D_FOREIGN] = float(candidate["D_foreign_m2_s"]) / NM**2
    p[kernels.SLOPE] = float(candidate["sed_fwhm_eV"]) / FWHM_PER_SIGMA / kt
    p[kernels.Z_BULK] = kernels.quantile(filled)
    p[kernels.FILLED] = filled
    p[kernels.POTENTIAL] = float(candidate["potential_V"]) / kt
    p[kernels.THICKNESS] = float(candidate["thickness_um"]) * 1e-6 / NM
    if model == "full":
        p[kernels.DEBYE2] = PERMITTIVITY * VACUUM_PERMITTIVITY * kt / (ELEMENTARY_CHARGE * BULK_DENSITY) / NM**2
    return p, float(candidate["charge_C_m2"]) / (ELEMENTARY_CHARGE * BULK_DENSITY * NM)


def solve(candidate: dict, *, model: Model = "electroneutral", settings: AnySettings | None = None) -> Outcome:
    """Simulate one candidate.

    Parameters
    ----------
    candidate
        A row of the table of candidates: `temperature_K`, `sed_fwhm_eV`, `vacancy_fraction`, `D_foreign_m2_s`,
        `potential_V`, `thickness_um`, `charge_C_m2`.
    model
        `electroneutral`, or `full` for Nernst–Planck with Poisson's equation.
    settings
        Cells and tolerances, which choose the mesh; those of `TUNED` for the moving one by default.
    """
    use = settings or TUNED["moving"][model]
    neutral = model == "electroneutral"
    p, wanted = parameters(candidate, model)
    position, fraction = np.empty(RAMP_POINTS), np.empty(RAMP_POINTS)
    kernels.front_theory(p, position, fraction)
    unit = ELEMENTARY_CHARGE * BULK_DENSITY * NM
    if isinstance(use, sundials_fixed.FixedSettings):
        run = sundials_fixed.integrate(p, wanted, use, neutral=neutral)
        return Outcome(
            success=run.success,
            depth=run.depth * NM,
            native=run.native,
            foreign=run.foreign,
            time=run.time,
            charge=unit * run.charge,
            current_density=unit * run.current,
            evaluations=run.evaluations,
        )
    ell = p[kernels.D_FOREIGN] * p[kernels.THICKNESS] / (p[kernels.D_BULK] * p[kernels.POTENTIAL])
    begin = use.first * wanted
    if begin < 30.0 * ell:
        begin = min(begin, 0.01 * ell)
    if p[kernels.DEBYE2] > 0.25 * ell**2:
        # Earlier than this the exchanged layer is thinner than its own space charge.
        begin = max(begin, min(25.0 * p[kernels.DEBYE2] / ell, 0.2 * wanted))
    p[kernels.GROWTH] = kernels.match_growth(wanted, p, use.behind, use.ahead)
    # What flows in is the foreign ions and the charge that carries the field at the surface, kT/(eℓ) where u = 0.
    end = wanted + p[kernels.DEBYE2] / kernels.front_scale(wanted, p)
    cells, behind = use.behind + use.ahead, use.behind
    work = np.full((kernels.ROWS, cells + 2), np.nan)
    span = np.log([begin, end])
    y = kernels.neutral_start(span[0], p, behind, work, position, fraction, cells)
    faces = work[1, : cells + 1]
    if neutral:
        residual, jacobian, history, atol = (
            kernels.neutral_residual,
            kernels.neutral_jacobian,
            kernels.neutral_history,
            use.atol,
        )
    else:
        residual, jacobian, history = kernels.full_residual, kernels.full_jacobian, kernels.full_history
        y = kernels.full_start(span[0], y, p, behind, work)
        atol = np.tile([use.atol, use.field * use.atol / ell], cells)
    rate, out = np.zeros_like(y), np.empty_like(y)
    residual(span[0], y, rate, out, p, behind, work)
    stride = len(y) // cells
    rate[::stride] = -out[::stride] / np.diff(faces)

    def residual_function(s, y, y_rate, out):
        residual(s, y, y_rate, out, p, behind, work)

    def jacobian_function(s, y, y_rate, out, cj, matrix):
        jacobian(s, y, cj, matrix, p, behind, work)

    ida = IDA(
        residual_function,
        jacfn=jacobian_function,
        linsolver="band",
        lband=stride,
        uband=stride,
        rtol=use.rtol,
        atol=atol,
        max_num_steps=use.max_steps,
    )
    run = ida.solve(np.linspace(span[0], span[1], OUTPUTS), y, rate)
    current = np.empty(len(run.t))
    history(run.t, run.y, p, behind, work, current)
    last = run.y[-1]
    early = begin * 0.5 * (ell + kernels.front_scale(begin, p)) / p[kernels.D_FOREIGN]
    elapsed = early + kernels.passed_time(run.t, current) if run.success else np.nan
    native = last[::stride]
    foreign = 1.0 - native if neutral else work[6, :cells].copy()
    depth = np.concatenate(([0.0], 0.5 * (faces[1:] + faces[:-1])))
    # No native ion crosses the surface: u = ℓ du/dx there.
    surface = native[0] / (1.0 + depth[1] * current[-1] / p[kernels.D_FOREIGN])
    return Outcome(
        success=bool(run.success and np.all(np.isfinite(last))),
        depth=depth * NM,
        native=np.concatenate(([surface], native)),
        foreign=np.concatenate(([1.0 - surface], foreign)),
        time=float(elapsed),
        charge=float(unit * np.sum(foreign * np.diff(faces))),
        current_density=float(unit * current[-1]),
        evaluations=run.nfev,
    )


def solve_timed(job: tuple[dict, Model, AnySettings]) -> tuple[bool, float, float]:
    """Whether a candidate was solved, the seconds it took, and those of them on a processor."""
    candidate, model, settings = job
    begin, busy = time.perf_counter(), time.process_time()
    try:
        success = solve(candidate, model=model, settings=settings).success
    except (RuntimeError, ValueError, ArithmeticError):
        success = False
    return success, time.perf_counter() - begin, time.process_time() - busy


@dataclass(frozen=True)
class Rate:
    """Speed of a loop over candidates."""

    per_second: float
    """Candidates per second with all processes, median of the repetitions."""
    median_seconds: float
    """Median time of one candidate in one process [s]."""
    processor_seconds: float
    """Mean processor time of one candidate, which a loaded machine changes less [s]."""
    failed: float
    """Share of the candidates that IDA gave up."""


def rate(
    candidates: Sequence[dict],
    processes: int,
    *,
    model: Model = "electroneutral",
    settings: AnySettings | None = None,
    repeats: int = 3,
) -> Rate:
    """Measure the speed of a loop over candidates, processes and compiled code being warm.

    Parameters
    ----------
    candidates
        Rows of the table of candidates, as for `solve`.
    processes
        Worker processes.
    model, settings
        As for `solve`.
    repeats
        Number of times the loop is run.
    """
    use = settings or TUNED["moving"][model]
    jobs: list[tuple[dict, Model, AnySettings]] = [(candidate, model, use) for candidate in candidates]
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        pool.map(solve_timed, jobs[: 4 * processes], chunksize=1)
        seconds, results = [], []
        for _ in range(repeats):
            begin = time.perf_counter()
            results = pool.map(solve_timed, jobs, chunksize=1 if len(jobs) < 128 else 8)
            seconds.append(time.perf_counter() - begin)
    success, spent, busy = np.array(results).T
    return Rate(
        per_second=len(jobs) / float(np.median(seconds)),
        median_seconds=float(np.median(spent)),
        processor_seconds=float(np.mean(busy)),
        failed=1.0 - float(np.mean(success)),
    )


def front_depth(depth: np.ndarray, u: np.ndarray) -> float:
    """Deepest depth with u = (1+p)/2, p the fraction at half of the deepest depth with u = 1/2; unit of `depth`."""
    curve = PchipInterpolator(depth, u)

    def deepest(level: float) -> float:
        crossings = curve.solve(level, extrapolate=False)
        return float(np.max(crossings)) if len(crossings) else 0.0

    half = deepest(0.5)
    return deepest(0.5 * (1.0 + float(curve(0.5 * half))))


@dataclass(frozen=True)
class Accuracy:
    """Errors of profiles against converged ones; arrays have shape [candidate], infinite where a run failed."""

    front: np.ndarray
    """Error of the front depth over its limit, 0.25 nm or 0.25 %."""
    profile: np.ndarray
    """RMSE of the profile over one and a half front depths, of the worse species."""
    time: np.ndarray
    """Relative error of the time."""

    @property
    def inside(self) -> float:
        """Share of the candidates inside the practical accuracy."""
        return float(np.mean((self.front <= 1.0) & (self.profile <= 2e-3)))

    def __str__(self) -> str:
        pairs = [f"{np.median(e):.1e} {np.max(e):.1e}" for e in (self.profile, self.front, self.time)]
        return (
            f"inside {100 * self.inside:.1f} %; median and worst: profile RMSE {pairs[0]}, front error / limit "
            f"{pairs[1]}, time {pairs[2]}"
        )


@dataclass(frozen=True)
class Reference:
    """Converged profile."""

    depth: np.ndarray
    """Depths up to one and a half front depths, or beyond. [nm], shape [point]"""
    native: np.ndarray
    foreign: np.ndarray
    front: float
    """Front depth. [nm]"""
    time: float
    """Time of the charge. [s]"""


def compare(found: Outcome, wanted: Reference) -> tuple[float, float, float]:
    """Front error over its limit, RMSE of the profile and relative error of the time."""
    if not found.success:
        return np.inf, np.inf, np.inf
    depth = found.depth / NM
    reach = wanted.depth <= 1.5 * wanted.front
    x = wanted.depth[reach]
    rmse = []
    for ours, theirs, bulk in ((found.native, wanted.native, 1.0), (found.foreign, wanted.foreign, 0.0)):
        values = np.where(x > depth[-1], bulk, PchipInterpolator(depth, ours)(x))
        rmse.append(np.sqrt(np.trapezoid((values - theirs[reach]) ** 2, x) / (x[-1] - x[0])))
    front = abs(front_depth(depth, found.native) - wanted.front) / max(0.25, 2.5e-3 * wanted.front)
    return front, max(rmse), abs(found.time / wanted.time - 1.0)


def accuracy(folder: Path, *, model: Model = "electroneutral", settings: AnySettings | None = None) -> Accuracy:
    """Solve the candidates of p9 and compare with their converged solutions of the full model."""
    with (folder / "candidates.csv").open() as file:
        table = list(csv.DictReader(file))
    stored = np.load(folder / "profiles.npz")
    errors = []
    for k, row in enumerate(table):
        known = np.isfinite(stored["depth_nm"][k])
        profile = (stored[name][k][known] for name in ("depth_nm", "native_fraction", "foreign_fraction"))
        wanted = Reference(*profile, front=float(row["front_depth_nm"]), time=float(row["duration_s"]))
        errors.append(compare(solve(row, model=model, settings=settings), wanted))
    return Accuracy(*np.array(errors).T)


def convergence(
    candidates: Sequence[dict], *, model: Model = "electroneutral", settings: AnySettings | None = None
) -> Accuracy:
    """Compare with runs of the same model on a moving mesh three times as fine, with tolerances of 1e-6."""
    moving = TUNED["moving"][model]
    assert isinstance(moving, Settings)
    fine = replace(
        moving, behind=3 * moving.behind, ahead=3 * moving.ahead, rtol=1e-6, atol=1e-6, field=1.0, first=0.003
    )
    errors = []
    for candidate in candidates:
        converged = solve(candidate, model=model, settings=fine)
        if not converged.success:
            errors.append((np.inf, np.inf, np.inf))
            continue
        depth = converged.depth / NM
        front = front_depth(depth, converged.native)
        wanted = Reference(depth, converged.native, converged.foreign, front, converged.time)
        try:
            errors.append(compare(solve(candidate, model=model, settings=settings), wanted))
        except (RuntimeError, ValueError, ArithmeticError):
            errors.append((np.inf, np.inf, np.inf))
    return Accuracy(*np.array(errors).T)


def main() -> None:
    """Print speed on the candidates of the throughput benchmark, and accuracy beside it."""
    parser = argparse.ArgumentParser(description="Speed and accuracy of the SUNDIALS baselines.")
    parser.add_argument("--meshes", nargs="*", default=list(TUNED), choices=list(TUNED))
    parser.add_argument("--candidates", type=int, default=512, help="a sixteenth of them on the fixed mesh")
    parser.add_argument("--checked", type=int, default=128, help="candidates compared with a refined run")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--models", nargs="*", default=["electroneutral", "full"])
    parser.add_argument("--reference", type=Path, default=Path(__file__).parents[2] / "shared" / "reference" / "p9")
    options = parser.parse_args()
    from throughput import spread  # not at the top, or every worker process would start JAX

    print(f"{platform.machine()}, {options.processes} processes")
    print("model           mesh    candidates  median ms  processor ms  candidates/s  failed %")
    for model, mesh in product(options.models, options.meshes):
        fixed = mesh == "fixed"
        table = spread(options.candidates // 16 if fixed else options.candidates)
        use = TUNED[mesh][model]
        found = rate(table, options.processes, model=model, settings=use, repeats=1 if fixed else 3)
        speed = (1e3 * found.median_seconds, 1e3 * found.processor_seconds, found.per_second, 100.0 * found.failed)
        print(
            f"{model:15s} {mesh:7s} {len(table):10d} {{:10.2f}} {{:13.2f}} {{:13.2f}} {{:9.2f}}".format(*speed),
            flush=True,
        )
        checked = convergence(table[: options.checked], model=model, settings=use)
        print(f"  {len(checked.front)} of these against refined runs of the same model: {checked}", flush=True)
        if fixed:
            continue
        if (options.reference / "candidates.csv").is_file():
            print(f"  p9, converged full model: {accuracy(options.reference, model=model)}", flush=True)
        else:
            print(f"  p9: not compared, as there are no reference solutions in {options.reference}")


if __name__ == "__main__":
    main()
