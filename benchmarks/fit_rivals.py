"""Does the right model win? Fits of synthetic data whose law is known, by the rivals of the bundled study.

Usage: python benchmarks/fit_rivals.py [gaussian] [immobile] [bimodal] [skewed] [--seeds S ...] [--save]

`immobile`: 8 % of the Li never moves, so that the plateau is flat and no smooth Gaussian explains it. `bimodal` and
`skewed`: sums of two Gaussians; the band of the free-form fit is compared with the true D(n). The data are simulated
with the accurate setting and counted, anew for each seed; the fits use the fast one. `--save` writes
benchmarks/results/fit_rivals.json, beside what is there of other laws and seeds.
"""

import argparse
import dataclasses
import json
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import record
from jaxtyping import Array

jax.config.update("jax_enable_x64", True)

from npp_jax.commands.fit.run import FitOutcome, run_fit
from npp_jax.files.hypotheses import Hypothesis
from npp_jax.files.study import Study, load_study
from npp_jax.fitting import Measurement, Objective, law_bands
from npp_jax.inference import Reason
from npp_jax.observe import measure
from npp_jax.physics import Experiment, MixtureSED, SEDDiffusivity
from npp_jax.simulation.simulate import ACCURATE

STUDY = Path(__file__).resolve().parent.parent / "sweeps" / "rival_distributions.toml"

SHAPES = {
    "bimodal": MixtureSED(jnp.array([-0.12, 0.10]), jnp.array([0.12, 0.16]), jnp.array([0.45, 0.55])),
    "skewed": MixtureSED(jnp.array([-0.10, 0.04]), jnp.array([0.30, 0.14]), jnp.array([0.5, 0.5])),
}


def law_of(experiment: Experiment) -> SEDDiffusivity:
    """Law of the native ion."""
    return next(s.diffusivity for s in experiment.species if isinstance(s.diffusivity, SEDDiffusivity))


def with_law(experiment: Experiment, name: str) -> Experiment:
    """Experiment with one of the true laws."""

    def changed(law: SEDDiffusivity) -> SEDDiffusivity:
        if name == "immobile":
            return dataclasses.replace(law, immobile_fraction=jnp.asarray(0.08))
        return law if name == "gaussian" else dataclasses.replace(law, sed=SHAPES[name])

    return dataclasses.replace(
        experiment,
        species=tuple(
            dataclasses.replace(s, diffusivity=changed(s.diffusivity))
            if isinstance(s.diffusivity, SEDDiffusivity)
            else s
            for s in experiment.species
        ),
    )


def with_data(study: Study, name: str, seed: int) -> Study:
    """The study with synthetic profiles of a true law instead of its own."""
    measurements = tuple(
        dataclasses.replace(m, experiment=with_law(m.experiment, name)) for m in study.problem.measurements
    )
    problem = dataclasses.replace(study.problem, measurements=measurements, parameters=())
    objective = Objective(problem, dataclasses.replace(ACCURATE, trace=False, companion=False))
    none = jnp.zeros((1, 0))
    signals = jax.jit(lambda: objective.signals(objective.solve(none), none))()

    def counted(measurement: Measurement, signal: Array | None, k: int) -> Measurement:
        old = measurement.profile
        assert old is not None and signal is not None and old.counts_per_fraction is not None
        key = jax.random.fold_in(jax.random.key(seed), k)
        profile = measure(key, signal[0], old.counts_per_fraction, depth=old.depth, species=old.species)
        return eqx.tree_at(lambda m: m.profile, measurement, profile)

    def renewed(model: Hypothesis) -> Hypothesis:
        fresh = tuple(
            counted(m, s, k) for k, (m, s) in enumerate(zip(model.problem.measurements, signals, strict=True))
        )
        return dataclasses.replace(model, problem=dataclasses.replace(model.problem, measurements=fresh))

    return dataclasses.replace(study, main=renewed(study.main), rivals=tuple(renewed(rival) for rival in study.rivals))


def compare(name: str, seed: int, outcome: FitOutcome) -> list[dict]:
    """Print how the models compare and how well D(n) is known; a row for each."""
    print(f"truth: {name}, seed {seed}")
    everyone = [outcome.main, *outcome.rivals]
    lowest = min(f.result.criteria.bic for f in everyone)
    truth = law_of(with_law(outcome.study.problem.measurements[0].experiment, name))
    temperature = outcome.study.problem.measurements[0].experiment.stages[0].temperature
    rows = []
    for fitted in everyone:
        result = fitted.result
        bands = law_bands(fitted.hypothesis.problem, fitted.hypothesis.problem.measurements[0], result)
        assert bands is not None
        # Compositions that the three profiles hold; D of the bulk is given.
        held = (bands.fraction >= 0.03) & (bands.fraction < 1.0)
        true = np.asarray(truth.at(temperature)(jnp.asarray(bands.fraction)))[held]
        inside = float(np.mean((true >= bands.diffusivity.low[held]) & (true <= bands.diffusivity.high[held])))
        row = {
            "truth": name,
            "seed": seed,
            "model": fitted.hypothesis.name,
            "chi2": float(result.chi2),
            "probability": float(result.p_value),
            "delta_bic": float(result.criteria.bic - lowest),
            "share_of_D_in_band": inside,
            "reason": Reason(int(result.refined.reason[result.best])).name,
        }
        rows.append(row)
        print(
            f"  {row['model']:40s} χ² {row['chi2']:8.1f}  probability {row['probability']:8.1e}  "
            f"ΔBIC {row['delta_bic']:8.1f}  true D(n) in the band {100 * inside:5.1f} %  {row['reason']}",
            flush=True,
        )
        values = {b.name: f"{t:.4g}" for b, t in zip(fitted.hypothesis.parameters, result.theta, strict=True)}
        if len(values) < 10:
            print("    " + ", ".join(f"{key} {value}" for key, value in values.items()))
    return rows


def main() -> None:
    """Fit the data of each law."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("laws", nargs="*", help="gaussian, immobile, bimodal, skewed; all by default")
    parser.add_argument("--seeds", type=int, nargs="+", default=[7], help="of the counting noise")
    parser.add_argument("--models", nargs="*", help="names of the rivals to fit; all by default")
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/fit_rivals.json")
    options = parser.parse_args()
    study = load_study(STUDY)
    if options.models is not None:
        study = dataclasses.replace(study, rivals=tuple(r for r in study.rivals if r.name in options.models))
    known = ["gaussian", "immobile", *SHAPES]
    rows = []
    for name in options.laws or known:
        if name not in known:
            parser.error(f"'{name}' is no law; known are {', '.join(known)}")
        for seed in options.seeds:
            rows += compare(name, seed, run_fit(with_data(study, name, seed), quiet=True))
    if options.save:
        stored = record.FOLDER / "fit_rivals.json"
        before = json.loads(stored.read_text(encoding="utf-8"))["rows"] if stored.is_file() else []
        new = {(row["truth"], row["seed"]) for row in rows}
        kept = [row for row in before if (row["truth"], row["seed"]) not in new]
        order = lambda row: (known.index(row["truth"]), row["seed"])  # noqa: E731
        record.save("fit_rivals", {"study": STUDY.name, "rows": sorted(kept + rows, key=order)})


if __name__ == "__main__":
    main()
