"""Synthetic data of sweeps/everything_measured.toml: simulated, blurred, counted, miscalibrated, noisy. No measurement.

Usage: python benchmarks/synthetic_everything.py FOLDER

Written are two profiles of counts, one with Gaussian noise, and a current; the numbers of the study itself are printed:
the charge, and conductivities with the noise that it states.
"""

import argparse
import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from synthetic_table import write, write_profile

jax.config.update("jax_enable_x64", True)

from npp_jax.constants import BOLTZMANN_EV
from npp_jax.files import load_experiment
from npp_jax.fitting import synthetic_profile
from npp_jax.observe import MRIResponse, Observation
from npp_jax.simulation.controls import refined
from npp_jax.simulation.history import history
from npp_jax.simulation.simulate import ACCURATE, simulate

FILE = Path(__file__).resolve().parent.parent / "sweeps" / "lithium_borate_K_twice.toml"
RESPONSE = MRIResponse(mixing=2.5, roughness=1.5, information=0.8)
SPUTTER_RATIO, DEPTH_SCALE = 1.08, 1.03
COUNTS, SIGMA, LIMIT = 2000.0, 0.01, 0.01
GAIN_SIGMA, CURRENT_SIGMA, POINTS = 0.02, 0.01, 120
CONDUCTIVITY, ACTIVATION_eV, REFERENCE_K, CONDUCTIVITY_SIGMA = 1e-7, 0.70, 350.0, 0.03
CHARGE_SIGMA = 1.0
SAID = "made by benchmarks/synthetic_everything.py of sweeps/lithium_borate_K_twice.toml"


def main() -> None:
    """Write the tables, print what stands in the study."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(2027)
    solution = simulate(load_experiment(FILE), dataclasses.replace(refined(ACCURATE), companion=False))
    depth = jnp.arange(0.5, 160.0, 1.0)
    seen = Observation(RESPONSE, sputter_ratio=SPUTTER_RATIO)
    for k, scale in enumerate((1.0, DEPTH_SCALE)):
        observation = dataclasses.replace(seen, depth_scale=scale)
        profile = synthetic_profile(solution, observation, depth, COUNTS, seed=2027 + k, native=("Li",))
        write_profile(folder / f"crater_{k + 1}.csv", SAID, profile)
    exact = synthetic_profile(solution, seen, depth[depth < 90.0], COUNTS, seed=None, output=0, native=("Li",))
    native, foreign = np.asarray(exact.fraction) + SIGMA * rng.normal(size=exact.fraction.shape)
    sigma = np.full_like(native, SIGMA)
    rows = np.column_stack([exact.depth, native, sigma, np.maximum(foreign, LIMIT), sigma])
    write(folder / "half.csv", SAID, "depth_nm,Li,Li_sigma,K,K_sigma", rows)
    course = history(solution.trace)
    time = np.linspace(0.0, float(course.end[-1]), POINTS + 1)[1:]
    gain = 1.0 + GAIN_SIGMA * rng.standard_normal()
    current = gain * np.asarray(course.current_at(jnp.asarray(time))) * (1.0 + CURRENT_SIGMA * rng.normal(size=POINTS))
    write(
        folder / "current.csv",
        SAID,
        "time [h],current density [nA/cm2]",
        np.column_stack([time / 3600.0, 1e5 * current]),
    )
    print(f"gain of the current: {gain:.4f}")
    print(f"charge: {float(solution.charge[-1]) + CHARGE_SIGMA * rng.standard_normal():.1f} C/m2")
    for temperature in (330.0, 350.0, 370.0):
        falls = np.exp(-ACTIVATION_eV / BOLTZMANN_EV * (1.0 / temperature - 1.0 / REFERENCE_K))
        value = CONDUCTIVITY * REFERENCE_K / temperature * falls * (1.0 + CONDUCTIVITY_SIGMA * rng.standard_normal())
        print(f"conductivity at {temperature:g} K: {value:.4g} S/m")


if __name__ == "__main__":
    main()
