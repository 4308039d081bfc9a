"""Does a measured profile look like what its experiment can have made? Warnings in words, before any fit."""

import jax.numpy as jnp
import numpy as np

from npp_jax.constants import BOLTZMANN, ELEMENTARY_CHARGE, NM
from npp_jax.fitting.problem import Measurement, Problem
from npp_jax.observe import PoissonLikelihood, check
from npp_jax.physics import Closed, Experiment, IonBeamCurrent, IonBeamPotential, drive_integral

_WRONG_DEPTH = 30.0
"""Ratio of measured and expected depth that no glass explains: a wrong unit is a thousand."""
_TOO_DEEP = 5.0
"""The same for an exchanged zone that is deeper than the charge allows: ten where ångströms stand for nanometres."""
_WRONG_NOISE = 5.0
"""Ratio of given standard deviations and those of counting beyond which one of the two is wrong."""


def data_warnings(problem: Problem) -> list[str]:
    """What looks wrong in the measured profiles of a problem: one sentence each, nothing if all is well."""
    found, points = [], 0
    for measurement in problem.measurements:
        profile = measurement.profile
        if profile is not None:
            points += int(np.sum(np.asarray(profile.weight) > 0.0))
            sentences = [*check(profile), *_depth(measurement), *_noise(measurement)]
            found += [f"{measurement.name}: {sentence}" for sentence in sentences]
    if 0 < points <= len(problem.parameters):
        found.append(f"{points} points cannot determine {len(problem.parameters)} parameters")
    return found


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
    untouched sample. None where a stage exchanges ions without a current.
    """
    native = max(experiment.species, key=lambda s: float(np.max(s.bulk_fraction)))
    carriers = float(experiment.sample.bulk_density) * native.charge * ELEMENTARY_CHARGE
    charge, limit = 0.0, False
    for stage in experiment.stages:
        match stage.front:
            case IonBeamPotential() | IonBeamCurrent() if stage.charge is not None:
                charge += float(stage.charge)
            case IonBeamCurrent(current_density=drive) if stage.duration is not None:
                charge += float(drive_integral(drive, stage.duration))
            case IonBeamPotential(potential=drive) if stage.duration is not None:
                bulk = float(native.diffusivity.at(stage.temperature)(jnp.ones(1))[0])
                mobility = bulk * native.charge * ELEMENTARY_CHARGE / (BOLTZMANN * float(stage.temperature))
                integral = float(drive_integral(drive, stage.duration))
                charge += carriers * mobility * integral / float(experiment.sample.thickness)
                limit = True
            case Closed():
                pass
            case _:
                return None
    return charge / carriers, limit


def _depth(measurement: Measurement) -> list[str]:
    """Whether the exchanged zone is as deep as the charge allows."""
    profile, expected = measurement.profile, replaced_depth(measurement.experiment)
    native = max(measurement.experiment.species, key=lambda s: float(np.max(s.bulk_fraction))).name
    if profile is None or measurement.observation is None or expected is None or native not in profile.species:
        return []
    row = profile.species.index(native)
    used = np.asarray(profile.weight)[row] > 0.0
    depth = np.asarray(measurement.observation.true_depth(profile.depth))[used]
    fraction = np.asarray(profile.fraction)[row][used]
    # The highest tenth is the bulk, if the profile reaches it; its median keeps outliers out.
    missing = 1.0 - fraction / max(np.quantile(fraction, 0.9), np.finfo(float).tiny)
    found = depth[0] * missing[0] + np.sum(0.5 * (missing[1:] + missing[:-1]) * np.diff(depth))
    allowed, is_limit = expected[0] / NM, expected[1]
    text = f"the native ion is gone from {found:.3g} nm, the charge passed is enough for {allowed:.3g} nm"
    if found > _TOO_DEEP * allowed:
        return [f"{text}: are the depths in picometres or ångströms, or is the charge wrong?"]
    if not is_limit and depth[-1] < allowed / _WRONG_DEPTH:
        return [f"the depths end at {depth[-1]:.3g} nm, {text}: are they in micrometres or metres?"]
    return []


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
