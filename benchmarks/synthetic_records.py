"""Synthetic current records of the bundled K, Rb and Cs experiments: simulated, miscalibrated, noisy. No measurement.

Usage: python benchmarks/synthetic_records.py FOLDER

Each current is that of sweeps/lithium_borate_*.toml, times a gain of its own, with normal noise. The gains are printed.
"""

import argparse
import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)

from npp_jax.files import load_experiment
from npp_jax.simulation.controls import refined
from npp_jax.simulation.history import history
from npp_jax.simulation.simulate import ACCURATE, simulate

SWEEPS = Path(__file__).resolve().parent.parent / "sweeps"
RELATIVE = 0.01
"""Standard deviation of a point over its value."""
GAIN = 0.02
"""Standard deviation of the gains, as of the area of an electrode."""
POINTS = 120
SEED = 2026


def main() -> None:
    """Write the records, print the gains."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    fine = dataclasses.replace(refined(ACCURATE), companion=False)
    for k, ion in enumerate(("K", "Rb", "Cs")):
        rng = np.random.default_rng(SEED + k)
        course = history(simulate(load_experiment(SWEEPS / f"lithium_borate_{ion}.toml"), fine).trace)
        time = np.linspace(0.0, float(course.end[-1]), POINTS + 1)[1:]
        gain = 1.0 + GAIN * rng.standard_normal()
        current = gain * np.asarray(course.current_at(jnp.asarray(time)))
        current *= 1.0 + RELATIVE * rng.standard_normal(POINTS)
        head = (
            f"# synthetic: current of sweeps/lithium_borate_{ion}.toml with a gain and {100 * RELATIVE:g} % noise\n"
            "time [h],current density [nA/cm2]\n"
        )
        rows = "".join(f"{t / 3600.0:.6g},{j * 1e5:.6g}\n" for t, j in zip(time, current, strict=True))
        (folder / f"{ion}_current.csv").write_text(head + rows, encoding="utf-8")
        print(f"gain of {ion}: {gain:.4f}")


if __name__ == "__main__":
    main()
