"""A finished sweep from which `npp-jax fit` starts: of the same parameters, experiments and profiles."""

from pathlib import Path

import h5py

from npp_jax.files import ConfigError
from npp_jax.files.study import Study
from npp_jax.sweeping import SweepResult, read_sweep
from npp_jax.sweeping.screening import of_problem


def read_starts(path: Path, study: Study) -> SweepResult:
    """Read the sweep of a study; candidates outside of its ranges are left out.

    Raises
    ------
    SweepFileError
        The file is no sweep.
    ConfigError
        It is one of other parameters, experiments, profiles or ranges.
    """
    sweep = read_sweep(path)
    with h5py.File(path) as file:
        swept = file["configuration"][()].decode()  # pyright: ignore
    # A sweep from Python has no files.
    known, own = _profiles(swept), _profiles(study.text)
    other = [name for name, checksum in own.items() if known.get(name, checksum) != checksum]
    if other:
        raise ConfigError(f"{path}: the sweep had another {other[0]}; sweep again")
    try:
        return of_problem(sweep, study.problem)
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from None


def _profiles(configuration: str) -> dict[str, str]:
    """Checksum of each profile that a configuration names."""
    lines = [line.rpartition(" sha256 ") for line in configuration.splitlines()]
    return {name: checksum for name, middle, checksum in lines if middle and len(checksum) == 64}
