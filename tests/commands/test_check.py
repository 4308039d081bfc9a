"""`npp-jax check`: reads every kind of file, tells units and ranges, warns of what has no effect or cannot be."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from npp_jax.commands.check.experiment import experiment_warnings
from npp_jax.commands.check.measured import measured_lines, measured_warnings
from npp_jax.commands.check.misfit import Seen, cause
from npp_jax.commands.check.study import _far_record
from npp_jax.files import load_experiment
from npp_jax.files.study import load_study
from npp_jax.files.study_tables import ExperimentEntry
from npp_jax.observe import Record

SWEEPS = Path(__file__).parents[2] / "sweeps"

Run = Callable[..., tuple[int, str]]

STUDY = """schema_version = 1
title = "one profile, synthetic"

[[experiments]]
name = "K"
file = "GLASS"
profile = "PROFILE"
counts_per_fraction = 2000.0

[[experiments]]
name = "unmeasured"
file = "GLASS"
depth_scale = 1.1

[[parameters]]
name = "width_eV"
keys = ["Li.sed_fwhm_eV"]
low = 0.3
high = 0.4

[[parameters]]
name = "sensitivity_K"
keys = ["observation.K.sensitivity"]
experiments = ["K"]
low = 0.01
high = 2.0

[truth]
width_eV = 0.25
"""


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with keys that have no effect, beside an experiment whose charge is not that of the profile."""
    folder = tmp_path_factory.mktemp("checked")
    glass = (SWEEPS / "lithium_borate_K.toml").read_text(encoding="utf-8")
    (folder / "glass.toml").write_text(glass.replace("charge_mC_cm2 = 20.1", "charge_mC_cm2 = 40.0"), encoding="utf-8")
    text = STUDY.replace("GLASS", "glass.toml").replace("PROFILE", (SWEEPS / "synthetic" / "K.csv").as_posix())
    (folder / "study.toml").write_text(text, encoding="utf-8")
    return folder / "study.toml"


def test_a_study_is_told_and_drawn(study: Path, tmp_path: Path, run: Run) -> None:
    code, text = run("check", study, "--output", tmp_path)
    assert code == 0, text
    assert "160 points from 0.5 to 159.5 nm" in text and "20.6 mC/cm²" in text
    # The unit is that of the key: a sensitivity of K is no temperature.
    rows = [" ".join(line.split()) for line in text.splitlines()]
    assert "width_eV 0.25 eV 0.3 … 0.4 linear Li.sed_fwhm_eV all" in rows
    assert "sensitivity_K 1 0.01 … 2 linear observation.K.sensitivity K" in rows
    for told in (
        "width_eV: the file has 0.25, outside of the range 0.3 … 0.4",
        "truth: width_eV = 0.25 is outside of its range 0.3 … 0.4",
        "sensitivity_K: the range spans a factor of 200",
        "unmeasured: depth_scale has no effect without a profile",
        "K: the counts are known",
        "K: the profile holds 206 C/m², 400 C/m² were passed",
        "K: the front of the start lies at",
    ):
        assert f"warning: {told}" in text, told
    figure = tmp_path / "study_check.png"
    assert figure.stat().st_size > 20_000
    # It is replaced by its like alone.
    assert run("check", study, "--output", tmp_path, "--no-figures")[0] == 0
    figure.write_text("notes", encoding="utf-8")
    code, text = run("check", study, "--output", tmp_path)
    assert code == 2 and "--force to replace it" in text and figure.read_text(encoding="utf-8") == "notes"


def test_an_experiment_tells_its_keys_with_units_and_ranges(study: Path, tmp_path: Path, run: Run) -> None:
    glass = study.with_name("glass.toml")
    code, text = run("check", glass, "--output", tmp_path)
    assert code == 0, text
    rows = [" ".join(line.split()) for line in text.splitlines()]
    assert "stages.0.temperature_K 350 K ≥ 50, ≤ 2000" in rows and rows[-1] == "nothing looks wrong"
    more = '\n[[species]]\nname = "Na"\nbulk_fraction = 0.0\n[species.diffusivity]\nlaw = "constant"\nD_m2_s = 1e-20\n'
    (tmp_path / "glass.toml").write_text(glass.read_text(encoding="utf-8") + more, encoding="utf-8")
    (told,) = experiment_warnings(load_experiment(tmp_path / "glass.toml"))
    assert told == "Na is not in the bulk, and no stage brings it: it plays no part"


def test_where_a_start_is_far_from_the_data_is_told() -> None:
    depth = np.linspace(0.5, 159.5, 160)
    model = np.stack([np.where(depth < 100.0, 0.1, 1.0), np.where(depth < 100.0, 0.9, 0.0)])

    def told(change: np.ndarray) -> str:
        chi2 = np.sum((change / 0.01) ** 2, axis=0) + 2.0
        return cause(Seen(("Li", "K"), depth, model + change, model, chi2, (100.0, 4.0)))

    ones = np.ones((2, 1))
    assert "above 6.5 nm: a transient of sputtering? first_depth_nm = 6.5" in told(ones * 0.3 * (depth < 6.0))
    assert "in the bulk, where Li is 0.72 in the profile and 1 in the model" in told(-0.28 * model)
    assert "at the front, from 75.5 to 124.5 nm" in told(ones * 0.5 * (np.abs(depth - 110.0) < 10.0))
    assert "behind the front" in told(np.outer([0.05, -0.05], depth < 100.0))
    assert told(0.0 * model) == "see the figure"
    # One point far below leaves nothing to fit below a transient.
    deep = np.concatenate([depth, [6e5]])
    more = np.concatenate([model, [[1.0], [0.0]]], axis=1)
    chi2 = np.where(deep < 1e5, 30.0, 1.0)
    assert "transient" not in cause(Seen(("Li", "K"), deep, more, more, chi2, (100.0, 4.0)))


@pytest.mark.parametrize("name", ["profile", "evolution", "chain", "map"])
def test_tracer_studies_are_told_and_drawn(name: str, tmp_path: Path, run: Run) -> None:
    code, text = run("check", SWEEPS / f"tracer_{name.replace('profile', 'exchange')}.toml", "--output", tmp_path)
    assert code == 0, text
    assert "nothing looks wrong" in text and len(list(tmp_path.glob("*_check.png"))) == 1


@pytest.mark.parametrize("swapped", [False, True])
def test_a_base_that_is_that_of_the_other_isotope_is_told(swapped: bool, tmp_path: Path, run: Run) -> None:
    x = np.linspace(0.5, 100.0, 50)
    light = np.round(2000.0 * (0.08 + 0.5 * np.exp(-x / 20.0)))
    pairs = (2000.0 - light, light) if swapped else (light, 2000.0 - light)
    rows = "".join(f"{at},{a:g},{b:g}\n" for at, a, b in zip(x, *pairs, strict=True))
    (tmp_path / "p.csv").write_text(f"depth_um,light_counts,heavy_counts\n{rows}", encoding="utf-8")
    text = 'schema_version = 1\nkind = "profile"\n[profile]\nfile = "p.csv"\n[model]\nduration_h = 10.0\n'
    (tmp_path / "study.toml").write_text(f"{text}start_D_m2_s = 3e-15\nbase = 0.08\n", encoding="utf-8")
    _, told = run("check", tmp_path / "study.toml", "--output", tmp_path, "--no-figures")
    assert ("and light and heavy not swapped?" in told) == swapped, told
    assert ("nothing looks wrong" in told) != swapped


def test_wrong_files_are_one_line(tmp_path: Path, run: Run) -> None:
    path = tmp_path / "study.toml"
    for content, told in (("kind = 3", "kind"), ("experiments = 3", "missing key"), ("x = ", "not a TOML file")):
        path.write_text(content, encoding="utf-8")
        code, text = run("check", path, "--output", tmp_path)
        assert code == 2 and text.startswith(f"npp-jax: {path}: ") and told in text and text.count("\n") == 1


def test_a_couple_is_told_nothing_of_the_bulk_of_a_glass() -> None:
    problem = load_study(SWEEPS / "couple_free_form.toml").problem
    (measurement,) = problem.measurements
    entry = ExperimentEntry(name="couple", file="couple_exponential.toml", profile="couple.csv")
    assert not list(measured_warnings(problem, measurement, entry))
    assert not any("mC/cm²" in line for line in measured_lines(measurement, entry))


def test_a_start_without_numbers_names_its_cause(run: Run, tmp_path: Path):
    """A pause of the beam in a stage whose clock is the charge, of an experiment and of a study of it."""
    glass = (SWEEPS / "lithium_borate_K.toml").read_text(encoding="utf-8")
    paused = glass.replace("potential_V = 10.0", 'potential_trace = "trace.csv"')
    (tmp_path / "glass.toml").write_text(paused, encoding="utf-8")
    rows = ["time_s,potential_V", "0,10", "20000,10", "20001,0", "40000,0", "40001,10", "1e7,10"]
    (tmp_path / "trace.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    text = STUDY.replace("GLASS", "glass.toml").replace("PROFILE", (SWEEPS / "synthetic" / "K.csv").as_posix())
    (tmp_path / "study.toml").write_text(text, encoding="utf-8")
    for file in ("glass.toml", "study.toml"):
        code, told = run("check", tmp_path / file, "--output", tmp_path, "--no-figures")
        assert code == 4 and "its potential rests" in told


@pytest.mark.parametrize(("factor", "told"), [(1.0, False), (1e3, True), (1e-3, True)])
def test_a_record_in_another_unit_is_told(factor: float, told: bool):
    record = Record("conductivity", [300.0], [4.6e-8 * factor], 0.05 * 4.6e-8 * factor)
    words = _far_record(record, np.array([4.6e-8]))
    assert (words is not None) == told
    if told:
        assert words is not None and "a factor of 1e+03: is the unit right?" in words


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("temperature_K = ", "temperature_K = 77.0  # ", "colder than ice: is that 77 °C, which is 350.15 K?"),
        ("potential_V = 10.0", "potential_V = 10000.0", "stage 0 has 10000 V: is that 10000 mV, which is 10 V?"),
    ],
)  # fmt: skip
def test_a_stage_in_another_unit_is_told(right: str, wrong: str, told: str, run: Run, tmp_path: Path) -> None:
    glass = (SWEEPS / "lithium_borate_K.toml").read_text(encoding="utf-8")
    (tmp_path / "glass.toml").write_text(glass.replace(right, wrong), encoding="utf-8")
    assert told in " ".join(run("check", tmp_path / "glass.toml", "--output", tmp_path, "--no-figures")[1].split())


def test_where_the_misfit_is_that_of_a_record_the_profile_is_not_blamed(run: Run, tmp_path: Path) -> None:
    """A charge in mC/cm² that was written as one in C/m²."""
    glass, profile = (SWEEPS / name for name in ("lithium_borate_K.toml", "synthetic/K.csv"))
    text = STUDY.replace("GLASS", glass.as_posix()).replace("PROFILE", profile.as_posix())
    counts = "counts_per_fraction = 2000.0"
    text = text.replace(counts, f"{counts}\ncharge = {{ value_C_m2 = 20.1, sigma_C_m2 = 0.2 }}")
    (tmp_path / "study.toml").write_text(text, encoding="utf-8")
    _, told = run("check", tmp_path / "study.toml", "--output", tmp_path, "--no-figures")
    assert "charge passed: 20.1 C m-2 (2.01 mC/cm²) was measured" in told and "is the unit right?" in told
    assert "of it in charge passed; are units and values right?" in told and "behind the front, where" not in told


def test_swapped_columns_are_told():
    depth = np.arange(1.0, 200.0, 4.0)
    native = 1.0 - 0.9 / (1.0 + np.exp((depth - 100.0) / 4.0))
    signal = np.stack([native, 1.0 - native])
    chi2 = np.sum((signal[::-1] - signal) ** 2, axis=0) / 0.01**2
    assert cause(Seen(("Li", "K"), depth, signal[::-1], signal, chi2, (100.0, 9.0))) == (
        "each ion looks as the other should: are the columns of Li and K swapped?"
    )
