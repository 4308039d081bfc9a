"""Do refits scatter as `npp-jax design` expects? All data are synthetic.

Usage: python benchmarks/design_validation.py [STUDY] [--replicates 100] [--save]

For the first and a middling proposal of a study (sweeps/next_experiment.toml) its data and those of the proposal are
counted anew many times at the truth of the study, and all are refitted. Printed for each parameter: half the length of
the expected 95 % interval, that of the scatter of the refits, their ratio with the range that chance alone allows, and
the share of refits whose expected interval holds the truth. `--save` writes benchmarks/results/design_validation.json.
"""

import argparse
import dataclasses
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import record
from fit_coverage import SWEEPS, count_again, residuals_of_replicates
from scipy import stats

jax.config.update("jax_enable_x64", True)

from npp_jax.files.next_experiments import Next
from npp_jax.files.study import Study, load_study
from npp_jax.fitting import Problem, linear_model
from npp_jax.inference import NORMAL_95, Parameter, RefineOptions, ranges_of, refine, to_scaled
from npp_jax.planning import Proposal, evaluate, shared_parameters
from npp_jax.simulation.simulate import FAST
from npp_jax.sweeping.screening import OFFSET


def truth_of(study: Study, found: Next) -> np.ndarray:
    """Parameters behind the synthetic data; of an ion that the study does not have, D of the experiment file."""
    names = [parameter.name for parameter in study.main.parameters]
    own = []
    for parameter in found.own:
        holds = next(p for p in found.proposals if p.name in (parameter.experiments or (p.name,)))
        own.append(float(holds.measurement.value_of(parameter.keys[0])))
    return np.array([*(study.truth[name] for name in names), *own])


def joint_problem(study: Study, found: Next, proposal: Proposal) -> Problem:
    """The study and one proposal as one problem, with the parameters that either has."""
    shared = shared_parameters(study.main.parameters, [proposal])

    def both(before: Parameter, then: Parameter) -> Parameter:
        if before.experiments is None:
            return before
        return dataclasses.replace(before, experiments=(*before.experiments, *(then.experiments or ())))

    parameters = [both(before, then) for before, then in zip(study.main.parameters, shared, strict=True)]
    own = [
        dataclasses.replace(p, experiments=(proposal.name,))
        for p in found.own
        if p.experiments is None or proposal.name in p.experiments
    ]
    return Problem((*study.problem.measurements, proposal.measurement), (*parameters, *own))


def validate(study: Study, found: Next, number: int, truth: np.ndarray, replicates: int) -> dict[str, Any]:
    """Scatter of refits beside what is expected."""
    proposal = found.proposals[number]
    problem = joint_problem(study, found, proposal)
    names = [parameter.name for parameter in problem.parameters]
    every = [parameter.name for parameter in (*study.main.parameters, *found.own)]
    at = jnp.asarray([truth[every.index(name)] for name in names])
    model = linear_model(problem, FAST, study.fit.model)
    signals = [signal[0] for signal in model.expand(at[None]).signals]
    data = [count_again(signals, problem.measurements, seed) for seed in range(replicates)]
    function = residuals_of_replicates(model, data)
    starts = jnp.repeat(at[None], replicates, axis=0)
    fitted = refine(function, problem.parameters, starts, options=RefineOptions(offset=OFFSET))
    ranges = ranges_of(problem.parameters)
    away = np.asarray(to_scaled(ranges, fitted.theta) - to_scaled(ranges, at))

    own = tuple(p for p in found.own if p.name in names)
    only = linear_model(Problem(study.problem.measurements, study.main.parameters), FAST, study.fit.model, chunk=1)
    so_far = np.asarray(only.expand(at[None, : len(study.main.parameters)]).jacobian[0])
    made = evaluate([proposal], study.main.parameters, np.asarray(at)[None], jacobian=so_far, own=own)
    ends = np.asarray(to_scaled(ranges, jnp.asarray(made.intervals([0]).T)))
    half = 0.5 * (ends[1] - ends[0])
    spread = NORMAL_95 * np.sqrt(np.mean(away**2, axis=0))
    inside = np.mean(np.abs(away) <= half, axis=0)
    chance = np.sqrt(stats.chi2(replicates).ppf([0.005, 0.995]) / replicates)
    print(f"{proposal.name}: {replicates} refits; by chance the ratio lies in {chance[0]:.2f} ... {chance[1]:.2f}")
    for k, name in enumerate(names):
        told = f"expected ± {half[k]:.4g}, found ± {spread[k]:.4g}, ratio {spread[k] / half[k]:.2f}"
        print(f"  {name:20s} {told}, {100 * inside[k]:.0f} % inside", flush=True)
    return {
        "proposal": proposal.name,
        "replicates": replicates,
        "chance_99": chance.tolist(),
        "expected_half_width_scaled": dict(zip(names, half.tolist(), strict=True)),
        "found_half_width_scaled": dict(zip(names, spread.tolist(), strict=True)),
        "share_inside": dict(zip(names, inside.tolist(), strict=True)),
    }


def main() -> None:
    """Validate the first and a middling proposal."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", type=Path, nargs="?", default=SWEEPS / "next_experiment.toml")
    parser.add_argument("--replicates", type=int, default=100)
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/design_validation.json")
    options = parser.parse_args()
    study = load_study(options.study)
    if study.next is None:
        raise SystemExit(f"{options.study}: no table [next]")
    found, truth = study.next, truth_of(study, study.next)
    only = linear_model(study.problem, FAST, study.fit.model, chunk=1)
    so_far = np.asarray(only.expand(jnp.asarray(truth[None, : len(study.main.parameters)])).jacobian[0])
    made = evaluate(found.proposals, study.main.parameters, truth[None], jacobian=so_far, own=found.own)
    ranked = made.rank("D")
    rows = []
    for row in (ranked[0], ranked[len(ranked) // 2]):
        rows.append(validate(study, found, row.proposal, truth, options.replicates))
    if options.save:
        record.save("design_validation", {"study": options.study.name, "proposals": rows})


if __name__ == "__main__":
    main()
