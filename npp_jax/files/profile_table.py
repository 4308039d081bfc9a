"""Measured depth profiles as text tables and as files of `npp-jax import-sims`."""

import math
import re
from pathlib import Path

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from npp_jax.files import ConfigError, sims_profile
from npp_jax.files.cells import column_of, numbers_of, read_cells, refuse, wrong_titles
from npp_jax.observe import FAR, MINIMUM_POINTS, DepthProfile
from npp_jax.sims.errors import SimsFileError
from npp_jax.text.errors import shorten
from npp_jax.text.table import Table
from npp_jax.text.titles import fractions, nanometres, read_title, with_unit


def read_profile(
    path: str | Path,
    *,
    first_depth_nm: float = 0.0,
    last_depth_nm: float = math.inf,
    counts_per_fraction: float | None = None,
) -> DepthProfile:
    """Read a measured profile: `.h5` of `npp-jax import-sims`, or a table.

    Parameters
    ----------
    path
        The file.
    first_depth_nm
        Points above are masked: the transient at the surface. [nm]
    last_depth_nm
        Points below are masked. [nm]
    counts_per_fraction
        Counts of the detector at fraction one, for a table; the counts then are the fractions times this.

    Raises
    ------
    ConfigError
        One line: file, line, column, what is wrong.
    """
    path = Path(path)
    if path.suffix != ".h5":
        found = read_profile_table(path, first_depth=first_depth_nm, counts_per_fraction=counts_per_fraction)
    elif counts_per_fraction is not None:
        raise ConfigError(f"{path}: counts_per_fraction belongs to a table; leave it out, this file tells its counts")
    else:
        found = _read_imported(path, first_depth_nm, last_depth_nm)
    return eqx.tree_at(lambda p: p.weight, found, jnp.where(found.depth <= last_depth_nm, found.weight, 0.0))


def _read_imported(path: Path, first_depth: float, last_depth: float) -> DepthProfile:
    """Profile written by `npp-jax import-sims`."""
    try:
        stored = sims_profile.read_profile(path)
        used = np.where(stored.depth_nm >= first_depth, 1.0, 0.0)
        *given, _, background, interval, systematic = stored.as_arguments(first_depth, last_depth)
        return DepthProfile(*given, weight=used, background=background, interval=interval, systematic=systematic)
    except SimsFileError as error:
        # It names the file.
        raise ConfigError(str(error)) from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: {error}") from None


def read_profile_table(
    path: Path, *, first_depth: float = 0.0, counts_per_fraction: float | None = None
) -> DepthProfile:
    """Read a measured depth profile: a table with the columns depth_nm, NAME and NAME_sigma of each species.

    Another unit of length, or per cent, may stand in the titles. Where the counts at fraction one are given, the
    columns of standard deviations may all be left out: they are those of counting.

    Parameters
    ----------
    path
        The file. Lines that begin with # are comments.
    first_depth
        Points above are masked: the transient at the surface. [nm]
    counts_per_fraction
        Counts of the detector at fraction one.

    Raises
    ------
    ConfigError
        One line: file, line, column, what is wrong.
    """
    cells = read_cells(path, _is_head, _EXPECTED)
    at_depth, to_nm = column_of(cells, "depth_nm", nanometres, _EXPECTED, "depth")
    species, at_fraction, at_sigma, factors = _columns(cells, at_depth, counts_per_fraction is not None)
    places, number = [at_depth, *at_fraction, *at_sigma], len(species)
    table = numbers_of(cells, places) * np.array([to_nm, *factors, *factors[: len(at_sigma)]])
    _check_rows(cells, places, table, number, first_depth, counts_per_fraction)
    fraction, exposure = table[:, 1 : number + 1].T, counts_per_fraction
    counts = None if exposure is None else np.round(exposure * fraction, 6)
    # As of imported counts: that of the mean of which n were seen.
    sigma = table[:, number + 1 :].T if at_sigma or counts is None else np.sqrt(counts + 1.0) / exposure
    try:
        return DepthProfile(
            table[:, 0],
            species,
            fraction,
            sigma,
            counts=counts,
            counts_per_fraction=None if exposure is None else np.full(number, exposure),
            weight=np.where(table[:, 0] >= first_depth, 1.0, 0.0),
        )
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from None


_EXPECTED = "depth_nm, NAME, NAME_sigma, …"
_SIGMA = "_sigma"
_CHANCE = 6.0
"""Standard deviations, and counts besides, by which no count exceeds its mean."""
_OR_COUNTS = ": give it, or the counts at fraction one (counts_per_fraction) where the fractions were counted"
_ONE = re.compile(r"(.*\S)\s*[(\[][1-][)\]]")
"""A title with the unit 1 in brackets."""


def _is_head(titles: list[str]) -> bool:
    """Whether titles are those of a profile: one is a depth."""
    return any(read_title(title).axis == "depth" for title in titles)


def _columns(cells: Table, at_depth: int, counted: bool) -> tuple[list[str], list[int], list[int], list[float]]:
    """Species; the columns of their fractions and of their standard deviations, and the factors of their units."""
    named: dict[str, tuple[int, float | None]] = {}
    for k, (title, unit) in enumerate(zip(cells.titles, cells.units, strict=True)):
        if k != at_depth:
            name, factor = _fraction(cells, title, unit)
            named[name] = (k, factor)
    species = [name for name in named if not name.endswith("_sigma")]
    bare = counted and len(species) == len(named)
    lonely = [n for n in named if (n.removesuffix("_sigma") if n.endswith("_sigma") else f"{n}_sigma") not in named]
    if not species or (lonely and not bare) or len(named) < len(cells.titles) - 1:
        missing = "".join(f"; {n} has no {n}_sigma{_OR_COUNTS}" for n in lonely[:1] if n in species)
        found = shorten(", ".join(cells.titles), 120)
        raise wrong_titles(cells, f"the columns must be {_EXPECTED}, got {found}{missing}")
    for name in species if not bare else ():
        if named[name][1] != named[f"{name}_sigma"][1]:
            raise wrong_titles(cells, f"'{shorten(name)}' and '{shorten(name)}_sigma' have different units")
    at_sigma = [] if bare else [named[f"{name}_sigma"][0] for name in species]
    return species, [named[name][0] for name in species], at_sigma, [named[name][1] or 1.0 for name in species]


def _fraction(cells: Table, title: str, unit: str) -> tuple[str, float | None]:
    """Name of a column of fractions without its unit, and the factor of that, None without."""
    if not unit and title.endswith(_SIGMA) and with_unit(title.removesuffix(_SIGMA), "", fractions) is not None:
        name, factor = _fraction(cells, title.removesuffix(_SIGMA), unit)
        return f"{name}{_SIGMA}", factor
    plain = _ONE.fullmatch(title)
    if plain is not None and unit in ("", "1", "-"):
        return plain[1], None
    if unit in ("1", "-"):
        return title, None
    found = with_unit(title, unit, fractions)
    if found is not None:
        return found
    known = read_title(title, unit)
    if unit or known.kind != "other":
        held = f"'{shorten(title)}' has the unit '{shorten(known.unit)}'"
        raise wrong_titles(cells, f"{held}; fractions of the bulk are needed, which npp-jax import-sims makes")
    return title, None


def _check_rows(
    cells: Table,
    columns: list[int],
    table: Float[np.ndarray, "row column"],
    species: int,
    first_depth: float,
    exposure: float | None,
) -> None:
    """Refuse what no profile holds, with the line of the file; points above the first depth are not looked at."""
    counted = exposure is not None
    # Of few counts a fraction of one may be several by chance.
    most = FAR if exposure is None else max(FAR, 1.0 + _CHANCE / exposure**0.5 + _CHANCE / exposure)
    if len(table) < MINIMUM_POINTS:
        raise ConfigError(f"{cells.path}: {len(table)} points; a profile needs at least {MINIMUM_POINTS}")
    depth = table[:, 0]
    used = np.broadcast_to((depth >= first_depth)[:, None], table.shape).copy()
    used[:, 0] = True
    is_sigma = np.arange(table.shape[1]) > species
    at_least_zero = is_sigma | (counted & (np.arange(table.shape[1]) > 0))
    refuse(cells, columns, ~np.isfinite(table) & used, "is not a finite number")
    negative = (table < 0.0) & at_least_zero & used
    refuse(cells, columns, negative, "is negative: counts and standard deviations are not")
    refuse(cells, columns, (table == 0.0) & is_sigma & used, "is zero: a standard deviation must be positive")
    is_fraction = ~is_sigma & (np.arange(table.shape[1]) > 0)
    refuse(cells, columns, (table > most) & is_fraction & used, _too_large(cells, columns, table, is_fraction, most))
    back = np.zeros(table.shape, bool)
    back[1:, 0] = np.diff(depth) <= 0.0
    if back.any():
        row = int(np.argmax(back[:, 0]))
        twice = depth[row] == depth[row - 1]
        text = "is given twice" if twice else f"comes after {depth[row - 1]:.6g} nm"
        if not twice and np.all(np.diff(depth) < 0.0):
            text = f"{text}: the rows stand in reverse"
        refuse(cells, columns, back, f"{text}; depths must increase")


def _too_large(cells: Table, columns: list[int], table: np.ndarray, is_fraction: np.ndarray, most: float) -> str:
    """What a fraction far above one may be."""
    largest = np.nanmax(np.where(np.isfinite(table), table, -np.inf), axis=0)
    worst = int(np.argmax(np.where(is_fraction, largest, -np.inf)))
    name = cells.titles[columns[worst]]
    return (
        f"is no fraction n/N, which stays below {most:g} (the largest is {largest[worst]:.4g}): of per cent the title "
        f"says so, as '{shorten(name)} [%]'; counts and rates become fractions by npp-jax import-sims"
    )
