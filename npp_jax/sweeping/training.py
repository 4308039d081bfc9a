"""A finished sweep as what simulation-based inference learns from: parameters, signals of the data, and their noise."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64

from npp_jax.fitting import NoiseModel, Problem, with_systematic
from npp_jax.inference import Parameters, ranges_of, to_scaled
from npp_jax.physics.checks import expects
from npp_jax.simulation.status import Status
from npp_jax.store.reading import Reader
from npp_jax.store.stored import SweepFileError, reading_sweep
from npp_jax.sweeping.profiles import labels
from npp_jax.sweeping.ranking import SweepResult, read_sweep
from npp_jax.sweeping.screening import of_problem, within_ranges


@dataclasses.dataclass(frozen=True, eq=False)
class TrainingData:
    """Candidates of a sweep, what would be measured of each, and the noise with which it would be.

    The prior of the candidates is the unit box: parameters vary evenly on their scales between the ends of the ranges.
    """

    parameters: Parameters
    """What varied, with ranges, scales and Gaussian priors."""
    result: SweepResult
    """The candidates with their χ² and statuses: `result.theta` in the units of the names."""
    signal: Float32[np.ndarray, "candidate point"]
    """The data that each candidate predicts, without noise: signals at the measured points that a fit compares, before
    sensitivities, backgrounds and gains that are solved for. In the order of `noise.measured`."""
    noise: NoiseModel
    """The measured data, and draws of data of signals."""

    @property
    def unit(self) -> Float64[np.ndarray, "candidate parameter"]:
        """Positions of the candidates in the ranges on their scales: 0 at the lower limit, 1 at the upper."""
        return self._shares(self.result.theta)

    @property
    def good(self) -> Bool[np.ndarray, " candidate"]:
        """Candidates that did not fail and whose signals are finite; see `SweepResult.total`."""
        return (self.result.worst < Status.NOT_CONVERGED) & np.isfinite(self.signal).all(axis=1)

    def to_theta(self, unit: Float[np.ndarray, "*batch parameter"]) -> Float64[np.ndarray, "*batch parameter"]:
        """Parameters in the units of their names at positions in the unit box, as draws of a posterior are."""
        columns = np.moveaxis(np.asarray(unit, np.float64), -1, 0)
        smooth = (dataclasses.replace(parameter, levels=None) for parameter in self.parameters)
        return np.stack([p.at(column) for p, column in zip(smooth, columns, strict=True)], axis=-1)

    def log_prior(self, unit: Float[np.ndarray, "*batch parameter"]) -> Float64[np.ndarray, "*batch"]:
        """Logarithm of the prior over that of the box: the Gaussian priors of the parameters, -∞ outside of the box.

        Zero inside where no parameter has a Gaussian prior. Draws of a posterior that was learnt on the box have to be
        weighted by its exponential.
        """
        unit = np.asarray(unit, np.float64)
        ranges = ranges_of(self.parameters)
        scaled = np.asarray(to_scaled(ranges, self.to_theta(unit)))
        found = np.where(((unit >= 0.0) & (unit <= 1.0)).all(axis=-1), 0.0, -np.inf)
        for k, parameter in enumerate(self.parameters):
            if parameter.prior is not None:
                middle = np.array([p.low if p.prior is None else p.prior.mean for p in self.parameters], float)
                mean = np.asarray(to_scaled(ranges, middle))[k]
                found = found - 0.5 * ((scaled[..., k] - mean) / parameter.prior.sigma) ** 2
        return found

    def _shares(self, theta: Float64[np.ndarray, "candidate parameter"]) -> Float64[np.ndarray, "candidate parameter"]:
        return np.stack([p.share(column) for p, column in zip(self.parameters, theta.T, strict=True)], axis=1)


@expects(problem=Problem)
def training_data(path: str | Path, problem: Problem) -> TrainingData:
    """Read what a finished sweep kept as input of a library for simulation-based inference.

    Parameters
    ----------
    path
        File of a sweep of the problem that kept profiles at the measured depths, evenly spread over the ranges:
        `Sobol`, `LatinHypercube` or `Uniform`.
    problem
        The problem. Narrower ranges than those of the sweep leave the candidates within.

    Raises
    ------
    SweepFileError
        The file is none, or kept no profiles at the measured depths.
    ValueError
        The sweep is of another problem, or its data have no noise that can be drawn; see `NoiseModel`.

    Examples
    --------
    >>> npp.sweep(problem, npp.Sobol(2**14), store="sweep.h5", profiles=npp.KeptProfiles())
    >>> data = npp.training_data("sweep.h5", problem)
    >>> good = np.flatnonzero(data.good)
    >>> theta, x = data.unit[good], data.noise.draw(np.random.default_rng(0), data.signal[good])
    >>> data.noise.measured  # the data of which the posterior is asked for
    """
    shared = with_systematic(problem).parameters[len(problem.parameters) :]
    if shared:
        key = shared[0].keys[0]
        raise ValueError(f"the sweep does not vary what the import knows of shared errors; make them parameters: {key}")
    noise, result = NoiseModel(problem), read_sweep(path)
    chosen = within_ranges(result, problem)
    for swept, own in zip(result.parameters, problem.parameters, strict=True):
        if swept.scale != own.scale:
            raise ValueError(f"{own.name}: the sweep has the scale '{swept.scale}', the problem '{own.scale}'")
    signal = np.empty((len(result.theta), len(noise.measured)), np.float32)
    with reading_sweep(path) as reader:
        kept = _kept(reader, problem)
        for block, values in zip(noise.blocks, kept, strict=True):
            signal[:, block.part] = values[:, block.used]
    return TrainingData(problem.parameters, of_problem(result, problem), signal[chosen], noise)


def _kept(reader: Reader, problem: Problem) -> Iterator[Float[np.ndarray, "candidate *block"]]:
    """Signals of all profiles and records, in the order of `Problem.data`."""
    marks = labels(measurement.name for measurement in problem.measurements)
    for data in problem.data:
        label, measurement = marks[data.experiment], problem.measurements[data.experiment]
        if data.record is None:
            name, dims = f"profile_{label}", (f"species_{label}", f"depth_{label}")
            given = f"sensitivity_{label}"  # kept with profiles as the instrument sees them, and with no others
        else:
            quantity = measurement.records[data.record].quantity
            name = given = f"record_{quantity}_{label}"
            dims = (f"point_{quantity}_{label}",)
        if name not in reader or given not in reader:
            raise SweepFileError(
                f"{reader.path}: nothing was kept at the measured points of {data.name}; sweep with `profiles = true` "
                "in [sweep], profiles=npp.KeptProfiles() in Python"
            )
        yield reader.array(name, ("candidate", *dims))
