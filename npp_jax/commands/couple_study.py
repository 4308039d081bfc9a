"""Experiment and study that fit D(c) to a measured couple, made from the free form of its profile."""

import math
from pathlib import Path
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from npp_jax.files.toml_out import text_of
from npp_jax.fitting.couple import CoupleFit
from npp_jax.fitting.couple_start import PRIOR, RANGE
from npp_jax.physics.boltzmann_matano import Interdiffusion
from npp_jax.physics.couple_profile import spline_of
from npp_jax.text.shell import shell_line

_REACH = 3.0
"""Least length of each half, in 2√(Dt): nothing has come to the ends of the couple."""

_GAP, _EDGE = 0.02, 0.002
"""D between two phases, over the least D of all, and the share of the gap over which D falls to it."""


class CoupleStudy(NamedTuple):
    """Files of a study."""

    experiment: str
    study: str
    start: str
    """Table of the one candidate from which the fit starts."""
    before_um: float
    """What is added to the depths of the file, so that they are from the end of the couple [µm]."""


class Knot(NamedTuple):
    """D at a fraction."""

    fraction: float
    D: float
    free: bool
    """Whether it lies in a phase."""


def study_of_couple(
    found: Interdiffusion, fit: CoupleFit, stem: str, *, species: str, time_h: float, profile: str
) -> CoupleStudy:
    """Experiment with ln D at knots in each phase, and a study that fits them and the place of the first contact.

    Parameters
    ----------
    found
        What Boltzmann and Matano tell.
    fit
        The free form, from which the study starts.
    stem
        Name of the couple.
    species
        Component whose mole fraction was measured.
    time_h
        Time of the anneal. [h]
    profile
        Name of the file of the profile.
    """
    knots = law_of(fit)
    before, behind = (_missing(found, time_h, side) for side in (0, -1))
    span = float(found.depth[-1] - found.depth[0]) * 1e6
    # Distances may be told from the first contact, negative on one side of it.
    before += max(0.0, -float(found.depth[0]) * 1e6)
    start = fit.position * 1e6 + before
    first = before + float(found.depth[0]) * 1e6
    whole = first + span + behind
    step = 1e6 * float(np.median(np.diff(found.depth)))
    off = max(2.0 * step, 0.02 * span)
    other = "B" if species != "B" else "A"
    left, right = (min(max(end, 0.0), 1.0) for end in (fit.limits[0, 0], fit.limits[-1, 1]))
    experiment = f"""# {stem}: {species} and {other}, all other components together, with one mutual D(c).
# What each key means: npp-jax schema experiment --markdown
schema_version = 1
title = "Diffusion couple"

[sample]
thickness_um = {whole:.9g}
permittivity = 9.0          # no field arises: without effect
bulk_density_m3 = 8e28      # sites of all components, 1/m³; without effect

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

[[initial]]                 # the two halves before the anneal, sharp
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
    parameters = [_parameter(name, f"{species}.knot_D_m2_s.{n}", D / RANGE, D * RANGE, D) for name, n, D in free]
    parameters.append(
        _parameter("position_um", f"initial.{species}.position_um", max(start - off, 0.0), min(start + off, whole))
    )
    file = Path(f"{stem}_study.toml")
    study = f"""# D(c) of {stem} with its band: ln D at knots, and the place of the first contact.
# Look first: {shell_line("check", file)}      Then: {shell_line("fit", file, "--output", "results")}
# What each key means: npp-jax schema study --markdown
schema_version = 1
title = "D(c) of a diffusion couple"

[[experiments]]
name = "couple"
file = {text_of(f"{stem}_couple.toml")}
profile = {text_of(profile)}

{"".join(parameters)}[design]                    # the fit starts from the free form of npp-jax couple
kind = "table"
file = {text_of(f"{stem}_start.csv")}

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
        lines += ['scale = "log"', f"prior_mean = {prior:.4g}", f"prior_sigma = {PRIOR:g}"]
    return "[[parameters]]\n" + "\n".join(lines) + "\n\n"


def law_of(fit: CoupleFit, points: int | None = None) -> list[Knot]:
    """D at knots of each phase and, small, between them; fractions increase.

    Parameters
    ----------
    fit
        Free form.
    points
        Evenly spaced fractions of each phase instead of its knots.
    """
    parts = list[list[Knot]]()
    for limits, D in zip(fit.limits, fit.knots, strict=True):
        share = np.linspace(0.0, 1.0, points or len(D))
        values = np.exp(np.asarray(spline_of(jnp.asarray(share), jnp.log(jnp.asarray(D)))))
        low, high = np.clip(limits, 0.0, 1.0)
        own = [Knot(*pair, True) for pair in zip((low + (high - low) * share).tolist(), values.tolist(), strict=True)]
        parts.append(own if low < high else own[::-1])
    parts.sort(key=lambda own: own[0].fraction)
    least = _GAP * min(knot.D for part in parts for knot in part)
    knots = list[Knot]()
    for part in parts:
        if knots:
            edge = _EDGE * (part[0].fraction - knots[-1].fraction)
            knots += [Knot(knots[-1].fraction + edge, least, False), Knot(part[0].fraction - edge, least, False)]
        knots += part
    return knots


def _missing(found: Interdiffusion, time_h: float, side: int) -> float:
    """Length of the couple beyond the first or last measured point, so that nothing comes to its end [µm]."""
    own = np.isfinite(found.D) & (found.phase == found.phase[side])
    if not own.any():
        return 0.0
    reach = _REACH * 2.0 * math.sqrt(float(np.median(found.D[own])) * 3600.0 * time_h)
    return float(math.ceil(max(0.0, 1e6 * (reach - abs(float(found.matano - found.depth[side]))))))
