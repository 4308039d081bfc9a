"""Units of parameters, by the keys that they set."""

from npp_jax.fitting.observed import is_observed
from npp_jax.inference.parameter import Parameter
from npp_jax.physics.keys import name_of, unit_at_end


def split_unit(parameter: Parameter) -> tuple[str, str]:
    """Name of a parameter without its unit, and the unit, `1` if it has none: `D_K_m2_s` is (`D_K`, `m2 s-1`).

    The keys tell the unit: a `sensitivity_K` of the ion K is a plain number. A parameter without keys, as in a file of
    an older version, has the unit at the end of its name, before the number in `area_m2[1]`.
    """
    name, bracket, number = parameter.name.partition("[")
    found = {unit_at_end(_named(key)) for key in parameter.keys} or {unit_at_end(name)}
    end, unit = found.pop() if len(found) == 1 else ("", "1")
    plain = name.removesuffix(f"_{end}") if end else name
    return f"{plain}{bracket}{number}" if plain else parameter.name, unit


def _named(key: str) -> str:
    """Name in a key, without its part, ion and entry."""
    return key.rpartition(".")[2] if is_observed(key) else name_of(key)
