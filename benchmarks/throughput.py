"""Throughput of batches of spread candidates: candidates per second, compile time apart, accuracy beside speed.

Usage: python benchmarks/throughput.py [--candidates N] [--chunk B ...] [--threads T] [--models ...] [--dtypes ...]
       [--save]

Candidates are drawn from the box of the reference set p9 by a scrambled Sobol sequence and run with the setting
`fast` in chunks, one chunk a thread; several sizes of a chunk give a row each. `--save` writes
benchmarks/results/throughput_DEVICE.json.

Accuracy, over the first candidates: share whose front is within 0.25 nm or 0.25 % and whose profile is within an RMSE
of 2e-3 of a refined run in double precision; share of the others that the run itself, with the companion run of its
error estimate, reports.
"""

import argparse
import platform
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
import record
from scipy.stats import qmc

jax.config.update("jax_enable_x64", True)

from verify import candidates

from npp_jax._compile import wide
from npp_jax.physics import Experiment
from npp_jax.simulation.simulate import ACCURATE, FAST, simulate
from npp_jax.simulation.solution import Model, Solution
from npp_jax.simulation.status import Status

NM = 1e-9
REFINED = replace(ACCURATE, cells_behind=200, cells_ahead=80, steps=24, companion=False, trace=False)
EN = 1.602176634e-19 * 1.4e28


def spread(count: int, seed: int = 1) -> list[dict]:
    """Candidates of the p9 box, as rows with the columns of its table."""
    lower = [300.0, 0.10, 0.02, -5.5, np.log(2.0), 200.0, np.log(20.0)]
    upper = [400.0, 0.40, 0.30, -1.0, np.log(50.0), 1000.0, np.log(300.0)]
    points = qmc.scale(qmc.Sobol(7, seed=seed).random(count), lower, upper)
    return [
        {
            "temperature_K": temperature,
            "sed_fwhm_eV": width,
            "vacancy_fraction": vacancies,
            "D_foreign_m2_s": 1e-18 * 10.0**ratio,
            "potential_V": np.exp(potential),
            "thickness_um": thickness,
            "charge_C_m2": EN * np.exp(depth) * NM,
        }
        for temperature, width, vacancies, ratio, potential, thickness, depth in points
    ]


def inside(found: Solution, wanted: Solution) -> np.ndarray:
    """Which candidates have front and profile inside the limits of the setting `fast`."""
    front, expected = np.asarray(found.front_depth[0], float), np.asarray(wanted.front_depth[0])
    depth = jnp.linspace(0.0, 1.5, 200)[:, None] * wanted.front_depth[0]
    profiles = [np.asarray(s.profile(depth.astype(s.depth.dtype)), float) for s in (found, wanted)]
    rmse = np.sqrt(np.mean((profiles[0] - profiles[1]) ** 2, axis=1)).max(axis=0)
    return (np.abs(front - expected) <= np.maximum(0.25 * NM, 2.5e-3 * expected)) & (rmse <= 2e-3)


def accuracy(table: list[dict], model: Model, dtype: type, chunk: int) -> tuple[float, float, float]:
    """Share of candidates inside the limits, of those outside but reported, and of those inside but reported.

    Left out are candidates to which the electroneutral model does not apply: it says so, and refining does not help.
    """
    quick = {"xla_backend_optimization_level": 1}
    refined = jax.jit(lambda e: simulate(e, REFINED, model=model), compiler_options=quick)
    tested = jax.jit(lambda e: simulate(e, FAST, model=model), compiler_options=quick)
    good, reported, counted = [], [], []
    for k in range(0, len(table), chunk):
        wanted = refined(candidates(table[k : k + chunk]))
        found = tested(candidates(table[k : k + chunk], dtype))
        good.append(inside(found, wanted))
        status = np.asarray(found.report.status)
        reported.append(status > Status.NOT_NEUTRAL)
        counted.append(status != Status.NOT_NEUTRAL)
    good, reported, counted = (np.concatenate(parts) for parts in (good, reported, counted))
    total = counted.sum()
    return (
        float((good & counted).sum() / total),
        float((~good & reported & counted).sum() / total),
        float((good & reported & counted).sum() / total),
    )


@dataclass(frozen=True)
class Row:
    """Speed and accuracy of one model in one precision."""

    model: str
    dtype: str
    companion: bool
    """Whether the error estimate was made in the runs whose speed was taken."""
    batch: int
    threads: int
    candidates: int
    compile_s: float
    per_second: float
    inside: float | None
    """Share of candidates inside the limits, of those to which the model applies; None where none was checked."""
    reported: float | None
    """Share of candidates outside and reported to be."""
    false_alarms: float | None
    """Share of candidates inside and reported to be outside."""
    status: dict[str, int]
    """Number of candidates by status."""

    def __str__(self) -> str:
        speed = (
            f"{self.model:15s} {self.dtype:8s} batch {self.batch} x {self.threads}  compile {self.compile_s:5.1f} s  "
            f"{self.per_second:8.0f} per s"
        )
        if self.inside is None or self.reported is None or self.false_alarms is None:
            return speed
        return (
            f"{speed}  inside {100 * self.inside:6.2f} %  outside and reported {100 * self.reported:5.2f} %  "
            f"inside but reported {100 * self.false_alarms:5.2f} %  {self.status}"
        )


def measure(
    table: list[dict], model: Model, dtype: type, *, chunk: int, threads: int, companion: bool, checked: int
) -> Row:
    """Compile, run three times, compare with refined runs."""
    controls = replace(FAST, companion=companion)
    chunks: list[Experiment] = [candidates(table[k : k + chunk], dtype) for k in range(0, len(table), chunk)]
    begin = time.perf_counter()
    run = jax.jit(lambda e: simulate(e, controls, model=model), compiler_options=wide()).lower(chunks[0]).compile()
    compiled = time.perf_counter() - begin
    seconds, results = [], []
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(3):
            begin = time.perf_counter()
            results = list(pool.map(lambda e: jax.block_until_ready(run(e)), chunks))
            seconds.append(time.perf_counter() - begin)
    status = np.concatenate([np.asarray(s.report.status) for s in results])
    good, reported, false_alarms = accuracy(table[:checked], model, dtype, chunk) if checked else (None,) * 3
    return Row(
        model=model,
        dtype=np.dtype(dtype).name,
        companion=companion,
        batch=chunk,
        threads=threads,
        candidates=len(table),
        compile_s=compiled,
        per_second=len(table) / float(np.median(seconds)),
        inside=good,
        reported=reported,
        false_alarms=false_alarms,
        status={Status(k).name: int(np.sum(status == k)) for k in np.unique(status)},
    )


def main() -> None:
    """Print a row for each model and precision."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--candidates", type=int, default=4096)
    parser.add_argument("--chunk", type=int, nargs="+", default=[256])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--checked", type=int, default=1024, help="candidates compared with refined runs, 0 for none")
    parser.add_argument("--models", nargs="*", default=["electroneutral", "full"])
    parser.add_argument("--dtypes", nargs="*", default=["float64", "float32"])
    parser.add_argument("--companion", action="store_true", help="with the companion run for the error estimate")
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/throughput_DEVICE.json")
    options = parser.parse_args()
    device = jax.devices()[0]
    print(f"{device.platform} {device.device_kind}, {platform.machine()}, jax {jax.__version__}")
    table = spread(options.candidates)
    rows = []
    for model in options.models:
        for name in options.dtypes:
            if (model, name) == ("full", "float32"):
                # Half of the box cannot be solved by the full model in single precision; sweeps refuse it.
                continue
            for chunk in options.chunk:
                row = measure(
                    table,
                    model,
                    {"float64": jnp.float64, "float32": jnp.float32}[name],
                    chunk=chunk,
                    threads=options.threads,
                    companion=options.companion,
                    # Accuracy does not depend on the batch.
                    checked=options.checked if chunk == options.chunk[0] else 0,
                )
                print(row, flush=True)
                rows.append(asdict(row))
    if options.save:
        record.save(f"throughput_{device.platform}", {"setting": "fast", "rows": rows})


if __name__ == "__main__":
    main()
