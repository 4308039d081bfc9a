"""One reader of TOML into tables of pydantic, and messages of one line that are made from these tables."""

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, NamedTuple, TypeVar, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from npp_jax.files.errors import ConfigError, ConfigTable
from npp_jax.files.wording import wording
from npp_jax.text.decode import read_text
from npp_jax.text.errors import TextError

Model = TypeVar("Model", bound=ConfigTable)

_COMMA = re.compile(r"^[^=#\"'\n]*=[ \t]*([-+]?\d+),(\d+)", re.MULTILINE)
"""A key with a number that has a decimal comma."""
_DEEP = re.compile(r"""(?<![\w-])(?:(?:[\w-]++|"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){200}""")
"""A key within keys without end: the library's time goes with the square of their number."""
_FILES = {
    "sample": "an experiment file, for `npp-jax simulate`",
    "experiments": "a study file, for `npp-jax sweep` and `npp-jax fit`",
    "kind": "a tracer study, for `npp-jax tracer`",
}
"""Tables and keys that only one kind of file has, and which kind that is."""


def read_toml(path: str | Path, *models: type[Model]) -> Model:
    """Read a file into its table; of several tables, the key `kind` of the file tells which.

    Raises
    ------
    ConfigError
        One line: file, key, value, what is allowed.
    """
    raw = toml_table(path)
    try:
        return validated(raw, models[0] if len(models) == 1 else _of_kind(raw, models))
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def toml_text(path: str | Path) -> str:
    """Text of a file, of any encoding, without a mark of it: as it is kept beside results.

    Raises
    ------
    ConfigError
        One line: the file cannot be read, or is no text.
    """
    try:
        return "\n".join(read_text(path, "a TOML file", may_be_empty=True).lines)
    except TextError as error:
        raise ConfigError(str(error)) from None


def toml_table(path: str | Path) -> dict[str, Any]:
    """Content of a file, not checked.

    Raises
    ------
    ConfigError
        One line: the file cannot be read, or is no TOML.
    """
    try:
        return parsed_toml(toml_text(path))
    except _NoToml as error:
        table = Path(path).suffix.lower() in (".csv", ".txt", ".dat", ".tsv")
        hint = "; of a measured profile `npp-jax new KIND --profile` makes one" if table else ""
        raise ConfigError(f"{path}: {error}{hint}") from None


class _NoToml(ConfigError):
    """A text is no TOML."""


def parsed_toml(text: str) -> dict[str, Any]:
    """Content of a text in TOML, of anyone; not checked.

    Raises
    ------
    ConfigError
        One line: it is no TOML.
    """
    if (deep := _DEEP.search(text)) is not None:
        raise _NoToml(
            f"line {text.count(chr(10), 0, deep.start()) + 1}: not a TOML file: a key within keys without end"
        )
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise _NoToml("not a TOML file: lists or tables within one another without end") from None
    except ValueError as error:
        # Besides its own, a number of thousands of digits.
        raise _NoToml(f"not a TOML file: {error}{_decimal_comma(text)}") from None


def _decimal_comma(text: str) -> str:
    """A hint at the first number with a decimal comma, if there is one."""
    found = _COMMA.search(text)
    if found is None:
        return ""
    line, (whole, part) = text.count("\n", 0, found.start(1)) + 1, found.groups()
    return f"; line {line}: numbers have a decimal point, {whole}.{part} and not {whole},{part}"


def validated(raw: Mapping[str, Any], model: type[Model]) -> Model:
    """Content of a file as its table.

    Raises
    ------
    ConfigError
        One line: key, value, what is allowed.
    """
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(_one_line(error, model)) from None


def _of_kind(raw: Mapping[str, Any], models: tuple[type[Model], ...]) -> type[Model]:
    """Table whose literal `kind` is that of the file."""
    kinds = {get_args(model.model_fields["kind"].annotation)[0]: model for model in models}
    kind = raw.get("kind")
    if isinstance(kind, str) and kind in kinds:
        return kinds[kind]
    other = None if "kind" in raw else _other_file(raw, models[0])
    shown = "kind: missing key" if kind is None else f"kind = {kind!r}"
    raise ConfigError(other or f"{shown}; allowed are {', '.join(kinds)}")


class _Place(NamedTuple):
    """Where in a file a value stands."""

    name: str
    """As the user would say it: `stages[0].potential_V`."""
    table: type[ConfigTable] | None
    """Table in which the last key stands."""
    field: FieldInfo | None
    """Field of the last key; None for one that the table does not have."""


def place_of(location: tuple[int | str, ...], root: type[ConfigTable]) -> _Place:
    """Walk from the root to a location of pydantic: keys, and positions in lists."""
    name, table, inner = "", root, root
    field: FieldInfo | None = None
    tagged = False
    for part in location:
        if isinstance(part, int):
            name += f"[{part}]"
        elif tagged:
            tagged = False
        elif inner is not None:
            table, field = inner, inner.model_fields.get(part)
            inner = None if field is None else next(tables_in(field.annotation), None)
            tagged = field is not None and inner is None and _several(field.annotation)
            name += f".{part}"
        elif field is not None and any(get_origin(t) is dict for t in (field.annotation, *get_args(field.annotation))):
            name += f".{part}"
    return _Place(name.removeprefix("."), table, field)


def _several(annotation: Any) -> bool:
    """Whether a value may have one of several types, whose name is then a part of a location that no file knows."""
    parts = [part for part in get_args(annotation) if part is not NoneType]
    return get_origin(annotation) in (Union, UnionType) and len(parts) > 1


def tables_in(annotation: Any) -> Iterator[type[ConfigTable]]:
    """Tables in the type of a field."""
    if isinstance(annotation, type) and issubclass(annotation, ConfigTable):
        yield annotation
    for inner in get_args(annotation):
        yield from tables_in(inner)


def is_keys(raw: Mapping[str, Any]) -> bool:
    """Whether the content of a file has what an experiment or a study has."""
    return not _FILES.keys().isdisjoint(raw)


def _other_file(raw: Mapping[str, Any], root: type[ConfigTable]) -> str | None:
    """What a file is that is not one of `root`, in words; None if that is not known."""
    mark = next((key for key in _FILES if key in raw and key not in root.model_fields), None)
    return None if mark is None else f"this is {_FILES[mark]}"


def _one_line(error: ValidationError, root: type[ConfigTable]) -> str:
    """First problem of a validation, in one line: key, value, what is allowed."""
    problems = error.errors()
    other = _other_file({str(p["loc"][0]): None for p in problems if p["loc"] and p["type"] == "extra_forbidden"}, root)
    if other is not None:
        return other
    # An unknown key is often the missing one with another unit: it says more.
    problem = next((p for p in problems if p["type"] == "extra_forbidden"), _meant(problems, root))
    kind, place = problem["type"], place_of(problem["loc"], root)
    if kind == "extra_forbidden" and place.table is not None:
        return f"{place.name}: unknown key; {_nearest(str(problem['loc'][-1]), place.table.model_fields)}"
    if kind == "missing":
        return f"{place.name}: missing key"
    if kind == "value_error":
        message = problem["msg"].removeprefix("Value error, ")
        message = message[:1].lower() + message[1:]
        return f"{place.name}: {message}" if place.name else message
    return wording(problem, place.name, place.field)


def _meant(problems: list[ErrorDetails], root: type[ConfigTable]) -> ErrorDetails:
    """First problem; of a value that may be a number, a list or a table, that of which it is."""
    name = place_of(problems[0]["loc"], root).name
    own = (p for p in problems if place_of(p["loc"], root).name.partition("[")[0] == name.partition("[")[0])
    return next((p for p in own if p["type"] not in ("list_type", "float_type", "dict_type")), problems[0])


def _nearest(key: str, names: Mapping[str, Any]) -> str:
    """Hint at the known key that is meant, or all of them."""
    known, stem = sorted(names), key.split("_")[0]
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5) or [k for k in known if k.startswith(stem)][:1]
    return f"did you mean '{near[0]}'?" if near else f"known keys: {', '.join(known)}"
