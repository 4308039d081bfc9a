"""What every file of the user has in common: tables that refuse unknown keys, and one clear line for what is wrong."""

import difflib
from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

T = TypeVar("T")


class ConfigError(ValueError):
    """The experiment file is wrong; the message is one line."""


class ConfigTable(BaseModel):
    """A table of a TOML file: unknown keys and numbers that are not finite are refused."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, str_strip_whitespace=True)


def known(value: T | None) -> T:
    """A value that the checks of the tables have made sure of."""
    if value is None:
        raise ConfigError("incomplete table")
    return value


def one_line(error: ValidationError, root: type[ConfigTable], tables: Mapping[str, type[ConfigTable]]) -> str:
    """First problem of a validation, in one line: key, value, what is allowed."""
    # An unknown key is often the missing one with another unit: it says more.
    problems = error.errors()
    problem = next((p for p in problems if p["type"] == "extra_forbidden"), problems[0])
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in problem["loc"]).lstrip(".")
    if problem["type"] == "extra_forbidden":
        names = [part for part in problem["loc"][:-1] if isinstance(part, str)]
        known = sorted((tables[names[-1]] if names else root).model_fields)
        key = str(problem["loc"][-1])
        stem = key.split("_")[0]
        near = difflib.get_close_matches(key, known, n=1, cutoff=0.5) or [k for k in known if k.startswith(stem)][:1]
        hint = f"did you mean '{near[0]}'?" if near else f"known keys: {', '.join(known)}"
        return f"{place}: unknown key; {hint}"
    if problem["type"] == "missing":
        return f"{place}: missing key"
    message = problem["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    if problem["type"] == "value_error":
        return f"{place}: {message}" if place else message
    value = problem["input"]
    shown = f"{value!r}" if not isinstance(value, dict | list) else type(value).__name__
    return f"{place} = {shown}: {message}"
