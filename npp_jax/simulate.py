"""From an experiment to its solution: the only place where physics, scheme and solver meet."""

from dataclasses import replace
from types import ModuleType
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array

from npp_jax import mixture, mixture_result
from npp_jax.discretisation import electroneutral, full
from npp_jax.discretisation.flux import Unknowns
from npp_jax.discretisation.geometry import geometry
from npp_jax.discretisation.medium import Medium
from npp_jax.discretisation.path import NM, Path, Place
from npp_jax.integrate import Controls, coarser, make_schedule, march, untouched
from npp_jax.observables import FrontObservables, front_observables, interpolate_profile
from npp_jax.physics.experiment import Experiment, named_species
from npp_jax.physics.front_theory import front_theory
from npp_jax.physics.protocol import Blocking, Closed, IonBeamCurrent, IonBeamPotential, Reservoir, Stage
from npp_jax.scaling import intermixed, medium_of, native_and_foreign
from npp_jax.solution import Report, Solution, Trace
from npp_jax.solver.status import Status
from npp_jax.step import Moment

Model = Literal["electroneutral", "full"]

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

_MODELS: dict[str, ModuleType] = {"electroneutral": electroneutral, "full": full}

PROFILE_TARGET = 2e-3
FRONT_TARGET = (0.25 * NM, 2.5e-3)
NEUTRALITY = 1e-2
LAST_UPDATE = 2e-2
TIME_TARGET = 1e-4


class Unsupported(ValueError):
    """The experiment is valid, but outside what this version simulates."""


class Passage(NamedTuple):
    """States of one stage that are looked at, in order (first axis)."""

    moments: Moment
    charge: Array
    """Charge passed since the start of the protocol, as a length [nm]."""
    start: Array
    """Time at which the stage starts [s]."""
    outputs: np.ndarray
    """Which of the states are outputs."""


class Run(NamedTuple):
    """One pass through all stages, and what it took."""

    passages: list[Passage]
    clocks: list[Array]
    """Clock values of all steps of each stage, those repeated to land on an output included."""
    update: Array
    iterations: Array
    time_error: Array


def two_ions(experiment: Experiment) -> bool:
    """Whether a beam replaces one native ion by one foreign ion of the same charge, both free to leave at the back: the
    mesh has a closed form.
    """
    species = experiment.species
    beams = set().union(*(named_species(stage.front) for stage in experiment.stages))
    usual = all(isinstance(s.front, IonBeamPotential | IonBeamCurrent | Closed) for s in experiment.stages)
    free = all(ion.back == "releasing" for ion in species)
    return len(species) == 2 and species[0].charge == species[1].charge and usual and free and len(beams) == 1


def check_supported(experiment: Experiment, model: Model = "electroneutral") -> None:
    """Refuse what the engine does not simulate, in one line.

    Raises
    ------
    Unsupported
        For blocking fronts without space charge, a single species under another front, a rest of the untouched sample,
        a charged or incomplete reservoir, a current that no ion carries out at the back, or a bulk of both ions where
        there are two.
    """
    species = experiment.species
    blocking = [isinstance(stage.front, Blocking) for stage in experiment.stages]
    if any(blocking) and model != "full":
        raise Unsupported(
            f"stages[{blocking.index(True)}]: a blocking front depletes the surface of ions, which the electroneutral "
            "model cannot hold: use the full model"
        )
    if len(species) < 2 and not all(blocking):
        raise Unsupported("at least two mobile species are simulated, one only under a blocking front")
    if model == "full" and len(species) > 1 and any(intermixed(s.diffusivity) for s in species):
        raise Unsupported("intermixed populations of several ions are simulated by the electroneutral model only")
    _check_back(experiment)
    for k, stage in enumerate(experiment.stages):
        if isinstance(stage.front, Closed | Reservoir) and stage.duration is None:
            raise ValueError(f"stages[{k}]: a stage without a beam ends at a duration, no charge passes")
        if isinstance(stage.front, Reservoir):
            _check_reservoir(experiment, stage.front, k)
    if isinstance(experiment.stages[0].front, Closed):
        raise Unsupported("stages[0]: the first stage needs a beam or a reservoir, an untouched sample stays as it is")
    if not two_ions(experiment):
        return
    native, foreign = native_and_foreign(experiment)
    bulk = [species[native].bulk_fraction, species[foreign].bulk_fraction]
    if not any(isinstance(value, Tracer) for value in bulk):
        if not (np.all(np.asarray(bulk[0]) == 1.0) and np.all(np.asarray(bulk[1]) == 0.0)):
            raise Unsupported(
                "the bulk must hold the native ion alone: bulk fractions 1 and 0, and the beam the foreign ion, got "
                f"{[np.asarray(value).tolist() for value in bulk]}"
            )


def _check_back(experiment: Experiment) -> None:
    """A current needs an ion of the bulk that leaves at the back; without current the back may hold all ions."""
    if all(ion.back == "releasing" for ion in experiment.species):
        return
    native = [
        ion
        for ion in experiment.species
        if isinstance(ion.bulk_fraction, Tracer) or np.any(np.asarray(ion.bulk_fraction) != 0.0)
    ]
    if any(ion.back == "releasing" for ion in native):
        return
    if any(ion.back == "releasing" for ion in experiment.species):
        raise Unsupported("a back electrode that holds every ion of the bulk must hold the foreign ions as well")
    for k, stage in enumerate(experiment.stages):
        if not isinstance(stage.front, Closed | Reservoir):
            raise Unsupported(f"stages[{k}]: no current flows while back = 'blocking' holds every ion of the bulk")


def _check_reservoir(experiment: Experiment, front: Reservoir, number: int) -> None:
    """A reservoir names every species and is as charged as the bulk."""
    names = {species.name for species in experiment.species}
    if set(front.fraction) != names:
        missing = ", ".join(sorted(names - set(front.fraction)))
        raise Unsupported(f"stages[{number}]: reservoir_fraction needs a value for every species, missing: {missing}")
    pairs = [(s.charge, front.fraction[s.name], s.bulk_fraction) for s in experiment.species]
    if any(isinstance(value, Tracer) for _, *values in pairs for value in values):
        return
    surface = sum(z * np.asarray(held) for z, held, _ in pairs)
    bulk = sum(z * np.asarray(own) for z, _, own in pairs)
    if not np.allclose(surface, bulk, rtol=0.0, atol=1e-5):
        raise Unsupported(
            f"stages[{number}]: reservoir_fraction must carry the charge of the bulk, {np.max(bulk):g}, "
            f"got {np.max(surface):g}"
        )


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
    if not two_ions(experiment):
        fine, coarse = mixture.integrate(experiment, controls, model)
        solution = _rated(mixture_result.assemble(experiment, fine, model))
        if not controls.companion:
            return solution
        return judge(solution, mixture_result.assemble(jax.lax.stop_gradient(experiment), coarse, model))
    solution = assemble(experiment, integrate(experiment, experiment, controls, model), controls, model)
    if not controls.companion:
        return solution
    held, controls = jax.lax.stop_gradient(experiment), coarser(controls)
    return judge(solution, assemble(held, integrate(held, held, controls, model), controls, model))


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


def integrate(
    experiment: Experiment,
    meshed: Experiment,
    controls: Controls,
    model: Model,
    held: list[Array] | None = None,
) -> Run:
    """March through all stages.

    Parameters
    ----------
    experiment
        What is simulated.
    meshed
        What places mesh and steps: the same, with its derivative stopped. Given apart, with `held` (clock values of
        the mesh, one
        array a stage), it makes the discrete map that differentiation sees accessible to finite differences.
    controls, model
        As in `simulate`.
    """
    meshed = jax.lax.stop_gradient(meshed)
    moment: Moment | None = None
    zero = jnp.zeros_like(experiment.stages[0].temperature)
    place, charge, elapsed = Place(zero, zero, zero), zero, zero
    passages, clocks = [], []
    update, iterations, time_error = zero, jnp.zeros(zero.shape, jnp.int32), zero
    for k, stage in enumerate(experiment.stages):
        medium, mesh_medium = medium_of(experiment, stage), medium_of(meshed, meshed.stages[k])
        theory = front_theory(mesh_medium.native, mesh_medium.foreign, meshed.stages[k].temperature)
        first = moment is None
        path = Path(mesh_medium, theory, meshed.stages[k].front, place, jax.lax.stop_gradient(charge))
        actual = path._replace(medium=medium, front=stage.front)
        schedule = make_schedule(actual, stage, controls, first=first, surface_charge=model == "full")
        landing = bool(np.any(schedule.again))
        before = zero if moment is None or model != "full" else _surface_charge(medium, moment.y)
        if moment is None:
            moment, guess = untouched(path, jax.lax.stop_gradient(schedule), controls)
        else:
            centre = 0.5 * (moment.faces[1:] + moment.faces[:-1])
            guess = jnp.zeros((2, *centre.shape), centre.dtype)
            moment = moment._replace(clock=zero, time=zero)
            if path.resting:
                moment = moment._replace(current=zero)
            else:
                moment = moment._replace(current=path.current_at(zero))
        mesh_clock = None if held is None else held[k]
        pair = lambda u: (u, jnp.zeros_like(u)) if model == "full" else (u,)  # noqa: E731
        parts = []
        if model == "full" and first:
            # The first step, from a step profile, is taken neutral: Poisson's equation adds nothing there but
            # stiffness.
            head = jax.tree.map(lambda leaf: leaf[:1], schedule)
            start = None if mesh_clock is None else mesh_clock[:1]
            moment, _, happened = march(
                electroneutral, path, actual, head, moment, (guess,), controls, landing=False, held=start
            )
            moment = _with_field(medium, moment)
            parts.append((jax.tree.map(lambda leaf: leaf[None], moment), happened))
            schedule = jax.tree.map(lambda leaf: leaf[1:], schedule)
            mesh_clock = None if mesh_clock is None else mesh_clock[1:]
        stays = None
        if model == "full" and stage.duration is None:
            stays = lambda y, medium=medium, before=before: _surface_charge(medium, y) - before  # noqa: E731
        moment, moments, happened = march(
            _MODELS[model],
            path,
            actual,
            schedule,
            moment,
            pair(guess),
            controls,
            landing=landing,
            held=mesh_clock,
            surface_charge=stays,
        )
        parts.append((moments, happened))
        moments, happened = jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *parts)
        neutral_steps = len(parts) - 1
        final = np.concatenate([np.ones(neutral_steps, bool), schedule.final])
        at_output = np.flatnonzero(np.concatenate([np.zeros(neutral_steps, bool), schedule.output]))
        flowed = charge + (jnp.zeros_like(moments.clock) if path.resting else moments.clock)
        passed = flowed
        if model == "full":
            # What has flowed in is the foreign ions and the charge that carries the field at the surface.
            passed = flowed - jax.vmap(lambda y, medium=medium: _surface_charge(medium, y))(moments.y)
        rows = np.flatnonzero(final) if controls.trace else at_output
        looked_at = jax.tree.map(lambda leaf, r=rows: leaf[r], moments)
        passages.append(Passage(looked_at, passed[rows], elapsed, np.flatnonzero(np.isin(rows, at_output))))
        clocks.append(moments.clock)
        # What is wrong early concerns few ions: it counts as far as the step has come.
        kept = np.flatnonzero(final)
        share = moments.clock[kept] / moments.clock[-1]
        update = jnp.maximum(update, jnp.max(happened.update[kept] * share, axis=0))
        iterations = iterations + jnp.sum(happened.iterations, axis=0)
        if landing and stage.duration is not None:
            wanted, reached = schedule.target[at_output - neutral_steps], moments.time[at_output]
            time_error = jnp.maximum(time_error, jnp.max(jnp.abs(reached / wanted - 1.0), axis=0))
        place = path.place_at(jax.lax.stop_gradient(moment.clock))
        elapsed = elapsed + moment.time
        charge = flowed[-1]
    return Run(passages, clocks, update, iterations, time_error)


def _surface_charge(medium: Medium, y: Unknowns) -> Array:
    """Charge that carries the field at the surface, as a length [nm]; that behind the front belongs to the bulk."""
    return medium.debye_squared * (y[1][0] - y[1][-2])


def _with_field(medium: Medium, moment: Moment) -> Moment:
    """Hand a neutral state over to the full model."""
    here = geometry(moment.faces, moment.velocity, medium.thickness)
    return moment._replace(y=full.start(medium, moment.y[0], moment.current, here))


class _Profile(NamedTuple):
    depth: Array
    faces: Array
    native: Array
    foreign: Array
    potential: Array
    field: Array
    excess: Array
    observables: FrontObservables


def _profile(experiment: Experiment, stage: Stage, moment: Moment, model: Model, controls: Controls) -> _Profile:
    """Profiles of a state at the surface, the cell centres and the back electrode, in SI units."""
    medium = medium_of(experiment, stage)
    here = geometry(moment.faces, moment.velocity, medium.thickness)
    rest = isinstance(stage.front, Closed)
    tempo = jnp.ones_like(moment.current) if rest else 1.0 / moment.current
    inner = _MODELS[model].face_field(medium, moment.y, moment.current, tempo, here)
    bulk_field = (moment.current / medium.bulk)[None]
    faces = jnp.concatenate([inner[:1], inner, bulk_field])
    excess = medium.debye_squared * jnp.diff(faces, axis=0) / here.width
    excess = excess.at[0].set(0.0).at[-1].set(0.0)
    u = moment.y[0]
    centre = 0.5 * (moment.faces[1:] + moment.faces[:-1])
    surface = _surface_fraction(u, moment.faces, moment.current / medium.foreign(u[:1])[0])
    ends = lambda first, cells, last: jnp.concatenate([first[None], cells, last[None]])  # noqa: E731
    one, zero = jnp.ones_like(surface), jnp.zeros_like(surface)
    native = ends(surface, u, one)
    charge = ends(zero, excess, zero)
    weighted = inner * here.distance
    # From the grounded back electrode inwards.
    last = here.beyond * moment.current / medium.bulk
    potential = last + jnp.concatenate([jnp.cumsum(weighted[::-1], axis=0)[::-1], jnp.zeros_like(weighted[:1])])
    depth = ends(zero, centre, medium.thickness) * NM
    scale = medium.thermal_potential / NM
    # Gauss's law in both models: in the neutral one a correction of the order that it neglects.
    foreign = 1.0 - native + charge
    return _Profile(
        depth=depth,
        faces=moment.faces * NM,
        native=native,
        foreign=foreign,
        potential=medium.thermal_potential * ends(potential[0] + inner[0] * centre[0], potential, zero),
        field=scale * ends(inner[0], 0.5 * (faces[1:] + faces[:-1]), bulk_field[0]),
        excess=charge,
        observables=front_observables(depth, native, foreign)
        if controls.observables
        else FrontObservables(*[jnp.full_like(surface, jnp.nan)] * 4),
    )


def _surface_fraction(u: Array, faces: Array, slope: Array) -> Array:
    """Native fraction at x = 0: cubic with the averages of the first three cells that carries no native flux there.

    Zero native flux means ∂u/∂x = (v₀/D₂) u at x = 0; `slope` is v₀/D₂.
    """

    def moment(power: int) -> Array:
        """Average of xᵖ over each cell, in units of the third face."""
        edges = (faces[:4] / faces[3]) ** (power + 1)
        return jnp.diff(edges, axis=0) / (power + 1) / jnp.diff(faces[:4] / faces[3], axis=0)

    # u = a (1 + slope x) + c x² + d x³; a by Cramer's rule.
    first, second, third = 1.0 + slope * faces[3] * moment(1), moment(2), moment(3)
    minors = jnp.stack([second[i] * third[j] - second[j] * third[i] for i, j in ((1, 2), (2, 0), (0, 1))])
    surface = jnp.sum(minors * u[:3], axis=0) / jnp.sum(minors * first, axis=0)
    return jnp.clip(surface, jnp.minimum(0.0, u[0]), 1.0)


def assemble(experiment: Experiment, run: Run, controls: Controls, model: Model) -> Solution:
    """Turn the states of a run into a solution in SI units."""
    native, _ = native_and_foreign(experiment)
    unit = medium_of(experiment, experiment.stages[0]).charge_density * NM
    traces, columns = [], []
    for stage, passage in zip(experiment.stages, run.passages, strict=True):
        moments = passage.moments
        seen = jax.vmap(lambda moment, stage=stage: _profile(experiment, stage, moment, model, controls))(moments)
        trace = Trace(
            time=passage.start + moments.time,
            charge=passage.charge * unit,
            current_density=moments.current * unit,
            surface_potential=seen.potential[:, 0],
            front_depth=seen.observables.depth,
        )
        foreign = seen.foreign[:, 1:-1] - (seen.excess[:, 1:-1] if model == "electroneutral" else 0.0)
        taken_up = jnp.sum(jnp.diff(moments.faces, axis=1) * foreign, axis=1)
        balance = jnp.abs(taken_up / passage.charge - 1.0)
        columns.append(jax.tree.map(lambda leaf, r=passage.outputs: leaf[r], (trace, seen, balance)))
        traces.append(trace)
    join = lambda *leaves: jnp.concatenate(leaves)  # noqa: E731
    trace = jax.tree.map(join, *traces)
    at, seen, balance = jax.tree.map(join, *columns)
    pair = (seen.native, seen.foreign) if native == 0 else (seen.foreign, seen.native)
    fraction = jnp.stack(pair, axis=1)
    low, high = jnp.min(seen.excess, axis=(0, 1)), jnp.max(seen.excess, axis=(0, 1))
    extreme = jnp.where(-low > high, low, high)
    finite = jnp.isfinite(fraction).all((0, 1, 2)) & jnp.isfinite(seen.potential).all((0, 1))
    status = _status(model, extreme, run.update, run.time_error, finite)
    observables = seen.observables
    unknown = jnp.full_like(observables.depth, jnp.nan)
    return Solution(
        species=tuple(species.name for species in experiment.species),
        model=model,
        time=at.time,
        charge=at.charge,
        current_density=at.current_density,
        surface_potential=at.surface_potential,
        depth=seen.depth,
        faces=seen.faces,
        fraction=fraction,
        potential=seen.potential,
        field=seen.field,
        excess_charge=seen.excess,
        front_depth=observables.depth,
        front_width=observables.width,
        plateau=observables.plateau,
        leading_edge=observables.leading_edge,
        trace=trace,
        report=Report(
            steps=sum(len(clock) for clock in run.clocks),
            cells=controls.cells_behind + controls.cells_ahead,
            iterations=run.iterations,
            newton_update=run.update,
            profile_error=unknown,
            front_error=unknown,
            ion_balance=jnp.max(balance, axis=0),
            time_error=run.time_error,
            excess_charge=extreme,
            status=status,
        ),
    )


def _status(model: str, excess: Array, update: Array, time_error: Array, finite: Array) -> Array:
    """Worst that befell a run, its error estimate apart."""
    neutral = jnp.abs(excess) <= NEUTRALITY if model == "electroneutral" else jnp.ones_like(finite)
    return _worst(
        (Status.NOT_NEUTRAL, ~neutral),
        (Status.NOT_CONVERGED, ~(update <= LAST_UPDATE)),
        (Status.MISSED_TIME, ~(time_error <= TIME_TARGET)),
        (Status.NOT_FINITE, ~finite),
    )


def _rated(solution: Solution) -> Solution:
    """Give a solution of any number of ions its status."""
    finite = jnp.isfinite(solution.fraction).all((0, 1, 2)) & jnp.isfinite(solution.potential).all((0, 1))
    report = solution.report
    status = _status(solution.model, report.excess_charge, report.newton_update, report.time_error, finite)
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
