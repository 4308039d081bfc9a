"""Does a measured profile look like what its experiment can have made? Warnings in words, before any fit."""

import dataclasses
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from npp_jax.constants import BOLTZMANN, ELEMENTARY_CHARGE, NM
from npp_jax.fitting.problem import Measurement, Problem
from npp_jax.observe import MINIMUM_POINTS, PoissonLikelihood, broadest, check
from npp_jax.physics import Closed, Experiment, IonBeamCurrent, IonBeamPotential, Species, drive_integral
from npp_jax.physics.experiment import laws_of

_WRONG_DEPTH = 30.0
"""Ratio of measured and expected depth that no glass explains: a wrong unit is a thousand."""
_TOO_DEEP = 5.0
"""The same for an exchanged zone that is deeper than the charge allows: ten where ångströms stand for nanometres."""
_TOO_SHALLOW = 3.0
"""Ratio of the depth that the charge allows and that of a foreign ion which is measured down to its end.

The sensitivities by which fractions are made are not off by as much."""
_NO_FRACTION = 10.0
"""A larger number is none, which is told as such."""
_WRONG_CHARGE = 3.0
"""Ratio of the charge of a recorded current and that of the protocol beyond which a unit is wrong."""
_WEEK = 168.0
"""Hours that a beam seldom takes: an exchanged zone that needs more may be one in ångströms."""
_RESOLUTION = 15.0
"""Depth resolution [nm] beyond that of sputtering with a beam of some keV, 1 to 10 nm."""
_WRONG_NOISE = 5.0
"""Ratio of given standard deviations and those of counting beyond which one of the two is wrong."""


def data_warnings(problem: Problem) -> list[str]:
    """What looks wrong in the measured profiles of a problem: one sentence each, nothing if all is well."""
    found, points = [], 0
    for measurement in problem.measurements:
        profile = measurement.profile
        points += measurement.points
        if profile is not None:
            experiment = measurement.experiment
            # A couple is as deep as its sample.
            whole = {} if experiment.initial is None else {"deepest": float(experiment.sample.thickness) / NM}
            sentences = check(profile, **whole)
            if float(np.max(np.where(profile.weight > 0.0, profile.fraction, 0.0))) <= _NO_FRACTION:
                sentences += [*(_swapped(measurement) or _depth(measurement)), *_noise(measurement)]
            sentences += [*_slow(measurement), *_coarse(measurement), *_beyond_sample(measurement)]
            found += [f"{measurement.name}: {sentence}" for sentence in sentences]
        found += [f"{measurement.name}: {sentence}" for sentence in _recorded(measurement)]
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
    untouched sample. None where a stage exchanges ions without a current, or where the sample has
    profiles at the start.
    """
    if experiment.initial is not None:
        return None
    native = _native(experiment)
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


def _native(experiment: Experiment) -> Species:
    """The ion of which the glass has most."""
    return max(experiment.species, key=lambda s: float(np.max(s.bulk_fraction)))


class _Row(NamedTuple):
    """What was measured of one species."""

    depth: Float[np.ndarray, "point"]
    """True depths [nm]."""
    fraction: Float[np.ndarray, "point"]
    """Fractions of the bulk of the native ion [1]."""

    @property
    def integral(self) -> float:
        """Integral of the fraction from the surface on [nm]."""
        mean = 0.5 * (self.fraction[1:] + self.fraction[:-1])
        return float(self.depth[0] * self.fraction[0] + np.sum(mean * np.diff(self.depth)))

    def ends(self) -> tuple[float, float]:
        """Medians of the first and of the last tenth of the points."""
        tenth = -(-len(self.fraction) // 10)
        return float(np.median(self.fraction[:tenth])), float(np.median(self.fraction[-tenth:]))


def _row(measurement: Measurement, name: str) -> _Row | None:
    """Points of a species that are used; None if it was not measured."""
    profile = measurement.profile
    if profile is None or measurement.observation is None or name not in profile.species:
        return None
    row = profile.species.index(name)
    used = np.asarray(profile.weight)[row] > 0.0
    depth = np.asarray(measurement.observation.true_depth(profile.depth))[used]
    return _Row(depth, np.asarray(profile.fraction)[row][used]) if used.any() else None


def _beams(experiment: Experiment) -> list[Species]:
    """Ions of the beams; none if the glass has one of them from the beginning, as its part is then not known."""
    fronts = [stage.front for stage in experiment.stages]
    named = {front.beam for front in fronts if isinstance(front, IonBeamPotential | IonBeamCurrent)}
    found = [s for s in experiment.species if s.name in named]
    return found if all(float(np.max(s.bulk_fraction)) == 0.0 for s in found) else []


def _swapped(measurement: Measurement) -> list[str]:
    """Whether a foreign ion lies in the untouched bulk, and the native one at the surface."""
    native = _native(measurement.experiment).name
    above = _row(measurement, native)
    for name in (s.name for s in _beams(measurement.experiment)):
        below = _row(measurement, name)
        if above is None or below is None:
            continue
        (front, end), (foreign_front, foreign_end) = above.ends(), below.ends()
        if end < 0.5 * foreign_end and foreign_front < 0.5 * front and front > 2.0 * end:
            return [f"{name} is found at depth and {native} at the surface: are their columns swapped?"]
    return []


def _depth(measurement: Measurement) -> list[str]:
    """Whether the exchanged zone is as deep as the charge allows."""
    experiment = until(measurement.experiment, measurement.output)
    expected, native = replaced_depth(experiment), _native(experiment)
    if expected is None:
        return []
    allowed, is_limit = expected[0] / NM, expected[1]
    row = _row(measurement, native.name)
    if row is not None:
        # The highest tenth is the bulk, if the profile reaches it; its median keeps outliers out.
        missing = 1.0 - row.fraction / max(np.quantile(row.fraction, 0.9), np.finfo(float).tiny)
        found, what = _Row(row.depth, missing).integral, "the native ion is gone from"
        told = _too_deep_or_shallow(found, row.depth[-1], what, allowed, is_limit)
        if told:
            return told
    beams = _beams(measurement.experiment)
    foreign = [(s, row) for s in beams if (row := _row(measurement, s.name)) is not None]
    if len(foreign) < max(len(beams), 1):
        return []
    found = sum(s.charge / native.charge * row.integral for s, row in foreign)
    last, what = foreign[0][1].depth[-1], f"{' and '.join(s.name for s, _ in foreign)} would fill"
    told = _too_deep_or_shallow(found, last, what, allowed, is_limit)
    if told or is_limit or expected[0] > float(measurement.experiment.sample.thickness):
        return told
    # A profile that ends before the foreign ion does tells nothing of how much there is.
    whole = all(row.ends()[1] < 0.1 * row.fraction.max() for _, row in foreign)
    if whole and found < allowed / _TOO_SHALLOW:
        text = f"{what} {found:.3g} nm, the charge passed is enough for {allowed:.3g} nm"
        return [f"{text}: is the unit of the depths right, is the charge, and are the numbers fractions?"]
    return []


def _too_deep_or_shallow(found: float, last: float, what: str, allowed: float, is_limit: bool) -> list[str]:
    """What no glass and no instrument explains."""
    text = f"{what} {found:.3g} nm, the charge passed is enough for {allowed:.3g} nm"
    if found > _TOO_DEEP * allowed:
        return [f"{text}: are the depths in picometres or ångströms, or is the charge wrong?"]
    if not is_limit and last < allowed / _WRONG_DEPTH:
        return [f"the depths end at {last:.3g} nm, {text}: are they in micrometres or metres?"]
    return []


def _slow(measurement: Measurement) -> list[str]:
    """Whether the charge of a stage needs longer than anyone waits: the untouched sample lets it pass in q L/(σ U).

    A front makes it slower only, so that this is the least time.
    """
    experiment, found = measurement.experiment, []
    native = _native(experiment)
    density = native.charge * ELEMENTARY_CHARGE * float(experiment.sample.bulk_density * np.max(native.bulk_fraction))
    for stage in experiment.stages:
        if not isinstance(stage.front, IonBeamPotential) or stage.charge is None:
            continue
        charge, potential = float(stage.charge), float(np.max(np.asarray(stage.front.potential.value)))
        D = float(native.diffusivity.at(stage.temperature)(jnp.ones(1))[0])
        conductivity = density * native.charge * ELEMENTARY_CHARGE * D / (BOLTZMANN * float(stage.temperature))
        hours = charge * float(experiment.sample.thickness) / max(conductivity * potential, 1e-300) / 3600.0
        if potential > 0.0 and hours > _WEEK:
            found.append(
                f"{charge:.4g} C/m² take {hours:.3g} h or more at {potential:g} V through {conductivity:.3g} S/m: are "
                "the depths in ångströms, or is the charge, the potential or the conductivity wrong?"
            )
    return found


def _coarse(measurement: Measurement) -> list[str]:
    """Whether the depth resolution behind a beam is one that sputtering does not have."""
    seen = measurement.observation
    if seen is None or not _beams(measurement.experiment):
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
    if last <= thickness:
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
