"""Landscape of a fit: χ² of the candidates over two parameters, the path of the refinement, the covariance."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float

from npp_jax.figures.axes import COLOURS, MAP, legend_above
from npp_jax.figures.parameter_axes import name_axis
from npp_jax.inference import Parameters

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DELTA_CHI2_OF_TWO = 5.991
"""Δχ² within which 95 % of the probability of two parameters lies (Press et al., Numerical Recipes, §15.6.5)."""

_HIDDEN = 0.03
"""Share of an axis that the star of the best fit covers."""
_DECADES = 2.5
"""Of χ², over all colours, in the figure of the candidates."""


class Refined(NamedTuple):
    """Where a fit went, and how sure it is, as a landscape shows it."""

    parameters: Parameters
    theta: Float[np.ndarray, " parameter"]
    path: Float[np.ndarray, "trial parameter"]
    """Trial points of the best start."""
    covariance: Float[np.ndarray, "parameter parameter"]
    """Covariance on the scales of the parameters."""


def landscape(
    ax: "Axes",
    candidates: Float[np.ndarray, "candidate parameter"],
    total: Float[np.ndarray, " candidate"],
    pair: tuple[int, int],
    found: Refined,
) -> "Axes":
    """Candidates of the sweep over two parameters, coloured by their χ², with the path of the refinement."""
    order = np.argsort(-np.where(np.isfinite(total), total, np.inf))
    order = order[np.isfinite(total[order])]
    low = float(total[order].min())
    drawn = ax.scatter(
        candidates[order, pair[0]],
        candidates[order, pair[1]],
        c=np.log10(total[order]),
        s=9,
        cmap=MAP,
        vmin=np.log10(low),
        vmax=np.log10(low) + _DECADES,
        lw=0,
    )
    ax.plot(*found.path[:, list(pair)].T, ".-", color=COLOURS[1], lw=1.0, ms=4, label="refinement")
    ellipse, axes_of = _ellipse(found, pair), [found.parameters[k] for k in pair]
    if ellipse is not None:
        # An ellipse that the star hides needs a word.
        hidden = all(p.bounded and np.ptp(p.share(e)) < _HIDDEN for p, e in zip(axes_of, ellipse, strict=True))
        told = "95 % (covariance), under the star" if hidden else "95 % (covariance)"
        ax.plot(*ellipse, color=COLOURS[3], lw=1.4, label=told)
    ax.plot(*found.theta[list(pair)], "*", color=COLOURS[1], ms=11, mec="k", mew=0.5, label="best", zorder=5)
    across, up = axes_of
    ax.set(xscale=across.scale, yscale=up.scale)
    name_axis(name_axis(ax, across, "x"), up, "y")
    legend_above(ax)
    ax.figure.colorbar(drawn, ax=ax, label="log$_{10}$ χ²")
    return ax


def _ellipse(found: Refined, pair: tuple[int, int]) -> np.ndarray | None:
    """Where 95 % of the probability of two parameters lies, by their covariance; None where that is not known."""
    chosen = [found.parameters[k] for k in pair]
    inner = found.covariance[np.ix_(pair, pair)]
    if not np.all(np.isfinite(inner)) or np.linalg.det(inner) <= 0.0:
        return None
    turn = np.linspace(0.0, 2.0 * np.pi, 181)
    circle = np.sqrt(_DELTA_CHI2_OF_TWO) * np.linalg.cholesky(inner) @ np.stack([np.cos(turn), np.sin(turn)])
    forth = {"log": np.log, "logit": lambda p: np.log(p / (1.0 - p)), "linear": np.asarray}
    back = {"log": np.exp, "logit": lambda s: 1.0 / (1.0 + np.exp(-s)), "linear": np.asarray}
    with np.errstate(over="ignore"):
        ends = [back[p.scale](forth[p.scale](found.theta[k]) + c) for p, k, c in zip(chosen, pair, circle, strict=True)]
    return np.clip(np.stack(ends), [[float(p.low)] for p in chosen], [[float(p.high)] for p in chosen])


def figure_landscape(
    candidates: Float[np.ndarray, "candidate parameter"], total: Float[np.ndarray, " candidate"], found: Refined
) -> "Figure":
    """The landscape over the first two parameters."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2, 4.0), layout="constrained")
    landscape(figure.subplots(), candidates, total, (0, 1), found)
    return figure
