"""Throughput of batches of spread candidates: candidates per second, compile time apart, accuracy beside speed.

Usage: python benchmarks/throughput.py [--candidates N] [--chunk B] [--threads T] [--models ...] [--dtypes ...]

Candidates are drawn from the box of the reference set p9 by a scrambled Sobol sequence and run with the setting
`fast` in chunks,
one chunk a thread. Accuracy: share of a subset whose front is within 0.25 nm or 0.25 % and whose profile is within an
RMSE of 2e-3 of the setting `accurate` in double precision.
"""

import argparse
import platform
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
from scipy.stats import qmc

jax.config.update("jax_enable_x64", True)

from verify import candidates  # noqa: E402

from npp_jax.physics import Experiment  # noqa: E402
from npp_jax.simulate import ACCURATE, FAST, simulate  # noqa: E402
from npp_jax.solution import Solution  # noqa: E402
from npp_jax.solver.status import Status  # noqa: E402

NM = 1e-9
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


def share_inside(found: Solution, wanted: Solution) -> float:
    """Share of candidates whose front and profile are inside the limits of the setting `fast`."""
    front, expected = np.asarray(found.front_depth[0], float), np.asarray(wanted.front_depth[0])
    depth = jnp.linspace(0.0, 1.5, 200)[:, None] * wanted.front_depth[0]
    profiles = [np.asarray(s.profile(depth.astype(s.depth.dtype)), float) for s in (found, wanted)]
    rmse = np.sqrt(np.mean((profiles[0] - profiles[1]) ** 2, axis=1)).max(axis=0)
    return float(np.mean((np.abs(front - expected) <= np.maximum(0.25 * NM, 2.5e-3 * expected)) & (rmse <= 2e-3)))


def measure(table: list[dict], model: str, dtype: type, chunk: int, threads: int, companion: bool) -> None:
    """Compile, run three times, print one row."""
    controls = replace(FAST, companion=companion)
    chunks: list[Experiment] = [candidates(table[k : k + chunk], dtype) for k in range(0, len(table), chunk)]
    begin = time.perf_counter()
    run = jax.jit(lambda e: simulate(e, controls, model=model)).lower(chunks[0]).compile()
    compiled = time.perf_counter() - begin
    seconds, results = [], []
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(3):
            begin = time.perf_counter()
            results = list(pool.map(lambda e: jax.block_until_ready(run(e)), chunks))
            seconds.append(time.perf_counter() - begin)
    status = np.concatenate([np.asarray(s.report.status) for s in results])
    reference = jax.jit(lambda e: simulate(e, replace(ACCURATE, companion=False, trace=False), model=model))
    inside = share_inside(results[0], reference(candidates(table[:chunk])))
    counts = ", ".join(f"{Status(k).name} {np.sum(status == k)}" for k in np.unique(status))
    print(
        f"{model:15s} {dtype.__name__:8s} companion {companion!s:5s} batch {chunk} x {threads}  compile "
        f"{compiled:5.1f} s  {len(table) / np.median(seconds):8.0f} per s  inside {100 * inside:5.1f} %  {counts}",
        flush=True,
    )


def main() -> None:
    """Print a row for each model and precision."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--candidates", type=int, default=4096)
    parser.add_argument("--chunk", type=int, default=256)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--models", nargs="*", default=["electroneutral", "full"])
    parser.add_argument("--dtypes", nargs="*", default=["float64", "float32"])
    parser.add_argument("--companion", action="store_true", help="with the companion run for the error estimate")
    options = parser.parse_args()
    device = jax.devices()[0]
    print(f"{device.platform} {device.device_kind}, {platform.machine()}, jax {jax.__version__}")
    table = spread(options.candidates)
    for model in options.models:
        for name in options.dtypes:
            dtype = {"float64": jnp.float64, "float32": jnp.float32}[name]
            measure(table, model, dtype, options.chunk, options.threads, options.companion)


if __name__ == "__main__":
    main()
