"""How deep the charge of an experiment reaches, whatever its laws: conservation alone."""

import dataclasses

import jax.numpy as jnp
import numpy as np

from npp_jax.constants import BOLTZMANN, ELEMENTARY_CHARGE
from npp_jax.physics import Closed, Experiment, IonBeamCurrent, IonBeamPotential, Species, drive_integral
from npp_jax.physics.experiment import laws_of


def native_ion(experiment: Experiment) -> Species:
    """The ion of which the glass has most."""
    return max(experiment.species, key=lambda s: float(np.max(np.asarray(s.bulk_fraction))))


def replaced_depth(experiment: Experiment) -> tuple[float, bool] | None:
    """Depth from which the native ion would be gone if all foreign ions replaced it completely, q/(z e N).

    It is the area above the native profile, whatever its shape, as every foreign ion replaces one native charge.

    Parameters
    ----------
    experiment
        The experiment.

    Returns
    -------
    Depth [m], and whether it is an upper limit: under a potential for a time no more charge passes than through the
    untouched sample. None where a stage exchanges ions without a current, or where the sample has
    profiles at the start.
    """
    if experiment.initial is not None:
        return None
    native = native_ion(experiment)
    carriers = float(experiment.sample.bulk_density) * native.charge * ELEMENTARY_CHARGE
    charge, limit = 0.0, False
    for stage in experiment.stages:
        match stage.front:
            case IonBeamPotential() | IonBeamCurrent() if stage.charge is not None:
                charge += float(stage.charge)
            case IonBeamCurrent(current_density=drive) if stage.duration is not None:
                charge += float(drive_integral(drive, stage.duration))
            case IonBeamPotential(potential=drive) if stage.duration is not None:
                bulk = float(
                    laws_of(experiment)[experiment.species.index(native)].law.at(stage.temperature)(jnp.ones(1))[0]
                )
                mobility = bulk * native.charge * ELEMENTARY_CHARGE / (BOLTZMANN * float(stage.temperature))
                integral = float(drive_integral(drive, stage.duration))
                charge += carriers * mobility * integral / float(experiment.sample.thickness)
                limit = True
            case Closed():
                pass
            case _:
                return None
    return charge / carriers, limit


def until(experiment: Experiment, output: int) -> Experiment:
    """The part of an experiment up to an output point."""
    ends = [(k, share) for k, stage in enumerate(experiment.stages) for share in stage.outputs]
    last, share = ends[output]
    stage = experiment.stages[last]
    scaled = lambda length: None if length is None else share * length  # noqa: E731
    cut = dataclasses.replace(stage, charge=scaled(stage.charge), duration=scaled(stage.duration), outputs=(1.0,))
    return dataclasses.replace(experiment, stages=(*experiment.stages[:last], cut))
