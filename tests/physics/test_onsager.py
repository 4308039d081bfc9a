"""Onsager coefficients and effective diffusion coefficients."""

import jax.numpy as jnp
import numpy as np
import pytest

from npp_jax.constants import BOLTZMANN, ELEMENTARY_CHARGE
from npp_jax.physics import onsager_coefficient
from npp_jax.physics.nernst_einstein import nernst_einstein_conductivity, tracer_from_cait


def test_onsager_coefficients_are_another_basis() -> None:
    """L = D_eff n/kT; all ions together give the Nernst–Einstein conductivity, σ = e² Σ z² L."""
    D, n, T = jnp.asarray([1e-18, 3e-20]), jnp.asarray([1.0e28, 0.2e28]), 350.0
    L = onsager_coefficient(D, n, T)
    back = L * BOLTZMANN * T / n
    np.testing.assert_allclose(back, D, rtol=1e-14)
    sigma = nernst_einstein_conductivity(D[0], n[0], T) + nernst_einstein_conductivity(D[1], n[1], T, charge_number=2)
    together = ELEMENTARY_CHARGE**2 * jnp.sum(jnp.asarray([1.0, 4.0]) * L)
    assert float(together) == pytest.approx(float(sigma), rel=1e-12)
    # Eqns (8), (9): D_eff = 2 D*.
    np.testing.assert_allclose(2.0 * tracer_from_cait(back), D, rtol=1e-14)
