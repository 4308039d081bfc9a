"""Coverage of the intervals of one isotope profile, for one D and its rivals, and how often each is recognised.

Usage: python benchmarks/tracer_coverage.py [--replicates 200] [--save]

Synthetic counts are drawn anew in each replicate and fitted by all three models. The share of 95 % intervals, of the
covariance, that contain the truth is printed for each parameter of the true model, and how often BIC is least for it.
"""

import argparse
import math

import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)

from record import save
from scipy import stats

from npp_jax.inference import information_criteria
from npp_jax.tracer.counts import IsotopeCounts
from npp_jax.tracer.measured import MeasuredProfile
from npp_jax.tracer.profile_fit import ProfileModel, Transport, fit_profile

DURATION, BASE, SURFACE, COUNTS = 3.6e5, 0.08, 0.9, 4000
DEPTH = np.linspace(2e-5, 4e-3, 60)
TRUTH: dict[Transport, dict[str, float]] = {
    "one-path": {"D_m2_s": 1e-12},
    "two-path": {"D_m2_s": 2e-13, "fast_ratio": 10.0, "fast_share": 0.33},
    "composition-dependent": {"D_m2_s": 5e-13, "D_slope": 1.5},
}


def drawn(fraction: np.ndarray, rng: np.random.Generator) -> MeasuredProfile:
    """Counts of both isotopes at all depths."""
    light = rng.binomial(COUNTS, fraction) * 1.0
    return MeasuredProfile(DEPTH, light / COUNTS, np.ones(len(DEPTH)), IsotopeCounts(light, COUNTS - light))


def clean(transport: Transport, truth: dict[str, float]) -> np.ndarray:
    """Fractions without noise."""
    none = drawn(np.full(len(DEPTH), 0.5), np.random.default_rng(0))
    model = ProfileModel(none, "constant-surface", transport, jnp.asarray(DURATION), None, None, None)
    values = {name: jnp.asarray(value) for name, value in (truth | {"surface": SURFACE, "base": BASE}).items()}
    return np.asarray(model.at(values, jnp.asarray(DEPTH)))


def count(transport: Transport, replicates: int, seed: int) -> dict[str, float]:
    """Share of the intervals that contain the truth, and of the replicates that BIC recognises."""
    rng, truth = np.random.default_rng(seed), TRUTH[transport]
    fraction = clean(transport, truth)
    whole = truth | {"surface": SURFACE, "base": BASE}
    held, recognised = dict.fromkeys(whole, 0), 0
    for _ in range(replicates):
        profile = drawn(fraction, rng)
        bic = {}
        for rival in TRUTH:
            fit = fit_profile(profile, DURATION, start=5e-13, transport=rival, profile_points=0)
            bic[rival] = information_criteria(fit.chi2, fit.points, len(fit.parameters)).bic
            if rival == transport:
                for name, value in whole.items():
                    low, high = fit[name].interval
                    held[name] += bool(low <= value <= high)
        recognised += min(bic, key=lambda name: bic[name]) == transport
    return {name: n / replicates for name, n in held.items()} | {"recognised_by_bic": recognised / replicates}


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--replicates", type=int, default=200)
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/tracer_coverage.json")
    options = parser.parse_args()
    chance = stats.binom.interval(0.95, options.replicates, 0.95)
    low, high = (math.floor(1e3 * n / options.replicates) / 1e3 for n in chance)
    print(f"{options.replicates} replicates; chance alone allows {low:.3f} to {high:.3f}")
    found = {name: count(name, options.replicates, seed=k) for k, name in enumerate(TRUTH)}
    for name, row in found.items():
        print(f"{name}: " + ", ".join(f"{key} {value:.3f}" for key, value in row.items()))
    if options.save:
        save("tracer_coverage", {"replicates": options.replicates, "truth": TRUTH, "coverage": found})


if __name__ == "__main__":
    main()
