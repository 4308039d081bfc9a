"""When the steps of a stage with a trace end: dense where the drive changes, and early on."""

import jax
import jax.numpy as jnp
from jaxtyping import Array

from npp_jax.physics.drive import drive_line
from npp_jax.simulation.mesh.course import AbstractCourse
from npp_jax.simulation.mesh.even_mesh import linear

TRACED_STEPS = 2
"""Steps under a trace, as a multiple of those under a constant drive: half go to the clock, half to the drive."""

_GRID = 128
_LEAST = 1e-3
"""Share of the largest mean below which changes of the drive are not followed."""
_EVEN = 0.5
"""Weight of the time beside the logarithm of the drive."""


def paced_times(course: AbstractCourse, begin: Array, end: Array, count: int) -> Array:
    """Times at which steps end, the first at `begin` and the last at `end`.

    Half of the steps are even in the logarithm of the clock, half in the changes of the logarithm of the drive.

    Parameters
    ----------
    course
        Prediction of the clock.
    begin, end
        Ends of the first and of the last step, after the start of the stage. [s]
    count
        Number of steps.

    Returns
    -------
    Times, shape [count, *batch], held by differentiation between the two ends. [s]
    """
    begin, end = jnp.broadcast_arrays(begin, end)
    share = jnp.linspace(0.0, 1.0, _GRID, dtype=end.dtype).reshape(-1, *(1,) * end.ndim)
    low, high = jax.lax.stop_gradient((begin, end))
    grid = jnp.sort(jnp.concatenate([low * (high / low) ** share, low + (high - low) * share[1:-1]]), axis=0)
    clock = grid if course.resting else jax.lax.map(course.charge_at, grid)
    mean, _ = jax.lax.map(lambda ends: drive_line(course.drive, *ends), (grid[:-1], grid[1:] + 1e-9 * high))
    level = jnp.log(jnp.maximum(mean, _LEAST * jnp.max(mean, axis=0)))
    changed = jnp.concatenate([jnp.zeros_like(level[:1]), jnp.abs(jnp.diff(level, axis=0)), jnp.zeros_like(level[:1])])
    # A change between two cells lies around the knot of the grid between them.
    spread = 0.5 * (changed[1:] + changed[:-1])
    varied = jnp.concatenate([jnp.zeros_like(grid[:1]), jnp.cumsum(spread, axis=0)])
    grown = jnp.log(jnp.maximum(clock, 1e-12 * clock[-1]))
    monitor = _normal(grown) + _normal(varied + _EVEN * _normal(grid))
    wanted = jnp.linspace(0.0, 2.0, count, dtype=end.dtype).reshape(-1, *(1,) * end.ndim)
    placed = jax.lax.stop_gradient(linear(jnp.broadcast_to(wanted, (count, *end.shape)), monitor, grid))
    return placed.at[0].set(begin).at[-1].set(end)


def _normal(rising: Array) -> Array:
    """From 0 to 1 along the first axis."""
    return (rising - rising[0]) / (rising[-1] - rising[0])
