"""Does a measured profile look like what its experiment can have made? Warnings in words, before any fit."""

import jax.numpy as jnp
import numpy as np

from npp_jax.constants import BOLTZMANN, ELEMENTARY_CHARGE, NM
from npp_jax.fitting.charge_balance import charge_balance
from npp_jax.fitting.measured_row import beams_of, measured_row
from npp_jax.fitting.problem import Measurement, Problem
from npp_jax.fitting.replaced import native_ion
from npp_jax.observe import MINIMUM_POINTS, PoissonLikelihood, broadest, check
from npp_jax.physics import IonBeamCurrent, IonBeamPotential
from npp_jax.physics.checks import expects

_NO_FRACTION = 10.0
"""A larger number is none, which is told as such."""
_WRONG_CHARGE = 3.0
"""Ratio of the charge of a recorded current and that of the protocol beyond which a unit is wrong."""
_ROUNDED = 1.0 + 1e-6
"""By what depths that end with the sample may be longer, for the digits of files."""
_WEEK = 168.0
"""Hours that a beam seldom takes: an exchanged zone that needs more may be one in ångströms."""
_RESOLUTION = 15.0
"""Depth resolution [nm] beyond that of sputtering with a beam of some keV, 1 to 10 nm."""
_WRONG_NOISE = 5.0
"""Ratio of given standard deviations and those of counting beyond which one of the two is wrong."""

_WIDE = 0.5
"""Relative standard deviation beyond which per cent are likely, as nobody measures so badly."""


@expects(problem=Problem)
def data_warnings(problem: Problem) -> list[str]:
    """What looks wrong in the measured profiles of a problem: one sentence each, nothing if all is well."""
    found, points = [], 0
    for measurement in problem.measurements:
        profile = measurement.profile
        points += measurement.points
        if profile is not None:
            experiment = measurement.experiment
            # A couple is as deep as its sample.
            deepest = _ROUNDED * float(experiment.sample.thickness) / NM
            whole = {} if experiment.initial is None else {"deepest": deepest}
            fractions = float(np.max(np.where(profile.weight > 0.0, profile.fraction, 0.0))) <= _NO_FRACTION
            swapped = _swapped(measurement) if fractions else []
            balance = charge_balance(problem, measurement) if fractions and not swapped else None
            doubtful = balance is not None and balance.doubtful
            if doubtful:
                # That tells more of the unit than depths alone, which would be a second opinion of the same.
                whole = {"shallowest": 0.0, "deepest": np.inf}
            sentences = [] if balance is None else list(balance.sentences())
            sentences += check(profile, **whole) + swapped + (_noise(measurement) if fractions else [])
            sentences += (
                _slow(measurement, doubtful) + ([] if doubtful else _coarse(measurement)) + _beyond_sample(measurement)
            )
            found += [f"{measurement.name}: {sentence}" for sentence in sentences]
        found += [f"{measurement.name}: {sentence}" for sentence in [*_recorded(measurement), *_wide(measurement)]]
    unknown = sum(parameter.prior is None for parameter in problem.parameters)
    if 0 < points < unknown:
        found.append(f"{points} points cannot determine {unknown} parameters of which nothing is known")
    return found


def _wide(measurement: Measurement) -> list[str]:
    """Relative standard deviations that are those of per cent, likely: they take their weight from the data."""
    told = {}
    if measurement.profile is not None:
        told["relative_sigma of the likelihood"] = getattr(measurement.likelihood, "relative_sigma", 0.0)
        told["sensitivity_sigma"] = measurement.nuisance.sensitivity_sigma
    for record in measurement.records:
        told[f"gain_sigma of the {record.quantity}"] = record.gain_sigma
        # Where a current has decayed into its noise, or rests, an error is larger than the value.
        value = np.abs(np.asarray(record.value))
        high = (value >= 0.5 * np.max(value)) & (value > 0.0)
        told[f"the standard deviation of the {record.quantity} over its value"] = (
            float(np.median(np.asarray(record.sigma)[high] / value[high])) if high.any() else 0.0
        )
    largest = {name: float(np.max(np.asarray(sigma))) for name, sigma in told.items()}
    # One that is infinite is meant so: nothing is known.
    return [
        f"{name} is {sigma:.4g}: is that per cent? It is relative, 0.02 for 2 %"
        for name, sigma in largest.items()
        if _WIDE < sigma < np.inf
    ]


def _recorded(measurement: Measurement) -> list[str]:
    """Whether a recorded current carries the charge of the protocol."""
    stages = measurement.experiment.stages
    charges = [stage.charge for stage in stages if isinstance(stage.front, IonBeamPotential | IonBeamCurrent)]
    if not charges or any(charge is None for charge in charges):
        return []
    passed = sum(float(np.max(np.asarray(charge))) for charge in charges)
    found = []
    for record in measurement.records:
        if record.quantity != "current" or record.at.size < MINIMUM_POINTS:
            continue
        at, value = np.asarray(record.at), np.asarray(record.value)
        carried = at[0] * value[0] + float(np.sum(0.5 * np.diff(at) * (value[1:] + value[:-1])))
        if not 1.0 / _WRONG_CHARGE < carried / passed < _WRONG_CHARGE:
            found.append(
                f"the recorded current carries {carried:.4g} C/m², {passed:.4g} C/m² were passed: are the units right, "
                "and the times those from the start?"
            )
    return found


def _swapped(measurement: Measurement) -> list[str]:
    """Whether a foreign ion lies in the untouched bulk, and the native one at the surface."""
    native = native_ion(measurement.experiment).name
    above = measured_row(measurement, native)
    for name in (s.name for s in beams_of(measurement.experiment)):
        below = measured_row(measurement, name)
        if above is None or below is None:
            continue
        (front, end), (foreign_front, foreign_end) = above.ends(), below.ends()
        if end < 0.5 * foreign_end and foreign_front < 0.5 * front and front > 2.0 * end:
            return [f"the foreign ion {name} lies deep and {native} at the surface: are their columns swapped?"]
    return []


def _slow(measurement: Measurement, doubtful: bool) -> list[str]:
    """Whether the charge of a stage needs longer than anyone waits: the untouched sample lets it pass in q L/(σ U).

    A front makes it slower only, so that this is the least time. A charge that agrees with the depths may have been
    guessed from them.
    """
    experiment, found = measurement.experiment, []
    native = native_ion(experiment)
    density = native.charge * ELEMENTARY_CHARGE * float(experiment.sample.bulk_density * np.max(native.bulk_fraction))
    for stage in experiment.stages:
        if not isinstance(stage.front, IonBeamPotential) or stage.charge is None:
            continue
        charge, potential = float(stage.charge), float(np.max(np.asarray(stage.front.potential.value)))
        D = float(native.diffusivity.at(stage.temperature)(jnp.ones(1))[0])
        conductivity = density * native.charge * ELEMENTARY_CHARGE * D / (BOLTZMANN * float(stage.temperature))
        hours = charge * float(experiment.sample.thickness) / max(conductivity * potential, 1e-300) / 3600.0
        if potential > 0.0 and hours > _WEEK:
            guessed = "" if doubtful else "are the depths in ångströms, or "
            found.append(
                f"{charge:.4g} C/m² take {hours:.3g} h or more at {potential:g} V through {conductivity:.3g} S/m: "
                f"{guessed}is the charge, the potential or the conductivity wrong?"
            )
    return found


def _coarse(measurement: Measurement) -> list[str]:
    """Whether the depth resolution behind a beam is one that sputtering does not have."""
    seen = measurement.observation
    if seen is None or not beams_of(measurement.experiment):
        return []
    sigma = broadest(seen.response)
    if sigma <= _RESOLUTION:
        return []
    return [f"the depth resolution, {sigma:.3g} nm, is not that of SIMS, 1 to 10 nm: are the depths in ångströms?"]


def _beyond_sample(measurement: Measurement) -> list[str]:
    """Whether the points end in the sample."""
    profile, seen = measurement.profile, measurement.observation
    if profile is None or seen is None:
        return []
    last = float(np.asarray(seen.true_depth(profile.depth))[-1]) * NM
    thickness = float(measurement.experiment.sample.thickness)
    if last <= thickness * _ROUNDED:
        return []
    text = f"the depths go to {last * 1e6:.4g} µm, the sample has {thickness * 1e6:.4g} µm"
    return [f"{text}: are the unit of the depths and the thickness right?"]


def _noise(measurement: Measurement) -> list[str]:
    """Whether counts per fraction and standard deviations speak of the same counts."""
    profile = measurement.profile
    if profile is None or profile.exposure is None or not isinstance(measurement.likelihood, PoissonLikelihood):
        return []
    exposure = np.asarray(profile.exposure)
    signal = np.asarray(profile.fraction) + (0.0 if profile.background is None else np.asarray(profile.background))
    counting = np.sqrt(np.maximum(signal * exposure, 1.0)) / exposure
    used = np.asarray(profile.weight) > 0.0
    ratio = float(np.median((np.asarray(profile.sigma) / counting)[used])) if used.any() else 1.0
    if 1.0 / _WRONG_NOISE < ratio < _WRONG_NOISE:
        return []
    return [
        f"the standard deviations of the file are {ratio:.3g} times those of counts_per_fraction: is it right, and are "
        "the numbers fractions, not counts?"
    ]
