"""Synthetic K, Rb and Cs profiles for the bundled study: simulated, blurred, counted. No measurement.

Usage: python benchmarks/synthetic_profiles.py FOLDER

The three glasses of sweeps/ are simulated with one site energy distribution, seen through a Dowsett response and
counted with Poisson noise. The parameters behind them are printed, as the table that their study has of them.
"""

import argparse
from pathlib import Path

import jax
import jax.numpy as jnp
from synthetic_table import write_profile

jax.config.update("jax_enable_x64", True)

from npp_jax.files import load_experiment
from npp_jax.fitting import synthetic_profile, value_of
from npp_jax.observe import DepthProfile, DowsettResponse, Observation
from npp_jax.simulation.simulate import simulate

SWEEPS = Path(__file__).resolve().parent.parent / "sweeps"
RESPONSE = DowsettResponse(leading=0.8, trailing=2.5, sigma=1.5)
COUNTS = 2000.0
"""Counts at the bulk content of the native ion."""
STEP = 1.0
DEEPEST = 160.0
SEED = 2024


def profile_of(ion: str, seed: int) -> DepthProfile:
    """Synthetic profile of one glass."""
    experiment = load_experiment(SWEEPS / f"lithium_borate_{ion}.toml")
    solution = jax.jit(simulate)(experiment)
    depth = jnp.arange(0.5 * STEP, DEEPEST, STEP)
    return synthetic_profile(solution, Observation(RESPONSE), depth, COUNTS, seed=seed)


def main() -> None:
    """Write the profiles, print the truth."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    truth = ["[truth]"]
    for k, ion in enumerate(("K", "Rb", "Cs")):
        profile = profile_of(ion, SEED + k)
        file = f"lithium_borate_{ion}.toml"
        said = f"simulated with sweeps/{file}, Dowsett response, {COUNTS:g} counts at the bulk content"
        write_profile(folder / f"{ion}.csv", said, profile)
        experiment = load_experiment(SWEEPS / file)
        if k == 0:
            for key in ("sed_fwhm_eV", "vacancy_fraction"):
                truth.append(f"{key} = {float(value_of(experiment, f'Li.{key}')):.6g}")
        truth.append(f"D_{ion}_m2_s = {float(value_of(experiment, f'{ion}.D_m2_s')):.6g}")
    print("\n".join(truth))


if __name__ == "__main__":
    main()
