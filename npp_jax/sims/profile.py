"""The depth profile that a SIMS file becomes, and the choices that make it."""

import dataclasses
import math
from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Float

from npp_jax.sims.options import ImportOptions, bulk_range

_UNKNOWN = 10.0
"""Error over that of the points themselves beyond which nothing is known beforehand."""

_PAUSE = 3.0
"""Distance of two points over that of the next two, from which on it is a pause and not sputtered by a point."""


@dataclasses.dataclass(frozen=True, eq=False)
class SimsProfile:
    """Fractions against depth with what a likelihood needs.

    A Poisson likelihood has the mean (fraction + background) · counts_per_fraction and the observation `counts`.
    """

    depth_nm: Float[np.ndarray, "depth"]
    """Depths, increasing [nm]."""
    species: tuple[str, ...]
    """Names of the species."""
    fraction: Float[np.ndarray, "species depth"]
    """Number density over that of all mobile ions of the bulk [1]."""
    sigma: Float[np.ndarray, "species depth"]
    """Standard deviation of each point by itself [1]."""
    counts: Float[np.ndarray, "species depth"]
    """Counts of the Poisson distribution with the uncertainty of each point; NaN without counting statistics [1]."""
    counts_per_fraction: Float[np.ndarray, "species depth"]
    """Such counts at fraction one; NaN without counting statistics or with `close_sum` [1]."""
    background: Float[np.ndarray, "species depth"]
    """Background that was taken off, as a fraction [1]."""
    background_sigma: Float[np.ndarray, "species depth"]
    """Standard deviation of it, which all points of a species share [1]."""
    scale_sigma: Float[np.ndarray, "species"]
    """Relative standard deviation of the fractions that all points of a species share [1]."""
    depth_sigma: float
    """Relative standard deviation of all depths together, from the crater [1]."""
    source: str
    """Name of the file it was made of."""
    sha256: str
    """Checksum of that file."""
    format: str
    """Format of that file."""
    options: ImportOptions
    """Choices it was made with."""
    warnings: tuple[str, ...]
    """What is odd, one line each."""
    metadata: Mapping[str, str]
    """What else the file said."""

    def as_arguments(self, first_depth_nm: float = 0.0, last_depth_nm: float = math.inf) -> tuple:
        """Arguments of `DepthProfile` in order, from the depths to the systematic errors; no weight.

        Points from the first depth to the last are fitted. They tell a scale or a background that was found from them
        once more, so that what is known of it beforehand is what was found from the other points.

        Counts and background are None where there are no counting statistics, or no Poisson distribution after
        `close_sum`; then `sigma` is to be used.
        """
        known = np.isfinite(self.counts) & np.isfinite(self.counts_per_fraction)
        pair = (self.counts, self.counts_per_fraction) if np.all(known) else (None, None)
        taken_off = self.background if np.all(known) and np.any(self.background != 0.0) else None
        fitted = (self.depth_nm >= first_depth_nm) & (self.depth_nm <= last_depth_nm)
        scale, background = self._found_elsewhere(fitted)
        systematic = (
            self.depth_sigma, scale * self.scale_sigma, background * np.mean(self.background_sigma, axis=1)
        )  # fmt: skip
        interval = _sputtered(self.depth_nm)
        return (self.depth_nm, self.species, self.fraction, self.sigma, *pair, None, taken_off, interval, systematic)

    def _found_elsewhere(
        self, fitted: Bool[np.ndarray, "point"]
    ) -> tuple[Float[np.ndarray, "species"], Float[np.ndarray, "species"]]:
        """Errors of scales and backgrounds from the points that are not fitted alone, over those from all points.

        A charge and a sum of one are those of the model as well: the scale that they give to the points of a profile is
        the one that its fit would find.
        """
        options, deep = self.options, bulk_range(self.depth_nm, self.options)
        methods = [options.normalise.get(name, "bulk") for name in self.species]
        levels = [options.background.get(name) for name in self.species]
        return (
            np.array([_lost(self.depth_nm, deep if m == "bulk" else (0.0, math.inf), fitted) for m in methods]),
            np.array([_lost(self.depth_nm, u, fitted) if isinstance(u, tuple) else 1.0 for u in levels]),
        )


def _lost(
    depth: Float[np.ndarray, "point"], found_from: tuple[float, float], fitted: Bool[np.ndarray, "point"]
) -> float:
    """How many times larger the error of a mean over a range of depths is without the points that are fitted."""
    inside = (depth >= found_from[0]) & (depth <= found_from[1])
    others = inside & ~fitted
    if not inside.any():
        # Points that the profile does not hold are not fitted.
        return 1.0
    return min(_UNKNOWN, math.sqrt(inside.sum() / others.sum())) if others.any() else _UNKNOWN


def _sputtered(depth: Float[np.ndarray, "point"]) -> Float[np.ndarray, "point"]:
    """Depth that each point sputtered: half of the way to each neighbour, but not through a pause [nm]."""
    step = np.diff(depth)
    before, after = np.append(step[:1], step), np.append(step, step[-1:])
    shorter, longer = np.minimum(before, after), np.maximum(before, after)
    return np.where(longer > _PAUSE * shorter, shorter, np.gradient(depth))
