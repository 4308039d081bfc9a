"""A simulation that refines itself until its own error estimate is inside the target."""

from collections.abc import Callable
from dataclasses import replace

import jax
import jax.numpy as jnp

from npp_jax.physics.experiment import Experiment
from npp_jax.simulation.controls import Controls, expect_controls, refined
from npp_jax.simulation.simulate import ACCURATE, simulate
from npp_jax.simulation.solution import Model, Solution
from npp_jax.simulation.status import RESOLUTION, UNSOLVED

LEVELS = 2
"""How often cells and steps are doubled at most: beyond, a run takes minutes, and what is left is seldom resolution."""


def simulate_to_target(
    experiment: Experiment,
    controls: Controls = ACCURATE,
    *,
    model: Model = "electroneutral",
    levels: int = LEVELS,
    on_level: Callable[[int, Solution], None] | None = None,
) -> Solution:
    """Simulate, with twice the cells and steps as long as the error estimate is above the target.

    Each level is compiled of its own, which an experiment that needs none does not pay for. A batch is refined as
    one. Not for use inside of `jit`, `vmap` or `grad`: the status decides what is done next. There, use `simulate`.

    Parameters
    ----------
    experiment, controls, model
        As of `simulate`; the controls are those of the first run and have its targets.
    levels
        How often cells and steps may be doubled.
    on_level
        Called with the number of the level and its solution when a run falls short and a finer one follows.

    Returns
    -------
    The first solution inside its target, or else that with the best status, of these the finest.

    Raises
    ------
    Unsupported
        The experiment is outside what the engine simulates.
    TypeError, ValueError
        As of `simulate`.
    """
    expect_controls(controls)
    best, best_status, settled = None, None, True
    for level in range(levels + 1):
        # What neither finer steps nor held laws have brought to converge goes round in circles.
        circling = 0 < level == levels and not settled
        settings = replace(
            refined(controls, level),
            robust=controls.robust or circling or best_status in UNSOLVED,
            guarded=controls.guarded or circling,
        )
        solution = jax.block_until_ready(simulate(experiment, settings, model=model))
        status = int(jnp.max(solution.report.status))
        settled = controls.tolerance == 0.0 or bool(jnp.all(solution.report.newton_update <= controls.profile_target))
        if best_status is None or status <= best_status:
            best, best_status = solution, status
        if status not in RESOLUTION:
            break
        if on_level is not None and level < levels:
            on_level(level, solution)
    assert best is not None
    return best
