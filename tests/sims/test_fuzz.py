"""Whatever the bytes are, reading ends in a profile or in one `SimsFileError` of one line."""

from collections.abc import Callable
from pathlib import Path

import pytest
from fuzz import check_raw
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutations import Drawn, by_bytes, by_cells, mutated
from sound import cameca, sims_pairs, sims_table, surfacelab

from npp_jax.files.sims_profile import read_profile
from npp_jax.sims import FORMATS, RawProfile, SimsFileError, read_raw

FUZZ = settings(
    max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


FILES: dict[str, Callable[[], bytes]] = {
    "surfacelab": surfacelab,
    "cameca": cameca,
    "table": sims_table,
    "pairs": sims_pairs,
}


def outcome(path: Path, data: bytes, format: str = "auto") -> RawProfile | None:
    """The profile, sound as it must be, or None with a message of one line."""
    path.write_bytes(data)
    try:
        raw = read_raw(path, format)
    except SimsFileError as error:
        message = str(error)
        assert message.startswith(str(path)) and "\n" not in message and message.isprintable() and len(message) < 500
        return None
    check_raw(raw)
    return raw


@pytest.mark.parametrize("name", list(FILES))
def test_the_files_that_are_mutated_are_sound(name: str, tmp_path: Path):
    raw = outcome(tmp_path / "profile.txt", FILES[name]())
    assert raw is not None and raw.format == ("table" if name == "pairs" else name)


@pytest.mark.parametrize("name", list(FILES))
@FUZZ
@given(data=st.data())
def test_mutated_files(name: str, tmp_path: Path, data: st.DataObject):
    outcome(tmp_path / "profile.txt", mutated(FILES[name](), Drawn(data), (by_bytes, by_cells)))


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
    for make in (surfacelab, cameca, sims_pairs):
        rows = make().decode("utf-8-sig").split("\n")
        for k, row in enumerate(rows):
            mark = "," if make is sims_pairs else "\t"
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
