"""Synthetic profile and conductivity of the bundled exchange with a melt: simulated, and counted. No measurement.

Usage: python benchmarks/synthetic_melt.py FOLDER
"""

import argparse
from pathlib import Path

import jax
import numpy as np
from synthetic_table import write_profile

jax.config.update("jax_enable_x64", True)

import npp_jax as npp
from npp_jax.files import load_experiment
from npp_jax.physics.nernst_einstein import nernst_einstein_conductivity

FILE = Path(__file__).resolve().parent.parent / "sweeps" / "melt_potassium.toml"
DEPTH = np.linspace(50.0, 12000.0, 160)
SEEN = npp.Observation(npp.GaussianResponse(20.0))
COUNTS = 2000.0
CONDUCTIVITY_SIGMA = 0.03
SEED = 2026


def main() -> None:
    """Write the profile, print the conductivity."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    experiment = load_experiment(FILE)
    profile = npp.synthetic_profile(npp.simulate(experiment), SEEN, DEPTH, COUNTS, seed=SEED)
    said = f"simulated with sweeps/{FILE.name}, response of 20 nm, {COUNTS:g} counts at the bulk content"
    write_profile(folder / "K.csv", said, profile)
    native, stage = experiment.species[0], experiment.stages[0]
    density, temperature = float(experiment.sample.bulk_density), float(stage.temperature)
    true = float(nernst_einstein_conductivity(float(native.diffusivity.D), density, temperature))
    value = true * (1.0 + np.random.default_rng(SEED).normal(0.0, CONDUCTIVITY_SIGMA))
    print(
        f"conductivity at {temperature:g} K: {value:.4g} S/m, {100 * CONDUCTIVITY_SIGMA:g} %; without noise {true:.4g}"
    )


if __name__ == "__main__":
    main()
