"""Isotope map of a Voronoi polycrystal at full size, and D_gb/δ recovered from synthetic counts of it.

Usage: python benchmarks/grain_map.py [--rows N] [--columns N] [--counts N] [--refinement R] [--seed S] [--no-fit]
       [--batch N] [--save]

Grains of 16 µm, ⁶Li exchange for 59 h into natural lithium lanthanum titanate at room temperature. The counts are
Poisson distributed around a map with R times finer pixels, so that the fit has to live with the staircase of its own.
With --batch, maps of N permeabilities are also run side by side.
"""

import argparse
import time

import jax
import jax.numpy as jnp
import numpy as np
from record import save

jax.config.update("jax_enable_x64", True)

from npp_jax.tracer.counts import IsotopeCounts
from npp_jax.tracer.grain_fit import fit_permeability
from npp_jax.tracer.grain_map import grain_map
from npp_jax.tracer.isotope_map import MapStage, simulate_map
from npp_jax.tracer.polycrystal import voronoi_polycrystal

UM, HOUR = 1e-6, 3600.0
D_BULK, PERMEABILITY, NATURAL, ENRICHED = 2.6e-12, 1.4e-8, 0.0759, 0.95
GRAIN = 16 * UM


def timed(function, *arguments):
    """Result, seconds of compilation, seconds of the run."""
    start = time.perf_counter()
    compiled = jax.jit(function).lower(*arguments).compile()
    middle = time.perf_counter()
    result = jax.block_until_ready(compiled(*arguments))
    return result, middle - start, time.perf_counter() - middle


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=206)
    parser.add_argument("--columns", type=int, default=512)
    parser.add_argument("--counts", type=float, default=50.0, help="mean counts a pixel in both channels")
    parser.add_argument("--refinement", type=int, default=2)
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-fit", action="store_true")
    parser.add_argument("--batch", type=int, default=1, help="also run maps of so many permeabilities at once")
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/grain_map.json")
    options = parser.parse_args()
    crystal = voronoi_polycrystal((options.rows * UM, options.columns * UM), GRAIN, options.seed)
    stages = (MapStage(59 * HOUR, ENRICHED, steps=options.steps),)

    def exchanged(grains):
        return simulate_map(grains, D_BULK, PERMEABILITY, NATURAL, stages)

    print(f"device {jax.devices()[0].device_kind}, float64, batch 1, grains {len(crystal.seeds)}")
    print("pixels        compile_s  run_s  iterations  max_residual  uptake_error")
    maps, rows, batches, fits = {}, [], [], []
    for refinement in sorted({1, options.refinement}):
        grains = grain_map(crystal.labels(UM / refinement), UM / refinement)
        solution, compile_s, run_s = timed(exchanged, grains)
        gained = float(np.sum(np.asarray(solution.fraction[0]) - NATURAL)) * grains.pixel_size**2
        error = gained / float(solution.uptake[0]) - 1.0
        print(
            f"{grains.shape[0]:5d} x {grains.shape[1]:4d}  {compile_s:9.1f} {run_s:6.1f}  "
            f"{int(solution.iterations[0]):10d}  {float(solution.residual[0]):12.1e}  {error:12.1e}",
            flush=True,
        )
        rows.append(
            {
                "pixels": list(grains.shape),
                "grains": grains.grains,
                "exchange_h": 59,
                "steps": options.steps,
                "compile_s": compile_s,
                "run_s": run_s,
                "iterations": int(solution.iterations[0]),
                "max_residual": float(solution.residual[0]),
                "uptake_error": error,
            }
        )
        fine = np.asarray(solution.fraction[0])
        maps[refinement] = fine.reshape(options.rows, refinement, options.columns, refinement).mean(axis=(1, 3))
    truth = maps[options.refinement]
    difference = float(np.sqrt(np.mean((maps[1] - truth) ** 2)))
    print(f"rms difference of the maps {difference:.1e}")
    if options.batch > 1:
        grains = grain_map(crystal.labels(UM), UM)
        candidates = PERMEABILITY * jnp.logspace(-0.5, 0.5, options.batch)
        batched = jax.vmap(lambda k: simulate_map(grains, D_BULK, k, NATURAL, stages).uptake)
        uptake, compile_s, run_s = timed(batched, candidates)
        assert bool(jnp.all(jnp.diff(uptake[:, 0]) > 0.0))
        print(f"batch of {options.batch}: compiled in {compile_s:.1f} s, {run_s / options.batch:.2f} s a map")
        batches.append({"batch": options.batch, "compile_s": compile_s, "run_s_per_map": run_s / options.batch})
    if not options.no_fit:
        fits = recovered(options, crystal, stages, truth)
    if options.save:
        save("grain_map", {"map": rows, "rms_difference_of_the_maps": difference, "batch": batches, "fit": fits})


def recovered(options, crystal, stages, truth):
    """Print and return D_gb/δ fitted to synthetic counts of a map, with the staircase corrected and not."""
    rng = np.random.default_rng(options.seed)
    intensity = options.counts * rng.lognormal(0.0, 0.3, truth.shape)
    counts = IsotopeCounts(rng.poisson(intensity * truth) * 1.0, rng.poisson(intensity * (1.0 - truth)) * 1.0)

    def fitted(grains, data):
        return fit_permeability(
            grains, data, D_bulk=D_BULK, initial=NATURAL, stages=stages, guess=0.3 * PERMEABILITY, D_bulk_error=0.1
        )

    print("\nstaircase     run_s  evaluations  D_gb/δ [cm/s]  95 % interval          truth     deviance/pixel")
    fits = []
    for staircase in (False, True):
        grains = grain_map(crystal.labels(UM), UM, staircase=staircase)
        start = time.perf_counter()
        fit = fitted(grains, counts)
        run_s = time.perf_counter() - start
        found = fit["permeability_m_s[1]"]
        low, high = 100.0 * np.asarray(found.interval)
        evaluations, per_pixel = int(fit.refined.evaluations[0]), fit.chi2 / fit.degrees_of_freedom
        name = "uncorrected" if staircase else "corrected"
        print(
            f"{name:11s}  {run_s:6.1f}  {evaluations:11d}  {100.0 * found.value:13.4e}  {low:.4e}–{high:.4e}  "
            f"{100.0 * PERMEABILITY:.2e}  {per_pixel:.4f}          {fit.converged}",
            flush=True,
        )
        fits.append(
            {
                "staircase": name,
                "permeability_cm_s": 100.0 * found.value,
                "interval_cm_s": [float(low), float(high)],
                "truth_cm_s": 100.0 * PERMEABILITY,
                "inside": bool(low < 100.0 * PERMEABILITY < high),
                "deviance_per_pixel": per_pixel,
                "evaluations": evaluations,
                "converged": fit.converged,
                "run_s": run_s,
            }
        )
    return fits


if __name__ == "__main__":
    main()
