"""Synthetic profile of the bundled couple: simulated, with Gaussian noise. No measurement.

Usage: python benchmarks/synthetic_couple.py FOLDER
"""

import argparse
from pathlib import Path

import jax
import numpy as np

jax.config.update("jax_enable_x64", True)

from npp_jax.files import load_experiment
from npp_jax.simulation.simulate import simulate

SWEEPS = Path(__file__).resolve().parent.parent / "sweeps"
SIGMA = 0.004
"""Standard deviation of a mole fraction, as of an electron probe."""
STEP_UM = 2.0
SEED = 2024


def main() -> None:
    """Write the profile."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    solution = simulate(load_experiment(SWEEPS / "couple_exponential.toml"))
    depth = np.arange(0.5 * STEP_UM, 200.0, STEP_UM)
    exact = np.asarray(solution.profile(depth * 1e-6)[0])
    noisy = exact + np.random.default_rng(SEED).normal(0.0, SIGMA, len(depth))
    head = f"# synthetic: simulated with sweeps/couple_exponential.toml, noise {SIGMA:g}\ndepth_um,A,A_sigma\n"
    rows = "".join(f"{x:.6g},{c:.5f},{SIGMA:g}\n" for x, c in zip(depth, noisy, strict=True))
    (folder / "couple.csv").write_text(head + rows, encoding="utf-8")


if __name__ == "__main__":
    main()
