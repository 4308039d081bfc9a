"""Units as they are written for people."""

import re

from npp_jax.fitting.units import split_unit
from npp_jax.inference.digits import RAISED
from npp_jax.inference.parameter import Parameter, Parameters


def unit_of(parameter: Parameter) -> str:
    """Unit of a parameter as it is written for people; empty for a plain number."""
    return written(split_unit(parameter)[1])


def units_of(parameters: Parameters) -> dict[str, str]:
    """Units of parameters as they are written for people, by their names."""
    return {parameter.name: unit_of(parameter) for parameter in parameters}


def written(unit: str) -> str:
    """A unit of a file of results as it is written for people: `m2 s-1` is m² s⁻¹, a plain number has none."""
    if unit == "1":
        return ""
    raised = re.sub(r"(?<=[A-Za-z])-?\d+", lambda power: power[0].translate(RAISED), unit)
    return re.sub(r"\bum\b", "µm", raised)
