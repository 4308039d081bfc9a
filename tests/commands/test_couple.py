"""`npp-jax couple`: profiles of couples as programs write them, and what is refused in one line."""

from collections.abc import Iterator
from pathlib import Path

import jax
import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import erfc
from typer.testing import CliRunner

from npp_jax.cli import app
from npp_jax.commands.couple_words import check_apart
from npp_jax.files.couple_table import read_couple
from npp_jax.files.curves import read_initial, read_law
from npp_jax.files.study import load_study
from npp_jax.fitting import data_warnings

DEPTH = np.linspace(0.0, 200.0, 101)
FRACTION = 0.5 * erfc((100.0 - DEPTH) / 40.0)


def write(path: Path, head: str, factor: float = 1.0, separator: str = ",", zero: float = 0.0) -> Path:
    rows = [f"{c:.6f}{separator}{factor * (x - zero):.6g}" for x, c in zip(DEPTH, FRACTION, strict=True)]
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("head", "factor", "zero", "more"),
    [
        ("X,dis", 1.0, 0.0, []),
        ("Mo,Depth (nm)", 1e3, 0.0, []),
        ("c;distance_mm", 1e-3, 0.0, []),
        ("a,b", 1.0, 0.0, ["--depth", "b"]),
        # Distances from the first contact, as most couples are drawn.
        ("X,dis", 1.0, 100.0, []),
        ("X,dis", 1.0, 10.0, []),
    ],
)
def test_d_is_found_and_written_for_studies(tmp_path: Path, head: str, factor: float, zero: float, more: list[str]):
    file = write(tmp_path / "a.csv", head, factor, ";" if ";" in head else ",", zero)
    options = ["--time-h", "100", "--species", "Mo", "--output", str(tmp_path), "--no-figures", *more]
    done = CliRunner().invoke(app, ["couple", str(file), *options])
    assert done.exit_code == 0, done.output
    # w = 2√(Dt) = 40 µm.
    fraction, D = (np.asarray(column) for column in read_law(tmp_path / "a_D.csv"))
    inner = (fraction > 0.2) & (fraction < 0.8)
    np.testing.assert_allclose(D[inner], (20e-6) ** 2 / 3.6e5, rtol=0.02)
    start = read_initial(tmp_path / "a_profile.csv", "Mo", 240e-6)
    # Each half of the couple is 3 × 40 µm long: it begins 20 µm before the first point.
    np.testing.assert_allclose(start.depth, (DEPTH + 20.0) * 1e-6, atol=1.1e-6)
    np.testing.assert_allclose(np.diff(start.depth), np.diff(DEPTH) * 1e-6, atol=1e-12)
    study = load_study(tmp_path / "a_study.toml")
    rows = (tmp_path / "a_start.csv").read_text().split("\n")[:2]
    at_start = dict(zip(*(row.split(",") for row in rows), strict=True))
    knots = [float(value) for name, value in at_start.items() if name.startswith("D_at")]
    assert [p.name for p in study.main.parameters] == list(at_start)
    np.testing.assert_allclose(knots[1:-1], (20e-6) ** 2 / 3.6e5, rtol=0.02)
    band = np.genfromtxt(tmp_path / "a_band.csv", delimiter=",", names=True)
    assert np.all(np.diff(band["fraction"]) > 0.0)
    assert np.all((band["D_low_m2_s"] <= 1.1111e-15) & (band["D_high_m2_s"] >= 1.1111e-15))
    assert float(at_start["position_um"]) == pytest.approx(120.0, abs=1.1)


@pytest.fixture
def _single_precision() -> Iterator[None]:
    """What JAX starts with, where no command has chosen."""
    jax.config.update("jax_enable_x64", False)
    yield
    jax.config.update("jax_enable_x64", True)


@pytest.mark.usefixtures("_single_precision")
def test_the_command_computes_in_double_precision(tmp_path: Path):
    """In single precision a long couple that reaches 1 has no room for the other component, by rounding."""
    file = write(tmp_path / "a.csv", "X,dis")
    options = ["--time-h", "100", "--species", "Mo", "--output", str(tmp_path), "--no-figures"]
    done = CliRunner().invoke(app, ["couple", str(file), *options])
    assert done.exit_code == 0, done.output
    assert jax.config.read("jax_enable_x64")
    study = load_study(tmp_path / "a_study.toml")
    assert study.main.parameters
    # Depths that end with the sample are no reason to doubt their unit, whatever is rounded.
    assert not data_warnings(study.problem)


@pytest.mark.parametrize(
    ("text", "more", "told"),
    [
        ("X,dis\n" + "1,1\n2,2\n" * 9, [], "give --percent"),
        ("X,dis\n0.1,1\n0.2,2\n", [], "at least 8"),
        ("X,dis\n" + "".join(f"0.5,{k}\n" for k in range(12)), [], "nothing has diffused"),
        ("X,dis\n" + "".join(f"0.{k},{k}e-300\n" for k in range(9)), [], "the profile is 8e-300 µm long"),
        ("X,Y,dis\n" + "".join(f"0.5,0.1,{k}\n" for k in range(12)), [], "--fraction must name"),
        ("X,dis\n" + "".join(f"0.{k % 9},{k}\n" for k in range(12)), ["--depth-unit", "acre"], "no unit of length"),
        ("X,dis\n" + "".join(f"0.{k % 9},{k}\n" for k in range(12)), ["--ends", "0", "2"], "--ends 0 2: must be two"),
        ("X,dis\n" + "".join(f"0.{k % 9},{k}\n" for k in range(12)), ["--species", "a b"], "--species 'a b'"),
    ],
)
def test_what_is_no_couple_ends_in_one_line(tmp_path: Path, text: str, more: list[str], told: str):
    (tmp_path / "a.csv").write_text(text, encoding="utf-8")
    done = CliRunner().invoke(
        app, ["couple", str(tmp_path / "a.csv"), "--time-h", "1", "--output", str(tmp_path), *more]
    )
    assert done.exit_code == 2
    assert told in done.output and done.output.count("\n") == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.csv"]


def test_what_is_not_its_own_is_not_replaced(tmp_path: Path):
    (tmp_path / "b").mkdir()
    first, other = write(tmp_path / "a.csv", "X,dis"), write(tmp_path / "b" / "a.csv", "X,dis", 0.9)
    study = tmp_path / "a_study.toml"

    def run(file: Path, *more: str):
        options = ["--time-h", "100", "--species", "Mo", "--output", str(tmp_path), "--no-figures", *more]
        return CliRunner().invoke(app, ["couple", str(file), *options])

    study.write_text("# a study of the user\n", encoding="utf-8")
    refused = run(first)
    assert refused.exit_code == 2 and "a_study.toml" in refused.output and refused.output.count("\n") == 1
    assert study.read_text() == "# a study of the user\n" and not (tmp_path / "a_D.csv").exists()
    study.unlink()
    assert run(first).exit_code == run(first).exit_code == 0
    kept = study.read_text()
    # The same name, another couple.
    refused = run(other)
    assert refused.exit_code == 2 and "a.csv" in refused.output and study.read_text() == kept
    study.write_text(kept.replace("starts", "starts "), encoding="utf-8")
    refused = run(first)
    assert refused.exit_code == 2 and "edited since" in refused.output and "starts " in study.read_text()
    assert run(first, "--force").exit_code == 0 and study.read_text() == kept
    # A figure is not drawn now, but was.
    (tmp_path / "a_couple.png").write_bytes(b"of other data")
    assert f"{tmp_path / 'a_couple.png'} was there before" in run(first).output


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--time-h", "inf"], "--time-h inf: must be greater than 0 and at most 2.78e+08"),
        (["--time-h", "1e-9"], "no study can be made of it: a_couple.toml: species[0].diffusivity.knot_D_m2_s"),
        (["--species", "observation"], "no study can be made of it: a_study.toml: parameter"),
        (["--species", "A_sigma"], "no study can be made of it: a_profile.csv"),
        (["--smoothing-um", "1e-300"], "--smoothing-um 1e-300: must be from 0.02"),
        (["--ends", "1", "0"], "--ends 1 0: the profile goes from 0.000"),
        (["--depth", "dis", "--fraction", "dis"], "column 'dis' cannot be both"),
    ],
)
def test_options_of_which_no_study_can_be_made_write_nothing(tmp_path: Path, more: list[str], told: str):
    file = write(tmp_path / "a.csv", "X,dis")
    options = ["--time-h", "100", "--species", "Mo", "--output", str(tmp_path / "out"), "--no-figures", *more]
    done = CliRunner().invoke(app, ["couple", str(file), *options])
    assert done.exit_code == 2 and len(done.output.strip().splitlines()) == 1
    assert told in done.output
    assert not list(tmp_path.glob("out/*"))


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a$\\frac{b$", "a'b # c"])
def test_odd_names_are_those_of_a_study(tmp_path: Path, name: str):
    file = write(tmp_path / f"{name}.csv", "X,dis")
    options = ["--time-h", "100", "--species", "Mo", "--output", str(tmp_path / "out")]
    done = CliRunner().invoke(app, ["couple", str(file), *options])
    assert done.exit_code == 0, done.output
    assert load_study(tmp_path / "out" / f"{name}_study.toml").main.parameters
    assert (tmp_path / "out" / f"{name}_couple.png").exists()


@pytest.mark.parametrize("name", ["a\nb", "a\x1bb"])
def test_names_that_no_text_holds_are_refused(tmp_path: Path, name: str):
    file = write(tmp_path / f"{name}.csv", "X,dis")
    done = CliRunner().invoke(app, ["couple", str(file), "--time-h", "100", "--output", str(tmp_path / "out")])
    assert done.exit_code == 2 and "rename it" in done.output


@pytest.mark.parametrize(
    "title", ["Ni wt%", "Ni [wt.%]", "Ni (mass %)", "Ni_weight fraction", "Ni Gew.-%", "Ni / Ma.-%"]
)
def test_shares_by_weight_are_no_mole_fractions(tmp_path: Path, title: str):
    file = write(tmp_path / "a.csv", f"{title},dis")
    done = CliRunner().invoke(app, ["couple", str(file), "--time-h", "1", "--output", str(tmp_path), "--percent"])
    assert done.exit_code == 2 and done.output.count("\n") == 1
    assert "share by weight" in done.output and title in done.output


@pytest.mark.parametrize("title", ["Wt", "M %", "mass", "Ni (at.%)", "Alma. %"])
def test_names_that_only_begin_like_a_weight_are_taken(tmp_path: Path, title: str):
    assert len(read_couple(write(tmp_path / "a.csv", f"{title},dis"), percent=True).fraction) == len(DEPTH)


def test_two_columns_of_one_table_do_not_replace_each_other(tmp_path: Path):
    rows = "".join(f"{x:.6g},{c:.6f},{1.0 - c:.6f}\n" for x, c in zip(DEPTH, FRACTION, strict=True))
    (tmp_path / "a.csv").write_text("dis,Ni,Co\n" + rows, encoding="utf-8")

    def run(column: str, *more: str):
        options = ["--time-h", "100", "--output", str(tmp_path / "out"), "--no-figures", "--fraction", column, *more]
        return CliRunner().invoke(app, ["couple", str(tmp_path / "a.csv"), *options])

    assert run("Ni").exit_code == run("Ni").exit_code == 0
    kept = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    refused = run("Co")
    assert refused.exit_code == 2 and "(dis, Co; A, 100.0 h)" in refused.output and refused.output.count("\n") == 1
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == kept
    assert run("Co", "--force").exit_code == 0


def test_another_calculation_does_not_replace_what_was_found(tmp_path: Path):
    file, out = write(tmp_path / "a.csv", "X,dis"), tmp_path / "out"

    def run(*more: str):
        options = {"--time-h": "100", "--species": "Mo", "--output": str(out)}
        options |= dict(zip(more[::2], more[1::2], strict=True))
        words = [word for option, value in options.items() for word in (option, *value.split())]
        return CliRunner().invoke(app, ["couple", str(file), "--no-figures", *words])

    assert run().exit_code == run().exit_code == run("--time-h", "1e2").exit_code == 0
    kept = {path.name: path.read_bytes() for path in out.iterdir()}
    for more in (
        ("--time-h", "10"),
        ("--species", "Nb"),
        ("--smoothing-um", "5"),
        ("--ends", "0 1"),
        ("--depth-unit", "nm"),
    ):
        refused = run(*more)
        assert refused.exit_code == 2 and "--force to replace it" in refused.output, more
        assert refused.output.count("\n") == 1
        assert {path.name: path.read_bytes() for path in out.iterdir()} == kept


def test_standard_deviations_of_the_file_are_used(tmp_path: Path):
    told = np.where(DEPTH < 100.0, 0.002, 0.02)

    def table(head: str, factor: float = 1.0, sigma: np.ndarray = told) -> Path:
        rows = [f"{x:.6g},{c:.6f},{factor * s:.6g}" for x, c, s in zip(DEPTH, FRACTION, sigma, strict=True)]
        (tmp_path / "a.csv").write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
        return tmp_path / "a.csv"

    read = read_couple(table("dis,X,X_sigma"))
    assert read.sigma is not None and np.array_equal(read.sigma, told)
    assert "standard deviations: X_sigma" in read.told
    options = ["--time-h", "100", "--output", str(tmp_path / "out"), "--no-figures"]
    done = CliRunner().invoke(app, ["couple", str(tmp_path / "a.csv"), *options])
    assert done.exit_code == 0, done.output
    written = np.genfromtxt(tmp_path / "out" / "a_profile.csv", delimiter=",", names=True)
    np.testing.assert_allclose(written["A_sigma"], told)
    band = np.genfromtxt(tmp_path / "out" / "a_band.csv", delimiter=",", names=True)
    wide = np.log(band["D_high_m2_s"] / band["D_low_m2_s"])
    # D is known worse where the points are.
    assert np.mean(wide[band["fraction"] > 0.6]) > 2.0 * np.mean(wide[band["fraction"] < 0.4])
    # Two points at one depth know more.
    both = tmp_path / "both.csv"
    both.write_text("dis,X,X_sigma\n" + "0,0,0.3\n0,0,0.4\n" + "".join(f"{k},0.{k},0.1\n" for k in range(1, 9)))
    found = read_couple(both).sigma
    assert found is not None
    np.testing.assert_allclose(found[:2], [0.25, 0.1])
    for head, sigma, message in (
        ("dis,X,X_sigma (%)", told, "'X' and its standard deviation have different units"),
        ("dis,X,X_sigma", 0.0 * told, "X_sigma = 0 is no standard deviation"),
        ("dis,X,X_sigma", np.nan * told, "X_sigma = nan is no standard deviation"),
    ):
        refused = CliRunner().invoke(app, ["couple", str(table(head, sigma=sigma)), *options])
        assert refused.exit_code == 2 and message in refused.output and refused.output.count("\n") == 1, refused.output


def test_a_d_that_bends_more_than_its_knots_follow_is_told_in_a_line(tmp_path: Path):
    """Two slopes that meet within three knots; the smooth couple beside it says nothing."""
    told = []
    for name, c in (
        ("kink", np.where(FRACTION < 0.5, 0.5 * erfc((100.0 - DEPTH) / 20.0), FRACTION)),
        ("plain", FRACTION),
    ):
        rows = [f"{x:.6g},{a:.6f}" for x, a in zip(DEPTH[::4], c[::4], strict=True)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["depth_um,X", *rows]) + "\n", encoding="utf-8")
        options = ["--time-h", "100", "--species", "Mo", "--output", str(tmp_path / name), "--no-figures"]
        done = CliRunner().invoke(app, ["couple", str(tmp_path / f"{name}.csv"), *options])
        assert done.exit_code == 0, done.output
        told.append("bends more than its knots follow" in " ".join(done.output.split()))
    assert told == [True, False]


@pytest.mark.parametrize(("end", "flat"), [(4.0, True), (1.2, False)])
def test_ends_of_few_points_are_called_flat_where_they_are(tmp_path: Path, end: float, flat: bool):
    """Error functions of 22 points: one in eight of them at each end tells, not most of the profile."""
    scaled = np.linspace(-end, end, 22)
    noise = 0.002 * np.random.default_rng(3).standard_normal(22)
    rows = [f"{100.0 + 20.0 * x:.6g},{c:.6f}" for x, c in zip(scaled, 0.5 * erfc(-scaled) + noise, strict=True)]
    (tmp_path / "few.csv").write_text("\n".join(["depth_um,X", *rows]) + "\n", encoding="utf-8")
    options = ["--time-h", "100", "--species", "Mo", "--output", str(tmp_path / "out"), "--no-figures"]
    done = CliRunner().invoke(app, ["couple", str(tmp_path / "few.csv"), *options])
    assert done.exit_code == 0, done.output
    assert ("is not flat" in " ".join(done.output.split())) != flat


def test_two_phases_beside_a_steep_one_are_found_by_their_gap(tmp_path: Path):
    """D of both phases, 3e-15 and 8e-16 m²/s, from the exact solution by error functions: the band holds them."""
    gap, D = (0.3, 0.55), (3e-15, 8e-16)
    time, depth = 3.6e5, np.linspace(-150e-6, 150e-6, 76)

    def profile(k: float) -> np.ndarray:
        first = gap[0] * erfc(-depth / np.sqrt(4.0 * D[0] * time)) / erfc(-k / np.sqrt(D[0]))
        last = 1.0 - (1.0 - gap[1]) * erfc(depth / np.sqrt(4.0 * D[1] * time)) / erfc(k / np.sqrt(D[1]))
        return np.where(depth < 2.0 * k * np.sqrt(time), first, last)

    def flux(k: float) -> float:
        one = gap[0] * np.sqrt(D[0] / np.pi) * np.exp(-k * k / D[0]) / erfc(-k / np.sqrt(D[0]))
        two = (1.0 - gap[1]) * np.sqrt(D[1] / np.pi) * np.exp(-k * k / D[1]) / erfc(k / np.sqrt(D[1]))
        return k * (gap[0] - gap[1]) - (two - one)

    at = brentq(flux, -2e-8, 2e-8)
    c = profile(at) + np.random.default_rng(4).normal(0.0, 0.004, len(depth))
    rows = "".join(f"{x * 1e6:.6g},{y:.6f}\n" for x, y in zip(depth, c, strict=True))
    (tmp_path / "a.csv").write_text("distance_um,A\n" + rows, encoding="utf-8")
    options = [str(tmp_path / "a.csv"), "--time-h", "100", "--output", str(tmp_path), "--no-figures"]
    alone = CliRunner().invoke(app, ["couple", *options])
    assert alone.exit_code == 0 and "phases end at" not in alone.output, alone.output
    assert "or two phases meet (--gap tells where)" in " ".join(alone.output.split())
    done = CliRunner().invoke(app, ["couple", *options, "--gap", "0.3:0.55", "--force"])
    assert done.exit_code == 0 and "phases end at the fractions" in done.output, done.output
    assert "warning" not in done.output
    band = np.genfromtxt(tmp_path / "a_band.csv", delimiter=",", names=True)
    low, high = (band[name] for name in band.dtype.names[-2:])
    for own, value in ((band["fraction"] < 0.29, D[0]), (band["fraction"] > 0.56, D[1])):
        assert own.sum() > 20 and np.all((low[own] < value) & (value < high[own]))


def couple_of_two_phases(path: Path) -> None:
    """D is the same in both, and the boundary stays where it was: 0 to 0.3 and 0.6 to 0.9, about the plane 0."""
    x = np.linspace(-150.0, 150.0, 91)
    c = np.where(x < 0.0, 0.3 * erfc(-x / 40.0), 0.6 + 0.3 * (1.0 - erfc(x / 40.0)))
    c += np.random.default_rng(4).normal(0.0, 0.003, len(x))
    rows = "".join(f"{x:.6g},{y:.6f}\n" for x, y in zip(x, c, strict=True))
    path.write_text("distance_um,A\n" + rows, encoding="utf-8")


@pytest.mark.parametrize(
    ("gap", "code", "told"),
    [
        ("0.3:0.6", 0, None),
        ("0.0:0.9", 0, "points lie in the gap 0 to 0.9: they are taken for those of the phases beside it"),
        ("0.7:0.72", 0, "too, where no --gap is given"),
    ],
)
def test_a_gap_where_none_lies_is_told(tmp_path: Path, gap: str, code: int, told: str | None):
    couple_of_two_phases(tmp_path / "a.csv")
    options = ["couple", str(tmp_path / "a.csv"), "--time-h", "100", "--output", str(tmp_path), "--no-figures"]
    done = CliRunner().invoke(app, [*options, "--gap", gap])
    assert done.exit_code == code, done.output
    assert ("warning" in done.output) == (told is not None)
    assert told is None or told in " ".join(done.output.split())


def test_phases_with_fractions_in_common_are_refused():
    limits = np.array([[0.0, 0.657], [0.637, 1.0]])
    with pytest.raises(ValueError, match=r"0\.657 and 0\.637, and have those between in common"):
        check_apart(limits)
    for right in (np.array([[0.0, 0.3], [0.6, 1.0]]), np.array([[1.0, 0.6], [0.3, 0.0]])):
        check_apart(right)


@pytest.mark.parametrize("gap", ["0.3", "0.5:0.3", "a:b", "0.3:1.5", "0.2:0.3:0.4"])
def test_a_gap_that_is_none_ends_in_one_line(tmp_path: Path, gap: str):
    file = write(tmp_path / "a.csv", "X,dis")
    done = CliRunner().invoke(app, ["couple", str(file), "--time-h", "100", "--output", str(tmp_path), "--gap", gap])
    assert done.exit_code == 2 and "--gap" in done.output and "two mole fractions" in " ".join(done.output.split())
