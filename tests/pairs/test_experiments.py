"""Every option of the tables of an experiment and of a tracer study, through the command line.

At reduced size, each option once; `make pairs` runs all pairs at full size.
"""

from pathlib import Path

import experiments
import pytest
import tracers
from commands import run
from covering import covering, pairs_of, touching


def options_of(tables: dict[str, tuple[str, ...]], rows: list[dict[str, str]]) -> set[tuple[str, str]]:
    return {(name, row[name]) for row in rows for name in tables}


def test_covering_sets_cover() -> None:
    tables = {"a": ("1", "2", "3"), "b": ("1", "2"), "c": ("x", "y", "z")}
    rows = covering(tables)
    assert len({pair for row in rows for pair in pairs_of(row, list(tables))}) == 3 * 2 + 3 * 3 + 2 * 3
    assert len(rows) < 3 * 2 * 3
    assert len(options_of(tables, touching(tables))) == 8


@pytest.mark.parametrize("number", range(len(touching(experiments.OPTIONS))))
def test_experiments(number: int, tmp_path: Path) -> None:
    choice = touching(experiments.OPTIONS)[number]
    file = experiments.make(choice, tmp_path)
    outcome = run("simulate", file, "--model", choice["model"], "--output", tmp_path / "results")
    assert not outcome.fault, choice
    assert outcome.code != 2 or "electroneutral model" in outcome.text, outcome.text


@pytest.mark.parametrize("number", range(len(touching(tracers.OPTIONS))))
def test_tracers(number: int, tmp_path: Path) -> None:
    choice = touching(tracers.OPTIONS)[number]
    outcome = run("tracer", tracers.make(choice, tmp_path), "--output", tmp_path / "results")
    assert not outcome.fault, choice
    assert outcome.code != 2, outcome.text
