"""Studies of `npp-jax tracer` along a line: one profile, evolution in time, chain of grains."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from npp_jax.commands.tracer.report import (
    Line,
    Quantity,
    TracerReport,
    chi2_lines,
    ending,
    limit_of,
    mesh_lines,
    one_sided,
    relative_error,
    searched_row,
    vague,
)
from npp_jax.commands.tracer.stored import HOUR, UM, profile_figure, quantity, read_profile_of
from npp_jax.commands.tracer.study import ChainStudy
from npp_jax.commands.tracer.tables import StageTable
from npp_jax.figures.tracer import boundary_steps, step_residuals
from npp_jax.files import ConfigError
from npp_jax.inference import Estimate, Uncertain
from npp_jax.store.arrays import Array
from npp_jax.tracer.boundaries import chain_diffusivity, chain_of_grains, measure_step, permeability_of_step
from npp_jax.tracer.chain_fit import fit_boundaries
from npp_jax.tracer.diffusion import (
    AbstractEnd,
    Closed,
    ConstantSurface,
    DiffusionStage,
    SurfaceExchange,
    TracerMedium,
    diffuse,
    profile_at,
)
from npp_jax.tracer.measured import MeasuredProfile
from npp_jax.tracer.tracer_fit import OnEnds, OnIteration, TracerFit

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_STEP_POINTS = 8
"""Fewest points on either side of a boundary for a step and a gradient."""


def run_chain(
    study: ChainStudy, folder: Path, on_iteration: OnIteration = None, on_ends: OnEnds = None
) -> TracerReport:
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
    lines: list[Line] = []
    warnings: list[str] = []
    arrays: dict[str, Array] = {}
    status, code, fit = "simulated; no profile to fit to", 0, None
    ends: list[Estimate] = []
    if any(profile is not None for profile in profiles):
        fit = fit_boundaries(
            sizes, table.initial, stages, profiles, D_bulk=D, permeability=permeability, fit_bulk=table.fit_bulk,
            start=table.start_um * UM, cells=table.cells, steps=steps, on_iteration=on_iteration, on_ends=on_ends,
        )  # fmt: skip
        found = fit.fitted("permeability_m_s")
        permeability = jnp.asarray(found.value)
        ends = [fit[name] for name in fit.names[:count]]
        lines += [searched_row(name, one, "m/s", key="permeability_m_s") for name, one in zip(names, ends, strict=True)]
        arrays |= quantity("permeability", found.value, found.interval, "m/s", ("boundary",))
        if table.boundary_nm is not None:
            arrays["D_gb"] = Array(
                found.value * table.boundary_nm * 1e-9,
                "m2 s-1",
                "D of a boundary of the assumed thickness",
                ("boundary",),
            )
        warnings = vague(names, np.array([relative_error(one) for one in ends]))
        if table.fit_bulk:
            bulk = fit["D_bulk_m2_s"]
            D = jnp.asarray(bulk.value)
            lines.append(searched_row("D of the grains", bulk, "m²/s", key="D_bulk_m2_s"))
            arrays |= quantity("D_bulk", bulk.value, bulk.interval, "m²/s")
            warnings += vague(["D of the grains"], np.asarray(relative_error(bulk)))
        told, doubt = chi2_lines(fit)
        lines, warnings = [*lines, *told, *one_sided(names, ends)], [*mesh_lines(fit), *doubt, *warnings]
        lines += _steps(fit, profiles, np.asarray(edges), table.sizes_um, D, arrays)
        status, code = ending(fit)
    else:
        arrays["permeability"] = Array(np.asarray(permeability), "m s-1", "D_gb/δ", ("boundary",))
    if table.boundary_nm is not None:
        thick = table.boundary_nm * 1e-9
        assumed = f"δ {table.boundary_nm:g} nm assumed"
        for j, value in enumerate(np.asarray(permeability)):
            limit, side = limit_of(ends[j]) if ends else (None, "")
            known, note = (float(value), assumed) if limit is None else (limit, f"at {side}, {assumed}")
            lines.append(Quantity(f"D_gb of boundary {j + 1}", known * thick, "m²/s", note=note))
    effective = float(chain_diffusivity(sizes, permeability, D))
    lines.append(Quantity("D_eff of the chain", effective, "m²/s", note="grains and boundaries in series"))
    medium = chain_of_grains(sizes, permeability, D, cells=table.cells, start=table.start_um * UM)
    solution = jax.jit(diffuse, static_argnames="steps")(
        medium, jnp.full(len(table.sizes_um) * table.cells, table.initial), stages, steps=steps
    )

    def draw() -> "Figure":
        figure, axes, lower = profile_figure(len(stages))
        for k, (profile, ax, below) in enumerate(zip(profiles, axes, lower, strict=True)):
            boundary_steps(ax, medium, solution.fraction[k], measured=profile, boundaries=edges)
            ax.set_title(f"after {float(solution.time[k]) / HOUR:.3g} h")
            if profile is None:
                below.remove()
            else:
                step_residuals(below, medium, solution.fraction[k], profile)
        return figure

    arrays |= {
        "D_eff": Array(np.asarray(effective), "m2 s-1", "effective diffusion coefficient of the chain"),
        "boundary_position": Array(np.asarray(edges), "m", "position of a boundary", ("boundary",)),
        "position": Array(np.asarray(medium.centres), "m", "centre of a cell", ("position",)),
        "time": Array(np.asarray(solution.time), "s", "time from the start", ("time",)),
        "fraction": Array(np.asarray(solution.fraction), "1", "isotope fraction", ("time", "position")),
    }
    for k, profile in enumerate(profiles):
        arrays |= {} if profile is None else _measured_arrays(k, profile, medium, solution.fraction[k])
    if not np.all(np.isfinite(np.asarray(solution.fraction))):
        status, code = "no finite result: check the values of the study", 4
    return TracerReport(lines, arrays, draw, warnings, status, code, fit)


def _measured_arrays(k: int, profile: MeasuredProfile, medium: TracerMedium, fraction: jax.Array) -> dict[str, Array]:
    """What was measured after a stage, and the model there, for the result file."""
    head, named = f"stage{k + 1}_", f"after stage {k + 1}"
    at = f"{head}measured_position"
    measured = np.asarray(profile.fraction)
    modelled = np.asarray(jax.jit(profile_at)(medium, fraction, profile.position))
    return {
        at: Array(np.asarray(profile.position), "m", f"position, {named}", (at,)),
        f"{head}measured": Array(measured, "1", f"measured isotope fraction, {named}", (at,)),
        f"{head}measured_error": Array(
            np.broadcast_to(np.asarray(profile.error), measured.shape), "1", f"its standard error, {named}", (at,)
        ),
        f"{head}modelled": Array(modelled, "1", f"isotope fraction of the model, {named}", (at,)),
    }


def _end(stage: StageTable) -> AbstractEnd:
    if stage.source is None:
        return Closed()
    return ConstantSurface(stage.source) if stage.k_m_s is None else SurfaceExchange(stage.source, stage.k_m_s)


def _steps(
    fit: TracerFit,
    profiles: Sequence[MeasuredProfile | None],
    edges: np.ndarray,
    sizes_um: list[float],
    D: jax.Array,
    arrays: dict[str, Array],
) -> list[Quantity]:
    """D_gb/δ of each boundary from its step and the gradient beside it (eqn 3), in the last profile."""
    profile = next(p for p in reversed(profiles) if p is not None)
    position = np.asarray(profile.position)
    # Not the errors that counts have by their own number, which would weigh the low ones too much.
    error = 1.0 / np.asarray(profile.data.sharpness(fit.modelled()[-1]))
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
        value = permeability_of_step(step, Uncertain(D, jnp.zeros_like(D)))
        found[j] = float(value.value), float(value.sigma)
        note = f"± {found[j, 1]:.2g}"
        lines.append(Quantity(f"boundary {j + 1}, step and gradient", float(found[j, 0]), "m/s", note=note))
    arrays["permeability_of_step"] = Array(found[:, 0], "m s-1", "D_gb/δ from step and gradient, eqn 3", ("boundary",))
    arrays["permeability_of_step_error"] = Array(found[:, 1], "m s-1", "standard error of it", ("boundary",))
    return lines
