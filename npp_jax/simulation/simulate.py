"""From an experiment to its solution: the only place where physics, scheme and solver meet."""

from dataclasses import replace

import jax
import jax.numpy as jnp

from npp_jax.physics.experiment import Experiment
from npp_jax.physics.protocol import Reservoir, Stage
from npp_jax.simulation import assemble as mixture_result
from npp_jax.simulation import assemble_pair as two_ions_result
from npp_jax.simulation import stages as mixture
from npp_jax.simulation import stages_pair as two_ions
from npp_jax.simulation.controls import Controls, coarser
from npp_jax.simulation.judge import judge, rated
from npp_jax.simulation.solution import Model, Solution
from npp_jax.simulation.supported import check_supported, is_two_ions

ACCURATE = Controls()
"""Default of single simulations and fits."""

FAST = Controls(
    cells_behind=70,
    cells_ahead=30,
    steps=14,
    iterations=2,
    extra_iterations=(8, 4, 2),
    tolerance=0.0,
    start_share=0.005,
    trace=False,
)
"""Default of sweeps."""


def simulate(experiment: Experiment, controls: Controls = ACCURATE, *, model: Model = "electroneutral") -> Solution:
    """Simulate an experiment.

    Pure and differentiable in both modes with respect to every leaf of the experiment; `jit`, `vmap` and `grad` work
    from outside.
    Leaves with trailing batch axes simulate a batch in the layout that runs fastest.

    Parameters
    ----------
    experiment
        Sample, species and protocol; SI units, energies in eV.
    controls
        Numerical settings, static.
    model
        `electroneutral`, or `full` for Nernst–Planck with Poisson's equation.

    Returns
    -------
    Profiles, observables, trace and report; failures are in `report.status`.

    Raises
    ------
    Unsupported
        The experiment is outside what the engine simulates.
    TypeError
        The experiment is in half precision or has integer leaves.

    References
    ----------
    Gunawan, Schäfer and Weitzel, Phys. Chem. Chem. Phys. 26 (2024) 14430, eqn (1) and Poisson's equation.
    """
    check_supported(experiment, model)
    experiment = _common_shape(experiment)
    held = jax.lax.stop_gradient(experiment)
    if is_two_ions(experiment):
        fine = two_ions.integrate(experiment, held, controls, model)
        solution = rated(two_ions_result.assemble(experiment, fine, controls, model))
        if not controls.companion:
            return solution
        controls = coarser(controls)
        coarse = two_ions_result.assemble(held, two_ions.integrate(held, held, controls, model), controls, model)
    else:
        fine, rough = mixture.integrate(experiment, controls, model)
        solution = rated(mixture_result.assemble(experiment, fine, model))
        if not controls.companion:
            return solution
        coarse = mixture_result.assemble(held, rough, model)
    return judge(solution, coarse)


def _common_shape(experiment: Experiment) -> Experiment:
    """Give the leaves one dtype, and the temperatures, from which shapes are taken, the full batch shape."""
    leaves = jax.tree.leaves(experiment)
    dtype = jnp.result_type(*leaves)
    if dtype not in (jnp.float32, jnp.float64):
        raise TypeError(f"the experiment must be in single or double precision, got {dtype}")
    scalars = [experiment.sample.thickness, experiment.sample.permittivity, experiment.sample.bulk_density]
    for species in experiment.species:
        scalars += [leaf for leaf in jax.tree.leaves(species) if jnp.ndim(leaf) <= 1]
    for stage in experiment.stages:
        scalars += [leaf for leaf in (stage.temperature, stage.duration, stage.charge) if leaf is not None]
        drives = not isinstance(stage.front, Reservoir)
        scalars += [leaf[0] if drives else leaf for leaf in jax.tree.leaves(stage.front)]
    shape = jnp.broadcast_shapes(*(jnp.shape(leaf) for leaf in scalars))
    experiment = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), experiment)

    def spread(stage: Stage) -> Stage:
        full_shape = lambda leaf: None if leaf is None else jnp.broadcast_to(leaf, shape)  # noqa: E731
        return replace(
            stage,
            temperature=full_shape(stage.temperature),
            duration=full_shape(stage.duration),
            charge=full_shape(stage.charge),
        )

    sample = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, shape), experiment.sample)
    return replace(experiment, sample=sample, stages=tuple(spread(stage) for stage in experiment.stages))
