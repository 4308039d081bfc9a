"""Result of a run: profiles, course and report in SI units."""

import jax.numpy as jnp

from npp_jax.physics.experiment import Experiment
from npp_jax.simulation.solution import Model, Report, Solution
from npp_jax.simulation.stages import Run
from npp_jax.simulation.view import AbstractView


def assemble(experiment: Experiment, run: Run, view: AbstractView, model: Model) -> Solution:
    """Turn the states of a run into a solution in SI units; status and error estimate are added by the caller."""
    viewed = view(experiment, run)
    at, profile = viewed.at, viewed.profile
    unknown = jnp.full_like(viewed.front.depth, jnp.nan)
    return Solution(
        species=tuple(species.name for species in experiment.species),
        model=model,
        time=at.time,
        charge=at.charge,
        current_density=at.current_density,
        surface_potential=at.surface_potential,
        depth=profile.depth,
        faces=profile.faces,
        fraction=profile.fraction,
        potential=profile.potential,
        field=profile.field,
        excess_charge=profile.excess,
        front_depth=viewed.front.depth,
        front_width=viewed.front.width,
        plateau=viewed.front.plateau,
        leading_edge=viewed.front.leading_edge,
        trace=viewed.trace,
        report=Report(
            steps=run.steps,
            cells=run.cells,
            iterations=run.iterations,
            newton_update=run.update,
            profile_error=unknown,
            front_error=unknown,
            ion_balance=viewed.ion_balance,
            time_error=run.time_error,
            excess_charge=viewed.excess_charge,
            status=jnp.zeros(unknown.shape[1:], jnp.int32),
        ),
    )
