"""The error estimate: the mean square of a difference over the depth of the mesh, finite without a front."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import base

from npp_jax.simulation.judge import judge
from npp_jax.simulation.simulate import FAST, simulate
from npp_jax.simulation.solution import Solution
from npp_jax.simulation.status import Status


@pytest.fixture(scope="module")
def solution() -> Solution:
    return jax.jit(lambda e: simulate(e, FAST))(base())


def test_a_cell_counts_by_its_width(solution: Solution):
    faces = np.asarray(solution.faces[-1])
    reach = min(1.5 * float(solution.front_depth[-1]), faces[-1])
    for cell in (3, 40, 65, 90):
        moved = dataclasses.replace(solution, fraction=solution.fraction.at[-1, 0, cell + 1].add(0.1))
        share = (min(faces[cell + 1], reach) - faces[cell]) / reach
        assert float(judge(moved, solution, FAST).report.profile_error[-1]) == pytest.approx(0.1 * share**0.5, rel=1e-9)


@pytest.mark.parametrize("front", [0.0, 1e-13])
def test_without_a_front_runs_that_are_alike_have_no_error(solution: Solution, front: float):
    flat = dataclasses.replace(solution, front_depth=jnp.full_like(solution.front_depth, front))
    report = judge(flat, flat, FAST).report
    assert float(report.profile_error[-1]) == pytest.approx(0.0, abs=1e-12)
    assert int(report.status) == Status.DONE
