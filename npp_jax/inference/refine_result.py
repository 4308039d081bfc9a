"""What a refinement is asked for, and what it gives: options, results, reasons of its end."""

import math
from enum import IntEnum
from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int


class Reason(IntEnum):
    """Why a start ended."""

    CONVERGED = 0
    AT_BOUND = 1
    INSENSITIVE = 2
    STALLED = 3
    FAILURE_WALL = 4
    ITERATION_LIMIT = 5


REASON_ADVICE = {
    Reason.CONVERGED: "converged to a minimum inside the ranges",
    Reason.AT_BOUND: "converged, with parameters at an end of their range: widen the range or fix them",
    Reason.INSENSITIVE: "residuals do not depend on some parameters here: fix them or start elsewhere",
    Reason.STALLED: "no step lowers chi2 although it is not at a minimum: derivatives or residuals are too rough",
    Reason.FAILURE_WALL: "steps towards a lower chi2 fail: the model cannot be evaluated there, change the ranges",
    Reason.ITERATION_LIMIT: "still improving at the last iteration: more are needed",
}
"""What each reason means and what to try."""


GOOD = (Reason.CONVERGED, Reason.AT_BOUND, Reason.INSENSITIVE)
"""Reasons of a start that ended in a minimum."""

SAME_MINIMUM = 0.01
"""Difference of the cost ½χ² below which two ends are taken for the same minimum: 0.14 standard deviations."""


class RefineOptions(eqx.Module):
    """Numerical choices of `refine`."""

    iterations: int = 100
    """Largest number of evaluations after the first, for each start."""
    further: float = 0.0
    """Times as many for the best start alone, where `go_on` takes it further."""
    offset: float = 1e-5
    """Largest relative offset, and cosine, of a converged start."""
    step: float = 1e-10
    """Where residuals vanish: largest Gauss–Newton step left, as a fraction of the range, or of |s| without a range."""
    rank: float = 1e-8
    """Singular values of the column-normalised Jacobian below this fraction of the largest count as zero."""
    damping: float = 1e-3
    """First μ."""
    largest_step: float = math.inf
    """Largest change of any parameter on its scale in one step, for models that are far from linear beyond it."""
    rounding_offset: float = 3e-6
    """Relative offset below which the decrease of the cost, ½ offset², drowns in its rounding, so that gradients give
    it. Larger where residuals are less exact than double precision."""


class Iteration(NamedTuple):
    """How far a refinement is."""

    number: int
    """Of the iteration, from 0."""
    limit: int
    """The largest number that there may be."""
    cost: Float[Array, " start"]
    """Lowest ½ Σ r² of each start."""
    ended: Bool[Array, " start"]
    """Which of them have ended."""


class RefineResult(eqx.Module):
    """How each start ended."""

    theta: Float[Array, "start parameter"]
    """Best parameters. [units of the parameters]"""
    cost: Float[Array, " start"]
    """½ Σ r²; infinite where even the start could not be evaluated."""
    gradient_norm: Float[Array, " start"]
    """Largest |cos| of the angle between the residual and the Jacobian column of a free parameter."""
    offset: Float[Array, " start"]
    """Relative offset |P r| / |r|, over the free parameters."""
    iterations: Int[Array, " start"]
    """Accepted steps."""
    evaluations: Int[Array, " start"]
    """Evaluations until the start ended."""
    failed_evaluations: Int[Array, " start"]
    """Those of them that failed."""
    reason: Int[Array, " start"]
    """A `Reason`."""
    at_bound: Int[Array, "start parameter"]
    """-1 at the low end of the range, +1 at the high end, 0 inside."""
    insensitive: Bool[Array, "start parameter"]
    """Parameters on which the residuals do not depend at the end."""

    def best(self) -> int:
        """Index of the start of lowest cost; of those within `SAME_MINIMUM` of it, the lowest that ended in a minimum.

        Where the residuals are not quite smooth, starts end side by side in the same minimum and not all can tell.
        """
        ended = (self.reason == Reason.CONVERGED) | (self.reason == Reason.AT_BOUND)
        same = ended & (self.cost <= jnp.min(self.cost) + SAME_MINIMUM)
        return int(jnp.argmin(jnp.where(same | ~jnp.any(same), self.cost, jnp.inf)))
