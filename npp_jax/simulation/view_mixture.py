"""States of any number of ions, seen as profiles in SI units."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from npp_jax.constants import NM
from npp_jax.physics.experiment import Experiment
from npp_jax.physics.protocol import IonBeamCurrent, IonBeamPotential, Stage
from npp_jax.simulation.at_start import fractions_at_start
from npp_jax.simulation.material import Mixture, conductance
from npp_jax.simulation.mesh.geometry import geometry
from npp_jax.simulation.observables import front_observables
from npp_jax.simulation.schemes import AbstractMixtureScheme
from npp_jax.simulation.schemes.mixture_faces import at_back, at_surface, lengths
from npp_jax.simulation.solution import Trace
from npp_jax.simulation.stages import Run
from npp_jax.simulation.step import State
from npp_jax.simulation.units import mixture_of
from npp_jax.simulation.view import AbstractView, Profile, Viewed, excess_range, furthest


class _Seen(NamedTuple):
    """Profiles of a state at the surface, the cell centres and the back electrode, in SI units."""

    depth: Array
    faces: Array
    fraction: Array
    potential: Array
    field: Array
    excess: Array
    native: Array
    """Fraction of the ion with the largest share at the back at the start, of that share."""
    foreign: Array
    """Fraction of the ion of the beam, or of an earlier one, or else of the last."""


def _seen(
    experiment: Experiment, stage: Stage, foreign: int, scheme: AbstractMixtureScheme, start: Array, state: State
) -> _Seen:
    medium = mixture_of(experiment, stage, 0.0).later(start + state.time)
    here = geometry(state.faces, state.velocity, medium.thickness)
    tempo = jnp.ones_like(state.current) if medium.beam is None else 1.0 / state.current
    faces = scheme.face_field(medium, state.y, state.current, tempo, here)
    centre = 0.5 * (state.faces[1:] + state.faces[:-1])
    cells = jnp.stack(scheme.fractions(medium, state.y, here.width))
    last = jnp.stack([here.distance[-1], here.beyond])
    back = jnp.stack([jnp.broadcast_to(c, centre.shape[1:]) for c in at_back(medium, cells, last)])
    if medium.held is not None:
        surface = jnp.stack([jnp.broadcast_to(c, centre.shape[1:]) for c in medium.held])
    elif medium.surface is not None:
        between = jnp.stack([centre[0], centre[1] - centre[0]])
        surface = at_surface(cells, between)
    elif medium.blocking:
        surface = _unpassed(medium, cells, centre, faces[0])
    else:
        surface = _neutral(medium, _unpassed(medium, cells, centre, _drift(medium, cells, state.current)))
    fraction = jnp.concatenate([surface[:, None], cells, back[:, None]], axis=1)
    excess = medium.debye_squared * jnp.diff(faces, axis=0) / here.width
    edge = jnp.zeros_like(excess[:1])
    if medium.blocking:
        charges = jnp.asarray(medium.charges, excess.dtype).reshape(-1, *(1,) * (surface.ndim - 1))
        begin = jnp.sum(charges * surface, axis=0)[None] - medium.background
    else:
        begin, excess = edge, excess.at[0].set(0.0)
    inner = excess.at[-1].set(0.0)
    steps = lengths(here) * faces
    potential = jnp.concatenate([jnp.cumsum(steps[::-1], axis=0)[::-1], edge])
    depth = jnp.concatenate([edge, centre, medium.thickness[None]]) * NM
    near_back = jnp.stack([0.999 * medium.thickness, medium.thickness])
    deep = fractions_at_start(experiment, near_back)[:, 0]
    native = jnp.argmax(deep, axis=0)[None]
    own = jnp.take_along_axis(fraction, native[:, None], axis=0)[0] / jnp.max(deep, axis=0)
    field = jnp.concatenate([faces[:1], 0.5 * (faces[1:] + faces[:-1]), faces[-1:]])
    return _Seen(
        depth=depth,
        faces=state.faces * NM,
        fraction=fraction,
        potential=medium.thermal_potential * potential,
        field=medium.thermal_potential / NM * field,
        excess=jnp.concatenate([begin, inner, edge]),
        native=own,
        foreign=fraction[foreign] if len(medium.charges) > 1 else jnp.zeros_like(own),
    )


def _drift(medium: Mixture, cells: Array, current: Array) -> Array:
    """Field that carries the current through the first cell [kT/(e nm)]."""
    return current / conductance(medium, tuple(cells[:, :1]))[0]


def _unpassed(medium: Mixture, cells: Array, centre: Array, field: Array) -> Array:
    """Fractions at a surface that the ions do not pass: ∂c/∂x = z c E, continued from the first two cells, and at least
    what never moves: it has no flux on any profile.
    """
    near, far = centre[0], centre[1]
    values = []
    for k, z in enumerate(medium.charges):
        slope = z * field
        weight = (1.0 + slope * near) * far**2 - (1.0 + slope * far) * near**2
        continued = (cells[k, 0] * far**2 - cells[k, 1] * near**2) / weight
        most = jnp.maximum(cells[k, 0], 0.0)
        # Of intermixed populations no ion is held back.
        held = medium.immobile[k] if medium.seen[k] == (k,) else 0.0
        values.append(jnp.clip(continued, jnp.minimum(held, most), most))
    return jnp.stack(values)


def _neutral(medium: Mixture, surface: Array) -> Array:
    """The same with the species that is not carried making the surface neutral: continued apart, they do not add up."""
    others = sum(medium.charges[k] * surface[k] for k in medium.carried)
    last = medium.dependent_species
    return surface.at[last].set((medium.background - others) / medium.charges[last])


def _ionic_current(medium: Mixture, states: State, scheme: AbstractMixtureScheme) -> Array:
    """v₀ of the ions in each state [nm/s]."""

    def of(state: State) -> Array:
        here = geometry(state.faces, state.velocity, medium.thickness)
        return scheme.ionic_current(medium.later(state.time), state.y, state.current, here)

    return jax.vmap(of)(states)


class MixtureView(AbstractView):
    """States of any number of ions."""

    scheme: AbstractMixtureScheme

    def __call__(self, experiment: Experiment, run: Run) -> Viewed:
        """See all states; an ion of a beam is balanced where the bulk holds none of it."""
        names = [species.name for species in experiment.species]
        unit = mixture_of(experiment, experiment.stages[0], 0.0).charge_density * NM
        foreign = len(names) - 1
        scheme = self.scheme
        whole = experiment.sample.thickness / NM
        begun = whole * fractions_at_start(experiment, jnp.stack([jnp.zeros_like(whole), whole]))[:, 0]
        states, outputs, uptake, balance = [], [], [], []
        passed = [jnp.zeros_like(unit)] * len(names)
        for stage, record in zip(experiment.stages, run.records, strict=True):
            if isinstance(stage.front, IonBeamPotential | IonBeamCurrent):
                foreign = names.index(stage.front.beam)
                passed[foreign] = passed[foreign] + record.taken
            seen = jax.vmap(lambda m, s=stage, f=foreign, r=record: _seen(experiment, s, f, scheme, r.start, m))(
                record.states
            )
            medium = mixture_of(experiment, stage, 0.0).later(record.start)
            current = _ionic_current(medium, record.states, scheme)
            outputs.append(sum(len(state[-1]) for state in states) + np.asarray(record.outputs, int))
            time = record.states.time
            start = jnp.broadcast_to(record.start, time.shape)
            states.append((seen, start, record.start + time, record.charge * unit, current * unit))
            width = jnp.diff(record.states.faces[-1], axis=0)
            last = scheme.fractions(medium, tuple(c[-1] for c in record.states.y), width)
            uptake = [jnp.sum(width * c, axis=0) - b for c, b in zip(last, begun, strict=True)]
            for k, gained in enumerate(uptake):
                if any(getattr(s.front, "beam", None) == names[k] for s in experiment.stages):
                    # An ion of the bulk leaves at the back as well.
                    told = (passed[k] > 0.0) & (experiment.species[k].bulk_fraction == 0.0)
                    charged = experiment.species[k].charge * gained
                    balance.append(jnp.where(told, jnp.abs(charged / jnp.where(told, passed[k], 1.0) - 1.0), 0.0))
        seen, start, *course = jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *states)
        front = jax.vmap(front_observables)(seen.depth, seen.native, seen.foreign)
        trace = Trace(*course, surface_potential=seen.potential[:, 0], front_depth=front.depth, start=start)
        rows = np.concatenate(outputs)
        at, seen, front = jax.tree.map(lambda leaf: leaf[rows], (trace, seen, front))
        profile = Profile(seen.depth, seen.faces, seen.fraction, seen.potential, seen.field, seen.excess)
        between = excess_range(seen.excess)
        most = jnp.max(jnp.stack([jnp.zeros_like(unit), *balance]), axis=0)
        return Viewed(trace, at, profile, front, furthest(*between), most)
