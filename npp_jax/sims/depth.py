"""Sputter time to depth by the depth of the crater."""

import numpy as np
from jaxtyping import Float


def depth_of_time(
    time: Float[np.ndarray, "point"],
    crater_depth: float,
    duration: float,
    relative_rate: Float[np.ndarray, "point"] | None = None,
) -> Float[np.ndarray, "point"]:
    """Depth z(t) = Z ∫₀ᵗ v dt′ / ∫₀ᵀ v dt′, linear in time where the sputter rate v is constant.

    Parameters
    ----------
    time
        Sputter time, increasing. [s]
    crater_depth
        Depth Z of the crater after the duration T. [nm]
    duration
        Sputter time T of the crater. [s]
    relative_rate
        Sputter rate at each time, in any unit; constant before the first and behind the last.

    Returns
    -------
    Depth at each time. [nm]
    """
    if relative_rate is None:
        return crater_depth * time / duration
    edges = np.concatenate([[0.0], time, [max(duration, time[-1])]])
    rate = np.concatenate([relative_rate[:1], relative_rate, relative_rate[-1:]])
    depth = np.concatenate([[0.0], np.cumsum(0.5 * (rate[1:] + rate[:-1]) * np.diff(edges))])
    return crater_depth * depth[1:-1] / np.interp(duration, edges, depth)


def mixed_rate(
    fraction: Float[np.ndarray, "species point"], rates: Float[np.ndarray, "species"]
) -> Float[np.ndarray, "point"]:
    """Sputter rate v = Σ fᵢ vᵢ / Σ fᵢ of a composition between those of the pure exchanged glasses.

    Parameters
    ----------
    fraction
        Fractions of the species; noise below zero counts as zero.
    rates
        Sputter rates of the glass with one species only, in any unit.
    """
    share = np.maximum(fraction, 0.0)
    total = share.sum(axis=0)
    mixed = np.where(total > 0.0, rates @ share / np.where(total > 0.0, total, 1.0), rates.mean())
    return mixed
