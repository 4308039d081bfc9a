"""Inputs of `npp-jax tracer`: isotope profiles, images of grains, maps of counts."""

import os
from pathlib import Path
from typing import NamedTuple

import equinox as eqx
import jax
import numpy as np

from npp_jax.files import ConfigError
from npp_jax.files.cells import column_of, numbers_of, read_cells, refuse, wrong_titles
from npp_jax.files.sims_profile import read_profile
from npp_jax.observe import FAR
from npp_jax.sims.errors import SimsFileError
from npp_jax.text.errors import shorten
from npp_jax.text.table import Table
from npp_jax.text.titles import fractions, nanometres, read_title, with_unit
from npp_jax.tracer.measured import MeasuredProfile

_COUNTED = ("light_counts", "heavy_counts")
_FRACTION = ("fraction", "fraction_sigma")
MINIMUM_POINTS = 5
"""Fewest points of a profile."""

_SAME = 1e-4
"""Relative difference up to which sums of two isotopes are one number, as those of fractions or per cent are."""


def read_isotope_profile(
    path: Path,
    *,
    isotopes: tuple[str, str] | None = None,
    species: str | None = None,
    background: tuple[float, float] = (0.0, 0.0),
    mass_bias: float = 1.0,
    first: float | None = None,
    last: float | None = None,
    zero: float = 0.0,
) -> MeasuredProfile:
    """Read an isotope profile.

    A table (comments after #) has a column of positions or depths with the unit in its title, and either fraction,
    fraction_sigma or light_counts, heavy_counts, or columns of counts that `isotopes` names. From a file of
    `npp-jax import-sims` (.h5) the fraction is made of the counts of two species, or taken as that of one.

    Parameters
    ----------
    path
        The file.
    isotopes
        Species of the light and of the heavy isotope in a file of import-sims, or their columns of counts in a table.
    species
        Species of which the fraction is taken as it is, for a file of import-sims.
    background
        Expected background counts of both isotopes at each point.
    mass_bias
        Sensitivity for the light isotope over that for the heavy one. [1]
    first, last
        Points in front of `first` and behind `last`, in the coordinate of the file, are left out. [m]
    zero
        Where the coordinate of the file has the zero of the profile. [m]

    Raises
    ------
    ConfigError
        One line: file, line, column, what is wrong.
    """
    if path.suffix == ".h5":
        whole = _imported(path, isotopes, species, background, mass_bias)
    else:
        whole = _table(path, isotopes, background, mass_bias)
    position, fraction, error = (np.asarray(part) for part in (whole.position, whole.fraction, whole.error))
    used = (position >= (-np.inf if first is None else first)) & (position <= (np.inf if last is None else last))
    if used.sum() < MINIMUM_POINTS:
        raise ConfigError(f"{path}: {used.sum()} points to use; {MINIMUM_POINTS} are needed")
    kept = jax.tree.map(lambda leaf: leaf[used] if leaf.shape == used.shape else leaf, whole)
    position, fraction, error = position[used], fraction[used], error[used]
    if not np.all(np.diff(position) > 0.0):
        k = int(np.argmin(np.diff(position) > 0.0))
        raise ConfigError(
            f"{path}: the positions must increase: {position[k] * 1e6:g} µm is followed by {position[k + 1] * 1e6:g} µm"
        )
    if not (np.all(np.isfinite(fraction)) and np.all(np.isfinite(error)) and np.all(error > 0.0)):
        k = int(np.argmin(np.isfinite(fraction) & np.isfinite(error) & (error > 0.0)))
        raise ConfigError(
            f"{path}: fractions must be finite numbers, their standard deviations positive ones: at "
            f"{position[k] * 1e6:g} µm they are {fraction[k]:g} and {error[k]:g}"
        )
    if path.suffix != ".h5" and float(np.max(fraction)) > FAR:
        k = int(np.argmax(fraction > FAR))
        raise ConfigError(
            f"{path}: at {position[k] * 1e6:g} µm the fraction is {fraction[k]:.4g}, and no isotope fraction is above "
            f"one: of per cent the title says so, as '{_FRACTION[0]} [%]'"
        )
    moved = eqx.tree_at(lambda profile: profile.position, kept, kept.position - zero)
    return moved if isinstance(moved, MeasuredProfile) else MeasuredProfile(*moved)


class _Columns(NamedTuple):
    """A profile of fractions as it is read: points that are left out later may hold anything."""

    position: np.ndarray
    """[m]"""
    fraction: np.ndarray
    error: np.ndarray


_EXPECTED = f"position_UNIT or depth_UNIT (UNIT nm, um, mm, m, …) and {', '.join(_FRACTION)} or {', '.join(_COUNTED)}"


def _is_head(titles: list[str]) -> bool:
    """Whether titles are those of a profile: one is a length, or a depth whose unit may stand below."""
    return any(read_title(t).axis == "depth" or with_unit(t, "", nanometres) is not None for t in titles)


def _table(
    path: Path, isotopes: tuple[str, str] | None, background: tuple[float, float], mass_bias: float
) -> MeasuredProfile | _Columns:
    cells = read_cells(path, _is_head, _EXPECTED)
    at_position, to_nm = column_of(cells, "position_nm", nanometres, _EXPECTED)
    titled = list(zip(cells.titles, cells.units, strict=True))
    percents = [with_unit(*title, fractions) for title in titled]
    plain = [found[0] if found else read_title(*title).name for title, found in zip(titled, percents, strict=True)]
    columns = isotopes or (_FRACTION if _FRACTION[0] in plain else _COUNTED)
    places = [k for name in columns for k in range(len(plain)) if name in (plain[k], cells.titles[k])]
    if len(places) != 2 or (isotopes is None and len(plain) != 3):
        told = "; light and heavy of the study may name columns of counts, as --light and --heavy of npp-jax new do"
        hint = told if isotopes is None else ""
        wanted = f"needs the columns {' and '.join(isotopes)}" if isotopes else f"the columns must be {_EXPECTED}"
        raise wrong_titles(cells, f"{wanted}, each once; got {shorten(', '.join(cells.titles), 120)}{hint}")
    for k in places:
        if columns != _FRACTION and read_title(*titled[k]).kind not in ("counts", "other"):
            raise wrong_titles(cells, f"'{shorten(cells.titles[k])}' has a unit that is not counts; counts are needed")
    position, first, second = numbers_of(cells, [at_position, *places]).T
    refuse(cells, [at_position], ~np.isfinite(position)[:, None], "is not a finite number")
    position = position * (to_nm / 1e9)
    if columns == _FRACTION:
        if background != (0.0, 0.0) or mass_bias != 1.0:
            raise ConfigError(f"{path}: backgrounds and mass_bias belong to counts; this table has fractions")
        for k in places:
            unit = read_title(*titled[k]).unit
            if percents[k] is None and unit not in ("", "1", "-"):
                told = (
                    f"'{shorten(cells.titles[k])}' has the unit '{shorten(unit)}', which is none of an isotope fraction"
                )
                raise wrong_titles(cells, f"{told}; % and 1 are")
        factors = [1.0 if (found := percents[k]) is None else found[1] for k in places]
        if factors[0] != factors[1]:
            raise wrong_titles(cells, f"{' and '.join(_FRACTION)} have different units")
        return _Columns(position, first * factors[0], second * factors[1])
    _refuse_fractions(cells, [cells.titles[k] for k in places], first, second)
    return _counted(path, position, first, second, background, mass_bias)


def _refuse_fractions(cells: Table, titles: list[str], first: np.ndarray, second: np.ndarray) -> None:
    if (told := no_counts(first, second)) is not None:
        raise wrong_titles(
            cells,
            f"{' and '.join(map(shorten, titles))} hold {told}: these are no counts; give the counts, or the fraction "
            f"in the columns {' and '.join(_FRACTION)}",
        )


def no_counts(first: np.ndarray, second: np.ndarray) -> str | None:
    """What numbers are that are given for counts and are fractions: of a few counts their errors would be wild."""
    both = np.concatenate([first.ravel(), second.ravel()])
    if not np.all(np.isfinite(both)) or np.all(both == np.round(both)):
        return None
    total = first + second
    most, shared = float(np.max(both)), float(np.median(total))
    if most <= 1.0:
        return f"numbers up to {most:.3g}"
    return f"pairs that all add up to {shared:.4g}" if np.all(np.abs(total - shared) < _SAME * shared) else None


def _imported(
    path: Path,
    isotopes: tuple[str, str] | None,
    species: str | None,
    background: tuple[float, float],
    mass_bias: float,
) -> MeasuredProfile | _Columns:
    if not os.path.isfile(path):
        raise ConfigError(f"{path}: No such file; `npp-jax import-sims` makes it")
    try:
        stored = read_profile(path)
    except (OSError, SimsFileError) as error:
        raise ConfigError(f"{path}: {str(error).removeprefix(f'{path}: ')}") from None
    for name in isotopes or (species,):
        if name not in stored.species:
            raise ConfigError(f"{path}: no species '{name}'; it has {', '.join(stored.species)}")
    depth = stored.depth_nm * 1e-9
    if isotopes is None:
        k = stored.species.index(str(species))
        return _Columns(depth, stored.fraction[k], stored.sigma[k])
    rows = [stored.species.index(name) for name in isotopes]
    counts, below = stored.counts[rows], stored.background[rows]
    if not np.all(np.isfinite(counts)):
        raise ConfigError(f"{path}: its signals are not counts; an isotope fraction needs the counts of both isotopes")
    # Counts go with fraction and background; where there are none the background is that of the other points.
    total = stored.fraction[rows] + below
    some = (counts > 0.0) & (total > 0.0)
    share = np.where(some, counts * below / np.where(some, total, 1.0), np.nan)
    usual = np.array([[np.median(row[seen]) if seen.any() else 0.0] for row, seen in zip(share, some, strict=True)])
    taken_off = np.where(some, share, usual) + np.asarray(background)[:, None]
    light, heavy = counts
    return _counted(path, depth, light, heavy, tuple(taken_off), mass_bias)


def _counted(
    path: Path,
    position: np.ndarray,
    light: np.ndarray,
    heavy: np.ndarray,
    background: tuple[np.ndarray, np.ndarray] | tuple[float, float],
    mass_bias: float,
) -> MeasuredProfile:
    """A profile of counts."""
    if not all(np.all((0.0 <= counts) & (counts < np.inf)) for counts in (light, heavy)):
        raise ConfigError(f"{path}: counts must be zero or positive numbers, and finite")
    with np.errstate(over="ignore"):
        above = np.sum(light + heavy > background[0] + background[1])
    if above < MINIMUM_POINTS:
        raise ConfigError(f"{path}: {above} points with counts above the background; {MINIMUM_POINTS} are needed")
    return MeasuredProfile.of_counts(position, light, heavy, background=background, mass_bias=mass_bias)
