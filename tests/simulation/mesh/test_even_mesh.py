"""Meshes that spread the interpolation error evenly."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from npp_jax.simulation.mesh.even_mesh import even_error_faces, graded_faces, remap


def test_mesh_follows_two_fronts_and_remap_keeps_amounts() -> None:
    faces = graded_faces(80, jnp.asarray(5.0), jnp.asarray(1e4))
    assert float(faces[0]) == 0.0
    assert float(faces[-1]) == 1e4
    centre = 0.5 * (faces[1:] + faces[:-1])
    profile = jax.nn.sigmoid((centre - 40.0) / 6.0) + jax.nn.sigmoid((centre - 150.0) / 20.0)
    new = even_error_faces(faces, profile[None], jnp.asarray([2.0]))
    width = jnp.diff(new)
    assert bool(jnp.all(width > 0.0))
    near = lambda x: float(width[jnp.argmin(jnp.abs(new[:-1] - x))])  # noqa: E731
    assert near(40.0) < 0.5 * near(95.0)
    assert near(150.0) < near(300.0)
    amount = profile * jnp.diff(faces)
    moved = remap(amount, faces, new)
    assert float(jnp.sum(moved)) == pytest.approx(float(jnp.sum(amount)), rel=1e-14)
    np.testing.assert_allclose(moved / width, jnp.interp(0.5 * (new[1:] + new[:-1]), centre, profile), atol=0.05)
