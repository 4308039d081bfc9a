"""Newton steps of fractions, kept within what is physical."""

import functools

import jax.numpy as jnp
from jaxtyping import Array

from npp_jax.simulation.material import Mixture, Unknowns

FRACTION_FLOOR = 1e-9
"""Least native fraction of a Newton iterate."""

CEILING = 1.002
"""Greatest fraction of a Newton iterate of the full model over the neutral one: a little excess charge is right."""

_RISE, _GROWTH = 1e-5, 2.0
"""Mobile part at which a Newton step from below an immobile part ends, and the factor by which a small one may grow."""


def limit_fraction(u: Array, step: Array, ceiling: float | Array, immobile: float | Array = 0.0) -> Array:
    """Newton step of a fraction, limited so that its mobile part stays positive.

    Downward a step takes at most a factor e (and need not end below 1e-6); upward it adds at most the larger of the
    mobile fraction and 0.1. Beside an immobile part D of the mobile part rises steeply from next to nothing: there a
    step adds at most twice the mobile part or 1e-3, or it would swing between both sides of the rise. An ion may be
    below its immobile part, as D is small there and not zero: all of it counts, and a step ends where D begins to rise.
    """
    above = u > immobile + 2.0 * FRACTION_FLOOR
    beside = immobile > 0.0
    held = jnp.where(above, immobile, 0.0)
    mobile = jnp.maximum(u - held, FRACTION_FLOOR)
    least = jnp.maximum(mobile * mobile / (mobile - jnp.minimum(step, 0.0)), 0.37 * mobile)
    down = jnp.maximum(least, jnp.minimum(mobile, 1e-6))
    most = jnp.where(beside, jnp.maximum(_GROWTH * mobile, 1e-3), jnp.maximum(mobile, 0.1))
    up = mobile + jnp.minimum(step, most)
    end = jnp.where(above | ~beside, ceiling, immobile + _RISE)
    return jnp.minimum(held + jnp.maximum(jnp.where(step < 0.0, down, up), FRACTION_FLOOR), end)


def limit_fractions(medium: Mixture, y: Unknowns, change: Unknowns, room: float = 1.0) -> Unknowns:
    """Newton step of the carried fractions of a mixture, limited so that the mobile part of every ion stays positive.

    Carried ions that hold more than all charge give back in proportion, so that none is left negative for the ion that
    is not carried.

    Parameters
    ----------
    medium
        Material.
    y, change
        Carried fractions and their correction.
    room
        Largest charge of all carried ions together, in units of the charge of the bulk.
    """
    most = room * medium.background

    def limited(k: int, c: Array, step: Array) -> Array:
        return limit_fraction(c, step, most / medium.charges[k], medium.immobile[k])

    if not y:
        return ()
    held = [limited(k, c, step) for k, c, step in zip(medium.carried, y, change, strict=True)]
    charge = functools.reduce(jnp.add, [medium.charges[k] * c for k, c in zip(medium.carried, held, strict=True)])
    share = jnp.minimum(most / charge, 1.0)
    return tuple(c * share for c in held)
