"""Orders of accuracy of the engine in space and in time, each with the other held."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import pytest
from cases import NM, PLAIN, base, simulated

from npp_jax.physics import Experiment

DEPTH = jnp.linspace(5.0, 90.0, 100) * NM
COARSE = replace(PLAIN, cells_behind=40, cells_ahead=16, steps=8, trace=False, observables=False)


def profile(experiment: Experiment, cells: int, steps: int) -> jax.Array:
    """Native fraction at the end with so many times the cells and the steps of the coarse settings."""
    behind, ahead = cells * COARSE.cells_behind, cells * COARSE.cells_ahead
    controls = replace(COARSE, cells_behind=behind, cells_ahead=ahead, steps=steps * COARSE.steps)
    return simulated(controls)(experiment).profile(DEPTH)[0]


def order(coarse: jax.Array, middle: jax.Array, fine: jax.Array) -> float:
    """Order of accuracy from profiles at doubled resolutions."""
    first, second = (jnp.sqrt(jnp.mean((a - b) ** 2)) for a, b in ((coarse, middle), (middle, fine)))
    return float(jnp.log2(first / second))


@pytest.mark.slow
def test_order_in_space() -> None:
    assert order(*(profile(base(), factor, 1) for factor in (1, 2, 4))) > 1.95


@pytest.mark.slow
def test_order_in_time() -> None:
    """A potential that rises to its tenfold during the stage: the mesh follows nothing that is self-similar."""
    ramp = base(charge_C_m2=None, duration_s=2e5, potential_V=1.0, potential_end_V=10.0)
    profiles = [profile(ramp, 1, factor) for factor in (1, 2, 4)]
    # The steps, not rounding, make the difference.
    assert float(jnp.abs(profiles[0] - profiles[1]).max()) > 1e-4
    assert order(*profiles) > 1.95
