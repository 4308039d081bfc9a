"""What a posterior is asked for, and what it gives: options, draws with their diagnostics, errors."""

import importlib.util
from typing import NamedTuple

import equinox as eqx
import numpy as np
from jaxtyping import Float

from npp_jax.inference.digits import together, with_power
from npp_jax.inference.parameter import Parameters

LARGEST_R_HAT = 1.01
"""R-hat above which chains do not agree (A. Vehtari et al., Bayesian Analysis 16, 667 (2021))."""

LEAST_ESS = 400.0
"""Effective draws below which R-hat, mean and interval are not to be trusted (the same source)."""

_TOUCHING = 0.05  # of the length of an interval, its distance from the end of the range; 0.026 for a uniform density


class MissingExtra(Exception):
    """An optional package is not installed."""


class PosteriorError(Exception):
    """No posterior could be sampled."""


class PosteriorOptions(eqx.Module):
    """Numerical choices of `sample_posterior`."""

    chains: int = 16
    warm_up: int = 100
    """Draws of each chain that adapt step and mass and are thrown away."""
    draws: int = 100
    """Draws of each chain that are kept."""
    steps: int = 3
    """Leapfrog steps, that is Jacobians, for one draw."""
    seed: int = 0


class Posterior(NamedTuple):
    """Draws of the parameters, and whether they may be trusted."""

    theta: Float[np.ndarray, "chain draw parameter"]
    """[units of the parameters]"""
    log_density: Float[np.ndarray, "chain draw"]
    """ln density in z, up to a constant."""
    mean: Float[np.ndarray, " parameter"]
    """[units of the parameters]"""
    standard_deviation: Float[np.ndarray, " parameter"]
    """[units of the parameters]"""
    interval: Float[np.ndarray, "parameter two"]
    """Central 95 %. [units of the parameters]"""
    r_hat: Float[np.ndarray, " parameter"]
    """Rank-normalised split R-hat, the larger of bulk and folded."""
    ess_bulk: Float[np.ndarray, " parameter"]
    """Effective number of draws for the mean."""
    ess_tail: Float[np.ndarray, " parameter"]
    """Effective number of draws for the 5 and 95 % quantiles, the smaller of the two."""
    accepted: float
    """Share of the trajectories that were accepted."""
    failed: int
    """Trajectories that ended where the model cannot be evaluated; they were rejected."""
    trajectories: int
    """All trajectories, warm-up included."""
    evaluations: int
    """Jacobians, those of the warm-up included."""

    def interval_texts(self, parameters: Parameters) -> list[str]:
        """The intervals, and whether the range sets an end: draws reach it with no fall in number."""
        found = []
        for parameter, pair, sigma in zip(parameters, self.interval, self.standard_deviation, strict=True):
            ends, power = together([float(end) for end in pair], float(sigma))
            sides = []
            if parameter.bounded:
                first, last = (float(share) for share in parameter.share(np.asarray(pair)))
                rooms = (("lower", first), ("upper", 1.0 - last))
                sides = [side for side, room in rooms if room < _TOUCHING * (last - first)]
            told = {0: "", 1: f", the {''.join(sides)} end set by the range", 2: ", both ends set by the range"}
            found.append(f"{with_power(' … '.join(ends), power)}{told[len(sides)]}")
        return found

    def warnings(self, names: list[str]) -> list[str]:
        """What a reader of the numbers has to know, one sentence each."""
        # Written so that NaN counts as bad.
        apart = [name for name, value in zip(names, self.r_hat, strict=True) if not value <= LARGEST_R_HAT]
        least = np.minimum(self.ess_bulk, self.ess_tail)
        few = [name for name, value in zip(names, least, strict=True) if not value >= LEAST_ESS]
        found = []
        if apart:
            found.append(
                f"The chains do not agree on {', '.join(apart)}: R-hat up to {np.max(self.r_hat):.3f}, allowed is "
                f"{LARGEST_R_HAT}. Sample longer, and do not quote the posterior."
            )
        if few:
            found.append(
                f"The posterior of {', '.join(few)} rests on {np.min(least):.0f} effective draws; {LEAST_ESS:.0f} are "
                "needed. Raise draws."
            )
        if self.failed:
            found.append(
                f"{self.failed} of {self.trajectories} trajectories of the posterior ended where the model cannot be "
                "evaluated; they were rejected."
            )
        return found


def check_blackjax() -> None:
    """Refuse in one line where blackjax is not installed.

    Raises
    ------
    MissingExtra
        It is not.
    """
    if importlib.util.find_spec("blackjax") is None:
        raise MissingExtra("the posterior needs the extra 'bayes': pip install 'blackjax>=1.7'")
