"""Limits of detection of a measured profile."""

import numpy as np
from jaxtyping import Float

from npp_jax.observe.profile import DepthProfile


def detection_limits(profile: DepthProfile) -> Float[np.ndarray, "species depth"]:
    """Limit of each point: what a point below it tells, or, of a point that is seen, that of those about it in depth.

    What is seen below these has none that matters; an ion of which no point is below a limit has none: -∞.

    Parameters
    ----------
    profile
        Measured profile.
    """
    depth, measured = np.asarray(profile.depth), np.asarray(profile.fraction)
    limit = np.full(measured.shape, -np.inf)
    if profile.censored is None:
        return limit
    for row, seen, lost in zip(limit, measured, np.asarray(profile.censored) > 0.0, strict=True):
        if lost.any():
            around = np.interp(depth, depth[lost], seen[lost])
            row[:] = np.where(lost | (seen > around), around, -np.inf)
    return limit
