"""What `npp-jax check` says of a measured profile."""

from collections.abc import Iterator

import numpy as np

from npp_jax.files.study_tables import ExperimentEntry
from npp_jax.fitting import Measurement, Problem
from npp_jax.fitting.first_guess import SeenFront, charge_of, native_fraction, see_front
from npp_jax.fitting.replaced import native_ion
from npp_jax.observe import RECORDED, GaussianLikelihood, NoResponse, Record, broadest
from npp_jax.physics import Closed, Experiment


def measured_lines(measurement: Measurement, entry: ExperimentEntry) -> Iterator[str]:
    """Points, depths, counts, depth resolution, and the front that is seen."""
    profile = measurement.profile
    yield from map(_record_line, measurement.records)
    if profile is None:
        yield "  no profile"
        return
    used = np.asarray(profile.weight)[0] > 0.0
    depth = np.asarray(profile.depth)[used]
    left = f", {int(np.sum(~used))} above first_depth_nm left out" if not used.all() else ""
    yield (
        f"  profile {entry.profile}: {', '.join(profile.species)}; {len(depth)} points from {depth[0]:.4g} to "
        f"{depth[-1]:.4g} nm, {np.median(np.diff(depth)):.3g} nm apart{left}"
    )
    counts = profile.counts
    counted = "no counts" if counts is None else f"{np.min(counts):.4g} to {np.max(counts):.4g} counts a point"
    yield f"  noise: {counted}; likelihood {entry.likelihood.kind}"
    seen = measurement.observation
    if seen is not None:
        sigma = broadest(seen.response)
        named = entry.response.model_dump(exclude_none=True, exclude={"kind"})
        told = ", ".join(f"{key.removesuffix('_nm')} {_length(value)}" for key, value in named.items())
        spread = f" ({told}; standard deviation {sigma:.3g} nm)" if told else ""
        yield f"  depth resolution: {entry.response.kind}{spread}; depth scale {float(seen.depth_scale):g}"
    front = _front(measurement)
    if front is not None:
        held = charge_of(front, _density(measurement.experiment), native_ion(measurement.experiment).charge)
        yield (
            f"  seen: front at {front.depth * 1e9:.4g} nm, {front.width * 1e9:.3g} nm wide, {front.foot:.3g} of "
            f"{native_ion(measurement.experiment).name} behind it; the profile holds {held:.4g} C/m² = "
            f"{0.1 * held:.4g} mC/cm²"
        )


def _length(value: float | dict[str, float]) -> str:
    """A width of a response, or those of the ions."""
    if not isinstance(value, dict):
        return f"{value:g} nm"
    return " and ".join(f"{length:g} nm ({ion})" for ion, length in value.items())


def _record_line(record: Record) -> str:
    """Points, place and noise of a record."""
    name, unit = RECORDED[record.quantity]
    value, sigma, at = (np.asarray(values) for values in (record.value, record.sigma, record.at))
    ends = "" if len(at) == 1 else f" to {value[-1]:.4g}"
    told = f"  {name}: {len(at)} {'point' if len(at) == 1 else 'points'}, {value[0]:.4g}{ends} {unit}"
    if record.quantity == "conductivity":
        told += f" at {at[0]:g}{'' if len(at) == 1 else f' to {at[-1]:g}'} K"
    elif len(at) > 1:
        each = "" if record.span is None else f", means over {float(np.median(np.asarray(record.span))):.3g} s"
        told += f" from {at[0]:.4g} to {at[-1]:.4g} s{each}"
    gain = f"; gain {float(record.gain):g} ± {record.gain_sigma:g}" if record.solved else ""
    return f"{told}; noise {100.0 * float(np.median(sigma / np.abs(value))):.3g} %{gain}"


def measured_warnings(problem: Problem, measurement: Measurement, entry: ExperimentEntry) -> Iterator[str]:
    """Depths that end too early, points too far apart, noise of the wrong law."""
    profile, seen = measurement.profile, measurement.observation
    if profile is None or seen is None:
        return
    used = np.asarray(profile.weight)[0] > 0.0
    depth = np.asarray(profile.depth)[used]
    if profile.counts is not None and isinstance(measurement.likelihood, GaussianLikelihood):
        yield 'the counts are known and likelihood = { kind = "gaussian" } does not use them: kind = "poisson" does'
    spacing, sigma = float(np.median(np.diff(depth))), broadest(seen.response)
    front = _front(measurement)
    if front is not None:
        if not front.reached:
            yield (
                f"the front is seen at {front.depth * 1e9:.4g} nm and the points end at {depth[-1]:.4g} nm: too "
                "close to show the bulk, to which fractions refer"
            )
        if front.width * 1e9 < 2.0 * spacing:
            yield f"the front has hardly two points ({spacing:.3g} nm apart): its width is not measured"
        varied = any(problem.seen_anew(m) for m in (measurement,))
        if isinstance(seen.response, NoResponse) and not varied and front.width * 1e9 < 0.2 * front.depth * 1e9:
            yield "no depth resolution is given: a sharp front of SIMS is mostly as wide as that; see response"
        if 2.0 * sigma > 1.5 * max(front.width * 1e9, spacing):
            yield f"the depth resolution, {2.0 * sigma:.3g} nm, is wider than the front that is seen"


def _front(measurement: Measurement) -> SeenFront | None:
    profile, experiment = measurement.profile, measurement.experiment
    native = native_ion(experiment)
    # The ends of a couple are its phases: it has neither a bulk nor a charge that passed a front.
    closed = all(isinstance(stage.front, Closed) for stage in experiment.stages)
    if closed and native.name in (experiment.initial or {}):
        return None
    others = [ion.name for ion in experiment.species if ion is not native]
    if profile is None or not {native.name, *others[:1]} & set(profile.species):
        return None
    alone = native.name in profile.species or len(others) == 1
    return see_front(*native_fraction(profile, native.name, others[0] if others else None)) if alone else None


def _density(experiment: Experiment) -> float:
    """Density of the native ion in the bulk [1/m³]."""
    return float(experiment.sample.bulk_density) * float(np.asarray(native_ion(experiment).bulk_fraction))
