"""The mesh around one front: ends, monotony, where the cells are."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from npp_jax.simulation.mesh.front_mesh import front_mesh

BEHIND, AHEAD = 80, 30


@pytest.mark.parametrize("front", [0.05, 3.0, 100.0, 3000.0])
@pytest.mark.parametrize("sharpness", [0.5, 10.0, 1e4])
@pytest.mark.parametrize("extent", [2.0, 10.0, 200.0])
def test_faces_rise_from_the_surface_over_the_front_to_the_reach(front: float, sharpness: float, extent: float) -> None:
    scale = front / sharpness
    reach = extent * scale
    faces = np.asarray(front_mesh(BEHIND, AHEAD, *map(jnp.asarray, (front, scale, reach))))
    assert faces.shape == (BEHIND + AHEAD + 1,)
    assert faces[0] == 0.0
    assert faces[BEHIND] == pytest.approx(front, rel=1e-14)
    assert faces[-1] == pytest.approx(front + reach, rel=1e-14)
    assert np.all(np.diff(faces) > 0.0)


def test_cells_are_fine_at_the_front_and_change_evenly() -> None:
    faces = np.asarray(front_mesh(BEHIND, AHEAD, *map(jnp.asarray, (100.0, 2.0, 40.0))))
    width = np.diff(faces)
    # A tenth of the length to be resolved.
    assert width[BEHIND - 1] < 0.1 * 2.0
    assert np.argmin(width) in range(BEHIND - 3, BEHIND + 2)
    # The first cells at the surface change most.
    np.testing.assert_allclose(width[1:] / width[:-1], 1.0, atol=0.35)
    assert width[BEHIND] / width[BEHIND - 1] == pytest.approx(1.0, abs=0.1)


def test_the_mesh_scales_with_its_lengths_and_is_smooth_in_them() -> None:
    lengths = jnp.asarray([100.0, 2.0, 40.0])
    faces = front_mesh(BEHIND, AHEAD, *lengths)
    np.testing.assert_allclose(front_mesh(BEHIND, AHEAD, *(7.0 * lengths)), 7.0 * faces, rtol=1e-13)
    step = 1e-5
    moved = [front_mesh(BEHIND, AHEAD, *(lengths * (1.0 + s * step))) for s in (1.0, -1.0)]
    slope = jax.jvp(lambda a: front_mesh(BEHIND, AHEAD, *a), (lengths,), (lengths,))[1]
    np.testing.assert_allclose(slope, (moved[0] - moved[1]) / (2.0 * step), rtol=1e-7, atol=1e-7)
    batch = front_mesh(BEHIND, AHEAD, *jnp.stack([lengths, 3.0 * lengths], axis=1))
    np.testing.assert_allclose(batch[:, 0], faces, rtol=1e-14)
