"""Curves that an experiment file names: laws D(x) and profiles at the start, as tables beside it."""

import re
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from npp_jax.files.cells import column_of, numbers_of, read_cells, refuse, wrong_titles
from npp_jax.files.errors import ConfigError
from npp_jax.physics import InitialTable
from npp_jax.physics.keys import LISTS
from npp_jax.text.errors import shorten
from npp_jax.text.table import Table
from npp_jax.text.titles import fractions, nanometres, read_title, with_unit

_LAW = "fraction, D_m2_s"

MOST_FRACTION = 20.0
"""Largest fraction n/n_bulk of a law: an ion that is few in the bulk may pile up to several times of it."""

MOST_KNOTS = 1000
"""Most knots of a law."""

_PER_SECOND = re.compile(r"([cmunµμ]?)m(?:\^?2|²)[/_ ]?s(?:\^?-1|⁻¹)?", re.IGNORECASE)
_METRES = {"": 1.0, "c": 1e-2, "m": 1e-3, "u": 1e-6, "µ": 1e-6, "μ": 1e-6, "n": 1e-9}


def read_law(path: Path) -> tuple[Array, Array]:
    """Fractions, increasing, and D [m²/s] of a table with the columns fraction and D_m2_s, or with other units.

    Raises
    ------
    ConfigError
        One line: file, line, column, what is wrong.
    """
    cells = read_cells(path, lambda titles: any(is_fraction(title) for title in titles), _LAW)
    at_D, to_si = column_of(cells, "D_m2_s", _square_metres_per_second, _LAW)
    named = [k for k, title in enumerate(cells.titles) if k != at_D and is_fraction(title)]
    if len(named) != 1:
        raise wrong_titles(cells, f"needs the columns {_LAW}; got {shorten(', '.join(cells.titles), 120)}")
    unit = with_unit(cells.titles[named[0]], cells.units[named[0]], fractions)
    places = (named[0], at_D)
    table = numbers_of(cells, places) * np.array([1.0 if unit is None else unit[1], to_si])
    refuse(cells, places, ~np.isfinite(table), "is not a finite number")
    of_D = np.arange(2) == 1
    refuse(cells, places, (table <= 0.0) & of_D, "is not positive")
    most = LISTS["knot_D_m2_s"].limits
    refuse(cells, places, (table > most.high) & of_D, f"is out of range: D in m²/s, {most}")
    refuse(cells, places, (table < 0.0) & ~of_D, "is less than no ions")
    told = f"is more than {MOST_FRACTION:g} n/n_bulk: of per cent the title is 'fraction [%]'"
    refuse(cells, places, (table > MOST_FRACTION) & ~of_D, told)
    _check_increasing(cells, places, table[:, 0], "fractions")
    if len(table) > MOST_KNOTS:
        raise ConfigError(f"{path}: {len(table)} rows; a law takes at most {MOST_KNOTS}, leave some out")
    return jnp.asarray(table[:, 0]), jnp.asarray(table[:, 1])


def read_initial(path: Path, species: str, thickness: float) -> InitialTable:
    """Profile of an ion at the start: a table with the columns depth_um and the name of the ion, or with other units.

    Other columns are left alone; the sample, whose thickness is in metres, must hold its first row.

    Raises
    ------
    ConfigError
        One line: file, line, column, what is wrong.
    """
    expected = f"depth_um, {species}"
    cells = read_cells(path, lambda titles: any(read_title(title).axis == "depth" for title in titles), expected)
    at_depth, to_nm = column_of(cells, "depth_nm", nanometres, expected, "depth")
    named = {}
    for k, (title, unit) in enumerate(zip(cells.titles, cells.units, strict=True)):
        name, factor = with_unit(title, unit, fractions) or (title.strip(), 1.0)
        if name == species and k != at_depth:
            named[k] = factor
    if len(named) != 1:
        raise wrong_titles(cells, f"needs the columns {expected}; got {shorten(', '.join(cells.titles), 120)}")
    ((at, factor),) = named.items()
    places = (at_depth, at)
    table = numbers_of(cells, places) * np.array([1e-9 * to_nm, factor])
    refuse(cells, places, ~np.isfinite(table), "is not a finite number")
    refuse(cells, places, (table < 0.0) & (np.arange(2) == 0), "lies above the sample: depths are from its surface")
    _check_increasing(cells, places, table[:, 0], "depths")
    if table[0, 0] >= thickness:
        raise ConfigError(
            f"{path}: the table begins at {table[0, 0] * 1e6:g} µm, the sample ends at {thickness * 1e6:g} µm"
        )
    return InitialTable(jnp.asarray(table[:, 0]), jnp.asarray(table[:, 1]))


def _check_increasing(cells: Table, places: tuple[int, ...], values: np.ndarray, what: str) -> None:
    if len(values) < 2:
        raise ConfigError(f"{cells.path}: {len(values)} rows; two or more are needed")
    back = np.zeros((len(values), len(places)), bool)
    back[1:, 0] = np.diff(values) <= 0.0
    refuse(cells, places, back, f"does not come after the row before; {what} must increase")


def is_fraction(title: str) -> bool:
    """Whether a column is that of the fractions of a law."""
    named = with_unit(title, "", fractions)
    return (title if named is None else named[0]).strip().lower() == "fraction"


def _square_metres_per_second(unit: str) -> float | None:
    """Factor of a unit of D to m²/s."""
    found = _PER_SECOND.fullmatch(unit.strip().strip("[]()"))
    return None if found is None else _METRES[found[1].lower()] ** 2
