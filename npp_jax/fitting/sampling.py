"""Draws from the posterior of a fit."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from npp_jax._compile import own_promotion
from npp_jax.fitting.fitting import FitResult
from npp_jax.fitting.jacobian import LinearModel
from npp_jax.fitting.objective import Objective
from npp_jax.fitting.problem import Problem
from npp_jax.inference import Posterior, PosteriorOptions, ResidualsAndJacobian, with_priors
from npp_jax.inference import sample_posterior as sample
from npp_jax.physics.checks import expects
from npp_jax.simulation.controls import Controls
from npp_jax.simulation.simulate import FAST
from npp_jax.simulation.solution import Model


def linear_model(
    problem: Problem, controls: Controls, model: Model, *, sampled: bool = True, chunk: int = 16
) -> LinearModel:
    """Residuals and Jacobian of a problem with what a fit does not need left out of the settings.

    Parameters
    ----------
    problem
        Experiments and parameters.
    controls, model
        Numerical settings and equations.
    sampled
        See `Objective`; models that are compared are all seen in one way.
    chunk
        Candidates evaluated at once; one where a single start is refined.
    """
    lean = dataclasses.replace(controls, trace=False, companion=False, observables=False)
    return LinearModel(Objective(problem, lean, model, sampled), chunk=chunk)


@own_promotion
@expects(problem=Problem, result=FitResult)
def sample_posterior(
    problem: Problem,
    result: FitResult,
    controls: Controls = FAST,
    *,
    model: Model = "electroneutral",
    options: PosteriorOptions | None = None,
    penalty: Callable[[ResidualsAndJacobian], ResidualsAndJacobian] | None = None,
    on_draw: Callable[[int], Any] | None = None,
) -> Posterior:
    """Draw parameters from their posterior: uniform on the scale of each inside its range, times its prior.

    Parameters
    ----------
    problem
        Experiments and parameters.
    result
        A fit of the problem, from which the chains start.
    controls, model
        Numerical settings and equations, those of the fit.
    options
        Chains, draws, seed.
    penalty
        Appends further residuals, as in the fit.
    on_draw
        Is told how many draws of each chain are made.

    Raises
    ------
    MissingExtra
        blackjax is not installed.
    PosteriorError
        It could not be sampled.
    """
    problem = dataclasses.replace(problem, parameters=result.parameters)
    add = penalty or (lambda function: function)
    found = result.expansion
    # At the best parameters the residuals are known.
    at_best = lambda theta: (found.residual, found.jacobian, found.finite)  # noqa: E731
    _, jacobian, _ = add(with_priors(at_best, problem.parameters))(jnp.asarray(result.theta[None]))
    return sample(
        add(with_priors(linear_model(problem, controls, model).traced, problem.parameters)),
        problem.parameters,
        result.theta,
        np.asarray(jacobian[0]),
        options=options,
        on_draw=on_draw,
    )
