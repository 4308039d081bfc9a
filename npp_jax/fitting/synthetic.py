"""The profile that an instrument would measure of a simulation: to plan a measurement, or to try a fit."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int

from npp_jax.constants import NM
from npp_jax.fitting.comparison import seen_profile
from npp_jax.observe import DepthProfile, NoResponse, Observation, measure
from npp_jax.physics.checks import FINITE, POSITIVE, expects
from npp_jax.simulation.solution import Solution


@expects(solution=Solution, observation=Observation, depth=FINITE, counts_per_fraction=POSITIVE)
def synthetic_profile(
    solution: Solution,
    observation: Observation,
    depth: Float[ArrayLike, " depth"],
    counts_per_fraction: float,
    *,
    seed: int | None = 0,
    species: Sequence[str] | None = None,
    output: int = -1,
    native: Sequence[str] | None = None,
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
    native
        Ions of the bulk; needed where the sputter rate depends on how many of them were replaced.

    Raises
    ------
    ValueError
        The solution is a batch, has no such ion, or the native ions are needed.
    """
    if solution.time.ndim != 1:
        raise ValueError(f"the solution is a batch of shape {solution.time.shape[1:]}; take one candidate of it")
    names = tuple(solution.species if species is None else species)
    if unknown := [name for name in (*names, *(native or ())) if name not in solution.species]:
        raise ValueError(f"no ion is called '{unknown[0]}'; known are {', '.join(solution.species)}")
    fraction = solution.fraction[output]
    exchanged = None
    if np.any(np.asarray(observation.sputter_ratio) != 1.0):
        if not native:
            ratio = float(observation.sputter_ratio)
            raise ValueError(f"sputter_ratio = {ratio:g} needs the native ions: native = {names[:1]}")
        exchanged = 1.0 - fraction[_rows(solution, native)].sum(axis=0)
    signal = _seen(
        observation,
        solution.depth[output] / NM,
        solution.faces[output] / NM,
        fraction[_rows(solution, names)],
        exchanged,
        jnp.asarray(depth, solution.depth.dtype),
        perfect=isinstance(observation.response, NoResponse),
    )
    key = None if seed is None else jax.random.key(seed)
    exposure = jnp.full(len(names), counts_per_fraction, signal.dtype)
    return measure(key, signal, exposure, depth=jnp.asarray(depth, signal.dtype), species=names)


def _rows(solution: Solution, names: Sequence[str]) -> Int[Array, " ion"]:
    return jnp.asarray([solution.species.index(name) for name in names])


_seen = jax.jit(seen_profile, static_argnames="perfect")
