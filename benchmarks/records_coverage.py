"""Coverage of the intervals of a joint fit of profiles and currents, and what is open without currents. All synthetic.

Usage: python benchmarks/records_coverage.py [--replicates 200] [--setting fast] [--save]

The profiles of sweeps/current_traces.toml are counted anew many times, the currents get new noise and a new gain each,
and each replicate is fitted from the truth. The share of 95 % intervals that contain the truth is printed for each
parameter, with the range that chance alone allows. Then the sentences of the same fit without currents are printed.
`--save` writes benchmarks/results/records_coverage.json.
"""

import argparse
import dataclasses
import time
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import record
from fit_coverage import count_again, model_of, truth_of
from jaxtyping import Array
from scipy import stats

from npp_jax.files.study import Study, load_study
from npp_jax.fitting import LinearModel, Problem, phrases
from npp_jax.inference import (
    NORMAL_95,
    Reason,
    RefineOptions,
    covariance,
    identifiability,
    ranges_of,
    refine,
    to_scaled,
)
from npp_jax.observe import DepthProfile, Record
from npp_jax.sweeping.screening import OFFSET

SWEEPS = Path(__file__).resolve().parent.parent / "sweeps"


def with_gains_known(problem: Problem) -> Problem:
    """The problem as an exact instrument sees it: gains are solved for where replicates are compared."""
    measurements = tuple(
        dataclasses.replace(m, records=tuple(dataclasses.replace(r, gain_sigma=0.0) for r in m.records))
        for m in problem.measurements
    )
    return dataclasses.replace(problem, measurements=measurements)


def record_again(clean: Array, old: Record, rng: np.random.Generator) -> Record:
    """Synthetic record of the same course with another gain and other noise, of the size that the study tells."""
    relative = np.asarray(old.sigma / old.value)
    gain = 1.0 + old.gain_sigma * rng.standard_normal()
    value = gain * np.asarray(clean) * (1.0 + relative * rng.standard_normal(relative.size))
    return dataclasses.replace(old, value=value, sigma=relative * value)


def residuals_of_replicates(model: LinearModel, profiles: list[list[DepthProfile]], records: list[list[Record]]):
    """Residuals and Jacobian where start i is compared with replicate i."""
    measurements = model.objective.problem.measurements
    together = lambda each: jax.tree.map(lambda *leaves: jnp.stack(leaves), *each)  # noqa: E731
    counted, recorded = ([together(each) for each in zip(*data, strict=True)] for data in (profiles, records))

    @jax.jit
    def compare(signals: list[Array], slopes: list[Array]) -> tuple[Array, Array]:
        residuals, jacobians = [], []
        count = len(counted)
        for measurement, data, signal, slope in zip(
            measurements, counted, signals[:count], slopes[:count], strict=True
        ):
            law = measurement.likelihood.residuals
            # A residual depends on the signal of its own point alone.
            r, by_signal = jax.vmap(lambda s, p, law=law: jax.jvp(lambda x: law(x, p), (s,), (jnp.ones_like(s),)))(
                signal, data
            )
            residuals.append(r.reshape(len(r), -1))
            jacobians.append((by_signal[..., None] * slope).reshape(len(r), -1, slope.shape[-1]))
        for data, signal, slope in zip(recorded, signals[count:], slopes[count:], strict=True):
            # By its gain each residual depends on all points.
            of = lambda s, d: d.residuals(s)[0]  # noqa: E731
            residuals.append(jax.vmap(of)(signal, data))
            jacobians.append(jax.vmap(jax.jacfwd(of))(signal, data) @ slope)
        return jnp.concatenate(residuals, axis=1), jnp.concatenate(jacobians, axis=1)

    def function(theta: Array) -> tuple[Array, Array, Array]:
        found = model.expand(theta)
        return *compare(found.signals, found.slopes), found.finite

    return function


def coverage(study: Study, replicates: int, setting: str) -> dict[str, Any]:
    """Share of the 95 % intervals that contain the truth; the data are simulated with the accurate setting."""
    truth, problem = jnp.asarray(truth_of(study)), study.problem
    exact = model_of(study, with_gains_known(problem), "accurate").expand(truth[None])
    count = len(problem.measurements)
    clean, courses = ([s[0] for s in part] for part in (exact.signals[:count], exact.signals[count:]))
    old = [problem.measurements[d.experiment].records[d.record] for d in problem.data if d.record is not None]
    profiles = [count_again(clean, problem.measurements, seed) for seed in range(replicates)]
    records = [
        [
            record_again(c, o, np.random.default_rng([seed, k]))
            for k, (c, o) in enumerate(zip(courses, old, strict=True))
        ]
        for seed in range(replicates)
    ]
    function = residuals_of_replicates(model_of(study, with_gains_known(problem), setting), profiles, records)
    starts = jnp.repeat(truth[None], replicates, axis=0)
    fitted = refine(function, problem.parameters, starts, options=RefineOptions(offset=OFFSET))
    _, jacobian, _ = function(fitted.theta)
    ranges = ranges_of(problem.parameters)
    found = jax.vmap(lambda j, t: covariance(j, t, ranges).standard_error_scaled)(jacobian, fitted.theta)
    away = np.asarray((to_scaled(ranges, fitted.theta) - to_scaled(ranges, truth)) / found)
    reasons = np.asarray(fitted.reason)
    share = np.mean(np.abs(away) <= NORMAL_95, axis=0)
    print(f"{replicates} replicates: {np.sum(reasons == Reason.CONVERGED)} converged")
    for k, parameter in enumerate(problem.parameters):
        mean, deviation = away[:, k].mean(), away[:, k].std()
        print(f"  {parameter.name:20s} {100 * share[k]:5.1f} %   {mean:+.2f} ± {deviation:.2f} standard errors")
    chance = np.array(stats.binom(replicates, 0.95).interval(0.99)) / replicates
    print(f"  chance alone: {100 * chance[0]:.1f} to {100 * chance[1]:.1f} %", flush=True)
    names = [parameter.name for parameter in problem.parameters]
    return {
        "replicates": replicates,
        "setting": setting,
        "converged": int(np.sum(reasons == Reason.CONVERGED)),
        "chance_99": chance.tolist(),
        "share_inside": dict(zip(names, share.tolist(), strict=True)),
        "mean_standard_errors": dict(zip(names, away.mean(axis=0).tolist(), strict=True)),
    }


def sentences(study: Study, *, recorded: bool) -> list[str]:
    """What the data determine at the truth, with the currents or without."""
    problem = study.problem
    if not recorded:
        measurements = tuple(eqx.tree_at(lambda m: m.records, m, ()) for m in problem.measurements)
        problem = dataclasses.replace(problem, measurements=measurements)
    truth = truth_of(study)
    found = model_of(study, problem).expand(jnp.asarray(truth)[None])
    return identifiability(found.jacobian[0], truth, problem.parameters).lines(phrases(problem.parameters))


def main() -> None:
    """Print the coverage and the sentences."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replicates", type=int, default=200)
    parser.add_argument("--setting", choices=["fast", "accurate"], default="fast")
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/records_coverage.json")
    options = parser.parse_args()
    study = load_study(SWEEPS / "current_traces.toml")
    began = time.perf_counter()
    told = {f"{word} currents": sentences(study, recorded=word == "with") for word in ("with", "without")}
    for head, lines in told.items():
        print("\n  ".join([f"{head}:", *lines]), flush=True)
    covered = coverage(study, options.replicates, options.setting)
    print(f"{time.perf_counter() - began:.0f} s with compilation", flush=True)
    if options.save:
        record.save("records_coverage", {"study": "current_traces.toml", "coverage": covered, "determined": told})


if __name__ == "__main__":
    main()
