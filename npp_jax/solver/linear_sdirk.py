"""SDIRK2 of `sdirk` for linear problems: the same two stages, each of them one linear system.

The problem is M dy/dt = b - L y, with M, L and b constant during a pass. The caller solves a stage,
(M + w L) y = M base + w b, in whatever form keeps its digits; here stages become steps, and steps a pass. The steps end
at t = T (i/n)², which keeps the second order where y jumps at the start, as at a surface.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from npp_jax.solver.sdirk import GAMMA

_GRADING = 2
# A Python number leaves single precision as it is.
_GAMMA = float(GAMMA)


class StageSolution(NamedTuple):
    """Solution of one stage."""

    y: Array
    """Unknowns at the stage."""
    flow: PyTree
    """Arrays that are linear in y and whose integral over time is wanted, such as what comes in at an end."""
    told: PyTree
    """What else the solution has to tell, such as a number of iterations."""


LinearStage: TypeAlias = Callable[[Array, Array, Array], StageSolution]
"""(base, change, weight w) ↦ solution of (M + w L) y = M base + w b.

`change` is y - base of the stage before, zero in the first: a first guess for this one.
"""


class LinearPass(NamedTuple):
    """State at the end of a pass, and what happened on the way."""

    y: Array
    flow: PyTree
    """Integrals over time of the flows."""
    told: PyTree
    """What each stage told, on two leading axes [step, stage]."""


def linear_pass(stage: LinearStage, y: Array, duration: Array, *, steps: int) -> LinearPass:
    """Integrate a linear problem over a time with constant coefficients.

    Parameters
    ----------
    stage
        Solves one stage.
    y
        State at the start.
    duration
        Length T of the pass.
    steps
        Number n of steps.
    """
    ends = (np.arange(steps + 1) / steps) ** _GRADING
    sizes = duration.astype(y.dtype) * jnp.asarray(np.diff(ends), y.dtype)
    # How far the second stage starts along the change of the first, and shares of both in a flow.
    following = jnp.asarray([(1.0 - _GAMMA) / _GAMMA, 0.0], y.dtype)
    shares = jnp.asarray([1.0 - _GAMMA, _GAMMA], y.dtype)

    def step(start: Array, size: Array) -> tuple[Array, tuple[PyTree, PyTree]]:
        def solve(carry: tuple[Array, Array, Array], passed_on: Array) -> tuple[tuple[Array, Array, Array], tuple]:
            base, change, _ = carry
            found = stage(base, change, _GAMMA * size)
            change = found.y - base
            return (start + passed_on * change, change, found.y), (found.flow, found.told)

        # One compiled stage serves both.
        (_, _, end), (flow, told) = jax.lax.scan(solve, (start, jnp.zeros_like(start), start), following)
        return end, (jax.tree.map(lambda f: size * jnp.tensordot(shares, f, 1), flow), told)

    end, (flow, told) = jax.lax.scan(step, y, sizes)
    return LinearPass(end, jax.tree.map(lambda f: jnp.sum(f, axis=0), flow), told)
