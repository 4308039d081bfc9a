"""`npp-jax tracer` for profiles of several anneals."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from npp_jax.commands.tracer.report import (
    Line,
    TracerReport,
    chi2_lines,
    ending,
    logarithmic_row,
    mesh_lines,
    no_fractions,
    quantity_row,
    vague,
)
from npp_jax.commands.tracer.stored import (
    CURVE_POINTS,
    HOUR,
    logarithmic,
    profile_arrays,
    profile_figure,
    read_profile_of,
)
from npp_jax.commands.tracer.study import EvolutionStudy
from npp_jax.figures.tracer import Activated, arrhenius, isotope_profiles, isotope_residuals
from npp_jax.files import ConfigError
from npp_jax.inference import Estimate
from npp_jax.store.arrays import Array
from npp_jax.tracer.fit import (
    Anneal,
    EvolutionModel,
    Specimen,
    activation,
    fit_evolution,
)
from npp_jax.tracer.measured import MeasuredProfile
from npp_jax.tracer.tracer_fit import OnIteration

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def run_evolution(study: EvolutionStudy, folder: Path, on_iteration: OnIteration = None) -> TracerReport:
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
    fit = fit_evolution(
        specimens,
        D=table.start_D_m2_s,
        reference_temperature=table.reference_temperature_K,
        energy=table.start_energy_eV,
        base=table.base,
        start=table.start_profile,
        cells=table.cells,
        steps=table.steps,
        on_iteration=on_iteration,
    )
    model = fit.model
    assert isinstance(model, EvolutionModel)
    temperatures = sorted({a.temperature_K for s in study.specimens for a in s.anneals})
    at = fit.derived(lambda p: jnp.stack([jnp.log(model.diffusivity(p, T)) for T in temperatures]))
    value, error = np.asarray(at.value), np.asarray(at.sigma)
    lines: list[Line] = [
        logarithmic_row(f"D at {T:g} K", v, e, "m²/s", key="D_m2_s")
        for T, v, e in zip(temperatures, value, error, strict=True)
    ]
    law = None if table.start_energy_eV is None else activation(fit, table.reference_temperature_K)
    arrays = {"temperature": Array(np.asarray(temperatures), "K", "temperature", ("temperature",))}
    arrays |= logarithmic("D", value, error, "m²/s", ("temperature",))
    if law is not None:
        energy = fit["energy_eV"]
        lines.append(quantity_row("activation energy", energy.value, energy.interval, "eV", key="energy_eV"))
        arrays["energy"] = Array(np.asarray(energy.value), "eV", "activation energy")
        arrays["energy_error"] = Array(np.asarray(energy.sigma), "eV", "standard error of the activation energy")
        lines.append(logarithmic_row("D₀", float(law.log_prefactor), float(jnp.sqrt(law.covariance[0, 0])), "m²/s"))
        arrays["log_prefactor"] = Array(np.asarray(law.log_prefactor), "1", "ln of D₀ in m2 s-1")
        arrays["arrhenius_covariance"] = Array(
            np.asarray(law.covariance),
            "1",
            "covariance of ln D₀ and E_a",
            ("arrhenius_parameter", "arrhenius_parameter2"),
        )
    arrays["covariance"] = Array(
        np.asarray(fit.covariance.scaled),
        "1",
        "covariance of the parameters; of logarithms where they are positive",
        ("parameter", "parameter2"),
    )
    arrays["parameter"] = Array(np.asarray(fit.names), "1", "name of a parameter", ("parameter",))
    found: list[tuple[str, Estimate]] = []
    panels: list[tuple[str, Sequence[MeasuredProfile], list[str], jax.Array, jax.Array]] = []
    for k, (entry, specimen) in enumerate(zip(study.specimens, specimens, strict=True)):
        if table.start_profile == "exchange":
            surface, area = fit[f"surface[{k + 1}]"], fit[f"area_m2[{k + 1}]"]
            if entry.exchanged.species is None:
                found.append((f"{entry.name}: C of the source", surface))
                if table.base is None:
                    found.append((f"{entry.name}: C of the untouched sample", fit[f"base[{k + 1}]"]))
            lines.append(
                f"{entry.name}: C of the source {surface.value:.4f} ± {surface.sigma:.4f}, "
                f"Dt of the exchange {area.value:.4g} m² ± {area.sigma / area.value:.1%}"
            )
        position = jnp.linspace(specimen.left, specimen.right, CURVE_POINTS)
        curve = eqx.filter_jit(model.profiles)(fit.values(), k, position)
        first = {"exchange": "exchanged", "measured": "start"}[table.start_profile]
        labels = [first, *(f"+ {a.duration_h:g} h at {a.temperature_K:g} K" for a in entry.anneals)]
        measured = model.measured(k)
        panels.append((entry.name, measured, labels, position, curve))
        named = [(f"{entry.name}: {label}", m) for label, m in zip(labels, measured, strict=True)]
        arrays |= profile_arrays(named, np.asarray(position), np.asarray(curve), prefix=f"specimen{k + 1}_")

    def draw() -> "Figure":
        figure, axes, lower = profile_figure(len(specimens) + (law is not None))
        for ax, below, (name, measured, labels, position, curve) in zip(axes, lower, panels, strict=False):
            isotope_profiles(ax, measured, labels, position=position, fitted=curve)
            isotope_residuals(below, measured, position, curve)
            ax.set_title(name)
        if law is not None:
            line = Activated(jnp.asarray(temperatures), jnp.exp(at.value), at.sigma, law)
            arrhenius(axes[-1], {"D of the fit": line})
            lower[-1].remove()
        return figure

    told, doubt = chi2_lines(fit)
    status, code = ending(fit)
    doubt += [*vague([f"D at {T:g} K" for T in temperatures], error), *no_fractions(found)]
    return TracerReport([*lines, *told], arrays, draw, [*mesh_lines(fit), *doubt], status, code, fit)
