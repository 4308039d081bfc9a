"""Predicted course of a stage with two ions: charge and time are inverse, the mesh follows the front."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import base

from npp_jax.physics.front_theory import front_theory
from npp_jax.simulation.mesh.predicted import Place, PredictedCourse
from npp_jax.simulation.units import medium_of

CHARGES = jnp.asarray([1e-3, 0.1, 3.0, 40.0, 89.0])
STAGES = {
    "potential": {},
    "rising potential": {"charge_C_m2": None, "duration_s": 1e5, "potential_end_V": 20.0},
    "current": {"potential_V": None, "current_density_A_m2": 2e-3},
    "falling current": {
        "charge_C_m2": None,
        "duration_s": 2e5,
        "potential_V": None,
        "current_density_A_m2": 2e-3,
        "current_density_end_A_m2": 1e-3,
    },
}


def course(kind: str, charge: float = 0.0) -> PredictedCourse:
    """Of the base case, after some charge [nm] has passed."""
    experiment = jax.tree.map(jnp.asarray, base(**STAGES[kind]))
    stage = experiment.stages[0]
    medium = medium_of(experiment, stage)
    theory = front_theory(medium.native, medium.foreign, stage.temperature)
    passed = jnp.asarray(charge)
    place = Place(theory.speed * passed, 0.01 * passed, 0.0 * passed)
    return PredictedCourse(medium=medium, theory=theory, front=stage.front, place=place, charge=passed)


@pytest.mark.slow
@pytest.mark.parametrize("before", [0.0, 50.0])
@pytest.mark.parametrize("kind", STAGES)
def test_charge_and_time_are_inverse_and_the_current_is_their_slope(kind: str, before: float) -> None:
    here = course(kind, before)
    time = jax.vmap(here.time_at)(CHARGES)
    assert bool(jnp.all(jnp.diff(time) > 0.0))
    np.testing.assert_allclose(jax.vmap(here.charge_at)(time), CHARGES, rtol=1e-9)
    slope = jax.vmap(jax.grad(here.charge_at))(time)
    np.testing.assert_allclose(jax.vmap(here.current_at)(CHARGES), slope, rtol=1e-7)


def test_a_given_current_is_that_of_the_beam() -> None:
    here = course("current")
    assert float(here.current_at(CHARGES[2]) * here.current_unit()) == pytest.approx(2e-3, rel=1e-14)
    assert not here.resting


@pytest.mark.parametrize("kind", STAGES)
def test_faces_rise_and_follow_the_front(kind: str) -> None:
    here, behind, ahead = course(kind), 60, 25
    faces = np.asarray(jax.vmap(lambda q: here.faces_at(q, behind, ahead))(CHARGES))
    assert np.all(faces[:, 0] == 0.0)
    assert np.all(np.diff(faces, axis=1) > 0.0)
    assert np.all(faces[:, -1] < float(here.medium.thickness))
    np.testing.assert_allclose(faces[:, behind], here.theory.speed * CHARGES, rtol=1e-13)
    # In the clock every face moves into the sample.
    assert np.all(np.diff(faces[:, 1:], axis=0) > 0.0)


def test_a_mesh_is_no_part_of_the_problem() -> None:
    here = course("potential")
    _, slope = jax.jvp(lambda q: here.faces_at(q, 60, 25), (CHARGES[3],), (jnp.ones(()),))
    np.testing.assert_array_equal(slope, 0.0)


def test_a_stage_goes_on_where_the_one_before_has_ended() -> None:
    """The place at the end of one course is the start of the next, whose front is as deep at no charge."""
    first = course("potential")
    end = first.place_at(jnp.asarray(50.0))
    later = replace(first, place=end, charge=jnp.asarray(50.0))
    assert float(later.place_at(jnp.asarray(0.0)).front) == float(end.front)
    both = float(later.place_at(jnp.asarray(30.0)).front)
    assert both == pytest.approx(float(first.place_at(jnp.asarray(80.0)).front), rel=1e-12)
    # The resistance of the layer that is there already.
    assert float(later.current_at(jnp.asarray(1e-9))) == pytest.approx(float(first.current_at(jnp.asarray(50.0))))
