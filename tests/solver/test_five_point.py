"""Five-point systems on a rectangle of cells: against a dense solution, with one level and with two."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from npp_jax.solver.five_point import Network, apply, multigrid, solve

ROWS, COLUMNS = 6, 8


def network(rng: np.random.Generator, barrier: float) -> tuple[Network, np.ndarray]:
    """Random conductances; two regions, left and right, joined by conductances smaller by a factor."""
    region = np.zeros((ROWS, COLUMNS), int)
    region[:, COLUMNS // 2 :] = 1
    mass = rng.uniform(0.5, 2.0, (ROWS, COLUMNS))
    west, north = rng.uniform(0.5, 2.0, (2, ROWS, COLUMNS))
    west[:, 0], north[0] = 0.0, 0.0
    west[:, COLUMNS // 2] *= barrier
    side = rng.uniform(0.5, 2.0, ROWS)
    return Network(*map(jnp.asarray, (mass, west, north, side))), region


def coarser(fine: Network) -> tuple[Network, np.ndarray]:
    """Pairs of rows and columns in one cell: conductances of the faces between them add up."""
    pairs = lambda a: a.reshape(ROWS // 2, 2, COLUMNS // 2, 2).sum(axis=(1, 3))  # noqa: E731
    even_columns, even_rows = np.arange(COLUMNS) % 2 == 0, np.arange(ROWS) % 2 == 0
    coarse = Network(
        pairs(fine.mass),
        pairs(jnp.where(even_columns, fine.west, 0.0)),
        pairs(jnp.where(even_rows[:, None], fine.north, 0.0)),
        fine.side.reshape(-1, 2).sum(axis=1),
    )
    row, column = np.indices((ROWS, COLUMNS)) // 2
    return coarse, row * (COLUMNS // 2) + column


@pytest.mark.slow
@pytest.mark.parametrize("levels", [1, 2])
@pytest.mark.parametrize("barrier", [1.0, 1e-6])
def test_solution_is_that_of_the_dense_system(levels: int, barrier: float, rng: np.random.Generator) -> None:
    fine, region = network(rng, barrier)
    grids, into = (fine,), ()
    if levels == 2:
        coarse, cells = coarser(fine)
        grids, into = (fine, coarse), (jnp.asarray(cells),)
    factor, b = jnp.asarray(3.0), jnp.asarray(rng.normal(size=(ROWS, COLUMNS)))
    matrix = np.asarray(jax.jacfwd(lambda u: apply(fine, factor, u))(b)).reshape(b.size, b.size)
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-14)
    np.testing.assert_allclose(fine.mass + factor * fine.diagonal(), np.diag(matrix).reshape(b.shape), rtol=1e-14)
    prepared = multigrid(grids, into, jnp.asarray(region), 2)
    u, count = jax.jit(lambda b: solve(prepared, factor, b, tolerance=1e-13))(b)
    np.testing.assert_allclose(np.ravel(u), np.linalg.solve(matrix, np.ravel(b)), rtol=1e-9, atol=1e-10)
    assert int(count) < 40
    # What enters is stored or leaves through the side.
    balance = jnp.sum(fine.mass * u) + factor * jnp.sum(fine.side * u[:, 0])
    assert float(balance) == pytest.approx(float(jnp.sum(b)), abs=1e-12)


def test_regions_that_hardly_couple_cost_no_iterations(rng: np.random.Generator) -> None:
    """The exact correction by a constant for each region takes up what a barrier makes slow."""
    counts = []
    for barrier in (1.0, 1e-9):
        fine, region = network(np.random.default_rng(0), barrier)
        prepared = multigrid((fine,), (), jnp.asarray(region), 2)
        b = jnp.asarray(rng.normal(size=(ROWS, COLUMNS)))
        counts.append(int(solve(prepared, jnp.asarray(1e3), b, tolerance=1e-10)[1]))
    assert counts[1] <= counts[0] + 2


def test_a_flat_state_is_kept() -> None:
    """Without a side nothing flows where all is equal, however large the conductances are."""
    fine, region = network(np.random.default_rng(0), 1.0)
    closed = fine._replace(side=jnp.zeros(ROWS))
    prepared = multigrid((closed,), (), jnp.asarray(region), 2)
    u, _ = solve(prepared, jnp.asarray(1e8), closed.mass * 0.7, tolerance=1e-12)
    np.testing.assert_allclose(u, 0.7, rtol=1e-12)
