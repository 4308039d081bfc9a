"""What the engine simulates: experiments outside of it are refused in one line, before anything is compiled."""

from math import prod
from typing import get_args

import jax.numpy as jnp
import numpy as np

from npp_jax._compile import concrete
from npp_jax.constants import ELEMENTARY_CHARGE, NM
from npp_jax.physics.checks import expect
from npp_jax.physics.cuts import MOST_RESTS, rests_of, with_parts
from npp_jax.physics.diffusivity import SEDDiffusivity, intermixed
from npp_jax.physics.drive import drive_integral
from npp_jax.physics.experiment import Experiment, named_species, native_and_foreign
from npp_jax.physics.inputs import wrong_input
from npp_jax.physics.leaf import batch_shape
from npp_jax.physics.protocol import Blocking, Closed, IonBeamCurrent, IonBeamPotential, Reservoir
from npp_jax.simulation.at_start import faces_of_start, fractions_at_start
from npp_jax.simulation.possible import LEAST_FRACTION, ROUNDINGS
from npp_jax.simulation.solution import Model


class Unsupported(ValueError):
    """The experiment is valid, but outside what this version simulates."""


def is_two_ions(experiment: Experiment) -> bool:
    """Whether a beam replaces one native ion by one foreign ion of the same charge, both free to leave at the back, in
    an untouched sample: the mesh has a closed form.
    """
    species = experiment.species
    beams = set().union(*(named_species(stage.front) for stage in experiment.stages))
    usual = all(isinstance(s.front, IonBeamPotential | IonBeamCurrent | Closed) for s in experiment.stages)
    free = all(ion.back == "releasing" for ion in species) and experiment.initial is None
    usual = usual and not _beyond_ideal(experiment)
    return len(species) == 2 and species[0].charge == species[1].charge and usual and free and len(beams) == 1


def _beyond_ideal(experiment: Experiment) -> bool:
    """Whether ions have thermodynamic factors or cross coefficients, a strong field speeds them up, their populations
    intermix in time, or their D is a mean over a face.
    """
    laws, sample = [ion.diffusivity for ion in experiment.species], experiment.sample
    return (
        sample.hop_length is not None
        or sample.cross_coefficient is not None
        or any(
            law.diffusion_term == "thermodynamic" or law.mixing_time is not None or law.averaging == "integral"
            for law in laws
            if isinstance(law, SEDDiffusivity)
        )
    )


def check_supported(experiment: Experiment, model: Model = "electroneutral") -> None:
    """Refuse what the engine does not simulate, in one line.

    Raises
    ------
    TypeError, ValueError
        What is given is no experiment, has a number or a table that no sample has, or the name is no model.
    Unsupported
        For blocking fronts without space charge, a single species under another front, a rest of the untouched sample,
        a trace of too many pauses or of others than its batch, a charged or incomplete reservoir, a current that no ion
        carries out at the back, or, where there are two ions, a bulk of both or more charge than it carries.
    """
    hint = "load_experiment reads one from a file"
    expect(experiment, Experiment, "what is simulated", hint, placeholders=False)
    if model not in get_args(Model):
        raise ValueError(f"model = {model!r} is not known; known are {', '.join(get_args(Model))}")
    if (wrong := wrong_input(experiment)) is not None:
        raise ValueError(wrong)
    species = experiment.species
    blocking = [isinstance(stage.front, Blocking) for stage in experiment.stages]
    if any(blocking) and model != "full":
        raise Unsupported(
            f"stages[{blocking.index(True)}]: a blocking front depletes the surface of ions, which the electroneutral "
            "model cannot hold: use model = 'full' (npp-jax simulate --model full)"
        )
    if len(species) < 2 and not all(blocking):
        raise Unsupported("at least two mobile species are simulated, one only under a blocking front")
    if model == "full" and len(species) > 1 and any(intermixed(s.diffusivity) for s in species):
        raise Unsupported("intermixed populations of several ions are simulated by the electroneutral model only")
    if experiment.sample.hop_length is not None and len({ion.charge for ion in species}) > 1:
        raise Unsupported("hop_length_nm: all ions must have one charge number, one field speeds them up alike")
    if experiment.sample.cross_coefficient is not None and len({ion.back for ion in species}) > 1:
        raise Unsupported("cross_coefficient: the back electrode must hold all ions, or let all pass")
    if is_two_ions(experiment):
        _check_immobile(experiment)
    _check_back(experiment)
    for k, stage in enumerate(experiment.stages):
        if isinstance(stage.front, Closed | Reservoir) and stage.duration is None:
            raise ValueError(f"stages[{k}]: a stage without a beam ends at a duration, no charge passes")
        if isinstance(stage.front, Reservoir):
            _check_reservoir(experiment, stage.front, k)
        if (rests := rests_of(stage)) > MOST_RESTS:
            raise Unsupported(
                f"stages[{k}]: the trace pauses {rests} times, and at most {MOST_RESTS} of a stage are simulated: make "
                "several stages of it, or give the mean over each period"
            )
        if rests and not with_parts(stage).parts:
            raise Unsupported(
                f"stages[{k}]: the traces of the candidates do not pause and jump at the same samples, and one program "
                "serves them all: simulate those together that do"
            )
    if experiment.initial is not None:
        _check_initial(experiment)
    elif isinstance(experiment.stages[0].front, Closed):
        raise Unsupported(
            "stages[0]: the first stage needs a beam, a reservoir or an [[initial]] profile: an untouched sample "
            "stays as it is"
        )
    if not is_two_ions(experiment):
        return
    native, foreign = native_and_foreign(experiment)
    bulk = [species[native].bulk_fraction, species[foreign].bulk_fraction]
    if concrete(bulk):
        if not (np.all(np.asarray(bulk[0]) == 1.0) and np.all(np.asarray(bulk[1]) == 0.0)):
            got = " and ".join(
                f"{np.asarray(ion.bulk_fraction).tolist()} of {ion.name}" for ion in (species[native], species[foreign])
            )
            raise Unsupported(
                f"the bulk must hold one of the two ions alone, and the beam the other: the beam is of "
                f"{species[foreign].name}, the bulk holds {got}"
            )
    _check_charge(experiment)


_SEEN = 1000
"""Cells in which a start is looked at: so many even ones, and as many in constant ratio from the surface on."""


def _check_initial(experiment: Experiment) -> None:
    """Profiles at the start hold no less than no ions, and together the charge of the bulk."""
    if not concrete(experiment):
        return
    shape = batch_shape(experiment)
    edges = faces_of_start(experiment, _SEEN)
    count = len(edges) - 1
    faces = edges.reshape(-1, *(1,) * len(shape)) * np.ones(shape)
    cells = np.asarray(fractions_at_start(experiment, jnp.asarray(faces / NM))).reshape(-1, count, max(1, prod(shape)))
    middle = 0.5e6 * (edges[1:] + edges[:-1])
    charges = np.array([ion.charge for ion in experiment.species])
    bulk = sum(ion.charge * np.broadcast_to(ion.bulk_fraction, shape).ravel() for ion in experiment.species)
    # One candidate of a batch fails alone: what is told is that of the best. What a thin cell holds is a
    # difference of integrals over the sample.
    rounding = ROUNDINGS * np.finfo(jnp.result_type(float)).eps * edges[-1] / np.diff(edges)
    lost = rounding[:, None]
    excess = np.tensordot(charges, cells, axes=1) - bulk
    wrong = np.maximum(np.max(np.abs(excess) - lost, axis=0), np.max(-cells - lost, axis=(0, 1)))
    best = int(np.argmin(wrong))
    if wrong[best] <= LEAST_FRACTION:
        return
    given, whole = ", ".join(experiment.initial or {}), float(np.broadcast_to(bulk, wrong.shape)[best])
    k, row = (int(i) for i in np.unravel_index(np.argmin(cells[:, :, best] + rounding), cells.shape[:2]))
    if cells[k, row, best] + rounding[row] < -LEAST_FRACTION:
        name, least = experiment.species[k].name, cells[k, row, best]
        told = "is negative" if name in (experiment.initial or {}) else f"has no room beside {given}"
        raise Unsupported(f"initial: {name} {told}: {least:.4g} at {middle[row]:.4g} µm, of {whole:g} for all ions")
    row = int(np.argmax(np.abs(excess[:, best]) - rounding))
    raise Unsupported(
        f"initial: the ions carry a charge of {whole + excess[row, best]:.6g} at {middle[row]:.4g} µm and not that of "
        f"the bulk, {whole:g}: leave the profile of one ion out, it takes what is left"
    )


def _check_immobile(experiment: Experiment) -> None:
    """Two ions that share their sites keep one Fermi energy, which holds none of them back."""
    for ion in experiment.species:
        law = ion.diffusivity
        if not isinstance(law, SEDDiffusivity) or law.populations != "intermixed":
            continue
        if concrete(law.immobile_fraction) and np.any(np.asarray(law.immobile_fraction) != 0.0):
            raise Unsupported(
                f"{ion.name}: of two ions with populations = 'intermixed' none is held back by an immobile_fraction: "
                "use populations = 'separate', or leave it out"
            )


def _check_back(experiment: Experiment) -> None:
    """A current needs an ion of the bulk that leaves at the back; without current the back may hold all ions."""
    if all(ion.back == "releasing" for ion in experiment.species):
        return
    native = [
        ion
        for ion in experiment.species
        if not concrete(ion.bulk_fraction) or np.any(np.asarray(ion.bulk_fraction) != 0.0)
    ]
    if any(ion.back == "releasing" for ion in native):
        return
    if any(ion.back == "releasing" for ion in experiment.species):
        raise Unsupported("a back electrode that holds every ion of the bulk must hold the foreign ions as well")
    for k, stage in enumerate(experiment.stages):
        if not isinstance(stage.front, Closed | Reservoir):
            raise Unsupported(f"stages[{k}]: no current flows while back = 'blocking' holds every ion of the bulk")


def _check_charge(experiment: Experiment) -> None:
    """No more charge is passed than the ions of the sample carry; what potentials drive is not known."""
    if not concrete(experiment):
        return
    sample = experiment.sample
    bulk = sum(ion.charge * np.asarray(ion.bulk_fraction) for ion in experiment.species)
    held = ELEMENTARY_CHARGE * np.asarray(sample.bulk_density) * bulk * np.asarray(sample.thickness)
    passed = 0.0
    for k, stage in enumerate(experiment.stages):
        if isinstance(stage.front, IonBeamPotential | IonBeamCurrent) and stage.charge is not None:
            passed = passed + np.asarray(stage.charge)
        elif isinstance(stage.front, IonBeamCurrent) and stage.duration is not None:
            passed = passed + np.asarray(drive_integral(stage.front.current_density, stage.duration))
        # One candidate of a batch fails alone.
        if np.all(passed > held):
            raise Unsupported(
                f"stages[{k}]: {np.min(passed):.4g} C/m² are passed, all mobile ions of the sample carry "
                f"{np.max(held):.4g} C/m² (bulk_density_m3 = {np.max(sample.bulk_density):.4g}, thickness_um = "
                f"{np.max(sample.thickness) * 1e6:.4g})"
            )


def _check_reservoir(experiment: Experiment, front: Reservoir, number: int) -> None:
    """A reservoir names every species and is as charged as the bulk."""
    names = {species.name for species in experiment.species}
    if set(front.fraction) != names:
        missing = ", ".join(sorted(names - set(front.fraction)))
        raise Unsupported(f"stages[{number}]: reservoir_fraction needs a value for every species, missing: {missing}")
    pairs = [(s.charge, front.fraction[s.name], s.bulk_fraction) for s in experiment.species]
    if not concrete(pairs):
        return
    surface = sum(z * np.asarray(held) for z, held, _ in pairs)
    bulk = sum(z * np.asarray(own) for z, _, own in pairs)
    if not np.allclose(surface, bulk, rtol=0.0, atol=1e-5):
        raise Unsupported(
            f"stages[{number}]: reservoir_fraction must carry the charge of the bulk, {np.max(bulk):g}, "
            f"got {np.max(surface):g}"
        )
