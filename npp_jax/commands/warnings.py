"""What looks wrong in a study before any work: its data, and the truth that it tells of them."""

from collections.abc import Iterator

from npp_jax.files.study import Study
from npp_jax.fitting import data_warnings


def study_warnings(study: Study) -> list[str]:
    """What looks wrong, one sentence each; nothing if all is well."""
    return [*data_warnings(study.problem), *_truth(study)]


def _truth(study: Study) -> Iterator[str]:
    """True values that no candidate can reach."""
    for parameter in study.problem.parameters:
        value = study.truth.get(parameter.name)
        if value is not None and not parameter.low <= value <= parameter.high:
            ends = f"{parameter.low:g} … {parameter.high:g}"
            yield f"truth: {parameter.name} = {value:g} is outside of its range {ends}, in which it cannot be found"
