"""CAMECA exports: text made here, and real files kept beside the repository."""

from pathlib import Path

import numpy as np
import pytest

from npp_jax.sims.cameca import is_cameca, read_cameca
from npp_jax.sims.counting import counting_quantum
from npp_jax.sims.errors import SimsFileError
from npp_jax.sims.read import read_raw
from npp_jax.text.decode import read_text

QUANTUM = 1.00994


def scientific(value: float) -> str:
    """Number with the three digits of the exponent that the instrument's program writes."""
    digits, exponent = f"{value:.5E}".split("E")
    return f"{digits}E{int(exponent):+04d}"


def export(points: int = 30, seed: int = 1) -> tuple[str, np.ndarray]:
    """An export of two species on depth axes of their own, and their counts."""
    rng = np.random.default_rng(seed)
    counts = np.stack([rng.poisson(np.linspace(0, 20, points)), rng.poisson(900, points)])
    rows = ["*** DATA FILES ***", "", "Raw data file name(s)\ta.dp", "Sample ID\t\tglass", "", "*** DATA START ***", ""]
    rows += ["a.dp", "7Li\t\t\t\t\t39K", "Time\tDepth[um]\tI[cnt/s]\tTime\tDepth[um]\tI[cnt/s]"]
    for k in range(points):
        signals = [scientific(max(c * QUANTUM, 1e-3)) for c in counts[:, k]]
        depths = [scientific(0.01 * k + offset) for offset in (0.004, 0.007)]
        rows.append(f"\t{depths[0]}\t{signals[0]}\t\t{depths[1]}\t{signals[1]}")
    rows += ["", "*** DATA END ***", "", "*** ACQUISITION PARAMETERS ***", ""]
    rows += [f"# of data point/species\t\t{points}\t", "Total sputtering time (s)\t200\t", ""]
    rows += ["*** MEASUREMENT CONDITIONS, a.dp ***:", "", "Species | Mass (amu) | Detector | CT(s)", "------"]
    rows += ["7Li | 7.016 | EM | 1.040", "39K | 38.964 | EM | 1.040", ""]
    rows += ["*** ION DETECTOR PARAMETERS ***", "", "EM yield (%)\t\t9.5E+001\t"]
    rows += ["EM -> FC threshold (c/s)\t694356\t", "", "*** CALIBRATION PARAMETERS ***", ""]
    rows += ["  Mean SR (nm/min)\t9.000E+001\t", ""]
    return "\r\n".join(rows), counts


def read(tmp_path: Path, text: str):
    path = tmp_path / "profile.dp_rpc_asc"
    path.write_bytes(text.encode("latin-1"))
    return read_raw(path, "cameca")


@pytest.fixture(scope="module")
def real_files(project_root: Path) -> Path:
    folder = project_root.parent / "shared" / "data" / "zno-izo-li-sims-oslo"
    if not folder.is_dir():
        pytest.skip("no CAMECA exports at ../shared/data")
    return folder


def test_depths_and_signals(tmp_path: Path):
    text, counts = export()
    raw = read(tmp_path, text)
    assert (raw.axis, raw.names, raw.duration, raw.sputter_rate) == ("depth", ("7Li", "39K"), 200.0, 1.5)
    lithium, potassium = raw.channels
    np.testing.assert_allclose(lithium.axis, 10.0 * np.arange(30) + 4.0, rtol=1e-5)
    np.testing.assert_allclose(potassium.axis, 10.0 * np.arange(30) + 7.0, rtol=1e-5)
    np.testing.assert_allclose(lithium.values, counts[0] * QUANTUM, rtol=1e-5)
    assert lithium.dwell == 1.04
    assert raw.metadata["Sample ID"] == "glass"


def test_the_floor_value_means_no_count(tmp_path: Path):
    text, counts = export()
    raw = read(tmp_path, text)
    assert np.array_equal(raw.channels[0].values == 0.0, counts[0] == 0)
    assert np.sum(counts[0] == 0) > 0


def test_signal_of_one_count_comes_from_the_numbers(tmp_path: Path):
    raw = read(tmp_path, export(points=60)[0])
    # The header alone gives 1/(1.04 · 0.95) = 1.01215.
    assert raw.channels[0].per_count == pytest.approx(QUANTUM, rel=1e-5)
    assert raw.channels[1].per_count == pytest.approx(QUANTUM, rel=1e-5)


def test_quantum_of_signals_that_are_no_counts_is_not_invented(rng: np.random.Generator):
    assert counting_quantum(rng.uniform(1.0, 25.0, 60), 1.0) is None
    assert counting_quantum(np.full(50, 3e4), 1.0) is None


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("\t1.40000E-002\t", "\t\t", "line 12, column 'depth of 7Li': no number"),
        ("\t1.40000E-002\t", "\t1.4.0E-002\t", "line 12, column '7Li': '1.4.0E-002' is not a number"),
        ("\t1.40000E-002\t", "\t1.40000E-003\t", "line 12, column 'depth of 7Li': 1.4 follows 4"),
        ("*** DATA END ***", "", "the file is cut off"),
        ("Depth[um]\tI[cnt/s]\r", "Depth[ft]\tI[cnt/s]\r", "line 10: unit 'ft' of the axis"),
        ("7Li\t\t\t\t\t39K", "7Li\t\t\t\t\t39K\t\t\t\t\t41K", "line 10: 6 titles for 3 species"),
    ],
)
def test_a_wrong_file_is_named_with_its_place(tmp_path: Path, old: str, new: str, message: str):
    text, _ = export()
    assert old in text
    with pytest.raises(SimsFileError) as caught:
        read(tmp_path, text.replace(old, new, 1))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_real_files_are_read_whole(real_files: Path):
    points = {
        "151112s": 66, "151118h": 93, "160112b": 144, "160112d": 133, "160112f": 47, "160112h": 46,
        "160112k": 92, "160112l": 115, "160113a": 44, "160113h": 241, "time_x_axis": 39,
    }  # fmt: skip
    for name, rows in points.items():
        text = read_text(real_files / f"{name}.dp_rpc_asc", "a depth profile")
        assert is_cameca(text)
        raw = read_cameca(text)
        assert {len(channel.axis) for channel in raw.channels} == {rows}
        assert not [w for w in raw.warnings if "header tells" in w]
        if name != "time_x_axis":
            assert raw.channels[-1].per_count == pytest.approx(1.00994, rel=1e-5)


def test_numbers_of_a_real_file_read_by_hand(real_files: Path):
    raw = read_cameca(read_text(real_files / "151118h.dp_rpc_asc", "a depth profile"))
    assert (raw.names, raw.metadata["Sample ID"]) == (("7Li", "23Na", "70Zn", "113In"), "600c")
    sodium = raw.channel("23Na")
    assert sodium.axis[:2] == pytest.approx([8.09536, 26.0524])
    assert sodium.values[:2].tolist() == [22923.2, 22816.0]
    # Crater depth of the file: 110.4 nm/min in 908 s.
    assert raw.sputter_rate is not None and raw.duration is not None
    assert raw.sputter_rate * raw.duration == pytest.approx(110.4 * 908 / 60)
    assert [int(np.sum(c.values == 0.0)) for c in raw.channels] == [13, 2, 0, 72]


def test_time_axis_of_a_real_file(real_files: Path):
    raw = read_cameca(read_text(real_files / "time_x_axis.dp_rpc_asc", "a depth profile"))
    assert (raw.axis, raw.sputter_rate) == ("time", None)
    assert raw.names == ("23Na", "32S", "63Cu", "68Zn", "80Se", "98Mo", "119Sn")
    tin = raw.channel("119Sn")
    assert (tin.axis[0], tin.values[0], tin.axis[-1], tin.values[-1]) == (15.2, 242175.0, 557.76, 49707.8)
    assert any("63Cu: 35 points are currents" in w for w in raw.warnings)


def test_concentrations_of_a_real_file_go_back_to_counts(real_files: Path):
    """7Li was exported as atoms/cm³ with RSF 3.412e13: its smallest value is one count."""
    lithium = read_cameca(read_text(real_files / "151112s.dp_rpc_asc", "a depth profile")).channel("7Li")
    assert (lithium.kind, lithium.unit) == ("concentration", "atom/cm3")
    assert lithium.per_count == pytest.approx(3.412e13 * 1.00994, rel=1e-4)
    counts = np.sort(lithium.values)[:15] / lithium.per_count
    np.testing.assert_allclose(counts, np.round(counts), atol=2e-3)
