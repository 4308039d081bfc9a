"""Does the right model win? Fits of synthetic data whose law is known, by the rivals of the bundled study.

Usage: python benchmarks/fit_rivals.py [gaussian] [immobile] [bimodal] [skewed]

`immobile`: 8 % of the Li never moves, so that the plateau is flat and no smooth Gaussian explains it. `bimodal` and
`skewed`: sums of two Gaussians; the band of the free-form fit is compared with the true D(n). The data are simulated
with the accurate setting and counted; the fits use the fast one.
"""

import argparse
import dataclasses
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

jax.config.update("jax_enable_x64", True)

from npp_jax.fit import Measurement, Objective, Reason, law_bands  # noqa: E402
from npp_jax.fit_command import FitOutcome, run_fit  # noqa: E402
from npp_jax.observe import measure  # noqa: E402
from npp_jax.physics import Experiment, MixtureSED, SEDDiffusivity  # noqa: E402
from npp_jax.simulate import ACCURATE  # noqa: E402
from npp_jax.study import Rival, Study, load_study  # noqa: E402

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

    def renewed(model: Rival) -> Rival:
        fresh = tuple(
            counted(m, s, k) for k, (m, s) in enumerate(zip(model.problem.measurements, signals, strict=True))
        )
        return dataclasses.replace(model, problem=dataclasses.replace(model.problem, measurements=fresh))

    return dataclasses.replace(study, main=renewed(study.main), rivals=tuple(renewed(rival) for rival in study.rivals))


def table(name: str, outcome: FitOutcome) -> None:
    """Print how the models compare and how well D(n) is known."""
    print(f"truth: {name}")
    everyone = [outcome.main, *outcome.rivals]
    lowest = min(f.result.criteria.bic for f in everyone)
    truth = law_of(with_law(outcome.study.problem.measurements[0].experiment, name))
    temperature = outcome.study.problem.measurements[0].experiment.stages[0].temperature
    for fitted in everyone:
        result = fitted.result
        bands = law_bands(fitted.model.problem, fitted.model.problem.measurements[0], result)
        assert bands is not None
        # Compositions that the three profiles hold; D of the bulk is given.
        held = (bands.fraction >= 0.03) & (bands.fraction < 1.0)
        true = np.asarray(truth.at(temperature)(jnp.asarray(bands.fraction)))[held]
        inside = np.mean((true >= bands.diffusivity.low[held]) & (true <= bands.diffusivity.high[held]))
        reason = Reason(int(result.refined.reason[result.best])).name
        print(
            f"  {fitted.model.name:40s} misfit {result.chi2:8.1f}  probability {result.p_value:8.1e}  "
            f"ΔBIC {result.criteria.bic - lowest:8.1f}  true D(n) in the band {100 * inside:5.1f} %  {reason}",
            flush=True,
        )
        values = {b.name: f"{t:.4g}" for b, t in zip(fitted.model.bounds, result.theta, strict=True)}
        if len(values) < 10:
            print("    " + ", ".join(f"{key} {value}" for key, value in values.items()))


def main() -> None:
    """Fit the data of each law."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("laws", nargs="*", help="gaussian, immobile, bimodal, skewed; all by default")
    study = load_study(STUDY)
    known = ["gaussian", "immobile", *SHAPES]
    laws = parser.parse_args().laws or known
    for name in laws:
        if name not in known:
            parser.error(f"'{name}' is no law; known are {', '.join(known)}")
        table(name, run_fit(with_data(study, name, seed=7), quiet=True))


if __name__ == "__main__":
    main()
