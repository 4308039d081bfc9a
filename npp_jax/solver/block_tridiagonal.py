"""Direct solution of block-tridiagonal systems, one block row a cell.

Blocks are nested tuples of arrays [cell, *batch], so that a block of size one is a plain tridiagonal system and every
operation is elementwise over the batch, which is contiguous. A CPU eliminates cell by cell, which is the least work. An
accelerator, where each turn of a loop costs the launch of a kernel, eliminates every second cell at once, and again.
"""

import functools
from collections.abc import Callable, Iterable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

Block = tuple[tuple[Array | None, ...], ...]
"""Entries [i][j]; None where nothing couples."""
Full = tuple[tuple[Array, ...], ...]
"""A block of which all entries are there."""
Vector = tuple[Array, ...]


def _product(a: Array | None, b: Array | None) -> Array | None:
    return None if a is None or b is None else a * b


def _total(terms: Iterable[Array | None]) -> Array | None:
    present = [term for term in terms if term is not None]
    return functools.reduce(jnp.add, present) if present else None


def _difference(a: Array | None, b: Array | None) -> Array | None:
    if a is None or b is None:
        return a if b is None else -b
    return a - b


def _multiply(a: Block, b: Block) -> Block:
    size = range(len(a))
    return tuple(tuple(_total(_product(a[i][k], b[k][j]) for k in size) for j in size) for i in size)


def _apply(a: Block, x: Vector) -> tuple:
    size = range(len(a))
    return tuple(_total(_product(a[i][k], x[k]) for k in size) for i in size)


def _subtract(a, b):
    return jax.tree.map(_difference, a, b, is_leaf=lambda entry: entry is None)


def _full(a: Block) -> Full:
    """The same with zeros where nothing couples."""
    zero = jnp.zeros_like(jax.tree.leaves(a)[0])
    return tuple(tuple(zero if entry is None else entry for entry in row) for row in a)


def _inverse(block: Block) -> Full:
    """Inverse of a small block by Gauss–Jordan elimination without pivoting."""
    size, a = len(block), _full(block)
    one, zero = jnp.ones_like(a[0][0]), jnp.zeros_like(a[0][0])
    if size == 1:
        return ((one / a[0][0],),)
    if size == 2:
        scale = one / (a[0][0] * a[1][1] - a[0][1] * a[1][0])
        return ((a[1][1] * scale, -a[0][1] * scale), (-a[1][0] * scale, a[0][0] * scale))
    rows = [[*a[i], *(one if i == j else zero for j in range(size))] for i in range(size)]
    for k in range(size):
        pivot = one / rows[k][k]
        rows[k] = [entry * pivot for entry in rows[k]]
        for i in range(size):
            if i != k:
                factor = rows[i][k]
                rows[i] = [entry - factor * other for entry, other in zip(rows[i], rows[k], strict=True)]
    return tuple(tuple(row[size:]) for row in rows)


def solve(lower: Block, diagonal: Block, upper: Block, *rhs: Vector) -> tuple[Vector, ...]:
    """Solve L_i x_{i-1} + D_i x_i + U_i x_{i+1} = b_i by block elimination without pivoting.

    Linear in the right-hand sides and differentiable with respect to them in both modes; differentiating with respect
    to the blocks works but is meant to be avoided by `jax.lax.stop_gradient`.

    Parameters
    ----------
    lower, diagonal, upper
        Blocks; entry [i][j] has shape [cell, *batch], or is None where nothing couples. `lower` of the first and
        `upper` of the last cell are ignored.
    rhs
        One or more right-hand sides, each a tuple of arrays [cell, *batch].

    Returns
    -------
    One solution for each right-hand side.
    """
    return jax.lax.platform_dependent(lower, diagonal, upper, rhs, cpu=_in_order, default=_by_halves)


def _in_order(lower: Block, diagonal: Block, upper: Block, rhs: tuple[Vector, ...]) -> tuple[Vector, ...]:
    """Thomas's algorithm: through the cells and back."""

    def eliminate(carry, row):
        previous_upper, previous = carry
        low, mid, up, right = row
        inverse = _inverse(_subtract(mid, _multiply(low, previous_upper)))
        new_upper = _full(_multiply(inverse, up))
        new = tuple(_apply(inverse, _subtract(b, _apply(low, x))) for b, x in zip(right, previous, strict=True))
        return (new_upper, new), (new_upper, new)

    def substitute(following, row):
        up, right = row
        x = tuple(_subtract(b, _apply(up, y)) for b, y in zip(right, following, strict=True))
        return x, x

    none, nothing = jax.tree.map(lambda a: jnp.zeros_like(a[0]), (upper, rhs))
    _, (upper, rhs) = jax.lax.scan(eliminate, (_full(none), nothing), (lower, diagonal, upper, rhs))
    last = jax.tree.map(lambda a: jnp.zeros_like(a[0]), rhs)
    _, solution = jax.lax.scan(substitute, last, (upper, rhs), reverse=True)
    return solution


def _by_halves(lower: Block, diagonal: Block, upper: Block, rhs: tuple[Vector, ...]) -> tuple[Vector, ...]:
    """Cyclic reduction: every second cell is eliminated, which leaves a system of the same form for the others.

    R. W. Hockney, J. ACM 12 (1965) 95.
    """
    system = (lower, diagonal, upper, rhs)
    low, mid, up, right = jax.tree.map(lambda a: a[0::2], system)
    inverse = _inverse(mid)
    # A cell of these follows its neighbours as x = b - L x₋ - U x₊.
    by_before, by_after = _multiply(inverse, low), _multiply(inverse, up)
    own = tuple(_apply(inverse, b) for b in right)
    if len(rhs[0][0]) == 1:
        return own
    low, mid, up, right = jax.tree.map(lambda a: a[1::2], system)
    kept = len(right[0][0])

    def before(tree):
        return jax.tree.map(lambda a: a[:kept], tree)

    def after(tree):
        """The last of the kept cells may be the last of all."""
        return jax.tree.map(lambda a: jnp.concatenate([a[1:], jnp.zeros_like(a[: kept + 1 - len(a)])]), tree)

    mid = _subtract(_subtract(mid, _multiply(low, before(by_after))), _multiply(up, after(by_before)))
    right = tuple(
        _subtract(_subtract(b, _apply(low, p)), _apply(up, q))
        for b, p, q in zip(right, before(own), after(own), strict=True)
    )
    low, up = _full(_multiply(low, before(by_before))), _full(_multiply(up, after(by_after)))
    solution = _by_halves(jax.tree.map(jnp.negative, low), mid, jax.tree.map(jnp.negative, up), right)

    def woven(b: Vector, x: Vector) -> Vector:
        """Solution in all cells, from that in the kept ones."""
        edge = jax.tree.map(lambda a: jnp.zeros_like(a[:1]), x)
        wide = jax.tree.map(lambda e, a: jnp.concatenate([e, a, e]), edge, x)
        neighbours = (tuple(a[: len(b[0])] for a in wide), tuple(a[1 : len(b[0]) + 1] for a in wide))
        others = _subtract(_subtract(b, _apply(by_before, neighbours[0])), _apply(by_after, neighbours[1]))
        return jax.tree.map(_interleave, others, x)

    return tuple(woven(b, x) for b, x in zip(own, solution, strict=True))


def _interleave(first: Array, second: Array) -> Array:
    """Rows of two arrays in turn; the first may be longer by one."""
    pairs = jnp.stack([first[: len(second)], second], axis=1).reshape(2 * len(second), *second.shape[1:])
    return jnp.concatenate([pairs, first[len(second) :]])


def probe(matrix: Callable[[Vector], Vector], like: Vector) -> tuple[Full, Full, Full]:
    """Blocks of a block-tridiagonal linear map.

    Cells two apart do not meet in a row, so that every third cell can be probed at once: three applications for each
    unknown of a cell, whatever their number.

    Parameters
    ----------
    matrix
        Linear map of vectors.
    like
        Vector that tells shapes and types.

    Returns
    -------
    Lower, diagonal and upper blocks, as `solve` takes them.
    """
    position = np.arange(len(like[0]))
    size = range(len(like))
    # Directions on a leading axis: the map is traced once, whatever their number.
    directions = [(j, k) for j in size for k in range(3)]

    def along(i: int, a: Array) -> Array:
        hit = np.stack([(i == j) * (position % 3 == k) for j, k in directions])
        return jnp.asarray(hit, a.dtype).reshape(*hit.shape, *(1,) * (a.ndim - 1)) * jnp.ones_like(a)

    image = jnp.stack(jax.vmap(matrix)(tuple(along(i, a) for i, a in enumerate(like))))
    image = image.reshape(len(like), len(like), 3, *image.shape[2:])

    def blocks(shift: int) -> Full:
        """Derivatives of the rows of each cell by the unknowns of the cell `shift` further on."""
        found = image[:, :, (position + shift) % 3, position]
        return tuple(tuple(found[i, j] for j in size) for i in size)

    lower, diagonal, upper = (blocks(shift) for shift in (-1, 0, 1))
    return lower, diagonal, upper
