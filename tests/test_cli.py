"""The command line as a user meets it: results on disk, exit codes, one line for wrong input."""

import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from npp_jax.io.results import read_solution

STUDY = Path(__file__).parents[1] / "sweeps" / "lithium_borate_K.toml"


def _run(*arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "npp_jax", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    done = _run("simulate", STUDY, "--output", folder, "--csv", folder / "csv")
    assert done.returncode == 0, done.stderr
    assert "status: done" in done.stdout
    return folder


def test_writes_results(results: Path) -> None:
    solution = read_solution(results / "lithium_borate_K.h5")
    assert float(solution.front_depth[0]) == pytest.approx(100e-9, rel=0.02)
    table = np.genfromtxt(results / "csv" / "profiles_1.csv", delimiter=",", names=True)
    assert table.dtype.names == ("depth_nm", "Li", "K", "potential_V", "field_V_m", "excess_charge_fraction")
    np.testing.assert_allclose(table["Li"], solution.fraction[0, 0], rtol=1e-8)
    assert table["potential_V"][0] == pytest.approx(10.0)
    assert table["potential_V"][-1] == 0.0
    trace = np.genfromtxt(results / "csv" / "trace.csv", delimiter=",", names=True)
    assert np.all(np.diff(trace["time_s"]) > 0.0)
    with h5py.File(results / "lithium_borate_K.h5") as file:
        assert file["fraction"].dims[1].label == "species"
        assert file["fraction"].dims[2][0].name == "/point"
        assert file["depth"].attrs["units"] == "m"
        assert "sed_fwhm_eV" in file.attrs["experiment"]


def test_draws_stored_result_again(results: Path) -> None:
    figure = results / "again.png"
    done = _run("plot", results / "lithium_borate_K.h5", "--output", figure)
    assert done.returncode == 0, done.stderr
    assert figure.stat().st_size > 10_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, "No such file"),
        ("schema_version = ", "not a TOML file"),
        ("schema_version = 2", "schema_version"),
        (STUDY.read_text().replace("potential_V = 10.0", "potential_V = 1e6"), "potential_V = 1000000.0"),
        (STUDY.read_text().replace('beam = "K"', 'beam = "Li"'), "bulk"),
    ],
    ids=["no-file", "no-toml", "version", "potential", "native-beam"],
)
def test_wrong_input(tmp_path: Path, text: str | None, expected: str) -> None:
    path = tmp_path / "case.toml"
    if text is not None:
        path.write_text(text)
    done = _run("simulate", path)
    assert done.returncode == 2
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("npp-jax: ")
    assert expected in last
    assert "Traceback" not in done.stderr
