"""Experiments and tables that are written read as what they were."""

import tomllib
from pathlib import Path

import jax
import numpy as np
import pytest

from npp_jax import load_experiment
from npp_jax.files.experiment_out import experiment_table
from npp_jax.files.toml import toml_table
from npp_jax.files.toml_out import toml_of

SWEEPS = Path(__file__).parents[2] / "sweeps"
EXPERIMENTS = [file for file in sorted(SWEEPS.glob("*.toml")) if "sample" in toml_table(file)]


@pytest.mark.parametrize("file", EXPERIMENTS, ids=lambda file: file.stem)
def test_an_experiment_is_written_as_it_was_read(file: Path, tmp_path: Path):
    experiment = load_experiment(file)
    table, traces = experiment_table(experiment, "again")
    (tmp_path / "again.toml").write_text(toml_of(table, comment="made\nby a test"), encoding="utf-8")
    for name, text in traces.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    again = load_experiment(tmp_path / "again.toml")
    assert jax.tree.structure(again) == jax.tree.structure(experiment)
    for one, other in zip(jax.tree.leaves(experiment), jax.tree.leaves(again), strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-14)


def test_a_trace_is_written_beside_its_experiment(tmp_path: Path):
    text = (SWEEPS / "lithium_borate_K.toml").read_text(encoding="utf-8")
    (tmp_path / "K.toml").write_text(text.replace("potential_V = 10.0", 'potential_trace = "U.csv"'), encoding="utf-8")
    (tmp_path / "U.csv").write_text("time_s,potential_V\n0,10\n300,12.5\n400000,9\n", encoding="utf-8")
    table, traces = experiment_table(load_experiment(tmp_path / "K.toml"), "again")
    assert table["stages"][0]["potential_trace"] in traces
    (tmp_path / "again.toml").write_text(toml_of(table), encoding="utf-8")
    for name, trace in traces.items():
        (tmp_path / name).write_text(trace, encoding="utf-8")
    drives = [load_experiment(tmp_path / name).stages[0].front.potential for name in ("K.toml", "again.toml")]
    np.testing.assert_array_equal(drives[0].value, drives[1].value)
    np.testing.assert_array_equal(drives[0].time, drives[1].time)


def test_tables_read_as_they_were_written():
    table = {
        "text": 'quotes " and \\ and\ttabs and µ',
        "numbers": [1, 2.5, 1e-22, -0.1, 1e300],
        "yes": True,
        "odd key": {"inner": {"deep": [{"a": 1}, {"a": 2, "b": {"c": "d"}}]}},
        "rows": [{"x": 1.0}, {"x": 2.0, "list": []}],
    }
    assert tomllib.loads(toml_of({**table, "nothing": None}, comment="a comment")) == table
