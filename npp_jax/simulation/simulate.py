"""From an experiment to its solution: the only place where physics, scheme and solver meet."""

import functools
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import jax
import jax.numpy as jnp

from npp_jax._compile import Program, concrete, once, own_promotion, quick, signature
from npp_jax.constants import NM
from npp_jax.physics.experiment import Experiment, laws_of
from npp_jax.physics.leaf import batch_shape
from npp_jax.physics.protocol import Stage
from npp_jax.simulation.assemble import assemble
from npp_jax.simulation.controls import Controls, coarser, expect_controls, refined
from npp_jax.simulation.judge import judge, rated
from npp_jax.simulation.numbers import numbers_of, solution_of
from npp_jax.simulation.parts import Parts, in_parts
from npp_jax.simulation.plan_mixture import MixturePlan, finer
from npp_jax.simulation.plan_pair import PairPlan
from npp_jax.simulation.possible import impossible
from npp_jax.simulation.schemes import MIXTURE, PAIR, AbstractMixtureScheme
from npp_jax.simulation.solution import Model, Solution
from npp_jax.simulation.stages import Run, run_stages
from npp_jax.simulation.start import first_tables
from npp_jax.simulation.supported import Unsupported, check_supported, is_two_ions
from npp_jax.simulation.view_mixture import MixtureView
from npp_jax.simulation.view_pair import PairView

ACCURATE = Controls()
"""Default of single simulations and fits."""

FAST = Controls(
    cells_behind=70,
    cells_ahead=30,
    steps=13,
    iterations=1,
    extra_iterations=(4, 2, 1),
    tolerance=0.0,
    start_share=0.006,
    trace=False,
    profile_target=4e-3,
    front_target=(1.0 * NM, 1e-2),
)
"""Default of sweeps."""

FINE = refined(ACCURATE)
"""For data of many counts: a quarter of the errors, in some four times the time."""

FINEST = refined(ACCURATE, 2)
"""A sixteenth of them, in some sixteen times the time."""

SETTINGS = {"fast": FAST, "accurate": ACCURATE, "fine": FINE, "finest": FINEST}
"""Numerical settings by their names in files and options."""


GUARDED = 80
"""Cap on the iterations of a step where laws may jump; most steps take few."""

GUARDED_TOLERANCE = 1e-8
"""Change of a fraction below which they stop."""


@own_promotion
def simulate(experiment: Experiment, controls: Controls = ACCURATE, *, model: Model = "electroneutral") -> Solution:
    """Simulate an experiment.

    Pure and differentiable in both modes with respect to every leaf of the experiment; `jit`, `vmap` and `grad` work
    from outside. Alone it is compiled as one program, kept for experiments of the same form.
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
    TypeError, ValueError
        What is given is no experiment, or one in half precision; controls are none; the name is that of no model.

    References
    ----------
    Gunawan, Schäfer and Weitzel, Phys. Chem. Chem. Phys. 26 (2024) 14430, eqn (1) and Poisson's equation.
    """
    check_supported(experiment, model)
    expect_controls(controls)
    experiment = _common_shape(experiment)
    if model == "full" and experiment.stages[0].temperature.dtype == jnp.float32:
        raise Unsupported(
            "single precision does not resolve the currents of the full model: call "
            "jax.config.update('jax_enable_x64', True) before the experiment is made"
        )
    if not concrete(experiment):
        return _traced(experiment, controls, model)
    leaves, form = jax.tree.flatten(experiment)
    found = _alone(form, controls, model, batch_shape(experiment) == ())(*leaves)
    return solution_of(found, tuple(species.name for species in experiment.species), model)


def _simulated(experiment: Experiment, controls: Controls, model: Model) -> Solution:
    """Simulate what has been checked."""
    parts = in_parts(experiment)
    held = jax.lax.stop_gradient(parts)
    if is_two_ions(experiment):
        plan, view = PairPlan(PAIR[model], held.experiment), PairView(PAIR[model], controls.observables)
        fine = run_stages(parts, controls, plan)
        solution = rated(assemble(parts.experiment, fine, view, model), fine.beyond, impossible(held.experiment))
        if not controls.companion:
            return solution
        rough = run_stages(held, coarser(controls), plan)
    else:
        fine, rough = _mixture_runs(parts, held, controls, MIXTURE[model])
        view = MixtureView(MIXTURE[model])
        solution = rated(assemble(parts.experiment, fine, view, model), fine.beyond, impossible(held.experiment))
        if not controls.companion:
            return solution
    whole = experiment.initial is not None
    return judge(solution, assemble(held.experiment, rough, view, model), controls, whole=whole)


_traced = jax.jit(_simulated, static_argnames=("controls", "model"), inline=True)
"""As part of a program, or of a derivative that is taken without one."""


_KEPT = 24
"""Programs that stay compiled. Each lies in 700 to 2000 pieces of memory, and Linux gives a process 65530 of them:
beyond that it ends without a word.
"""


@functools.lru_cache(maxsize=_KEPT)
def _alone(form: Any, controls: Controls, model: Model, single: bool) -> Program:
    """A program of its own for the leaves of experiments of one form.

    One candidate runs too short to be worth the compiler's care.
    """

    def experiment(leaves: Sequence[Any]) -> Experiment:
        return jax.tree.unflatten(form, leaves)

    def made_of() -> str:
        told = experiment([None] * form.num_leaves)
        parts = {field.name: getattr(told, field.name) for field in fields(told) if field.name != "title"}
        return signature([parts, controls, model], values=False)

    return Program(
        lambda *leaves: numbers_of(_simulated(experiment(leaves), controls, model)),
        made_of,
        once() if single else quick(),
    )


def _mixture_runs(parts: Parts, held: Parts, controls: Controls, scheme: AbstractMixtureScheme) -> tuple[Run, Run]:
    """Run on the mesh that a coarse pass has sought, and this pass for an error estimate; only the run is
    differentiated, `held` being the same with its derivative stopped.
    """
    # Only the first step of a stage has no state of a rough step or of the coarse pass to start from.
    controls = replace(controls, extra_iterations=controls.extra_iterations[:1])
    if any(known.law.between(held.experiment.stages[0].temperature) is not None for known in laws_of(held.experiment)):
        controls = replace(
            controls, iterations=max(controls.iterations, GUARDED), tolerance=max(controls.tolerance, GUARDED_TOLERANCE)
        )
    coarse = coarser(controls)
    rough = run_stages(held, coarse, MixturePlan(scheme, first_tables(held.experiment, coarse), seeking=True))
    # Cells behind and ahead of the front count together.
    cells = controls.cells_behind + controls.cells_ahead
    tables = jax.lax.stop_gradient(tuple(finer(table, cells) for table in rough.tables))
    return run_stages(parts, controls, MixturePlan(scheme, tables)), rough


def _common_shape(experiment: Experiment) -> Experiment:
    """Give the leaves one dtype, and the temperatures, from which shapes are taken, the full batch shape."""
    leaves = jax.tree.leaves(experiment)
    dtype = jnp.result_type(*leaves)
    if dtype not in (jnp.float32, jnp.float64):
        raise TypeError(f"the experiment must be in single or double precision, got {dtype}")
    shape = batch_shape(experiment)
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
