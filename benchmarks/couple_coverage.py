"""How often the band of D(c) of `npp-jax couple` holds the whole true curve: synthetic couples with noise.

Usage: python benchmarks/couple_coverage.py [--replicates 200] [--save]

Two couples, one of a single phase and one of two, of laws that no spline of a few knots has. A band of 95 % should hold
the whole curve, at all compositions between the ends of the phases, in 95 of 100 replicates.
"""

import argparse
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)

from record import save

from npp_jax.fitting.couple import fit_couple
from npp_jax.inference import GOOD
from npp_jax.physics.boltzmann_matano import boltzmann_matano
from npp_jax.physics.couple_profile import couple_profile

TIME, SIGMA = 3.6e6, 1.5e-3
DEPTH = np.linspace(0.0, 500e-6, 126)


class Couple(NamedTuple):
    """Truth of a couple."""

    limits: tuple[tuple[float, float], ...]
    position: float
    """First contact [m]."""

    def ln_D(self, fraction: np.ndarray) -> np.ndarray:
        """A law with a bend in each phase."""
        return math.log(4e-16) + 1.2 * fraction + 0.4 * np.sin(6.0 * fraction)


COUPLES = {
    "one phase": Couple(((0.0, 1.0),), 250e-6),
    "two phases": Couple(((0.0, 0.3), (0.55, 1.0)), 250e-6),
}


def profile_of(couple: Couple) -> np.ndarray:
    """Fractions at the depths, without noise."""
    laws = tuple(jnp.asarray(couple.ln_D(np.linspace(*limits, 60))) for limits in couple.limits)
    found = couple_profile(jnp.asarray(couple.limits), laws)
    eta = (DEPTH - couple.position) / math.sqrt(TIME)
    return np.asarray(found.at(jnp.asarray(eta), np.searchsorted(np.asarray(found.boundary), eta)))


def count(couple: Couple, replicates: int, seed: int) -> dict[str, float]:
    """Share of the replicates whose band holds the whole curve, and shares of all compositions of all replicates."""
    rng, clean = np.random.default_rng(seed), profile_of(couple)
    whole, points, widths, ended = 0, [], [], 0
    for _ in range(replicates):
        seen = clean + rng.normal(0.0, SIGMA, len(DEPTH))
        fit = fit_couple(boltzmann_matano(DEPTH, seen, TIME, ends=(0.0, 1.0)), seen, TIME)
        inside = np.zeros(len(fit.curve), bool)
        for low, high in couple.limits:
            inside |= (fit.curve >= low) & (fit.curve <= high)
        truth = np.exp(couple.ln_D(fit.curve))
        held = ((fit.D[:, 1] <= truth) & (truth <= fit.D[:, 2]))[inside]
        whole += bool(held.all())
        points.append(held.mean())
        widths.append(np.median(np.log(fit.D[:, 2] / fit.D[:, 1])))
        ended += fit.reason in GOOD
    return {
        "whole_curve": whole / replicates,
        "compositions": float(np.mean(points)),
        "median_width_ln_D": float(np.median(widths)),
        "ended_in_a_minimum": ended / replicates,
    }


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--replicates", type=int, default=200)
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/couple_coverage.json")
    options = parser.parse_args()
    found = {name: count(couple, options.replicates, seed=k) for k, (name, couple) in enumerate(COUPLES.items())}
    for name, row in found.items():
        print(f"{name}: " + ", ".join(f"{key} {value:.3f}" for key, value in row.items()))
    if options.save:
        save("couple_coverage", {"replicates": options.replicates, "couples": found})


if __name__ == "__main__":
    main()
