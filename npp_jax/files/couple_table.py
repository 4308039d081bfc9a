"""Measured profiles of diffusion couples, as any program writes them: a distance and a mole fraction."""

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from npp_jax.files.cells import numbers_of, read_cells, refuse, wrong_titles
from npp_jax.files.errors import ConfigError
from npp_jax.text.errors import shorten
from npp_jax.text.table import Table
from npp_jax.text.titles import by_weight, nanometres, read_title, with_unit

FEWEST = 8
"""Points that a couple needs."""

_DEPTH = re.compile(r"[xz]|(?i:depth|dis|dist|distance|position|pos|tiefe|abstand)")
"""A capital X is a mole fraction."""

_PERCENT = {"%", "at%", "at.%", "at. %", "mol%", "mol.%", "atpct", "molpct", "pct", "percent"}


class CoupleTable(NamedTuple):
    """A profile of a couple."""

    depth_um: Float[np.ndarray, " point"]
    fraction: Float[np.ndarray, " point"]
    told: tuple[str, ...]
    """What was taken for what, one line each."""
    columns: str = ""
    """Titles of the columns of distance and fraction."""
    sigma: Float[np.ndarray, " point"] | None = None
    """Standard deviations of the fractions, where the file has a column NAME_sigma."""


def read_couple(
    path: Path,
    *,
    depth: str | None = None,
    fraction: str | None = None,
    depth_unit: str | None = None,
    percent: bool = False,
) -> CoupleTable:
    """Read a profile of a couple.

    Parameters
    ----------
    path
        Table of any separator, decimal mark and encoding; rows in any order.
    depth, fraction
        Titles of the columns; told from their names if not given.
    depth_unit
        Unit of the depths: um, nm, mm, …; that of the title, or um, if not given.
    percent
        Whether fractions are in per cent, where the title does not say so.

    Raises
    ------
    ConfigError
        One line: file, column, what is wrong.
    """
    expected = "of a distance and a mole fraction"
    cells = read_cells(path, lambda titles: any(_is_depth(t) for t in titles) or depth in titles, expected)
    names = [read_title(t, u).name for t, u in zip(cells.titles, cells.units, strict=True)]
    at_depth = _column(cells, names, depth, [k for k, t in enumerate(cells.titles) if _is_depth(t)], "--depth")
    rest = [k for k in range(len(names)) if k != at_depth and not names[k].endswith("_sigma")]
    at_fraction = _column(cells, names, fraction, rest, "--fraction")
    if at_fraction == at_depth:
        raise ConfigError(f"{path}: column '{cells.titles[at_depth]}' cannot be both distance and fraction")
    if by_weight(f"{cells.titles[at_fraction]} {cells.units[at_fraction]}"):
        title = shorten(cells.titles[at_fraction])
        raise ConfigError(f"{path}: column '{title}' is no mole fraction, but a share by weight or volume; convert it")
    unit = depth_unit or read_title(cells.titles[at_depth], cells.units[at_depth]).unit or "um"
    to_nm = nanometres(unit)
    if to_nm is None:
        raise ConfigError(f"{path}: '{shorten(unit)}' is no unit of length; give --depth-unit um, nm or mm")
    at_sigma = [k for k, name in enumerate(names) if name == f"{names[at_fraction]}_sigma"]
    if len(at_sigma) > 1:
        raise wrong_titles(cells, f"the column '{shorten(names[at_sigma[0]])}' is there twice")
    places = (at_depth, at_fraction, *at_sigma)
    table = numbers_of(cells, places)
    known = np.all(np.isfinite(table[:, :2]), axis=1)
    is_sigma = known[:, None] & (np.arange(len(places)) == 2)
    refuse(
        cells, places, ~(np.isfinite(table) & (table > 0.0)) & is_sigma, "is no standard deviation, which is positive"
    )
    percents = [percent or _is_percent(cells, k) for k in places[1:]]
    if len(set(percents)) > 1:
        raise wrong_titles(cells, f"'{shorten(names[at_fraction])}' and its standard deviation have different units")
    factor = 0.01 if percents[0] else 1.0
    x, c = 1e-3 * to_nm * table[known, 0], factor * table[known, 1]
    if len(x) < FEWEST:
        raise ConfigError(f"{path}: {len(x)} points; a couple needs at least {FEWEST}")
    if np.max(c) > 1.05 or np.min(c) < -0.05:
        worst = c[int(np.argmax(np.abs(c - 0.5)))]
        raise ConfigError(f"{path}: a mole fraction of {worst:.4g}; if these are per cent, give --percent")
    # Points at one depth, as at the boundary of two phases, stand for their mean.
    at, number, count = np.unique(x, return_inverse=True, return_counts=True)
    told = [f"distance: {cells.titles[at_depth]} [{unit}]; fraction: {cells.titles[at_fraction]}"]
    told += [f"{int(np.sum(~known))} rows without numbers were left out"] if not known.all() else []
    twice = int(np.sum(count > 1))
    told += [f"{twice} depths stand more than once: their means are taken"] if twice else []
    columns = shorten(f"{cells.titles[at_depth]}, {cells.titles[at_fraction]}", 120)
    mean = lambda values: np.bincount(number.ravel(), values) / count  # noqa: E731
    if not at_sigma:
        return CoupleTable(at, mean(c), tuple(told), columns)
    told.append(f"standard deviations: {cells.titles[at_sigma[0]]}")
    sigma = np.sqrt(mean((factor * table[known, 2]) ** 2) / count)
    return CoupleTable(at, mean(c), tuple(told), columns, sigma)


def _column(cells: Table, names: list[str], wanted: str | None, found: list[int], option: str) -> int:
    if wanted is not None:
        found = [k for k, name in enumerate(names) if wanted in (name, cells.titles[k])]
    if len(found) != 1:
        titles = shorten(", ".join(cells.titles), 120)
        told = (
            f"{option} must name one of the columns" if len(found) != 1 and wanted is None else f"no column '{wanted}'"
        )
        raise wrong_titles(cells, f"{told}: {titles}")
    return found[0]


def _is_depth(title: str) -> bool:
    known = read_title(title)
    return known.axis == "depth" or (
        _DEPTH.fullmatch(known.name) is not None and (title == known.name or bool(known.unit))
    )


def _is_percent(cells: Table, column: int) -> bool:
    title, unit = cells.titles[column], cells.units[column]
    percent = lambda text: 0.01 if text.strip().lower() in _PERCENT else None  # noqa: E731
    return unit.lower() in _PERCENT or with_unit(title, "", percent) is not None
