"""`npp-jax design` from the study file to its results, and one line for each wrong table."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from npp_jax.cli import app

EXPERIMENT = """
schema_version = 1
[sample]
thickness_um = 500.0
permittivity = 9.0
bulk_density_m3 = 1.4e28
[[species]]
name = "Li"
bulk_fraction = 1.0
[species.diffusivity]
law = "sed"
D_bulk_m2_s = 1.3e-18
sed_fwhm_eV = 0.25
vacancy_fraction = 0.1
[[species]]
name = "K"
bulk_fraction = 0.0
[species.diffusivity]
law = "constant"
D_m2_s = 9.7e-22
[[stages]]
front = "ion-beam"
beam = "K"
temperature_K = 350.0
potential_V = 10.0
charge_C_m2 = 200.0
"""

STUDY = """
schema_version = 1
title = "two unknowns"
[[experiments]]
name = "K"
file = "glass.toml"
[[parameters]]
name = "sed_fwhm_eV"
keys = ["Li.sed_fwhm_eV"]
low = 0.15
high = 0.4
[[parameters]]
name = "D_K_m2_s"
keys = ["K.D_m2_s"]
experiments = ["K"]
low = 3e-22
high = 3e-21
scale = "log"
[design]
candidates = 16
[fit]
setting = "fast"
[next]
draws = 2
choose = 2
{goal}
[[next.experiments]]
name = "K"
like = "K"
vary = {{ counts_per_fraction = [1000.0, 10000.0] }}
depth_nm = 150.0
points = 40
{more}
"""

OWN = '[[next.parameters]]\nname = "x"\nkeys = ["K.D_m2_s"]\nlow = 1e-22\nhigh = 1e-21\n'


def written(folder: Path, *, goal: str = "", more: str = "", study: str = STUDY) -> Path:
    (folder / "glass.toml").write_text(EXPERIMENT, encoding="utf-8")
    path = folder / "study.toml"
    path.write_text(study.format(goal=goal, more=more), encoding="utf-8")
    return path


def run(*arguments: object):
    return CliRunner().invoke(app, ["design", *map(str, arguments)])


@pytest.fixture(scope="module")
def designed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("design")
    result = run(written(folder), "--output", folder, "--quiet")
    assert result.exit_code == 0, result.output
    return folder, result.output


def test_more_counts_are_worth_their_logarithm(designed: tuple[Path, str]) -> None:
    folder, _ = designed
    found = json.loads((folder / "study_design.json").read_text(encoding="utf-8"))
    many, few = found["proposals"]
    assert (many["name"], few["name"]) == ("K, counts_per_fraction 10000", "K, counts_per_fraction 1000")
    # Ten times the counts: errors √10 smaller, for two parameters, where the ranges tell nothing in comparison.
    assert many["gain"] - few["gain"] == pytest.approx(np.log2(10.0), rel=0.02)
    today, after = (np.array(found["interval_95_today"]["sed_fwhm_eV"]), np.array(many["interval_95"]["sed_fwhm_eV"]))
    # The range as a normal law of its variance, cut at its lower end.
    assert today == pytest.approx([0.15, 0.25 + 1.959964 * 0.25 / np.sqrt(12.0)], rel=1e-5)
    assert 0.001 < np.ptp(after) < 0.05
    assert found["best"]["sed_fwhm_eV"] == 0.25
    assert found["warnings"] == [
        "nothing was measured: what is known so far are the ranges and priors of the parameters"
    ]


def test_one_set_of_parameters_is_no_average(tmp_path: Path) -> None:
    study = STUDY.replace("draws = 2", "draws = 1")
    assert run(written(tmp_path, study=study), "--output", tmp_path, "--quiet").exit_code == 0
    report = (tmp_path / "study_design_report.md").read_text(encoding="utf-8")
    assert "Gains are those at the best parameters alone." in report


def test_all_files_and_the_sentence(designed: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, output = designed
    report = (folder / "study_design_report.md").read_text(encoding="utf-8")
    assert "Gains are averaged over 2 sets of parameters." in report
    for name in ("study_design.json", "study_design.png", "study_design_report.html"):
        assert (folder / name).stat().st_size > 500
    table = (folder / "study_design.csv").read_text(encoding="utf-8").splitlines()
    assert table[0].startswith("rank,experiment,gain / bit") and len(table) == 4
    assert table[-1].startswith("# ")
    # Its own results are replaced; its figure has the title of the study, which tells synthetic data.
    above: list[str] = []
    monkeypatch.setattr("matplotlib.figure.Figure.suptitle", lambda _, text, **__: above.append(text))
    assert run(folder / "study.toml", "--output", folder, "--quiet").exit_code == 0
    assert above == ["two unknowns"]
    assert "Of 2 proposals 'K, counts_per_fraction 10000' tells most" in output
    # The D-criterion is of the volume: each of two errors needs a bit of its own.
    assert "2 bits halve all errors, one each" in output


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"goal": 'goal = "width"'}, "next.goal = 'width'; known are D, A, E, sed_fwhm_eV, D_K_m2_s"),
        ({"more": 'set = { "stages.0.volts" = 3.0 }'}, "volts"),
        ({"more": 'set = { "Na.D_m2_s" = 3.0 }'}, "'Na.D_m2_s' has no place"),
        ({"more": 'ions = ["Na"]'}, "ions = 'Na'; known are Li, K"),
        ({"more": "first_depth_nm = 150.0"}, "must be less than depth_nm = 150"),
        ({"more": 'output = 4'}, "output = 4"),
        # Told when the file is read: it came after the fit, without the name of the proposal.
        ({"more": 'set = { "stages.0.charge_C_m2" = 1e8 }'}, "'K, counts_per_fraction 1000': stages[0]: 1e+08 C/m²"),
        ({"more": 'sigma = 0.1'}, "counts_per_fraction or sigma is needed"),
        ({"more": 'likes = "K"'}, "did you mean 'like'"),
        ({"more": '[[next.experiments]]\nname = "Rb"\ndepth_nm = 100.0\nsigma = 0.1'}, "like or file is needed"),
        ({"more": '[[next.experiments]]\nname = "Rb"\nlike = "Rb"\ndepth_nm = 100.0\nsigma = 0.1'}, "known are K"),
        ({"more": '[[next.experiments]]\nname = "Rb"\nfile = "no.toml"\ndepth_nm = 9.0\nsigma = 0.1'}, "no.toml"),
        (
            {"more": OWN + 'experiments = ["L"]'},
            "experiments = 'L'; known are K",
        ),
        (
            {"more": OWN},
            "set the same number",
        ),
    ],
)  # fmt: skip
def test_wrong_tables_end_in_one_line(options: dict[str, str], told: str, tmp_path: Path) -> None:
    result = run(written(tmp_path, **options), "--output", tmp_path)
    assert result.exit_code == 2
    assert told in result.output and result.output.count("\n") == 1, result.output
    assert "study.toml" in result.output or "no.toml" in result.output


def test_a_study_without_proposals_is_told_what_to_write(tmp_path: Path) -> None:
    path = written(tmp_path, study=STUDY.partition("[next]")[0])
    result = run(path, "--output", tmp_path)
    assert result.exit_code == 2 and "no table [next]" in result.output


@pytest.fixture(scope="module")
def after_a_fit(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A design of the same proposals where a synthetic profile was measured and is fitted first."""
    folder = tmp_path_factory.mktemp("after_a_fit")
    depth = np.arange(1.0, 150.0, 3.0)
    own = 0.97 / (1.0 + np.exp((depth - 60.0) / 1.5))
    rows = [f"{x},{1.0 - c},0.02,{c},0.02" for x, c in zip(depth, own, strict=True)]
    (folder / "K.csv").write_text("\n".join(["depth_nm,Li,Li_sigma,K,K_sigma", *rows, ""]), encoding="utf-8")
    measured = 'profile = "K.csv"\n[[parameters]]'
    study = STUDY.replace("[[parameters]]", measured, 1).replace('"fast"', '"fast"\nstarts = 1\niterations = 8')
    result = run(written(folder, study=study), "--output", folder, "--quiet")
    assert result.exit_code == 0, result.output
    return json.loads((folder / "study_design.json").read_text(encoding="utf-8"))


@pytest.mark.slow
def test_what_was_fitted_is_known_to_the_design(after_a_fit: dict[str, Any], designed: tuple[Path, str]) -> None:
    folder, _ = designed
    before = json.loads((folder / "study_design.json").read_text(encoding="utf-8"))
    for name in ("sed_fwhm_eV", "D_K_m2_s"):
        now = np.ptp(after_a_fit["interval_95_today"][name])
        # The profile tells more than the range, and more is known after each proposal.
        assert now < 0.5 * np.ptp(before["interval_95_today"][name])
        assert all(np.ptp(row["interval_95"][name]) < now for row in after_a_fit["proposals"])
    many, few = after_a_fit["proposals"]
    # Less than the logarithm that two unknowns would gain by ten times the counts.
    assert 0.0 < many["gain"] - few["gain"] < np.log2(10.0)
    assert "nothing was measured" not in " ".join(after_a_fit["warnings"])
