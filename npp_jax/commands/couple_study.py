"""Experiment and study that fit D(c) to a measured couple, made from what Boltzmann and Matano tell of it."""

import math
from typing import NamedTuple

import numpy as np

from npp_jax.physics.boltzmann_matano import Interdiffusion

_KNOTS = 6
"""Knots of a phase that takes the whole range of fractions, beside the two at its ends."""

_RANGE = 30.0
"""How far D at a knot may be from what Boltzmann and Matano tell, as a factor."""

_PRIOR = 2.0
"""Standard deviation of ln D at a knot: it holds D where the profile tells nothing."""

_REACH = 3.0
"""Least length of each half, in 2√(Dt): nothing has come to the ends of the couple."""

_GAP, _EDGE = 0.02, 0.002
"""D between two phases, over the least D of all, and the share of the gap over which D falls to it."""


class CoupleStudy(NamedTuple):
    """Files of a study."""

    experiment: str
    study: str
    start: str
    """Table of the one candidate from which the fit starts: what Boltzmann and Matano tell."""
    before_um: float
    """Length of the couple before the first measured point [µm]."""


class _Knot(NamedTuple):
    fraction: float
    D: float
    free: bool


def study_of_couple(found: Interdiffusion, stem: str, *, species: str, time_h: float, profile: str) -> CoupleStudy:
    """Experiment with ln D at knots in each phase, and a study that fits them and the place of the first contact.

    Parameters
    ----------
    found
        What Boltzmann and Matano tell.
    stem
        Name of the couple.
    species
        Component whose mole fraction was measured.
    time_h
        Time of the anneal. [h]
    profile
        Name of the file of the profile.
    """
    knots = _knots(found)
    before, behind = (_missing(found, time_h, side) for side in (0, -1))
    span = float(found.depth[-1] - found.depth[0]) * 1e6
    start = float(found.matano) * 1e6 + before
    first = before + float(found.depth[0]) * 1e6
    whole = first + span + behind
    step = 1e6 * float(np.median(np.diff(found.depth)))
    off = max(2.0 * step, 0.02 * span)
    other = "B" if species != "B" else "A"
    left, right = (min(max(end, 0.0), 1.0) for end in found.ends)
    experiment = f"""# {stem}: {species} and {other}, all other components together, with one mutual D(c).
schema_version = 1
title = "Diffusion couple"

[sample]
thickness_um = {whole:.6g}
permittivity = 9.0          # no field arises: without effect
bulk_density_m3 = 8e28      # without effect

[[species]]
name = "{species}"
bulk_fraction = 1.0

[species.diffusivity]       # ln D through knots inside the phases; the study fits those that are not between two
law = "spline"
knot_fraction = [{", ".join(f"{k.fraction:.6g}" for k in knots)}]
knot_D_m2_s = [{", ".join(f"{k.D:.4g}" for k in knots)}]

[[species]]
name = "{other}"
bulk_fraction = 0.0

[species.diffusivity]
law = "mutual"
partner = "{species}"

[[initial]]
species = "{species}"
form = "step"
position_um = {start:.6g}
surface_fraction = {left:.6g}
deep_fraction = {right:.6g}

[[stages]]
front = "closed"
temperature_K = 1000.0      # without effect on a D that has no activation energy
duration_h = {time_h:.9g}
"""
    free = [(f"D_at_{k.fraction:.4f}", n, k.D) for n, k in enumerate(knots) if k.free]
    parameters = [_parameter(name, f"{species}.knot_D_m2_s.{n}", D / _RANGE, D * _RANGE, D) for name, n, D in free]
    parameters.append(
        _parameter("position_um", f"initial.{species}.position_um", max(start - off, 0.0), min(start + off, whole))
    )
    study = f"""# D(c) of {stem} with its band: ln D at knots, and the place of the first contact.
schema_version = 1
title = "D(c) of a diffusion couple"

[[experiments]]
name = "couple"
file = "{stem}_couple.toml"
profile = "{profile}"

{"".join(parameters)}[design]                    # the fit starts from what Boltzmann and Matano tell
kind = "table"
file = "{stem}_start.csv"

[sweep]
profiles = true

[fit]
starts = 1
setting = "fast"
profile_points = 0
"""
    names, values = ",".join(name for name, _, _ in free), ",".join(f"{D:.6g}" for _, _, D in free)
    return CoupleStudy(experiment, study, f"{names},position_um\n{values},{start:.9g}\n", before)


def _parameter(name: str, key: str, low: float, high: float, prior: float | None = None) -> str:
    lines = [f'name = "{name}"', f'keys = ["{key}"]', f"low = {low:.6g}", f"high = {high:.6g}"]
    if prior is not None:
        lines += ['scale = "log"', f"prior_mean = {prior:.4g}", f"prior_sigma = {_PRIOR:g}"]
    return "[[parameters]]\n" + "\n".join(lines) + "\n\n"


def _knots(found: Interdiffusion) -> list[_Knot]:
    """Knots inside the phases, to be fitted, and between them, where D is small."""
    low, high = (min(max(end, 0.0), 1.0) for end in sorted(found.ends))
    parts = sorted(range(found.phase[-1] + 1), key=lambda k: float(np.median(found.fraction[found.phase == k])))
    ranges = []
    for k in parts:
        own = found.fraction[found.phase == k]
        ranges.append((low if k == parts[0] else float(own.min()), high if k == parts[-1] else float(own.max())))
    known = np.isfinite(found.D)
    least = _GAP * float(np.min(found.D[known]))
    knots = list[_Knot]()
    for k, (bottom, top) in zip(parts, ranges, strict=True):
        if knots and bottom > knots[-1].fraction:
            edge = _EDGE * (bottom - knots[-1].fraction)
            knots += [_Knot(knots[-1].fraction + edge, least, False), _Knot(bottom - edge, least, False)]
        inside = known & (found.phase == k)
        if not inside.any():
            inside = known
        count = 2 + round(_KNOTS * (top - bottom) / (high - low))
        for fraction in np.linspace(bottom, top, count).tolist():
            near = np.argsort(np.abs(found.fraction[inside] - fraction), kind="stable")[:5]
            knots.append(_Knot(fraction, float(np.median(found.D[inside][near])), True))
    return knots


def _missing(found: Interdiffusion, time_h: float, side: int) -> float:
    """Length of the couple beyond the first or last measured point, so that nothing comes to its end [µm]."""
    own = np.isfinite(found.D) & (found.phase == found.phase[side])
    if not own.any():
        return 0.0
    reach = _REACH * 2.0 * math.sqrt(float(np.median(found.D[own])) * 3600.0 * time_h)
    return float(math.ceil(max(0.0, 1e6 * (reach - abs(float(found.matano - found.depth[side]))))))
