"""A finished sweep from which `npp-jax fit` starts: of the same parameters, experiments and profiles."""

from pathlib import Path

from npp_jax.files import ConfigError
from npp_jax.files.identity import told_apart
from npp_jax.files.study import Study
from npp_jax.sweeping import SweepResult, read_sweep
from npp_jax.sweeping.screening import OtherData, of_problem
from npp_jax.sweeping.store.stored import reading_sweep


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
        raise ConfigError(f"{path}: {_difference(swept, study) or error}; sweep again") from None
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from None
    different = _difference(swept, study)
    if different is not None:
        raise ConfigError(f"{path}: {different}; sweep again")
    return found


def _difference(configuration: str, study: Study) -> str | None:
    """In what the data of a sweep are other ones, in words; None if in nothing, or for a sweep from Python."""
    swept, own = told_apart(configuration), told_apart(study.identity.text)
    if not swept:
        return None
    for key in sorted(swept.keys() | own.keys()):
        # Where candidates may be is looked at in their numbers.
        if swept.get(key) == own.get(key) or key.endswith((".low", ".high", ".scale", ".levels", ".name")):
            continue
        if key in study.identity.files:
            return f"the sweep had another {study.identity.files[key].name}"
        return f"the sweep had {key} = {swept.get(key, 'none')}, the study has {own.get(key, 'none')}"
    return None
