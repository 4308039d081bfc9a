"""`npp-jax tracer`: every kind of study finds what its synthetic data was made with; wrong input ends in one line."""

import re
import shutil
from pathlib import Path

import h5py
import jax.numpy as jnp
import numpy as np
import pytest
from described import check_described
from scipy import special, stats
from typer.testing import CliRunner, Result

from npp_jax.cli import app
from npp_jax.commands.plot_tracer import TRACER, tracer_figure
from npp_jax.commands.tracer.images import read_labels
from npp_jax.commands.tracer.map import _effective
from npp_jax.constants import BOLTZMANN_EV
from npp_jax.files import ConfigError
from npp_jax.tracer.grain_map import grain_map

SWEEPS = Path(__file__).parents[2] / "sweeps"
OSLO = Path(__file__).parents[3] / "shared/data/zno-izo-li-sims-oslo/160112d.dp_rpc_asc"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["tracer", *map(str, arguments)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the studies, to be changed."""
    shutil.copytree(SWEEPS / "synthetic_tracer", tmp_path / "synthetic_tracer")
    for study in [*SWEEPS.glob("tracer_*.toml"), SWEEPS / "llto_arrhenius.toml"]:
        shutil.copy(study, tmp_path)
    return tmp_path


def plotted(file: Path) -> dict[str, tuple[list[str], int]]:
    """What `npp-jax plot` draws of a result: legend and number of measured points at each label of an axis."""
    with h5py.File(file) as opened:
        kind = str(opened.attrs["title"]).removeprefix(TRACER)
    found: dict[str, tuple[list[str], int]] = {}
    for ax in tracer_figure(file, kind).axes:
        legend = ax.get_legend()
        names, before = [text.get_text() for text in legend.get_texts()] if legend else [], found.get(ax.get_ylabel())
        points = sum(len(bars[0].get_xdata()) for bars in ax.containers)
        found[ax.get_ylabel()] = (names + (before[0] if before else []), points + (before[1] if before else 0))
    return found


def interval(name: str, text: str) -> tuple[float, float]:
    """Ends of a printed 95 % interval."""
    found = re.search(rf"^\s*{re.escape(name)} .*95 %: (\S+) … (\S+)", text, re.MULTILINE)
    assert found, text
    return float(found[1]), float(found[2])


def test_an_end_that_is_due_to_the_range_of_another_is_told(tmp_path: Path) -> None:
    """A layer that has spread: D is wider where the layer may hold more, up to a fraction of one, and no further."""
    x = np.linspace(0.2, 60.0, 40)

    def layer(D: float) -> np.ndarray:
        length = 2e6 * np.sqrt(D * 72000.0)
        return 0.5 * (special.erf((2.0 - x) / length) + special.erf((2.0 + x) / length))

    drawn = 0.1 + 0.8 * layer(3e-15) + 0.004 * np.random.default_rng(21).normal(size=40)
    table = np.column_stack([x, drawn, np.full(40, 0.004)])
    np.savetxt(tmp_path / "f.csv", table, delimiter=",", header="depth_um,fraction,fraction_sigma", comments="")
    study = """schema_version = 1
kind = "profile"
title = "a layer"
profile = { file = "f.csv" }
model = { source = "finite-source", source_um = 2.0, duration_h = 20, start_D_m2_s = 1e-15 }
"""
    (tmp_path / "f.toml").write_text(study, encoding="utf-8")
    done = run(tmp_path / "f.toml", "--output", tmp_path)
    assert done.exit_code == 0, done.output
    assert re.search("C of the source .* … open", done.output)
    told = re.findall("The upper end of D_m2_s is closed, with surface at 1, the end of the range", done.output)
    assert len(told) == 1

    def misfit(D: float, surface: float) -> float:
        base = np.clip(
            np.sum((drawn - surface * layer(D)) * (1.0 - layer(D))) / np.sum((1.0 - layer(D)) ** 2), 0.0, 1.0
        )
        return float(np.sum((drawn - base - (surface - base) * layer(D)) ** 2)) / 0.004**2

    tried = 1e-15 * np.linspace(1.5, 5.0, 701)
    misfits = np.array([[misfit(D, surface) for surface in np.linspace(0.6, 1.0, 161)] for D in tried])
    within = tried[misfits.min(axis=1) < misfits.min() + 3.841]
    assert interval("D", done.output) == pytest.approx((within[0], within[-1]), rel=0.01)
    assert np.argmin(misfits[tried == within[-1]]) == 160


def test_an_exchange_at_equilibrium_is_told_and_what_is_known_is_not_called_unknown(tmp_path: Path) -> None:
    """The fractions of an erfc do not tell a fast exchange from one without end; D is known within some per cent."""
    x = np.linspace(1.0, 400.0, 50)
    clean = 0.1 + 0.8 * special.erfc(x / (2e6 * np.sqrt(3e-13 * 14400.0)))
    drawn = clean + 0.005 * np.random.default_rng(4).normal(size=50)
    table = np.column_stack([x, drawn, np.full(50, 0.005)])
    np.savetxt(tmp_path / "f.csv", table, delimiter=",", header="depth_um,fraction,fraction_sigma", comments="")
    study = """schema_version = 1
kind = "profile"
title = "at equilibrium"
profile = { file = "f.csv" }
model = { source = "surface-exchange", duration_h = 4, start_D_m2_s = 1e-13, start_k_m_s = 1e-9 }
"""
    (tmp_path / "f.toml").write_text(study, encoding="utf-8")
    done = run(tmp_path / "f.toml", "--output", tmp_path)
    assert done.exit_code == 0, done.output
    assert (
        "To these data the surface is at equilibrium at once: k_m_s is at the end of what a fit follows." in done.output
    )
    assert "k_m_s at an end of the range" in done.output
    assert re.search(r"^k .*95 %: \S+e-\S+ … held$", done.output, re.MULTILINE)
    low, high = interval("D", done.output)
    assert low < 3e-13 < high < 1.2 * low and "hardly" not in done.output
    (row,) = re.findall(r"^\| k \| .*$", (tmp_path / "f_report.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert re.search(r"\| [1-9]\.\d+ × 10⁻\S+ … held \|", row), row

    # A range that is given holds in place of what a fit follows, and its end is no equilibrium.
    (tmp_path / "g.toml").write_text(study + '[[known]]\nname = "k_m_s"\nlow = 1e-9\nhigh = 1e-6\n', encoding="utf-8")
    done = run(tmp_path / "g.toml", "--output", tmp_path)
    assert done.exit_code == 0 and "equilibrium" not in done.output
    assert "k_m_s at an end of the range" in done.output


@pytest.mark.slow
@pytest.mark.parametrize(
    ("study", "truth"),
    [
        ("tracer_exchange", {"D": 8.0e-13}),
        ("tracer_map", {"D_gb/δ": 1.4e-8}),
        (
            "tracer_chain",
            {"D_gb/δ of boundary 1": 1.4e-8, "D_gb/δ of boundary 2": 3e-8, "D_gb/δ of boundary 3": 1e-8},
        ),
    ],
)
def test_truth_of_synthetic_data_is_found(study: str, truth: dict[str, float], tmp_path: Path) -> None:
    done = run(SWEEPS / f"{study}.toml", "--output", tmp_path)
    assert done.exit_code == 0, done.output
    for name, value in truth.items():
        low, high = interval(name, done.output)
        # A 99.7 % interval: the data is one draw.
        assert low * (low / high) ** 0.27 < value < high * (high / low) ** 0.27
    assert (tmp_path / f"{study}.png").stat().st_size > 10_000
    shown, fraction = plotted(tmp_path / f"{study}.h5"), "isotope fraction $C$"
    # Drawn from its file a result has all that its own figure has.
    if study == "tracer_chain":
        assert shown[fraction][1] == 270 and "residual / σ" in shown
    if study == "tracer_map":
        assert shown["$y$ / µm"][0] == ["cut 1", "cut 1"] and shown[fraction][1] == 60
    with h5py.File(tmp_path / f"{study}.h5") as file:
        assert file.attrs["status"].startswith("converged")
        check_described(file)
        for values in file.values():
            assert isinstance(values, h5py.Dataset)
            assert values.is_scale or all(len(dimension) == 1 for dimension in values.dims)


@pytest.mark.slow
def test_evolution_over_times_and_temperatures(folder: Path) -> None:
    """D at both temperatures and the energy of the law inside the fit, each within its interval; file as for xarray."""
    study = folder / "tracer_evolution.toml"
    text = study.read_text(encoding="utf-8").replace("[fit]", "[fit]\ncells = 100\nsteps = 16")
    study.write_text(text, encoding="utf-8")
    done = run(study, "--output", folder)
    assert done.exit_code == 0, done.output
    # The energy between the two D that the data was made with.
    energy = np.log(6.6e-11 / 3.0e-13) * BOLTZMANN_EV / (1.0 / 295.15 - 1.0 / 473.15)
    for name, value in {"D at 295.15 K": 3.0e-13, "D at 473.15 K": 6.6e-11, "activation energy": energy}.items():
        low, high = interval(name, done.output)
        assert low < value < high
    with h5py.File(folder / "tracer_evolution.h5") as file:
        np.testing.assert_allclose(np.diag(file["arrhenius_covariance"])[1], file["energy_error"][()] ** 2, rtol=1e-9)
        assert file["specimen1_fitted"].shape == (3, file["specimen1_position"].size)
        assert file["specimen1_fitted"].dims[1][0] == file["specimen1_position"]
        assert file["specimen1_fitted"].dims[0].label == "specimen1_profile"
        assert {"units", "long_name"} <= set(file["D"].attrs)
    assert plotted(folder / "tracer_evolution.h5")["$D$ / (m$^2$ s$^{-1}$)"] == (["D of the fit"], 2)


def counted(folder: Path, light: np.ndarray, heavy: np.ndarray, extra: str = "") -> Path:
    """A study of one profile of counts."""
    rows = [f"{0.05 * k:.3f},{a},{b}" for k, (a, b) in enumerate(zip(light, heavy, strict=True))]
    text = "\n".join(["depth_mm,light_counts,heavy_counts", *rows])
    (folder / "counts.csv").write_text(text, encoding="utf-8")
    study = folder / "counts.toml"
    lines = ["schema_version = 1", 'kind = "profile"', "[profile]", 'file = "counts.csv"', extra]
    lines += ["[model]", "duration_h = 110.0", "start_D_m2_s = 2e-12"]
    study.write_text("\n".join(lines), encoding="utf-8")
    return study


def test_few_counts_of_an_empty_base(tmp_path: Path) -> None:
    """No light isotope was in the sample: its fraction there ends at zero, which is said and is no failure."""
    depth = 5e-5 * np.arange(40)
    fraction = 0.6 * special.erfc(depth / (2.0 * np.sqrt(2e-13 * 110 * 3600.0)))
    light = np.floor(20.0 * fraction).astype(int)
    study = counted(tmp_path, light, 20 - light)
    done = run(study, "--output", tmp_path)
    assert done.exit_code == 0, done.output
    low, high = interval("D", done.output)
    assert low < 2e-13 < high
    assert "base at an end of the range of a fraction" in done.output


@pytest.mark.parametrize(("counts", "extra"), [(0, ""), (8, "background_light_counts = 50.0")])
def test_counts_that_say_nothing_are_refused(counts: int, extra: str, tmp_path: Path) -> None:
    done = run(counted(tmp_path, np.full(20, counts), np.full(20, counts), extra), "--output", tmp_path, "--quiet")
    assert done.exit_code == 2
    assert "counts.csv: 0 points with counts above the background; 5 are needed" in done.output
    assert len(done.output.strip().splitlines()) == 1


def test_results_never_replace_data(folder: Path) -> None:
    """A study that is named as the image that it reads: its figure would replace it."""
    image = folder / "grains.png"
    image.write_bytes(b"an image")
    study = folder / "grains.toml"
    text = (folder / "tracer_map.toml").read_text(encoding="utf-8").replace("synthetic_tracer/grains.npy", "grains.png")
    study.write_text(text, encoding="utf-8")
    done = run(study, "--output", folder)
    assert done.exit_code == 2
    assert "would replace a data file" in done.output
    assert len(done.output.strip().splitlines()) == 1
    assert image.read_bytes() == b"an image"


def test_diffusion_of_charge_is_twice_that_of_the_tracer(tmp_path: Path) -> None:
    study = tmp_path / "cait.toml"
    lines = ["schema_version = 1", 'kind = "arrhenius"', "[[lines]]", 'name = "CAIT"']
    lines += ["temperature_K = [350.0]", "D_cait_m2_s = [3e-20]"]
    study.write_text("\n".join(lines), encoding="utf-8")
    done = run(study, "--output", tmp_path)
    assert done.exit_code == 0, done.output
    assert "CAIT: D* 1.5 × 10⁻²⁰ m²/s at 350 K" in done.output


def test_a_haven_ratio_has_the_error_of_all_points_at_its_temperature(tmp_path: Path) -> None:
    law = '[[lines]]\nname = "law"\nprefactor_m2_s = 1e-7\nenergy_eV = 0.5\n'
    law += '[[haven]]\ntracer = "tracer"\nconductivity = "law"\ntemperature_K = [350.0]\n'
    done = arrhenius(tmp_path, [350.0, 350.0, 350.0], [4e-16, 9e-16, 9e-16], "relative_error = [0.1, 0.2, 0.2]\n" + law)
    weight = np.array([0.1, 0.2, 0.2]) ** -2.0
    mean = np.exp(weight @ np.log([4e-16, 9e-16, 9e-16]) / weight.sum())
    with h5py.File(tmp_path / "line.h5") as file:
        assert file["haven1"][0] == pytest.approx(mean / (1e-7 * np.exp(-0.5 / (BOLTZMANN_EV * 350.0))), rel=1e-6)
    assert done.exit_code == 0


def arrhenius(folder: Path, temperatures: list[float], D: list[float], more: str = "") -> Result:
    study = ["schema_version = 1", 'kind = "arrhenius"', "[[lines]]", 'name = "tracer"']
    study += [f"temperature_K = {temperatures}", f"D_m2_s = {D}", more]
    (folder / "line.toml").write_text("\n".join(study), encoding="utf-8")
    return run(folder / "line.toml", "--output", folder)


def test_an_interval_from_the_scatter_of_few_points_is_that_of_student(tmp_path: Path) -> None:
    """Three points leave one degree of freedom: 12.7 standard errors. With 1.96 of them 70 of 100 held the truth."""
    temperatures, D = np.array([300.0, 400.0, 500.0]), np.array([2.0e-17, 3.1e-15, 6.6e-14])
    done = arrhenius(tmp_path, temperatures.tolist(), D.tolist())
    assert done.exit_code == 0, done.output
    line = stats.linregress(1.0 / (BOLTZMANN_EV * temperatures), np.log(D))
    half = stats.t.ppf(0.975, 1) * line.stderr
    assert interval("E_a", done.output) == pytest.approx((-line.slope - half, -line.slope + half), rel=1e-3)
    told = interval("D₀", done.output)
    assert np.log(told[1] / told[0]) == pytest.approx(2.0 * stats.t.ppf(0.975, 1) * line.intercept_stderr, rel=2e-3)
    assert "errors are those of the scatter of 3 points; its 95 % intervals are of 12.7 standard errors" in done.output
    # Errors that are given are known.
    given = arrhenius(tmp_path, temperatures.tolist(), D.tolist(), "relative_error = 0.1")
    assert given.exit_code == 0 and "Student" not in given.output


def test_points_at_one_temperature_give_no_line_and_no_traceback(tmp_path: Path) -> None:
    law = '[[lines]]\nname = "law"\nprefactor_m2_s = 1e-7\nenergy_eV = 0.5\n'
    law += '[[haven]]\ntracer = "tracer"\nconductivity = "law"\ntemperature_K = [350.0, 400.0]\n'
    done = arrhenius(tmp_path, [350.0, 350.0], [1e-15, 1.1e-15], law)
    assert done.exit_code == 0, done.output
    assert "all points are at 350 K, which give no line" in done.output
    # The mean of the logarithms of both, and not the first.
    ratio = np.sqrt(1e-15 * 1.1e-15) / (1e-7 * np.exp(-0.5 / (BOLTZMANN_EV * 350.0)))
    assert f"at 350 K: {ratio:.4g} (error not known)" in done.output and "at 400 K: not known" in done.output


GRAINS = """schema_version = 1
kind = "map"
map = { labels = "l.npy", pixel_um = 1.0, D_bulk_m2_s = 2e-12, permeability_m_s = 8e-8, boundaries = "each" }
stages = [{ duration_h = 0.25, source = 0.9 }]
"""


def test_a_map_of_one_grain_has_no_boundary(tmp_path: Path) -> None:
    """Its D is that of the grain; with counts there is nothing to find, which is one line, here and by `check`."""
    np.save(tmp_path / "l.npy", np.zeros((8, 24), int))
    np.save(tmp_path / "n.npy", np.full((8, 24), 50.0))
    (tmp_path / "one.toml").write_text(GRAINS, encoding="utf-8")
    done = run(tmp_path / "one.toml", "--output", tmp_path)
    assert done.exit_code == 0 and re.search(r"D_eff +2e-12 m²/s +that of the grain", done.output), done.output
    counted = GRAINS + 'counts = { light = "n.npy", heavy = "n.npy" }\n'
    (tmp_path / "counted.toml").write_text(counted, encoding="utf-8")
    for command in ("tracer", "check"):
        wrong = CliRunner().invoke(app, [command, str(tmp_path / "counted.toml"), "--output", str(tmp_path)])
        assert wrong.exit_code == 2 and "one grain alone; D_gb/δ is found of a boundary" in wrong.output
    cut = "cuts = [{ start_um = [9.6, 0.0], end_um = [9.6, 20.0], width_um = 0.5, interval_um = 2.0 }]\n"
    (tmp_path / "cut.toml").write_text(GRAINS.replace("pixel_um = 1.0", "pixel_um = 7.0") + cut, encoding="utf-8")
    empty = run(tmp_path / "cut.toml", "--output", tmp_path)
    assert empty.exit_code == 2 and "no centre of a pixel lies within half of the width" in empty.output


def test_boundaries_in_series_add_their_resistances() -> None:
    """Not the geometric mean of D_gb/δ, by which D_eff was 22 % too high."""
    labels = np.repeat(np.arange(3), 8)[None].repeat(8, axis=0)
    permeability, D, size = jnp.asarray([1e-8, 4e-8]), jnp.asarray(2e-12), 8e-6
    grains = grain_map(labels, 1e-6, classes="each")
    found = _effective(grains, D, permeability, size, np.array([True, True]))
    assert found.value == pytest.approx(size / (size / 2e-12 + 0.5 * (1e8 + 0.25e8)))
    # Of a boundary that the data do not determine the fit may have found anything.
    found = _effective(grains, D, permeability.at[0].set(1e-19), size, np.array([False, True]))
    assert found.value == pytest.approx(size / (size / 2e-12 + 0.25e8)) and "1 of 2 boundaries" in found.note
    assert "not known" in _effective(grains, D, permeability, size, np.array([False, False]))


def test_published_lines(tmp_path: Path) -> None:
    """Haven ratio of two lines of one energy: the ratio of their prefactors, 0.048/0.20, at every temperature."""
    done = run(SWEEPS / "llto_arrhenius.toml", "--output", tmp_path)
    assert done.exit_code == 0, done.output
    with h5py.File(tmp_path / "llto_arrhenius.h5") as file:
        np.testing.assert_allclose(file["haven1"], 0.24, rtol=1e-12)
        np.testing.assert_allclose(file["line3_energy"], 0.3627, rtol=1e-2)
        check_described(file)
    # Laws as given are drawn from the file as well as points.
    (ax,) = tracer_figure(tmp_path / "llto_arrhenius.h5", "arrhenius").axes
    given = next(line for line in ax.lines if line.get_label() == "tracer, (l/δ) D_gb")
    slope = np.polyfit(given.get_xdata(), np.log(given.get_ydata()), 1)[0]
    np.testing.assert_allclose(slope, -0.43 / BOLTZMANN_EV / 1e3, rtol=1e-6)
    assert len(ax.get_legend().get_texts()) == 5


@pytest.mark.skipif(not OSLO.is_file(), reason=f"no measured profile at {OSLO}")
def test_measured_profile_that_one_law_does_not_explain(tmp_path: Path) -> None:
    """Lithium in ZnO: Dt is found, D is not named, as the duration is unknown; the chi2 is told."""
    # In the film in front of the crystal there is many times more than in its bulk.
    options = ["--species", "Li=7Li", "--normalise", "Li=bulk", "--bulk-nm", "1500:2200", "--force"]
    imported = CliRunner().invoke(app, ["import-sims", str(OSLO), *options, "--out", str(tmp_path / "zno_li_700C.h5")])
    assert imported.exit_code == 0, imported.output
    done = run(shutil.copy(SWEEPS / "zno_lithium.toml", tmp_path), "--output", tmp_path)
    assert done.exit_code == 0, done.output
    low, high = interval("2√(Dt)", done.output)
    assert 1.0 < low < high < 2.5
    assert not re.search(r"^D +[\d.]", done.output, re.MULTILINE)
    assert "D alone is not determined" in done.output
    assert "The model does not explain the data" in done.output


@pytest.mark.parametrize(
    ("study", "old", "new", "message"),
    [
        ("tracer_map", "pixel_um = 1.0", "", "map.pixel_um: missing key"),
        ("tracer_map", "pixel_um = 1.0", "pixel_nm = 1.0", "pixel_nm"),
        ("tracer_map", "[16.0, 60.0]", "[16.0, 64.0]", "cuts[0]: (16, 64) lies outside of the map, 32 × 64 µm"),
        ("tracer_map", "interval_um = 1.0", "interval_um = 1e-9", "cuts[0].interval_um = 1e-09 makes 6e+10 points"),
        (
            "tracer_exchange",
            "[truth]",
            '[[known]]\nname = "surface"\nprior_mean = 1e99\nprior_sigma = 1\n[truth]',
            "known[0]: prior_mean = 1e+99 of surface must be greater than or equal to -10 and less than",
        ),
        (
            "tracer_exchange",
            "[truth]",
            '[[known]]\nname = "base"\nprior_mean = 0.1\nprior_sigma = 1e-300\n[truth]',
            "known[0].prior_sigma = 1e-300: no quantity is so small",
        ),
        ("tracer_exchange", "2e-12", "5e-324", "model.start_D_m2_s = 5e-324: no quantity is so small"),
        ("tracer_map", "light.npy", "negative.npy", "counts must be zero or positive numbers"),
        ("tracer_map", "light.npy", "short.npy", "shape (5, 64); the image of grains has (32, 64)"),
        ("tracer_chain", "D_bulk_m2_s = 2.6e-12", "D_bulk_m2_s = 0.0", "chain.D_bulk_m2_s = 0.0"),
        ("tracer_chain", "chain0.csv", "missing.csv", "missing.csv: No such file"),
        ("tracer_exchange", "cool0.csv", "nan.csv", "nan.csv: "),
        (
            "tracer_exchange",
            "cool0.csv",
            "endless.csv",
            "endless.csv: counts must be zero or positive numbers, and finite",
        ),
        ("tracer_exchange", 'cool0.csv"', 'gone.h5"\nspecies = "Li"', "gone.h5: No such file"),
        ("tracer_exchange", 'kind = "profile"', 'kind = "profil"', "kind = 'profil'; allowed are"),
    ],
)
def test_wrong_input_ends_in_one_line(folder: Path, study: str, old: str, new: str, message: str) -> None:
    data = folder / "synthetic_tracer"
    counts = np.load(data / "light.npy")
    np.save(data / "short.npy", counts[:5])
    np.save(data / "negative.npy", counts.astype(float) - 1e3)
    lines = (data / "cool0.csv").read_text(encoding="utf-8").splitlines()
    header = next(k for k, line in enumerate(lines) if not line.startswith("#"))
    lines[header + 3] = ",".join([lines[header + 3].split(",")[0], "nan", "0.1"])
    (data / "nan.csv").write_text("\n".join(lines), encoding="utf-8")
    endless = ["position_um,light_counts,heavy_counts", *(f"{k},{'inf' if k == 3 else 9},9" for k in range(20))]
    (data / "endless.csv").write_text("\n".join(endless), encoding="utf-8")
    file = folder / f"{study}.toml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")
    done = run(file, "--output", folder, "--quiet")
    assert done.exit_code == 2
    assert message in done.output
    assert len(done.output.strip().splitlines()) == 1
    assert not list(folder.glob("*.h5"))


def npy(kind: str, shape: str, content: bytes = b"") -> bytes:
    """An array whose head says what it likes."""
    head = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head.encode() + content


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("huge.npy", npy("<i8", "(1000000, 1000000000)"), "it claims more numbers than there is room for"),
        ("times.npy", npy("<m8[s]", "(1, 1)", bytes(8)), "integers [row, column] are needed"),
        ("text.npy", b"abc", "not an array (.npy), as numpy.save writes it"),
        ("text.png.tif", b"abc", "not an image of a format that is known"),
        ("cut.png", b"\x89PNG\r\n\x1a\n", "not an image ("),
    ],
)
def test_grains_that_are_none_are_one_line(name: str, content: bytes, told: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read_labels(tmp_path / name)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / name}: ") and told in message and "\n" not in message
    # Nobody is told to load what may execute code.
    assert "pickle" not in message


@pytest.mark.parametrize("start", ["1e-60", "1e-20"])
def test_a_start_of_which_no_point_shows_anything_is_told(start: str, folder: Path) -> None:
    """One path is found from anywhere; of two paths the data tell too little."""
    study = folder / "tracer_exchange.toml"
    text = study.read_text(encoding="utf-8").replace("start_D_m2_s = 2e-12", f"start_D_m2_s = {start}")
    study.write_text(text, encoding="utf-8")
    assert run(study, "--output", folder, "--quiet").exit_code == 0
    with h5py.File(folder / "tracer_exchange.h5") as file:
        np.testing.assert_allclose(file["D"][()], 8.0e-13, rtol=0.05)
    study.write_text(text.replace("[model]", '[model]\ntransport = "two-path"'), encoding="utf-8")
    done = run(study, "--output", folder, "--quiet")
    assert done.exit_code == 3
    told = " ".join(done.output.split())
    assert "start_D_m2_s: the fit starts from a length" in told and "points 100 µm apart over 6600 µm" in told


def test_what_is_held_at_the_end_of_its_range_is_not_called_hardly_determined(folder: Path) -> None:
    study = folder / "tracer_exchange.toml"
    known = '[[known]]\nname = "D_m2_s"\nlow = 1e-11\nhigh = 1e-10\n[truth]'
    study.write_text(study.read_text(encoding="utf-8").replace("[truth]", known), encoding="utf-8")
    done = run(study, "--output", folder / "out")
    assert "with D_m2_s, base at an end of the range" in done.output
    assert "hardly determine" not in done.output


def test_a_parameter_far_from_what_was_known_of_it_is_told(folder: Path) -> None:
    study = folder / "tracer_exchange.toml"
    known = '[[known]]\nname = "D_m2_s"\nprior_mean = 3e-13\nprior_sigma = 0.2\n[truth]'
    study.write_text(study.read_text(encoding="utf-8").replace("[truth]", known), encoding="utf-8")
    done = run(study, "--output", folder / "out")
    assert "D_m2_s ended 4.8 standard deviations from what was known of it, 3e-13" in " ".join(done.output.split())


def test_a_map_without_counts_is_refused(folder: Path) -> None:
    study = folder / "tracer_map.toml"
    for name in ("light", "heavy"):
        path = folder / "synthetic_tracer" / f"{name}.npy"
        np.save(path, np.zeros_like(np.load(path)))
    done = run(study, "--output", folder / "out")
    assert done.exit_code == 2 and "counts: 0 pixels have some" in " ".join(done.output.split())


def test_a_map_of_fractions_in_place_of_counts_is_refused(folder: Path) -> None:
    study, place = folder / "tracer_map.toml", folder / "synthetic_tracer"
    light, heavy = (np.load(place / f"{name}.npy").astype(float) for name in ("light", "heavy"))
    total = np.maximum(light + heavy, 1.0)
    for share, told in ((1.0, "numbers up to"), (100.0, "pairs that all add up to 100")):
        np.save(place / "light.npy", share * (1.0 - heavy / total))
        np.save(place / "heavy.npy", share * heavy / total)
        done = run(study, "--output", folder / "out")
        assert done.exit_code == 2 and told in " ".join(done.output.split())


def test_errors_that_are_too_large(folder: Path) -> None:
    """Points that lie closer to the law than their errors allow: said, and the interval is that of the errors."""
    profile = folder / "synthetic_tracer" / "cool0.csv"
    text = profile.read_text(encoding="utf-8")
    assert text.count(",0.005\n") > 50
    as_it_is = run(folder / "tracer_exchange.toml", "--output", folder / "as_it_is")
    profile.write_text(text.replace(",0.005\n", ",0.025\n"), encoding="utf-8")
    done = run(folder / "tracer_exchange.toml", "--output", folder / "wide")
    assert "lie closer to the model" not in as_it_is.output
    assert "lie closer to the model than their standard errors allow" in done.output
    (a, b), (c, d) = interval("D", as_it_is.output), interval("D", done.output)
    assert d / c == pytest.approx((b / a) ** 5, rel=0.05)


def moved(file: Path, by: float, times: float = 1.0) -> None:
    """Fractions of a profile as other numbers."""
    head, rows = file.read_text(encoding="utf-8").split("sigma\n")
    table = np.array([[float(cell) for cell in row.split(",")] for row in rows.split()])
    table[:, 1:] = table[:, 1:] * times + [by, 0.0]
    lines = "\n".join(",".join(f"{cell:.6g}" for cell in row) for row in table)
    file.write_text(f"{head}sigma\n{lines}\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("by", "told"), [(0.3, "C of the source is 1.2"), (-0.3, "C of the untouched sample is -0.2"), (0.0, "")]
)
def test_fractions_beyond_those_of_isotopes_are_told(by: float, told: str, folder: Path) -> None:
    """A wrong background, or a thickness of the source that is not its own, leaves χ² as it is."""
    moved(folder / "synthetic_tracer" / "cool0.csv", by)
    done = run(folder / "tracer_exchange.toml", "--output", folder / "out")
    text = " ".join(done.output.split())
    assert done.exit_code == 0
    assert text.count("and no isotope fraction lies") == (1 if told else 0)
    assert told in text


def test_few_points_beyond_one_do_not_hold_the_source_where_they_are(folder: Path) -> None:
    """Held at the largest of them, it had no error, and no word was said."""
    x = np.linspace(0.5, 30.0, 60)
    fraction = 0.5 + 0.7 * special.erfc(x / 5.0) + np.where(np.arange(60) % 2, 0.009, -0.009)
    (folder / "beyond.csv").write_text(
        "position_um,fraction,fraction_sigma\n" + "".join(f"{a},{b},0.01\n" for a, b in zip(x, fraction, strict=True)),
        encoding="utf-8",
    )
    study = folder / "tracer_exchange.toml"
    text = study.read_text(encoding="utf-8").split("[truth]")[0].replace("synthetic_tracer/cool0.csv", "beyond.csv")
    study.write_text(text, encoding="utf-8")
    done = run(study, "--output", folder / "out")
    low, high = interval("C of the source", done.output)
    assert low < 1.2 < high
    assert "no isotope fraction lies above one" in " ".join(done.output.split())


@pytest.mark.slow
def test_fractions_of_an_evolution_beyond_those_of_isotopes_are_told(folder: Path) -> None:
    for file in (folder / "synthetic_tracer").glob("cool?.csv"):
        moved(file, 0.3)
    study = folder / "tracer_evolution.toml"
    text = study.read_text(encoding="utf-8").replace("[fit]", "[fit]\ncells = 50\nsteps = 8")
    study.write_text(text, encoding="utf-8")
    done = run(study, "--output", folder / "out")
    text = " ".join(done.output.split())
    assert "22 C: C of the source is 1.2" in text and text.count("and no isotope fraction lies above one") == 1


@pytest.mark.parametrize("study", ["tracer_exchange", "tracer_evolution"])
def test_fractions_in_per_cent_without_a_word_of_it_are_refused(study: str, folder: Path) -> None:
    moved(folder / "synthetic_tracer" / "cool0.csv", 0.0, 100.0)
    done = run(folder / f"{study}.toml", "--output", folder / "out")
    assert done.exit_code == 2
    assert "cool0.csv: at -800 µm the fraction is 95.06, and no isotope fraction is above one" in done.output
    assert "'fraction [%]'" in done.output


def test_points_behind_a_plate_are_refused(folder: Path) -> None:
    """Its solution there would be that of its back."""
    study = folder / "tracer_exchange.toml"
    text = study.read_text(encoding="utf-8")
    study.write_text(text.replace("[model]", "[model]\nthickness_um = 5000"), encoding="utf-8")
    done = run(study, "--output", folder / "out")
    assert done.exit_code == 2
    assert "model: the points go to 5800 µm, and a plate of thickness_um = 5000 has none behind its back" in done.output
    study.write_text(text.replace("[model]", "[model]\nthickness_um = 5800"), encoding="utf-8")
    assert run(study, "--output", folder / "out").exit_code == 0


@pytest.mark.parametrize("seed", [1, 13])
def test_counts_of_no_exchange_set_no_limit_to_D(seed: int, tmp_path: Path) -> None:
    """The source cannot be told from the sample: D goes to zero and to infinity, and neither is an end."""
    rng, depth = np.random.default_rng(seed), np.linspace(5.0, 500.0, 40)
    light, heavy = rng.poisson(4.0, 40), rng.poisson(46.0, 40)
    table = "\n".join(f"{x:g},{a},{b}" for x, a, b in zip(depth, light, heavy, strict=True))
    (tmp_path / "none.csv").write_text(f"depth_um,6Li,7Li\n{table}\n")
    (tmp_path / "none.toml").write_text(
        'schema_version = 1\nkind = "profile"\n[profile]\nfile = "none.csv"\nlight = "6Li"\nheavy = "7Li"\n'
        "[model]\nduration_h = 1.0\nstart_D_m2_s = 1e-12\nbase = 0.0759\n"
    )
    result = CliRunner().invoke(app, ["tracer", str(tmp_path / "none.toml"), "--output", str(tmp_path)])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert re.search(r"^D .* 95 %: open … open$", result.output, re.MULTILINE)
