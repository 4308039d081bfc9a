"""Measured depth profiles as text tables and as files of `npp-jax import-sims`."""

from pathlib import Path

import numpy as np

from npp_jax.files import ConfigError, sims_profile
from npp_jax.files.cells import read_cells
from npp_jax.observe import MINIMUM_POINTS, DepthProfile
from npp_jax.sims.errors import SimsFileError


def read_profile(
    path: str | Path, *, first_depth_nm: float = 0.0, counts_per_fraction: float | None = None
) -> DepthProfile:
    """Read a measured profile: `.h5` of `npp-jax import-sims`, or a table.

    Parameters
    ----------
    path
        The file.
    first_depth_nm
        Points above are masked: the transient at the surface. [nm]
    counts_per_fraction
        Counts of the detector at fraction one, for a table; the counts then are the fractions times this.

    Raises
    ------
    ConfigError
        One line: file, line, column, what is wrong.
    """
    path = Path(path)
    if path.suffix != ".h5":
        return read_profile_table(path, first_depth=first_depth_nm, counts_per_fraction=counts_per_fraction)
    if counts_per_fraction is not None:
        raise ConfigError(f"{path}: counts_per_fraction belongs to a table; leave it out, this file tells its counts")
    return _read_imported(path, first_depth=first_depth_nm)


def _read_imported(path: Path, *, first_depth: float = 0.0) -> DepthProfile:
    """Profile written by `npp-jax import-sims`."""
    try:
        stored = sims_profile.read_profile(path)
        used = np.where(stored.depth_nm >= first_depth, 1.0, 0.0)
        *given, _, background, interval, systematic = stored.as_arguments()
        return DepthProfile(*given, weight=used, background=background, interval=interval, systematic=systematic)
    except SimsFileError as error:
        # It names the file.
        raise ConfigError(str(error)) from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: {error}") from None


def read_profile_table(
    path: Path, *, first_depth: float = 0.0, counts_per_fraction: float | None = None
) -> DepthProfile:
    """Read a measured depth profile: CSV with the columns depth_nm, NAME and NAME_sigma of each species.

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
    cells = read_cells(path, "depth_nm, NAME, NAME_sigma, …")
    names = cells.names
    species = [name for name in names[1:] if not name.endswith("_sigma")]
    if not species or names != ["depth_nm", *(x for s in species for x in (s, f"{s}_sigma"))]:
        found = ", ".join(names).replace("\t", " ")
        marks = "" if len(names) > 1 else "; commas stand between the cells, and decimal points in the numbers"
        raise ConfigError(f"{path}: the columns must be depth_nm, NAME, NAME_sigma, …, got {found}{marks}")
    table = cells.numbers()
    _check_rows(path, cells.lines, names, table, first_depth, counts_per_fraction is not None)
    fraction, exposure = table[:, 1::2].T, counts_per_fraction
    try:
        return DepthProfile(
            table[:, 0],
            species,
            fraction,
            table[:, 2::2].T,
            counts=None if exposure is None else np.round(exposure * fraction, 6),
            counts_per_fraction=None if exposure is None else np.full(len(species), exposure),
            weight=np.where(table[:, 0] >= first_depth, 1.0, 0.0),
        )
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from None


def _check_rows(
    path: Path, lines: list[int], names: list[str], table: np.ndarray, first_depth: float, counted: bool
) -> None:
    """Refuse what no profile holds, with the line of the file; points above the first depth are not looked at."""
    if len(table) < MINIMUM_POINTS:
        raise ConfigError(f"{path}: {len(table)} points; a profile needs at least {MINIMUM_POINTS}")
    depth = table[:, 0]
    used = np.broadcast_to((depth >= first_depth)[:, None], table.shape).copy()
    used[:, 0] = True
    at_least_zero = np.array([name.endswith("_sigma") or (counted and k > 0) for k, name in enumerate(names)])
    for wrong, text in (
        (~np.isfinite(table), "is not a finite number"),
        ((table < 0.0) & at_least_zero, "is negative: counts and standard deviations are not"),
    ):
        if (wrong & used).any():
            row, column = np.argwhere(wrong & used)[0]
            raise ConfigError(f"{path}: line {lines[row]}: {names[column]} = {table[row, column]:.6g} {text}")
    back = np.flatnonzero(np.diff(depth) <= 0.0)
    if back.size:
        row = int(back[0]) + 1
        text = "is given twice" if depth[row] == depth[row - 1] else f"comes after {depth[row - 1]:.6g} nm"
        raise ConfigError(f"{path}: line {lines[row]}: depth_nm = {depth[row]:.6g} {text}; depths must increase")
