"""A fit of the composition of a melt and of its rate of exchange, from the command line."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from npp_jax.cli import app

MELT = Path(__file__).parent / "melt"


@pytest.mark.slow
def test_the_melt_is_found(tmp_path: Path):
    result = CliRunner().invoke(app, ["fit", str(MELT / "study.toml"), "--output", str(tmp_path)])
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "study_fit.json").read_text(encoding="utf-8"))["fit"]["parameters"]
    for name, truth in (("share_K", 0.6), ("exchange_rate_m_s", 5e-12)):
        low, high = found[name]["interval_95"]
        assert low < truth < high and high - low < 0.2 * truth


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("high = 0.9", "high = 1.2", "stages.0.reservoir_fraction.K: the upper ends of the ranges add up to 1.2"),
        (".reservoir_fraction.K", ".reservoir_fraction.Rb", "did you mean 'stages.0.reservoir_fraction."),
        (".exchange_rate_m_s", ".reservoir_fraction.K", "'share_K' (stages.0.reservoir_fraction.K) and 'exchange_rate"),
        (
            "high = 5e-11",
            "high = 2.0",
            "exchange_rate_m_s: high = 2: stages.0.exchange_rate_m_s must be greater than 0",
        ),
        (
            "profile_points = 0",
            "profile_points = 0\n[[fit.rivals]]\nname = 'r'\nset = { 'stages.0.exchange_rate_m_s' = 1e-11 }",
            "rival 'r': set = 'stages.0.exchange_rate_m_s' has no effect, 'exchange_rate_m_s' varies it",
        ),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, old: str, new: str, message: str):
    for file in MELT.iterdir():
        text = file.read_text(encoding="utf-8")
        (tmp_path / file.name).write_text(text.replace(old, new) if file.stem == "study" else text, encoding="utf-8")
    result = CliRunner().invoke(app, ["fit", str(tmp_path / "study.toml"), "--output", str(tmp_path / "out")])
    assert result.exit_code == 2 and message in result.stderr and result.stderr.count("\n") == 1, result.output
