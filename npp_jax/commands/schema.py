"""JSON Schema of the files that people write, for editors: what `npp-jax schema` prints."""

import functools
import json
import operator
from collections.abc import Iterator
from typing import Any, Literal, get_args

from pydantic import TypeAdapter

from npp_jax.commands.examples import example_of
from npp_jax.commands.tracer.study import ArrheniusStudy, ChainStudy, EvolutionStudy, MapStudy, ProfileStudy
from npp_jax.files.errors import ConfigTable
from npp_jax.files.experiment_tables import ExperimentTable
from npp_jax.files.study_tables import StudyTable

Kind = Literal["experiment", "study", "tracer"]

ROOTS: dict[Kind, tuple[type[ConfigTable], ...]] = {
    "experiment": (ExperimentTable,),
    "study": (StudyTable,),
    "tracer": (ProfileStudy, EvolutionStudy, ChainStudy, MapStudy, ArrheniusStudy),
}
"""Tables of whole files."""

_TITLES = {
    "experiment": "Experiment file of npp_jax",
    "study": "Study file of npp_jax",
    "tracer": "Tracer study of npp_jax",
}


def schema_of(kind: Kind) -> dict[str, Any]:
    """JSON Schema of a kind of file, with the meaning, range and an example of each key."""
    roots = ROOTS[kind]
    if len(roots) == 1:
        found = roots[0].model_json_schema()
    else:
        found = TypeAdapter(functools.reduce(operator.or_, roots)).json_schema()
        # Each has a `kind` of its own.
        found["oneOf"] = found.pop("anyOf")
    with_examples = {table.__name__: table for root in roots for table in tables_of(root)}
    for name, part in [(roots[0].__name__, found), *found.get("$defs", {}).items()]:
        table = with_examples.get(name)
        for key, entry in part.get("properties", {}).items() if table is not None else ():
            example = example_of(name, key)
            if example is not None:
                entry["examples"] = [example]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **_without_null(found), "title": _TITLES[kind]}


def schema_text(kind: Kind) -> str:
    """The same as text."""
    return json.dumps(schema_of(kind), indent=2, ensure_ascii=False)


def tables_of(root: type[ConfigTable]) -> list[type[ConfigTable]]:
    """A table and all that stand in it, each once, in the order of the keys."""
    found = [root]
    for field in root.model_fields.values():
        for inner in _inner(field.annotation):
            found += [table for table in tables_of(inner) if table not in found]
    return found


def _inner(annotation: Any) -> Iterator[type[ConfigTable]]:
    if isinstance(annotation, type) and issubclass(annotation, ConfigTable):
        yield annotation
    for part in get_args(annotation):
        yield from _inner(part)


def _without_null(part: Any) -> Any:
    """A schema without nulls, which TOML does not know: what may be missing is not required."""
    match part:
        case {"anyOf": [*options], **rest} if {"type": "null"} in options:
            kept = [option for option in options if option != {"type": "null"}]
            one = kept[0] if len(kept) == 1 else {"anyOf": kept}
            return _without_null({**one, **{k: v for k, v in rest.items() if not (k == "default" and v is None)}})
        case dict():
            return {key: _without_null(value) for key, value in part.items()}
        case list():
            return [_without_null(value) for value in part]
    return part
