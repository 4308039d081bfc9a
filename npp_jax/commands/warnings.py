"""What looks wrong in a study before any work: its data, and the truth that it tells of them."""

import re
from collections.abc import Iterator
from pathlib import Path

from npp_jax.commands.new.lines import ASSUMED
from npp_jax.files.sims_profile import read_profile
from npp_jax.files.study import Study
from npp_jax.files.toml import toml_text
from npp_jax.fitting import data_warnings


def study_warnings(study: Study) -> list[str]:
    """What looks wrong, one sentence each; nothing if all is well."""
    return [*_imported(study), *data_warnings(study.problem), *_assumed(study), *_truth(study)]


def _imported(study: Study) -> Iterator[str]:
    """What the import told of each profile, which else is forgotten by the time of the fit."""
    for name, path in _named(study, "profile"):
        # As where profiles are read: others are tables.
        if path.suffix == ".h5":
            yield from (f"{name}: import of {path.name}: {line}" for line in read_profile(path).warnings)


_ASSUMED = re.compile(rf"^\s*(\w+)\s*=[^#\n]*#.*; {re.escape(ASSUMED)}", re.MULTILINE)


def _assumed(study: Study) -> Iterator[str]:
    """Numbers of the experiment files that `npp-jax new` assumed, and nobody has replaced or lets vary."""
    varied = {key.rpartition(".")[2] for parameter in study.problem.parameters for key in parameter.keys}
    if study.fit.model == "electroneutral":
        # It decides on the space charge alone.
        varied.add("permittivity")
    for name, path in _named(study, "file"):
        left = [key for key in _ASSUMED.findall(toml_text(path)) if key not in varied]
        if left:
            yield (
                f"{name}: {path.name} has {', '.join(left)} as `npp-jax new` assumed: what is found depends on them; "
                "replace them by what was measured, and the comment with them"
            )


def _named(study: Study, kind: str) -> Iterator[tuple[str, Path]]:
    """Files of one kind with the names of their experiments, each file once."""
    seen = set[Path]()
    for k, measurement in enumerate(study.problem.measurements):
        path = study.identity.files.get(f"experiments[{k}].{kind}")
        if path is not None and path not in seen:
            seen.add(path)
            yield measurement.name, path


def _truth(study: Study) -> Iterator[str]:
    """True values that no candidate can reach."""
    for parameter in study.problem.parameters:
        value = study.truth.get(parameter.name)
        if value is not None and not parameter.low <= value <= parameter.high:
            ends = f"{parameter.low:g} … {parameter.high:g}"
            yield f"truth: {parameter.name} = {value:g} is outside of its range {ends}, in which it cannot be found"
