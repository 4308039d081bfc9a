"""Axes along a parameter: its scale, its range, its name with the unit that its keys tell."""

from typing import TYPE_CHECKING, Literal

from npp_jax.figures.axes import label_axis
from npp_jax.fitting.units import split_unit
from npp_jax.inference import Parameter

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def scale_axis(ax: "Axes", parameter: Parameter, side: Literal["x", "y"], *, margin: float = 0.0) -> "Axes":
    """Scale, limits, ticks and label of an axis along a parameter.

    Parameters
    ----------
    ax
        Where to draw.
    parameter
        What is along the axis; its keys tell the unit.
    side
        `x` or `y`.
    margin
        Share of the range by which the axis goes beyond it, so that points at its ends are whole.
    """
    low, high = parameter.low, parameter.high
    if margin and parameter.bounded:
        low, high = _beyond(parameter, margin)
    ax.set(**{f"{side}scale": parameter.scale})
    if parameter.bounded:
        ax.set(**{f"{side}lim": (low, high)})
    return name_axis(ax, parameter, side)


def name_axis(ax: "Axes", parameter: Parameter, side: Literal["x", "y"]) -> "Axes":
    """Label and ticks of an axis along a parameter, whose limits are set."""
    drawn = ax.xaxis if side == "x" else ax.yaxis
    label_axis(drawn, *split_unit(parameter))
    return ax


def _beyond(parameter: Parameter, margin: float) -> tuple[float, float]:
    if parameter.scale == "log":
        factor = (parameter.high / parameter.low) ** margin
        return parameter.low / factor, parameter.high * factor
    width = margin * (parameter.high - parameter.low)
    return parameter.low - width, parameter.high + width
