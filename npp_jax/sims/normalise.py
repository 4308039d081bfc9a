"""Counted ions to fractions of the mobile ions of the bulk: how many fractions one ion counts for.

All functions return the scale [fraction per ion] and its relative standard deviation, which is common to all points.
They raise ValueError with one line where the numbers do not allow it.
"""

import numpy as np
from jaxtyping import Bool, Float

from npp_jax.constants import ELEMENTARY_CHARGE


def depth_range(
    depth: Float[np.ndarray, "point"], start: float, stop: float, name: str = "bulk"
) -> Bool[np.ndarray, "point"]:
    """Points from `start` to `stop` [nm], at least two of them; `name` is what they are of."""
    inside = (depth >= start) & (depth <= stop)
    if np.sum(inside) < 2:
        raise ValueError(
            f"{name}: {int(np.sum(inside))} points between {start:g} and {stop:g} nm, at least 2 are needed; "
            f"the depths go from {depth[0]:g} to {depth[-1]:g} nm"
        )
    return inside


def mean_level(
    values: Float[np.ndarray, "point"], variance: Float[np.ndarray, "point"], inside: Bool[np.ndarray, "point"]
) -> tuple[float, float]:
    """Mean over the points of a range, and its standard deviation."""
    count = int(np.sum(inside))
    return float(np.mean(values[inside])), float(np.sqrt(np.sum(variance[inside])) / count)


def bulk_scale(
    values: Float[np.ndarray, "point"], variance: Float[np.ndarray, "point"], inside: Bool[np.ndarray, "point"]
) -> tuple[float, float]:
    """Scale that makes the mean over a range deep in the bulk one."""
    level, sigma = mean_level(values, variance, inside)
    if not level > 3.0 * sigma:
        raise ValueError(f"no bulk level: {level:.3g} ± {sigma:.2g} ions a point; use uptake, sum or a factor")
    return 1.0 / level, sigma / level


def exchanged_depth(charge: float, density: float) -> float:
    """Depth L = Q/(e N) that the charge would exchange completely.

    Parameters
    ----------
    charge
        Charge passed per area. [C/m²]
    density
        Number density N of the mobile ions. [1/m³]

    Returns
    -------
    Depth. [nm]
    """
    return charge / (ELEMENTARY_CHARGE * density) * 1e9


def _area(depth: np.ndarray, values: np.ndarray, variance: np.ndarray) -> tuple[float, float]:
    """∫ dz from the surface by trapezia, the first value reaching up to the surface, and its standard deviation."""
    edges = np.concatenate([[0.0], 0.5 * (depth[1:] + depth[:-1]), [depth[-1]]])
    width = np.diff(edges)
    return float(width @ values), float(np.sqrt(width**2 @ variance))


def uptake_scale(
    depth: Float[np.ndarray, "point"],
    values: Float[np.ndarray, "point"],
    variance: Float[np.ndarray, "point"],
    exchanged: float,
) -> tuple[float, float]:
    """Scale of a foreign ion by the charge it brought: ∫ f dz = Q/(e N) = `exchanged` [nm]."""
    area, sigma = _area(depth, values, variance)
    if not area > 3.0 * sigma:
        raise ValueError(f"no uptake: {area:.3g} ± {sigma:.2g} ions nm above the background")
    return exchanged / area, sigma / area


def loss_scale(
    depth: Float[np.ndarray, "point"],
    values: Float[np.ndarray, "point"],
    variance: Float[np.ndarray, "point"],
    exchanged: float,
) -> tuple[float, float]:
    """Scale of the native ion by the charge that drove it out: ∫ (1 − f) dz = Q/(e N) = `exchanged` [nm].

    The profile has to reach into the bulk.
    """
    if not exchanged < depth[-1]:
        raise ValueError(f"the charge exchanges {exchanged:.4g} nm, but the profile ends at {depth[-1]:.4g} nm")
    area, sigma = _area(depth, values, variance)
    if not area > 3.0 * sigma:
        raise ValueError(f"no signal: {area:.3g} ± {sigma:.2g} ions nm above the background")
    return (depth[-1] - exchanged) / area, sigma / area


def sum_scales(
    values: Float[np.ndarray, "species point"],
    variance: Float[np.ndarray, "species point"],
    rest: Float[np.ndarray, "point"],
    rest_variance: Float[np.ndarray, "point"],
) -> tuple[Float[np.ndarray, "species"], Float[np.ndarray, "species"]]:
    """Scales s for which Σ sᵢ yᵢ = `rest` at all depths, in the mean square.

    The noise of the signals themselves would draw the scales towards zero; its expectation is taken off the normal
    matrix: Σ (y yᵀ − diag var y) s = Σ y rest (method of moments for measurement errors of known variance, W. A.
    Fuller, Measurement Error Models, Wiley 1987, ch. 2). What bias is left is of second order in the noise.

    Parameters
    ----------
    values
        Ions of the species whose scales are sought.
    variance
        Variances of them.
    rest
        One minus the fractions of the other species.
    rest_variance
        Variance of it.
    """
    matrix = values @ values.T - np.diag(variance.sum(axis=1))
    unit = np.sqrt(np.diag(values @ values.T))
    if not np.all(unit > 0.0):
        raise ValueError("sum: a species has no counts")
    scaled = matrix / np.outer(unit, unit)
    if np.linalg.eigvalsh(scaled)[0] < 1e-3:
        raise ValueError("sum: the species do not vary enough against one another; give a factor for one of them")
    inverse = np.linalg.inv(scaled) / np.outer(unit, unit)
    scale = inverse @ (values @ rest)
    if not np.all(scale > 0.0):
        raise ValueError(
            "sum: a scale came out negative; the species given do not add up to the mobile ions: is one missing, a "
            "column another than it says, or more background taken off than there is?"
        )
    spread = scale**2 @ variance + rest_variance
    covariance = inverse @ (values * spread @ values.T) @ inverse
    return scale, np.sqrt(np.diag(covariance)) / scale
