"""Lengths of a mesh."""

import jax.numpy as jnp
import numpy as np

from npp_jax.simulation.mesh.geometry import geometry

FACES = jnp.asarray([0.0, 1.0, 3.0, 7.0])


def test_lengths_add_up_to_the_thickness() -> None:
    velocity = jnp.asarray([0.0, 0.1, 0.2, 0.3])
    here = geometry(FACES, velocity, jnp.asarray(10.0))
    np.testing.assert_array_equal(here.width, [1.0, 2.0, 4.0])
    np.testing.assert_array_equal(here.distance, [1.5, 3.0])
    np.testing.assert_array_equal(here.velocity, [0.1, 0.2])
    assert float(here.outer_velocity) == 0.3
    assert float(jnp.sum(here.field_weight) + here.beyond) == 10.0
    # The first reaches from the surface to the centre of the second cell.
    assert float(here.field_weight[0]) == 2.0


def test_trailing_axes_are_a_batch() -> None:
    faces = jnp.stack([FACES, 2.0 * FACES], axis=1)
    both = geometry(faces, 0.1 * faces, jnp.asarray([10.0, 20.0]))
    alone = geometry(2.0 * FACES, 0.2 * FACES, jnp.asarray(20.0))
    for one, other in zip(both, alone, strict=True):
        np.testing.assert_allclose(one[..., 1], other, rtol=1e-15)
