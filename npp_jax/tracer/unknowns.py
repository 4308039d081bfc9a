"""What a fit of isotope data varies: numbers and arrays of numbers with names, units, scales and ranges."""

from typing import Literal, NamedTuple, TypeAlias

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from npp_jax.inference import Parameter, Parameters, Prior

Layout: TypeAlias = tuple[tuple[str, tuple[int, ...]], ...]
"""Name and shape of each unknown, in the order of the parameters."""


class Unknown(NamedTuple):
    """A number, or an array of numbers of one kind, that is fitted; without limits unless they are given."""

    name: str
    """Name with unit."""
    start: Float[Array, "*shape"]
    """Where to start. [unit of the name]"""
    scale: Literal["linear", "log"] = "linear"
    """Where steps are taken and errors hold: θ or ln θ."""
    limits: tuple[float, float] | None = None
    """Range; None for all numbers, or all positive ones of a logarithm."""
    prior: Prior | None = None
    """What is known of it beforehand."""
    waits: bool = False
    """Whether it keeps its value until the others have settled, for which it would make up far from the minimum."""

    def parameters(self) -> Parameters:
        """One parameter for each number; those of an array are `name[1]`, `name[2]` and so on."""
        low, high = self.limits or ((0.0, np.inf) if self.scale == "log" else (-np.inf, np.inf))
        size = jnp.size(self.start)
        names = [f"{self.name}[{k + 1}]" for k in range(size)] if jnp.ndim(self.start) else [self.name]
        return tuple(Parameter(name, (), low, high, self.scale, prior=self.prior) for name in names)

    def inner(self, share: float) -> tuple[float, float]:
        """Its range without a share of the width at both ends, on its scale: an end is no place to start from."""
        low, high = self.limits or ((0.0, np.inf) if self.scale == "log" else (-np.inf, np.inf))
        if self.scale == "log" and low > 0.0 and np.isfinite(high):
            factor = (high / low) ** share
            return low * factor, high / factor
        margin = share * (high - low) if np.isfinite(high - low) else 0.0
        return low + margin, high - margin


def layout_of(unknowns: tuple[Unknown, ...]) -> Layout:
    """Names and shapes."""
    return tuple((unknown.name, jnp.shape(unknown.start)) for unknown in unknowns)


def start_of(unknowns: tuple[Unknown, ...]) -> Float[Array, " parameter"]:
    """All starts, as the vector of the parameters."""
    dtype = jnp.result_type(*(unknown.start for unknown in unknowns), float)
    return jnp.concatenate([jnp.ravel(unknown.start).astype(dtype) for unknown in unknowns])


def place(layout: Layout, theta: Float[Array, " parameter"]) -> dict[str, Array]:
    """Values by name, in their shapes."""
    sizes = [int(np.prod(shape)) for _, shape in layout]
    parts = jnp.split(theta, np.cumsum(sizes)[:-1])
    return {name: part.reshape(shape) for (name, shape), part in zip(layout, parts, strict=True)}
