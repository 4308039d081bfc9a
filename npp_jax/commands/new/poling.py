"""`npp-jax new poling`: thermal poling of a glass between electrodes that pass no ion, and the study of its profile."""

from pathlib import Path

import numpy as np

from npp_jax.commands.new.lines import (
    ASSUMED,
    GIVEN,
    Draft,
    Number,
    given_or,
    kept_profiles,
    parameter,
    rounded,
    string,
)
from npp_jax.commands.new.measured import Measured, check_ions, experiment_lines
from npp_jax.commands.new.options import Options
from npp_jax.files import ConfigError
from npp_jax.fitting.first_guess import density_of_depletion, see_front

_PERMITTIVITY = 7.0
_DENSITY = 1e25
_SECOND = 0.2
"""Share of the second ion in the bulk."""


def make_poling(options: Options, measured: Measured | None, folder: Path) -> tuple[list[Draft], list[str]]:
    """Experiment and study, and what was found in the profile, in words."""
    native, second = options.native, options.foreign
    if native is None:
        raise ConfigError("new poling needs the name of the ion: --native Na, and --foreign K for a second one")
    if native == second:
        raise ConfigError(f"--native and --foreign are both {native}")
    ions = (native,) if second is None else (native, second)
    check_ions(measured, ions)
    name = options.name or f"poling_{native}"
    potential, temperature = given_or(options.potential_V, 50.0), given_or(options.temperature_K, 500.0)
    duration = given_or(options.duration_h, 0.25)
    told: list[str] = []
    density, thickness = _DENSITY, given_or(options.thickness_um, 100.0)
    source = f"{ASSUMED} (far below that of all {native} of a glass, so that the field stays below 1 V/nm)"
    depth = None
    if measured is not None:
        row = measured.profile.species.index(native) if native in measured.profile.species else None
        front = None if row is None else see_front(*_used(measured, row))
        if front is None:
            told.append(f"warning: the profile shows no layer without {native}; nothing is guessed from it")
        else:
            depth = front.depth * 1e9
            density = rounded(density_of_depletion(front.depth, potential.value, _PERMITTIVITY))
            source = "guessed from the depth of the layer, 2 ε₀ ε_r U/(e d²), as if no ion came in"
            told.append(
                f"the layer without {native} ends at {depth:.4g} nm: {potential.value:g} V hold it at "
                f"{density:.3g} ions/m³"
            )
    carriers = Number(options.density_m3, GIVEN) if options.density_m3 is not None else Number(density, source)
    share = 1.0 if second is None else 1.0 - _SECOND
    other = (
        ""
        if second is None
        else f"""
[[species]]
name = {string(second)}
charge = 1
bulk_fraction = {_SECOND}  # {ASSUMED}
[species.diffusivity]
law = "constant"
D_m2_s = 1e-19  # diffusion coefficient of {second}, m²/s; {ASSUMED}
"""
    )
    experiment = f"""# Thermal poling: {" and ".join(ions)} leave the side of the anode, no ion comes in.
# What is left there is space charge, so that the full model is needed.
# Simulate it: npp-jax simulate {name}.toml --model full      What each key means: npp-jax schema experiment --markdown
schema_version = 1
title = "thermal poling of a glass with {" and ".join(ions)}"

[sample]
{thickness.line("thickness_um", "thickness of the sample, µm")}
permittivity = {_PERMITTIVITY}  # relative; assumed, replace it
{carriers.line("bulk_density_m3", "mobile ions in the bulk, 1/m³")}

[[species]]
name = {string(native)}
charge = 1
bulk_fraction = {share}  # share of the mobile ions of the bulk
[species.diffusivity]
law = "constant"
D_m2_s = 1e-17  # diffusion coefficient of {native}, m²/s; {ASSUMED}
{other}
[[stages]]
front = "blocking"  # an electrode that passes no ion
{temperature.line("temperature_K", "K")}
{potential.line("potential_V", 'potential of the anode, V; or potential_trace = "trace.csv"')}
{duration.line("duration_h", "h")}
"""
    study = _study(name, native, ions, measured, folder, carriers=carriers, depth=depth)
    return [Draft(f"{name}.toml", experiment), Draft(f"{name}_study.toml", study)], told


def _used(measured: Measured, row: int) -> tuple[np.ndarray, np.ndarray]:
    used = np.asarray(measured.profile.weight)[row] > 0.0
    return np.asarray(measured.profile.depth)[used], np.asarray(measured.profile.fraction)[row][used]


def _study(
    name: str,
    native: str,
    ions: tuple[str, ...],
    measured: Measured | None,
    folder: Path,
    *,
    carriers: Number,
    depth: float | None,
) -> str:
    response = 'response = { kind = "none" }  # depth resolution; or { kind = "gaussian", sigma_nm = 5.0 }'
    entries = experiment_lines("poled", f"{name}.toml", measured, folder, response)
    D = parameter(f"D_{native}_m2_s", f"{native}.D_m2_s", 1e-18, 1e-16, scale="log")
    low, high = rounded(0.3 * carriers.value), rounded(3.0 * carriers.value)
    note = "Mobile ions, which set the depth of the layer."
    density = parameter("bulk_density_m3", "sample.bulk_density_m3", low, high, scale="log", comment=note)
    last = 200.0 if depth is None else rounded(2.0 * depth)
    kept = kept_profiles(measured is not None, last)
    order = "fit" if measured is not None else "sweep"
    return f"""# What explains the layer that {" and ".join(ions)} leave?
# Look first: npp-jax check {name}_study.toml      Then: npp-jax {order} {name}_study.toml --output results
# What each key means: npp-jax schema study --markdown
schema_version = 1
title = "thermal poling of a glass with {" and ".join(ions)}"

{entries}
# What varies: name, keys of the experiment, range. The start is what the experiment file says.
{D}
{density}
[design]
kind = "sobol"
candidates = 64

[sweep]
model = "full"  # there is nothing but space charge in the layer
{kept}
[fit]
model = "full"
setting = "fast"  # or "accurate": finer meshes and steps, several times slower
starts = 4
"""
