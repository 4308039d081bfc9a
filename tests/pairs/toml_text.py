"""Tables as TOML text."""

import json
from typing import Any


def dumps(table: dict[str, Any]) -> str:
    """TOML of nested tables; lists of tables become arrays of tables, short tables stand in one line."""
    return "\n".join(_lines(table, "")) + "\n"


def _lines(table: dict[str, Any], path: str) -> list[str]:
    lines = [f"{k} = {_value(v)}" for k, v in table.items() if not _is_tables(v) and not _is_deep(v)]
    for key, value in table.items():
        if _is_deep(value):
            lines += ["", f"[{path}{key}]", *_lines(value, f"{path}{key}.")]
        for entry in value if _is_tables(value) else ():
            lines += ["", f"[[{path}{key}]]", *_lines(entry, f"{path}{key}.")]
    return lines


def _is_tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(entry, dict) for entry in value)


def _is_deep(value: Any) -> bool:
    return isinstance(value, dict) and any(_is_tables(entry) for entry in value.values())


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_value(v) for v in value) + "]"
    return repr(value) if isinstance(value, float) else json.dumps(value)


def _key(name: str) -> str:
    return name if name.replace("_", "").isalnum() else json.dumps(name)
