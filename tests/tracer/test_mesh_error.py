"""What a fit owes to its mesh, and starts far from the minimum."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from npp_jax.commands.tracer.report import mesh_lines
from npp_jax.tracer.boundaries import chain_of_grains
from npp_jax.tracer.chain_fit import fit_boundaries
from npp_jax.tracer.diffusion import ConstantSurface, DiffusionStage, diffuse, profile_at
from npp_jax.tracer.measured import MeasuredProfile
from npp_jax.tracer.mesh_error import mesh_error
from npp_jax.tracer.profile_fit import fit_profile
from npp_jax.tracer.tracer_fit import TracerFit

SIZES = jnp.asarray([10e-6, 30e-6, 15e-6, 25e-6])
TRUTH, D_BULK, SIGMA = np.asarray([1e-8, 5e-8, 2e-8]), 3e-12, 0.003
STAGES = [DiffusionStage(1800.0, left=ConstantSurface(0.9)), DiffusionStage(900.0)]
POSITION = jnp.linspace(0.5e-6, 79e-6, 60)


@pytest.fixture(scope="module")
def profiles() -> list[MeasuredProfile]:
    """Profiles without noise of a mesh that is fine enough."""
    chain = chain_of_grains(SIZES, TRUTH, D_BULK, cells=64)
    solved = jax.jit(lambda start: diffuse(chain, start, STAGES, steps=128).fraction)(jnp.full(4 * 64, 0.05))
    return [MeasuredProfile(POSITION, profile_at(chain, values, POSITION), SIGMA) for values in solved]


def fitted(profiles: list[MeasuredProfile], cells: int, **start: object) -> TracerFit:
    given = {"D_bulk": D_BULK, "permeability": 2e-8, **start}
    return fit_boundaries(SIZES, 0.05, STAGES, profiles, cells=cells, **given)  # pyright: ignore[reportArgumentType]


def test_a_coarse_mesh_tells_how_far_it_moves_what_is_found(profiles: list[MeasuredProfile]):
    fit = fitted(profiles, 2)
    away = np.log(fit.theta / TRUTH) / fit.fitted("permeability_m_s").sigma_scaled
    assert np.max(np.abs(away)) > 0.5
    np.testing.assert_allclose(mesh_error(fit), away, rtol=0.3, atol=0.05)
    assert "too coarse" in mesh_lines(fit)[0]
    # What is held at an end of its range has no error to compare with.
    free = jnp.arange(len(fit.theta)) > 0
    errors = dataclasses.replace(
        fit.covariance,
        scaled=fit.covariance.scaled * jnp.outer(free, free),
        standard_error_scaled=fit.covariance.standard_error_scaled * free,
    )
    held = mesh_error(dataclasses.replace(fit, covariance=errors))
    assert held[0] == 0.0 and np.all(np.isfinite(held)) and np.abs(held[1:]).max() > 0.1


def test_a_fine_mesh_and_a_closed_form_say_nothing(profiles: list[MeasuredProfile]):
    fine = fitted(profiles, 16, D_bulk=1e-12, permeability=[1e-7, 1e-9, 1e-8], fit_bulk=True)
    # The start is far off: a line through it leads to boundaries without an effect.
    assert fine.converged
    np.testing.assert_allclose(fine.theta, [*TRUTH, D_BULK], rtol=2e-2)
    assert mesh_lines(fine) == []
    closed = fit_profile(profiles[0], 1800.0, start=1e-12, profile_points=0)
    assert np.all(mesh_error(closed) == 0.0)
