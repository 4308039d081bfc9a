"""Synthetic SIMS file of the bundled K experiment, as an instrument exports it. No measurement.

Usage: python benchmarks/synthetic_sims.py FOLDER

The glass of sweeps/lithium_borate_K.toml is simulated, seen through a Dowsett response, and counted with Poisson noise,
each ion with its own sensitivity. K.txt has the form of a SurfaceLab export; K_truth.csv has the fractions behind it.
"""

import argparse
from pathlib import Path

import jax
import numpy as np

jax.config.update("jax_enable_x64", True)

from npp_jax.files import load_experiment
from npp_jax.fitting import synthetic_profile
from npp_jax.observe import DowsettResponse, Observation
from npp_jax.simulation.simulate import simulate

SWEEPS = Path(__file__).resolve().parent.parent / "sweeps"
RESPONSE = DowsettResponse(leading=0.8, trailing=2.5, sigma=1.5)
CRATER = 310.0
"""Depth of the crater [nm]."""
STEP = 2.0
"""Sputter time of a point [s]."""
POINTS = 310
SIGNALS = (("^7Li+", 7.016, 3000.0, 0.0), ("^39K+", 38.963, 9000.0, 4.0), ("^11B+", 11.009, 5000.0, 0.0))
"""Name, m/z, counts at fraction one and background counts; boron is the matrix, alike at all depths."""
SEED = 2027


def main() -> None:
    """Write the export and the truth behind it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    time = STEP * np.arange(1, POINTS + 1)
    depth = CRATER * time / time[-1]
    solution = simulate(load_experiment(SWEEPS / "lithium_borate_K.toml"))
    seen = np.asarray(synthetic_profile(solution, Observation(RESPONSE), depth, 1.0, seed=None).fraction)
    fractions = np.stack([*seen, np.ones(POINTS)])
    gain, background = (np.array(column)[:, None] for column in list(zip(*SIGNALS, strict=True))[2:])
    counts = np.random.default_rng(SEED).poisson(gain * fractions + background)

    names, masses = (("", "", "", *column) for column in list(zip(*SIGNALS, strict=True))[:2])
    head = [
        "# Synthetic: simulated with sweeps/lithium_borate_K.toml and counted by benchmarks/synthetic_sims.py",
        f"# Crater: {CRATER:g} nm",
        "# Profile Smoothing is Disabled",
        "\t".join(["#", *names]),
        "\t".join(["#", *map(str, masses)]),
        "\t".join(["#Data Point #", "Sputter Time (s)", "Dose (ions)", "Fluence (ions/cm^2)", *["Intensity"] * 3]),
    ]
    rows = [f"{k + 1}\t{time[k]:g}\t0\t0\t" + "\t".join(map(str, counts[:, k])) for k in range(POINTS)]
    (folder / "K.txt").write_text("\n".join(head + rows) + "\n", encoding="utf-8")
    table = "".join(f"{z:.6g},{li:.6g},{k:.6g}\n" for z, li, k in zip(depth, *seen, strict=True))
    title = "# synthetic: fractions behind K.txt, with its depth resolution, without noise and background\n"
    (folder / "K_truth.csv").write_text(title + "depth_nm,Li,K\n" + table, encoding="utf-8")


if __name__ == "__main__":
    main()
