"""Rivals in physics: does the right one win? Synthetic data of each, fitted by all.

Usage: python benchmarks/physics_rivals.py [--seed 0] [--save]

Film: an ion beam exchanges K for Li in a thin film. Five models: the ideal flux of the paper, the thermodynamic factor
of the Fermi picture, hops in a strong field, a cross coefficient between the ions, and populations that intermix in
time. For each a profile (2000 counts at the bulk content) and a current (1 % noise) are simulated and counted; each is
fitted by all five models, with the width of the distribution and both diffusion coefficients free, and the number that
a model has besides.

Melt: K for Li from a melt, both with a constant coefficient. The front of a film is so thin that a cross coefficient
looks like another width of the distribution; here the ions mix over micrometres, and the conductivity of the glass is
known to 3 %. Two models, the ideal flux and the cross coefficient.

Printed is χ² of each fit less that of the true model; `--save` writes benchmarks/results/physics_rivals.json.
"""

import argparse
import dataclasses
import time
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np
import record

jax.config.update("jax_enable_x64", True)

import npp_jax as npp
from npp_jax.physics.nernst_einstein import nernst_einstein_conductivity

RESPONSE = npp.Observation(npp.DowsettResponse(leading=0.8, trailing=2.5, sigma=1.5))
DEPTH = np.arange(0.5, 160.0, 1.0)
COUNTS = 2000.0
CURRENT_SIGMA = 0.01
SHARED = {"Li.D_bulk_m2_s": 1.3e-18, "Li.sed_fwhm_eV": 0.25, "K.D_m2_s": 9.7e-22}

PARAMETERS = (
    npp.Parameter("D_bulk_m2_s", ("Li.D_bulk_m2_s",), 2e-19, 1e-17, "log"),
    npp.Parameter("sed_fwhm_eV", ("Li.sed_fwhm_eV",), 0.1, 0.5),
    npp.Parameter("D_K_m2_s", ("K.D_m2_s",), 1e-22, 1e-20, "log"),
)
OWN = {
    "hops in a strong field": (npp.Parameter("hop_length_nm", ("sample.hop_length_nm",), 0.02, 5.0, "log"), 1.0),
    "cross coefficient": (npp.Parameter("cross_coefficient", ("sample.cross_coefficient",), -0.9, 0.9), 0.5),
    "intermixing in time": (npp.Parameter("mixing_time_s", ("Li.mixing_time_s",), 1e4, 1e8, "log"), 3e5),
}
MODELS = ("ideal", "thermodynamic factor", *OWN)

MELT_SHARED = {"Li.D_m2_s": 2e-15, "K.D_m2_s": 4e-16}
MELT_TEMPERATURE = 650.0
MELT_DEPTH = np.linspace(50.0, 12000.0, 160)
MELT_SEEN = npp.Observation(npp.GaussianResponse(20.0))
CONDUCTIVITY_SIGMA = 0.03
MELT_PARAMETERS = (
    npp.Parameter("D_Li_m2_s", ("Li.D_m2_s",), 1e-16, 1e-13, "log"),
    npp.Parameter("D_K_m2_s", ("K.D_m2_s",), 1e-17, 1e-14, "log"),
)
SITES = 1.4e28
"""Number density of the ions [1/m³]."""


def film(model: str) -> npp.Experiment:
    """The exchange as a model has it, with the true numbers."""
    term = "thermodynamic" if model == "thermodynamic factor" else "ideal"
    law = npp.SEDDiffusivity(1.3e-18, npp.GaussianSED(0.25), 0.1, diffusion_term=term)
    sample = npp.Sample(2e-6, 9.0, SITES)
    match model:
        case "hops in a strong field":
            sample = dataclasses.replace(sample, hop_length=OWN[model][1] * 1e-9)
        case "cross coefficient":
            sample = dataclasses.replace(sample, cross_coefficient=OWN[model][1])
        case "intermixing in time":
            law = dataclasses.replace(law, populations="intermixed", mixing_time=OWN[model][1])
    return npp.Experiment(
        sample=sample,
        species=(npp.Species("Li", law, bulk_fraction=1.0), npp.Species("K", npp.ConstantDiffusivity(9.7e-22))),
        stages=(npp.Stage(npp.IonBeamPotential("K", 4.0), 350.0, charge=200.0),),
    )


def measured(model: str, seed: int) -> npp.Measurement:
    """Synthetic profile and current of a model."""
    experiment = film(model)
    solution = npp.simulate(experiment)
    profile = npp.synthetic_profile(solution, RESPONSE, DEPTH, COUNTS, seed=seed)
    end = float(solution.time[-1])
    times = np.linspace(0.02, 0.98, 80) * end
    known = np.asarray(solution.trace.time)
    current = np.interp(times, known, np.asarray(solution.trace.current_density))
    noise = np.random.default_rng(seed).normal(0.0, CURRENT_SIGMA * current)
    noted = npp.Record("current", times, current + noise, CURRENT_SIGMA * current)
    return npp.Measurement("K", experiment, profile, RESPONSE, likelihood=npp.PoissonLikelihood(), records=(noted,))


def melt(model: str) -> npp.Experiment:
    """The exchange with a melt as a model has it, with the true numbers."""
    coefficient = {"cross_coefficient": OWN[model][1]} if model in OWN else {}
    native, foreign = (npp.ConstantDiffusivity(D) for D in MELT_SHARED.values())
    return npp.Experiment(
        sample=npp.Sample(1e-3, 9.0, SITES, **coefficient),
        species=(npp.Species("Li", native, bulk_fraction=1.0), npp.Species("K", foreign)),
        stages=(npp.Stage(npp.Reservoir({"Li": 0.0, "K": 1.0}), MELT_TEMPERATURE, duration=7200.0),),
    )


def measured_melt(model: str, seed: int) -> npp.Measurement:
    """Synthetic profile and conductivity of a model."""
    experiment = melt(model)
    profile = npp.synthetic_profile(npp.simulate(experiment), MELT_SEEN, MELT_DEPTH, COUNTS, seed=seed)
    true = float(nernst_einstein_conductivity(MELT_SHARED["Li.D_m2_s"], SITES, MELT_TEMPERATURE))
    sigma = CONDUCTIVITY_SIGMA * true
    value = np.random.default_rng(seed).normal(true, sigma)
    noted = npp.Record("conductivity", np.array([MELT_TEMPERATURE]), np.array([value]), np.array([sigma]))
    return npp.Measurement("K", experiment, profile, MELT_SEEN, likelihood=npp.PoissonLikelihood(), records=(noted,))


class Case(NamedTuple):
    """An exchange, and the models that are told apart by it."""

    name: str
    models: tuple[str, ...]
    experiment: Callable[[str], npp.Experiment]
    measured: Callable[[str, int], npp.Measurement]
    parameters: tuple[npp.Parameter, ...]
    """What all models have."""
    true: tuple[float, ...]


CASES = (
    Case("film", MODELS, film, measured, PARAMETERS, tuple(SHARED.values())),
    Case("melt", ("ideal", "cross coefficient"), melt, measured_melt, MELT_PARAMETERS, tuple(MELT_SHARED.values())),
)


def fitted(case: Case, data: npp.Measurement, model: str) -> npp.FitResult:
    """Fit of a model, from the true values of the numbers that all have."""
    parameters, starts = case.parameters, [case.true]
    if model in OWN:
        parameter, value = OWN[model]
        # One start where the rival is what it is in its own data, and one where it is hardly there.
        parameters = (*parameters, parameter)
        absent = 1e7 if parameter.name == "mixing_time_s" else 0.05
        starts = [(*case.true, value), (*case.true, absent)]
    measurement = dataclasses.replace(data, experiment=case.experiment(model))
    problem = npp.Problem((measurement,), parameters)
    return npp.fit(problem, np.array(starts), npp.FAST, profile_points=0)


def row_of(rows: list[dict], case: str, truth: str) -> str:
    """What the right model finds of its own number, in words."""
    row = next(r for r in rows if (r["case"], r["data"], r["model"]) == (case, truth, truth))
    return f"{row['own']}: true {row['true']:g}, found {row['interval']}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save", action="store_true", help="keep the numbers in benchmarks/results")
    options = parser.parse_args()
    rows = []
    for case in CASES:
        print(f"{'data of the ' + case.name:24s}", *(f"{model:>24s}" for model in case.models), flush=True)
        for truth in case.models:
            data, found = case.measured(truth, options.seed), {}
            for model in case.models:
                begin = time.perf_counter()
                found[model] = fitted(case, data, model)
                row = {
                    "case": case.name,
                    "data": truth,
                    "model": model,
                    "chi2": round(float(found[model].chi2), 1),
                    "points": found[model].points,
                    "warnings": list(found[model].warnings()),
                    "wall_s": round(time.perf_counter() - begin, 1),
                }
                row |= {name: float(found[model][name].value) for name in found[model].names}
                if model in OWN:
                    name, value = OWN[model][0].name, OWN[model][1]
                    row |= {"own": name, "true": value, "interval": found[model][name].interval_text()}
                rows.append(row)
            true = found[truth].chi2
            print(f"{truth:24s}", *(f"{found[model].chi2 - true:24.1f}" for model in case.models), flush=True)
            if truth in OWN:
                print(f"  {row_of(rows, case.name, truth)}", flush=True)
    if options.save:
        record.save("physics_rivals", {"rows": rows})


if __name__ == "__main__":
    main()
