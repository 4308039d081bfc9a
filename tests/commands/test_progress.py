"""Progress of a sweep where there is no terminal: plain lines with what is done, flagged and left."""

import pytest

from npp_jax.commands import progress as sweep_progress


def test_plain_lines(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    clock = iter(float(k) for k in range(0, 10_000, 10))
    monkeypatch.setattr(sweep_progress.time, "monotonic", lambda: next(clock))
    with sweep_progress.progress(1000, 200, quiet=False) as tell:
        for _ in range(8):
            tell(100, 3)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "200 of 1000 candidates done before; compiling"
    assert 2 <= len(lines) <= 8
    done = [int(line.split()[0]) for line in lines]
    assert done == sorted(set(done)) and done[-1] <= 1000
    flagged = [int(line.split(", ")[1].split()[0]) for line in lines[1:]]
    assert flagged == [3 * (count - 200) // 100 for count in done[1:]]
    assert all("per s" in line and "min left" in line for line in lines[1:])


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]):
    with sweep_progress.progress(10, 0, quiet=True) as tell:
        tell(10, 0)
    assert capsys.readouterr().err == ""
