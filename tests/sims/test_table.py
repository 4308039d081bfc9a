"""Tables of any program: delimiters, decimal marks, encodings, units, titles, and what is refused."""

from pathlib import Path

import numpy as np
import pytest

from npp_jax.sims import ImportOptions, SimsFileError, convert, read_raw
from npp_jax.sims.table import GUESSED
from npp_jax.text.errors import OneLineError
from npp_jax.text.titles import axis_factor, read_title

ROWS = [(0.5 * k + 0.25, 3 * k, 1.5 * k) for k in range(8)]


def table(delimiter: str = ",", decimal: str = ".", head: str = "depth_nm{0}Li (counts){0}K [cps]") -> str:
    lines = [head.format(delimiter)]
    lines += [delimiter.join(f"{value:g}".replace(".", decimal) for value in row) for row in ROWS]
    return "\n".join(lines) + "\n"


def read(tmp_path: Path, text: str | bytes, **options):
    path = tmp_path / "profile.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_raw(path, **options)


def check(raw) -> None:
    depth, lithium, potassium = np.array(ROWS).T
    assert (raw.format, raw.axis) == ("table", "depth")
    assert [c.kind for c in raw.channels] == ["counts", "rate"]
    np.testing.assert_allclose(raw.channels[0].axis, depth)
    np.testing.assert_allclose(raw.channel("Li").values, lithium)
    np.testing.assert_allclose(raw.channel("K").values, potassium)
    assert raw.channels[0].per_count == 1.0


@pytest.mark.parametrize(
    ("delimiter", "decimal"), [(",", "."), (";", "."), (";", ","), ("\t", "."), ("\t", ","), ("|", "."), ("  ", ".")]
)
def test_delimiters_and_decimal_marks(tmp_path: Path, delimiter: str, decimal: str):
    check(read(tmp_path, table(delimiter, decimal)))


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "cp1252"]
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_and_ends_of_lines(tmp_path: Path, encoding: str, end: str):
    text = table(";", ",", head="Probe: Glas für µ-Messung\ndepth_nm{0}Li (counts){0}K [cps]").replace("\n", end)
    raw = read(tmp_path, text.encode(encoding))
    check(raw)
    assert raw.metadata == {"Probe": "Glas für µ-Messung"}


@pytest.mark.parametrize(
    ("cell", "name", "unit", "axis", "factor"),
    [
        ("depth_nm", "depth", "nm", "depth", 1.0),
        ("Depth [um]", "Depth", "um", "depth", 1e3),
        ("Tiefe (µm)", "Tiefe", "µm", "depth", 1e3),
        ("Depth / Å", "Depth", "Å", "depth", 0.1),
        ("Sputter Time (s)", "Sputter Time", "s", "time", 1.0),
        ("sputter_time_min", "sputter_time", "min", "time", 60.0),
        ("Cycle", "Cycle", "", "cycle", 1.0),
        ("depth", "depth", "", "depth", None),
        ("Depth (furlong)", "Depth", "furlong", "depth", None),
        ("^7Li+", "^7Li+", "", None, None),
        ("I+ / ( Pb+ )", "I+ / ( Pb+ )", "", None, None),
        ("39K+ (counts/s)", "39K+", "counts/s", None, None),
        ("Na2O_molpct", "Na2O", "molpct", None, None),
        ("CH_5N_2+", "CH_5N_2+", "", None, None),
    ],
)
def test_titles(cell: str, name: str, unit: str, axis: str | None, factor: float | None):
    title = read_title(cell)
    assert (title.name, title.unit, title.axis) == (name, unit, axis)
    if axis:
        assert axis_factor(title) == factor


@pytest.mark.parametrize(
    ("unit", "kind"),
    [
        ("counts", "counts"), ("cts", "counts"), ("counts/s", "rate"), ("cps", "rate"), ("c/s", "rate"),
        ("cnt/s", "rate"), ("counts s^-1", "rate"), ("atoms/cm3", "concentration"), ("cm-3", "concentration"),
        ("atoms/cm³", "concentration"), ("cm⁻³", "concentration"), ("ions/cm³", "concentration"),
        ("atoms·cm⁻³", "concentration"), ("m⁻³", "concentration"), ("counts s⁻¹", "rate"),
        ("s−1", "rate"), ("%", "ratio"), ("V", "other"),
    ],
)  # fmt: skip
def test_kinds_of_signals(unit: str, kind: str):
    assert read_title("Li", unit).kind == kind
    assert kind == "other" or read_title(f"Li ({unit})") == read_title("Li", unit)


def test_units_in_a_line_of_their_own(tmp_path: Path):
    raw = read(tmp_path, table(";", head="Sputter Time;Li;K\nmin;counts;cps"))
    assert (raw.axis, raw.channels[0].axis[0], raw.duration) == ("time", 15.0, pytest.approx(225.0))
    assert [c.kind for c in raw.channels] == ["counts", "rate"]


def test_counting_time_in_the_lines_above(tmp_path: Path):
    raw = read(tmp_path, table("\t", head="# counting time (s): 0.5\ndepth_nm\tLi (counts)\tK [cps]"))
    assert raw.channel("K").per_count == 2.0


def test_gaps_infinities_and_empty_columns_of_a_spreadsheet(tmp_path: Path):
    text = "depth_nm;Li (counts);;K (%);\n" + "".join(
        f"{k},5;{k};;{'N/A' if k == 3 else '#DIV/0!' if k == 4 else k};\n" for k in range(9)
    )
    raw = read(tmp_path, text + ";;;;\n")
    assert raw.names == ("Li", "K")
    assert np.flatnonzero(np.isnan(raw.channel("K").values)).tolist() == [3, 4]
    assert raw.channel("Li").values.tolist() == list(range(9))


def test_pairs_of_columns_with_axes_and_lengths_of_their_own(tmp_path: Path):
    lines = ["Depth (nm)\tLi (counts)\tDepth (nm)\tK (counts)"]
    lines += [f"{k}\t{2 * k}\t{k + 0.5}\t{3 * k}" if k < 6 else f"{k}\t{2 * k}\t\t" for k in range(9)]
    raw = read(tmp_path, "\n".join(lines))
    assert [len(c.axis) for c in raw.channels] == [9, 6]
    assert raw.channel("K").axis[0] == 0.5


def test_depth_goes_before_time_and_cycle(tmp_path: Path):
    lines = ["cycle,time_s,depth_um,Li_counts"] + [f"{k},{2 * k},{0.01 * k},{k}" for k in range(7)]
    raw = read(tmp_path, "\n".join(lines))
    assert (raw.axis, raw.names) == ("depth", ("Li",))
    np.testing.assert_allclose(raw.channels[0].axis, 10.0 * np.arange(7))


def test_repeated_names_are_numbered(tmp_path: Path):
    raw = read(tmp_path, table(head="depth_nm{0}Li (counts){0}Li (counts)"))
    assert raw.names == ("Li#1", "Li#2")
    assert raw.channel("Li#2").values[1] == 1.5
    with pytest.raises(SimsFileError, match="choose Li#1 or Li#2"):
        raw.channel("Li")


def test_thousands_of_points(tmp_path: Path):
    lines = ["depth_nm,Li_counts"] + [f"{0.1 * k:.6g},{k % 7}" for k in range(20_000)]
    assert len(read(tmp_path, "\n".join(lines)).channels[0].axis) == 20_000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (table().replace("2.25", "2..25"), "line 6, column 'depth_nm': '2..25' is not a number"),
        (table().replace("2.25", "1.25"), "line 6, column 'depth': 1.25 follows 1.75; the axis has to increase"),
        (table().replace("2.25", "1.75"), "line 6, column 'depth': 1.75 follows 1.75"),
        (table().replace("2.25", ""), "line 6, column 'depth': no number where the axis should be"),
        (table().replace("2.25", "inf"), "line 6, column 'depth': no number where the axis should be"),
        (table().replace("0.25,0", "-0.25,0"), "line 2, column 'depth': -0.25 is negative"),
        (table().replace("2.25,12,6", "2.25,12"), "line 6: 2 fields, the header has 3"),
        (table().replace("2.25,12", "2.25,1e999"), "line 6, column 'Li (counts)': '1e999' is too large a number"),
        (table(";", ",").replace("2,25", "2.25"), "line 6, column 'depth_nm': '2.25' is not a number"),
        (table(head="depth_ft{0}Li{0}K"), "line 1, column 1: unit 'ft'; one of nm"),
        (table(head="x{0}Li{0}K"), "line 1: no column of depth, time or cycle among the titles x, Li, K"),
        (table(head="depth_nm{0}Li"), "line 1: 2 titles; 3 were expected"),
        ("\n".join(table().split("\n")[1:]), "no titles above the numbers"),
        ("\n".join(table().split("\n")[:5]), "4 points; a depth profile has at least 5"),
        ("depth_nm,Li\n", "column 'depth': 0 points; a depth profile has at least 5"),
        ("words\n", "line 1: no table: no line has two numbers or more"),
        ("", "the file is empty"),
        (b"PK\x03\x04\x14\x00\x06\x00", "this is an Excel workbook or archive; save the sheet as text"),
        (table().encode() + b"\x00\x01\x02\n", "line 10, column 1: binary content (character 0)"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_named_with_its_place(tmp_path: Path, text: str | bytes, message: str):
    with pytest.raises(SimsFileError) as caught:
        read(tmp_path, text)
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "profile.txt"))
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_an_unknown_format(tmp_path: Path):
    with pytest.raises(SimsFileError, match=r"none\.txt: No such file"):
        read_raw(tmp_path / "none.txt")
    with pytest.raises(SimsFileError, match="Is a directory"):
        read_raw(tmp_path)
    with pytest.raises(SimsFileError, match="format 'xls' is not known; auto, surfacelab, cameca, table are"):
        read(tmp_path, table(), format="xls")
    with pytest.raises(SimsFileError, match="not a SurfaceLab export"):
        read(tmp_path, table(), format="surfacelab")
    with pytest.raises(SimsFileError, match="not a CAMECA export"):
        read(tmp_path, table(), format="cameca")


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        (table(head="depth{0}Li (counts){0}K [cps]"), "depth: no unit; nm assumed"),
        (table(head="depth_nm{0}Li{0}K [cps]"), "Li: no known unit; whole numbers are taken for counts"),
        (table(head="depth_nm{0}Li (counts){0}K"), "K: no known unit; not taken for counts"),
        (table(head="depth_mm{0}Li (counts){0}K [cps]"), "the depths end at 3.75e+06 nm: is their unit right"),
        (table(head="depth_A{0}Li (counts){0}K [cps]"), "the depths end at 0.375 nm: is their unit right"),
        (table(head="time_ms{0}Li (counts){0}K [cps]"), "the sputter times end at 0.00375 s: is their unit right"),
        (table().replace("2.25,12", "2.25,-12"), "Li: 1 points negative, the first in line 6"),
        (table().replace("2.25,12", "2.25,nan"), "Li: 1 points without a number, the first in line 6"),
        ("depth_nm;Li\n" + "".join(f"{k};1,{k}00\n" for k in range(6)), "that have one are 1000 times too small"),
    ],
)  # fmt: skip
def test_what_is_odd_but_readable_is_told(tmp_path: Path, text: str, warning: str):
    assert any(warning in line for line in read(tmp_path, text).warnings)


def test_who_says_that_signals_are_counts_is_not_told_so(tmp_path: Path):
    raw = read(tmp_path, "depth_nm,Li,K\n" + "".join(f"{k},{90 + k % 3},{k}.5\n" for k in range(30)))
    assert [line for line in raw.warnings if "no known unit" in line] == [f"Li: {GUESSED[0]}", f"K: {GUESSED[1]}"]
    asked = convert(raw, ImportOptions({"Li": "Li", "K": "K"}, as_counts=True))
    assert not any("no known unit" in line for line in asked.warnings)
    assert any("no known unit" in line for line in convert(raw, ImportOptions({"Li": "Li"})).warnings)


def test_a_sound_file_has_no_warning(tmp_path: Path):
    lines = ["depth_nm,Li_counts"] + [f"{k},{k}" for k in range(30)]
    assert read(tmp_path, "\n".join(lines)).warnings == ()


def test_a_real_table_of_another_instrument(project_root: Path):
    path = project_root.parent / "shared" / "data" / "iox-glass-k-na-li" / "edx_profile_step1.csv"
    if not path.is_file():
        pytest.skip("no electron probe profile at ../shared/data")
    raw = read_raw(path)
    assert [(c.name, c.unit, c.kind, len(c.axis)) for c in raw.channels] == [
        ("Na2O", "molpct", "ratio", 1501),
        ("K2O", "molpct", "ratio", 1501),
    ]
    assert raw.channels[0].axis[2] == pytest.approx(193.333333333333)
    assert raw.channel("K2O").values[2] == 3.1945305161229274


def counts_with_points(time: str) -> str:
    """A table of counts in which points stand after thousands."""
    rows = [(f"{n:,}".replace(",", ".")) for n in (5256, 5113, 4987, 2210, 800, 31, 0, 0)]
    return "Zeit (s);Cs (cts)\n" + "".join(f"{time.format(k + 1)};{row}\n" for k, row in enumerate(rows))


def test_points_after_thousands_are_told(tmp_path: Path):
    raw = read(tmp_path, counts_with_points("{}"))
    assert any("all points have three digits behind them" in line for line in raw.warnings)
    with pytest.raises(SimsFileError, match=r"no bulk level.*; all points have three digits behind them"):
        convert(raw, ImportOptions({"Cs": "Cs"}, crater_depth_nm=100.0))
    # Decimal points of a column that has them throughout are none.
    plain = read(tmp_path, "Depth (nm);Cs (cts)\n" + "".join(f"{k + 1.25:.3f};{900 - k}\n" for k in range(9)))
    assert not any("three digits" in line for line in plain.warnings)


def test_points_after_thousands_beside_decimal_commas_are_refused(tmp_path: Path):
    with pytest.raises(OneLineError, match=r"'5\.256' is not a number where others have a decimal comma"):
        read(tmp_path, counts_with_points("{},5"))


def test_columns_that_are_called_by_their_unit_alone(tmp_path: Path):
    rows = "".join(f"{2 * k},{100 + 7 * k % 31},{k}\n" for k in range(30))
    raw = read(tmp_path, f"Time (s),C/s,Counts\n{rows}")
    assert [(c.name, c.kind) for c in raw.channels] == [("C/s", "rate"), ("Counts", "counts")] and not raw.warnings
