"""What every file of the user has in common: tables that refuse unknown keys, and the error of what is wrong."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

from npp_jax.text.errors import OneLineError
from npp_jax.text.names import fault_of_name

T = TypeVar("T")

_LARGEST = 1e100
"""Modulus that no quantity has, nor its inverse."""


class ConfigError(OneLineError):
    """A file of the user is wrong; the message is one line."""


def _can_be_shown(name: str) -> str:
    fault = fault_of_name(name)
    if fault is not None:
        raise PydanticCustomError("odd_name", "{fault}", {"fault": fault})
    return name


Name = Annotated[str, Field(min_length=1), AfterValidator(_can_be_shown)]
"""A name that the user gives."""


class ConfigTable(BaseModel):
    """A table of a TOML file: unknown keys and numbers that are not finite, or beyond all quantities, are refused."""

    model_config = ConfigDict(
        extra="forbid", allow_inf_nan=False, str_strip_whitespace=True, use_attribute_docstrings=True
    )

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

    @field_validator("*", mode="after")
    @classmethod
    def _no_number_beyond_all(cls, value: Any) -> Any:
        """Powers and quotients of what is left are numbers still."""
        for number in _floats(value):
            if abs(number) > _LARGEST or 0.0 < abs(number) < 1.0 / _LARGEST:
                told = f"no quantity is so {'small' if abs(number) < 1.0 else 'large'}"
                # A list is not shown with what it holds.
                shown = told if isinstance(value, float) else f"{number!r}: {told}"
                raise PydanticCustomError("far_number", "{shown}", {"shown": shown})
        return value


def _floats(value: Any) -> Iterator[float]:
    """Numbers of a value; those of tables in it are looked at with the tables."""
    match value:
        case float():
            yield value
        case list() | tuple() | set():
            yield from (number for inner in value for number in _floats(inner))
        case dict():
            yield from _floats(list(value.values()))


def _plain_types(annotation: Any) -> Iterator[Any]:
    if get_origin(annotation) is Literal:
        yield from map(type, get_args(annotation))
        return
    parts = get_args(annotation)
    yield from (part for inner in parts for part in _plain_types(inner))
    if not parts:
        yield annotation


def required(value: T | None) -> T:
    """A value that the checks of the tables have made sure of."""
    if value is None:
        raise ConfigError("incomplete table")
    return value
