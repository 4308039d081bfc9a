"""Tables to TOML: what the reader of this package reads again as the same values."""

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from npp_jax.files.writing import readable


def toml_of(table: Mapping[str, Any], *, comment: str = "") -> str:
    """Text of a table: values first, then inner tables, then lists of tables.

    Parameters
    ----------
    table
        Numbers, texts, booleans, lists of them, tables, and lists of tables; None is left out.
    comment
        Lines for the top of the file.
    """
    head = [f"# {line}" for line in readable(comment).splitlines()]
    return "\n".join([*head, *_lines(table, "")]) + "\n"


def _lines(table: Mapping[str, Any], path: str) -> Iterator[str]:
    inner: list[tuple[str, Any]] = []
    for key, value in table.items():
        if isinstance(value, Mapping) or _is_tables(value):
            inner.append((key, value))
        elif value is not None:
            yield f"{_key(key)} = {_value(value)}"
    for key, value in inner:
        name = f"{path}{_key(key)}"
        for entry in [value] if isinstance(value, Mapping) else value:
            yield ""
            yield f"[{name}]" if isinstance(value, Mapping) else f"[[{name}]]"
            yield from _lines(entry, f"{name}.")


def _is_tables(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(entry, Mapping) for entry in value)


def _key(key: str) -> str:
    plain = key.isascii() and key.replace("_", "").replace("-", "").isalnum()
    return key if plain else text_of(key)


def _value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return text_of(value)
        case int():
            return str(value)
        case float():
            # As short as it can be read again; TOML wants a point or an exponent.
            return repr(value) if math.isfinite(value) else str(value)
        case list() | tuple():
            return f"[{', '.join(_value(entry) for entry in value)}]"
    raise TypeError(f"TOML has no {type(value).__name__}")


def text_of(text: str) -> str:
    """A text as TOML writes it, in quotes."""
    # Strings of JSON are those of TOML, but for a character that TOML wants written out.
    return json.dumps(readable(text), ensure_ascii=False).replace("\x7f", "\\u007f")
