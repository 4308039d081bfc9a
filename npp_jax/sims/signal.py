"""Signals as counted ions with their variance, kept through interpolation."""

import dataclasses

import numpy as np
from jaxtyping import Float

from npp_jax.sims.raw import Channel

SATURATED = 3.0
"""Ions a pulse above which a counter of one ion a pulse says next to nothing."""


@dataclasses.dataclass(frozen=True, eq=False)
class Signal:
    """Ions at each point: the estimate `ions` stands for `ions / dispersion` independent counts."""

    ions: Float[np.ndarray, "point"]
    """Ions, corrected for the dead time; in the unit of the file where they were not counted."""
    dispersion: Float[np.ndarray, "point"]
    """Variance over mean: one for counted ions, more near saturation, less between points; NaN if not counted."""
    scatter: Float[np.ndarray, "point"] | None = None
    """Standard deviation of each point where the dispersion is not known, in the unit of `ions`."""
    trusted: bool = True
    """Whether the dispersion is that of counting, and not one that was found from the scatter."""

    @property
    def counted(self) -> bool:
        """Whether the signal has counting statistics."""
        return self.trusted and self._dispersed

    @property
    def _dispersed(self) -> bool:
        return bool(np.all(np.isfinite(self.dispersion)))

    @property
    def counts(self) -> Float[np.ndarray, "point"]:
        """Counts of the Poisson distribution that has the relative uncertainty of each point; NaN if not counted."""
        return self.ions / self.dispersion if self.counted else np.full_like(self.ions, np.nan)

    @property
    def variance(self) -> Float[np.ndarray, "point"]:
        """Unbiased estimate of the variance, for sums over many points: zero where nothing was counted."""
        if self._dispersed:
            return self.dispersion * self.ions
        assert self.scatter is not None
        return self.scatter**2

    @property
    def sigma(self) -> Float[np.ndarray, "point"]:
        """Standard deviation of a single point.

        That of the mean of a Poisson distribution of which n counts were seen, all means being alike likely before:
        √(n + 1), which holds for no count too.
        """
        return np.sqrt(self.dispersion * (self.ions + self.dispersion) if self._dispersed else self.variance)


def counted_signal(channel: Channel, dwell: float | None = None, as_counts: bool = False) -> Signal:
    """Ions of a channel and their dispersion.

    A counter that takes one ion a pulse, read in N pulses and corrected to I, has the binomial variance
    N (exp(I/N) − 1), that is dispersion (N/I)(exp(I/N) − 1).

    Parameters
    ----------
    channel
        Signals, finite and not negative.
    dwell
        Counting time of a point, of rates; it goes before what the file tells. [s]
    as_counts
        Whether a signal of unknown unit is one of counted ions.
    """
    per_count = channel.per_count
    if dwell and channel.kind == "rate":
        # A file may hold the yield of the detector beside its counting time.
        per_count = per_count * channel.dwell / dwell if per_count and channel.dwell else 1.0 / dwell
    if per_count is None and as_counts and channel.kind in {"counts", "other"}:
        per_count = 1.0
    if per_count is None:
        return Signal(channel.values, np.full_like(channel.values, np.nan), noise(channel.values))
    ions = channel.values / per_count
    if channel.pulses is None:
        return Signal(ions, np.ones_like(ions))
    load = np.clip(ions / channel.pulses, 1e-12, 50.0)
    return Signal(ions, np.expm1(load) / load)


def noise(values: Float[np.ndarray, "point"]) -> Float[np.ndarray, "point"]:
    """Standard deviation of each point about a smooth curve, from the medians of second differences.

    Where a signal of more than a quarter of the largest scatters more than what is below, as counted ions do, whatever
    the numbers were divided by, the variance grows with the signal: one number for both would be that of the larger
    group, and wrong in the other by the root of the ratio of the signals. Else it is the same everywhere.
    """
    level = _level(values)
    steps = np.diff(np.unique(values))
    rounding = float(steps.min()) / np.sqrt(12.0) if steps.size else 0.0
    everywhere = np.full(len(values), max(_deviation(values, np.full(len(values), True))[0], rounding))
    high = level > _HIGH * np.max(level)
    (below, few), (above, many) = _deviation(values, ~high), _deviation(values, high)
    low_end, high_end = (float(np.median(level[part])) if np.any(part) else 0.0 for part in (~high, high))
    below = max(below, rounding)
    if min(few, many) < _FEWEST or above < _GROWS * below:
        return everywhere
    growth = (above**2 - below**2) / (high_end - low_end)
    return np.sqrt(np.maximum(below**2 + growth * (level - low_end), below**2))


_HIGH = 0.25
"""Share of the largest signal from which on it is high."""
_FEWEST = 8
"""Second differences that tell the scatter of a group of points."""
_GROWS = 2.0
"""Times that the high points scatter more than the low ones; less is told from chance with many points only."""


def _level(values: np.ndarray) -> np.ndarray:
    """Means of five neighbours, fewer at the ends: a point that is low by chance has no smaller error."""
    window = np.ones(min(5, len(values)))
    return np.convolve(values, window, "same") / np.convolve(np.ones(len(values)), window, "same")


def _deviation(values: np.ndarray, part: np.ndarray) -> tuple[float, int]:
    """Standard deviation of the points of a part from the second differences about them, and how many these are.

    The median leaves out edges, where they are large: an edge that holds a seventh of the points adds a quarter. Runs
    of zeros, in which a file holds what was below its last digit, tell nothing of the scatter.
    """
    second = values[2:] - 2.0 * values[1:-1] + values[:-2]
    told = part[1:-1] & ((values[2:] != 0.0) | (values[1:-1] != 0.0) | (values[:-2] != 0.0))
    number = int(np.sum(told))
    return (float(np.median(np.abs(second[told]))) / (0.674489750196 * np.sqrt(6.0)) if number else 0.0), number


def interpolated(signal: Signal, axis: Float[np.ndarray, "point"], target: Float[np.ndarray, "target"]) -> Signal:
    """The signal between its points, linearly; the variance of a point is that of the mean of its neighbours.

    Parameters
    ----------
    signal
        Signal on `axis`.
    axis
        Increasing axis.
    target
        Axis within the range of `axis`.
    """
    if len(axis) == len(target) and np.array_equal(axis, target):
        return signal
    right = np.clip(np.searchsorted(axis, target), 1, len(axis) - 1)
    share = (target - axis[right - 1]) / (axis[right] - axis[right - 1])
    ions = (1.0 - share) * signal.ions[right - 1] + share * signal.ions[right]
    if not np.all(np.isfinite(signal.dispersion)):
        assert signal.scatter is not None
        return Signal(ions, np.full_like(ions, np.nan), np.interp(target, axis, signal.scatter))
    weights = (1.0 - share) ** 2, share**2
    spread = signal.dispersion
    variance = weights[0] * signal.variance[right - 1] + weights[1] * signal.variance[right]
    empty = weights[0] * spread[right - 1] + weights[1] * spread[right]
    spread = np.where(ions > 0.0, variance / np.where(ions > 0.0, ions, 1.0), empty)
    return dataclasses.replace(signal, ions=ions, dispersion=spread)
