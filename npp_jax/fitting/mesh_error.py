"""What a fit owes to its mesh: how far its parameters would move without the errors of cells and steps."""

import dataclasses
from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from npp_jax._compile import Program, once, signature
from npp_jax.fitting.jacobian import LinearModel
from npp_jax.inference.finer import shift_without_mesh
from npp_jax.inference.transform import ranges_of
from npp_jax.simulation.controls import refined

if TYPE_CHECKING:
    from npp_jax.fitting.fitting import FitResult


def with_mesh(model: LinearModel, result: "FitResult") -> "FitResult":
    """The result with what it owes to its mesh.

    Without where its model is far off and its intervals are of no use, and where the finer simulation fails.

    Parameters
    ----------
    model
        Residuals that were fitted.
    result
        What was found with them.
    """
    if result.far_off:
        return result
    objective = dataclasses.replace(model.objective, controls=refined(model.objective.controls))

    def residuals(theta: Float[Array, "candidate parameter"]) -> list[Array]:
        found = objective.residuals(theta)
        return [jnp.concatenate(found.residuals, axis=1), found.finite]

    finer = Program(residuals, lambda: "finer" + signature(objective, values=True), once())
    residual, success = finer(jnp.asarray(result.theta)[None])
    change = np.asarray(residual[0]) - np.asarray(result.expansion.residual[0])
    if not bool(success[0]) or not np.all(np.isfinite(change)):
        return result
    ranges = ranges_of(result.parameters)
    return dataclasses.replace(
        result, mesh=shift_without_mesh(change, result.expansion.jacobian[0], result.covariance, ranges)
    )
