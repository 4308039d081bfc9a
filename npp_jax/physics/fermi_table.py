"""Fermi energy as a table over the standard normal quantile of the filling, for laws whose E_F has no closed form."""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from npp_jax.constants import BOLTZMANN_EV
from npp_jax.physics.fermi_dirac import fermi_dirac_occupied
from npp_jax.physics.interpolation import interpolate
from npp_jax.physics.quantile import normal_quantile
from npp_jax.physics.sed import AbstractSED

KNOTS = 128
_GRID = 384
_LEAST, _MOST = 1e-7, 1.0 - 1e-5
_TAIL = 20.0


def fermi_energy_table(
    sed: AbstractSED, temperature: Float[Array, "*#batch"] | None
) -> tuple[Float[Array, "knot *batch"], Float[Array, "knot *batch"]]:
    """Standard normal quantiles of the occupied fraction, increasing, and the Fermi energies that belong to them [eV].

    The knots are chosen by energy, and the occupied fraction at an energy is a plain integral: nothing is inverted.
    They lie evenly in the sum of energy and quantile, each in units of its range, so that a gap between two peaks,
    where the energy rises at constant filling, has as many as a peak, where the filling rises.

    Parameters
    ----------
    sed
        The site energy distribution.
    temperature
        Temperature of Fermi–Dirac filling, None for sharp filling. [K], shape [*batch]
    """
    if temperature is None:
        tail, occupied = 0.0, sed.distribution
    else:
        tail = _TAIL * BOLTZMANN_EV * temperature
        occupied = partial(fermi_dirac_occupied, sed, temperature=temperature)

    def quantile(energy: Array) -> Array:
        return normal_quantile(jnp.clip(occupied(energy), 0.5 * _LEAST, 1.0 - 0.5 * (1.0 - _MOST)))

    lower, upper = sed.support()
    energy = jax.lax.stop_gradient(_spread(lower - tail, upper + tail))
    filled = jax.lax.stop_gradient(occupied(energy))
    # The range in which the filling changes, and then the knots in it.
    low = jnp.max(jnp.where(filled < _LEAST, energy, energy[:1]), axis=0)
    high = jnp.min(jnp.where(filled > _MOST, energy, energy[-1:]), axis=0)
    energy = _spread(low, high)
    z = jax.lax.stop_gradient(quantile(energy))
    share = _share(energy) + _share(jax.lax.cummax(z, axis=0))
    even = _spread(share[0], share[-1], KNOTS)
    knots = interpolate(even, share, energy)
    return _apart(quantile(knots)), knots


def _spread(low: Array, high: Array, points: int = _GRID) -> Array:
    """Evenly spaced points on a new first axis."""
    low, high = jnp.broadcast_arrays(low, high)
    share = jnp.linspace(0.0, 1.0, points, dtype=low.dtype).reshape(-1, *(1,) * low.ndim)
    return low + share * (high - low)


def _share(values: Array) -> Array:
    return (values - values[0]) / (values[-1] - values[0])


def _apart(z: Array) -> Array:
    """Quantiles that increase: in a gap they stand still, and knots must not meet."""
    least = 24.0 * float(jnp.finfo(z.dtype).eps) * jnp.arange(len(z), dtype=z.dtype).reshape(-1, *(1,) * (z.ndim - 1))
    return jax.lax.cummax(z - least, axis=0) + least
