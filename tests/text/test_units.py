"""Units in the titles of columns are converted, or refused in one line that says what to write."""

from pathlib import Path

import numpy as np
import pytest

from npp_jax.commands.tracer.data import read_isotope_profile
from npp_jax.files import ConfigError
from npp_jax.files.profile_table import read_profile
from npp_jax.files.trace import read_trace
from npp_jax.physics.limits import above


def trace(folder: Path, text: str, column: str = "potential_V", duration: float = 7200.0):
    path = folder / "trace.csv"
    path.write_text(text, encoding="utf-8")
    return read_trace(path, column, above(0.0, 1e5), duration=duration, charge=None)


@pytest.mark.parametrize(
    "titles",
    [
        "time_h;potential_V", "t [h];U [V]", "Zeit (h);U (V)", "Zeit / h;Spannung / V", "Zeit/h;U/V",
        "Zeit in h;U in V",
        "Zeit, h;U, V", "Elapsed Time (hours);Voltage (volts)", "time_h;potential_V\nh;V", "t;U\nh;V", "t;U\n[h];[V]",
        "Messung 3;Probe B\nt;U\nh;V", "# t [h];U [V]", "Zeit (Stunden);potential_V", "potential_V;time_h",
    ],
)  # fmt: skip
def test_titles_of_a_trace(titles: str, tmp_path: Path):
    turned = titles.startswith("potential")
    rows = ["5;0", "6,5;1", "7;2"] if turned else ["0;5", "1;6,5", "2;7"]
    drive = trace(tmp_path, "\n".join([titles, *rows]) + "\n")
    assert drive.time is not None
    assert drive.time.tolist() == [0.0, 3600.0, 7200.0] and drive.value.tolist() == [5.0, 6.5, 7.0]


@pytest.mark.parametrize(
    "text",
    [
        "time_s;potential_V;\n0;1,5;\n7200;2;\n", "time_s;potential_V\n0;1,5;\n7200;2;\n",
        "  time_s  potential_V\n 0  1.5\n7200 2\n",
        "sep=;\ntime_s;potential_V\n0;1,5\n7200;2\n", '"time_s";"potential_V"\n"0";"1,5"\n"7200";"2"',
        "time_s, potential_V\n0, 1.5\n7200, 2",
        "Datum: 3.5.; Operator: X\n\nt [s];U [V];I [nA]\n0;1,5;3\n7200;2;4\n",
        "time_s;U (V);note\n0;1,5;" + "x" * 200_000 + "\n7200;2;-\n",
        "# " + "x" * 200_000 + "\ntime_s|U (V)\n0|1,5\n7200|2\n// end",
    ],
)  # fmt: skip
def test_layouts_of_a_trace(text: str, tmp_path: Path):
    drive = trace(tmp_path, text)
    assert drive.time is not None and (drive.time.tolist(), drive.value.tolist()) == ([0.0, 7200.0], [1.5, 2.0])


@pytest.mark.parametrize(("unit", "factor"), [("kV", 1e3), ("mV", 1e-3), ("V", 1.0), ("volt", 1.0), ("Volts", 1.0)])
def test_potentials(unit: str, factor: float, tmp_path: Path):
    drive = trace(tmp_path, f"t (min),U ({unit})\n0,2\n120,4\n")
    np.testing.assert_allclose(drive.value, np.array([2.0, 4.0]) * factor, rtol=1e-15)
    again = trace(tmp_path, f"time_min,potential_{unit}\n0,2\n120,4\n")
    assert again.value.tolist() == drive.value.tolist()


@pytest.mark.parametrize(
    ("title", "factor"),
    [
        ("current_density_A_m2", 1.0), ("current_density_mA_cm2", 10.0), ("j (nA/cm2)", 1e-5), ("j [µA/cm²]", 1e-2),
        ("j / A m^-2", 1.0), ("j (A·m⁻²)", 1.0), ("Stromdichte (pA/mm2)", 1e-6), ("j in uA/m2", 1e-6),
    ],
)  # fmt: skip
def test_current_densities(title: str, factor: float, tmp_path: Path):
    drive = trace(tmp_path, f"time_s;{title}\n0;2\n7200;4\n", "current_density_A_m2")
    np.testing.assert_allclose(drive.value, np.array([2.0, 4.0]) * factor, rtol=1e-15)


@pytest.mark.parametrize(
    ("titles", "message"),
    [
        ("time_s,U", "needs the columns time_s and potential_V"),
        ("t,potential_V", "'t' has no unit; time_s is such a column with its unit"),
        ("Zeit (fortnights),U (V)", "'Zeit (fortnights)' has the unit 'fortnights'; time_s is such"),
        ("time_s,U (MV)", "needs the columns time_s and potential_V"),
        ("time_s,I (nA)", "needs the columns time_s and potential_V"),
        ("time_s,U (V),U2 (V)", "several may be potential_V: U (V), U2 (V)"),
        ("time_s,time_s", "the column 'time_s' is there twice"),
        ("time_s,U (V)\nh,V", "'time_s' and the unit 'h' below it contradict each other"),
        ("time_s,potential_V\ns,kV", "'potential_V' and the unit 'kV' below it contradict each other"),
    ],
)
def test_what_is_refused_in_a_trace(titles: str, message: str, tmp_path: Path):
    width = titles.split("\n")[0].count(",") + 1
    rows = ["0,5,6", "7200,6,7"] if width == 3 else ["0,5", "7200,6"]
    with pytest.raises(ConfigError) as caught:
        trace(tmp_path, "\n".join([titles, *rows]) + "\n")
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_column_of_words_is_left_alone(tmp_path: Path):
    drive = trace(tmp_path, "time_s;note;U (V)\n0;start, cold;5\n7200;warm;6,5\n")
    assert drive.value.tolist() == [5.0, 6.5]


def profile(folder: Path, titles: str, scale: float = 1.0):
    path = folder / "profile.csv"
    rows = [f"{k};{0.1 * k * scale:.6g};{0.01 * scale:.6g}" for k in range(1, 8)]
    path.write_text("\n".join([titles, *rows]), encoding="latin-1")
    return read_profile(path)


@pytest.mark.parametrize(
    ("title", "factor"),
    [
        ("depth_nm", 1.0), ("depth_um", 1e3), ("Depth (\xc5)", 0.1), ("Tiefe / µm", 1e3), ("depth_A", 0.1),
        ("Depth [mm]", 1e6), ("z (nm)", 1.0), ("Tiefe in nm", 1.0), ("Depth (micron)", 1e3), ("Depth\nnm;;", 1.0),
    ],
)  # fmt: skip
def test_depths(title: str, factor: float, tmp_path: Path):
    head, _, units = title.partition("\n")
    found = profile(tmp_path, f"{head};Li;Li_sigma" + (f"\n{units}" if units else ""))
    assert np.asarray(found.depth).tolist() == [factor * k for k in range(1, 8)]


@pytest.mark.parametrize(
    "titles",
    [
        "depth_nm;Li (%);Li_sigma (%)",
        "depth_nm;Li_pct;Li_sigma_pct",
        "depth_nm;Li_percent;Li_percent_sigma",
        "Tiefe;Li;Li_sigma\nnm;%;%",
    ],
)
def test_per_cent(titles: str, tmp_path: Path):
    found = profile(tmp_path, titles, 100.0)
    assert found.species == ("Li",)
    np.testing.assert_allclose(found.fraction, np.arange(1, 8)[None] / 10, rtol=1e-15)
    np.testing.assert_allclose(found.sigma, 0.01, rtol=1e-15)


@pytest.mark.parametrize(
    ("titles", "message"),
    [
        ("depth;Li;Li_sigma", "'depth' has no unit; depth_nm is such a column with its unit"),
        ("Depth (ft);Li;Li_sigma", "'Depth (ft)' has the unit 'ft'"),
        ("depth_nm;Li (%);Li_sigma", "'Li' and 'Li_sigma' have different units"),
        ("depth_nm;Li (counts);Li_sigma", "'Li (counts)' has the unit 'counts'; fractions of the bulk are needed"),
        ("depth_nm;Li (at%);Li_sigma (at%)", "'Li (at%)' has the unit 'at%'"),
        ("Tiefe;Li;Li_sigma\nnm;cps;cps", "'Li' has the unit 'cps'"),
        ("depth_nm;Li;K", "the columns must be depth_nm, NAME, NAME_sigma, …, got depth_nm, Li, K; Li has no Li_sigma"),
        ("depth_nm;Li;Li", "the column 'Li' is there twice"),
        ("depth_nm;Li_sigma;Li_sigma (%)", "the columns must be"),
        ("time_s;Li;Li_sigma", "needs the columns depth_nm, NAME, NAME_sigma"),
        ("depth_nm;Li;Li_sigma\num;;", "'depth_nm' and the unit 'um' below it contradict each other"),
    ],
)  # fmt: skip
def test_what_is_refused_in_a_profile(titles: str, message: str, tmp_path: Path):
    with pytest.raises(ConfigError) as caught:
        profile(tmp_path, titles)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_columns_are_known_by_their_names(tmp_path: Path):
    found = profile(tmp_path, "Li_sigma;depth_nm;Li")
    np.testing.assert_allclose(found.depth, 0.1 * np.arange(1, 8))
    assert np.asarray(found.sigma)[0].tolist() == [1, 2, 3, 4, 5, 6, 7]
    np.testing.assert_allclose(found.fraction, 0.01)


def test_fractions_of_known_counts_need_no_standard_deviations(tmp_path: Path):
    path = tmp_path / "profile.csv"
    path.write_text("\n".join(["depth_nm;K;Li", *(f"{k};0,{k};0,0" for k in range(1, 8))]), encoding="utf-8")
    found = read_profile(path, counts_per_fraction=400.0)
    assert found.species == ("K", "Li") and found.counts is not None
    np.testing.assert_allclose(found.counts, [40.0 * np.arange(1, 8), np.zeros(7)])
    np.testing.assert_allclose(found.sigma, np.sqrt(np.asarray(found.counts) + 1.0) / 400.0)
    with pytest.raises(ConfigError, match="give it, or the counts at fraction one"):
        read_profile(path)


def test_few_counts_may_be_more_than_one_is_expected_to_have(tmp_path: Path):
    """Three where 0.8 are expected: one of twenty points has them."""
    path = tmp_path / "p.csv"
    path.write_text("depth_nm,K\n" + "".join(f"{k},{(k % 4) / 0.8}\n" for k in range(1, 9)))
    found = read_profile(path, counts_per_fraction=0.8)
    np.testing.assert_allclose(found.counts, [[k % 4 for k in range(1, 9)]])
    path.write_text("depth_nm,K\n" + "".join(f"{k},{100.0 * k}\n" for k in range(1, 9)))
    with pytest.raises(ConfigError, match=r"no fraction n/N, which stays below 15\.2082"):
        read_profile(path, counts_per_fraction=0.8)


def test_per_cent_without_their_title_are_no_fractions(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"line 2: Li = 10 is no fraction n/N.*'Li \[%\]'.*import-sims"):
        profile(tmp_path, "depth_nm;Li;Li_sigma", 100.0)


def isotopes(folder: Path, titles: str, **options):
    path = folder / "isotopes.csv"
    path.write_text("\n".join([titles, *(f"{k},5;{10 * k};{80 - 10 * k}" for k in range(7))]), encoding="utf-8")
    return read_isotope_profile(path, **options)


def test_columns_of_counts_that_a_study_names(tmp_path: Path):
    plain = isotopes(tmp_path, "depth_um;light_counts;heavy_counts")
    for titles in ("Tiefe (µm);18O-;16O-", "z [um];18O- (counts);16O- (counts)", "Tiefe;18O-;16O-\nµm;counts;counts"):
        found = isotopes(tmp_path, titles, isotopes=("18O-", "16O-"))
        assert found.fraction.tolist() == plain.fraction.tolist()
        assert found.position.tolist() == plain.position.tolist() == [(k + 0.5) * 1e-6 for k in range(7)]


@pytest.mark.parametrize(
    ("titles", "options", "message"),
    [
        ("Tiefe (µm);18O-;16O-", {}, "may name columns of counts, as --light and --heavy of npp-jax new do"),
        ("Tiefe (µm);18O-;16O-", {"isotopes": ("18O", "16O")}, "needs the columns 18O and 16O, each once; got"),
        ("Tiefe (µm);18O- (cps);16O- (cps)", {"isotopes": ("18O-", "16O-")}, "has a unit that is not counts"),
        ("Tiefe;light_counts;heavy_counts", {}, "needs the columns position_UNIT or depth_UNIT"),
        ("depth_um;fraction (at%);fraction_sigma (at%)", {}, "'fraction (at%)' has the unit 'at%'"),
        ("depth_um;fraction;fraction_sigma (wt%)", {}, "'fraction_sigma (wt%)' has the unit 'wt%'"),
        ("depth_um;fraction (%);fraction_sigma", {}, "fraction and fraction_sigma have different units"),
    ],
)
def test_what_is_refused_in_an_isotope_profile(titles: str, options: dict, message: str, tmp_path: Path):
    with pytest.raises(ConfigError) as caught:
        isotopes(tmp_path, titles, **options)
    assert message in str(caught.value) and "\n" not in str(caught.value)
