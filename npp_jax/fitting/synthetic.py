"""The profile that an instrument would measure of a simulation: to plan a measurement, or to try a fit."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from npp_jax.constants import NM
from npp_jax.observe import DepthProfile, Observation, measure, observe
from npp_jax.simulation.solution import Solution


def synthetic_profile(
    solution: Solution,
    observation: Observation,
    depth: Float[ArrayLike, " depth"],
    counts_per_fraction: float,
    *,
    seed: int | None = 0,
    species: Sequence[str] | None = None,
    output: int = -1,
) -> DepthProfile:
    """What counting would give of a simulated profile, seen through a depth resolution. Synthetic: no measurement.

    Parameters
    ----------
    solution
        A simulation of one experiment, not of a batch.
    observation
        Depth resolution, scale of the depths, sensitivities and backgrounds.
    depth
        Depths of the points as measured. [nm]
    counts_per_fraction
        Expected counts at the bulk content of the native ion.
    seed
        Of the Poisson noise; None for the expected counts themselves, with the standard deviation of such counts.
    species
        Ions that are measured; by default all.
    output
        Index of the output point.

    Raises
    ------
    ValueError
        The solution is a batch, or has no such ion.
    """
    if solution.time.ndim != 1:
        raise ValueError(f"the solution is a batch of shape {solution.time.shape[1:]}; take one candidate of it")
    names = tuple(solution.species if species is None else species)
    if unknown := [name for name in names if name not in solution.species]:
        raise ValueError(f"no ion is called '{unknown[0]}'; known are {', '.join(solution.species)}")
    rows = jnp.asarray([solution.species.index(name) for name in names])
    depths = jnp.asarray(depth, solution.depth.dtype)
    signal = _seen(observation, solution.faces[output] / NM, solution.fraction[output][rows, 1:-1], depths)
    key = None if seed is None else jax.random.key(seed)
    exposure = jnp.full(len(names), counts_per_fraction, signal.dtype)
    return measure(key, signal, exposure, depth=depths, species=names)


@jax.jit
def _seen(observation: Observation, faces: Array, fractions: Array, depth: Array) -> Array:
    return observe(observation, faces, fractions, depth)
