"""Course of a stage that an earlier pass has found, and the faces of a pass that finds one on the way."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import four_ions

from npp_jax.physics import Drive, IonBeamCurrent
from npp_jax.simulation.mesh.even_mesh import graded_faces
from npp_jax.simulation.mesh.found import FoundCourse, Table
from npp_jax.simulation.seek import advected_faces as advected_faces
from npp_jax.simulation.seek import merged_faces
from npp_jax.simulation.units import mixture_of

CLOCK = jnp.asarray([1.0, 3.0, 10.0, 20.0])
TIME = 0.5 * CLOCK**1.5
THICKNESS = 1000.0


def faces(scale: float) -> jax.Array:
    return graded_faces(30, jnp.asarray(scale), jnp.asarray(THICKNESS))


def course(stage: int = 1, drive: Drive | None = None) -> FoundCourse:
    """Of the melt (0), the beam (1) or the rest (2) of the case of four ions; a drive makes the current given."""
    experiment = jax.tree.map(jnp.asarray, four_ions())
    chosen = experiment.stages[stage]
    if drive is not None:
        chosen = replace(chosen, front=IonBeamCurrent("Cs", drive))
    meshes = jnp.stack([faces(scale) for scale in (1.0, 3.0, 10.0, 20.0)])
    state = (jnp.linspace(0.0, 1.0, 4)[:, None] * jnp.ones(30),)
    return FoundCourse(mixture_of(experiment, chosen, 0.0), chosen.front, Table(CLOCK, TIME, meshes, state))


def test_rows_of_the_table_are_returned() -> None:
    here = course()
    for k in range(4):
        np.testing.assert_allclose(here.faces_at(CLOCK[k], 0, 0), here.table.faces[k], rtol=1e-12)
        np.testing.assert_allclose(here.state_at(CLOCK[k])[0], here.table.state[0][k], atol=1e-12)
    np.testing.assert_allclose(jax.vmap(here.charge_at)(TIME), CLOCK, rtol=1e-12)
    assert float(here.current_at(CLOCK[0])) == pytest.approx(2.0 / float(TIME[1] - TIME[0]))


@pytest.mark.parametrize("clock", [0.0, 1.0, 2.2, 15.0, 20.0, 99.0])
def test_faces_rise_between_the_ends_and_stand_still_outside_of_the_table(clock: float) -> None:
    here = course()
    found = np.asarray(here.faces_at(jnp.asarray(clock), 0, 0))
    assert found[0] == 0.0
    assert found[-1] == pytest.approx(THICKNESS, rel=1e-14)
    assert np.all(np.diff(found) > 0.0)
    if clock < 1.0:
        np.testing.assert_array_equal(found, here.table.faces[0])
    if clock > 20.0:
        np.testing.assert_allclose(found, here.table.faces[-1], rtol=1e-14)
    _, slope = jax.jvp(lambda s: here.faces_at(s, 0, 0), (jnp.asarray(clock),), (jnp.ones(()),))
    np.testing.assert_array_equal(slope, 0.0)


def test_with_a_given_current_charge_and_time_are_inverse() -> None:
    """The current tells them, not the table."""
    here = course(drive=Drive.trace(jnp.asarray([0.0, 1e4, 1e6]), jnp.asarray([1e-3, 2e-3, 5e-4])))
    charges = jnp.asarray([0.01, 1.0, 30.0])
    time = jax.vmap(here.time_at)(charges)
    np.testing.assert_allclose(jax.vmap(here.charge_at)(time), charges, rtol=1e-9)
    slope = jax.vmap(jax.grad(here.charge_at))(time)
    np.testing.assert_allclose(jax.vmap(here.current_at)(charges), slope, rtol=1e-7)


def test_without_a_beam_the_clock_is_time() -> None:
    assert [course(stage).resting for stage in range(3)] == [True, False, True]


@pytest.mark.parametrize("stage", [0, 1, 2])
def test_faces_that_go_with_the_waves_rise_and_keep_the_ends(stage: int) -> None:
    here, start = course(stage), faces(5.0)
    for clock, end in ((0.0, 1.0), (1.0, 1.5), (10.0, 400.0)):
        moved = np.asarray(advected_faces(here, start, jnp.asarray(clock), jnp.asarray(end), jnp.asarray(40.0)))
        assert moved[0] == 0.0
        assert moved[-1] == pytest.approx(THICKNESS)
        assert np.all(np.diff(moved) > 0.0)
        assert np.all(moved >= np.asarray(start) * (1.0 - 1e-12))


def test_merged_faces_have_the_mean_density() -> None:
    one, other = faces(2.0), jnp.linspace(0.0, THICKNESS, 31)
    merged = np.asarray(merged_faces(one, other))
    assert merged[0] == 0.0
    assert merged[-1] == THICKNESS
    assert np.all(np.diff(merged) > 0.0)
    count = 0.5 * (np.interp(merged, one, np.arange(31)) + np.interp(merged, other, np.arange(31)))
    np.testing.assert_allclose(count, np.arange(31), atol=1e-9)
    np.testing.assert_allclose(merged_faces(one, one), one, rtol=1e-12, atol=1e-12)
