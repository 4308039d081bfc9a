"""Ladders of capacities and conductances: solution, total, derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from npp_jax.solver.ladder import ladder_product, solve_ladder


@pytest.mark.parametrize("ratio", [1e-3, 1.0, 1e9])
def test_ladder_solves_its_system_and_keeps_the_total(ratio: float, rng: np.random.Generator):
    capacity, link, rhs = (jnp.asarray(rng.uniform(0.5, 2.0, n)) for n in (60, 59, 60))
    link = ratio * link
    x = jax.jit(solve_ladder)(capacity, link, rhs)
    matrix = np.asarray(jax.jacfwd(lambda v: ladder_product(capacity, link, v))(x))
    np.testing.assert_allclose(matrix, matrix.T)
    # The matrix as stored has lost the digits of the capacity; its eigenvalue of the constant vector decides.
    np.testing.assert_allclose(x, np.linalg.solve(matrix, np.asarray(rhs)), rtol=1e-14 * max(ratio, 1e2))
    np.testing.assert_allclose(jnp.sum(capacity * x), jnp.sum(rhs), rtol=2e-14)


def test_ladder_derivatives(rng: np.random.Generator):
    arguments = tuple(jnp.asarray(rng.uniform(0.5, 2.0, n)) for n in (7, 6, 7))
    check_grads(jax.jit(solve_ladder), arguments, 1, rtol=1e-7, atol=1e-7)
    stacked = jax.tree.map(lambda a: jnp.stack([a, 2.0 * a]), arguments)
    np.testing.assert_allclose(jax.vmap(solve_ladder)(*stacked)[0], solve_ladder(*arguments), rtol=1e-14)
