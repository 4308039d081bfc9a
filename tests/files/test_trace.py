"""Traces beside an experiment file: each wrong one is told in one line."""

from pathlib import Path

import pytest

from npp_jax.files import ConfigError
from npp_jax.files.trace import read_trace
from npp_jax.physics.limits import above

HEAD = "time_s,potential_V\n"

WRONG = {
    "clock times": ("100000,5\n157600,6\n", "from 0 to 57600 s, its trace from 100000 to 157600 s; these look like"),
    "clock times hint": ("100000,5\n157600,6\n", "subtract the start, 100000 s"),
    "ends early": ("0,5\n28800,6\n", "from 0 to 57600 s, its trace from 0 to 28800 s"),
    "hours": ("0,5\n16,6\n", "are the times in hours?"),
    "minutes": ("0,5\n960,6\n", "are the times in minutes?"),
    "back in time": ("0,5\n30,6\n20,7\n57600,7\n", "line 4: time_s = 20 comes after 30; times must increase"),
    "twice": ("0,5\n30,6\n30,7\n57600,7\n", "line 4: time_s = 30 comes after 30"),
    "nan": ("0,5\n30,nan\n57600,7\n", "line 3: potential_V = nan is not a finite number"),
    "one point": ("0,5\n", "1 rows; a trace needs two or more"),
    "text": ("0,5\n30,high\n", "line 3, column 'potential_V': 'high' is not a number"),
    "negative": ("0,5\n30,-5\n57600,7\n", "potential_V = -5: must be greater than 0"),
    "never on": ("0,0\n57600,0\n", "must be greater than 0"),
    "ragged": ("0,5\n30\n57600,7\n", "line 3: 1 fields, the header has 2"),
}


def read(path: Path, text: str, duration: float | None = 57600.0, charge: float | None = None):
    path.write_text(text, encoding="utf-8")
    return read_trace(path, "potential_V", above(0.0, 1e5), duration=duration, charge=charge)


@pytest.mark.parametrize("name", WRONG)
def test_wrong_trace_is_one_line(name: str, tmp_path: Path):
    rows, expected = WRONG[name]
    with pytest.raises(ConfigError) as caught:
        read(tmp_path / "trace.csv", HEAD + rows)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing\n",
        "time_h,potential_kA\n0,1\n",
        "0,5\n10,6\n",
        "Zeit (s);U\n0;1\n",
        "time_s,U (V),V (V)\n0,1,2\n",
    ],
)
def test_wrong_columns_are_one_line(text: str, tmp_path: Path):
    with pytest.raises(ConfigError, match="columns time_s and potential_V"):
        read(tmp_path / "trace.csv", text)


def test_charge_that_the_trace_does_not_carry(tmp_path: Path):
    with pytest.raises(ConfigError, match="charge of 300 C/m², its trace at 100 s and 200 C/m²"):
        read(tmp_path / "trace.csv", HEAD + "0,1\n100,3\n", None, 300.0)
    with pytest.raises(ConfigError, match="starts at 0 s, its trace at 1000 s"):
        read(tmp_path / "trace.csv", HEAD + "1000,1\n1100,3\n", None, None)


def test_what_is_read(tmp_path: Path):
    drive = read(tmp_path / "trace.csv", "\ufeff# amplifier\n" + HEAD + "-100,1\n100,3\n57000,0\n57500,-0.001\n")
    assert drive.time is not None
    assert drive.time.tolist() == [0.0, 100.0, 57000.0, 57500.0]
    assert drive.value.tolist() == [2.0, 3.0, 0.0, 0.0]
