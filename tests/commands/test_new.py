"""`npp-jax new`: what it writes is read by the readers of the package, begins near the truth of a profile, stays."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.special import erfc

import npp_jax as npp
from npp_jax.commands.simulate import read_supported
from npp_jax.commands.tracer.study import load_tracer_study
from npp_jax.commands.warnings import study_warnings
from npp_jax.files.study import load_study

SWEEPS = Path(__file__).parents[2] / "sweeps"
PROFILE = SWEEPS / "synthetic" / "K.csv"

Run = Callable[..., tuple[int, str]]

KINDS = {
    "cait": ("cait", "--native", "Li", "--foreign", "K"),
    "melt": ("melt", "--native", "Na", "--foreign", "K", "--name", "melt"),
    "poling": ("poling", "--native", "Na", "--foreign", "K"),
    "tracer": ("tracer",),
}


@pytest.mark.parametrize("kind", ["cait", "melt", "poling"])
def test_what_is_written_is_read(kind: str, tmp_path: Path, run: Run) -> None:
    assert run("new", *KINDS[kind], "--output", tmp_path)[0] == 0
    experiment, study = sorted(tmp_path.iterdir())
    loaded = load_study(study)
    assert len(loaded.problem.parameters) >= 2
    # What it assumed is told until it is replaced, unless it varies.
    (line,) = (line for line in study_warnings(loaded) if "as `npp-jax new` assumed" in line)
    assert "temperature_K" in line and "sed_fwhm_eV" not in line
    model = "full" if kind == "poling" else "electroneutral"
    assert read_supported(experiment, model).title
    before = experiment.read_bytes()
    code, text = run("new", *KINDS[kind], "--output", tmp_path)
    assert (code, f"{experiment}: a file is there" in text) == (2, True)
    assert run("new", *KINDS[kind], "--output", tmp_path, "--force")[0] == 0
    assert experiment.read_bytes() == before


@pytest.mark.slow
def test_a_tracer_study_runs_as_it_is(tmp_path: Path, run: Run) -> None:
    assert run("new", "tracer", "--output", tmp_path)[0] == 0
    code, text = run("tracer", tmp_path / "tracer.toml", "--output", tmp_path)
    assert code == 0, text
    report = (tmp_path / "tracer_report.md").read_text(encoding="utf-8")
    assert "made with known values" in report and "8e-13" in report
    drawn = tmp_path / "again.png"
    assert run("plot", tmp_path / "tracer.h5", "--output", drawn)[0] == 0 and drawn.stat().st_size > 10_000
    assert "converged" in text and "synthetic" in (tmp_path / "tracer_synthetic.csv").read_text(encoding="utf-8")


def test_a_couple_is_written_with_its_data(tmp_path: Path, run: Run) -> None:
    code, text = run("new", "couple", "--output", tmp_path)
    assert code == 0 and "synthetic" in text, text
    study = load_study(tmp_path / "diffusion_study.toml")
    start = np.genfromtxt(tmp_path / "diffusion_start.csv", delimiter=",", names=True)
    # Made with 1e-15 exp(1.5 c) m²/s.
    knots = {name: float(start[name]) for name in start.dtype.names or () if name.startswith("D_at")}
    law = study.main.problem.measurements[0].experiment.species[0].diffusivity
    assert isinstance(law, npp.SplineDiffusivity)
    fractions = np.asarray(law.fraction)
    np.testing.assert_allclose(list(knots.values()), 1e-15 * np.exp(1.5 * fractions), rtol=0.06)
    own = tmp_path / "own.csv"
    own.write_text("depth_um,Mo\n" + "".join(f"{k},{0.5 + 0.5 * np.tanh(0.1 * (k - 38)):.5f}\n" for k in range(76)))
    code, text = run("new", "couple", "--profile", own, "--output", tmp_path, "--name", "own")
    assert code == 2 and "--duration-h" in text and text.count("\n") == 1
    options = ("--profile", own, "--duration-h", 2, "--species", "Mo", "--output", tmp_path, "--name", "own")
    assert run("new", "couple", *options)[0] == 0
    assert load_study(tmp_path / "own_study.toml").main.problem.measurements[0].profile is not None


def test_a_profile_gives_the_first_guess(tmp_path: Path, run: Run) -> None:
    """Of a synthetic profile of 20.1 mC/cm², D of K 9.7e-22 m²/s and 2000 counts."""
    code, text = run("new", "cait", "--profile", PROFILE, "--output", tmp_path)
    assert code == 0, text
    problem = load_study(tmp_path / "cait_K_study.toml").problem
    (measurement,) = problem.measurements
    assert measurement.profile is not None and measurement.profile.counts is not None
    assert float(measurement.value_of("stages.0.charge_mC_cm2")) == pytest.approx(20.1, rel=0.05)
    assert float(measurement.value_of("K.D_m2_s")) == pytest.approx(9.7e-22, rel=0.5)
    assert np.max(np.asarray(measurement.profile.counts)) > 1000.0
    for parameter in problem.parameters:
        start = float(measurement.value_of(parameter.keys[0]))
        assert parameter.low < start < parameter.high


def test_an_isotope_profile_gives_the_length_to_start_from(tmp_path: Path, run: Run) -> None:
    profile = SWEEPS / "synthetic_tracer" / "cool0.csv"
    code, text = run("new", "tracer", "--profile", profile, "--duration-h", 110, "--output", tmp_path)
    assert code == 0, text
    study = load_tracer_study(tmp_path / "tracer.toml")
    assert study.kind == "profile" and study.model.start_D_m2_s == pytest.approx(8e-13, rel=0.3)


def test_an_imported_profile_is_drawn_again(tmp_path: Path, run: Run) -> None:
    counts = np.random.default_rng(3).poisson([[900.0, 40.0]] * 60)
    rows = "\n".join(f"{5 * k},{li},{other}" for k, (li, other) in enumerate(counts))
    (tmp_path / "counts.csv").write_text(f"depth_nm,Li (counts),K (counts)\n{rows}\n", encoding="utf-8")
    assert run("import-sims", tmp_path / "counts.csv", "--species", "Li", "--species", "K")[0] == 0
    assert run("plot", tmp_path / "counts.h5")[0] == 0
    assert (tmp_path / "counts_plot.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("cait",), "give --native Li and --foreign K"),
        (("cait", "--native", "Li", "--foreign", "Li"), "two ions are needed"),
        (("cait", "--native", 'L"i', "--foreign", "K"), "the name of an ion"),
        (("tracer", "--native", "Li"), "new tracer takes no --native"),
        (("melt", "--native", "Na", "--foreign", "K", "--temperature-K", "3"), "must be greater than"),
        (("cait", "--profile", "none.csv"), "none.csv: No such file"),
        (("cait", "--profile", str(PROFILE), "--native", "Na"), "leave out the column of K"),
        (("cait", "--native", "Li", "--foreign", "K", "--name", "a/b"), "letters, digits"),
        (("cait", "--profile", str(PROFILE), "--profile", "b.csv"), "--profile is given 2 times"),
    ],
)
def test_wrong_input_is_one_line(arguments: tuple[str, ...], told: str, tmp_path: Path, run: Run) -> None:
    code, text = run("new", *arguments, "--output", tmp_path)
    assert code == 2 and told in text and text.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_the_version_is_told(run: Run) -> None:
    code, text = run("--version")
    assert code == 0 and text.startswith("npp_jax ")


@pytest.mark.parametrize(
    ("head", "options", "message"),
    [
        ("depth_nm,Li,Li_sigma,<b>K</b>,<b>K</b>_sigma", [], "the column '<b>K</b>' is no name of an ion"),
        ("depth_nm,Li ion,Li ion_sigma,K,K_sigma", [], "the column 'Li ion' is no name of an ion"),
        ("depth_nm,Li,Li_sigma,K,K_sigma", ["--first-depth-nm", "1000"], "deeper than --first-depth-nm 1000"),
    ],
)
def test_profiles_that_make_no_study_are_refused(head: str, options: list[str], message: str, tmp_path: Path, run: Run):
    depth = np.arange(1.0, 100.0, 4.0)
    native = 1.0 - 0.9 / (1.0 + np.exp((depth - 60.0) / 2.0))
    rows = np.column_stack([depth, native, 0.01 + 0.0 * depth, 1.0 - native, 0.01 + 0.0 * depth])
    np.savetxt(tmp_path / "odd.csv", rows, delimiter=",", header=head, comments="")
    code, text = run("new", "cait", "--profile", tmp_path / "odd.csv", *options, "--output", tmp_path)
    assert code == 2 and message in " ".join(text.split())


def _profile(path: Path, depth: np.ndarray, native: np.ndarray, head: str = "depth_nm,Li,Li_sigma,K,K_sigma") -> Path:
    sigma = np.full(len(depth), 0.01)
    rows = np.column_stack([depth, native, sigma, 1.0 - native, sigma])
    np.savetxt(path, rows, delimiter=",", header=head, comments="")
    return path


def test_the_ion_that_rises_with_depth_is_that_of_the_glass(tmp_path: Path, run: Run) -> None:
    depth = np.arange(1.0, 100.0, 2.0)
    # It ends in the front, where there is still more of the foreign ion.
    front = 0.1 + 0.9 / (1.0 + np.exp((105.0 - depth) / 4.0))
    code, text = run("new", "cait", "--profile", _profile(tmp_path / "front.csv", depth, front), "--output", tmp_path)
    assert code == 0 and "Li rises with depth: taken for the ion of the glass, K for" in text, text
    plateau = _profile(tmp_path / "plateau.csv", depth[:5], np.full(5, 0.12))
    code, text = run("new", "cait", "--profile", plateau, "--output", tmp_path, "--name", "plateau")
    assert code == 2 and "neither Li nor K rises with depth" in " ".join(text.split())


@pytest.mark.parametrize(
    ("scale", "inside", "told"),
    [
        (0.72, 0.0, "warning: Na is 0.72 in the bulk of the profile"),
        (1.0, 0.3, "K is 0.3 in the bulk: taken for a part of the glass (bulk_fraction 0.3)"),
    ],
)
def test_the_glass_of_a_melt_is_that_of_the_profile(scale: float, inside: float, told: str, tmp_path: Path, run: Run):
    depth = np.linspace(50.0, 24000.0, 100)
    foreign = inside + (0.9 - inside) * erfc(depth / 6000.0)
    sigma = np.full(100, 0.01)
    rows = np.column_stack([depth, scale * (1.0 - foreign), sigma, scale * foreign, sigma])
    head = "depth_nm,Na,Na_sigma,K,K_sigma"
    np.savetxt(tmp_path / "melt.csv", rows, delimiter=",", header=head, comments="")
    code, text = run("new", "melt", "--profile", tmp_path / "melt.csv", "--output", tmp_path)
    assert code == 0 and told in text, text
    problem = load_study(tmp_path / "melt_K_study.toml").problem
    shares = [float(ion.bulk_fraction) for ion in problem.measurements[0].experiment.species]
    assert shares == pytest.approx([1.0 - inside, inside])
    surface = float(problem.measurements[0].value_of("stages.0.reservoir_fraction.K"))
    # The median of the first three points.
    assert surface == pytest.approx(foreign[1], rel=2e-3)
    varied = [p for p in problem.parameters if p.name == "sensitivity"]
    assert [p.keys for p in varied] == (
        [] if scale == 1.0 else [("observation.Na.sensitivity", "observation.K.sensitivity")]
    )
    assert all(p.low < scale < p.high for p in varied)


def test_depths_in_angstroms_are_told(tmp_path: Path, run: Run) -> None:
    """A front of 92 nm, written in ångströms: ten times the charge, and ten times the width of a front of SIMS."""
    depth = np.arange(5.0, 1600.0, 10.0)
    native = 0.1 + 0.9 / (1.0 + np.exp((1020.0 - depth) / 25.0))
    path = _profile(tmp_path / "deep.csv", depth, native)
    code, text = run("new", "cait", "--profile", path, "--output", tmp_path)
    told = [line for line in text.splitlines() if line.startswith("warning: K: ") and "in ångströms" in line]
    assert code == 0 and len(told) == 2, text
    # Ohm's law through 500 µm with 1e-7 S/m under 10 V: j = 2e-3 A/m².
    charge = float(told[0].split()[2])
    assert float(told[0].split()[5]) == pytest.approx(charge / 2e-3 / 3600.0, rel=0.01)
    named = _profile(tmp_path / "named.csv", depth, native, "depth_A,Li,Li_sigma,K,K_sigma")
    code, text = run("new", "cait", "--profile", named, "--output", tmp_path, "--name", "named")
    assert code == 0 and "ångströms" not in text


@pytest.mark.parametrize(("factor", "told"), [(1.0, "numbers up to 0.979"), (100.0, "pairs that all add up to 100")])
def test_fractions_under_the_heads_of_counts_are_refused(factor: float, told: str, tmp_path: Path, run: Run) -> None:
    position = np.linspace(0.0, 30.0, 31)
    fraction = 0.02 + 0.6 * np.exp(-((position / 12.0) ** 2))
    rows = np.column_stack([position, factor * fraction, factor * (1.0 - fraction)])
    np.savetxt(tmp_path / "f.csv", rows, delimiter=",", header="position_um,light_counts,heavy_counts", comments="")
    code, text = run("new", "tracer", "--profile", tmp_path / "f.csv", "--output", tmp_path)
    assert code == 2 and told in " ".join(text.split()) and "these are no counts" in " ".join(text.split())
