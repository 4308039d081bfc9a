"""Profiles of couples without a mesh: against error functions, another solver and differences of their derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from couple_theory import DEPTH, TIME, similarity
from jaxtyping import Array
from scipy.optimize import brentq
from scipy.special import erf, erfc

from npp_jax.physics.couple_profile import couple_profile

ETA = (DEPTH - 100e-6) / np.sqrt(TIME)
WHOLE = jnp.asarray([[0.0, 1.0]])
ALL = np.zeros(len(ETA), int)


@pytest.mark.parametrize("slope", [0.0, 1.5])
def test_one_phase_is_that_of_other_solutions(slope: float) -> None:
    exact = 0.5 * erfc(-ETA / 2.0 / np.sqrt(1e-15)) if slope == 0.0 else similarity(slope)[1]
    ln_D = np.log(1e-15) + slope * jnp.linspace(0.0, 1.0, 3)
    found = couple_profile(WHOLE, (ln_D,)).at(jnp.asarray(ETA), ALL)
    np.testing.assert_allclose(found, exact, atol=1e-4)


LIMITS, D = (0.2, 0.7), (1e-15, 4e-16)


def boundary() -> float:
    """η of the boundary of two phases of constant D: the flux into it is the jump times its speed."""

    def missing(eta: float) -> float:
        left, right = (eta / (2.0 * np.sqrt(own)) for own in D)
        flux = [np.sqrt(own / np.pi) * np.exp(-(u**2)) for own, u in zip(D, (left, right), strict=True)]
        below = LIMITS[0] / (1.0 + erf(left)) * flux[0]
        above = (1.0 - LIMITS[1]) / (1.0 - erf(right)) * flux[1]
        return (above - below) + 0.5 * eta * (LIMITS[1] - LIMITS[0])

    return float(np.asarray(brentq(missing, -1e-7, 1e-7, xtol=1e-16)))


def profile(p: Array) -> Array:
    """Fractions and place of the boundary; p are the two limits, then ln D at the ends of the phases."""
    limits = jnp.stack([jnp.zeros_like(p[0]), p[0], p[1], jnp.ones_like(p[0])]).reshape(2, 2)
    found = couple_profile(limits, (p[2:4], p[4:6]))
    return jnp.concatenate(
        [found.at(jnp.asarray(ETA[::20]), (ETA[::20] > boundary()).astype(int)), 1e7 * found.boundary]
    )


def test_two_phases_meet_where_what_flows_in_moves_them() -> None:
    p = jnp.asarray([*LIMITS, *np.log([D[0], D[0], D[1], D[1]])])
    eta, values = boundary(), profile(p)
    np.testing.assert_allclose(values[-1] * 1e-7, eta, atol=2e-4 * np.sqrt(D[0]))
    left, right = (1.0 + erf(ETA[::20] / (2.0 * np.sqrt(D[0])))), (1.0 - erf(ETA[::20] / (2.0 * np.sqrt(D[1]))))
    ends = 1.0 + erf(eta / (2.0 * np.sqrt(D[0]))), 1.0 - erf(eta / (2.0 * np.sqrt(D[1])))
    exact = np.where(ETA[::20] < eta, LIMITS[0] * left / ends[0], 1.0 - (1.0 - LIMITS[1]) * right / ends[1])
    np.testing.assert_allclose(values[:-1], exact, atol=2e-4)


def test_derivatives_agree() -> None:
    p = jnp.asarray([0.2, 0.7, -34.5, -34.0, -35.0, -35.5])
    value = jax.jit(profile)
    forward, reverse = jax.jit(lambda p: (jax.jacfwd(profile)(p), jax.jacrev(profile)(p)))(p)
    np.testing.assert_allclose(forward, reverse, atol=1e-9)
    for k in range(len(p)):
        central = (value(p.at[k].add(1e-5)) - value(p.at[k].add(-1e-5))) / 2e-5
        np.testing.assert_allclose(forward[:, k], central, atol=1e-5 * float(jnp.max(jnp.abs(central))))
    both = jax.jit(jax.vmap(profile))(jnp.stack([p, p + 0.01]))
    np.testing.assert_allclose(both[0], value(p), rtol=1e-12)
