"""Measured profiles with something wrong: an error of one line, or a warning; never a silent fit."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

from npp_jax.cli import app
from npp_jax.files import load_experiment
from npp_jax.files.sims_profile import write_profile
from npp_jax.files.study import Study, load_study
from npp_jax.fitting import Problem, data_warnings, known_keys, replaced_depth
from npp_jax.fitting.observed import key_range
from npp_jax.inference import Parameter, Prior
from npp_jax.observe import DepthProfile, GaussianLikelihood, Record
from npp_jax.physics import Drive, IonBeamCurrent, IonBeamPotential, Reservoir
from npp_jax.sims import ImportOptions, import_sims
from npp_jax.sweeping.screening import NoCandidate

SWEEPS = Path(__file__).resolve().parents[2] / "sweeps"
LINES = (SWEEPS / "synthetic" / "K.csv").read_text(encoding="utf-8").splitlines()

Rows = list[list[str]]


def written(folder: Path, change: Callable[[Rows], Rows], old: str = "", new: str = "") -> Path:
    """The bundled study with the profile of K changed; the row k is on the line k + 3 of the file."""
    rows = change([line.split(",") for line in LINES[2:]])
    (folder / "K.csv").write_text("\n".join([*LINES[:2], *map(",".join, rows)]) + "\n", encoding="utf-8")
    text = (SWEEPS / "one_distribution.toml").read_text(encoding="utf-8")
    text = text.replace('"lithium', f'"{SWEEPS}/lithium').replace('"synthetic/K', f'"{folder}/K')
    assert old in text
    path = folder / "study.toml"
    path.write_text(text.replace('"synthetic/', f'"{SWEEPS}/synthetic/').replace(old, new), encoding="utf-8")
    return path


def put(row: int, column: int, value: str) -> Callable[[Rows], Rows]:
    return lambda rows: [[value if (i, k) == (row, column) else x for k, x in enumerate(r)] for i, r in enumerate(rows)]


def times(factor: float, *columns: int) -> Callable[[Rows], Rows]:
    return lambda rows: [[f"{factor * float(x)!r}" if k in columns else x for k, x in enumerate(r)] for r in rows]


def swapped(rows: Rows) -> Rows:
    return [[row[0], *row[3:], *row[1:3]] for row in rows]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put(10, 1, "nan"), "line 13: Li = nan is not a finite number"),
        (put(10, 0, "inf"), "line 13: depth_nm = inf is not a finite number"),
        (put(4, 3, "-0.004"), "line 7: K = -0.004 is negative"),
        (put(4, 4, "-0.1"), "line 7: K_sigma = -0.1 is negative"),
        (lambda rows: [*rows[:5], rows[6], rows[5], *rows[7:]], "line 9: depth_nm = 5.5 comes after 6.5 nm"),
        (put(10, 0, "9.5"), "line 13: depth_nm = 9.5 is given twice"),
        (lambda rows: rows[:3], "3 points; a profile needs at least 5"),
        (lambda rows: [], "0 points; a profile needs at least 5"),
        (put(5, 1, "0,2"), "line 8: 6 fields, the header has 5"),
    ],
)
@pytest.mark.parametrize("command", ["fit", "sweep"])
def test_a_wrong_number_ends_in_one_line(tmp_path: Path, command: str, change: Callable, message: str):
    result = CliRunner().invoke(app, [command, str(written(tmp_path, change)), "--output", str(tmp_path)])
    assert result.exit_code == 2
    line = result.output.strip()
    assert message in line and "K.csv" in line and "\n" not in line


def imported(folder: Path, change: Callable[[h5py.File], None]) -> Path:
    """The bundled study with K from a file of `npp-jax import-sims`, changed."""
    table = np.loadtxt(SWEEPS / "synthetic" / "K.csv", delimiter=",", skiprows=2)
    lines = [f"{d:g},{round(2000 * a)},{round(2000 * b)}" for d, a, b in zip(*table[:, [0, 1, 3]].T, strict=True)]
    (folder / "raw.csv").write_text("\n".join(["depth_nm,7Li+ (counts),39K+ (counts)", *lines]), encoding="utf-8")
    options = ImportOptions({"Li": "7Li+", "K": "39K+"}, normalise={"Li": "5e-4", "K": "5e-4"})
    write_profile(folder / "K.h5", import_sims(folder / "raw.csv", options))
    with h5py.File(folder / "K.h5", "r+") as file:
        change(file)
    path = written(folder, lambda rows: rows)
    first = 'K.csv"\ncounts_per_fraction = 2000.0\nlikelihood = { kind = "poisson" }'
    text = path.read_text(encoding="utf-8")
    assert first in text
    path.write_text(text.replace(first, 'K.h5"'), encoding="utf-8")
    return path


def set_to(name: str, place: tuple, value: float) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        file[name][place] = value

    return change


def only_three(file: h5py.File) -> None:
    """Keep the first three points of everything."""
    for name in ("fraction", "sigma", "counts", "counts_per_fraction", "background", "background_sigma", "depth_nm"):
        values = np.asarray(file[name])[..., :3]
        del file[name]
        file[name] = values


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_to("fraction", (0, 10), np.nan), "column 'fraction': Li, point 10: nan is not a finite number"),
        (set_to("counts", (1, 4), -3.0), "column 'counts': K, point 4: -3 is negative"),
        (set_to("sigma", (1, 4), 0.0), "column 'sigma': K, point 4: 0 is not positive"),
        (set_to("depth_nm", (6,), 1.0), "column 'depth_nm': point 6: 1 nm after 5.5 nm; depths must increase"),
        (set_to("depth_nm", (159,), np.inf), "column 'depth_nm': point 159 is not a finite number"),
        (only_three, "2 species at 3 depths"),
    ],
)
def test_a_wrong_number_of_an_imported_profile_ends_in_one_line(tmp_path: Path, change: Callable, message: str):
    result = CliRunner().invoke(app, ["fit", str(imported(tmp_path, change)), "--output", str(tmp_path)])
    assert result.exit_code == 2
    line = result.output.strip()
    assert message in line and "K.h5" in line and "\n" not in line


@pytest.mark.parametrize(
    ("factor", "words"),
    [(1.0, None), (1e-3, "are in µm and not in nm"), (1e3, "are in nm and not in µm")],
)
def test_an_imported_profile_in_another_unit_is_reported(tmp_path: Path, factor: float, words: str | None):
    def scaled(file: h5py.File) -> None:
        file["depth_nm"][...] = factor * np.asarray(file["depth_nm"])

    found = data_warnings(load_study(imported(tmp_path, scaled)).problem)
    assert any(words in text for text in found) if words else found == []


def test_a_first_depth_beyond_the_profile_is_refused(tmp_path: Path):
    study = written(tmp_path, lambda rows: rows, "counts_per", "first_depth_nm = 158.0\ncounts_per")
    result = CliRunner().invoke(app, ["fit", str(study)])
    assert result.exit_code == 2 and "K: 2 points of" in result.output and "first_depth_nm = 158" in result.output


def test_a_wrong_number_above_the_first_depth_is_masked(tmp_path: Path):
    study = load_study(written(tmp_path, put(2, 1, "nan"), "counts_per", "first_depth_nm = 5.0\ncounts_per"))
    assert data_warnings(study.problem) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            times(1e-3, 0),
            "by a factor of about 1000: the charge passed is enough for 89.6 nm of complete replacement (201 C/m² = "
            "20.1 mC/cm²), the profile shows 0.0919 nm. They agree if the depths are in µm and not in nm (depth_scale "
            "= 1000)",
        ),
        (times(1e-9, 0), "They agree if the depths are in m and not in nm (depth_scale = 1e+09)"),
        (times(1e3, 0), "if the depths are in nm and not in µm (depth_scale = 0.001)"),
        (times(10.0, 0), "are in Å and not in nm (depth_scale = 0.1), or if the charge is in mC/cm² and not in C/m²"),
        (times(0.1, 0), "are in nm and not in Å (depth_scale = 10), or if the charge is in C/m² and not in mC/cm²"),
        (times(4.0, 0), "about 4.1: the charge passed is enough for 89.6 nm"),
        (times(1.2, 0), "K: the profile holds 247.2 C/m², 201 C/m² were passed (1.23 of it)"),
        (swapped, "K: the foreign ion K lies deep and Li at the surface: are their columns swapped?"),
        (times(30.0, 2, 4), "the standard deviations of the file are 30 times those of counts_per_fraction"),
    ],
)
def test_what_looks_wrong_is_said_before_the_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable, words: str
):
    def none(*_: object, **__: object) -> None:
        raise NoCandidate("stopped here")

    monkeypatch.setattr("npp_jax.commands.fit.run.run_fit", none)
    result = CliRunner().invoke(app, ["fit", str(written(tmp_path, change)), "--output", str(tmp_path), "--quiet"])
    assert result.exit_code == 4
    assert any(line.startswith("warning: K: ") and words in line for line in result.output.splitlines())


@pytest.mark.parametrize("factor", [100.0, 2000.0])
def test_per_cent_and_counts_are_no_fractions(tmp_path: Path, factor: float):
    result = CliRunner().invoke(app, ["check", str(written(tmp_path, times(factor, 1, 2, 3, 4))), "--no-figures"])
    assert result.exit_code == 2
    assert "is no fraction n/N" in result.output and "as 'K [%]'" in result.output.replace("Li", "K")


def test_depths_in_another_unit_with_their_scale_are_good(tmp_path: Path):
    study = written(tmp_path, times(1e-3, 0), "counts_per", "depth_scale = 1000.0\ncounts_per")
    # The scale of the K profile alone: the others are in nanometres, and are reported.
    found = data_warnings(load_study(study).problem)
    assert [text for text in found if text.startswith("K") and "charge" in text] == []
    assert any(text.startswith("Rb: ") and "charge" in text for text in found)


def test_a_known_sputter_ratio_belongs_to_the_charge_of_a_profile():
    """The exchanged zone sputters up to 1.3 times as fast: seen on the clock of the bulk it is thinner."""
    first = load_study(SWEEPS / "one_distribution.toml").problem.measurements[0]
    profile, seen = first.profile, first.observation
    assert profile is not None and seen is not None
    depth, li = np.asarray(profile.depth), np.asarray(profile.fraction)[profile.species.index("Li")]
    rate = 1.0 + 0.3 * np.clip(1.0 - li, 0.0, 1.0)
    clock = np.cumsum(np.gradient(depth) / rate)
    thinner = dataclasses.replace(first, profile=dataclasses.replace(profile, depth=clock))
    told = [t for t in data_warnings(Problem((thinner,), ())) if "were passed" in t]
    assert len(told) == 1
    known = dataclasses.replace(thinner, observation=dataclasses.replace(seen, sputter_ratio=np.array(1.3)))
    assert [t for t in data_warnings(Problem((known,), ())) if "were passed" in t] == []
    # As a parameter it may find the charge.
    free = Parameter("sputter_ratio", ("observation.sputter_ratio",), low=1.0, high=1.5)
    assert [t for t in data_warnings(Problem((thinner,), (free,))) if "were passed" in t] == []


@pytest.mark.parametrize(
    ("factor", "words"),
    [(1e3, "µC/cm² and not in mC/cm²"), (10.0, "C/m² and not in mC/cm²"), (1e-3, "C/cm² and not in mC/cm²")],
)
def test_a_charge_in_another_unit_is_told_as_depths_are(factor: float, words: str):
    first = load_study(SWEEPS / "one_distribution.toml").problem.measurements[0]
    (stage,) = first.experiment.stages
    wrong = dataclasses.replace(first.experiment, stages=(dataclasses.replace(stage, charge=factor * stage.charge),))
    measurement = dataclasses.replace(first, experiment=wrong)
    found = [t for t in data_warnings(Problem((measurement,), ())) if "take" not in t]
    (told,) = found
    assert f"about {max(factor, 1.0 / factor):g}" in told and f"if the charge is in {words}" in told
    # A parameter whose range holds the charge of the profile is there to find it.
    free = Parameter("charge", ("stages.0.charge_mC_cm2",), low=15.0, high=30.0)
    fitted = Problem((measurement,), (free,))
    assert [t for t in data_warnings(fitted) if "take" not in t] == []
    elsewhere = dataclasses.replace(fitted, parameters=(dataclasses.replace(free, low=100.0, high=300.0),))
    assert [t for t in data_warnings(elsewhere) if "take" not in t] == found


def test_ions_of_the_beam_alone_tell_the_charge_where_they_are_seen_to_their_end():
    first = load_study(SWEEPS / "one_distribution.toml").problem.measurements[0]
    assert first.profile is not None

    def told(points: int, factor: float) -> list[str]:
        p = first.profile
        alone = DepthProfile(factor * p.depth[:points], ["K"], p.fraction[1:, :points], p.sigma[1:, :points])
        measurement = dataclasses.replace(first, profile=alone, likelihood=GaussianLikelihood())
        return data_warnings(Problem((measurement,), ()))

    assert told(160, 1.0) == told(60, 1.0) == told(60, 0.1) == []
    assert any("8.96 nm. They agree if the depths are in nm and not in Å" in t for t in told(160, 0.1))
    assert any("the profile ends at 0.0595 nm" in t and "the depths are in µm" in t for t in told(60, 1e-3))


POISSON = 'likelihood = { kind = "poisson" }\nresponse'
NORMAL = 'likelihood = { kind = "gaussian" }\nresponse'
CURRENT = (
    'current = { file = "SWEEPS/synthetic_records/K_current.csv", relative_sigma = 0.01, gain_sigma = 0.02 }\nresponse'
)


@pytest.mark.parametrize(
    ("entry", "old", "new", "words"),
    [
        (POISSON, '"poisson"', '"poisson", relative_sigma = 2.0', "relative_sigma of the likelihood is 2"),
        (NORMAL, '"gaussian"', '"gaussian", relative_sigma = 2.0', "relative_sigma of the likelihood is 2"),
        (NORMAL, "response", "nuisance = { sensitivity_sigma = 5.0 }\nresponse", "sensitivity_sigma is 5"),
        (
            CURRENT,
            "relative_sigma = 0.01",
            "relative_sigma = 1.0",
            "the standard deviation of the current over its value is 1",
        ),
        (CURRENT, "gain_sigma = 0.02", "gain_sigma = 2.0", "gain_sigma of the current is 2"),
    ],
)
def test_relative_errors_in_per_cent_are_told(tmp_path: Path, entry: str, old: str, new: str, words: str):
    """They would take its weight from the data, and the fit would say that these determine nothing."""

    def found(text: str) -> list[str]:
        path = written(tmp_path, lambda rows: rows, POISSON, text.replace("SWEEPS", str(SWEEPS)))
        return [line for line in data_warnings(load_study(path).problem) if "is that per cent" in line]

    assert found(entry) == []
    line = found(entry.replace(old, new))[0]
    assert line == f"K: {words}: is that per cent? It is relative, 0.02 for 2 %"


def test_more_parameters_than_points(tmp_path: Path):
    problem: Study = load_study(written(tmp_path, lambda rows: rows[:5]))
    one = dataclasses.replace(problem.problem, measurements=problem.problem.measurements[:1], parameters=())
    assert not any("determine" in text for text in data_warnings(one))
    aliases = ("conductivity_S_m", "duration_h", "charge_mC_cm2")
    keys = [key for key in known_keys(one.measurements[0].experiment) if not key.endswith(aliases)][:11]
    ranges = [key_range(key) for key in keys]
    ends = [(limits.low, limits.low + 0.4 * (limits.high - limits.low)) for limits in ranges]
    parameters = tuple(Parameter(f"p{k}", (key,), *ends[k]) for k, key in enumerate(keys))
    many = dataclasses.replace(one, parameters=parameters)
    assert "10 points cannot determine 11 parameters of which nothing is known" in data_warnings(many)
    # As many as there are points they may, and so may more of which something is known.
    known = tuple(dataclasses.replace(p, prior=Prior(p.low, 1.0)) for p in parameters[:1])
    for told in (parameters[1:], known + parameters[1:]):
        assert not any("determine" in text for text in data_warnings(dataclasses.replace(one, parameters=told)))


def test_replaced_depth_in_closed_form():
    experiment = load_experiment(SWEEPS / "lithium_borate_K.toml")
    stage = experiment.stages[0]
    density, charge = 1.40e28, 1.602176634e-19

    def depth(**changes: object) -> tuple[float, bool] | None:
        return replaced_depth(dataclasses.replace(experiment, stages=(dataclasses.replace(stage, **changes),)))

    assert depth() == (pytest.approx(201.0 / (density * charge)), False)
    current = IonBeamCurrent("K", Drive.constant(2e-3))
    assert depth(front=current, charge=None, duration=3600.0) == (pytest.approx(7.2 / (density * charge)), False)
    # Ohm's law with 1e-7 S/m across 500 µm under 10 V for an hour.
    ohmic = 1e-7 * 10.0 / 500e-6 * 3600.0 / (density * charge)
    potential = IonBeamPotential("K", Drive.constant(10.0))
    assert depth(front=potential, charge=None, duration=3600.0) == (pytest.approx(ohmic, rel=1e-6), True)
    assert depth(front=Reservoir({"K": np.asarray(1.0)}), charge=None, duration=3600.0) is None


def test_a_current_that_decays_into_its_noise_is_not_in_per_cent(tmp_path: Path):
    """An error that is one number exceeds most values, and is right."""
    path = written(tmp_path, lambda rows: rows, POISSON, CURRENT.replace("SWEEPS", str(SWEEPS)))
    problem = load_study(path).problem
    measurement, *others = problem.measurements
    time = np.linspace(0.0, 1e4, 50)
    current = Record("current", time, 1e-3 * np.exp(-time / 1e3), 5e-5)
    decayed = dataclasses.replace(problem, measurements=(dataclasses.replace(measurement, records=(current,)), *others))
    assert not any("is that per cent" in line for line in data_warnings(decayed))
