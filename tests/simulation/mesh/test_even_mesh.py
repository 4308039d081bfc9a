"""Meshes that spread the interpolation error evenly."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from npp_jax.simulation.mesh.even_mesh import divided, even_error_faces, graded_faces, linear, remap


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


@pytest.mark.parametrize("scale", [1e-3, 5.0, 1e6])
def test_graded_faces_rise_between_the_ends(scale: float) -> None:
    faces = np.asarray(graded_faces(40, jnp.asarray(scale), jnp.asarray(1e4)))
    assert faces[0] == 0.0
    assert faces[-1] == 1e4
    assert np.all(np.diff(faces) > 0.0)
    assert np.all(np.diff(faces, n=2) > -1e-9)


def test_a_mesh_divided_has_the_density_of_the_first() -> None:
    faces = graded_faces(40, jnp.asarray(5.0), jnp.asarray(1e4))
    finer = np.asarray(divided(faces, 80))
    assert finer.shape == (81,)
    np.testing.assert_allclose(finer[::2], faces, rtol=1e-12)
    assert np.all(np.diff(finer) > 0.0)
    np.testing.assert_allclose(divided(faces, 40), faces, rtol=1e-12)


def test_linear_interpolation_goes_on_beyond_the_ends() -> None:
    knots = jnp.asarray([0.0, 1.0, 4.0])
    found = linear(jnp.asarray([-1.0, 0.5, 2.0, 5.0]), knots, jnp.asarray([0.0, 2.0, -1.0]))
    np.testing.assert_allclose(found, [-2.0, 1.0, 1.0, -2.0], atol=1e-15)


def test_both_ends_are_resolved_where_both_change() -> None:
    faces = jnp.linspace(0.0, 100.0, 101)
    centre = 0.5 * (faces[1:] + faces[:-1])
    change = jnp.exp(-centre / 5.0) + jnp.exp((centre - 100.0) / 5.0)
    width = jnp.diff(even_error_faces(faces, 1.0 - 0.5 * change[None], jnp.ones(1), both_ends=True))
    assert bool(jnp.all(width > 0.0))
    assert float(jnp.maximum(width[0], width[-1])) < 0.5 * float(width[50])
    np.testing.assert_allclose(width, width[::-1], rtol=0.3)


def test_remap_keeps_what_is_even_and_adds_up_by_parts() -> None:
    old = graded_faces(30, jnp.asarray(2.0), jnp.asarray(50.0))
    new = jnp.linspace(0.0, 50.0, 31)
    np.testing.assert_allclose(remap(0.3 * jnp.diff(old), old, new), 0.3 * jnp.diff(new), rtol=1e-12)
    amount = jnp.diff(old) * jnp.exp(-0.1 * old[1:])
    np.testing.assert_allclose(remap(amount, old, old), amount, rtol=1e-12)
