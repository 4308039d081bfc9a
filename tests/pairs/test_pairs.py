"""Every option of the tables of a file, every shipped file and every documented command, through the command line.

At reduced size, each option once; `make pairs` runs all pairs at full size.
"""

import shutil
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import npp_jax.commands.fit.run as fit_run
import npp_jax.commands.simulate as simulate_run
import npp_jax.commands.sweep as sweep_run
import npp_jax.sweeping.screening as screening
from npp_jax.simulation.simulate import ACCURATE, FAST

sys.path.insert(0, str(Path(__file__).parent))

import experiments
import studies
import tracers
from commands import documented, run
from covering import covering, pairs_of, touching
from toml_text import dumps

ROOT = Path(__file__).parents[2]
SMALL = replace(FAST, cells_behind=24, cells_ahead=12, steps=4, iterations=4, extra_iterations=(4,), landings=1)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Meshes and steps that show whether a command comes to its end; numbers are the business of other tests."""
    settings = {"accurate": SMALL, "fast": SMALL}
    monkeypatch.setattr(simulate_run, "_SETTINGS", settings)
    monkeypatch.setattr(simulate_run, "LEVELS", 0)
    monkeypatch.setattr(fit_run, "_SETTINGS", settings)
    monkeypatch.setattr(sweep_run, "FAST", SMALL)
    monkeypatch.setattr(screening, "SCREENING", replace(SMALL, companion=False, observables=False))
    assert ACCURATE is not SMALL


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


SWEEPS = touching({name: options for name, options in studies.OPTIONS.items() if name not in studies.OF_FITS})
FITS = touching({name: studies.OPTIONS[name] for name in studies.OF_FITS})
PLAIN = {name: options[0] for name, options in studies.OPTIONS.items()}


@pytest.mark.parametrize(
    "choice",
    [*({**PLAIN, **row, "command": "sweep"} for row in SWEEPS), *({**PLAIN, **row, "command": "fit"} for row in FITS)],
    ids=lambda choice: f"{choice['command']}, {choice['design']}, {choice['rival']}",
)
def test_studies(choice: dict[str, str], tmp_path: Path) -> None:
    outcome = run(choice["command"], studies.make(choice, tmp_path), "--output", tmp_path / "results")
    assert not outcome.fault, choice
    assert outcome.code != 2, outcome.text


@pytest.mark.parametrize("number", range(len(touching(tracers.OPTIONS))))
def test_tracers(number: int, tmp_path: Path) -> None:
    choice = touching(tracers.OPTIONS)[number]
    outcome = run("tracer", tracers.make(choice, tmp_path), "--output", tmp_path / "results")
    assert not outcome.fault, choice
    assert outcome.code != 2, outcome.text


def reduced(file: Path, folder: Path) -> Path:
    """Copy of the folder of a shipped study, the study with few candidates and iterations."""
    shutil.copytree(file.parent, folder, dirs_exist_ok=True)
    table = tomllib.loads(file.read_text(encoding="utf-8"))
    if "design" in table:
        table["design"] = table["design"] | ({"candidates": 8} if "candidates" in table["design"] else {})
        table["fit"] = table.get("fit", {}) | {"starts": 1, "iterations": 2, "profile_points": 1}
    (folder / file.name).write_text(dumps(table), encoding="utf-8")
    return folder / file.name


SHIPPED = sorted(file for file in (ROOT / "sweeps").glob("*.toml") if "\nkind = " not in file.read_text("utf-8"))


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_shipped_files(file: Path, tmp_path: Path) -> None:
    is_study = "[[parameters]]" in file.read_text(encoding="utf-8")
    command = "sweep" if is_study else "simulate"
    model = [] if is_study or file.stem != "thermal_poling" else ["--model", "full"]
    outcome = run(command, reduced(file, tmp_path), *model, "--output", tmp_path / "results")
    assert not outcome.fault and outcome.code != 2, outcome


NEEDS_A_CLUSTER = ("--scheduler",)


def test_documented_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of README.md, in the order of the page: later ones draw what earlier ones made."""
    reduced(ROOT / "sweeps" / "one_distribution.toml", tmp_path / "sweeps")
    rng = np.random.default_rng(3)
    front = 1.0 / (1.0 + np.exp((np.arange(150) - 50.0) / 2.0))
    counts = np.stack([rng.poisson(900.0 * (1.0 - 0.85 * front)), rng.poisson(20.0 + 400.0 * front)])
    rows = [f"{2 * k},{li},{na}" for k, (li, na) in enumerate(counts.T)]
    (tmp_path / "profile.txt").write_text("\n".join(["time_s,7Li+ (counts),39K+ (counts)", *rows]))
    monkeypatch.chdir(tmp_path)
    commands = [c for c in documented(ROOT / "README.md") if not set(NEEDS_A_CLUSTER) & set(c)]
    assert {command[0] for command in commands} >= {
        "simulate",
        "sweep",
        "fit",
        "plot",
        "export",
        "tracer",
        "import-sims",
    }
    for command in commands:
        outcome = run(*command)
        assert not outcome.fault and outcome.code != 2, (command, outcome)
