"""What was simulated of one experiment, as what was recorded of it: current, potential, charge, conductivity."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from npp_jax.observe import IN_TIME, Record
from npp_jax.physics import Experiment
from npp_jax.physics.bulk import bulk_conductivity, bulk_ions, native_ion
from npp_jax.physics.protocol import IonBeamCurrent
from npp_jax.simulation.history import History, history
from npp_jax.simulation.solution import Solution

_SAME_TEMPERATURE = 0.5
"""Difference of temperatures over which a law without activation may be carried [K]."""
_GAUSS = 0.5 / 3.0**0.5
"""Distance of Gauss' two points from the middle, in lengths of the interval."""


def needs_trace(record: Record) -> bool:
    """Whether a record is one in the course of time, for which the steps have to be kept."""
    return record.quantity in IN_TIME and record.output is None


def predicted(record: Record, solution: Solution) -> Float[Array, "candidate point"]:
    """What a record in the course of time would be without its gain: values, or means over the spans of the points.

    Parameters
    ----------
    record
        What was recorded.
    solution
        Candidates, as the last axis.
    """
    if record.output is not None:
        return solution.charge[record.output][:, None]

    def of_one(leaves) -> Array:
        return _course(record, history(leaves))

    return jax.vmap(of_one, in_axes=-1)(solution.trace)


def _course(record: Record, course: History) -> Array:
    at, span = jnp.asarray(record.at, course.end.dtype), record.span
    if span is None:
        read = {"current": course.current_at, "potential": course.potential_at, "charge": course.charge_at}
        return read[record.quantity](at)
    if record.quantity == "current":
        begin, end = jnp.maximum(at - 0.5 * span, 0.0), at + 0.5 * span
        length = jnp.where(end > begin, end - begin, 1.0)
        mean = (course.charge_at(end) - course.charge_at(begin)) / length
        return jnp.where(end > begin, mean, course.current_at(at))
    read = course.potential_at if record.quantity == "potential" else course.charge_at
    return 0.5 * (read(at - _GAUSS * span) + read(at + _GAUSS * span))


def of_material(record: Record, experiment: Experiment) -> Float[Array, " point"]:
    """What a record of the material would be without its gain: conductivity, or the activation energy of it."""
    experiment = jax.tree.map(lambda leaf: jnp.asarray(leaf, record.at.dtype), experiment)
    if record.quantity == "conductivity":
        return bulk_conductivity(experiment, record.at)
    arrhenius = getattr(native_ion(experiment).diffusivity, "arrhenius", None)
    assert arrhenius is not None
    return jnp.broadcast_to(arrhenius.activation_energy, record.at.shape)


def check_record(record: Record, experiment: Experiment, outputs: int) -> None:
    """Refuse what an experiment cannot predict.

    Raises
    ------
    ValueError
        In one line.
    """
    if record.output is not None and not -outputs <= record.output < outputs:
        raise ValueError(f"charge: output = {record.output}: the experiment has {outputs}, numbered from 0")
    if record.quantity == "current" and all(isinstance(s.front, IonBeamCurrent) for s in experiment.stages):
        raise ValueError("current: the current of every stage is given, so that its record says nothing: fit U, or q")
    ion = native_ion(experiment)
    if record.quantity == "activation_energy" and getattr(ion.diffusivity, "arrhenius", None) is None:
        raise ValueError(f"activation_energy: {ion.name} needs activation_energy_eV and reference_temperature_K")
    if record.quantity == "conductivity":
        own = np.max(np.asarray(experiment.stages[0].temperature))
        away = np.abs(np.asarray(record.at) - own) > _SAME_TEMPERATURE
        fixed = [i.name for i in bulk_ions(experiment) if getattr(i.diffusivity, "arrhenius", None) is None]
        if away.any() and fixed:
            raise ValueError(
                f"conductivity at {float(np.asarray(record.at)[away][0]):g} K: {fixed[0]} has no activation_energy_eV, "
                f"and is known at the {own:g} K of the first stage only"
            )
