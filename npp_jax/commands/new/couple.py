"""`npp-jax new couple`: experiment and study of a diffusion couple, from a profile or a synthetic one."""

import math

import jax.numpy as jnp
import numpy as np

from npp_jax.commands.couple import profile_text
from npp_jax.commands.couple_study import study_of_couple
from npp_jax.commands.new.lines import Draft
from npp_jax.commands.new.options import Options
from npp_jax.files import ConfigError
from npp_jax.files.couple_table import CoupleTable, read_couple
from npp_jax.fitting.couple import fit_couple
from npp_jax.physics.boltzmann_matano import boltzmann_matano
from npp_jax.physics.couple_profile import couple_profile

_D, _SLOPE, _HOURS, _CONTACT_UM, _SIGMA = 1e-15, 1.5, 100.0, 130.0, 2e-3
"""Truth of the synthetic profile: D = _D exp(_SLOPE c) [m²/s], time [h], place of the first contact, noise."""


def make_couple(options: Options) -> tuple[list[Draft], list[str]]:
    """Experiment, study, profile and start of the fit, and what was found in the profile, in words."""
    species, name = options.species or "A", options.name or "diffusion"
    if options.profile is None:
        if options.duration_h is not None:
            raise ConfigError("--duration-h belongs to --profile")
        table, hours, ends = _synthetic(), _HOURS, (0.0, 1.0)
        told = [
            f"the profile is synthetic, of D = {_D:g} exp({_SLOPE:g} c) m²/s and {_HOURS:g} h: replace it by your own"
        ]
    else:
        if options.duration_h is None:
            raise ConfigError("a couple needs the time of its anneal: give --duration-h")
        table, hours, ends = read_couple(options.profile), options.duration_h, None
        told = [*table.told, "npp-jax couple takes more options and tells D(c) with its band"]
    try:
        found = boltzmann_matano(table.depth_um * 1e-6, table.fraction, 3600.0 * hours, ends=ends)
    except ValueError as error:
        raise ConfigError(f"{options.profile}: {error}") from None
    if np.sum(np.isfinite(found.D)) < 2:
        raise ConfigError(f"{options.profile}: the profile rises nowhere from one end to the other: is it a couple's?")
    fit = fit_couple(found, table.fraction, 3600.0 * hours, sigma=table.sigma)
    study = study_of_couple(found, fit, name, species=species, time_h=hours, profile=f"{name}_profile.csv")
    head = "# synthetic\n" if options.profile is None else ""
    return [
        Draft(f"{name}_couple.toml", study.experiment),
        Draft(f"{name}_study.toml", study.study),
        Draft(f"{name}_profile.csv", head + profile_text(table, found, species, study.before_um)),
        Draft(f"{name}_start.csv", study.start),
    ], told


def _synthetic() -> CoupleTable:
    """A profile with noise."""
    depth = np.linspace(0.0, 300.0, 76)
    law = math.log(_D) + _SLOPE * jnp.linspace(0.0, 1.0, 3)
    eta = jnp.asarray(1e-6 * (depth - _CONTACT_UM) / math.sqrt(3600.0 * _HOURS))
    clean = couple_profile(jnp.asarray([[0.0, 1.0]]), (law,)).at(eta, np.zeros(len(depth), int))
    noise = np.random.default_rng(1).normal(0.0, _SIGMA, len(depth))
    return CoupleTable(depth, np.clip(np.asarray(clean) + noise, 0.0, 1.0), ())
