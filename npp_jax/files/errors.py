"""What every file of the user has in common: tables that refuse unknown keys, and one clear line for what is wrong."""

import difflib
import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from npp_jax.files.limits import Limits, limits_of

T = TypeVar("T")

_FILES = {
    "sample": "an experiment file, for `npp-jax simulate`",
    "experiments": "a study file, for `npp-jax sweep` and `npp-jax fit`",
    "kind": "a tracer study, for `npp-jax tracer`",
}
"""Tables and keys that only one kind of file has, and which kind that is."""

_BOUNDS = {"greater_than", "greater_than_equal", "less_than", "less_than_equal"}


class ConfigError(ValueError):
    """The experiment file is wrong; the message is one line."""


class ConfigTable(BaseModel):
    """A table of a TOML file: unknown keys and numbers that are not finite are refused."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, str_strip_whitespace=True)

    @field_validator("*", mode="before")
    @classmethod
    def _no_number_in_disguise(cls, value: Any, info: Any) -> Any:
        """`true` is no 1 and `"500"` no 500: who writes that meant something else."""
        types = set(_plain_types(cls.model_fields[info.field_name or ""].annotation))
        if types & {int, float}:
            for entry in value if isinstance(value, list) else [value]:
                if isinstance(entry, bool | str) and type(entry) not in types:
                    raise PydanticCustomError("no_number", "a number is needed")
        return value


def _plain_types(annotation: Any) -> Iterator[Any]:
    if get_origin(annotation) is Literal:
        yield from map(type, get_args(annotation))
        return
    parts = get_args(annotation)
    yield from (part for inner in parts for part in _plain_types(inner))
    if not parts:
        yield annotation


def known(value: T | None) -> T:
    """A value that the checks of the tables have made sure of."""
    if value is None:
        raise ConfigError("incomplete table")
    return value


def other_file(table: Mapping[str, Any], root: type[ConfigTable]) -> str | None:
    """What a file is that is not one of `root`, in words; None if that is not known."""
    mark = next((key for key in _FILES if key in table and key not in root.model_fields), None)
    return None if mark is None else f"this is {_FILES[mark]}"


def one_line(error: ValidationError, root: type[ConfigTable], tables: Mapping[str, type[ConfigTable]]) -> str:
    """First problem of a validation, in one line: key, value, what is allowed."""
    problems = error.errors()
    other = other_file({str(p["loc"][0]): None for p in problems if p["loc"] and p["type"] == "extra_forbidden"}, root)
    if other is not None:
        return other
    # An unknown key is often the missing one with another unit: it says more.
    problem = next((p for p in problems if p["type"] == "extra_forbidden"), problems[0])
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in problem["loc"]).lstrip(".")
    names = [part for part in problem["loc"] if isinstance(part, str)]
    if problem["type"] == "extra_forbidden":
        return f"{place}: unknown key; {_nearest(names[-1], (tables[names[-2]] if names[1:] else root).model_fields)}"
    if problem["type"] == "missing":
        return f"{place}: missing key"
    value, message = problem["input"], problem["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    if problem["type"] == "value_error":
        return f"{place}: {message}" if place else message
    if problem["type"] == "list_type" and isinstance(value, dict):
        return f"{place}: write [[{place}]] in double brackets, as there may be several"
    if problem["type"] in ("model_type", "model_attributes_type") and isinstance(value, list):
        return f"{place}: write [{place}] in single brackets, as there is only one"
    if problem["type"] in _BOUNDS:
        limits = _limits(names, root, tables)
        message = f"must be {limits}" if str(limits) else message
    shown = json.dumps(value) if isinstance(value, bool) else f"{value!r}"
    shown = type(value).__name__ if isinstance(value, dict | list) else shown
    return f"{place} = {shown}: {message}"


def _limits(names: list[str], root: type[ConfigTable], tables: Mapping[str, type[ConfigTable]]) -> Limits:
    """Range of a key, by the names of the tables that it stands in."""
    table = tables.get(names[-2], root) if len(names) > 1 else root
    field: FieldInfo | None = table.model_fields.get(names[-1]) if names else None
    return Limits() if field is None else limits_of(field)


def _nearest(key: str, known: Mapping[str, Any]) -> str:
    """Hint at the known key that is meant, or all of them."""
    stem = key.split("_")[0]
    names = sorted(known)
    near = difflib.get_close_matches(key, names, n=1, cutoff=0.5) or [k for k in names if k.startswith(stem)][:1]
    return f"did you mean '{near[0]}'?" if near else f"known keys: {', '.join(names)}"
