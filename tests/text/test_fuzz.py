"""Every reader of text on some mutated files, of which `python tests/fuzz.py` tries a hundred thousand each."""

import os
import signal
from pathlib import Path

import pytest
from fuzz import OWN, READERS, check_message, outcome, watched
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutations import Drawn, mutated
from sound import write_sound_files

FUZZ = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
BINARY = ("imported profiles", "sweeps", "solutions")
TEXTS = [name for name in READERS if name not in BINARY and name != "SIMS files"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sound")
    write_sound_files(folder)
    return folder


@pytest.mark.parametrize("name", READERS)
def test_the_files_that_are_mutated_are_sound(name: str, folder: Path):
    for file in READERS[name].files:
        READERS[name].read(folder / file)


@pytest.mark.parametrize("name", TEXTS)
@FUZZ
@given(data=st.data())
def test_mutated_files(name: str, folder: Path, data: st.DataObject):
    reader = READERS[name]
    draw = Drawn(data)
    content = mutated((folder / draw.choice(reader.files)).read_bytes(), draw, reader.ways)
    outcome(reader, folder / f"mutated.{'csv' if 'csv' in reader.files[0] else 'toml'}", content)


@pytest.mark.parametrize("name", TEXTS)
@FUZZ
@given(content=st.one_of(st.binary(max_size=300), st.text(max_size=300).map(str.encode)))
def test_junk(name: str, folder: Path, content: bytes):
    outcome(READERS[name], folder / "junk.txt", content)


@pytest.mark.parametrize("name", BINARY)
def test_mutated_results(name: str):
    """In a process of its own: HDF5 does not return from some broken files."""
    counts = watched(name, 40, seed=0)
    assert (counts.done, counts.failed) == (40, 0)


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize(
    "content", [b"", b"\n\n", b"\xff\xfe", b"\x00" * 40, b"PK\x03\x04", b'"' * 9, b"[" * 5000, b"a = " + b"1" * 9000]
)
def test_files_of_next_to_nothing(name: str, content: bytes, folder: Path):
    assert not outcome(READERS[name], folder / "nothing.toml", content)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are of POSIX")
@pytest.mark.parametrize("name", READERS)
def test_a_pipe_or_a_device_is_refused_at_once(name: str, folder: Path, tmp_path: Path):
    """Without waiting for who may write into a pipe, or reading what has no end, as a file and as one that is named."""

    def late(*_: object) -> None:
        raise AssertionError("it waits for the pipe")

    suffix = Path(READERS[name].files[0]).suffix
    (tmp_path / f"device{suffix}").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / f"pipe{suffix}")
    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(20)
    try:
        for kind in ("device", "pipe"):
            path = tmp_path / f"{kind}{suffix}"
            with pytest.raises(OWN, match="a pipe or a device, not a file") as caught:
                READERS[name].read(path)
            check_message(str(caught.value), path)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def test_there_is_no_other_way_to_read() -> None:
    """A file of the user is opened by the one function that does not wait; HDF5 is looked at before by its reader."""
    marks = (
        ".read_text(",
        ".read_bytes(",
        'open("r',
        "open(path",
        "np.load(path",
        "imread(path",
        "genfromtxt(",
        "fromfile(",
    )
    root = Path(__file__).parents[2] / "npp_jax"
    # The cache and the source are of this account alone; marks are looked for in what was found to be a file.
    allowed = {
        "text/opened.py",
        "_compile/programs.py",
        "_compile/options.py",
        "files/origin.py",
        "store/disk.py",
    }
    found = {p.relative_to(root).as_posix(): p.read_text(encoding="utf-8") for p in root.rglob("*.py")}
    assert [name for name, text in found.items() if name not in allowed and any(mark in text for mark in marks)] == []


def test_a_message_that_is_no_line_is_noticed(tmp_path: Path):
    for message in ("two\nlines", f"{tmp_path} two\nlines", f"{tmp_path} bell \a", f"{tmp_path}" + "x" * 2000):
        with pytest.raises(AssertionError):
            check_message(message, tmp_path / "file")
