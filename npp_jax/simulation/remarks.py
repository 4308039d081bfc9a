"""What a user should know of a result beside its status: bounds that acted, inputs that ask for too much."""

from collections.abc import Iterator

import jax.numpy as jnp
import numpy as np

from npp_jax.physics.cuts import RESTING
from npp_jax.physics.diffusivity import FULL, SEDDiffusivity
from npp_jax.physics.experiment import Experiment, laws_of
from npp_jax.physics.keys import STAGE
from npp_jax.physics.protocol import IonBeamCurrent, IonBeamPotential, Reservoir
from npp_jax.simulation.judge import NEUTRALITY
from npp_jax.simulation.solution import Solution
from npp_jax.simulation.status import Status

_UNRESOLVED = (Status.COARSE, Status.NOT_CONVERGED, Status.NOT_FINITE)

_STEEP = 3.0
"""Decades of a diffusion coefficient, from the bulk to a hundredth of it, that are told of where a run falls short."""

_SLACK = 1e-6
"""Occupied fraction by which sites that are full in the bulk must be overfilled to count."""

_MOVED = 0.01
"""Share of the depth of a front over which immobile ions must have been lost to be told of."""

_STRONG = 5e7
"""Field [V/m] from which hops of usual lengths are no longer linear in it."""

_END, _SEEN_AT_BACK = 0.9, 1e-3
"""Share of the thickness beyond which an exchange is at the back, and the fraction by which it shows there."""


def remarks(experiment: Experiment, solution: Solution) -> tuple[str, ...]:
    """Sentences on a solution, in words of the experiment; none where all is usual. Not for use inside of `jit`."""
    steep = _steepest_law(experiment) if np.isin(solution.report.status, _UNRESOLVED).any() else ()
    return (
        *_excess_charge(solution),
        *_full_sites(experiment, solution),
        *_not_held(experiment, solution),
        *_high_potentials(experiment, solution),
        *_strong_fields(experiment, solution),
        *_exchange_at_the_back(experiment, solution),
        *causes(experiment, solution),
        *steep,
    )


def _excess_charge(solution: Solution) -> Iterator[str]:
    """An excess charge that the model leaves out, where a worse status has the word: no error estimate counts it."""
    excess = np.abs(np.asarray(solution.report.excess_charge))
    hidden = (excess > NEUTRALITY) & (np.asarray(solution.report.status) > Status.NOT_NEUTRAL)
    if solution.model == "electroneutral" and hidden.any():
        yield (
            f"an excess charge of {np.max(excess, where=hidden, initial=0.0):.2g} of the bulk is left out by the "
            "electroneutral model, and by the error estimate: run the full model"
        )


def _full_sites(experiment: Experiment, solution: Solution) -> Iterator[str]:
    """Ions that fill all sites of their distribution: the law has no Fermi energy for more of them."""
    fraction = np.asarray(solution.fraction)
    # Edges are extrapolated, and a stretched profile swings there: the centres of the cells tell.
    inside = fraction[:, :, 1:-1]
    for k, ion in enumerate(experiment.species):
        law = ion.diffusivity
        if not isinstance(law, SEDDiffusivity):
            continue
        bulk = np.asarray(ion.bulk_fraction)
        own = inside[:, k] / np.where(bulk > 0.0, bulk, 1.0)
        x = inside.sum(axis=1) if law.populations == "intermixed" else own
        immobile, filled = np.asarray(law.immobile_fraction), 1.0 - np.asarray(law.vacancy_fraction)
        occupied = filled * (x - immobile) / (1.0 - immobile)
        full = occupied >= np.maximum(filled + _SLACK, FULL)
        if not full.any():
            continue
        where = np.broadcast_to(np.asarray(solution.depth)[:, 1:-1], full.shape)[full]
        sharing = " shared with the other ions" if law.populations == "intermixed" else ""
        yield (
            f"{ion.name} fills all sites of its distribution{sharing} from {where.min() * 1e9:.3g} to "
            f"{where.max() * 1e9:.3g} nm, where its Fermi energy is held: a larger vacancy_fraction leaves room"
        )


def _not_held(experiment: Experiment, solution: Solution) -> Iterator[str]:
    """Ions of which less is left than the immobile fraction: intermixed with others, none is held; of a narrow
    distribution, D of those that should not move is not small.
    """
    for k, ion in enumerate(experiment.species):
        law = ion.diffusivity
        if not isinstance(law, SEDDiffusivity):
            continue
        immobile = np.asarray(law.immobile_fraction) * np.asarray(ion.bulk_fraction)
        if not np.any(immobile > 0.0):
            continue
        gone = np.maximum(immobile - np.asarray(solution.fraction)[:, k, 1:-1], 0.0)
        if law.populations == "intermixed":
            if np.any(gone > _SLACK):
                yield (
                    f"{ion.name} falls below its immobile fraction, which holds no ion back of intermixed populations: "
                    "it enters the filling of the sites alone"
                )
            continue
        width = np.diff(np.asarray(solution.faces), axis=1)
        lost = np.sum(width * gone, axis=1) / np.where(immobile > 0.0, immobile, 1.0)
        # A front of nothing has no depth.
        if np.any(lost > _MOVED * np.nan_to_num(np.asarray(solution.front_depth), nan=np.inf)):
            yield (
                f"{ion.name} falls below its immobile fraction: with so narrow a distribution D of what should not "
                "move is not small against that of the other ions; a wider one holds them"
            )


def _high_potentials(experiment: Experiment, solution: Solution) -> Iterator[str]:
    """Stages whose current needs a potential that no sample holds."""
    most = STAGE["potential_V"].limits.high
    last = np.cumsum([len(stage.outputs) for stage in experiment.stages]) - 1
    ends = np.asarray(solution.time)[last]
    time = np.concatenate([np.asarray(solution.time), np.asarray(solution.trace.time)])
    potential = np.concatenate([np.asarray(solution.surface_potential), np.asarray(solution.trace.surface_potential)])
    start = np.zeros_like(ends[0])
    for k, (stage, end) in enumerate(zip(experiment.stages, ends, strict=True)):
        during = np.where((time > start) & (time <= end) & np.isfinite(potential), np.abs(potential), 0.0)
        start = end
        if isinstance(stage.front, IonBeamCurrent) and during.max() > most:
            needed = during.max()
            yield (
                f"stages[{k}]: its current density needs {needed:.2g} V at the surface, {needed / most:.2g} times the "
                f"{most:g} V that may be asked of a sample: a smaller current density, or ions that conduct better, "
                "are needed"
            )


def _strong_fields(experiment: Experiment, solution: Solution) -> Iterator[str]:
    """Fields in which the drift is no longer proportional to the field, where no hop length says by how much."""
    field = np.abs(np.asarray(solution.field))
    most = float(np.max(field, where=np.isfinite(field), initial=0.0))
    if experiment.sample.hop_length is None and most > _STRONG:
        charges = {ion.charge for ion in experiment.species}
        way = ": hop_length_nm of the sample takes account of that" if len(charges) == 1 else ""
        yield (
            f"the field reaches {most:.2g} V/m; from some {_STRONG:.0e} V/m on hops are no longer linear in it, as is "
            f"assumed here{way}"
        )


def _exchange_at_the_back(experiment: Experiment, solution: Solution) -> Iterator[str]:
    """Exchanges without a current that a releasing back takes part in: it holds the bulk, a closed one does not."""
    if all(ion.back == "blocking" for ion in experiment.species):
        return
    depth, fraction = np.asarray(solution.depth), np.asarray(solution.fraction)
    bulk = np.stack([np.broadcast_to(ion.bulk_fraction, depth.shape[2:]) for ion in experiment.species])
    away = np.max(np.abs(fraction - bulk[:, None]), axis=1)
    reached = np.where(depth > _END * np.max(depth, axis=1, keepdims=True), away, 0.0).max(axis=1)
    last = np.cumsum([len(stage.outputs) for stage in experiment.stages])
    for k, (stage, end) in enumerate(zip(experiment.stages, last, strict=True)):
        if isinstance(stage.front, Reservoir) and reached[end - len(stage.outputs) : end].max() > _SEEN_AT_BACK:
            yield (
                f"stages[{k}]: the exchange has come to the back electrode, which is held at the composition of the "
                "bulk and gives ions for those that it takes: back = 'blocking' for every ion closes it, as the end "
                "of a plate is"
            )


def _steepest_law(experiment: Experiment) -> Iterator[str]:
    """The ion whose law falls most with its fraction: thin fronts and failing iterations are mostly due to it."""
    found = []
    for k, stage in enumerate(experiment.stages):
        for ion, known in zip(experiment.species, laws_of(experiment), strict=True):
            D = known.law.at(stage.temperature)
            full, thin = (np.asarray(D(jnp.full((1, *np.shape(stage.temperature)), x))) for x in (1.0, 0.01))
            with np.errstate(divide="ignore", invalid="ignore"):
                falls = np.nan_to_num(np.log10(full) - np.log10(thin), nan=0.0, posinf=np.inf, neginf=-np.inf)
            found.append((float(np.max(falls)), ion.name, k, float(np.min(stage.temperature))))
    decades, name, k, temperature = max(found)
    if decades >= _STEEP:
        far = f"by {decades:.0f} decades" if np.isfinite(decades) else "beyond all numbers"
        yield (
            f"the diffusion coefficient of {name} falls {far} from its bulk to a hundredth of it at "
            f"{temperature:g} K (stages[{k}]): check the width of its distribution, vacancy_fraction and temperature_K"
        )


def causes(experiment: Experiment, solution: Solution) -> Iterator[str]:
    """Why a solution has no numbers, where the experiment itself tells: a potential that rests in a stage whose clock
    is the charge, which stands still meanwhile.
    """
    if not np.any(np.asarray(solution.report.status) == Status.NOT_FINITE):
        return
    for k, stage in enumerate(experiment.stages):
        front = stage.front
        if stage.duration is not None or not isinstance(front, IonBeamPotential) or front.potential.time is None:
            continue
        value = np.abs(np.asarray(front.potential.value))
        off = value <= RESTING * np.max(value, axis=0)
        if np.any(off[1:] & off[:-1]):
            yield (
                f"stages[{k}]: its potential rests, and no charge passes by which the end of a rest could be told: end "
                "the stage at a duration"
            )
