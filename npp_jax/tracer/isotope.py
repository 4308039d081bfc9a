"""Isotope fractions from two count channels, along lines and in maps.

C = I₆/(I₆ + I₇) (Hasegawa et al., J. Mater. Chem. A 12 (2024) 731, eqn 1). Counts are added before a fraction is
formed: the mean of the fractions of few counts each weighs the poor ones as much as the good ones.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Real

from npp_jax.physics.checks import FINITE, NOT_NEGATIVE, POSITIVE, expects
from npp_jax.physics.leaf import as_leaf


class IsotopeFraction(NamedTuple):
    """Isotope fraction, and what it is worth."""

    value: Float[Array, "*shape"]
    """C = I₆/(I₆ + I₇) [1]."""
    error: Float[Array, "*shape"]
    """Standard error from counting statistics [1]."""


class LineScan(NamedTuple):
    """Isotope fraction along a line, and the counts behind it."""

    position: Float[Array, " point"]
    """Mean positions of the pixels of each interval, from the start of the line [m]."""
    fraction: IsotopeFraction
    """Fraction in each interval."""
    counts: Float[Array, " point"]
    """Counts of both channels in each interval [1]."""


@expects(counts_6=NOT_NEGATIVE, counts_7=NOT_NEGATIVE, mass_bias=POSITIVE)
def isotope_fraction(
    counts_6: Real[ArrayLike, "*#shape"],
    counts_7: Real[ArrayLike, "*#shape"],
    *,
    background: tuple[Real[ArrayLike, "*#shape"], Real[ArrayLike, "*#shape"]] = (0.0, 0.0),
    mass_bias: Float[ArrayLike, "*#shape"] = 1.0,
) -> IsotopeFraction:
    """Isotope fraction and its counting error.

    With the net counts N₆ = I₆ - b₆, N₇ = β(I₇ - b₇): C = N₆/(N₆ + N₇) and, for independent Poisson counts,
    σ² = [(1 - C)² I₆ + C² β² I₇]/(N₆ + N₇)², without background and bias the binomial C(1 - C)/(I₆ + I₇). Half a count
    is added to each I and one to the sum of the error (Jeffreys prior), so that no empty channel is taken as certain:
    an interval without counts has C = ½ ± ½.

    Parameters
    ----------
    counts_6, counts_7
        Raw counts I₆ and I₇ of the two isotopes.
    background
        Expected background counts b₆, b₇ in each interval.
    mass_bias
        β = sensitivity for the isotope 6 over that for the isotope 7. [1]
    """
    first, second, bias = jnp.broadcast_arrays(as_leaf(counts_6), as_leaf(counts_7), as_leaf(mass_bias))
    net = first - background[0]
    total = net + bias * (second - background[1])
    counted = total > 0.0
    value = jnp.where(counted, net / jnp.where(counted, total, 1.0), 0.5)
    variance = (1.0 - value) ** 2 * (first + 0.5) + (value * bias) ** 2 * (second + 0.5)
    return IsotopeFraction(value, jnp.sqrt(variance) / (jnp.maximum(total, 0.0) + 1.0))


@expects(
    map_6=NOT_NEGATIVE,
    map_7=NOT_NEGATIVE,
    start=FINITE,
    end=FINITE,
    pixel_size=POSITIVE,
    width=POSITIVE,
    interval=POSITIVE,
    mass_bias=POSITIVE,
)
def line_scan(
    map_6: Real[ArrayLike, "row column"],
    map_7: Real[ArrayLike, "row column"],
    start: tuple[float, float],
    end: tuple[float, float],
    *,
    pixel_size: float,
    width: float,
    interval: float,
    background: tuple[float, float] = (0.0, 0.0),
    mass_bias: float = 1.0,
) -> LineScan:
    """Isotope fraction along a straight line in a map, from the counts in a band around it.

    A pixel belongs to the interval in which its centre lies; intervals without a pixel are left out.

    Parameters
    ----------
    map_6, map_7
        Raw counts of the two isotopes.
    start, end
        Ends of the line, (row, column) measured from the centre of the first pixel. [m]
    pixel_size
        Edge of a pixel. [m]
    width
        Width of the band. [m]
    interval
        Length of an interval along the line. [m]
    background
        Expected background counts of the two isotopes in each pixel.
    mass_bias
        As for `isotope_fraction`. [1]
    """
    first, second = np.asarray(map_6), np.asarray(map_7)
    row, column = np.indices(first.shape) * pixel_size
    along = np.subtract(end, start)
    length = float(np.hypot(*along))
    if not length > 0.0 or not min(pixel_size, width, interval) > 0.0:
        raise ValueError("a line scan needs two different ends, and a positive pixel size, width and interval")
    down, right = along / length
    distance = (row - start[0]) * down + (column - start[1]) * right
    offset = (column - start[1]) * down - (row - start[0]) * right
    inside = (np.abs(offset) <= 0.5 * width) & (np.abs(distance - 0.5 * length) <= (0.5 + 1e-9) * length)
    if not np.any(inside):
        raise ValueError(f"no centre of a pixel lies within half of the width of {width:g} m beside the line")
    bins = max(int(np.ceil(length / interval - 1e-9)), 1)
    # Rounding shall not move a pixel that lies on an edge.
    index = np.clip((distance[inside] / interval + 1e-9).astype(int), 0, bins - 1)

    def total(values: np.ndarray) -> np.ndarray:
        return np.bincount(index, weights=values[inside], minlength=bins)

    pixels = total(np.ones(first.shape))
    used = pixels > 0
    counts_6, counts_7, pixels = total(first)[used], total(second)[used], pixels[used]
    fraction = isotope_fraction(
        counts_6, counts_7, background=(background[0] * pixels, background[1] * pixels), mass_bias=mass_bias
    )
    return LineScan(jnp.asarray(total(distance)[used] / pixels), fraction, jnp.asarray(counts_6 + counts_7))
