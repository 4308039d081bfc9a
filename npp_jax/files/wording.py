"""What is wrong with a value of a file, in plain words: the library that checks the tables has its own."""

from collections.abc import Iterator
from typing import Any, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from npp_jax.files.errors import ConfigTable
from npp_jax.files.limits import limits_of
from npp_jax.physics.limits import Limits
from npp_jax.text.errors import shorten

_BOUNDS = {"greater_than", "greater_than_equal", "less_than", "less_than_equal"}
_WHOLE = {"int_type", "int_from_float", "int_parsing", "int_parsing_size"}
_NUMBER = {"float_type", "float_parsing", "finite_number", "no_number", *_WHOLE, *_BOUNDS}
_TABLE = {"model_type", "model_attributes_type", "dict_type", "dataclass_type"}


def wording(problem: ErrorDetails, name: str, field: FieldInfo | None) -> str:
    """What is wrong, and what is needed.

    Parameters
    ----------
    problem
        As the library tells it.
    name
        Place in the file: `stages[0].potential_V`.
    field
        Field of the key; None where there is none.
    """
    kind, value, context = problem["type"], problem["input"], problem.get("ctx", {})
    if kind in _TABLE:
        told = _table(name, field, value)
        return told if isinstance(value, list) or name.endswith("]") else f"{_is(name, value)}: {told}"
    if kind == "list_type":
        told = _list(name, field, value)
        return f"{name}: {told}" if isinstance(value, dict) else f"{_is(name, value)}: {told}"
    return f"{_is(name, value)}: {_needed(kind, context, field) or _plain(problem['msg'])}"


def _plain(message: str) -> str:
    message = message.removeprefix("Value error, ")
    return message[:1].lower() + message[1:]


def _needed(kind: str, context: dict[str, Any], field: FieldInfo | None) -> str | None:
    """What a value must be; None where that is not known."""
    if kind in _NUMBER:
        types = set() if field is None else set(_leaves(field.annotation))
        whole = kind in _WHOLE and int in types
        limits = str(Limits() if field is None else limits_of(field))
        if kind in _BOUNDS and not whole:
            return f"must be {limits}" if limits else None
        what = "a whole number" if int in types and float not in types else "a finite number"
        what = "a number" if kind == "no_number" else what
        return f"{what} is needed{f', {limits}' if limits else ''}"
    match kind:
        case "literal_error":
            return f"allowed are {context['expected']}" if " or " in context["expected"] else _only(context["expected"])
        case "string_type":
            return "a text in quotes is needed"
        case "string_too_short":
            return "it must not be empty"
        case "too_short":
            least = context["min_length"]
            return f"at least {least} {'entry is' if least == 1 else 'entries are'} needed"
        case "too_long":
            return f"{context['max_length']} entries are needed"
        case "bool_type" | "bool_parsing":
            return "true or false is needed"
        case "tuple_type":
            return "a list in square brackets is needed, such as [0.0, 10.0]"
    return None


def _only(expected: str) -> str:
    return f"{expected} is needed"


def _table(name: str, field: FieldInfo | None, value: Any) -> str:
    """How a table is written that is none."""
    header = _header(name)
    if name.endswith("]"):
        return f"{name}: each entry is a table: write [[{header}]] in front of its keys"
    if isinstance(value, list):
        return f"{name}: write [{header}] in single brackets, as there is only one"
    is_open = field is not None and any(get_origin(t) is dict for t in (field.annotation, *get_args(field.annotation)))
    return "a table is needed: " + (f"[{header}], or {{ name = value }}" if is_open else f"[{header}] and its keys")


def _list(name: str, field: FieldInfo | None, value: Any) -> str:
    """How a list is written that is none."""
    tables = field is not None and any(issubclass(t, ConfigTable) for t in _leaves(field.annotation))
    if tables and isinstance(value, dict):
        return f"write [[{_header(name)}]] in double brackets, as there may be several"
    return f"a list is needed: one [[{_header(name)}]] each" if tables else "a list in square brackets is needed"


def _header(name: str) -> str:
    """A place as the head of a table has it, without positions."""
    return "".join(part.partition("]")[2] if k else part for k, part in enumerate(name.split("[")))


def _leaves(annotation: Any) -> Iterator[type]:
    """Types that a type is made of."""
    if isinstance(annotation, type) and not get_args(annotation):
        yield annotation
    for inner in get_args(annotation):
        yield from _leaves(inner)


def _is(name: str, value: Any) -> str:
    """Place and value."""
    if isinstance(value, dict | list):
        shown = ("[]" if isinstance(value, list) else "{}") if not value else f"a {_KINDS[type(value)]}"
    elif isinstance(value, bool):
        shown = str(value).lower()
    else:
        shown = shorten(repr(value) if isinstance(value, str | int | float) else str(value))
    return f"{name} = {shown}"


_KINDS: dict[type, str] = {list: "list", dict: "table"}
