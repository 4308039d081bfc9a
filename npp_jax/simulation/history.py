"""Charge, current and potential at any time, from the steps of a simulation.

Within a step the time is the cubic of the charge that has the times and the currents at both ends: under a constant
potential the resistance is nearly linear in the charge, and the time nearly quadratic. Where no such cubic rises, as at
rest, the charge is the cubic of the time. The current is the derivative of the charge, so that both agree: the mean
current over any interval is the charge that passes in it. All arrays are those of one candidate.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from npp_jax.physics.interpolation import hermite
from npp_jax.simulation.solution import Trace

_NEWTON = 4
"""Steps of Newton's method, from the cubic in time, which is within a few percent."""


class History(eqx.Module):
    """What happens within each step; the values at its begin are those at the end of the step before, but for the first
    step of a stage, at whose begin nothing is known.
    """

    begin: Float[Array, " step"]
    """Time at which a step begins [s]."""
    end: Float[Array, " step"]
    """Time at which it ends [s]."""
    charge: tuple[Float[Array, " step"], Float[Array, " step"]]
    """Charge at both ends [C/m²]."""
    current: tuple[Float[Array, " step"], Float[Array, " step"]]
    """Current density at both ends [A/m²]."""
    potential: tuple[Float[Array, " step"], Float[Array, " step"]]
    """Surface potential at both ends [V]."""
    potential_slope: tuple[Float[Array, " step"], Float[Array, " step"]]
    """Its slope at both ends [V/s]."""

    def charge_at(self, time: Float[Array, " time"]) -> Float[Array, " time"]:
        """Charge that has passed by a time [C/m²]."""
        return self._charge(time)[0]

    def current_at(self, time: Float[Array, " time"]) -> Float[Array, " time"]:
        """Current density at a time, the derivative of the charge [A/m²]."""
        return self._charge(time)[1]

    def potential_at(self, time: Float[Array, " time"]) -> Float[Array, " time"]:
        """Surface potential at a time; beyond the last step that of its end goes on [V]."""
        k, share, length = self._locate(time)
        (a, b), (left, right) = self.potential, self.potential_slope
        share = jnp.clip(share, 0.0, 1.0)
        return hermite(share, a[k], b[k], left[k] * length, right[k] * length)

    def _charge(self, time: Array) -> tuple[Array, Array]:
        """Charge, and its derivative."""
        k, share, length = self._locate(time)
        (a, b), (j0, j1) = (tuple(values[k] for values in ends) for ends in (self.charge, self.current))
        t, beyond = jnp.clip(share, 0.0, 1.0), jnp.maximum(share - 1.0, 0.0)
        passed = b - a
        # Monotone, by Fritsch and Carlson.
        rises = (jnp.minimum(j0, j1) * length > passed / 3.0) & (passed > 0.0)
        inverse = lambda j: jnp.where(rises, passed, 1.0) / jnp.where(rises, j * length, 1.0)  # noqa: E731
        by_time, by_charge = (j0 * length, j1 * length), (inverse(j0), inverse(j1))
        slow = hermite(t, jnp.zeros_like(t), passed, *by_time)
        guess = jnp.where(rises, slow / jnp.where(rises, passed, 1.0), t)
        part, rate = _inverted(t, guess, *by_charge)
        charge = a + jnp.where(rises, part * passed, slow)
        slope = jnp.where(rises, passed / rate, _hermite_slope(t, passed, *by_time))
        # Beyond the last step the current goes on without a kink, and levels out over the length of the step.
        curved = -passed * _end_curvature(1.0, *by_charge) / jnp.where(rises, by_charge[1], 1.0) ** 3
        bent, fading = jnp.where(rises, curved, _end_curvature(passed, *by_time)), -jnp.expm1(-beyond)
        charge = charge + beyond * by_time[1] + bent * (beyond - fading)
        # Before a beam is on for the first time no charge passes.
        return charge, jnp.where(share < 0.0, 0.0, (slope + bent * fading) / length)

    def _locate(self, time: Array) -> tuple[Array, Array, Array]:
        """Step of each time, place in it from 0 to 1 (beyond where there is no such step), and its length."""
        k = jnp.minimum(jnp.searchsorted(self.end, time), self.end.size - 1)
        length = self.end[k] - self.begin[k]
        return k, (time - self.begin[k]) / length, length


def _hermite_slope(t: Array, rise: Array | float, m0: Array, m1: Array) -> Array:
    """Derivative of the cubic from 0 to `rise`."""
    return 6.0 * t * (1.0 - t) * rise + (1.0 - t) * (1.0 - 3.0 * t) * m0 + t * (3.0 * t - 2.0) * m1


def _end_curvature(rise: Array | float, m0: Array, m1: Array) -> Array:
    """Second derivative at the end of the cubic from 0 to `rise`."""
    return 2.0 * m0 + 4.0 * m1 - 6.0 * rise


def _inverted(value: Array, guess: Array, m0: Array, m1: Array) -> tuple[Array, Array]:
    """Where the rising cubic from 0 to 1 has a value, and its slope there; with the derivatives of the inverse."""
    zero, one = jnp.zeros_like(value), jnp.ones_like(value)
    held = jax.lax.stop_gradient((value, m0, m1))
    s = jax.lax.stop_gradient(guess)
    for _ in range(_NEWTON):
        s = jnp.clip(s - (hermite(s, zero, one, *held[1:]) - held[0]) / _hermite_slope(s, 1.0, *held[1:]), 0.0, 1.0)
    s = jax.lax.stop_gradient(s)
    place = s - (hermite(s, zero, one, m0, m1) - value) / jax.lax.stop_gradient(_hermite_slope(s, 1.0, m0, m1))
    return place, _hermite_slope(place, 1.0, m0, m1)


def history(trace: Trace) -> History:
    """What happens within the steps of a trace of one candidate.

    At the begin of a stage the current is taken such that the parabola through the first step has its charge, and the
    potential by the slope over the next step.
    """
    before = lambda a: jnp.concatenate([jnp.zeros_like(a[:1]), a[:-1]])  # noqa: E731
    first = trace.start >= before(trace.time)
    begin = jnp.where(first, trace.start, before(trace.time))
    length = trace.time - begin
    charge = before(trace.charge), trace.charge
    j, u = trace.current_density, trace.surface_potential
    current = jnp.where(first, 2.0 * (charge[1] - charge[0]) / length - j, before(j)), j
    slope = _slopes(u, length, first)
    at_begin = jnp.where(first, u - slope * length, before(u))
    return History(begin, trace.time, charge, current, (at_begin, u), (jnp.where(first, slope, before(slope)), slope))


def _slopes(values: Array, length: Array, first: Array) -> Array:
    """Slopes at the ends of the steps, of second order inside of a stage."""
    secant = (values - jnp.concatenate([values[:1], values[:-1]])) / length
    after = jnp.concatenate([secant[1:], secant[-1:]])
    ahead = jnp.concatenate([length[1:], length[-1:]])
    starts = jnp.concatenate([first[1:], jnp.ones_like(first[:1])])
    inner = (secant * ahead + after * length) / (length + ahead)
    # The first secant of a stage spans what was before it.
    alone = jnp.where(starts, jnp.where(first, 0.0, secant), after)
    return jnp.where(first | starts, alone, inner)
