"""Block-tridiagonal systems: both algorithms against a dense solution, and which device takes which."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from npp_jax.simulation.schemes.scheme import in_blocks
from npp_jax.solver.block_tridiagonal import _by_halves, _in_order, solve

BATCH = 4


def system(cells: int, size: int, seed: int = 0):
    """Blocks and two right-hand sides of a system whose diagonal dominates, and its dense matrix."""
    rng = np.random.default_rng(seed)
    low, mid, up = 0.3 * rng.normal(size=(3, size, size, cells, BATCH))
    mid += 4.0 * np.eye(size)[:, :, None, None]
    rhs = rng.normal(size=(2, size, cells, BATCH))
    dense = np.zeros((BATCH, cells, size, cells, size))
    for k in range(cells):
        for blocks, other in ((low, k - 1), (mid, k), (up, k + 1)):
            if 0 <= other < cells:
                dense[:, k, :, other, :] = np.moveaxis(blocks[:, :, k], -1, 0)
    blocks = [tuple(tuple(jnp.asarray(part) for part in line) for line in block) for block in (low, mid, up)]
    vectors = [tuple(jnp.asarray(part) for part in b) for b in rhs]
    return blocks, vectors, dense.reshape(BATCH, cells * size, cells * size)


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", [_in_order, _by_halves])
@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("cells", [1, 2, 3, 6, 100, 101])
def test_solution_is_that_of_the_dense_system(algorithm, size, cells):
    blocks, vectors, dense = system(cells, size)
    # What stands before the first and beyond the last cell is ignored.
    for found, b in zip(algorithm(*blocks, tuple(vectors)), vectors, strict=True):
        right = np.stack(b, axis=1).reshape(cells * size, BATCH)
        wanted = np.linalg.solve(dense, right.T[..., None])[..., 0].T.reshape(cells, size, BATCH)
        np.testing.assert_allclose(np.stack(found, axis=1), wanted, rtol=0.0, atol=1e-14)


@pytest.mark.parametrize("algorithm", [_in_order, _by_halves])
def test_an_entry_left_out_is_zero(algorithm):
    (lower, diagonal, upper), vectors, _ = system(12, 3)
    blocks = [
        (lower, [(0, 1), (0, 2), (1, 0), (1, 2)]),
        (diagonal, [(0, 1), (2, 0)]),
        (upper, [(2, 0), (2, 1), (2, 2), (0, 1)]),
    ]

    def without(put, block, places):
        rows = [
            [put(entry) if (i, j) in places else entry for j, entry in enumerate(row)] for i, row in enumerate(block)
        ]
        return tuple(map(tuple, rows))

    zeros = [without(jnp.zeros_like, *pair) for pair in blocks]
    sparse = [without(lambda _: None, *pair) for pair in blocks]
    wanted = algorithm(*zeros, tuple(vectors))
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=0.0, atol=1e-14), algorithm(*sparse, tuple(vectors)), wanted
    )


def test_derivative_by_the_right_hand_side_is_the_solution_in_both_modes():
    blocks, (b, tangent), _ = system(10, 2)
    expected, found = jax.jvp(lambda b: solve(*blocks, b)[0], (b,), (tangent,))
    (along,) = solve(*blocks, tangent)
    jax.tree.map(np.testing.assert_array_equal, found, along)
    # ⟨y, A⁻¹ t⟩ = ⟨A⁻ᵀ y, t⟩
    (back,) = jax.vjp(lambda b: solve(*blocks, b)[0], b)[1](expected)
    inner = lambda p, q: sum(float(jnp.vdot(u, v)) for u, v in zip(p, q, strict=True))  # noqa: E731
    assert inner(expected, found) == pytest.approx(inner(back, tangent), rel=1e-12)


@pytest.mark.parametrize("platform", ["cpu", "cuda"])
def test_an_accelerator_gets_programs_without_loops_over_cells(platform):
    blocks, vectors, _ = system(100, 1)
    direct = jax.jit(lambda *blocks: solve(*blocks, *vectors))
    faces = jax.jit(lambda u: in_blocks(lambda u: (jnp.exp(u),), u))
    for traced in (direct.trace(*blocks), faces.trace(vectors[0][0])):
        loops = traced.lower(lowering_platforms=(platform,)).as_text().count("stablehlo.while")
        assert (loops > 0) == (platform == "cpu")
