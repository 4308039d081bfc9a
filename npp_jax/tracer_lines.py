"""Studies of `npp-jax tracer` along a line: one profile, evolution in time, chain of grains."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from npp_jax.config import ConfigError
from npp_jax.io.isotope import read_isotope_profile
from npp_jax.tracer.boundaries import chain_diffusivity, chain_of_grains, measure_step, permeability_of_step
from npp_jax.tracer.diffusion import (
    AbstractEnd,
    Closed,
    ConstantSurface,
    DiffusionStage,
    SurfaceExchange,
    diffuse,
)
from npp_jax.tracer.fit import (
    Anneal,
    EvolutionModel,
    MeasuredProfile,
    Specimen,
    activation,
    fit_boundaries,
    fit_evolution,
)
from npp_jax.tracer.profile_fit import ProfileModel, fit_profile
from npp_jax.tracer.uncertainty import Estimate
from npp_jax.tracer_plots import Activated, arrhenius, boundary_steps, isotope_profiles
from npp_jax.tracer_report import (
    Stored,
    TracerReport,
    ending,
    intervals,
    linear_row,
    logarithmic_row,
    misfit_lines,
    vague,
)
from npp_jax.tracer_study import ChainStudy, EvolutionStudy, ProfileFile, ProfileStudy, StageTable

UM, HOUR = 1e-6, 3600.0
_CURVE_POINTS = 400
_STEP_POINTS = 8
"""Fewest points on either side of a boundary for a step and a gradient."""


def read_profile_of(table: ProfileFile, folder: Path) -> MeasuredProfile:
    """Read the profile that a table of a study names."""
    return read_isotope_profile(
        folder / table.file,
        isotopes=None if table.light is None or table.heavy is None else (table.light, table.heavy),
        species=table.species,
        background=(table.background_light_counts, table.background_heavy_counts),
        mass_bias=table.mass_bias,
        first=None if table.first_um is None else table.first_um * UM,
        last=None if table.last_um is None else table.last_um * UM,
        zero=table.zero_um * UM,
    )


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
            arrays |= _logarithmic(name, np.asarray(p[key]), np.asarray(errors[key]), unit, ())
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
    position = jnp.linspace(measured.position[0], measured.position[-1], _CURVE_POINTS)
    model = ProfileModel(
        measured, jnp.asarray(duration), jnp.asarray(reach), table.source,
        *(None if value is None else jnp.asarray(value) for value in (*lengths.values(), table.base)),
    )  # fmt: skip
    curve = np.asarray(model.at(p, position))
    figure, ax = _figure()
    quantity = "isotope fraction $C$" if study.profile.species is None else f"fraction of {study.profile.species}"
    isotope_profiles(ax, [measured], ["data"], position=position, fitted=jnp.asarray(curve)[None], quantity=quantity)
    if not timed:
        lines.append("D alone is not determined: without duration_h a profile gives Dt.")
    logs = [(names[key][0], float(errors[key])) for key in names if key in p]
    told, doubt = misfit_lines(fit)
    status, code = ending(fit)
    return TracerReport(
        [*lines, *told],
        arrays | _profile_arrays([("measured", measured)], np.asarray(position), curve[None]),
        figure,
        [*doubt, *vague([name for name, _ in logs], np.asarray([error for _, error in logs]))],
        status,
        code,
    )


def run_evolution(study: EvolutionStudy, folder: Path) -> TracerReport:
    """Fit D and its activation to profiles after several times and temperatures."""
    table = study.fit
    specimens = tuple(
        Specimen(
            read_profile_of(s.exchanged, folder),
            tuple(Anneal(a.duration_h * HOUR, a.temperature_K, read_profile_of(a.profile, folder)) for a in s.anneals),
            s.left_mm * 1e-3,
            s.right_mm * 1e-3,
        )
        for s in study.specimens
    )
    for entry, specimen in zip(study.specimens, specimens, strict=True):
        for profile in (specimen.exchanged, *(a.profile for a in specimen.anneals)):
            if float(profile.position[0]) < specimen.left or float(profile.position[-1]) > specimen.right:
                raise ConfigError(f"specimens: '{entry.name}' has profiles beyond left_mm or right_mm")
    model = EvolutionModel(
        specimens,
        jnp.asarray(table.reference_temperature_K),
        None if table.base is None else jnp.asarray(table.base),
        table.start_energy_eV is not None,
        table.start_profile,
        table.cells,
        table.steps,
    )
    fit = fit_evolution(
        specimens,
        D=table.start_D_m2_s,
        reference_temperature=table.reference_temperature_K,
        energy=table.start_energy_eV,
        base=table.base,
        start=table.start_profile,
        cells=table.cells,
        steps=table.steps,
    )
    temperatures = sorted({a.temperature_K for s in study.specimens for a in s.anneals})
    at = fit.estimate(lambda p: jnp.stack([jnp.log(model.diffusivity(p, T)) for T in temperatures]))
    value, error = np.asarray(at.value), np.asarray(at.error)
    lines = [logarithmic_row(f"D at {T:g} K", v, e, "m²/s") for T, v, e in zip(temperatures, value, error, strict=True)]
    p, errors = fit.parameters, fit.errors
    law = None if table.start_energy_eV is None else activation(fit, table.reference_temperature_K)
    arrays = {"temperature": Stored(np.asarray(temperatures), "K", "temperature", ("temperature",))}
    arrays |= _logarithmic("D", value, error, "m²/s", ("temperature",))
    if law is not None:
        lines.append(linear_row("activation energy", float(p["energy"]), float(errors["energy"]), "eV"))
        arrays["energy"] = Stored(np.asarray(p["energy"]), "eV", "activation energy")
        arrays["energy_error"] = Stored(np.asarray(errors["energy"]), "eV", "standard error of the activation energy")
        lines.append(logarithmic_row("D₀", float(law.log_prefactor), float(jnp.sqrt(law.covariance[0, 0])), "m²/s"))
        arrays["log_prefactor"] = Stored(np.asarray(law.log_prefactor), "1", "ln of D₀ in m2 s-1")
        arrays["arrhenius_covariance"] = Stored(
            np.asarray(law.covariance),
            "1",
            "covariance of ln D₀ and E_a",
            ("arrhenius_parameter", "arrhenius_parameter2"),
        )
    arrays["covariance"] = Stored(
        np.asarray(fit.covariance),
        "1",
        "covariance of the parameters in alphabetical order",
        ("parameter", "parameter2"),
    )
    figure, axes = _figure(len(specimens) + (law is not None))
    for k, (entry, specimen) in enumerate(zip(study.specimens, specimens, strict=True)):
        if table.start_profile == "exchange":
            lines.append(
                f"{entry.name}: C of the source {float(p['surface'][k]):.4f} ± {float(errors['surface'][k]):.4f}, "
                f"Dt of the exchange {math.exp(float(p['log_area'][k])):.4g} m² ± {float(errors['log_area'][k]):.1%}"
            )
        position = jnp.linspace(specimen.left, specimen.right, _CURVE_POINTS)
        curve = eqx.filter_jit(model.profiles)(p, k, position)
        first = {"exchange": "exchanged", "measured": "start"}[table.start_profile]
        labels = [first, *(f"+ {a.duration_h:g} h at {a.temperature_K:g} K" for a in entry.anneals)]
        measured = [specimen.exchanged, *(a.profile for a in specimen.anneals)]
        isotope_profiles(axes[k], measured, labels, position=position, fitted=curve)
        axes[k].set_title(entry.name)
        named = [(f"{entry.name}: {label}", m) for label, m in zip(labels, measured, strict=True)]
        arrays |= _profile_arrays(named, np.asarray(position), np.asarray(curve), prefix=f"specimen{k + 1}_")
    if law is not None:
        arrhenius(axes[-1], {"D of the fit": Activated(jnp.asarray(temperatures), jnp.exp(at.value), at.error, law)})
    told, doubt = misfit_lines(fit)
    status, code = ending(fit)
    return TracerReport(
        [*lines, *told], arrays, figure, [*doubt, *vague([f"D at {T:g} K" for T in temperatures], error)], status, code
    )


def run_chain(study: ChainStudy, folder: Path) -> TracerReport:
    """Simulate a chain of grains; fit each D_gb/δ where a profile was measured."""
    table = study.chain
    sizes, edges = (
        jnp.asarray(table.sizes_um) * UM,
        jnp.cumsum(jnp.asarray(table.sizes_um))[:-1] * UM + table.start_um * UM,
    )
    stages = [DiffusionStage(s.duration_h * HOUR, left=_end(s)) for s in study.stages]
    profiles = [None if s.profile is None else read_profile_of(s.profile, folder) for s in study.stages]
    steps = max(s.steps for s in study.stages)
    count = len(table.sizes_um) - 1
    permeability, D = jnp.broadcast_to(jnp.asarray(table.permeability_m_s), (count,)), jnp.asarray(table.D_bulk_m2_s)
    end = table.start_um * UM + float(jnp.sum(sizes))
    for profile in profiles:
        if (
            profile is not None
            and not table.start_um * UM <= float(profile.position[0]) <= float(profile.position[-1]) <= end
        ):
            raise ConfigError(f"stages: a profile reaches beyond the chain, {table.start_um:g} to {end / UM:g} µm")
    names = [f"D_gb/δ of boundary {j + 1}" for j in range(count)]
    lines: list[str] = []
    warnings: list[str] = []
    arrays: dict[str, Stored] = {}
    status, code = "simulated; no profile to fit to", 0
    if any(profile is not None for profile in profiles):
        fit = fit_boundaries(
            sizes, table.initial, stages, profiles, D_bulk=D, permeability=permeability, fit_bulk=table.fit_bulk,
            start=table.start_um * UM, cells=table.cells, steps=steps,
        )  # fmt: skip
        logs, errors = np.asarray(fit.parameters["log_permeability"]), np.asarray(fit.errors["log_permeability"])
        permeability = jnp.exp(fit.parameters["log_permeability"])
        lines = [logarithmic_row(n, v, e, "m/s") for n, v, e in zip(names, logs, errors, strict=True)]
        arrays |= _logarithmic("permeability", logs, errors, "m/s", ("boundary",))
        if table.boundary_nm is not None:
            arrays["D_gb"] = Stored(
                np.exp(logs) * table.boundary_nm * 1e-9,
                "m2 s-1",
                "D of a boundary of the assumed thickness",
                ("boundary",),
            )
        warnings = vague(names, errors)
        if table.fit_bulk:
            D = jnp.exp(fit.parameters["log_D"])
            lines.append(logarithmic_row("D of the grains", float(jnp.log(D)), float(fit.errors["log_D"]), "m²/s"))
            arrays |= _logarithmic("D_bulk", np.log(np.asarray(D)), np.asarray(fit.errors["log_D"]), "m²/s", ())
            warnings += vague(["D of the grains"], np.asarray(fit.errors["log_D"]))
        told, doubt = misfit_lines(fit)
        lines, warnings = [*lines, *told], [*doubt, *warnings]
        lines += _steps(profiles, np.asarray(edges), table.sizes_um, D, arrays)
        status, code = ending(fit)
    else:
        arrays["permeability"] = Stored(np.asarray(permeability), "m s-1", "D_gb/δ", ("boundary",))
    if table.boundary_nm is not None:
        lines += [
            f"{f'D_gb of boundary {j + 1}':28s} {value * table.boundary_nm * 1e-9:11.4g} m²/s     "
            f"δ {table.boundary_nm:g} nm assumed"
            for j, value in enumerate(np.asarray(permeability))
        ]
    effective = float(chain_diffusivity(sizes, permeability, D))
    lines.append(f"{'D_eff of the chain':28s} {effective:11.4g} m²/s     grains and boundaries in series")
    medium = chain_of_grains(sizes, permeability, D, cells=table.cells, start=table.start_um * UM)
    solution = jax.jit(diffuse, static_argnames="steps")(
        medium, jnp.full(len(table.sizes_um) * table.cells, table.initial), stages, steps=steps
    )
    figure, axes = _figure(len(stages))
    for k, (profile, ax) in enumerate(zip(profiles, axes, strict=True)):
        boundary_steps(ax, medium, solution.fraction[k], measured=profile, boundaries=edges)
        ax.set_title(f"after {float(solution.time[k]) / HOUR:.3g} h")
    arrays |= {
        "D_eff": Stored(np.asarray(effective), "m2 s-1", "effective diffusion coefficient of the chain"),
        "boundary_position": Stored(np.asarray(edges), "m", "position of a boundary", ("boundary",)),
        "position": Stored(np.asarray(medium.centres), "m", "centre of a cell", ("position",)),
        "time": Stored(np.asarray(solution.time), "s", "time from the start", ("time",)),
        "fraction": Stored(np.asarray(solution.fraction), "1", "isotope fraction", ("time", "position")),
    }
    if not np.all(np.isfinite(np.asarray(solution.fraction))):
        status, code = "no finite result: check the values of the study", 4
    return TracerReport(lines, arrays, figure, warnings, status, code)


def _end(stage: StageTable) -> AbstractEnd:
    if stage.source is None:
        return Closed()
    return ConstantSurface(stage.source) if stage.k_m_s is None else SurfaceExchange(stage.source, stage.k_m_s)


def _steps(
    profiles: Sequence[MeasuredProfile | None],
    edges: np.ndarray,
    sizes_um: list[float],
    D: jax.Array,
    arrays: dict[str, Stored],
) -> list[str]:
    """D_gb/δ of each boundary from its step and the gradient beside it (eqn 3), in the last profile."""
    profile = next(p for p in reversed(profiles) if p is not None)
    position = np.asarray(profile.position)
    error = np.broadcast_to(np.asarray(profile.error), position.shape)
    found = np.full((len(edges), 2), np.nan)
    lines = []
    for j, edge in enumerate(edges):
        reach = 0.9 * min(sizes_um[j], sizes_um[j + 1]) * UM
        away = position - edge
        # A point on the boundary belongs to neither side.
        kept = (np.abs(away) > 0.5 * np.min(np.diff(position))) & (np.abs(away) <= reach)
        if min(np.sum(kept & (away < 0.0)), np.sum(kept & (away > 0.0))) < _STEP_POINTS:
            continue
        fraction = np.asarray(profile.fraction)
        x, C, sigma = (jnp.asarray(values[kept]) for values in (position, fraction, error))
        step = measure_step(x, C, sigma, edge, reach)
        value = permeability_of_step(step, Estimate(D, jnp.zeros_like(D)))
        found[j] = float(value.value), float(value.error)
        lines.append(f"{f'boundary {j + 1}, step and gradient':28s} {found[j, 0]:11.4g} m/s      ± {found[j, 1]:.2g}")
    arrays["permeability_of_step"] = Stored(found[:, 0], "m s-1", "D_gb/δ from step and gradient, eqn 3", ("boundary",))
    arrays["permeability_of_step_error"] = Stored(found[:, 1], "m s-1", "standard error of it", ("boundary",))
    return lines


def _logarithmic(
    name: str, log_value: np.ndarray, log_error: np.ndarray, unit: str, axes: tuple[str, ...]
) -> dict[str, Stored]:
    """A quantity that was fitted as a logarithm, and its interval, for the result file."""
    plain = {"m²/s": "m2 s-1", "m/s": "m s-1", "m²": "m2", "m": "m"}[unit]
    return {
        name: Stored(np.asarray(np.exp(log_value)), plain, name, axes),
        f"{name}_interval": Stored(
            intervals(log_value, log_error), plain, f"ends of the 95 % interval of {name}", (*axes, "end")
        ),
    }


def _profile_arrays(
    measured: Sequence[tuple[str, MeasuredProfile]], position: np.ndarray, curves: np.ndarray, prefix: str = ""
) -> dict[str, Stored]:
    """Measured profiles and fitted curves, for the result file."""
    line, which = f"{prefix}position", f"{prefix}profile"
    found = {
        line: Stored(position, "m", "position", (line,)),
        which: Stored(np.asarray([name for name, _ in measured]), "1", "name of a profile", (which,)),
        f"{prefix}fitted": Stored(curves, "1", "fitted isotope fraction", (which, line)),
    }
    for k, (name, profile) in enumerate(measured):
        at = f"{prefix}measured_position{k + 1}"
        values = np.asarray(profile.fraction)
        found[at] = Stored(np.asarray(profile.position), "m", f"position, {name}", (at,))
        found[f"{prefix}measured{k + 1}"] = Stored(values, "1", f"isotope fraction, {name}", (at,))
        error = np.broadcast_to(np.asarray(profile.error), values.shape)
        found[f"{prefix}measured_error{k + 1}"] = Stored(error, "1", f"standard error, {name}", (at,))
    return found


def _figure(panels: int | None = None) -> tuple[Any, Any]:
    """Figure with one panel, or a row of several."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.6 * min(panels or 1, 3), 4.0 * -(-(panels or 1) // 3)), layout="constrained")
    axes = figure.subplots(-(-(panels or 1) // 3), min(panels or 1, 3), squeeze=False).ravel()
    for ax in axes[panels or 1 :]:
        ax.set_axis_off()
    return figure, axes[0] if panels is None else axes[: panels or 1]
