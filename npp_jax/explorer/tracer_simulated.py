"""A tracer study without data on its page: nothing to fit, so that its numbers are moved and it is simulated anew."""

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from npp_jax.commands.tracer.study import ChainStudy, MapStudy, TracerStudy
from npp_jax.inference import Parameter

_DECADE = 10.0
_BOUNDARIES = 8
"""Boundaries with a slider of their own; with more they move together."""


class Varied(NamedTuple):
    """A number of a study, and where it begins."""

    parameter: Parameter
    value: float


def varied_of(study: TracerStudy) -> list[Varied]:
    """Numbers of a study that can be moved; none of Arrhenius lines, which are drawn from what is given."""
    if not isinstance(study, ChainStudy | MapStudy):
        return []
    table = study.chain if isinstance(study, ChainStudy) else study.map
    given = table.permeability_m_s
    each = given if isinstance(given, list) else [given]
    found = [_positive("D_bulk_m2_s", table.D_bulk_m2_s)]
    if len(each) <= _BOUNDARIES and isinstance(given, list):
        found += [_positive(f"boundary_{k + 1}_permeability_m_s", value) for k, value in enumerate(each)]
    else:
        found.append(_positive("permeability_m_s", _centre(given) if isinstance(given, list) else given))
    found.append(_fraction("initial", table.initial))
    for k, stage in enumerate(study.stages):
        found.append(_positive(f"stage_{k}_duration_h", stage.duration_h))
        if stage.source is not None:
            found.append(_fraction(f"stage_{k}_source", stage.source))
    return found


def with_values(study: TracerStudy, values: Mapping[str, float]) -> TracerStudy:
    """The study with other numbers, by the names of `varied_of`."""
    if not isinstance(study, ChainStudy | MapStudy):
        return study
    is_chain = isinstance(study, ChainStudy)
    table = study.chain if is_chain else study.map
    given = table.permeability_m_s
    if isinstance(given, list):
        together = "permeability_m_s" in values
        factor = values["permeability_m_s"] / _centre(given) if together else 1.0
        permeability = [
            factor * value if together else values[f"boundary_{k + 1}_permeability_m_s"]
            for k, value in enumerate(given)
        ]
    else:
        permeability = values["permeability_m_s"]
    changed = {"D_bulk_m2_s": values["D_bulk_m2_s"], "initial": values["initial"], "permeability_m_s": permeability}
    stages = [stage.model_copy(update=dict(_of_stage(k, values))) for k, stage in enumerate(study.stages)]
    update = {"chain" if is_chain else "map": table.model_copy(update=changed), "stages": stages}
    return study.model_copy(update=update)


def _of_stage(k: int, values: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    for key in ("duration_h", "source"):
        if f"stage_{k}_{key}" in values:
            yield key, values[f"stage_{k}_{key}"]


def _centre(values: list[float]) -> float:
    """Geometric mean."""
    return math.exp(sum(map(math.log, values)) / len(values))


def _positive(name: str, value: float) -> Varied:
    return Varied(Parameter(name, (), value / _DECADE, value * _DECADE, "log"), value)


def _fraction(name: str, value: float) -> Varied:
    return Varied(Parameter(name, (), 0.0, 1.0), value)
