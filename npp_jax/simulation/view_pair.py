"""States of one ion that replaces another, seen as profiles in SI units."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from npp_jax.constants import NM
from npp_jax.physics.experiment import Experiment, native_and_foreign
from npp_jax.physics.protocol import Closed, Stage
from npp_jax.simulation.mesh.geometry import geometry
from npp_jax.simulation.observables import FrontObservables, front_observables
from npp_jax.simulation.schemes import AbstractScheme
from npp_jax.simulation.solution import Trace
from npp_jax.simulation.stages import Run
from npp_jax.simulation.step import State
from npp_jax.simulation.units import medium_of
from npp_jax.simulation.view import AbstractView, Profile, Viewed, excess_range, furthest


class _Profile(NamedTuple):
    depth: Array
    faces: Array
    native: Array
    foreign: Array
    potential: Array
    field: Array
    excess: Array
    observables: FrontObservables


def _profile(experiment: Experiment, stage: Stage, state: State, view: "PairView") -> _Profile:
    """Profiles of a state at the surface, the cell centres and the back electrode, in SI units."""
    medium = medium_of(experiment, stage)
    here = geometry(state.faces, state.velocity, medium.thickness)
    rest = isinstance(stage.front, Closed)
    tempo = jnp.ones_like(state.current) if rest else 1.0 / state.current
    inner = view.scheme.face_field(medium, state.y, state.current, tempo, here)
    bulk_field = (state.current / medium.bulk)[None]
    faces = jnp.concatenate([inner[:1], inner, bulk_field])
    excess = medium.debye_squared * jnp.diff(faces, axis=0) / here.width
    excess = excess.at[0].set(0.0).at[-1].set(0.0)
    u = state.y[0]
    centre = 0.5 * (state.faces[1:] + state.faces[:-1])
    surface = _surface_fraction(u, state.faces, state.current / medium.foreign(u[:1])[0], medium.immobile)
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
    # A neutral sample has none; what Gauss's law tells of it there is a measure of the model.
    foreign = 1.0 - native + charge if view.scheme.poisson else 1.0 - native
    return _Profile(
        depth=depth,
        faces=state.faces * NM,
        native=native,
        foreign=foreign,
        potential=medium.thermal_potential * ends(potential[0] + inner[0] * centre[0], potential, zero),
        field=scale * ends(inner[0], 0.5 * (faces[1:] + faces[:-1]), bulk_field[0]),
        excess=charge,
        observables=front_observables(depth, native, foreign)
        if view.observables
        else FrontObservables(*[jnp.full_like(surface, jnp.nan)] * 4),
    )


def _surface_fraction(u: Array, faces: Array, slope: Array, immobile: Array) -> Array:
    """Native fraction at x = 0: cubic with the averages of the first three cells that carries no native flux there.

    Zero native flux means ∂u/∂x = (v₀/D₂) u at x = 0; `slope` is v₀/D₂. Ions that do not move have no flux on any
    profile: where the cubic falls below them, they are what is there.
    """

    def state(power: int) -> Array:
        """Average of xᵖ over each cell, in units of the third face."""
        edges = (faces[:4] / faces[3]) ** (power + 1)
        return jnp.diff(edges, axis=0) / (power + 1) / jnp.diff(faces[:4] / faces[3], axis=0)

    # u = a (1 + slope x) + c x² + d x³; a by Cramer's rule.
    first, second, third = 1.0 + slope * faces[3] * state(1), state(2), state(3)
    minors = jnp.stack([second[i] * third[j] - second[j] * third[i] for i, j in ((1, 2), (2, 0), (0, 1))])
    surface = jnp.sum(minors * u[:3], axis=0) / jnp.sum(minors * first, axis=0)
    return jnp.clip(surface, jnp.minimum(immobile, u[0]), 1.0)


class PairView(AbstractView):
    """States of one ion that replaces another."""

    scheme: AbstractScheme
    observables: bool
    """Whether the front is read off the profiles."""

    def __call__(self, experiment: Experiment, run: Run) -> Viewed:
        """See all states; the excess charge counts as foreign ions in the full model."""
        native, _ = native_and_foreign(experiment)
        unit = medium_of(experiment, experiment.stages[0]).charge_density * NM
        traces, columns = [], []
        for stage, record in zip(experiment.stages, run.records, strict=True):
            states = record.states
            seen = jax.vmap(lambda state, stage=stage: _profile(experiment, stage, state, self))(states)
            trace = Trace(
                time=record.start + states.time,
                charge=record.charge * unit,
                current_density=states.current * unit,
                surface_potential=seen.potential[:, 0],
                front_depth=seen.observables.depth,
                start=jnp.broadcast_to(record.start, states.time.shape),
            )
            taken_up = jnp.sum(jnp.diff(states.faces, axis=1) * seen.foreign[:, 1:-1], axis=1)
            balance = jnp.abs(taken_up / record.charge - 1.0)
            rows = np.asarray(record.outputs, int)
            columns.append(jax.tree.map(lambda leaf, r=rows: leaf[r], (trace, seen, balance)))
            traces.append(trace)
        join = lambda *leaves: jnp.concatenate(leaves)  # noqa: E731
        trace = jax.tree.map(join, *traces)
        at, seen, balance = jax.tree.map(join, *columns)
        pair = (seen.native, seen.foreign) if native == 0 else (seen.foreign, seen.native)
        fraction = jnp.stack(pair, axis=1)
        profile = Profile(seen.depth, seen.faces, fraction, seen.potential, seen.field, seen.excess)
        extreme = furthest(*excess_range(seen.excess))
        return Viewed(trace, at, profile, seen.observables, extreme, jnp.max(balance, axis=0))
