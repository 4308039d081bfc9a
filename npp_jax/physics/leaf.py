"""Leaves of the physics modules: what a user may write for a continuous input, as an array."""

from collections.abc import Sequence
from typing import TypeAlias

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike

LeafLike: TypeAlias = ArrayLike | Sequence[ArrayLike]
"""What a continuous input may be written as."""


def as_leaf(value: LeafLike) -> Array:
    """Turn a number, a list or an array into a real leaf that does not raise the precision of the others.

    Numbers (NumPy's double included, integers too) become weakly typed: beside a leaf in single precision
    they are in single precision. Real arrays keep their type, lists become arrays.
    """
    if isinstance(value, float | int | np.integer):
        value = float(value)
    array = jnp.asarray(value)
    return array * 1.0 if jnp.issubdtype(array.dtype, jnp.integer) else array


def as_optional_leaf(value: LeafLike | None) -> Array | None:
    """`as_leaf`, with None left as it is."""
    return None if value is None else as_leaf(value)
