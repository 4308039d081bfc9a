"""A stored sweep for other programs: what `npp-jax export` does."""

import filecmp
from pathlib import Path

from npp_jax.files import ConfigError
from npp_jax.files.identity import is_input
from npp_jax.files.origin import Origin, check_targets
from npp_jax.files.sweep_export import write_sweep_arrays, write_sweep_table
from npp_jax.files.writing import staged_for, written_together
from npp_jax.store.stored import reading_sweep
from npp_jax.sweeping import DesignError, SweepFileError, SweepResult, read_sweep, read_table
from npp_jax.sweeping.design.designs import fingerprint


def _is_read(target: Path, file: Path, result: SweepResult) -> bool:
    """Whether the study of a sweep reads what is at a place: its keys, its data or its candidates."""
    with reading_sweep(file) as reader:
        text, design = reader.text("configuration", ""), reader.text("design", "")
    try:
        candidates = fingerprint(read_table(target, result.names))
    except DesignError:
        candidates = None
    return candidates == design or is_input(target, text)


def export_sweep(file: Path, *, csv: Path | None, npz: Path | None, force: bool = True) -> list[Path]:
    """Write a sweep as a table, as arrays, or both; return the files.

    Parameters
    ----------
    file
        The sweep.
    csv, npz
        Table and arrays; None for none.
    force
        Replace what is there and was made of another sweep.

    Raises
    ------
    ConfigError
        Nothing is to be written, or something else is in the place.
    SweepFileError
        The file is no finished sweep, or kept no profiles, which the arrays need; the table is written nevertheless.
    OSError
        Its folder cannot be written.
    """
    if csv is None and npz is None:
        raise ConfigError("nothing to write; say where: --csv TABLE.csv, --npz ARRAYS.npz or both")
    origin = Origin("export", file)
    # A table has no place for a mark: one that is there is replaced by its like, which the new one tells.
    check_targets([path for path in (csv, npz) if path is not None], origin, force=force, listed=[csv] if csv else [])
    result = read_sweep(file)
    # A sweep does not know the places of its data: these are told by what they hold.
    for target in (path for path in (csv, npz) if path is not None and path.exists()):
        if _is_read(target, file, result):
            raise ConfigError(f"{target}: it is read by the study, and not replaced; give another place")
    written: list[Path] = []
    if csv is not None:
        with written_together():
            asked = csv.exists() and not force
            write_sweep_table(file, result, csv)
            if asked and not filecmp.cmp(staged_for(csv), csv, shallow=False):
                told = "what is there is another table, or none; give another place, or --force to replace it"
                raise ConfigError(f"{csv}: {told}")
        written.append(csv)
    try:
        return written + ([] if npz is None else [write_sweep_arrays(file, result, npz, origin)])
    except SweepFileError as error:
        # What can be written is: the table needs no profiles.
        raise SweepFileError(f"{error}; {csv} is written" if written else str(error)) from error
