"""`npp-jax new tracer`: the diffusion coefficient of one isotope profile."""

import math
from pathlib import Path

import numpy as np
from scipy.special import erfc

from npp_jax.commands.new.lines import Draft, Number, given_or, named_from, rounded, string
from npp_jax.commands.new.options import Options
from npp_jax.commands.tracer.data import read_isotope_profile
from npp_jax.files import ConfigError
from npp_jax.tracer.measured import MeasuredProfile

_HALF = 0.4769362762
"""x/(2√(Dt)) at which erfc is one half."""
_D, _HOURS, _SURFACE, _BASE, _COUNTS = 8e-13, 110.0, 0.75, 0.0759, 2000.0
"""Truth of the synthetic profile: D [m²/s], time [h], fractions, counts of both isotopes at a point."""

_TRUTH = f"""
# With what the synthetic profile was made: reports set it beside the result. Take it out with the profile.
[truth]
D_m2_s = {_D:g}
surface = {_SURFACE:g}
base = {_BASE:g}
"""


def make_tracer(options: Options, folder: Path) -> tuple[list[Draft], list[str]]:
    """Study, with a synthetic profile where none was measured, and what was found in the profile, in words."""
    name = options.name or "tracer"
    if options.profile is None:
        if options.duration_h is not None or options.light is not None or options.species is not None:
            raise ConfigError("--duration-h, --light, --heavy and --species belong to --profile")
        file, duration, chosen = string(f"{name}_synthetic.csv"), Number(_HOURS, "that of the synthetic profile"), ""
        drafts, told = (
            [Draft(f"{name}_synthetic.csv", _synthetic())],
            ["the profile is synthetic: replace it by your own"],
        )
        start: float | None = 1e-6 * _round_length(2.0 * math.sqrt(_D * 3600.0 * _HOURS))
        title, truth = "exchange, synthetic profile", _TRUTH
    else:
        profile, chosen = _read(options)
        file, drafts, title, truth = named_from(options.profile, folder), [], "exchange", ""
        position = np.asarray(profile.position)
        told = [f"{len(position)} points from {position[0] * 1e6:.4g} to {position[-1] * 1e6:.4g} µm"]
        start = _length(position, np.asarray(profile.fraction))
        if start is None:
            told.append("warning: the profile does not fall from its surface; the length to start from is a guess")
            start = 0.3 * float(position[-1] - position[0])
        else:
            told.append(f"half way from surface to base: 2√(Dt) is about {start * 1e6:.3g} µm")
        duration = given_or(options.duration_h, math.nan)
    if math.isfinite(duration.value):
        D = Number(rounded((0.5 * start) ** 2 / (3600.0 * duration.value)), "to start from, of the length 2√(Dt)")
        model = f"{duration.line('duration_h', 'time of the exchange, h')}\n{D.line('start_D_m2_s', 'm²/s')}"
    else:
        model = (
            "# duration_h = 100.0  # gives D instead of Dt; then replace the next line by start_D_m2_s = …\n"
            + Number(rounded(start * 1e6), "to start from").line("start_length_um", "2√(Dt), µm")
        )
    text = f"""# D from one isotope profile, by the closed solution for a constant surface (or another source).
# Look first: npp-jax check {name}.toml      Then: npp-jax tracer {name}.toml --output results
# Other kinds: evolution (anneals), chain, map (grain boundaries), arrhenius; see npp-jax schema tracer --markdown
schema_version = 1
kind = "profile"
title = {string(title)}

[profile]
# Columns position_um (or another length) and fraction, fraction_sigma, or light_counts, heavy_counts; comments after #.
file = {file}
{chosen}# first_um = 0.1  # points in front of it and behind last_um are left out
# mass_bias = 1.0  # sensitivity for the light isotope over that for the heavy one

[model]
source = "constant-surface"  # or "surface-exchange" with start_k_m_s, "finite-source" with source_um
{model}
# base = 0.0759  # fraction of the untouched sample, if known; it is found otherwise
{truth}"""
    return [Draft(f"{name}.toml", text), *drafts], told


def _read(options: Options) -> tuple[MeasuredProfile, str]:
    """The profile, and the lines that name its isotopes."""
    assert options.profile is not None
    light, heavy, species = options.light, options.heavy, options.species
    if (light is None) != (heavy is None) or (light is not None and species is not None):
        raise ConfigError("--light and --heavy go together, and --species stands alone")
    if options.profile.suffix == ".h5" and light is None and species is None:
        raise ConfigError("a file of import-sims (.h5) needs --light and --heavy, or --species")
    isotopes = None if light is None or heavy is None else (light, heavy)
    profile = read_isotope_profile(options.profile, isotopes=isotopes, species=species)
    named = {"light": light, "heavy": heavy, "species": species}
    return profile, "".join(f"{key} = {string(value)}\n" for key, value in named.items() if value is not None)


def _length(position: np.ndarray, fraction: np.ndarray) -> float | None:
    """2√(Dt) of the depth where the fraction is half way from surface to base [m]; None where it does not fall."""
    tenth = max(3, len(fraction) // 10)
    top, base = float(np.median(fraction[:3])), float(np.median(fraction[-tenth:]))
    below = np.flatnonzero(fraction < 0.5 * (top + base))
    if not top > base or not len(below) or below[0] == 0:
        return None
    depth = float(position[below[0]])
    return depth / _HALF if depth > 0.0 else None


def _round_length(length: float) -> float:
    return rounded(1e6 * length)


def _synthetic() -> str:
    """A synthetic profile, with the numbers that it is made of in its head."""
    length = 2.0 * math.sqrt(_D * 3600.0 * _HOURS)
    position = np.linspace(0.0, 3.0 * length, 61)
    fraction = _BASE + (_SURFACE - _BASE) * erfc(position / length)
    heavy = np.random.default_rng(1).binomial(int(_COUNTS), 1.0 - fraction)
    rows = "\n".join(f"{x * 1e6:.4g},{int(_COUNTS) - n},{n}" for x, n in zip(position, heavy, strict=True))
    head = f"# synthetic: D {_D:g} m2/s, {_HOURS:g} h, fraction {_SURFACE:g} at the surface and {_BASE:g} below"
    return f"{head}\nposition_um,light_counts,heavy_counts\n{rows}\n"
