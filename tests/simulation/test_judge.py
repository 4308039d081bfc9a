"""The error estimate: the mean square of a difference over the depth of the mesh, finite without a front."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import base

from npp_jax.simulation.judge import judge
from npp_jax.simulation.simulate import ACCURATE, FAST, simulate
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


@pytest.mark.parametrize(("update", "status"), [(1e-9, Status.DONE), (3e-3, Status.COARSE)])
def test_an_unfinished_iteration_leaves_half_of_the_target(solution: Solution, update: float, status: Status):
    """Two runs that end short of convergence are alike in what they miss: their difference is less than the error."""
    report = dataclasses.replace(solution.report, newton_update=jnp.asarray(update))
    found = dataclasses.replace(solution, report=report)
    reach = np.asarray(found.faces[-1]) <= 1.4 * float(found.front_depth[-1])
    off = 0.75 * ACCURATE.profile_target * np.sqrt(1.5 / 1.4) * reach[:-1]
    moved = dataclasses.replace(found, fraction=found.fraction.at[-1, 0, 1:-1].add(off))
    judged = judge(found, moved, ACCURATE).report
    assert 0.5 * ACCURATE.profile_target < float(judged.profile_error[-1]) < ACCURATE.profile_target
    assert int(judged.status) == status
