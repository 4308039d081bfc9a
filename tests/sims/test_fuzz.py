"""Whatever the bytes are, reading ends in a profile or in one `SimsFileError` of one line."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from npp_jax.files.sims_profile import read_profile
from npp_jax.sims import FORMATS, ImportOptions, RawProfile, SimsFileError, convert, read_raw
from npp_jax.sims.raw import MINIMUM_POINTS

FUZZ = settings(
    max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def surfacelab() -> bytes:
    rows = ["# Profile Smoothing is Disabled", "#\t\t\t\ttotal\t^7Li+\tK+\tK+\tLi+ / ( K+ )\t"]
    rows += ["#\t\t\t\tN/A\t7.0154\t38.9632\t38.9632\tN/A\t"]
    rows += ["#Data Point #\tSputter Time (s)\tDose (ions)\tFluence (ions/cm^2)" + "\tIntensity" * 5 + "\t"]
    rows += [f"{k + 1}\t{1.5 * k:g}\t1e9\t{1e13 * k:.6g}\t9{k}0.5\t{k}.00012\t{9 - k}.0007\t0\tinf\t" for k in range(9)]
    return "\r\n".join([*rows, "10\t13.5\t1e9\t1e14\t0\t0\t0\t0\tinf\t", ""]).encode()


def cameca() -> bytes:
    rows = ["*** DATA FILES ***", "", "Sample ID\t\tglass", "", "*** DATA START ***", "", "a.dp", "7Li\t\t\t\t\t39K"]
    rows += ["Time\tDepth[um]\tI[cnt/s]\tTime\tDepth[um]\tC[atom/cm3]"]
    rows += [f"\t{k}.1E-003\t{k}.00994E+000\t\t{k}.4E-003\t1.2{k}E+015" for k in range(8)]
    rows += ["", "*** DATA END ***", "", "*** ACQUISITION PARAMETERS ***", "", "# of data point/species\t\t8\t"]
    rows += ["Total sputtering time (s)\t200\t", "", "*** MEASUREMENT CONDITIONS, a.dp ***:", ""]
    rows += ["Species | Mass (amu) | CT(s)", "---", "7Li | 7.016 | 1.040", "39K | 38.96 | 1.040", ""]
    rows += ["EM yield (%)\t\t9.5E+001\t", "", "*** ION DETECTOR PARAMETERS ***", "EM -> FC threshold (c/s)\t694356"]
    rows += ["*** CALIBRATION PARAMETERS ***", "", "  Mean SR (nm/min)\t9.0E+001", "    Species\t\t39K"]
    rows += ["      RSF  (at/cm3)\t3.4E+013", ""]
    return "\r\n".join(rows).encode()


def table() -> bytes:
    rows = ["Probe: Glas; counting time (s): 0,5", "Sputter Time;7Li+;39K+;Rest", "s;counts;counts/s;%"]
    return "\n".join([*rows, *(f"{k},25;{3 * k};{k},5;{'N/A' if k == 3 else k}" for k in range(9)), ""]).encode(
        "utf-16"
    )


def pairs() -> bytes:
    rows = ["depth_um,Li_counts,depth_um,K", *(f"{0.1 * k:g},{k},{0.1 * k + 0.05:g},{k * k}" for k in range(9))]
    return b"\xef\xbb\xbf" + "\n".join(rows).encode()


FILES: dict[str, Callable[[], bytes]] = {"surfacelab": surfacelab, "cameca": cameca, "table": table, "pairs": pairs}
TOKENS = [b"\t", b";", b",", b"\n", b"\r\n", b"nan", b"inf", b"-1", b"1e999", b"N/A", b"\x00", b"\xff\xfe", b'"', b"#"]
TOKENS += [
    b"*** DATA END ***",
    b"***",
    b"Depth[um]",
    b"-",
    b"1_0",
    "\u0665".encode(),
    b"\x1a",
    b"\xe9",
    b"(",
    b"|",
    b" ",
]


def outcome(path: Path, data: bytes, format: str = "auto") -> RawProfile | None:
    """The profile, sound as it must be, or None with a message of one line."""
    path.write_bytes(data)
    try:
        raw = read_raw(path, format)
    except SimsFileError as error:
        message = str(error)
        assert message.startswith(str(path)) and "\n" not in message and message.isprintable() and len(message) < 500
        return None
    assert raw.channels
    for channel in raw.channels:
        assert len(channel.axis) == len(channel.values) == len(channel.lines) >= MINIMUM_POINTS
        assert np.all(np.isfinite(channel.axis)) and np.all(np.diff(channel.axis) > 0.0)
        assert not np.any(np.isinf(channel.values))
        # What is no number, or less than nothing, is told.
        if channel.kind != "ratio" and np.any(~(channel.values >= 0.0)):
            assert any(line.startswith(f"{channel.name}: ") for line in raw.warnings)
    for name in raw.names[:2]:
        options = ImportOptions({"K": name}, crater_depth_nm=100.0 if raw.axis != "depth" else None)
        try:
            profile = convert(raw, options)
        except SimsFileError as error:
            assert str(error).startswith(str(path)) and "\n" not in str(error)
            continue
        assert np.all(np.isfinite(profile.fraction)) and np.all(profile.sigma > 0.0)
    return raw


@pytest.mark.parametrize("name", list(FILES))
def test_the_files_that_are_mutated_are_sound(name: str, tmp_path: Path):
    raw = outcome(tmp_path / "profile.txt", FILES[name]())
    assert raw is not None and raw.format == ("table" if name == "pairs" else name)


@pytest.mark.parametrize("name", list(FILES))
@FUZZ
@given(data=st.data())
def test_mutated_files(name: str, tmp_path: Path, data: st.DataObject):
    content = bytearray(FILES[name]())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, max(len(content) - 1, 0)))
        match data.draw(st.sampled_from(["flip", "insert", "delete", "cut", "double", "digit", "swap"])):
            case "flip":
                content[at : at + 1] = bytes([data.draw(st.integers(0, 255))])
            case "insert":
                content[at:at] = data.draw(st.sampled_from(TOKENS))
            case "delete":
                del content[at : at + data.draw(st.integers(1, 60))]
            case "cut":
                del content[at:]
            case "double":
                content[at:at] = content[at : at + data.draw(st.integers(1, 200))]
            case "digit":
                content[at : at + 1] = data.draw(st.sampled_from([bytes([b]) for b in b"0123456789.-eE,;\t"]))
            case "swap":
                lines = bytes(content).split(b"\n")
                k = data.draw(st.integers(0, len(lines) - 1))
                lines[0], lines[k] = lines[k], lines[0]
                content = bytearray(b"\n".join(lines))
        if not content:
            break
    outcome(tmp_path / "profile.txt", bytes(content))


@pytest.mark.parametrize("name", list(FILES))
@pytest.mark.parametrize("format", list(FORMATS))
def test_every_reader_on_every_file_cut_at_every_line(name: str, format: str, tmp_path: Path):
    content = FILES[name]()
    ends = [k for k, byte in enumerate(content) if byte == 10]
    for end in ends:
        for extra in (0, 1, 7):
            outcome(tmp_path / "profile.txt", content[: end + extra], format)


def test_cells_replaced_one_by_one(tmp_path: Path):
    """Each cell of each file in turn becomes something else: the readers name the line of what they refuse."""
    refused = 0
    for make in (surfacelab, cameca, pairs):
        rows = make().decode("utf-8-sig").split("\n")
        for k, row in enumerate(rows):
            mark = "," if make is pairs else "\t"
            cells = row.split(mark)
            for j in range(len(cells)):
                changed = [*rows[:k], mark.join([*cells[:j], "?", *cells[j + 1 :]]), *rows[k + 1 :]]
                path = tmp_path / "profile.txt"
                if outcome(path, "\n".join(changed).encode()) is None:
                    refused += 1
    assert refused > 100


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("cameca", b"1.040\r\n39K", b'1.040 "\r\n39K'),
        ("cameca", b"| 7.016", b'| 7.016 "'),
        ("cameca", b"3.4E+013", b"3.4E-913"),
        ("cameca", b"1.20E+015", b"1.20E+255"),
        ("cameca", b"9.5E+001", b"9.5E+501"),
        ("surfacelab", b"980.5", b"9E300"),
        ("surfacelab", b"13.5", b"1.35E308"),
        ("pairs", b"depth_um,Li_counts,depth_um,K\n", b"depth,Li,depth,K\nnm,counts,nm,counts,s\n"),
        ("pairs", b"depth_um,L", b"depth_m,L"),
        ("pairs", b"0.8,8", b"0.8e300,8"),
    ],
)
def test_numbers_and_marks_that_slip_through_easily(name: str, old: bytes, new: bytes, tmp_path: Path):
    content = FILES[name]()
    assert old in content
    outcome(tmp_path / "profile.txt", content.replace(old, new, 1))


@FUZZ
@given(content=st.binary(max_size=600))
@pytest.mark.parametrize("format", ["auto", *FORMATS])
def test_binary_junk(format: str, tmp_path: Path, content: bytes):
    outcome(tmp_path / "profile.txt", content, format)


@FUZZ
@given(content=st.text(alphabet='0123456789.,;-+eE \t\n#*[]()|"depthtimnsLi/', max_size=600))
def test_text_junk(tmp_path: Path, content: str):
    outcome(tmp_path / "profile.txt", content.encode())


@FUZZ
@given(content=st.binary(max_size=300))
def test_profiles_of_junk(tmp_path: Path, content: bytes):
    path = tmp_path / "profile.h5"
    path.write_bytes(content)
    with pytest.raises(SimsFileError):
        read_profile(path)
