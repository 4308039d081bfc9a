"""Figures: functions that draw into an `ax` and return it, in the colour-blind safe colours of Okabe and Ito."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from npp_jax._compile import jit_small
from npp_jax.constants import NM
from npp_jax.figures.axes import COLOURS, depth_axis, headline, ion_colours, legend_above, line_colour, reach
from npp_jax.physics import AbstractDiffusivity, Experiment, MutualDiffusivity, SEDDiffusivity
from npp_jax.physics.experiment import Law, laws_of
from npp_jax.simulation.solution import Solution

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LEAST_D = 1e-100
"""Least D that is drawn; the greatest is its reciprocal. [m²/s]"""


def _of_law(law: AbstractDiffusivity, temperature: Float[Array, ""], x: Float[Array, " point"]) -> Array:
    return law.at(temperature)(x)


def _of_sites(
    law: SEDDiffusivity, energy: Float[Array, " point"], x: Float[Array, " level"], temperature: Float[Array, ""]
) -> tuple[Array, Array]:
    """Density of sites, and Fermi energies of some fractions."""
    return law.sed.density(energy), law.fermi_energy(x, temperature)


# As programs of their own, which are kept: one operation after the other is a program each.
_of_law = jit_small(_of_law)
_of_sites = jit_small(_of_sites)


def _shown_depth(solution: Solution) -> float:
    """Depth range worth showing of all outputs [nm]."""
    pairs = zip(np.asarray(solution.depth) / NM, np.asarray(solution.fraction), strict=True)
    return max(1.0, *(reach(depth, fraction) for depth, fraction in pairs))


def _label(solution: Solution, output: int) -> str:
    return f"{float(solution.time[output]) / 3600.0:.3g} h"


def profiles(ax: "Axes", solution: Solution, *, logarithmic: bool = False) -> "Axes":
    """Depth profiles of all species; later outputs are drawn stronger."""
    count = len(solution.time)
    colours = ion_colours(solution.species)
    for k in range(count):
        for i, name in enumerate(solution.species):
            ax.plot(
                np.asarray(solution.depth[k]) / NM,
                np.asarray(solution.fraction[k, i]),
                color=colours[name],
                alpha=0.35 + 0.65 * (k + 1) / count,
                label=name if k == count - 1 else None,
            )
    ax.set(xlim=(0.0, _shown_depth(solution)), ylabel="$n_i/N$")
    depth_axis(ax)
    if logarithmic:
        ax.set(yscale="log", ylim=(1e-5, 2.0))
    elif count > 1:
        ax.set_title("paler: earlier", fontsize="medium")
    ax.legend(frameon=False)
    return ax


def potential(ax: "Axes", solution: Solution) -> "Axes":
    """Electric potential (left axis) and field (right axis) of the last output."""
    depth, far = np.asarray(solution.depth[-1]) / NM, _shown_depth(solution)
    ax.plot(depth, np.asarray(solution.potential[-1]), color=COLOURS[0])
    shown = depth <= far
    low, high = (float(f(np.asarray(solution.potential[-1])[shown])) for f in (np.min, np.max))
    margin = 0.05 * (high - low) or 1.0
    ax.set(xlim=(0.0, far), ylim=(low - margin, high + margin))
    depth_axis(ax)
    ax.set_ylabel("potential / V", color=COLOURS[0])
    if len(solution.time) > 1:
        ax.set_title(f"after {_label(solution, -1)}", fontsize="medium")
    twin = ax.twinx()
    twin.plot(depth, np.asarray(solution.field[-1]) * 1e-6, color=COLOURS[1])
    twin.set_ylabel("field / (MV m$^{-1}$)", color=COLOURS[1])
    return ax


def excess_charge(ax: "Axes", solution: Solution) -> "Axes":
    """Excess charge of each output, in per mille of the bulk density."""
    for k in range(len(solution.time)):
        ax.plot(
            np.asarray(solution.depth[k]) / NM,
            1e3 * np.asarray(solution.excess_charge[k]),
            color=line_colour(k),
            label=_label(solution, k),
        )
    ax.axhline(0.0, color="0.7", lw=0.8, zorder=0)
    ax.set(xlim=(0.0, _shown_depth(solution)), ylabel="excess charge / ‰")
    depth_axis(ax)
    ax.legend(frameon=False)
    return ax


def diffusivities(ax: "Axes", experiment: Experiment) -> "Axes":
    """D of each species against the fraction that its law takes, at the temperature of the first stage."""
    temperature = experiment.stages[0].temperature
    x = np.linspace(1e-3, 1.0, 400, dtype=temperature.dtype)
    names = [ion.name for ion in experiment.species]
    colours = ion_colours(names)
    told: dict[str, tuple[int, Law]] = {}
    for i, known in enumerate(laws_of(experiment)):
        law = experiment.species[i].diffusivity
        if isinstance(law, MutualDiffusivity):
            # One curve for both.
            alike = next((name for name, (k, _) in told.items() if k == names.index(law.partner)), "")
            if alike:
                told = {f"{n} and {names[i]}" if n == alike else n: entry for n, entry in told.items()}
                continue
        over, own = names[known.seen[0]], known.seen == (i,) or len(known.seen) > 1
        told[names[i] if own else f"{names[i]} over {over}"] = (i, known)
    for label, (i, known) in told.items():
        D = np.asarray(_of_law(known.law, temperature, jnp.asarray(x)))
        # A law that leaves all numbers would take the axis with it.
        ax.semilogy(x, np.where((D > _LEAST_D) & (D < 1.0 / _LEAST_D), D, np.nan), color=colours[names[i]], label=label)
    over = "of the ion itself" if all(k.seen in ((i,), tuple(range(len(names)))) for i, k in told.values()) else ""
    if len(told) == 1:
        ((_, known),) = told.values()
        over = f"of {names[known.seen[0]]}"
    ax.set(xlim=(0.0, 1.0), xlabel=f"$n_i/n_{{i,\\mathrm{{ref}}}}$ {over}", ylabel="$D_i$ / (m$^2$ s$^{-1}$)")
    # A line of D may run anywhere, or across.
    legend_above(ax)
    return ax


def site_energies(ax: "Axes", experiment: Experiment, solution: Solution) -> "Axes":
    """SED of the first species that has one: all sites, those that stay populated, those emptied behind the front."""
    laws = [species.diffusivity for species in experiment.species]
    index = next((i for i, law in enumerate(laws) if isinstance(law, SEDDiffusivity)), 0)
    law = laws[index]
    assert isinstance(law, SEDDiffusivity), "no site energy distribution"
    temperature = experiment.stages[0].temperature
    lower, upper = (float(edge) for edge in law.sed.support())
    energy = np.linspace(0.6 * lower, 0.6 * upper, 600, dtype=temperature.dtype)
    levels = np.array([1.0, max(float(np.asarray(solution.plateau)[-1]), 1e-6)], temperature.dtype)
    told = _of_sites(law, jnp.asarray(energy), jnp.asarray(levels), temperature)
    density, fermi = (np.asarray(found) for found in told)
    bulk, plateau = fermi
    ax.plot(energy, density, color="0.3", label="sites")
    stay = energy <= min(bulk, plateau)
    ax.fill_between(energy, density, where=stay, color=COLOURS[5], alpha=0.5, label="stay populated")
    mobile = (energy <= bulk) & (energy >= plateau)
    ax.fill_between(energy, density, where=mobile, color=COLOURS[1], alpha=0.6, label="emptied at the plateau")
    ax.set(xlabel="site energy / eV", ylabel="density of sites / eV$^{-1}$", ylim=(0.0, 1.45 * density.max()))
    ax.set_title(f"site energies of {solution.species[index]}", fontsize="medium")
    ax.legend(frameon=False, loc="upper left", fontsize="small")
    return ax


def current(ax: "Axes", solution: Solution) -> "Axes":
    """Current density (left axis) and charge passed (right axis) over time."""
    density, charge = np.asarray(solution.trace.current_density) * 1e5, np.asarray(solution.trace.charge) * 0.1
    _over_time(ax, solution, density, "current density / (nA cm$^{-2}$)", COLOURS[0])
    _over_time(ax.twinx(), solution, charge, "charge / (mC cm$^{-2}$)", COLOURS[1])
    ax.set_xlabel("time / h")
    return ax


def _over_time(ax: "Axes", solution: Solution, values: np.ndarray, name: str, colour: str) -> None:
    """A line from zero on, with room above it; a current may flow the other way."""
    ax.plot(np.asarray(solution.trace.time) / 3600.0, values, color=colour, marker=".")
    ax.set_ylabel(name, color=colour)
    known = values[np.isfinite(values)]
    low, high = float(np.min(known, initial=0.0)), float(np.max(known, initial=0.0))
    if high > low:
        ax.set_ylim(1.05 * low, 1.05 * high)


def surface_potential(ax: "Axes", solution: Solution) -> "Axes":
    """Potential of the surface over time."""
    hours, volts = np.asarray(solution.trace.time) / 3600.0, np.asarray(solution.trace.surface_potential)
    ax.plot(hours, volts, color=COLOURS[0], marker=".")
    known = volts[np.isfinite(volts)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    # What is constant but for rounding is to look so.
    margin = max(0.1 * (high - low), 0.05 * max(abs(low), abs(high)), 1e-6)
    ax.set(xlabel="time / h", ylabel="potential of the surface / V", ylim=(low - margin, high + margin))
    ax.ticklabel_format(axis="y", useOffset=False)
    return ax


_NO_POTENTIAL = 1e-12
"""Potential that is a rounding error [V]."""


def figure_summary(experiment: Experiment, solution: Solution) -> "Figure":
    """All figures of a simulation on one sheet."""
    from matplotlib.figure import Figure

    panels: list[Callable[["Axes"], object]] = [
        lambda ax: profiles(ax, solution),
        lambda ax: profiles(ax, solution, logarithmic=True),
        lambda ax: diffusivities(ax, experiment),
    ]
    # Of a neutral couple there is nothing but rounding errors.
    field = bool(np.max(np.abs(np.nan_to_num(solution.potential))) > _NO_POTENTIAL)
    if field:
        panels[2:2] = [lambda ax: potential(ax, solution), lambda ax: excess_charge(ax, solution)]
    if any(isinstance(species.diffusivity, SEDDiffusivity) for species in experiment.species):
        panels.append(lambda ax: site_energies(ax, experiment, solution))
    if np.any(np.asarray(solution.trace.charge) != 0.0):
        panels.append(lambda ax: current(ax, solution))
    if field:
        panels.append(lambda ax: surface_potential(ax, solution))
    rows, columns = (2, 4) if len(panels) > 4 else (1, len(panels))
    figure = Figure(figsize=(3.25 * columns, 3.25 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel, ax in zip(panels, axes, strict=False):
        panel(ax)
    for spare in axes[len(panels) :]:
        spare.remove()
    if experiment.title:
        headline(figure, experiment.title, size="large")
    return figure
