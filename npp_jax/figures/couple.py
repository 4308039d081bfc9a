"""Figure of a measured diffusion couple and of the D(c) that it tells without a simulation."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from npp_jax.figures.axes import COLOURS
from npp_jax.physics.boltzmann_matano import Interdiffusion

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def profile(ax: "Axes", fraction: Float[np.ndarray, " point"], found: Interdiffusion, species: str) -> "Axes":
    """Measured and smoothed fractions, and the plane of Matano."""
    ax.plot(found.depth * 1e6, fraction, ".", color="0.5", ms=4, label="measured")
    ax.plot(found.depth * 1e6, found.fraction, color=COLOURS[0], lw=1.2, label="smoothed")
    ax.axvline(found.matano * 1e6, color=COLOURS[1], lw=0.9, ls="--", label="plane of Matano")
    ax.set(xlabel="depth / µm", ylabel=f"mole fraction of {species}")
    ax.legend(frameon=False, fontsize="small")
    return ax


def mutual(ax: "Axes", found: Interdiffusion, species: str) -> "Axes":
    """D over the fraction."""
    known = np.isfinite(found.D)
    ax.semilogy(found.fraction[known], found.D[known], ".", color=COLOURS[0], ms=4)
    ax.set(xlabel=f"mole fraction of {species}", ylabel="$D$ / (m$^2$ s$^{-1}$)")
    return ax


def figure_couple(fraction: Float[np.ndarray, " point"], found: Interdiffusion, species: str, title: str) -> "Figure":
    """Profile and D(c) side by side."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    profile(left, fraction, found, species)
    mutual(right, found, species)
    figure.suptitle(title)
    return figure
