"""`npp-jax new cait`: a beam of foreign ions on a glass, and the study of its profile."""

import math
from pathlib import Path

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
from npp_jax.fitting.first_guess import LEAST_FOOT, SeenFront, charge_of, expected_width, foreign_diffusivity
from npp_jax.physics import GaussianSED, SEDDiffusivity
from npp_jax.physics.nernst_einstein import nernst_einstein

_WIDTH_EV, _VACANCY = 0.25, 0.1
_FOOT = 0.15
_RESOLUTION_NM = 1.5
_LEAST_RESOLUTION_NM = 0.3
_SHARES = {"leading": 0.25, "trailing": 0.75, "sigma": 0.5}
"""Lengths of Dowsett's response for a resolution: the variances of its three parts add up to that, nearly."""


def make_cait(options: Options, measured: Measured | None, folder: Path) -> tuple[list[Draft], list[str]]:
    """Experiment and study, and what was found in the profile, in words."""
    native, foreign = ions_of(measured, options.native, options.foreign, "cait")
    name = options.name or f"cait_{foreign}"
    front = None if measured is None else measured.front(native, foreign)
    density = given_or(options.density_m3, 1.4e28)
    temperature, potential = given_or(options.temperature_K, 350.0), given_or(options.potential_V, 10.0)
    thickness = given_or(options.thickness_um, 500.0)
    conductivity = given_or(options.conductivity_S_m, 1e-7)
    told = chosen_text(measured, (options.native, options.foreign), (native, foreign))
    glass = Glass() if front is None else glass_of(measured, native, foreign, shared=False)
    told += glass.told
    charge = Number(20.0, ASSUMED) if front is None else _charge(front, density, native, told)
    if options.charge_mC_cm2 is not None:
        charge = given_or(options.charge_mC_cm2, 0.0)
    bulk = nernst_einstein(conductivity.value, density.value, temperature.value)
    law = SEDDiffusivity(bulk, GaussianSED(_WIDTH_EV), _VACANCY)
    foot = _FOOT if front is None else front.foot
    D = rounded(foreign_diffusivity(law, foot, temperature.value))
    where = "assumed" if front is None else "of the profile"
    source = f"puts the foot of the front at {native} {foot:.2g} ({where}), d(u D_{native})/du there"
    guessed = Number(D, source)
    resolution = _RESOLUTION_NM
    if front is not None:
        noise = " or less, no more than noise" if front.foot <= LEAST_FOOT else ""
        told.append(
            f"{native} behind the front: {front.foot:.3g}{noise}, from which D of {foreign} {D:.3g} m²/s is guessed"
        )
        depth = {"depth": front.depth, "thickness": thickness.value * 1e-6, "potential": potential.value}
        width = expected_width(law, D, temperature.value, **depth)
        resolution = _resolution(front, width, potential.value, told)
        if not front.reached:
            told.append("warning: the profile ends before the bulk is reached beyond doubt; go deeper")
    elif measured is not None:
        told.append(f"warning: {native} shows no front in the profile; the numbers are not guessed from it")
    experiment = f"""# Beam of {foreign} ions on a glass of native {native} (charge attachment induced transport).
# Simulate it: npp-jax simulate {name}.toml      What each key means: npp-jax schema experiment --markdown
schema_version = 1
title = {string(f"{foreign} beam on a glass with {native}")}

[sample]
{thickness.line("thickness_um", "thickness of the sample, µm")}
permittivity = 9.0  # relative; assumed, replace it (it matters for the full model and the excess charge only)
{density.line("bulk_density_m3", f"mobile {native} ions in the bulk, 1/m³")}

[[species]]
name = {string(native)}
charge = 1
bulk_fraction = 1.0  # all mobile ions of the bulk
[species.diffusivity]
law = "sed"  # D falls as the sites of a distribution of energies are emptied; or "constant" with D_m2_s
{conductivity.line("conductivity_S_m", "of the bulk at the temperature of the first stage, S/m; or D_bulk_m2_s")}
sed_fwhm_eV = {_WIDTH_EV}  # full width at half maximum of the site energies, eV; {ASSUMED}, or fit it
vacancy_fraction = {_VACANCY}  # share of the sites that is empty in the bulk; {ASSUMED}

[[species]]
name = {string(foreign)}
charge = 1
bulk_fraction = 0.0
[species.diffusivity]
law = "constant"
{guessed.line("D_m2_s", f"diffusion coefficient of {foreign}, m²/s")}

[[stages]]
front = "ion-beam"
beam = {string(foreign)}
{temperature.line("temperature_K", "K")}
# One drive: potential_V, or current_density_A_m2 (1 A/m² is 1e5 nA/cm²), or a trace of either:
# potential_trace = "trace.csv", a table with the columns time_s and potential_V.
{potential.line("potential_V", "potential of the surface, V")}
# One end: the charge that was passed, or duration_s or duration_h. More profiles: output_charges_C_m2 = [50.0, 100.0]
{charge.line("charge_mC_cm2", "charge passed, mC/cm²")}
"""
    return [Draft(f"{name}.toml", experiment), Draft(f"{name}_study.toml", _study(
        name, native, foreign, measured, folder, glass, charge=charge, D=D, resolution=resolution, front=front,
    ))], told  # fmt: skip


def _charge(front: SeenFront, density: Number, native: str, told: list[str]) -> Number:
    found = rounded(0.1 * charge_of(front, density.value))
    told.append(
        f"front at {front.depth * 1e9:.4g} nm, {front.width * 1e9:.3g} nm wide (16 to 84 %); the area above the "
        f"profile of {native}, {front.replaced * 1e9:.4g} nm, holds {found:.4g} mC/cm² at {density.value:.3g} ions/m³"
    )
    return Number(found, "guessed from the area above the profile; replace it by the charge that was measured")


def _resolution(front: SeenFront, width: float, potential: float, told: list[str]) -> float:
    """Depth resolution, a Gaussian sigma, that makes the front of the theory as wide as that of the profile [nm]."""
    left = max(front.width**2 - width**2, 0.0) if math.isfinite(width) else 0.0
    # Of a Gaussian, 68 % lie within two standard deviations.
    sigma = max(rounded(0.5e9 * math.sqrt(left)), _LEAST_RESOLUTION_NM)
    told.append(
        f"theory gives a front of {width * 1e9:.2g} nm at {potential:g} V; the rest of its width is taken for the "
        f"depth resolution, {sigma:g} nm (standard deviation), shared out to the three lengths of Dowsett's response"
    )
    return sigma


def _study(
    name: str,
    native: str,
    foreign: str,
    measured: Measured | None,
    folder: Path,
    glass: Glass,
    *,
    charge: Number,
    D: float,
    resolution: float,
    front: SeenFront | None,
) -> str:
    widths = {kind: rounded(share * resolution) for kind, share in _SHARES.items()}
    given = ", ".join(f"{kind}_nm = {shown(width)}" for kind, width in widths.items())
    response = f'response = {{ kind = "dowsett", {given} }}  # depth resolution, which varies below'
    entries = experiment_lines(foreign, f"{name}.toml", measured, folder, response)
    parts = [
        parameter("sed_fwhm_eV", f"{native}.sed_fwhm_eV", 0.12, 0.45, comment="Width of the site energies."),
        parameter(
            f"D_{foreign}_m2_s", f"{foreign}.D_m2_s", rounded(D / 20.0), rounded(D * 20.0), scale="log",
            comment="Profiles fix the ratio of diffusion coefficients: D of the bulk is that of the experiment file.",
        ),
    ]  # fmt: skip
    if not charge.known:
        low, high = rounded(0.8 * charge.value), rounded(1.25 * charge.value)
        note = "Leave it out where the charge was measured, and write that into the experiment."
        parts.append(parameter("charge_mC_cm2", "stages.0.charge_mC_cm2", low, high, comment=note))
    if measured is not None:
        note = "Depth resolution; leave the three out where a sharp layer told it, and write it above."
        for kind, width in widths.items():
            key, low, high = f"observation.response.{kind}_nm", rounded(0.1 * width), rounded(5.0 * width)
            parts.append(parameter(f"{kind}_nm", key, low, high, scale="log", comment=note))
            note = ""
        parts += scale_parameter(measured, glass)
    last = 200.0 if front is None else rounded(1.5e9 * front.depth)
    kept = kept_profiles(measured is not None, last)
    parts.append(
        f"""# The share of empty sites trades with the width; profiles of several foreign ions tell them apart.
# [[parameters]]
# name = "vacancy_fraction"
# keys = ["{native}.vacancy_fraction"]
# low = 0.02
# high = 0.30
"""
    )
    return study_text(
        f"What explains the profile of the {foreign} beam?", name, f"{foreign} beam on a glass with {native}",
        entries, parts, kept, candidates=1024, fit=measured is not None,
    )  # fmt: skip
