"""Figure of a measured diffusion couple and of the D(c) that it tells."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from npp_jax.figures.axes import COLOURS, headline
from npp_jax.fitting.couple import CoupleFit
from npp_jax.physics.boltzmann_matano import Interdiffusion

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ROOM = 0.35
"""Height below D for the names of what is shown, over that of D."""


def profile(
    ax: "Axes", fraction: Float[np.ndarray, " point"], found: Interdiffusion, fit: CoupleFit, species: str
) -> "Axes":
    """Measured fractions, those of the free form, and the plane of Matano."""
    ax.plot(found.depth * 1e6, fraction, ".", color="0.5", ms=4, label="data")
    for phase in range(len(fit.knots)):
        own = found.phase == phase
        label = "free form" if phase == 0 else None
        ax.plot(found.depth[own] * 1e6, fit.fraction[own], color=COLOURS[0], lw=1.2, label=label)
    ax.axvline(found.matano * 1e6, color=COLOURS[1], lw=0.9, ls="--", label="plane of Matano")
    ax.set(xlabel="depth / µm", ylabel=f"mole fraction of {species}")
    ax.legend(frameon=False, fontsize="small")
    return ax


def mutual(ax: "Axes", found: Interdiffusion, fit: CoupleFit, species: str) -> "Axes":
    """D over the fraction: in free form with its band, and by Sauer and Freise."""
    known = np.isfinite(found.D)
    ax.semilogy(found.fraction[known], found.D[known], ".", color="0.5", ms=4, label="Sauer and Freise")
    parts = np.split(np.arange(len(fit.curve)), len(fit.knots))
    for part in parts:
        first = part is parts[0]
        ax.fill_between(
            fit.curve[part], *fit.D[part, 1:].T, color=COLOURS[0], alpha=0.25, lw=0.0,
            label="band of the whole curve, 95 %" if first else None,
        )  # fmt: skip
        ax.plot(fit.curve[part], fit.D[part, 0], color=COLOURS[0], lw=1.4, label="free form" if first else None)
    # A band without end would take the axis.
    shown = np.concatenate([fit.D[:, 0], found.D[known]])
    low, high = max(fit.D[:, 1].min(), shown.min() / 5.0), min(fit.D[:, 2].max(), shown.max() * 5.0)
    # The names stand below all of it.
    ax.set_ylim(low / (high / low) ** _ROOM, high * (high / low) ** 0.03)
    ax.set(xlabel=f"mole fraction of {species}", ylabel="$D$ / (m$^2$ s$^{-1}$)")
    ax.legend(frameon=False, fontsize="small", loc="lower right")
    return ax


def figure_couple(
    fraction: Float[np.ndarray, " point"], found: Interdiffusion, fit: CoupleFit, species: str, title: str
) -> "Figure":
    """Profile and D(c) side by side."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    profile(left, fraction, found, fit, species)
    mutual(right, found, fit, species)
    headline(figure, title, size="large")
    return figure
