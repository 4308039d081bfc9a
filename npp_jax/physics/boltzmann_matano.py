"""D(c) of a diffusion couple from one profile, without a simulation: Boltzmann–Matano as Sauer and Freise write it.

With the molar volume constant and Y = (c - c₁)/(c₂ - c₁), c₁ and c₂ the compositions of the two ends,

    D(Y) = [(1 - Y) ∫_{-∞}^x Y dx + Y ∫_x^∞ (1 - Y) dx] / (2 t ∂Y/∂x),

which needs no plane of Matano: F. Sauer and V. Freise, Z. Elektrochem. 66 (1962) 353. It holds for a couple whose ends
are still as they were, from a sharp step at the start. Slopes of noisy data are those of parabolas through their
neighbours of the same phase: where the composition jumps from one point to the next, nothing is smoothed.
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import ArrayLike, Float, Int

from npp_jax.physics.checks import FINITE, POSITIVE, expects, optional

_ENDS = 3
"""Points at each end whose median is its composition."""

_JUMP = (0.03, 5.0)
"""A jump is larger than this share of the whole rise, and than so many times the steps on either side of it."""

_NOISE = 4.0
"""How many standard deviations of the difference of two points a jump is beyond its steps nearby, too."""

_NEARBY = 3
"""Steps on either side of a jump that tell what the profile rises there without it."""

_FEW = 6
"""Points below which the scatter of a phase is not told on its own."""

_FLAT = 1e-3
"""Least distance of Y from its ends at which D is told: below, the slope is noise."""


class Interdiffusion(NamedTuple):
    """Mutual diffusion coefficient of a couple, point by point of its profile."""

    depth: Float[np.ndarray, " point"]
    """Depths of the points [m]."""
    fraction: Float[np.ndarray, " point"]
    """Smoothed fractions [1]."""
    D: Float[np.ndarray, " point"]
    """D at these fractions; NaN where the profile is flat [m²/s]."""
    matano: float
    """Depth of the plane of Matano, through which as much has gone one way as the other [m]."""
    ends: tuple[float, float]
    """Fractions of the two ends [1]."""
    scatter: float
    """Standard deviation of the data about the smoothed fractions [1]."""
    phase: Int[np.ndarray, " point"]
    """Number of the phase of each point, from 0: it grows where the fraction jumps."""
    sigma: Float[np.ndarray, " phase"]
    """Standard deviation of the data of each phase, from each point and the line between its neighbours [1]."""


@expects(depth=FINITE, fraction=FINITE, time=POSITIVE, smoothing=optional(POSITIVE), ends=optional(FINITE))
def boltzmann_matano(
    depth: Float[ArrayLike, " point"],
    fraction: Float[ArrayLike, " point"],
    time: float,
    *,
    smoothing: float | None = None,
    ends: tuple[float, float] | None = None,
    gaps: Sequence[tuple[float, float]] = (),
) -> Interdiffusion:
    """D(c) of a diffusion couple from its profile.

    Parameters
    ----------
    depth
        Depths, increasing. [m]
    fraction
        Fractions of one component; those of the ends are flat.
    time
        Time of the anneal. [s]
    smoothing
        Standard deviation of the weights of the neighbours of a point; two of their median distances if not given. [m]
    ends
        Fractions of the two ends, that at the first depth first; medians of the outermost points if not given.
    gaps
        Fractions between which no phase lives, a pair for each boundary of two phases [1]; jumps from one point to the
        next if none are given.

    Raises
    ------
    ValueError
        Too few points, depths that do not increase, ends that are equal, a time that is not positive, a gap that the
        profile does not cross, gaps that overlap.
    """
    x, c = np.asarray(depth, float), np.asarray(fraction, float)
    if x.ndim != 1 or x.shape != c.shape or len(x) < 2 * _ENDS + 2:
        raise ValueError(f"a couple needs at least {2 * _ENDS + 2} depths and as many fractions")
    if not (np.all(np.isfinite(x)) and np.all(np.isfinite(c))) or np.any(np.diff(x) <= 0.0):
        raise ValueError("depths and fractions must be finite, and depths must increase")
    if not time > 0.0:
        raise ValueError(f"the time of the anneal must be positive, got {time:g} s")
    first, last = (float(np.median(c[:_ENDS])), float(np.median(c[-_ENDS:]))) if ends is None else ends
    if first == last:
        raise ValueError(f"both ends have the fraction {first:g}: nothing has diffused")
    width = 2.0 * float(np.median(np.diff(x))) if smoothing is None else smoothing
    phase = phases_of(x, (c - first) / (last - first)) if not gaps else _apart(c, gaps)
    value, slope = _parabolas(x, (c - first) / (last - first), width, phase)
    steps = np.diff(x)
    before = np.concatenate([[0.0], np.cumsum(0.5 * steps * (value[1:] + value[:-1]))])
    missing = np.concatenate([[0.0], np.cumsum(0.5 * steps * (2.0 - value[1:] - value[:-1]))])
    behind = missing[-1] - missing
    known = (value > _FLAT) & (value < 1.0 - _FLAT) & (slope > 0.0)
    moved = (1.0 - value) * before + value * behind
    D = np.where(known & (moved > 0.0), moved / (2.0 * time * np.where(known, slope, 1.0)), np.nan)
    smooth = first + (last - first) * value
    scatter = 1.4826 * float(np.median(np.abs(c - smooth)))
    sigma = _scatters(x, c, phase, scatter)
    return Interdiffusion(x, smooth, D, float(x[-1] - before[-1]), (first, last), scatter, phase, sigma)


def _scatters(x: np.ndarray, c: np.ndarray, phase: np.ndarray, otherwise: float) -> np.ndarray:
    """Standard deviation of each phase, free of its smooth course; that of all points where a phase has few."""
    found = np.full(phase[-1] + 1, otherwise)
    for k in range(len(found)):
        at, y = x[phase == k], c[phase == k]
        if len(y) < _FEW:
            continue
        found[k] = np.sqrt(np.mean(_off_line(at, y) ** 2))
    return found


def _off_line(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """How far each inner point lies from the line through its neighbours, over the errors of all three."""
    share = (x[1:-1] - x[:-2]) / (x[2:] - x[:-2])
    away = y[1:-1] - (1.0 - share) * y[:-2] - share * y[2:]
    return away / np.sqrt(1.0 + share**2 + (1.0 - share) ** 2)


def _parabolas(x: np.ndarray, y: np.ndarray, width: float, phase: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values and slopes of the parabolas through the neighbours of each point, with Gaussian weights."""
    values, slopes = np.empty_like(y), np.empty_like(y)
    for k, place in enumerate(x):
        own = phase == phase[k]
        away = (x[own] - place) / width
        # At least five points, however far apart they are.
        reach = max(1.0, float(np.sort(np.abs(away))[min(4, len(away) - 1)]) / 2.0)
        weight = np.exp(-0.25 * (away / reach) ** 2)
        powers = min(3, len(away))
        design = np.vander(away, powers, increasing=True) * weight[:, None]
        found, *_ = np.linalg.lstsq(design, y[own] * weight, rcond=None)
        values[k], slopes[k] = found[0], (found[1] / width if powers > 1 else np.nan)
    return values, slopes


def _slope_nearby(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Slope at each step: the median of those on both sides of it, without its own."""
    padded = np.pad(np.diff(y) / np.diff(x), _NEARBY, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * _NEARBY + 1)
    return np.nanmedian(np.delete(windows, _NEARBY, axis=1), axis=1)


def _apart(c: np.ndarray, gaps: Sequence[tuple[float, float]]) -> np.ndarray:
    """Number of the phase of each point, from the fractions that no phase has."""
    for (low, high), (start, end) in itertools.pairwise(sorted(gaps)):
        if start < high:
            raise ValueError(f"gap {low:g} to {high:g} overlaps that of {start:g} to {end:g}")
    phase = np.zeros(len(c), int)
    rising = np.median(c[-_ENDS:]) > np.median(c[:_ENDS])
    for low, high in gaps:
        before = int(np.sum((c < 0.5 * (low + high)) == rising))
        if not low < high or before in (0, len(c)):
            raise ValueError(f"gap {low:g} to {high:g}: the profile has no points on both sides of it")
        phase[before:] += 1
    if phase[-1] > len(np.unique(phase)) - 1:
        raise ValueError("gaps: there are no points between two of them")
    return phase


def phases_of(x: Float[np.ndarray, " point"], y: Float[np.ndarray, " point"]) -> Int[np.ndarray, " point"]:
    """Number of the phase of each point: it grows where the composition jumps.

    Parameters
    ----------
    x
        Depths, increasing. [m]
    y
        Composition, as a share of that from one end to the other. [1]
    """
    off = np.abs(_off_line(x, y))
    # Most points of a couple lie in its flat ends or where it is smooth.
    noise = 1.4826 * float(np.median(off))
    step = np.abs(np.diff(y))
    padded = np.concatenate([[0.0], step, [0.0]])
    beside = np.maximum(padded[:-2], padded[2:])
    sudden = np.abs(np.diff(y) - _slope_nearby(x, y) * np.diff(x)) > _NOISE * np.sqrt(2.0) * noise
    jumps = (step > _JUMP[0]) & (step > _JUMP[1] * beside) & sudden
    return np.concatenate([[0], np.cumsum(jumps)])
