"""Schemas and reference pages say what the readers take: of files of sweeps/ and of those of `npp-jax new`."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from npp_jax.commands.examples import example_of
from npp_jax.commands.new.options import Options
from npp_jax.commands.new.run import make_files
from npp_jax.commands.reference import page, type_text
from npp_jax.commands.schema import ROOTS, schema_of, tables_of
from npp_jax.files.limits import limits_of

PROJECT = Path(__file__).parents[2]
FILES = sorted((PROJECT / "sweeps").glob("*.toml"))


def kind_of(table: dict[str, Any]) -> str:
    return "tracer" if "kind" in table else "study" if "experiments" in table else "experiment"


@pytest.fixture(scope="module")
def validators() -> dict[str, Any]:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema of the extra dev is not installed")
    schemas = {kind: schema_of(kind) for kind in ("experiment", "study", "tracer")}
    for schema in schemas.values():
        jsonschema.Draft202012Validator.check_schema(schema)
    return {kind: jsonschema.Draft202012Validator(schema) for kind, schema in schemas.items()}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_files_of_the_repository_are_as_the_schema_says(path: Path, validators: dict[str, Any]) -> None:
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    validator = validators[kind_of(table)]
    assert [error.message for error in validator.iter_errors(table)] == []
    assert list(validator.iter_errors({**table, "titel": "misspelled"}))


@pytest.mark.parametrize("kind", ["cait", "melt", "poling", "tracer"])
def test_new_files_are_as_the_schema_says(kind: str, tmp_path: Path, validators: dict[str, Any]) -> None:
    ions = {} if kind == "tracer" else {"native": "Na", "foreign": "K"}
    drafts, _ = make_files(kind, Options(**ions), tmp_path)
    for draft in drafts:
        if draft.name.endswith(".toml"):
            table = tomllib.loads(draft.text)
            assert [error.message for error in validators[kind_of(table)].iter_errors(table)] == []


@pytest.mark.parametrize("kind", ["experiment", "study", "tracer", "tables"])
def test_pages_are_those_of_the_tables(kind: str) -> None:
    written = (PROJECT / "docs" / f"keys_{kind}.md").read_text(encoding="utf-8")
    assert written == page(kind), f"docs/keys_{kind}.md is stale: python docs/make_reference.py writes it anew"


def test_every_key_has_a_meaning_and_an_example_in_its_range() -> None:
    for table in dict.fromkeys(t for roots in ROOTS.values() for root in roots for t in tables_of(root)):
        for key, field in table.model_fields.items():
            assert field.description, f"{table.__name__}.{key}"
            if "table" in type_text(field.annotation).split(": ")[-1].split():
                continue
            example = example_of(table.__name__, key)
            assert example is not None, f"{table.__name__}.{key}"
            numbers = [v for v in (example if isinstance(example, list) else [example]) if isinstance(v, float | int)]
            assert all(limits_of(field).hold(float(value)) for value in numbers), f"{table.__name__}.{key}"
