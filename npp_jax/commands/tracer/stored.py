"""What the tracer commands share: profiles of a study, their arrays and figures."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from npp_jax.commands.tracer.data import read_isotope_profile
from npp_jax.commands.tracer.report import (
    intervals,
)
from npp_jax.commands.tracer.tables import ProfileFile
from npp_jax.store.arrays import Array
from npp_jax.tracer.measured import MeasuredProfile

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

UM, HOUR = 1e-6, 3600.0


CURVE_POINTS = 400


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


def quantity(
    name: str,
    value: np.ndarray | float,
    interval: np.ndarray | tuple[float, float],
    unit: str,
    axes: tuple[str, ...] = (),
) -> dict[str, Array]:
    """A quantity and its interval, for the result file."""
    plain = {"m²/s": "m2 s-1", "m/s": "m s-1", "m²": "m2", "m": "m", "1": "1"}[unit]
    ends = f"ends of the 95 % interval of {name}"
    return {
        name: Array(np.asarray(value), plain, name, axes),
        f"{name}_interval": Array(np.asarray(interval), plain, ends, (*axes, "end")),
    }


def logarithmic(
    name: str, log_value: np.ndarray, log_error: np.ndarray, unit: str, axes: tuple[str, ...]
) -> dict[str, Array]:
    """The same of its logarithm and the error of that."""
    return quantity(name, np.exp(log_value), intervals(log_value, log_error), unit, axes)


def profile_arrays(
    measured: Sequence[tuple[str, MeasuredProfile]], position: np.ndarray, curves: np.ndarray, prefix: str = ""
) -> dict[str, Array]:
    """Measured profiles and fitted curves, for the result file."""
    line, which = f"{prefix}position", f"{prefix}profile"
    found = {
        line: Array(position, "m", "position", (line,)),
        which: Array(np.asarray([name for name, _ in measured]), "1", "name of a profile", (which,)),
        f"{prefix}fitted": Array(curves, "1", "fitted isotope fraction", (which, line)),
    }
    for k, (name, profile) in enumerate(measured):
        at = f"{prefix}measured_position{k + 1}"
        values = np.asarray(profile.fraction)
        found[at] = Array(np.asarray(profile.position), "m", f"position, {name}", (at,))
        found[f"{prefix}measured{k + 1}"] = Array(values, "1", f"isotope fraction, {name}", (at,))
        error = np.broadcast_to(np.asarray(profile.error), values.shape)
        found[f"{prefix}measured_error{k + 1}"] = Array(error, "1", f"standard error, {name}", (at,))
    return found


def profile_figure(panels: int) -> tuple["Figure", list["Axes"], list["Axes"]]:
    """Figure with panels in rows of three, and a panel for residuals below each."""
    from matplotlib.figure import Figure

    columns = min(panels, 3)
    rows = -(-panels // columns)
    figure = Figure(figsize=(5.6 * columns, 5.2 * rows), layout="constrained")
    axes = figure.subplots(2 * rows, columns, squeeze=False, height_ratios=[3.0, 1.0] * rows)
    upper, lower = list(axes[0::2].ravel()), list(axes[1::2].ravel())
    for ax, below in zip(upper, lower, strict=True):
        below.sharex(ax)
    for ax in (*upper[panels:], *lower[panels:]):
        ax.remove()
    return figure, upper[:panels], lower[:panels]
