"""A finished sweep as arrays, and its candidates in order: ranking, best ones apart from each other, accepted ones."""

import dataclasses
import functools
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Float64, Int
from scipy.special import chdtri

from npp_jax.inference import Parameter, Parameters
from npp_jax.inference.parameter import DOMAIN
from npp_jax.physics.checks import POSITIVE, expects
from npp_jax.simulation.status import Status
from npp_jax.store.reading import Reader
from npp_jax.store.stored import observable, reading_sweep
from npp_jax.sweeping import words
from npp_jax.sweeping.profiles import labels

if TYPE_CHECKING:
    import xarray

_POOL = 256
"""Candidates that are looked through for each of the best that are asked for."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class SweepResult:
    """Parameters, χ² and statuses of all candidates of a sweep."""

    title: str
    """Title of the study."""
    parameters: Parameters
    """What varied; from a file of an older version without keys."""
    experiments: tuple[str, ...]
    """Names of the experiments."""
    points: Int[np.ndarray, " experiment"]
    """Measured points with a weight; zero where nothing was measured [1]."""
    censored: Int[np.ndarray, " experiment"]
    """Those of them that only tell that they are below a limit of detection [1]."""
    expected: Float[np.ndarray, "experiment moment"]
    """Mean and variance of χ² with a right model, those points counted as others [1]."""
    theta: Float64[np.ndarray, "candidate parameter"]
    """Parameters, in the units of their names."""
    chi2: Float[np.ndarray, "candidate experiment"]
    """χ² of each profile, NaN where nothing was measured or the simulation failed [1]."""
    status: Int[np.ndarray, "candidate experiment"]
    """`Status` of each simulation."""
    reevaluated_with: Int[np.ndarray, " candidate"]
    """0 where the first evaluation stands, 1 where finer settings replaced it, 2 where the full model did."""
    data: str | None = None
    """Checksum of experiments and profiles that it was made of; None where a file does not tell it."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters, with their units."""
        return tuple(parameter.name for parameter in self.parameters)

    @functools.cached_property
    def worst(self) -> Int[np.ndarray, " candidate"]:
        """Status of each candidate: the worst of its experiments."""
        return self.status.max(axis=1)

    @functools.cached_property
    def total(self) -> Float64[np.ndarray, " candidate"]:
        """χ² of all measured profiles together; infinite for a candidate that failed [1].

        A candidate failed if one of its simulations did not converge, missed its time, or is not finite. One whose
        error estimate or excess charge is over the target is kept, and its status says so.
        """
        measured = self.chi2[:, self.points > 0].astype(np.float64)
        total = measured.sum(axis=1) if measured.size else np.full(len(self.theta), np.inf)
        return np.where((self.worst < Status.NOT_CONVERGED) & np.isfinite(total), total, np.inf)

    @functools.cached_property
    def share(self) -> Float64[np.ndarray, "candidate parameter"]:
        """Position of each candidate in the ranges on their scales, 0 at the lower limit and 1 at the upper."""
        columns = (p.share(values) for p, values in zip(self.parameters, self.theta.T, strict=True))
        return np.stack(list(columns), axis=1)

    def sentence(self) -> str:
        """What was found, and how sure it is."""
        return words.sentence(self, len(accepted(self)), threshold(self))

    def summary(self) -> str:
        """How the candidates ended, and the best of them in a table."""
        return words.table(self).text()

    def to_xarray(self) -> "xarray.Dataset":
        """Parameters, χ² and statuses with named axes (candidate, experiment).

        Needs xarray, of the extra `xarray`.
        """
        return words.dataset(self)

    def _repr_html_(self) -> str:
        return words.table(self).html(self.sentence())

    def __repr__(self) -> str:
        return words.line(self)


def read_sweep(path: str | Path) -> SweepResult:
    """Read the file of a finished sweep; what is not needed to rank candidates stays on the disk.

    Raises
    ------
    SweepFileError
        The file is none, or not what was written, in one line.
    """
    with reading_sweep(path) as reader:
        given = np.asarray(reader.attribute("parameters"))
        if given.ndim != 1 or not given.size or given.dtype.kind not in "OUS":
            raise reader.fault("'parameters' is missing, or holds no names")
        names = [str(name) for name in given]
        # In whole numbers first: what the file says of the axes is checked as it is read.
        status = np.asarray(observable(reader, "status", ("experiment",), kinds="iu"))
        if status.size and not 0 <= status.min() <= status.max() < len(Status):
            raise reader.fault("'status' holds numbers of no outcome")
        data = reader.attribute("measurements_sha256")
        parameters = tuple(_parameter(reader, name) for name in names)
        experiments = reader.names("experiment", ("experiment",))
        return SweepResult(
            title=reader.text("study"),
            parameters=parameters,
            experiments=experiments,
            points=reader.array("points", ("experiment",), kinds="iu"),
            censored=np.array([_censored(reader, label) for label in labels(experiments)]),
            expected=_expected(reader),
            theta=np.stack([_values(reader, parameter) for parameter in parameters], axis=1),
            chi2=np.asarray(observable(reader, "chi2", ("experiment",))),
            status=status,
            reevaluated_with=np.asarray(observable(reader, "reevaluated_with", kinds="iu")),
            data=data if isinstance(data, str) else None,
        )


@expects(result=SweepResult)
def rank(result: SweepResult) -> Int[np.ndarray, " candidate"]:
    """All candidates by increasing χ², those that failed last; equal ones in their order."""
    return np.argsort(result.total, kind="stable")


@expects(result=SweepResult, k=POSITIVE)
def best(result: SweepResult, k: int, *, apart: float = 0.1) -> Int[np.ndarray, " chosen"]:
    """Candidates of lowest χ² that differ enough to start a fit from each.

    The next candidate is the best one that is apart from all that were chosen before.

    Parameters
    ----------
    result
        A sweep.
    k
        Number of candidates, 1 or more; fewer come back if fewer among the best 256 k are apart.
    apart
        Two candidates are apart if at least one parameter differs by this share of its range, on its scale; 0 takes
        the first of the ranking.

    Returns
    -------
    Indices by increasing χ²; empty if all candidates failed.
    """
    order = rank(result)[: k if apart <= 0.0 else _POOL * k]
    order = order[np.isfinite(result.total[order])]
    if apart <= 0.0:
        return order
    places, free, chosen = result.share[order], np.ones(len(order), bool), []
    while len(chosen) < k and free.any():
        first = int(np.argmax(free))
        chosen.append(first)
        free &= np.abs(places - places[first]).max(axis=1) >= apart
        free[first] = False
    return order[np.asarray(chosen, np.intp)]


def threshold(result: SweepResult, level: float = 0.95) -> float:
    """Δχ² below which the stated share of the probability lies, if all parameters are free and errors are Gaussian.

    Press et al., Numerical Recipes, 3rd ed. (2007), §15.6.5: the quantile of χ² with as many degrees of freedom as
    there are parameters.
    """
    return float(chdtri(len(result.parameters), 1.0 - level))


@expects(result=SweepResult)
def accepted(result: SweepResult, *, level: float = 0.95, least: int = 0) -> Int[np.ndarray, " chosen"]:
    """Candidates whose χ² is above the lowest by no more than the `threshold` of a level, by increasing χ².

    Parameters
    ----------
    result
        A sweep.
    level
        Share of the probability, between 0 and 1.
    least
        So many are taken even if fewer are within the threshold, as in a sweep that is sparse against the width of the
        minimum: they show where the valley is, not how wide.
    """
    order = rank(result)
    total = result.total[order]
    within = int(np.searchsorted(total, total[0] + threshold(result, level), side="right")) if len(total) else 0
    return order[: min(max(within, least), int(np.isfinite(total).sum()))]


@expects(result=SweepResult)
def weights(result: SweepResult) -> Float64[np.ndarray, " candidate"]:
    """Likelihood exp(-χ²/2) of each candidate, so that all add up to one; zero for those that failed [1].

    For a design that is spread evenly they weight the posterior of a prior that is flat on the scales of the axes.
    1/Σw² is the number of candidates that count: far below a hundred, the sweep is too sparse for averages.
    """
    lowest = result.total.min()
    if not np.isfinite(lowest):
        return np.zeros(len(result.total))
    likelihood = np.exp(-0.5 * (result.total - lowest))
    return likelihood / likelihood.sum()


def _censored(reader: Reader, label: str) -> int:
    if f"below_{label}" not in reader:
        return 0
    axes = (f"species_{label}", f"depth_{label}")
    below, weight = (reader.array(f"{name}_{label}", axes, finite=True) for name in ("below", "weight"))
    return int(np.sum((below > 0.0) & (weight > 0.0)))


def _expected(reader: Reader) -> Float[np.ndarray, "experiment moment"]:
    if "expected_chi2" in reader:
        return reader.array("expected_chi2", ("experiment", "moment"), finite=True)
    # A file of an older version has what holds for normal noise.
    points = np.asarray(reader.array("points", ("experiment",), kinds="iu"), float)
    return np.stack([points, 2.0 * points], axis=1)


def _parameter(reader: Reader, name: str) -> Parameter:
    own = reader.dataset(name, ("candidate",), kinds="fiu")
    low, high = (reader.number(reader.attribute(end, of=own), f"{name}: {end}") for end in ("low", "high"))
    scale, found = reader.attribute("scale", of=own), reader.attribute("keys", of=own)
    # Files of older versions hold none.
    keys = np.atleast_1d(found) if isinstance(found, np.ndarray) and found.dtype.kind in "OU" else ()
    if scale not in ("linear", "log", "logit"):
        raise reader.fault(f"'{name}: scale' is none of linear, log and logit")
    try:
        return Parameter(name, tuple(str(key) for key in keys), low, high, scale)
    except ValueError as error:
        raise reader.fault(str(error)) from None


def _values(reader: Reader, parameter: Parameter) -> Float64[np.ndarray, " candidate"]:
    """Values of a parameter, which its scale must have."""
    values = reader.array(parameter.name, ("candidate",), kinds="fiu", finite=True).astype(np.float64)
    lowest, highest = DOMAIN[parameter.scale]
    outside = ~((values > lowest) & (values < highest))
    if outside.any():
        k = int(np.argmax(outside))
        raise reader.fault(f"'{parameter.name}' [{k}] = {values[k]:.6g} is not possible on a {parameter.scale} scale")
    return values
