"""What would be measured of a simulated signal: the noise of the data of a problem, as random draws.

The laws are those of the likelihoods by which a fit compares, with the uncertainties and exposures of the measured
data. All data are one vector, in the order of `Problem.data` without masked points.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from npp_jax.fitting.problem import Measurement, Problem
from npp_jax.observe import GaussianLikelihood, NuisancePrior


class Block(NamedTuple):
    """The points of one profile or record in the vector of all data."""

    name: str
    """Experiment, with the quantity of a record."""
    species: tuple[str, ...]
    """Species of a profile; none of a record."""
    at: Float[np.ndarray, " at"]
    """Depths of a profile [nm]; times [s] or temperatures [K] of a record."""
    used: Bool[np.ndarray, "*species at"]
    """Points that are not masked."""
    part: slice
    """Where they are in the vector: species after species."""


class NoiseModel:
    """Draws of the data of a problem, given signals without noise.

    Sensitivities, backgrounds and gains that a fit solves for are drawn too, from what is known of them beforehand.

    Examples
    --------
    >>> noise = npp.NoiseModel(problem)
    >>> noise.draw(np.random.default_rng(0), signal)  # as the instrument would measure it
    """

    def __init__(self, problem: Problem) -> None:
        """Take the data of a problem.

        Raises
        ------
        ValueError
            Nothing was measured, or a noise cannot be drawn: weights other than 0 and 1, or a sensitivity, background
            or gain of which nothing is known.
        """
        self._problem = problem
        blocks, measured, sigma = [], [], []
        start = 0
        for data in problem.data:
            measurement = problem.measurements[data.experiment]
            if data.record is None:
                _check(measurement)
                profile = measurement.profile
                assert profile is not None
                used = np.asarray(profile.weight) > 0.0
                species, at = profile.species, profile.depth
                values, errors = np.asarray(profile.fraction), np.asarray(profile.sigma)
            else:
                record = measurement.records[data.record]
                used, species, at = np.ones(record.at.size, bool), (), record.at
                values, errors = np.asarray(record.value), np.asarray(record.sigma)
            part = slice(start, start + int(used.sum()))
            blocks.append(Block(data.name, species, np.asarray(at, float), used, part))
            measured.append(values[used])
            sigma.append(errors[used])
            start = part.stop
        if not start:
            raise ValueError("no experiment has a profile or a record; there is no noise of data")
        self.blocks: tuple[Block, ...] = tuple(blocks)
        """Profiles and records in the order of the vector."""
        self.measured: Float[np.ndarray, " point"] = np.concatenate(measured).astype(float)
        """The measured data: fractions of profiles, values of records in SI units, eV of an energy."""
        self.sigma: Float[np.ndarray, " point"] = np.concatenate(sigma).astype(float)
        """Their standard deviations, a scale of each point for networks; draws follow the likelihood."""

    def draw(
        self, rng: np.random.Generator, signal: Float[np.ndarray, "*batch point"]
    ) -> Float[np.ndarray, "*batch point"]:
        """Data that would be measured of signals.

        Parameters
        ----------
        rng
            Random numbers, `np.random.default_rng(seed)`.
        signal
            Signals without noise, as `TrainingData.signal` has them; any number of candidates.

        Raises
        ------
        ValueError
            The signals are not of these data.
        """
        signal = np.asarray(signal)
        if signal.shape[-1:] != self.measured.shape:
            raise ValueError(f"signals of shape {signal.shape}: the data have {len(self.measured)} points")
        found = np.empty(signal.shape, signal.dtype)
        for block, data in zip(self.blocks, self._problem.data, strict=True):
            measurement, own = self._problem.measurements[data.experiment], signal[..., block.part]
            if data.record is None:
                found[..., block.part] = self._profile(rng, measurement, block, own)
                continue
            record = measurement.records[data.record]
            gain = 1.0
            if record.solved:
                gain = float(record.gain) + record.gain_sigma * rng.standard_normal((*own.shape[:-1], 1))
            found[..., block.part] = gain * own + np.asarray(record.sigma) * rng.standard_normal(own.shape)
        return found

    @staticmethod
    def _profile(rng: np.random.Generator, measurement: Measurement, block: Block, signal: np.ndarray) -> np.ndarray:
        """Draws of one profile, of which `signal` has the points that count."""
        profile = measurement.profile
        assert profile is not None
        table = np.zeros((*signal.shape[:-1], *block.used.shape))
        table[..., block.used] = signal
        if measurement.solved:
            sensitivity, background = _nuisances(rng, measurement.nuisance, table.shape[:-1])
            table = sensitivity[..., None] * table + background[..., None]
        return measurement.likelihood.draw(rng, table, profile)[..., block.used]


def _check(measurement: Measurement) -> None:
    """Refuse what has no noise that can be drawn."""
    profile, prior = measurement.profile, measurement.nuisance
    assert profile is not None
    weight = np.asarray(profile.weight)
    if not np.all((weight == 0.0) | (weight == 1.0)):
        raise ValueError(f"{measurement.name}: points have weights other than 0 and 1, of which no noise can be drawn")
    if measurement.solved:
        for kind in ("sensitivity", "background"):
            if not np.all(np.isfinite(np.asarray(getattr(prior, f"{kind}_sigma")))):
                raise ValueError(
                    f"{measurement.name}: nothing is known of the {kind}, of which no value can be drawn; give "
                    f"{kind}_sigma, or make it a parameter"
                )
        assert isinstance(measurement.likelihood, GaussianLikelihood)


def _nuisances(
    rng: np.random.Generator, prior: NuisancePrior, shape: tuple[int, ...]
) -> tuple[Float[np.ndarray, "*batch species"], Float[np.ndarray, "*batch species"]]:
    """Sensitivities and backgrounds, drawn within their bounds."""
    # Half a second of start that commands without such noise do not pay for.
    from scipy.stats import truncnorm

    found = []
    for kind in ("sensitivity", "background"):
        mean, sigma = (np.broadcast_to(np.asarray(getattr(prior, f"{kind}{end}")), shape) for end in ("", "_sigma"))
        width = np.where(sigma > 0.0, sigma, 1.0)
        low, high = ((bound - mean) / width for bound in getattr(prior, f"{kind}_bounds"))
        free = mean + width * truncnorm.ppf(rng.random(shape), low, high)
        found.append(np.where(sigma > 0.0, free, mean))
    return found[0], found[1]
