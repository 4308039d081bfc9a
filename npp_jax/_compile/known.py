"""Which values are at hand while a function is being compiled."""

from typing import Any

import jax
from jax.core import Tracer


def concrete(*values: Any) -> bool:
    """Whether values are at hand, not the symbols of a function being compiled.

    Check them with NumPy: inside such a function an operation of JAX makes symbols of numbers, too.
    """
    return not any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(values))
