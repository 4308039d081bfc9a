"""From an experiment to its solution: the only place where physics, scheme and solver meet."""

from dataclasses import replace

import jax
import jax.numpy as jnp
from jaxtyping import Array

from npp_jax import mixture, mixture_result, two_ions, two_ions_result
from npp_jax.constants import NM
from npp_jax.integrate import Controls, coarser
from npp_jax.observables import interpolate_profile
from npp_jax.physics.experiment import Experiment
from npp_jax.physics.protocol import Reservoir, Stage
from npp_jax.solution import Model, Solution
from npp_jax.solver.status import Status
from npp_jax.supported import check_supported, is_two_ions

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

PROFILE_TARGET = 2e-3
FRONT_TARGET = (0.25 * NM, 2.5e-3)
NEUTRALITY = 1e-2
LAST_UPDATE = 2e-2
TIME_TARGET = 1e-4


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
        solution = _rated(two_ions_result.assemble(experiment, fine, controls, model))
        if not controls.companion:
            return solution
        controls = coarser(controls)
        coarse = two_ions_result.assemble(held, two_ions.integrate(held, held, controls, model), controls, model)
    else:
        fine, rough = mixture.integrate(experiment, controls, model)
        solution = _rated(mixture_result.assemble(experiment, fine, model))
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


def _rated(solution: Solution) -> Solution:
    """Give a solution its status: the worst that befell the run, its error estimate apart."""
    report = solution.report
    finite = jnp.isfinite(solution.fraction).all((0, 1, 2)) & jnp.isfinite(solution.potential).all((0, 1))
    beyond = ~(jnp.abs(report.excess_charge) <= NEUTRALITY)
    status = _worst(
        (Status.NOT_NEUTRAL, beyond if solution.model == "electroneutral" else jnp.zeros_like(beyond)),
        (Status.NOT_CONVERGED, ~(report.newton_update <= LAST_UPDATE)),
        (Status.MISSED_TIME, ~(report.time_error <= TIME_TARGET)),
        (Status.NOT_FINITE, ~finite),
    )
    return replace(solution, report=replace(report, status=status))


def _worst(*conditions: tuple[Status, Array]) -> Array:
    status = jnp.zeros(conditions[0][1].shape, jnp.int32)
    for code, failed in conditions:
        status = jnp.where(failed, jnp.int32(code), status)
    return status


def judge(solution: Solution, coarse: Solution) -> Solution:
    """Add the error estimate of a companion run to a solution.

    The difference of the two runs bounds the profile error of the finer one; it is compared over one and a half front
    depths.
    """
    profile_error, front_error = [], []
    for k in range(len(solution.time)):
        reach = 1.5 * solution.front_depth[k]
        share = jnp.linspace(0.0, 1.0, 200, dtype=reach.dtype).reshape(-1, *(1,) * reach.ndim)
        depth = share * reach
        fine, rough = (interpolate_profile(depth, s.depth[k], s.fraction[k]) for s in (solution, coarse))
        profile_error.append(jnp.sqrt(jnp.max(jnp.mean((fine - rough) ** 2, axis=1), axis=0)))
        front_error.append(jnp.abs(solution.front_depth[k] - coarse.front_depth[k]))
    profile_error, front_error = jnp.stack(profile_error), jnp.stack(front_error)
    # The companion's error is several times that of the run itself.
    limit = jnp.maximum(FRONT_TARGET[0], FRONT_TARGET[1] * solution.front_depth)
    poor = jnp.any(profile_error > 2.0 * PROFILE_TARGET, axis=0) | jnp.any(front_error > 4.0 * limit, axis=0)
    report = solution.report
    status = jnp.maximum(report.status, jnp.where(poor, jnp.int32(Status.COARSE), 0))
    return replace(
        solution,
        report=replace(report, profile_error=profile_error, front_error=front_error, status=status),
    )
