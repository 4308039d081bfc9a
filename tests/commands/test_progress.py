"""Progress where there is no terminal: plain lines with what is done, what is to be said of it, and the time left."""

import re
from collections.abc import Iterator

import numpy as np
import pytest

from npp_jax.commands import progress as shown
from npp_jax.inference import Iteration


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every look at the clock takes six seconds."""
    ticks: Iterator[float] = iter(6.0 * k for k in range(10_000))
    monkeypatch.setattr(shown.time, "monotonic", lambda: next(ticks))


def test_plain_lines_of_a_sweep(clock: None, capsys: pytest.CaptureFixture[str]):
    with shown.candidates("sweep", 1000, 200, quiet=False) as tell:
        for _ in range(8):
            tell(100, 3)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "sweep: 200 of 1000 candidates done before; compiling"
    assert 2 <= len(lines) <= 9
    done = [int(line.split()[0]) for line in lines[1:]]
    assert done == sorted(set(done)) and done[-1] <= 1000
    flagged = [int(line.split(", ")[1].split()[0]) for line in lines[1:]]
    assert flagged == [3 * (count - 200) // 100 for count in done]
    assert all("per s" in line for line in lines[1:])
    # The first news came with a compilation and tells no rate; nothing is left when all is done.
    assert not lines[1].endswith(" left")
    assert all(line.endswith(" left") for line in lines[2:-1]) and done[-1] == 1000


def test_plain_lines_of_a_refinement(clock: None, capsys: pytest.CaptureFixture[str]):
    with shown.progress("refinement", 3, "starts", compiling=True, quiet=False) as tell:
        told = shown.refining(tell)
        for number in range(3):
            cost, ended = np.array([7.0 - number, np.inf, 9.0]), np.array([False, False, number > 0])
            told(Iteration(number, 10, cost, ended))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "refinement: 3 starts; compiling"
    assert lines[-1].startswith("1 of 3 starts, best χ² 10.0, at most ") and lines[-1].endswith(" left")


def test_a_compilation_is_no_part_of_the_rate(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    clock = {"now": 0.0}
    monkeypatch.setattr(shown.time, "monotonic", lambda: clock["now"])
    with shown.progress("posterior", 100, "trajectories", compiling=True, quiet=False) as tell:
        for clock["now"], done in ((60.0, 1), (80.0, 21)):
            tell(done)
    lines = capsys.readouterr().err.splitlines()
    assert lines[1:] == ["1 of 100 trajectories", "21 of 100 trajectories, 1 min 19 s left"]


def test_lines_come_seldom_and_all_where_no_number_is_known(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(shown.time, "monotonic", lambda: 0.0)
    with shown.progress("refinement", 3, "starts", quiet=False) as tell:
        tell(1)
        tell(2)
    assert capsys.readouterr().err.splitlines() == ["refinement: 3 starts"]
    with shown.progress("simulating", quiet=False) as tell:
        tell(note="once more")
    assert capsys.readouterr().err.splitlines() == ["simulating", "once more"]


@pytest.mark.parametrize(("seconds", "words"), [(3.21, "3.2 s"), (59.7, "1 min 0 s"), (250.0, "4 min 10 s")])
def test_times_in_words(seconds: float, words: str):
    assert shown.duration(seconds) == words
    assert shown.duration(7500.0) == "2 h 5 min"


def test_profile_likelihoods_follow_a_fit(clock: None, capsys: pytest.CaptureFixture[str]):
    with shown.fitting("profile: K.toml", 100, "evaluations at most", compiling=True, quiet=False) as shows:
        shows.refinement(3)
        shows.refined("refined: width 0.25 eV")
        for done in (0, 1, 3, 4):
            shows.ends(done, 4)
    lines = capsys.readouterr().err.splitlines()
    at = lines.index("profile likelihoods: 4 ends of intervals")
    assert lines[0].startswith("profile: K.toml: 100 evaluations at most")
    # What was found stands before the long search for ends, and these tell no time that is left.
    assert lines[at - 1] == "refined: width 0.25 eV"
    told = lines[at + 1 :]
    assert told and all(
        re.fullmatch(r"\d of 4 ends of intervals, (looking .* starts, )?(1 min )?\d+ s so far", line) for line in told
    )


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]):
    with shown.candidates("sweep", 10, 0, quiet=True) as tell:
        tell(10, 0)
    assert capsys.readouterr().err == ""
