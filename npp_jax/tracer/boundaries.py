"""Grain boundaries as resistances to diffusion: chains of grains, the series model, and boundaries seen as steps.

A boundary passes the flux P ΔC with the permeability P = D_gb/δ [m/s]; D_gb alone needs an assumed thickness δ.
Equations numbered (2) to (6) are those of Hasegawa et al., J. Mater. Chem. A 12 (2024) 731.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float

from npp_jax._compile import concrete
from npp_jax.inference import Uncertain, propagate
from npp_jax.physics.checks import ERRORS, FINITE, NOT_NEGATIVE, PERMEABILITY, POSITIVE, expects
from npp_jax.physics.diffusivity import Arrhenius
from npp_jax.physics.leaf import LeafLike, as_leaf
from npp_jax.tracer.diffusion import TracerMedium

_CLOSED, _NONE = 1e-12, 1e7
"""D_gb/δ over D/l, with l the size of a grain, of a boundary that is closed, or none, to any data."""


@expects(sizes=POSITIVE, permeability=PERMEABILITY, D_bulk=POSITIVE, cells=POSITIVE, start=FINITE)
def chain_of_grains(
    sizes: LeafLike,
    permeability: LeafLike,
    D_bulk: LeafLike,
    *,
    cells: int = 8,
    start: LeafLike = 0.0,
    arrhenius: Arrhenius | None = None,
    boundary_arrhenius: Arrhenius | None = None,
) -> TracerMedium:
    """Grains in series, with a boundary between each two.

    Parameters
    ----------
    sizes
        Lengths of the grains, shape [grain]. [m]
    permeability
        D_gb/δ of the boundaries, one number or shape [grain - 1]. [m/s]
    D_bulk
        Diffusion coefficient in the grains, one number or shape [grain]. [m²/s]
    cells
        Finite volumes of each grain.
    start
        Position of the first face. [m]
    arrhenius, boundary_arrhenius
        Thermal activation of D_bulk and of D_gb, if any.
    """
    sizes, permeability, D_bulk = as_leaf(sizes), as_leaf(permeability), as_leaf(D_bulk)
    edges = jnp.concatenate([jnp.zeros_like(sizes[:1]), jnp.cumsum(sizes)])
    inside = edges[:-1, None] + sizes[:, None] * jnp.asarray(np.arange(cells) / cells, sizes.dtype)
    faces = as_leaf(start) + jnp.append(inside.ravel(), edges[-1])
    between = jnp.zeros(sizes.shape[0] * cells - 1, jnp.result_type(sizes, permeability))
    return TracerMedium(
        faces,
        jnp.repeat(jnp.broadcast_to(D_bulk, sizes.shape), cells),
        between.at[cells - 1 :: cells].set(1.0 / permeability),
        arrhenius,
        boundary_arrhenius,
    )


def followed_permeabilities(D_bulk: float, size: float) -> tuple[float, float]:
    """Least and greatest D_gb/δ that a fit follows, between grains of a size [m] and with D of the grains [m²/s].

    To any data a boundary beyond them is closed, or none. Without an end a fit would come to where D_gb/δ has no effect
    at all. [m/s]
    """
    return _CLOSED * D_bulk / size, _NONE * D_bulk / size


@expects(D_bulk=POSITIVE, permeability=PERMEABILITY, grain_size=POSITIVE, thickness=NOT_NEGATIVE)
def series_diffusivity(
    D_bulk: Float[ArrayLike, "*#shape"],
    permeability: Float[ArrayLike, "*#shape"],
    grain_size: Float[ArrayLike, "*#shape"],
    thickness: Float[ArrayLike, "*#shape"] = 0.0,
) -> Float[Array, "*shape"]:
    """Effective diffusion coefficient of grains and boundaries in series [m²/s].

    (l + δ)/D_eff = l/D_bulk + 1/P (eqn 5); with δ ≪ l, the default, D_eff = 1/[1/D_bulk + 1/(l P)] (eqn 6). Holds where
    a profile extends over many grains.

    Parameters
    ----------
    D_bulk
        Diffusion coefficient in the grains. [m²/s]
    permeability
        P = D_gb/δ. [m/s]
    grain_size
        l. [m]
    thickness
        δ. [m]
    """
    D_bulk, permeability, size, thickness = map(jnp.asarray, (D_bulk, permeability, grain_size, thickness))
    return (size + thickness) / (size / D_bulk + 1.0 / permeability)


@expects(D_eff=POSITIVE, D_bulk=POSITIVE, grain_size=POSITIVE)
def permeability_from_series(
    D_eff: Float[ArrayLike, "*#shape"], D_bulk: Float[ArrayLike, "*#shape"], grain_size: Float[ArrayLike, "*#shape"]
) -> Float[Array, "*shape"]:
    """Inverse of eqn (6): P = 1/[l (1/D_eff - 1/D_bulk)] [m/s]; negative where D_eff exceeds D_bulk."""
    return 1.0 / (jnp.asarray(grain_size) * (1.0 / jnp.asarray(D_eff) - 1.0 / jnp.asarray(D_bulk)))


@expects(sizes=POSITIVE, permeability=PERMEABILITY, D_bulk=POSITIVE)
def chain_diffusivity(
    sizes: Float[Array, " grain"], permeability: Float[ArrayLike, "*#boundary"], D_bulk: Float[ArrayLike, "*#grain"]
) -> Float[Array, ""]:
    """Effective diffusion coefficient of an explicit chain: its length over the sum of its resistances [m²/s]."""
    boundaries = jnp.broadcast_to(1.0 / jnp.asarray(permeability), (sizes.shape[0] - 1,))
    return jnp.sum(sizes) / (jnp.sum(sizes / jnp.asarray(D_bulk)) + jnp.sum(boundaries))


class BoundaryStep(NamedTuple):
    """Step of the isotope fraction at a boundary and gradient in the grains beside it."""

    step: Float[Array, ""]
    """ΔC = C₊ - C₋ [1]."""
    gradient: Float[Array, ""]
    """∂C/∂y in the bulk at the boundary [1/m]."""
    covariance: Float[Array, "2 2"]
    """Covariance of step and gradient."""
    chi2: Float[Array, ""]
    """Sum of squared weighted residuals of the points used."""
    degrees_of_freedom: Float[Array, ""]
    """Points used, less parameters."""


@expects(position=FINITE, fraction=FINITE, error=ERRORS, boundary=FINITE, reach=POSITIVE)
def measure_step(
    position: Float[Array, " point"],
    fraction: Float[Array, " point"],
    error: Float[ArrayLike, "*#point"],
    boundary: Float[ArrayLike, ""],
    reach: Float[ArrayLike, ""],
    *,
    quadratic: bool = True,
) -> BoundaryStep:
    """Fit of a step and of the gradient beside it, C = c + g y + ½ q_± y² + ΔC [y > 0], y from the boundary.

    The gradient is the same on both sides, since the flux and D_bulk are; the curvatures may differ. Linear least
    squares over the points within `reach`.

    Parameters
    ----------
    position
        Positions of the points. [m]
    fraction
        Isotope fraction. [1]
    error
        Standard errors of the fractions. [1]
    boundary
        Position of the boundary. [m]
    reach
        Distance up to which points are used: not beyond the next boundary. [m]
    quadratic
        Whether the curvatures are fitted; otherwise straight lines.
    """
    if concrete(position, boundary, reach):
        sides = np.asarray(position) - np.asarray(boundary)
        sides = sides[np.abs(sides) <= np.asarray(reach)]
        least = 3 if quadratic else 2
        if min(np.sum(sides > 0.0), np.sum(sides <= 0.0)) < least:
            raise ValueError(f"a step needs {least} points on either side of the boundary within reach")
    y = (position - boundary) / reach
    used: Bool[Array, " point"] = jnp.abs(y) <= 1.0
    weight = jnp.where(used, 1.0 / jnp.asarray(error), 0.0)
    beyond = jnp.where(y > 0.0, 1.0, 0.0)
    columns = [beyond, y, jnp.ones_like(y)]
    if quadratic:
        columns += [0.5 * y**2 * beyond, 0.5 * y**2 * (1.0 - beyond)]
    matrix = jnp.stack(columns, axis=1) * weight[:, None]
    q, r = jnp.linalg.qr(matrix)
    solution = jnp.linalg.solve(r, q.T @ (weight * fraction))
    inverse = jnp.linalg.inv(r)
    scale = jnp.stack([jnp.ones_like(y[0]), jnp.ones_like(y[0]) / reach])
    covariance = (inverse @ inverse.T)[:2, :2] * scale[:, None] * scale
    residual = matrix @ solution - weight * fraction
    freedom = jnp.sum(used) - 1.0 * len(columns)
    return BoundaryStep(solution[0], solution[1] * scale[1], covariance, jnp.sum(residual**2), freedom)


def boundary_permeability(
    gradient: Uncertain, step: Uncertain, D_bulk: Uncertain, covariance: Float[ArrayLike, ""] = 0.0
) -> Uncertain:
    """P = D_gb/δ = D_bulk (∂C/∂y)/ΔC (eqn 3), with its error to first order [m/s].

    Parameters
    ----------
    gradient
        ∂C/∂y in the bulk at the boundary. [1/m]
    step
        ΔC at the boundary, of the same sign. [1]
    D_bulk
        Diffusion coefficient in the grains. [m²/s]
    covariance
        Covariance of gradient and step. [1/m]
    """
    values = jnp.stack([jnp.asarray(item.value) for item in (gradient, step, D_bulk)])
    errors = jnp.stack([jnp.asarray(item.sigma) for item in (gradient, step, D_bulk)])
    matrix = jnp.diag(errors**2).at[0, 1].set(covariance).at[1, 0].set(covariance)
    return propagate(lambda p: p[0] * p[2] / p[1], values, matrix)


@expects(measured=BoundaryStep, D_bulk=Uncertain)
def permeability_of_step(measured: BoundaryStep, D_bulk: Uncertain) -> Uncertain:
    """P = D_gb/δ of a measured step, with the correlation of step and gradient [m/s]."""
    error = jnp.sqrt(jnp.diagonal(measured.covariance))
    return boundary_permeability(
        Uncertain(measured.gradient, error[1]), Uncertain(measured.step, error[0]), D_bulk, measured.covariance[0, 1]
    )
