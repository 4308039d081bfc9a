"""A stored sweep for other programs: what `npp-jax export` does."""

from pathlib import Path

from npp_jax.files import ConfigError
from npp_jax.files.sweep_export import write_sweep_arrays, write_sweep_table
from npp_jax.sweeping import SweepFileError, read_sweep


def export_sweep(file: Path, *, csv: Path | None, npz: Path | None) -> list[Path]:
    """Write a sweep as a table, as arrays, or both; return the files.

    Raises
    ------
    ConfigError
        Nothing is to be written.
    SweepFileError
        The file is no finished sweep, or kept no profiles, which the arrays need; the table is written nevertheless.
    """
    if csv is None and npz is None:
        raise ConfigError("nothing to write; say where: --csv TABLE.csv, --npz ARRAYS.npz or both")
    result = read_sweep(file)
    written = [] if csv is None else [write_sweep_table(file, result, csv)]
    try:
        return written + ([] if npz is None else [write_sweep_arrays(file, result, npz)])
    except SweepFileError as error:
        # What can be written is: the table needs no profiles.
        raise SweepFileError(f"{error}; {csv} is written" if written else str(error)) from error
