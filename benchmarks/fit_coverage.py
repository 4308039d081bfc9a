"""Coverage of the intervals of the bundled fit, and how many starts find the minimum. All data are synthetic.

Usage: python benchmarks/fit_coverage.py [--replicates 200] [--starts 64] [--save]

The three synthetic profiles of sweeps/ are counted anew many times, each is fitted from the truth, and the share of
95 % intervals that contain the truth is printed for each parameter, with the range that chance alone allows. Then the
bundled profiles are fitted from the best candidates of a sweep, from the best of small sweeps of random candidates of
their own, and from random points of the whole box without one. `--save` writes benchmarks/results/fit_coverage.json.
"""

import argparse
import dataclasses
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import record
from jaxtyping import Array, Float
from scipy import stats

jax.config.update("jax_enable_x64", True)

from npp_jax.files.study import Study, load_study
from npp_jax.fitting import LinearModel, Measurement, Objective, Problem
from npp_jax.fitting.minima import SAME_CHI2
from npp_jax.inference import NORMAL_95, Reason, RefineOptions, covariance, ranges_of, refine, to_scaled
from npp_jax.observe import DepthProfile, measure
from npp_jax.simulation.simulate import ACCURATE, FAST
from npp_jax.sweeping import Uniform, best
from npp_jax.sweeping.screening import OFFSET, screen

SMALL = 64
"""Candidates of each small sweep."""

SWEEPS = Path(__file__).resolve().parent.parent / "sweeps"


def model_of(study: Study, problem: Problem, setting: str = "fast") -> LinearModel:
    """Residuals and Jacobian of a problem."""
    controls = dataclasses.replace({"fast": FAST, "accurate": ACCURATE}[setting], trace=False, companion=False)
    return LinearModel(Objective(problem, controls))


def truth_of(study: Study) -> Float[np.ndarray, " parameter"]:
    """Parameters behind the bundled profiles."""
    return np.array([study.truth[axis.name] for axis in study.problem.parameters])


def count_again(signals: list[Array], measurements: tuple[Measurement, ...], seed: int) -> list[DepthProfile]:
    """Synthetic profiles with other counts of the same signals."""
    profiles = []
    for k, (signal, measurement) in enumerate(zip(signals, measurements, strict=True)):
        old = measurement.profile
        assert old is not None and old.counts_per_fraction is not None
        key = jax.random.fold_in(jax.random.key(seed), k)
        profiles.append(measure(key, signal, old.counts_per_fraction, depth=old.depth, species=old.species))
    return profiles


def residuals_of_replicates(model: LinearModel, replicates: list[list[DepthProfile]]):
    """Residuals and Jacobian where start i is compared with replicate i."""
    measurements = model.objective.problem.measurements
    stacked = [jax.tree.map(lambda *leaves: jnp.stack(leaves), *each) for each in zip(*replicates, strict=True)]

    @jax.jit
    def compare(signals: list[Array], slopes: list[Array]) -> tuple[Array, Array]:
        residuals, jacobians = [], []
        for measurement, profiles, signal, slope in zip(measurements, stacked, signals, slopes, strict=True):
            law = measurement.likelihood.residuals
            # A residual depends on the signal of its own point alone.
            r, by_signal = jax.vmap(lambda s, p, law=law: jax.jvp(lambda x: law(x, p), (s,), (jnp.ones_like(s),)))(
                signal, profiles
            )
            residuals.append(r.reshape(len(r), -1))
            jacobians.append((by_signal[..., None] * slope).reshape(len(r), -1, slope.shape[-1]))
        return jnp.concatenate(residuals, axis=1), jnp.concatenate(jacobians, axis=1)

    def function(theta: Array) -> tuple[Array, Array, Array]:
        found = model.expand(theta)
        return *compare(found.signals, found.slopes), found.finite

    return function


def coverage(study: Study, replicates: int, setting: str = "fast") -> dict[str, Any]:
    """Share of the 95 % intervals that contain the truth; the data are simulated with the accurate setting."""
    truth = jnp.asarray(truth_of(study))
    model = model_of(study, study.problem, setting)
    exact = model_of(study, study.problem, "accurate").expand(truth[None])
    clean = [signal[0] for signal in exact.signals]
    data = [count_again(clean, study.problem.measurements, seed) for seed in range(replicates)]
    function = residuals_of_replicates(model, data)
    starts = jnp.repeat(truth[None], replicates, axis=0)
    fitted = refine(function, study.problem.parameters, starts, options=RefineOptions(offset=OFFSET))
    _, jacobian, _ = function(fitted.theta)
    ranges = ranges_of(study.problem.parameters)
    found = jax.vmap(lambda j, t: covariance(j, t, ranges).standard_error_scaled)(jacobian, fitted.theta)
    away = (to_scaled(ranges, fitted.theta) - to_scaled(ranges, truth)) / found
    away, names = np.asarray(away), [axis.name for axis in study.problem.parameters]
    reasons = np.asarray(fitted.reason)
    print(f"{replicates} replicates: {np.sum(reasons == Reason.CONVERGED)} converged")
    for k, name in enumerate(names):
        share = float(np.mean(np.abs(away[:, k]) <= NORMAL_95))
        print(f"  {name:20s} {100 * share:5.1f} %   mean {float(away[:, k].mean()):+.2f} standard errors")
    chance = np.array(stats.binom(replicates, 0.95).interval(0.99)) / replicates
    print(f"  chance alone: {100 * chance[0]:.1f} to {100 * chance[1]:.1f} %", flush=True)
    return {
        "replicates": replicates,
        "setting": setting,
        "converged": int(np.sum(reasons == Reason.CONVERGED)),
        "chance_99": chance.tolist(),
        "share_inside": {
            axis.name: float(np.mean(np.abs(away[:, k]) <= NORMAL_95))
            for k, axis in enumerate(study.problem.parameters)
        },
        "mean_standard_errors": {
            axis.name: float(away[:, k].mean()) for k, axis in enumerate(study.problem.parameters)
        },
    }


def minima(study: Study, starts: int) -> list[dict[str, Any]]:
    """How many starts end in the best minimum of all, after a sweep and without one."""
    model = model_of(study, study.problem)
    sweep = screen(study.problem, study.design, model=study.sweep.model)
    rng = np.random.default_rng(0)
    box = np.stack([axis.at(rng.uniform(size=starts)) for axis in study.problem.parameters], axis=1)
    small = screen(study.problem, Uniform(SMALL * starts, seed=1), model=study.sweep.model)
    winners = np.argmin(np.where(np.isfinite(small.total), small.total, np.inf).reshape(starts, SMALL), axis=1)
    kinds = {
        "best of the sweep": sweep.theta[best(sweep, starts, apart=0.0)],
        "best of the sweep, apart from each other": sweep.theta[best(sweep, starts)],
        f"best of {SMALL} random candidates, each": small.theta[SMALL * np.arange(starts) + winners],
        "random, without a sweep": box,
    }
    ended = {
        name: refine(model, study.problem.parameters, jnp.asarray(theta), options=RefineOptions(offset=OFFSET))
        for name, theta in kinds.items()
    }
    lowest = min(float(found.cost.min()) for found in ended.values())
    rows = []
    for name, found in ended.items():
        same = 2.0 * (np.asarray(found.cost) - lowest) <= SAME_CHI2
        claimed = np.asarray(found.reason) == Reason.CONVERGED
        row = {
            "starts": name,
            "fits": len(same),
            "in_the_best_minimum": int(same.sum()),
            "said_converged": int(claimed.sum()),
            "said_converged_elsewhere": int(np.sum(claimed & ~same)),
            "failed_evaluations": int(found.failed_evaluations.sum()),
            "evaluations": int(found.evaluations.sum()),
        }
        rows.append(row)
        print(
            f"{name}: {row['in_the_best_minimum']} of {len(same)} in the best minimum; {row['said_converged']} said "
            f"converged, {row['said_converged_elsewhere']} of them elsewhere; {row['failed_evaluations']} of "
            f"{row['evaluations']} evaluations failed",
            flush=True,
        )
    return rows


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replicates", type=int, default=200)
    parser.add_argument("--starts", type=int, default=64)
    parser.add_argument("--setting", choices=["fast", "accurate"], default="fast")
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/fit_coverage.json")
    options = parser.parse_args()
    study = load_study(SWEEPS / "one_distribution.toml")
    began = time.perf_counter()
    covered = coverage(study, options.replicates, options.setting)
    print(f"{time.perf_counter() - began:.0f} s with compilation", flush=True)
    rows = minima(study, options.starts)
    if options.save:
        record.save("fit_coverage", {"study": "one_distribution.toml", "coverage": covered, "minima": rows})


if __name__ == "__main__":
    main()
