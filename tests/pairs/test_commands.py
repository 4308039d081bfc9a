"""Every shipped file and every documented command, through the command line, at reduced size."""

import shutil
import tomllib
from pathlib import Path

import numpy as np
import pytest
from commands import command_of, documented, run
from toml_text import dumps

ROOT = Path(__file__).parents[2]


def reduced(file: Path, folder: Path) -> Path:
    """Copy of the folder of a shipped study, the study with few candidates and iterations."""
    shutil.copytree(file.parent, folder, dirs_exist_ok=True)
    table = tomllib.loads(file.read_text(encoding="utf-8"))
    if "design" in table:
        table["design"] = table["design"] | ({"candidates": 8} if "candidates" in table["design"] else {})
        table["fit"] = table.get("fit", {}) | {"starts": 1, "iterations": 2, "profile_points": 1}
    (folder / file.name).write_text(dumps(table), encoding="utf-8")
    return folder / file.name


SHIPPED = [(file, command_of(file)) for file in sorted((ROOT / "sweeps").glob("*.toml"))]

# The commands of README.md run one_distribution; a couple in free form is fitted in tests/fitting/test_couple.py.
LONGEST = {
    "couple_free_form",
    "current_traces",
    "double_cait_rubidium_caesium",
    "everything_measured",
    "next_experiment",
    "one_distribution",
    "rival_distributions",
    "rival_physics",
    "two_step_exchange",
}


def test_every_kind_is_shipped() -> None:
    assert {command for _, command in SHIPPED} == {"simulate", "fit", "design", "tracer"}


@pytest.mark.parametrize(
    ("file", "command"),
    [pytest.param(file, command, marks=pytest.mark.slow if file.stem in LONGEST else ()) for file, command in SHIPPED],
    ids=[file.stem for file, _ in SHIPPED],
)
def test_shipped_files(file: Path, command: str, tmp_path: Path) -> None:
    table = tomllib.loads(file.read_text(encoding="utf-8"))
    # Fits of one model are those of other tests; the data and the simulation are seen by a sweep.
    command = "sweep" if command == "fit" else command
    profile = table.get("profile", {}).get("file")
    if profile and not (file.parent / profile).exists():
        pytest.skip(f"{profile} is imported from a measurement that is not shipped; tests/commands/test_tracer.py does")
    model = ["--model", "full"] if file.stem == "thermal_poling" else []
    outcome = run(command, reduced(file, tmp_path), *model, "--output", tmp_path / "results")
    assert not outcome.fault and outcome.code != 2, outcome


WITH_RIVALS = [file for file, command in SHIPPED if command == "fit" and "[[fit.rivals]]" in file.read_text("utf-8")]


@pytest.mark.slow
@pytest.mark.parametrize("file", WITH_RIVALS, ids=[file.stem for file in WITH_RIVALS])
def test_rivals_of_shipped_files(file: Path, tmp_path: Path) -> None:
    outcome = run("fit", reduced(file, tmp_path), "--output", tmp_path / "results")
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


@pytest.mark.slow
def test_commands_of_the_page_how_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its shipped files run in `test_shipped_files`; the others are made and read here."""
    commands = documented(ROOT / "docs" / "howto.md")
    assert {command[0] for command in commands} == {"new", "check", "simulate", "sweep", "info"}
    monkeypatch.chdir(tmp_path)
    for command in commands:
        if command[0] in ("simulate", "sweep"):
            assert (ROOT / command[1]).is_file()
            continue
        outcome = run(*command)
        assert not outcome.fault and outcome.code in (0, 3), (command, outcome)
