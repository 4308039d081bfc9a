"""Coverage of the intervals of the bundled fit, and how many starts find the minimum. All data are synthetic.

Usage: python benchmarks/fit_coverage.py [--replicates 200] [--starts 64]

The three synthetic profiles of sweeps/ are counted anew many times, each is fitted from the truth, and the share of
95 % intervals that contain the truth is printed for each parameter, with the range that chance alone allows. Then one
of them is fitted from the best candidates of a sweep, and from random points of the whole box without one.
"""

import argparse
import dataclasses
import time
import tomllib
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy import stats

jax.config.update("jax_enable_x64", True)

from npp_jax.fit import (  # noqa: E402
    NORMAL_95,
    LinearModel,
    Measurement,
    Objective,
    Problem,
    Reason,
    RefineOptions,
    covariance,
    ranges_of,
    refine,
    to_scaled,
)
from npp_jax.fit_command import OFFSET, screen  # noqa: E402
from npp_jax.observe import DepthProfile, measure  # noqa: E402
from npp_jax.simulate import ACCURATE, FAST  # noqa: E402
from npp_jax.study import Study, load_study  # noqa: E402
from npp_jax.sweep import best  # noqa: E402

SWEEPS = Path(__file__).resolve().parent.parent / "sweeps"


def model_of(study: Study, problem: Problem, setting: str = "fast") -> LinearModel:
    """Residuals and Jacobian of a problem."""
    controls = dataclasses.replace({"fast": FAST, "accurate": ACCURATE}[setting], trace=False, companion=False)
    return LinearModel(Objective(problem, controls))


def truth_of(study: Study) -> Float[np.ndarray, " parameter"]:
    """Parameters behind the bundled profiles."""
    table = tomllib.loads((SWEEPS / "synthetic" / "truth.toml").read_text(encoding="utf-8"))
    return np.array([table[axis.name] for axis in study.axes])


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


def coverage(study: Study, replicates: int, setting: str = "fast") -> Float[np.ndarray, " parameter"]:
    """Share of the 95 % intervals that contain the truth; the data are simulated with the accurate setting."""
    truth = jnp.asarray(truth_of(study))
    model = model_of(study, study.problem, setting)
    exact = model_of(study, study.problem, "accurate").expand(truth[None])
    clean = [signal[0] for signal in exact.signals]
    data = [count_again(clean, study.problem.measurements, seed) for seed in range(replicates)]
    function = residuals_of_replicates(model, data)
    starts = jnp.repeat(truth[None], replicates, axis=0)
    fitted = refine(function, study.main.bounds, starts, options=RefineOptions(offset=OFFSET))
    _, jacobian, _ = function(fitted.theta)
    ranges = ranges_of(study.main.bounds)
    found = jax.vmap(lambda j, t: covariance(j, t, ranges).standard_error_scaled)(jacobian, fitted.theta)
    away = (to_scaled(ranges, fitted.theta) - to_scaled(ranges, truth)) / found
    reasons = np.asarray(fitted.reason)
    print(f"{replicates} replicates: {np.sum(reasons == Reason.CONVERGED)} converged")
    for k, axis in enumerate(study.axes):
        share = float(jnp.mean(jnp.abs(away[:, k]) <= NORMAL_95))
        print(f"  {axis.name:20s} {100 * share:5.1f} %   mean {float(away[:, k].mean()):+.2f} standard errors")
    chance = stats.binom(replicates, 0.95).interval(0.99)
    print(f"  chance alone: {100 * chance[0] / replicates:.1f} to {100 * chance[1] / replicates:.1f} %")
    return np.asarray(jnp.mean(jnp.abs(away) <= NORMAL_95, axis=0))


def minima(study: Study, starts: int) -> None:
    """How many starts end in the best minimum, after a sweep and without one."""
    model = model_of(study, study.problem)
    sweep = screen(study)
    rng = np.random.default_rng(0)
    box = np.stack([axis.at(rng.uniform(size=starts)) for axis in study.axes], axis=1)
    for name, theta in (
        ("best of the sweep", sweep.theta[best(sweep, starts, apart=0.0)]),
        ("best of the sweep, apart from each other", sweep.theta[best(sweep, starts)]),
        ("random, without a sweep", box),
    ):
        found = refine(model, study.main.bounds, jnp.asarray(theta), options=RefineOptions(offset=OFFSET))
        cost = np.asarray(found.cost)
        same = 2.0 * (cost - cost.min()) <= 0.01
        claimed = np.isin(np.asarray(found.reason), [Reason.CONVERGED])
        print(
            f"{name}: {same.sum()} of {len(theta)} in the best minimum; {claimed.sum()} said converged, "
            f"{np.sum(claimed & ~same)} of them elsewhere; {int(found.failed_evaluations.sum())} failed evaluations"
        )


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replicates", type=int, default=200)
    parser.add_argument("--starts", type=int, default=64)
    parser.add_argument("--setting", choices=["fast", "accurate"], default="fast")
    options = parser.parse_args()
    study = load_study(SWEEPS / "one_distribution.toml")
    began = time.perf_counter()
    coverage(study, options.replicates, options.setting)
    print(f"{time.perf_counter() - began:.0f} s with compilation")
    minima(study, options.starts)


if __name__ == "__main__":
    main()
