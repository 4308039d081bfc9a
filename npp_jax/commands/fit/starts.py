"""A finished sweep from which `npp-jax fit` starts: of the same parameters, experiments and profiles."""

from pathlib import Path

from npp_jax.files import ConfigError
from npp_jax.files.study import Study
from npp_jax.store.stored import reading_sweep
from npp_jax.sweeping import SweepResult, read_sweep
from npp_jax.sweeping.screening import OtherData, of_problem


def read_starts(path: Path, study: Study) -> SweepResult:
    """Read the sweep of a study; candidates outside of its ranges are left out.

    Raises
    ------
    SweepFileError
        The file is no sweep.
    ConfigError
        It is one of other parameters, experiments, profiles or ranges, or does not tell of which.
    """
    sweep = read_sweep(path)
    if sweep.data is None:
        raise ConfigError(f"{path}: an earlier version wrote it, which did not note of what data; sweep again")
    with reading_sweep(path) as reader:
        swept = reader.text("configuration")
    try:
        found = of_problem(sweep, study.problem)
    except OtherData as error:
        raise ConfigError(f"{path}: {study.identity.difference(swept, ranges=False) or error}; sweep again") from None
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from None
    # Where candidates may be is looked at in their numbers.
    different = study.identity.difference(swept, ranges=False)
    if different is not None:
        raise ConfigError(f"{path}: {different}; sweep again")
    return found
