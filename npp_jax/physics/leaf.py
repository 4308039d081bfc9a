"""Leaves of the physics modules: what a user may write for a continuous input, as an array, and its batch axes."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, ArrayLike

LeafLike: TypeAlias = ArrayLike | Sequence[ArrayLike]
"""What a continuous input may be written as."""

TABLE: Mapping[str, bool] = {"table": True}
"""Metadata of a field whose first axis counts knots or components: it is no axis of the batch."""


def as_leaf(value: LeafLike) -> Array:
    """Turn a number, a list or an array into a real leaf that does not raise the precision of the others.

    Numbers (NumPy's double included, integers too) become weakly typed: beside a leaf in single precision
    they are in single precision. Real arrays keep their type, lists become arrays.
    """
    if value is None or isinstance(value, str):
        raise TypeError(f"a number or an array is needed, got {value!r}")
    if isinstance(value, float | int | np.integer):
        value = float(value)
    array = jnp.asarray(value)
    # Not by a product, which strict promotion of types refuses.
    return lax.convert_element_type(array, float) if jnp.issubdtype(array.dtype, jnp.integer) else array


def as_optional_leaf(value: LeafLike | None) -> Array | None:
    """`as_leaf`, with None left as it is."""
    return None if value is None else as_leaf(value)


def expect_as_long(what: str, **columns: Array) -> None:
    """Refuse columns of a table that have not the same number of rows: arrays would be stretched to one another.

    Raises
    ------
    ValueError
        One line with the number of rows of each.
    """
    rows = {name: column.shape[0] for name, column in columns.items() if getattr(column, "shape", ())}
    if len(set(rows.values())) > 1:
        told = ", ".join(f"{name} has {count}" for name, count in rows.items())
        raise ValueError(f"{what} needs as many rows in each column: {told}")


def batch_shape(module: eqx.Module) -> tuple[int, ...]:
    """Shape of the batch to which all leaves of a module broadcast: () for a single candidate.

    Parameters
    ----------
    module
        Any module of the physics; fields with the metadata `TABLE` have one more axis, the first.

    Raises
    ------
    ValueError
        The leaves have batch axes that do not fit.
    """
    return jnp.broadcast_shapes(*_batch_shapes(module, 0))


def _batch_shapes(node: Any, leading: int) -> Iterator[tuple[int, ...]]:
    if isinstance(node, eqx.Module):
        for field in dataclasses.fields(node):
            if not field.metadata.get("static", False):
                yield from _batch_shapes(getattr(node, field.name), int(field.metadata.get("table", False)))
    elif isinstance(node, Mapping | tuple):
        for value in node.values() if isinstance(node, Mapping) else node:
            yield from _batch_shapes(value, leading)
    elif node is not None:
        yield jnp.shape(node)[leading:]
