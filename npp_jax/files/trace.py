"""Measured traces of a potential or a current density: tables beside the experiment file."""

from pathlib import Path

import jax.numpy as jnp
import numpy as np

from npp_jax.files.cells import Factor, column_of, numbers_of, read_cells, refuse
from npp_jax.files.errors import ConfigError
from npp_jax.physics import Drive
from npp_jax.physics.cuts import RESTING
from npp_jax.physics.limits import Limits
from npp_jax.text.titles import (
    amperes_per_square_metre,
    coulombs_per_square_metre,
    read_title,
    seconds,
    volts,
    with_unit,
)

UNCOVERED = 0.01
"""Share of a stage that its trace may leave out at either end, where a sample is missing."""


def read_trace(path: Path, column: str, limits: Limits, *, duration: float | None, charge: float | None) -> Drive:
    """Read a trace and see that it covers its stage.

    Parameters
    ----------
    path
        Table with the columns time_s and the driven quantity, or with other units in their titles. Lines that begin
        with # are comments.
    column
        Name of the driven quantity.
    limits
        What its values may be; up to `RESTING` of the largest they may be zero or the noise around it.
    duration
        Length of the stage; None if it ends at a charge. [s]
    charge
        Charge at which the stage ends, where the trace is that of a current; else None. [C/m²]

    Raises
    ------
    ConfigError
        One line: file, line, what is wrong.
    """
    time, value = read_columns(path, column)
    _check_values(path, column, value, limits)
    value = np.maximum(value, 0.0)
    if duration is not None:
        _check_cover(path, time, duration)
    elif time[0] > UNCOVERED * (time[-1] - time[0]):
        raise ConfigError(f"{path}: the stage starts at 0 s, its trace at {time[0]:g} s{_clock(time, None)}")
    if charge is not None:
        carried = np.sum(0.5 * np.diff(time) * (value[1:] + value[:-1])) + max(time[0], 0.0) * value[0]
        if carried < charge * (1.0 - UNCOVERED):
            raise ConfigError(
                f"{path}: the stage ends at a charge of {charge:g} C/m², its trace at {time[-1]:g} s and "
                f"{carried:.6g} C/m²"
            )
    if time[0] < 0.0:
        value = np.concatenate([[np.interp(0.0, time, value)], value[time > 0.0]])
        time = np.concatenate([[0.0], time[time > 0.0]])
    return Drive.trace(jnp.asarray(time), jnp.asarray(value))


def read_columns(path: Path, column: str) -> tuple[np.ndarray, np.ndarray]:
    """Times [s] and values [V, A/m² or C/m²] of a table of two columns, the times increasing.

    Raises
    ------
    ConfigError
        One line: file, line, column, what is wrong.
    """
    factor, examples = _UNITS[column]
    expected = f"time_s and {column}, or such with another unit in their titles (t [min], time_h; {examples})"
    cells = read_cells(path, _is_head, expected)
    at_time, to_seconds = column_of(cells, "time_s", seconds, expected, "time")
    at_value, to_si = column_of(cells, column, factor, expected)
    places = (at_time, at_value)
    table = numbers_of(cells, places)
    refuse(cells, places, ~np.isfinite(table), "is not a finite number")
    back = np.zeros(table.shape, bool)
    back[1:, 0] = np.diff(table[:, 0]) <= 0.0
    before = table[max(int(np.argmax(back[:, 0])) - 1, 0), 0] if len(table) else 0.0
    refuse(cells, places, back, f"comes after {before:.9g}; times must increase")
    if len(table) < 2:
        raise ConfigError(f"{path}: {len(table)} rows; a trace needs two or more")
    return table[:, 0] * to_seconds, table[:, 1] * to_si


_UNITS: dict[str, tuple[Factor, str]] = {
    "potential_V": (volts, "U [kV], potential_mV"),
    "current_density_A_m2": (amperes_per_square_metre, "j [nA/cm2], current_density_mA_m2"),
    "charge_C_m2": (coulombs_per_square_metre, "q [mC/cm2], charge_uC_cm2"),
}
"""Units of the quantities, and examples of titles."""


def _is_head(titles: list[str]) -> bool:
    """Whether titles are those of a trace: one is a time, or has a unit of it."""
    return any(read_title(title).axis == "time" or with_unit(title, "", seconds) is not None for title in titles)


def _check_values(path: Path, column: str, value: np.ndarray, limits: Limits) -> None:
    """Refuse what no beam does: less than nothing, or more than there is."""
    noise = RESTING * np.max(value)
    wrong = [
        v for v in value.tolist() if not (limits.hold(v) or (limits.low == 0.0 and noise > 0.0 and abs(v) <= noise))
    ]
    if wrong:
        raise ConfigError(
            f"{path}: {column} = {wrong[0]:g}: must be {limits}, or be zero where the beam is off (up to "
            f"{RESTING:g} of the largest, {np.max(value):g})"
        )


def _check_cover(path: Path, time: np.ndarray, duration: float) -> None:
    """A trace must hold from the start of its stage to its end."""
    slack = UNCOVERED * duration
    if time[0] > slack or time[-1] < duration - slack:
        raise ConfigError(
            f"{path}: the stage goes from 0 to {duration:.9g} s, its trace from {time[0]:.9g} to {time[-1]:.9g} s"
            f"{_clock(time, duration)}"
        )


def _clock(time: np.ndarray, duration: float | None) -> str:
    """What the times may be instead of seconds since the start of the stage."""
    length = time[-1] - time[0]
    if time[0] > 0.0 and (duration is None or length > 0.5 * duration):
        return f"; these look like clock times: subtract the start, {time[0]:.9g} s"
    for unit, length in (("minutes", 60.0), ("hours", 3600.0), ("days", 86400.0)):
        if duration is not None and 0.9 < time[-1] * length / duration < 1.5:
            return f"; are the times in {unit}?"
    if duration is not None and time[-1] < duration:
        return "; a shorter stage, or a longer trace, is needed"
    return ""
