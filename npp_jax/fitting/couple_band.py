"""How wide the band of a curve is: for all of it together, and for neighbours that err alike."""

import math

import numpy as np
from jaxtyping import Float, Int

BY_NOISE = 0.5
"""Share of the half width of a band of 95 % below which the largest deviation of a smooth curve is in half of all
cases: the median of the largest of four normal numbers is 1.4, its 95 % quantile 2.5 to 2.8 as that of the curve."""

_DRAWS = 4000
"""Draws from which the width of a band is taken."""


def half_width(
    slope: Float[np.ndarray, "composition parameter"], matrix: Float[np.ndarray, "parameter parameter"]
) -> Float[np.ndarray, " composition"]:
    """Half the width of a band in which the whole curve lies with 95 %: that of the largest deviation anywhere."""
    values, vectors = np.linalg.eigh(matrix)
    root = slope @ (vectors * np.sqrt(np.maximum(values, 0.0)))
    error = np.linalg.norm(root, axis=1)
    drawn = np.random.default_rng(0).standard_normal((_DRAWS, len(values)))
    largest = np.max(np.abs(drawn @ root.T) / np.where(error > 0.0, error, 1.0), axis=1)
    return float(np.quantile(largest, 0.95)) * error


def neighbours_alike(residual: Float[np.ndarray, " point"], phase: Int[np.ndarray, " point"]) -> float:
    """1 + 2 Σ ρ over the lags of neighbours in a phase whose residuals are alike."""
    total, whole = 1.0, float(np.mean(residual**2))
    for lag in range(1, len(residual) // 3):
        same = phase[lag:] == phase[:-lag]
        if not same.any():
            break
        rho = float(np.mean((residual[lag:] * residual[:-lag])[same])) / whole
        # What chance makes of as many points without any likeness is none.
        if rho <= 1.0 / math.sqrt(float(np.sum(same))):
            break
        total += 2.0 * rho
    return total
