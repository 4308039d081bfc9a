"""Rivals in physics: does the right one win? Synthetic data of each, fitted by all.

Usage: python benchmarks/physics_rivals.py [--seed 0] [--save]

Five models of one exchange of K for Li on a thin film: the ideal flux of the paper, the thermodynamic factor of the
Fermi picture, hops in a strong field, a cross coefficient between the ions, and populations that intermix in time. For
each a profile (2000 counts at the bulk content) and a current (1 % noise) are simulated and counted; each is fitted by
all five models, with the width of the distribution and both diffusion coefficients free, and the number that a model
has besides. Printed is χ² of each fit less that of the true model; `--save` writes
benchmarks/results/physics_rivals.json.
"""

import argparse
import dataclasses
import time

import jax
import numpy as np
import record

jax.config.update("jax_enable_x64", True)

import npp_jax as npp

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


def film(model: str) -> npp.Experiment:
    """The exchange as a model has it, with the true numbers."""
    term = "thermodynamic" if model == "thermodynamic factor" else "ideal"
    law = npp.SEDDiffusivity(1.3e-18, npp.GaussianSED(0.25), 0.1, diffusion_term=term)
    sample = npp.Sample(2e-6, 9.0, 1.4e28)
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


def fitted(data: npp.Measurement, model: str) -> npp.FitResult:
    """Fit of a model, from the true values of the numbers that all have."""
    parameters, starts = PARAMETERS, [list(SHARED.values())]
    if model in OWN:
        parameter, value = OWN[model]
        # One start where the rival is what it is in its own data, and one where it is hardly there.
        parameters = (*PARAMETERS, parameter)
        absent = 1e7 if parameter.name == "mixing_time_s" else 0.05
        starts = [[*starts[0], value], [*starts[0], absent]]
    measurement = dataclasses.replace(data, experiment=film(model))
    problem = npp.Problem((measurement,), parameters)
    return npp.fit(problem, np.array(starts), npp.FAST, profile_points=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save", action="store_true", help="keep the numbers in benchmarks/results")
    options = parser.parse_args()
    rows = []
    print(f"{'data of':24s}", *(f"{model:>24s}" for model in MODELS), flush=True)
    for truth in MODELS:
        data, found = measured(truth, options.seed), {}
        for model in MODELS:
            begin = time.perf_counter()
            found[model] = fitted(data, model)
            rows.append(
                {
                    "data": truth,
                    "model": model,
                    "chi2": round(float(found[model].chi2), 1),
                    "points": found[model].points,
                    "warnings": list(found[model].warnings()),
                    "wall_s": round(time.perf_counter() - begin, 1),
                }
            )
            for name in found[model].names:
                one = found[model][name]
                rows[-1][name] = float(one.value)
        true = found[truth].chi2
        print(f"{truth:24s}", *(f"{found[model].chi2 - true:24.1f}" for model in MODELS), flush=True)
        if truth in OWN:
            name = OWN[truth][0].name
            print(f"  {name}: true {OWN[truth][1]:g}, found {found[truth][name].interval_text()}", flush=True)
    if options.save:
        record.save("physics_rivals", {"rows": rows})


if __name__ == "__main__":
    main()
