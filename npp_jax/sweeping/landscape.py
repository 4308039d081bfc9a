"""Where in the box of parameters χ² is low, and where simulations end in which status: numbers of the figures.

Each axis is cut into bins of equal length on its scale.
"""

from typing import Literal

import numpy as np
from jaxtyping import Float64, Int

from npp_jax.simulation.status import Status
from npp_jax.sweeping.ranking import SweepResult

# A curve takes more, since the lowest of a few says little of what the other parameters allow; of a small sweep it has
# the bins of the maps beside it.
_PER_BIN = {1: 32, 2: 8}
_MOST_BINS = 48


def bins(result: SweepResult, parameter: int, dimensions: Literal[1, 2]) -> int:
    """Number of bins of an axis: so many that some candidates fall into each of a map, no more than there are values.

    Parameters
    ----------
    result
        A sweep.
    parameter
        Index of the axis.
    dimensions
        1 for a curve, 2 for a map.
    """
    enough = int(max((len(result.theta) / _PER_BIN[n]) ** (1.0 / n) for n in (1, 2) if n >= dimensions))
    return max(1, min(enough, _MOST_BINS, len(np.unique(result.theta[:, parameter]))))


def edges(result: SweepResult, parameter: int, count: int) -> Float64[np.ndarray, " edge"]:
    """Limits of the bins, in the unit of the parameter; one more than there are bins."""
    return result.parameters[parameter].at(np.linspace(0.0, 1.0, count + 1))


def lowest_along(result: SweepResult, parameter: int, count: int) -> Float64[np.ndarray, " bin"]:
    """Lowest χ² in each bin of an axis, whatever the other parameters; NaN where no candidate is or all failed [1]."""
    return _lowest(result, _bin(result, parameter, count), count)


def lowest_over(result: SweepResult, x: int, y: int, shape: tuple[int, int]) -> Float64[np.ndarray, "x y"]:
    """Lowest χ² in each bin of two axes, whatever the other parameters; NaN where no candidate is or all failed [1].

    Parameters
    ----------
    result
        A sweep.
    x, y
        Indices of the axes.
    shape
        Number of bins along each.
    """
    place = _bin(result, x, shape[0]) * shape[1] + _bin(result, y, shape[1])
    return _lowest(result, place, shape[0] * shape[1]).reshape(shape)


def status_shares(result: SweepResult, parameter: int, count: int) -> Float64[np.ndarray, "status bin"]:
    """Share of the candidates in each bin of an axis that ended in each `Status`; NaN where no candidate is [1]."""
    place = _bin(result, parameter, count)
    found = np.zeros((len(Status), count))
    np.add.at(found, (result.worst, place), 1.0)
    total = found.sum(axis=0)
    return found / np.where(total > 0.0, total, np.nan)


def telling_pair(result: SweepResult) -> tuple[int, int]:
    """The two parameters in which candidates that ended well and those that did not differ most, in their order."""
    bad = result.worst != Status.DONE
    if bad.all() or not bad.any():
        return 0, min(1, len(result.parameters) - 1)
    apart = np.abs(result.share[bad].mean(axis=0) - result.share[~bad].mean(axis=0))
    x, y = sorted(np.argsort(-apart, kind="stable")[:2]) if len(apart) > 1 else (0, 0)
    return int(x), int(y)


def _bin(result: SweepResult, parameter: int, count: int) -> Int[np.ndarray, " candidate"]:
    # Candidates of a table may lie beyond the limits: they count at the edge.
    return np.clip((result.share[:, parameter] * count).astype(np.int64), 0, count - 1)


def _lowest(result: SweepResult, place: Int[np.ndarray, " candidate"], count: int) -> Float64[np.ndarray, " bin"]:
    lowest = np.full(count, np.inf)
    np.minimum.at(lowest, place, result.total)
    return np.where(np.isfinite(lowest), lowest, np.nan)
