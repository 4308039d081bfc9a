"""Result of a run with two ions: profiles, course and report in SI units."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from npp_jax.constants import NM
from npp_jax.physics.experiment import Experiment, native_and_foreign
from npp_jax.physics.protocol import Closed, Stage
from npp_jax.simulation.controls import Controls
from npp_jax.simulation.mesh.geometry import geometry
from npp_jax.simulation.observables import FrontObservables, front_observables
from npp_jax.simulation.schemes import PAIR
from npp_jax.simulation.solution import Model, Report, Solution, Trace
from npp_jax.simulation.stages_pair import Run
from npp_jax.simulation.step import State
from npp_jax.simulation.units import medium_of


class _Profile(NamedTuple):
    depth: Array
    faces: Array
    native: Array
    foreign: Array
    potential: Array
    field: Array
    excess: Array
    observables: FrontObservables


def _profile(experiment: Experiment, stage: Stage, state: State, model: Model, controls: Controls) -> _Profile:
    """Profiles of a state at the surface, the cell centres and the back electrode, in SI units."""
    medium = medium_of(experiment, stage)
    here = geometry(state.faces, state.velocity, medium.thickness)
    rest = isinstance(stage.front, Closed)
    tempo = jnp.ones_like(state.current) if rest else 1.0 / state.current
    inner = PAIR[model].face_field(medium, state.y, state.current, tempo, here)
    bulk_field = (state.current / medium.bulk)[None]
    faces = jnp.concatenate([inner[:1], inner, bulk_field])
    excess = medium.debye_squared * jnp.diff(faces, axis=0) / here.width
    excess = excess.at[0].set(0.0).at[-1].set(0.0)
    u = state.y[0]
    centre = 0.5 * (state.faces[1:] + state.faces[:-1])
    surface = _surface_fraction(u, state.faces, state.current / medium.foreign(u[:1])[0])
    ends = lambda first, cells, last: jnp.concatenate([first[None], cells, last[None]])  # noqa: E731
    one, zero = jnp.ones_like(surface), jnp.zeros_like(surface)
    native = ends(surface, u, one)
    charge = ends(zero, excess, zero)
    weighted = inner * here.distance
    # From the grounded back electrode inwards.
    last = here.beyond * state.current / medium.bulk
    potential = last + jnp.concatenate([jnp.cumsum(weighted[::-1], axis=0)[::-1], jnp.zeros_like(weighted[:1])])
    depth = ends(zero, centre, medium.thickness) * NM
    scale = medium.thermal_potential / NM
    # Gauss's law in both models: in the neutral one a correction of the order that it neglects.
    foreign = 1.0 - native + charge
    return _Profile(
        depth=depth,
        faces=state.faces * NM,
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

    def state(power: int) -> Array:
        """Average of xᵖ over each cell, in units of the third face."""
        edges = (faces[:4] / faces[3]) ** (power + 1)
        return jnp.diff(edges, axis=0) / (power + 1) / jnp.diff(faces[:4] / faces[3], axis=0)

    # u = a (1 + slope x) + c x² + d x³; a by Cramer's rule.
    first, second, third = 1.0 + slope * faces[3] * state(1), state(2), state(3)
    minors = jnp.stack([second[i] * third[j] - second[j] * third[i] for i, j in ((1, 2), (2, 0), (0, 1))])
    surface = jnp.sum(minors * u[:3], axis=0) / jnp.sum(minors * first, axis=0)
    return jnp.clip(surface, jnp.minimum(0.0, u[0]), 1.0)


def assemble(experiment: Experiment, run: Run, controls: Controls, model: Model) -> Solution:
    """Turn the states of a run into a solution in SI units; status and error estimate are added by the caller."""
    native, _ = native_and_foreign(experiment)
    unit = medium_of(experiment, experiment.stages[0]).charge_density * NM
    traces, columns = [], []
    for stage, passage in zip(experiment.stages, run.passages, strict=True):
        states = passage.states
        seen = jax.vmap(lambda state, stage=stage: _profile(experiment, stage, state, model, controls))(states)
        trace = Trace(
            time=passage.start + states.time,
            charge=passage.charge * unit,
            current_density=states.current * unit,
            surface_potential=seen.potential[:, 0],
            front_depth=seen.observables.depth,
        )
        foreign = seen.foreign[:, 1:-1] - (seen.excess[:, 1:-1] if model == "electroneutral" else 0.0)
        taken_up = jnp.sum(jnp.diff(states.faces, axis=1) * foreign, axis=1)
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
            status=jnp.zeros(extreme.shape, jnp.int32),
        ),
    )
