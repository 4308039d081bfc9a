"""Evolution of an isotope profile after the exchange: closed sample, the total of the isotope is kept.

With one D the profile depends on time only through the area A = ∫D dt: hours at several temperatures are one number.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from npp_jax.physics.checks import FINITE, NOT_NEGATIVE, POSITIVE, expects
from npp_jax.physics.interpolation import hermite, locate
from npp_jax.tracer.closed_forms import constant_surface
from npp_jax.tracer.diffusion import Closed, DiffusionStage, TracerMedium, cell_means, diffuse, profile_at


@expects(position=FINITE, area=NOT_NEGATIVE)
def exchange_profile(position: Float[ArrayLike, "*shape"], area: Float[ArrayLike, ""]) -> Float[Array, "*shape"]:
    """Normalised profile after exchange of a half-immersed sample: 1 for x < 0, erfc(x/2√A) above the liquid.

    Hasegawa et al., J. Mater. Chem. A 12 (2024) 731, eqn (4); the immersed part is exchanged from its faces.

    Parameters
    ----------
    position
        x, from the level of the liquid. [m]
    area
        A = Dt of the exchange. [m²]
    """
    return constant_surface(jnp.maximum(position, 0.0), area, 1.0)


def faces_with_origin(left: float, right: float, cells: int) -> Float[np.ndarray, " face"]:
    """About equal cells from `left` to `right` [m], with a face at x = 0 where that is inside."""
    if not left < right:
        raise ValueError(f"the left end {left} must lie before the right end {right}")
    if not left < 0.0 < right:
        return np.linspace(left, right, cells + 1)
    behind = min(max(round(-left / (right - left) * cells), 1), cells - 1)
    return np.concatenate([np.linspace(left, 0.0, behind + 1), np.linspace(0.0, right, cells - behind + 1)[1:]])


def evolve_closed(
    faces: Float[Array, " face"], initial: Float[Array, " cell"], areas: Float[Array, " output"], *, steps: int = 48
) -> Float[Array, "output cell"]:
    """Profiles of a closed sample with one D, at several areas A = ∫D dt.

    Parameters
    ----------
    faces
        Faces of the cells. [m]
    initial
        Mean fractions of the cells at A = 0. [1]
    areas
        Increasing. [m²]
    steps
        Time steps to each output.
    """
    between = jnp.diff(areas, prepend=0.0)
    stages = [DiffusionStage(between[k], None, Closed(), Closed()) for k in range(areas.shape[0])]
    return diffuse(TracerMedium(faces, 1.0), initial, stages, steps=steps).fraction


@expects(
    position=FINITE,
    exchange_area=NOT_NEGATIVE,
    areas=NOT_NEGATIVE,
    left=FINITE,
    right=FINITE,
    cells=POSITIVE,
    steps=POSITIVE,
)
def evolve_exchange_profile(
    position: Float[Array, " point"],
    exchange_area: Float[ArrayLike, ""],
    areas: Float[Array, " output"],
    *,
    left: float = -1e-3,
    right: float = 6e-3,
    cells: int = 280,
    steps: int = 48,
) -> Float[Array, "output point"]:
    """Normalised profiles after an exchange and a time in the closed sample.

    Parameters
    ----------
    position
        Wanted positions, from the level of the liquid. [m]
    exchange_area
        A = Dt of the exchange, as in `exchange_profile`. [m²]
    areas
        A = ∫D dt since the end of the exchange, increasing. [m²]
    left, right
        Ends of the sample. [m]
    cells, steps
        Finite volumes, and time steps to each output.
    """
    faces = jnp.asarray(faces_with_origin(left, right, cells), position.dtype)
    initial = cell_means(lambda x: exchange_profile(x, exchange_area), faces)
    return _at_positions(position, faces, evolve_closed(faces, initial, areas, steps=steps))


@expects(
    position=FINITE,
    measured_position=FINITE,
    measured=FINITE,
    areas=NOT_NEGATIVE,
    left=FINITE,
    right=FINITE,
    cells=POSITIVE,
    steps=POSITIVE,
)
def evolve_measured_profile(
    position: Float[Array, " point"],
    measured_position: Float[Array, " knot"],
    measured: Float[Array, " knot"],
    areas: Float[Array, " output"],
    *,
    left: float,
    right: float,
    cells: int = 280,
    steps: int = 48,
) -> Float[Array, "output point"]:
    """Fractions after a time in the closed sample, from a measured profile.

    Between the points the profile is interpolated by `measured_start`, beyond them it is constant.

    Parameters
    ----------
    position
        Wanted positions. [m]
    measured_position, measured
        Measured profile: positions, increasing [m], and fractions [1].
    areas
        A = ∫D dt, increasing. [m²]
    left, right
        Ends of the sample. [m]
    cells, steps
        Finite volumes, and time steps to each output.
    """
    if not left < right:
        raise ValueError(f"the left end {left} must lie before the right end {right}")
    faces = jnp.linspace(left, right, cells + 1, dtype=position.dtype)
    initial = cell_means(lambda x: measured_start(x, measured_position, measured), faces)
    return _at_positions(position, faces, evolve_closed(faces, initial, areas, steps=steps))


def measured_start(
    position: Float[Array, "*shape"], measured_position: Float[Array, " knot"], measured: Float[Array, " knot"]
) -> Float[Array, "*shape"]:
    """A measured profile between its points, by cubics, and beyond them, where it is constant.

    The slopes at the points are second-order differences without a limit, so that the profile is linear in the
    measured values: limited ones would have kinks in noise, at which a fit of the values stalls.

    Parameters
    ----------
    position
        Wanted positions. [m]
    measured_position, measured
        Measured profile: positions, increasing [m], and fractions [1].
    """
    x = jnp.clip(position, measured_position[0], measured_position[-1]).ravel()
    width = jnp.diff(measured_position)
    secant = jnp.diff(measured) / width
    inner = (secant[:-1] * width[1:] + secant[1:] * width[:-1]) / (width[1:] + width[:-1])
    slope = jnp.concatenate([secant[:1], inner, secant[-1:]])
    k = locate(x, measured_position)
    t, unit = (x - measured_position[k]) / width[k], width[k]
    return hermite(t, measured[k], measured[k + 1], slope[k] * unit, slope[k + 1] * unit).reshape(position.shape)


def _at_positions(position: Array, faces: Array, fractions: Array) -> Array:
    medium = TracerMedium(faces, 1.0)
    return jax.vmap(lambda fraction: profile_at(medium, fraction, position))(fractions)
