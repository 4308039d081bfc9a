"""SurfaceLab exports: text made here, and real files kept beside the repository."""

from pathlib import Path

import numpy as np
import pytest

from npp_jax.sims.errors import SimsFileError
from npp_jax.sims.read import read_raw
from npp_jax.sims.surfacelab import is_surfacelab
from npp_jax.text.decode import read_text

PULSES = 16384


def corrected(counts: np.ndarray) -> np.ndarray:
    return -PULSES * np.log1p(-counts / PULSES)


def export(points: int = 40, seed: int = 1) -> tuple[str, np.ndarray]:
    """An export with two peaks and a quotient, and the counts of the peaks."""
    rng = np.random.default_rng(seed)
    counts = np.stack([rng.poisson(np.linspace(2, 12, points)), rng.poisson(5.0, points)])
    first, second = corrected(counts)
    rows = [
        "# Profile Smoothing is Disabled",
        "#\t\t\t\t^7Li+\tK+\t^7Li+ / ( K+ )\t",
        "#\t\t\t\t7.0154\t38.9632\tN/A\t",
    ]
    rows.append("#Data Point #\tSputter Time (s)\tDose (ions)\tFluence (ions/cm^2)\tIntensity\tIntensity\tIntensity\t")
    for k in range(points):
        ratio = first[k] / second[k] if second[k] else np.inf
        rows.append(f"{k + 1}\t{k * 1.5:.6g}\t1e9\t1e13\t{first[k]:.6g}\t{second[k]:.6g}\t{ratio:.6g}\t")
    rows.append(f"{points + 1}\t{points * 1.5:.6g}\t1e9\t1e13\t0\t0\tinf\t")
    return "\r\n".join(rows) + "\r\n", counts


def read(tmp_path: Path, text: str):
    path = tmp_path / "profile.txt"
    path.write_bytes(text.encode("latin-1"))
    return read_raw(path, "surfacelab")


@pytest.fixture(scope="module")
def real_files(project_root: Path) -> Path:
    folder = project_root.parent / "shared" / "data" / "psc-tofsims-hasselt"
    if not folder.is_dir():
        pytest.skip("no SurfaceLab exports at ../shared/data")
    return folder


def test_names_times_and_intensities(tmp_path: Path):
    text, counts = export()
    raw = read(tmp_path, text)
    assert (raw.axis, raw.names) == ("time", ("^7Li+", "K+", "^7Li+ / ( K+ )"))
    lithium = raw.channel("7Li+")
    assert (lithium.kind, lithium.unit, lithium.mass, lithium.per_count) == ("counts", "counts", 7.0154, 1.0)
    np.testing.assert_allclose(lithium.axis, 1.5 * np.arange(40))
    np.testing.assert_allclose(lithium.values, corrected(counts[0]), rtol=1e-5)
    assert raw.channel("7Li+ / ( K+ )").kind == "ratio"
    assert raw.duration == 60.0


def test_pulses_are_found_from_the_dead_time_correction(tmp_path: Path):
    raw = read(tmp_path, export(points=400)[0])
    assert raw.channel("K+").pulses == pytest.approx(PULSES, rel=0.05)
    assert raw.channel("7Li+ / ( K+ )").pulses is None


def test_no_pulses_without_a_correction(tmp_path: Path):
    text, counts = export(points=100)
    rows = text.split("\r\n")
    for k in range(100):
        cells = rows[4 + k].split("\t")
        rows[4 + k] = "\t".join([*cells[:4], str(counts[0, k]), str(counts[1, k]), *cells[6:]])
    assert read(tmp_path, "\r\n".join(rows)).channel("K+").pulses is None


def test_the_blank_last_point_is_left_out_with_a_warning(tmp_path: Path):
    text, _ = export()
    raw = read(tmp_path, text)
    assert len(raw.channels[0].axis) == 40
    assert [w for w in raw.warnings if "line 45" in w and "left out" in w]


def test_smoothed_files_have_no_counting_statistics(tmp_path: Path):
    raw = read(tmp_path, export()[0].replace("Disabled", "Enabled"))
    assert raw.channels[0].per_count is None
    assert any("smoothing" in w for w in raw.warnings)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("\t12\t", "\t12,5\t", "line 13, column 'Sputter Time (s)': '12,5' is not a number"),
        ("\t12\t", "\t9\t", "line 13, column 'Sputter Time (s)': 9 follows 10.5"),
        ("\t12\t", "\tN/A\t", "line 13, column 'Sputter Time (s)': no number"),
        ("9\t12\t1e9", "9\t1e9", "line 13: 6 fields; 7 were expected"),
        ("38.9632", "heavy", "line 3, column 6: 'heavy' is not a number"),
        ("Sputter Time (s)\tDose", "Sputter Time (min)\tDose", "line 4: columns Sputter Time (min)"),
    ],
)
def test_a_wrong_file_is_named_with_its_place(tmp_path: Path, old: str, new: str, message: str):
    text, _ = export()
    assert old in text
    with pytest.raises(SimsFileError) as caught:
        read(tmp_path, text.replace(old, new, 1))
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "profile.txt"))
    assert "\n" not in str(caught.value)


def test_a_short_file_is_refused(tmp_path: Path):
    rows = export()[0].split("\r\n")
    with pytest.raises(SimsFileError, match="4 points; a depth profile has at least 5"):
        read(tmp_path, "\r\n".join(rows[:8]))


def test_an_unknown_channel_suggests_the_nearest(tmp_path: Path):
    raw = read(tmp_path, export()[0])
    with pytest.raises(SimsFileError, match=r"no channel is called '6Li\+'; did you mean 7Li\+"):
        raw.channel("6Li+")


def test_real_files_are_read_whole(real_files: Path):
    files = sorted(real_files.glob("I*.txt"))
    assert len(files) == 16
    for path in files:
        text = read_text(path, "a depth profile")
        assert is_surfacelab(text)
        raw = read_raw(text.path, "surfacelab")
        rows = path.read_bytes().decode("latin-1").split("\r\n")
        assert len(raw.channels[0].axis) == len([row for row in rows if row and not row.startswith("#")]) - 1
        assert len(raw.channels) == len([name for name in rows[1].split("\t")[4:] if name])
        # 128 × 128 pixels of one pulse, a quarter of them in the region of interest.
        pulses = {c.pulses for c in raw.channels} - {None}
        assert [round(p / 4096) for p in pulses] == [1 if "ROI" in path.name else 4]


def test_numbers_of_a_real_file_read_by_hand(real_files: Path):
    raw = read_raw(real_files / "I240416f_B_MAPI_1f_pos-B1_-_NF.txt", "surfacelab")
    assert raw.channel("Ag3+").mass == 320.7077
    oxygen, tin = raw.channel("O+"), raw.channel("Sn+")
    assert (oxygen.axis[-2:].tolist(), oxygen.values[-2:].tolist()) == ([57.1974, 58.664], [413.166, 360.947])
    assert (tin.values[-1], tin.lines[-1]) == (135.559, 45)
    assert raw.channel("total").values[0] == 1.26749e6
    with pytest.raises(SimsFileError, match="2 channels are called 'SnO\\+'"):
        raw.channel("SnO+")


def test_isotopes_of_a_real_file_have_the_natural_ratio(real_files: Path):
    """207Pb / 208Pb = 22.1 / 52.4 (IUPAC 1997), over the points where both are counted with little correction."""
    for name in ("I231114p_A_MAPI_025s-LC_neg-8_-_NF.txt", "I231114q_A_MAPI_05s-LC_neg-9_-_NF.txt"):
        raw = read_raw(real_files / name, "surfacelab")
        heavy, light = (raw.channel(name).values[5:] for name in ("^207PbI_3-", "PbI_3-"))
        weak = (heavy > 20) & (light > 20) & (light < 3000)
        assert np.sum(weak) > 90
        ratio = heavy[weak].sum() / light[weak].sum()
        sigma = ratio * np.sqrt(1.0 / heavy[weak].sum() + 1.0 / light[weak].sum())
        assert sigma < 0.01 * ratio
        assert abs(ratio - 22.1 / 52.4) < 3.0 * sigma
