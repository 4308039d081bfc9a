"""A small sweep through the command line, and the commands in this process."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from npp_jax.cli import app

SWEEPS = Path(__file__).parents[2] / "sweeps"

STUDY = """schema_version = 1
title = "a trace"

[[experiments]]
name = "K"
file = "K.toml"
profile = "K.csv"
counts_per_fraction = 2000.0
likelihood = { kind = "poisson" }

[[parameters]]
name = "D_K_m2_s"
keys = ["K.D_m2_s"]
low = 3e-22
high = 3e-21
scale = "log"

[design]
kind = "table"
file = "candidates.csv"

[sweep]
error_estimate = false
"""


Run = Callable[..., tuple[int, str]]


@pytest.fixture(scope="session")
def run() -> Run:
    """Runs a command: exit code and all that it prints."""

    def command(*arguments: object) -> tuple[int, str]:
        done = CliRunner().invoke(app, [str(argument) for argument in arguments])
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.exit_code, done.output

    return command


@pytest.fixture(scope="session")
def swept(tmp_path_factory: pytest.TempPathFactory, run: Run) -> Path:
    """A study of one experiment under a trace, and its sweep."""
    folder = tmp_path_factory.mktemp("swept")
    experiment = (SWEEPS / "lithium_borate_K.toml").read_text(encoding="utf-8")
    driven = re.sub(r"potential_V = .*", 'potential_trace = "trace.csv"', experiment)
    (folder / "K.toml").write_text(driven, encoding="utf-8")
    shutil.copy(SWEEPS / "synthetic" / "K.csv", folder)
    (folder / "trace.csv").write_text("time_s,potential_V\n0,10\n400000,10\n", encoding="utf-8")
    (folder / "candidates.csv").write_text("D_K_m2_s\n5e-22\n1e-21\n2e-21\n", encoding="utf-8")
    (folder / "study.toml").write_text(STUDY, encoding="utf-8")
    code, text = run("sweep", folder / "study.toml", "--output", folder, "--no-figures", "--quiet")
    assert code == 0, text
    return folder


@pytest.fixture
def folder(swept: Path, tmp_path: Path) -> Path:
    """A copy of it, elsewhere."""
    return Path(shutil.copytree(swept, tmp_path / "moved"))
