"""`npp-jax new melt`: ion exchange of a glass in a melt, and the study of its profile."""

import math
from pathlib import Path

import numpy as np

from npp_jax.commands.new.glass import Glass, glass_of, scale_parameter
from npp_jax.commands.new.lines import (
    ASSUMED,
    Draft,
    Number,
    given_or,
    kept_profiles,
    parameter,
    rounded,
    shown,
    string,
    study_text,
)
from npp_jax.commands.new.measured import Measured, chosen_text, experiment_lines, ions_of
from npp_jax.commands.new.options import Options

_D = 1e-15
_APART = 10.0
"""Ratio of the two diffusion coefficients of the first guess."""
_HALF = 0.9538725524
"""x/√(Dt) at which erfc(x/(2√(Dt))) is one half."""
_COMPLETE = 0.98
"""Fraction of the foreign ion at the surface beyond which the exchange there counts as complete."""


def make_melt(options: Options, measured: Measured | None, folder: Path) -> tuple[list[Draft], list[str]]:
    """Experiment and study, and what was found in the profile, in words."""
    native, foreign = ions_of(measured, options.native, options.foreign, "melt")
    name = options.name or f"melt_{foreign}"
    duration, temperature = given_or(options.duration_h, 4.0), given_or(options.temperature_K, 673.0)
    thickness, density = given_or(options.thickness_um, 1000.0), given_or(options.density_m3, 1e28)
    told = chosen_text(measured, (options.native, options.foreign), (native, foreign))
    glass = glass_of(measured, native, foreign, shared=True)
    told += glass.told
    surface, D = Number(1.0, ASSUMED), _D
    source = ASSUMED
    if measured is not None:
        top, half = _uptake(measured, native, foreign, glass)
        surface = Number(rounded(top), "the highest that the profile shows")
        if half is None:
            told.append(f"warning: {foreign} does not fall half way to its value in the bulk in the profile")
        else:
            D = (half * 1e-9 / _HALF) ** 2 / (3600.0 * duration.value)
            source = "guessed from the depth of half the surface value, as √(D D') of both ions"
            told.append(
                f"{foreign} is {top:.3g} at the surface and half way to the bulk at {half:.4g} nm: with "
                f"{duration.value:g} h √(D D') is about {D:.2g} m²/s"
            )
    slow, fast = (Number(rounded(D * factor), source) for factor in (_APART**-0.5, _APART**0.5))
    experiment = f"""# Exchange of the native ion {native} of a glass for {foreign} of a melt: no current flows.
# Simulate it: npp-jax simulate {name}.toml      What each key means: npp-jax schema experiment --markdown
schema_version = 1
title = {string(f"{foreign} from a melt into a glass with {native}")}

[sample]
{thickness.line("thickness_um", "thickness of the sample, µm")}
permittivity = 7.0  # relative; assumed, replace it (it matters for the full model only)
{density.line("bulk_density_m3", "mobile ions in the bulk, 1/m³")}

[[species]]
name = {string(native)}
charge = 1
bulk_fraction = {shown(1.0 - glass.foreign)}  # share of the mobile ions of the bulk; several ions share it: 0.7 and 0.3
[species.diffusivity]
law = "constant"  # or "sed": D falls as the sites of a distribution of energies are emptied
{fast.line("D_m2_s", f"diffusion coefficient of {native}, m²/s")}

[[species]]
name = {string(foreign)}
charge = 1
bulk_fraction = {shown(glass.foreign)}
[species.diffusivity]
law = "constant"
{slow.line("D_m2_s", f"diffusion coefficient of {foreign}, m²/s")}

# One [[stages]] for each bath or anneal; front = "closed" is an anneal without a bath.
[[stages]]
front = "reservoir"
{temperature.line("temperature_K", "K")}
{duration.line("duration_h", "h")}
# Composition of the surface in equilibrium with the melt, which need not be that of the melt; {surface.source}.
reservoir_fraction = {{ {native} = {shown(1.0 - surface.value)}, {foreign} = {shown(surface.value)} }}
# exchange_rate_m_s = 1e-9  # where the surface is not in equilibrium with the melt at once
"""
    study = _study(
        name, native, foreign, measured, folder, glass, surface=surface.value, slow=slow, fast=fast, duration=duration
    )
    return [Draft(f"{name}.toml", experiment), Draft(f"{name}_study.toml", study)], told


def _uptake(measured: Measured, native: str, foreign: str, glass: Glass) -> tuple[float, float | None]:
    """Foreign fraction at the surface, and the depth at which it is half way to that of the bulk [nm]."""
    profile = measured.profile
    name = foreign if foreign in profile.species else native
    row = profile.species.index(name)
    used = np.asarray(profile.weight)[row] > 0.0
    depth, fraction = np.asarray(profile.depth)[used], np.asarray(profile.fraction)[row][used] / glass.scale
    level = fraction if name == foreign else 1.0 - fraction
    top = float(np.clip(np.median(level[: max(3, len(level) // 50)]), 0.01, 1.0))
    below = np.flatnonzero(level < 0.5 * (glass.foreign + top))
    return (1.0 if top > _COMPLETE else top), float(depth[below[0]]) if len(below) and below[0] > 0 else None


def _study(
    name: str,
    native: str,
    foreign: str,
    measured: Measured | None,
    folder: Path,
    glass: Glass,
    *,
    surface: float,
    slow: Number,
    fast: Number,
    duration: Number,
) -> str:
    response = 'response = { kind = "none" }  # depth resolution; or { kind = "gaussian", sigma_nm = 5.0 }'
    entries = experiment_lines(foreign, f"{name}.toml", measured, folder, response)
    parts = [
        parameter(f"D_{ion}_m2_s", f"{ion}.D_m2_s", rounded(D.value / 50.0), rounded(D.value * 50.0), scale="log")
        for ion, D in ((foreign, slow), (native, fast))
    ]
    if surface < 1.0:
        low, high = rounded(0.8 * surface), rounded(min(1.2 * surface, 0.5 * (1.0 + surface)))
        note = f"Share of {foreign} at the surface; {native} takes what is left."
        parts.append(parameter(f"surface_{foreign}", f"stages.0.reservoir_fraction.{foreign}", low, high, comment=note))
    parts += [] if measured is None else scale_parameter(measured, glass)
    last = rounded(5e9 * math.sqrt(math.sqrt(slow.value * fast.value) * 3600.0 * duration.value))
    kept = kept_profiles(measured is not None, last)
    return study_text(
        f"What explains the profile of {foreign} after the melt?", name,
        f"{foreign} from a melt into a glass with {native}",
        entries, parts, kept, candidates=512, fit=measured is not None,
    )  # fmt: skip
