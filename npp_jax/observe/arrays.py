"""What a user may write for a number or a table, as an array."""

from typing import Any, TypeAlias

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, ArrayLike

LeafLike: TypeAlias = ArrayLike | list | tuple
"""What a continuous input may be written as."""


def as_leaf(value: Any) -> Array:
    """Turn a number, a list or an array into a real array; numbers become weakly typed and raise no precision."""
    if isinstance(value, float | int | np.integer | np.floating):
        value = float(value)
    array = jnp.asarray(value)
    # Not by a product, which strict promotion of types refuses.
    return array if jnp.issubdtype(array.dtype, jnp.floating) else lax.convert_element_type(array, float)
