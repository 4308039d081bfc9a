"""Every file is written whole or not at all: what fails on the way leaves the former file, or none."""

import html
import json
import os
import secrets
import subprocess
import sys
import time
import unicodedata
from collections.abc import Callable
from pathlib import Path
from unittest.mock import MagicMock

import numpy as np
import pytest
from matplotlib.figure import Figure
from typer.testing import CliRunner

from npp_jax.cli import app
from npp_jax.commands.fit import results
from npp_jax.commands.fit.run import FitOutcome
from npp_jax.commands.report.blocks import Page, Shown, Text
from npp_jax.commands.report.provenance import Begun
from npp_jax.commands.simulate import read_supported, run_simulation, write_simulation
from npp_jax.files.origin import check_folder
from npp_jax.files.writing import readable, write_figure, write_text, written_hdf5, written_whole
from npp_jax.physics import Experiment
from npp_jax.simulation.solution import Solution
from npp_jax.store.disk import drop_parts, part_of

SWEEPS = Path(__file__).parents[2] / "sweeps"
STUDY = SWEEPS / "lithium_borate_K.toml"

TURNING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
"""Classes of the characters that set the direction of writing (Unicode, annex 9)."""


class Broken(Exception):
    """What goes wrong half way."""


def broken_block(path: Path) -> None:
    with written_whole(path) as temporary:
        temporary.write_text("half")
        raise Broken


def broken_hdf5(path: Path) -> None:
    with written_hdf5(path) as file:
        file["half"] = np.arange(3)
        raise Broken


def broken_text(path: Path) -> None:
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "half \ud800")
    raise Broken


def broken_figure(path: Path) -> None:
    figure = Figure()

    def draw(*arguments: object, **options: object) -> None:
        raise Broken

    figure.draw = draw
    write_figure(path.with_suffix(".png"), figure)


@pytest.mark.parametrize("write", [broken_block, broken_hdf5, broken_text, broken_figure])
@pytest.mark.parametrize("former", [None, "former"])
def test_a_failure_half_way_leaves_the_former_file_or_none(
    write: Callable[[Path], None], former: str | None, tmp_path: Path
) -> None:
    path = tmp_path / ("file.png" if write is broken_figure else "file")
    if former is not None:
        path.write_text(former)
    with pytest.raises(Broken):
        write(path)
    assert [p.read_text() for p in tmp_path.iterdir()] == ([] if former is None else [former])


def test_the_error_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "none" / "report.md"
    with pytest.raises(FileNotFoundError) as caught:
        write_text(path, "text")
    assert caught.value.filename == str(path)


def test_what_is_written_is_there(tmp_path: Path) -> None:
    write_text(tmp_path / "a.md", "ä\n")
    assert (tmp_path / "a.md").read_bytes() == "ä\n".encode()
    write_figure(tmp_path / "a.PDF", Figure())
    assert (tmp_path / "a.PDF").read_bytes().startswith(b"%PDF")
    with pytest.raises(ValueError, match=r"a\.xyz: the ending of a figure is one of "):
        write_figure(tmp_path / "a.xyz", Figure())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.PDF", "a.md"]


def test_marks_that_turn_what_follows_are_not_shown() -> None:
    marks = [chr(code) for code in range(0x110000) if unicodedata.bidirectional(chr(code)) in TURNING]
    assert len(marks) == 9
    assert readable("a" + "".join(marks) + "b") == "a" + "\ufffd" * 9 + "b"


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Has the disk refuse the file whose name begins so, once its content was handed over."""

    def refuse(stem: str) -> None:
        plain = os.open

        def fail(path, *arguments, **options):
            if Path(path).name.startswith(f".{stem}"):
                raise OSError(28, "No space left on device", str(path))
            return plain(path, *arguments, **options)

        monkeypatch.setattr(os, "open", fail)

    return refuse


@pytest.mark.parametrize("name", ["llto_arrhenius.h5", "llto_arrhenius.png"])
def test_results_and_figures_of_a_command(name: str, tmp_path: Path, full_disk: Callable[[str], None]) -> None:
    (tmp_path / name).write_text("former")
    full_disk(name)
    command = ["tracer", str(SWEEPS / "llto_arrhenius.toml"), "--output", str(tmp_path), "--force"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 2
    assert done.output.splitlines()[-1] == f"npp-jax: {tmp_path / name}: cannot be written: No space left on device"
    assert (tmp_path / name).read_text() == "former"
    assert not list(tmp_path.glob(".*"))


@pytest.fixture(scope="module")
def solution() -> tuple[Experiment, Solution]:
    """One experiment and its solution."""
    experiment = read_supported(STUDY, "electroneutral")
    return experiment, run_simulation(experiment, model="electroneutral", setting="fast")


@pytest.mark.parametrize("name", [f"{STUDY.stem}.h5", f"{STUDY.stem}.pdf", "profiles_1.csv", "trace.csv"])
def test_files_of_a_simulation(
    name: str, solution: tuple[Experiment, Solution], tmp_path: Path, full_disk: Callable[[str], None]
) -> None:
    (tmp_path / name).write_text("former")
    full_disk(name)
    with pytest.raises(OSError, match="No space left") as caught:
        write_simulation(*solution, STUDY, tmp_path, csv=tmp_path, figure_format="pdf", command="")
    assert caught.value.filename == str(tmp_path / name)
    assert (tmp_path / name).read_text() == "former"
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("name", ["s_a.png", "s_report.html", "s_report.md", "s_fit.json", "s_fit.h5"])
def test_files_of_a_fit(
    name: str, tmp_path: Path, full_disk: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    content: dict[str, object] = {"figures": [Shown("a", Figure, "", "")], "fit_page": Page("text", ()), "_numbers": {}}
    content["result_files"] = []
    if name != "s_fit.h5":
        content["_write_arrays"] = None
    for function, value in content.items():
        monkeypatch.setattr(results, function, lambda *_, value=value: value)
    (tmp_path / name).write_text("former")
    if name != "s_fit.h5":
        full_disk(name)
    # What is no fit is refused half way, where the profiles are to follow the arrays.
    error, text = (TypeError, "measured_of") if name == "s_fit.h5" else (OSError, "No space left")
    outcome = FitOutcome(MagicMock(), MagicMock(), MagicMock(), ())
    with pytest.raises(error, match=text):
        results.write_fit(outcome, tmp_path, "s", begun=Begun("", ""))
    assert (tmp_path / name).read_text() == "former"
    assert not list(tmp_path.glob(".*"))


def test_a_figure_that_fails_costs_no_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Figure:
        raise ValueError("array of sample points is empty")

    draws = {"a": broken, "b": Figure, "c": lambda: None}
    shown = [Shown(name, make, f"caption of {name}", "") for name, make in draws.items()]
    content: dict[str, object] = {"figures": shown, "_write_arrays": None, "result_files": [tmp_path / "s_a.png"]}
    (tmp_path / "s_a.png").write_bytes(b"of an earlier fit")
    content["_numbers"] = {"sigma": float("inf"), "ends": [1.0, float("nan")], "name": "f"}
    for function, value in content.items():
        monkeypatch.setattr(results, function, lambda *_, value=value: value)
    told = lambda _, drawn, lost, begun: Page("fit", (*drawn, *map(Text, lost)))  # noqa: E731
    monkeypatch.setattr(results, "fit_page", told)
    outcome = FitOutcome(MagicMock(), MagicMock(), MagicMock(), ())
    written, lost = results.write_fit(outcome, tmp_path, "s", begun=Begun("", ""))
    assert [path.name for path in written] == ["s_report.html", "s_report.md", "s_fit.json", "s_fit.h5", "s_b.png"]
    failed, earlier = lost
    assert failed == "The figure 'a' could not be drawn: ValueError: array of sample points is empty"
    assert earlier == f"{tmp_path / 's_a.png'} was there before, and is not of this run"
    text = (tmp_path / "s_report.md").read_text(encoding="utf-8")
    assert [line for line in text.splitlines() if line] == ["# fit", "![](s_b.png)", "caption of b", failed]
    page = (tmp_path / "s_report.html").read_text(encoding="utf-8")
    assert page.count("<svg ") == 1 and "caption of b" in page and html.escape(lost[0]) in page
    # Numbers that are not finite are null.
    numbers = json.loads((tmp_path / "s_fit.json").read_text(encoding="utf-8"), parse_constant=pytest.fail)
    assert numbers == {"sigma": None, "ends": [1.0, None], "name": "f"}


def other_writers() -> list[str]:
    """Modules of the package that write a file in another way than through the one function."""
    marks = ("savefig(", ".write_text(", ".write_bytes(", "os.replace", 'h5py.File(path, "w")', "NamedTemporaryFile")
    root = Path(__file__).parents[2] / "npp_jax"
    allowed = {"files/writing.py", "store/disk.py"}
    # Pictures in memory, for a browser; a file in a temporary folder, which goes with the page.
    allowed |= {"explorer/save.py", "explorer/tracer_page.py", "explorer/upload.py"}
    found = {p.relative_to(root).as_posix(): p.read_text(encoding="utf-8") for p in root.rglob("*.py")}
    return [name for name, text in found.items() if name not in allowed and any(mark in text for mark in marks)]


def test_there_is_no_other_way_to_write() -> None:
    assert other_writers() == []


def test_what_is_being_written_goes_where_the_process_ends_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("former")
    with pytest.raises(FileNotFoundError), written_whole(tmp_path / "a.txt") as part:
        part.write_text("new")
        drop_parts()
        assert not part.exists()
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.txt", "former")]


def test_two_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    """Each has a file of its own until it is whole."""
    file = tmp_path / "a.txt"
    with written_whole(file) as first:
        first.write_text("half of ")
        with written_whole(file) as second:
            second.write_text("other")
        assert file.read_text() == "other"
        with first.open("a") as more:
            more.write("the first")
    assert file.read_text() == "half of the first" and list(tmp_path.iterdir()) == [file]


def test_what_a_killed_process_left_goes_and_what_others_write_stays(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    with subprocess.Popen([sys.executable, "-c", ""]) as dead:
        pass
    own, day = part_of(file).name, 86400.0

    def left(
        process: int, *, name: str = "a.txt", machine: str = own.split(".")[3].split("-")[0], age: float = 0.0
    ) -> Path:
        part = tmp_path / f".{name}.{machine}-{process}-0123abcd.part"
        part.write_text("half")
        os.utime(part, (time.time() - age,) * 2)
        return part

    gone = [left(dead.pid), left(dead.pid, machine="0" * 8, age=2.0 * day)]
    kept = [left(os.getppid(), age=2.0 * day), left(dead.pid, name="b.a.txt"), left(dead.pid, machine="1" * 8)]
    write_text(file, "new")
    assert not any(part.exists() for part in gone) and {*tmp_path.iterdir()} == {file, *kept}


def test_the_probe_of_a_folder_is_never_a_file_that_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """As of another account, which has guessed its name and put a link there."""
    mine = tmp_path / "thesis.txt"
    mine.write_text("my own")
    monkeypatch.setattr(secrets, "token_hex", lambda size: "guessed")
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / ".npp_jax_guessed.part").symlink_to(mine)
    with pytest.raises(FileExistsError):
        check_folder(tmp_path / "shared")
    assert mine.read_text() == "my own"


def test_the_longest_name_that_a_folder_takes_is_written(tmp_path: Path) -> None:
    """What it is called until it is whole is no longer, two of one beginning do not meet, and what is left goes."""
    one, other = (tmp_path / ("ä" * 125 + f"{k}.txt") for k in range(2))
    with written_whole(one) as first, written_whole(other) as second:
        first.write_text("one")
        second.write_text("other")
        assert first.parent == second.parent == tmp_path
    assert (one.read_text(), other.read_text()) == ("one", "other")
    with subprocess.Popen([sys.executable, "-c", ""]) as dead:
        pass
    left = tmp_path / part_of(one).name.replace(f"-{os.getpid()}-", f"-{dead.pid}-")
    left.write_text("half")
    write_text(other, "new")
    assert left.exists()
    write_text(one, "new")
    assert {*tmp_path.iterdir()} == {one, other}


def test_an_error_of_the_longest_name_names_it(tmp_path: Path) -> None:
    file = tmp_path / ("a" * 251 + ".txt")
    with pytest.raises(OSError) as caught, written_whole(file) as temporary:
        raise OSError(28, "No space left on device", str(temporary))
    assert caught.value.filename == str(file)
