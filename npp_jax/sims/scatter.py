"""Does a signal scatter as counted ions do? The numbers of a file tell whether they are counts at all."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import chdtr, chdtrc, chdtri

WINDOW = 10
"""Points of a window, within which a signal is taken to be a parabola."""
_FEWEST = 30.0
"""Counts of a window below which its scatter says little."""
_FEWEST_POINTS = 8
_FEWEST_CALM = 16
_ALIKE = 0.7
"""Squares of the steps between deviations over twice their squares below which neighbours deviate together; it is
about one where points are independent."""
_SURE = 1e-6
"""Probability of the scatter, were it that of counting, below which it is none."""
_ROUNDS = 4
"""Rounds in which a dispersion and the points with enough counts are found of each other."""
_FEWEST_WINDOWS = 5
"""Windows with counts that tell a dispersion where third differences do not."""
_CLEARLY = 1e-3
"""Probability of the scatter of third differences, were it that of windows, below which these hold layers."""
SPAN = (0.5, 2.0)
"""χ² per degree of freedom within which counting is the law of the noise; good files have 0.8 to 1.1."""


class Scatter(NamedTuple):
    """Variance of a signal about a smooth curve over that of counting."""

    factor: float
    """χ² per degree of freedom; one where ions were counted [1]."""
    probability: float
    """Probability of a factor at least that far from one on its side, were ions counted."""
    smooth: bool = False
    """Whether neighbouring points deviate together, as after smoothing."""

    @property
    def odd(self) -> bool:
        """Whether the scatter is clearly not that of counting."""
        return bool(self.probability < _SURE)

    @property
    def counting(self) -> bool:
        """Whether counting may be taken for the law of the noise."""
        return not self.odd or bool(SPAN[0] <= self.factor <= SPAN[1])


def scatter_of(
    ions: Float[np.ndarray, "point"],
    dispersion: Float[np.ndarray, "point"],
    bulk: Bool[np.ndarray, "point"],
    relative: float = 0.0,
) -> Scatter | None:
    """Compare the scatter of a signal with that of counting.

    Windows of the bulk, where the signal is smooth, and of the whole profile are asked. Layers and fronts within a
    window add to its scatter and nothing takes of it: it is too small where the median of either says so, and too large
    where the median of the bulk and the calmest quarters of windows and of points agree.

    Parameters
    ----------
    ions
        Signal in ions a point.
    dispersion
        Variance over mean of each point, if ions were counted.
    bulk
        Points of the bulk.
    relative
        Relative standard deviation of a point beside counting.

    Returns
    -------
    None where there are too few counts to tell.
    """
    inside = _windows(ions[bulk], dispersion[bulk], relative)
    whole = _windows(ions, dispersion, relative)
    medians = [found for found in (_scatter(inside, 0.5), _scatter(whole, 0.5)) if found is not None]
    if not medians:
        return None
    under = min(medians, key=_factor)
    if under.factor < 1.0 and under.odd:
        return under._replace(smooth=_smooth(ions))
    calm = _calm(ions, dispersion, relative)
    if calm is None:
        # A thin layer: its shape cannot be told from scatter.
        return None if medians[0].factor > 1.0 else medians[0]
    least = min([medians[0], calm, _scatter(whole, 0.25) or calm], key=_factor)
    return least if least.counting else Scatter(medians[0].factor, least.probability)


def dispersion_of(ions: Float[np.ndarray, "point"]) -> float | None:
    """Variance over mean of a signal of ions that were counted, it is not known for how long.

    The median of the windows, or, where layers and fronts are in most of them, that of third differences or of the
    calmest quarter of the windows. It goes with the unit of the signal. What tests a signal against counting,
    `scatter_of`, takes the least of several numbers, which is too small for a measure of the noise.

    Parameters
    ----------
    ions
        Signal, in any unit.

    Returns
    -------
    In the unit of the signal; None where there are too few counts to tell, or no scatter.
    """
    ones, rounding = np.ones(len(ions)), 1e-12 * float(np.max(ions))
    calmest = 1e6 * rounding
    for _ in range(_ROUNDS):
        found = _scatter(_windows(ions / calmest, ones, 0.0), 0.25) if calmest > rounding else None
        if found is None:
            return None
        calmest *= found.factor
    windows = _windows(ions / calmest, ones, 0.0) if calmest > rounding else []
    found = _scatter(windows, 0.5)
    if found is None:
        return None
    typical = calmest * found.factor
    calm = _calm(ions / typical, ones, 0.0)
    if calm is None and len(windows) < _FEWEST_WINDOWS:
        return None  # A thin layer: its shape cannot be told from scatter.
    if calm is not None and _less(calm):
        return typical * calm.factor if typical * calm.factor > rounding else None
    quarter = _scatter(_windows(ions / typical, ones, 0.0), 0.25)
    return typical if quarter is None or not _less(quarter) else calmest


def _less(scatter: Scatter) -> bool:
    """Whether the calmest parts of a signal scatter clearly less than what is typical of it."""
    return scatter.factor < 1.0 and scatter.probability < _CLEARLY


def _factor(scatter: Scatter) -> float:
    return scatter.factor


def _smooth(ions: np.ndarray) -> bool:
    """Whether neighbours deviate together from straight lines through windows that are longer than usual smoothing."""
    ratios = []
    for values in np.array_split(ions, max(len(ions) // (2 * WINDOW), 1)):
        basis = np.linalg.qr(np.vander(np.linspace(-1.0, 1.0, len(values)), 2))[0]
        deviation = values - basis @ (basis.T @ values)
        square = float(np.sum(deviation**2))
        if square > 0.0:
            ratios.append(float(np.sum(np.diff(deviation) ** 2)) / (2.0 * square))
    return bool(ratios) and bool(np.median(ratios) < _ALIKE)


def _windows(ions: np.ndarray, dispersion: np.ndarray, relative: float) -> list[tuple[float, int]]:
    """χ² per degree of freedom about a parabola and degrees of freedom, for each window with enough counts."""
    found = []
    if len(ions) < _FEWEST_POINTS:
        return found
    for part in np.array_split(np.arange(len(ions)), max(len(ions) // WINDOW, 1)):
        values, spread = ions[part], dispersion[part]
        if np.sum(values / spread) < _FEWEST:
            continue
        basis = np.linalg.qr(np.vander(np.linspace(-1.0, 1.0, len(part)), 3))[0]
        smooth = np.maximum(basis @ (basis.T @ values), 0.0)
        variance = spread * smooth + (relative * smooth) ** 2
        # What the fit takes of the variance of each point is its leverage.
        expected = np.sum(variance * (1.0 - np.sum(basis**2, axis=1)))
        found.append((float(np.sum((values - basis @ (basis.T @ values)) ** 2) / expected), len(part) - 3))
    return found


def _scatter(windows: list[tuple[float, int]], level: float) -> Scatter | None:
    """Factor at a quantile of the windows, and how probable it is by counting alone."""
    if not windows:
        return None
    ratios, freedom = np.array(windows).T
    each = float(np.median(freedom))
    typical = float(chdtri(each, 1.0 - level)) / each if len(ratios) > 2 else 1.0
    factor = float(np.quantile(ratios, level) if len(ratios) > 2 else np.mean(ratios)) / typical
    # A median of windows knows the variance about as well as 0.6 of the points.
    known = 0.6 * float(np.sum(freedom))
    side = chdtr if factor < 1.0 else chdtrc
    return Scatter(factor, float(side(known, factor * known)))


def _calm(ions: np.ndarray, dispersion: np.ndarray, relative: float) -> Scatter | None:
    """Factor at the lower quartile of third differences, which layers of few points leave alone."""
    level = np.maximum(np.convolve(ions, np.full(4, 0.25), "valid"), 0.0)
    variance = level * np.convolve(dispersion, np.full(4, 0.25), "valid") + (relative * level) ** 2
    enough = level >= _FEWEST / 4.0
    number = int(np.sum(enough))
    if number < _FEWEST_CALM:
        return None
    square = np.diff(ions, 3)[enough] ** 2 / (20.0 * variance[enough])
    factor = float(np.quantile(square, 0.25)) / float(chdtri(1.0, 0.75))
    known = 0.2 * number
    side = chdtr if factor < 1.0 else chdtrc
    return Scatter(factor, float(side(known, factor * known)))


def causes(scatter: Scatter, mean: float, dwell: float | None) -> str:
    """What may make a signal scatter more or less than counting does, in words.

    Parameters
    ----------
    scatter
        What was found.
    mean
        Mean ions of a point.
    dwell
        Counting time by which a rate was made counts. [s]
    """
    why = []
    if dwell is not None:
        why.append(f"a counting time of {dwell / max(scatter.factor, 1e-300):.3g} s instead of {dwell:.3g} s")
    if scatter.factor > 1.0:
        relative = np.sqrt((scatter.factor - 1.0) / max(mean, 1.0))
        if relative < 0.3:
            why.append(f"a beam or detector that fluctuates by {relative:.2g} (then give --sigma-relative)")
        why.append("numbers that are no counts")
    elif scatter.smooth:
        why = ["smoothing (neighbours deviate together)", "interpolation"]
    else:
        why += ["dead time or saturation", "numbers that are no counts (rates, sums, rounded)"]
    return ", ".join(why[:-1]) + " or " + why[-1]


def ceiling(
    ions: Float[np.ndarray, "point"], dispersion: Float[np.ndarray, "point"]
) -> Bool[np.ndarray, "point"] | None:
    """Points at which a counter stood at its ceiling: many alike at the very top, where counting would scatter them.

    Parameters
    ----------
    ions
        Signal in ions a point.
    dispersion
        Variance over mean of each point, if ions were counted.

    Returns
    -------
    None where there is no such ceiling.
    """
    top = float(np.max(ions))
    alike = ions >= top * (1.0 - 1e-9)
    number = int(np.sum(alike))
    if number < 5 or top < 20.0:
        return None
    width = np.sqrt(top * float(dispersion[np.argmax(ions)]))
    near = int(np.sum(ions > top - width)) - number
    # As many as that would share one count by chance.
    return alike if number > 5.0 * max(near / width, 0.2) else None
