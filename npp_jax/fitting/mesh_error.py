"""What a fit owes to its mesh: how far its parameters would move without the errors of cells and steps."""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from npp_jax._compile import Program, once, signature
from npp_jax.fitting.jacobian import Expansion, LinearModel
from npp_jax.fitting.objective import Objective
from npp_jax.inference.transform import Ranges, ranges_of, theta_slope
from npp_jax.inference.uncertainty import Covariance
from npp_jax.simulation.controls import refined

if TYPE_CHECKING:
    from npp_jax.fitting.fitting import FitResult

_SECOND_ORDER = 4.0 / 3.0
"""Error of a mesh over its difference to one of half the cell size, where errors fall with its square."""


def with_mesh(model: LinearModel, result: "FitResult") -> "FitResult":
    """The result with what it owes to its mesh, unless its model is far off and its intervals are of no use."""
    if result.far_off:
        return result
    moved = mesh_shift(model, result.expansion, result.covariance, ranges_of(result.parameters))
    return dataclasses.replace(result, mesh=moved)


def mesh_shift(
    model: LinearModel, expansion: Expansion, found: Covariance, ranges: Ranges
) -> Float[np.ndarray, " parameter"]:
    """How far each parameter would move without the errors of cells and steps, in standard errors [1].

    To first order: one Gauss-Newton step to the residuals with half the cells and steps. Zero for what is held or not
    determined, and where the finer simulation fails.

    Parameters
    ----------
    model
        Residuals that were fitted.
    expansion
        These and their Jacobian at the best parameters, with a first axis of one.
    found
        Covariance there.
    ranges
        Ranges of the parameters, to which the covariance is scaled.
    """
    objective = dataclasses.replace(model.objective, controls=refined(model.objective.controls))
    theta = jnp.asarray(found.theta)
    finer = Program(_residuals(objective), lambda: "finer" + signature(objective, values=True), once())
    residual, success = finer(theta[None])
    off = np.asarray(residual[0]) - np.asarray(expansion.residual[0])
    sigma = np.asarray(found.standard_error_scaled)
    known = np.isfinite(sigma) & (sigma > 0.0)
    if not bool(success[0]) or not np.all(np.isfinite(off)):
        return np.zeros(len(sigma))
    slope = np.asarray(expansion.jacobian[0]) * np.asarray(theta_slope(ranges, theta))
    step = -_SECOND_ORDER * np.asarray(found.scaled) @ slope.T @ off
    return np.where(known, step / np.where(known, sigma, 1.0), 0.0)


def _residuals(objective: Objective) -> Callable[[Array], list[Array]]:
    def residuals(theta: Float[Array, "candidate parameter"]) -> list[Array]:
        found = objective.residuals(theta)
        return [jnp.concatenate(found.residuals, axis=1), found.finite]

    return residuals
