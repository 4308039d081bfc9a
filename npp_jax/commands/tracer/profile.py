"""`npp-jax tracer` for one isotope profile."""

import math
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from npp_jax.commands.tracer.report import (
    Stored,
    TracerReport,
    chi2_lines,
    ending,
    linear_row,
    logarithmic_row,
    vague,
)
from npp_jax.commands.tracer.stored import (
    CURVE_POINTS,
    HOUR,
    UM,
    logarithmic,
    profile_arrays,
    profile_figure,
    read_profile_of,
)
from npp_jax.commands.tracer.study import ProfileStudy
from npp_jax.figures.tracer import isotope_profiles
from npp_jax.tracer.profile_fit import ProfileModel, fit_profile


def run_profile(study: ProfileStudy, folder: Path) -> TracerReport:
    """Fit one profile by a closed solution."""
    measured, table = read_profile_of(study.profile, folder), study.model
    timed = table.duration_h is not None
    duration = (table.duration_h or 0.0) * HOUR if timed else 1.0
    start = table.start_D_m2_s or (0.5 * (table.start_length_um or 0.0) * UM) ** 2 / duration
    # Without a duration, an exchange neither at equilibrium nor stopped is the start: k t of the order of √(D t).
    k = None if table.source != "surface-exchange" else (table.start_k_m_s or 2.0 * math.sqrt(start))
    lengths = {
        "source_width": None if table.source_um is None else table.source_um * UM,
        "thickness": None if table.thickness_um is None else table.thickness_um * UM,
    }
    origin = 0.0 if table.find_origin else None
    fit = fit_profile(
        measured, duration, start=start, source=table.source, k=k, base=table.base, origin=origin, **lengths
    )
    p, errors = fit.parameters, fit.errors
    lines: list[str] = []
    names = {"log_D": ("D", "m²/s") if timed else ("Dt", "m²"), "log_k": ("k", "m/s") if timed else ("kt", "m")}
    arrays: dict[str, Stored] = {}
    for key, (name, unit) in names.items():
        if key in p:
            lines.append(logarithmic_row(name, float(p[key]), float(errors[key]), unit))
            arrays |= logarithmic(name, np.asarray(p[key]), np.asarray(errors[key]), unit, ())
    length = math.log(2.0) + 0.5 * (float(p["log_D"]) + math.log(duration))
    lines.append(logarithmic_row("2√(Dt)", length + math.log(1e6), 0.5 * float(errors["log_D"]), "µm"))
    for key, name in (("surface", "C of the source"), ("base", "C of the untouched sample")):
        if key in p:
            lines.append(linear_row(name, float(p[key]), float(errors[key]), "1"))
            arrays[key] = Stored(np.asarray(p[key]), "1", name)
            arrays[f"{key}_error"] = Stored(np.asarray(errors[key]), "1", f"standard error of {name}")
    reach = math.sqrt(start * duration)
    if "origin" in p:
        lines.append(
            linear_row(
                "position of the surface", float(p["origin"]) * reach / UM, float(errors["origin"]) * reach / UM, "µm"
            )
        )
        arrays["origin"] = Stored(np.asarray(p["origin"] * reach), "m", "position of the surface")
        arrays["origin_error"] = Stored(np.asarray(errors["origin"] * reach), "m", "standard error of it")
    position = jnp.linspace(measured.position[0], measured.position[-1], CURVE_POINTS)
    model = ProfileModel(
        measured, jnp.asarray(duration), jnp.asarray(reach), table.source,
        *(None if value is None else jnp.asarray(value) for value in (*lengths.values(), table.base)),
    )  # fmt: skip
    curve = np.asarray(model.at(p, position))
    figure, ax = profile_figure()
    quantity = "isotope fraction $C$" if study.profile.species is None else f"fraction of {study.profile.species}"
    isotope_profiles(ax, [measured], ["data"], position=position, fitted=jnp.asarray(curve)[None], quantity=quantity)
    if not timed:
        lines.append("D alone is not determined: without duration_h a profile gives Dt.")
    logs = [(names[key][0], float(errors[key])) for key in names if key in p]
    told, doubt = chi2_lines(fit)
    status, code = ending(fit)
    return TracerReport(
        [*lines, *told],
        arrays | profile_arrays([("measured", measured)], np.asarray(position), curve[None]),
        figure,
        [*doubt, *vague([name for name, _ in logs], np.asarray([error for _, error in logs]))],
        status,
        code,
    )
