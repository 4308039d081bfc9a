"""Streams that the caller has closed, or that nobody reads any longer."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer

from npp_jax.cli.terminal import exit_codes

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="streams and signals of POSIX")

NPP = [sys.executable, "-m", "npp_jax"]

# Says by a file that it works, then waits for its end.
_WAITS = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.argv = ["npp-jax", "simulate", "none.toml"]
import npp_jax.__main__ as program
import npp_jax.cli
def app():
    open(PLACE, "w").close()
    time.sleep(60.0)
npp_jax.cli.app = app
program.main()
"""


@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
def test_a_closed_stream_costs_no_result(tmp_path: Path, closed: str) -> None:
    arguments = ["new", "melt", "--native", "Na", "--foreign", "K", "--output", str(tmp_path)]
    shell = ["sh", "-c", f'"$@" {closed}', "sh", *NPP, *arguments]
    done = subprocess.run(shell, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0 and not done.stderr
    assert len(list(tmp_path.iterdir())) == 2


def test_a_reader_that_ends_costs_no_result(tmp_path: Path) -> None:
    """As `head` does; the lines go where nobody reads them."""
    reader, writer = os.pipe()
    os.close(reader)
    arguments = ["new", "melt", "--native", "Na", "--foreign", "K", "--output", str(tmp_path)]
    done = subprocess.run([*NPP, *arguments], stdout=writer, stderr=subprocess.PIPE, timeout=300, check=False)
    os.close(writer)
    assert done.returncode == 0 and not done.stderr
    assert len(list(tmp_path.iterdir())) == 2


def test_no_file_takes_the_number_of_a_closed_stream(tmp_path: Path) -> None:
    """Lines for people, and those of libraries, would go into it."""
    look = "import os, npp_jax.__main__ as m; m._open_streams(); os._exit(os.open(os.devnull, os.O_RDONLY))"
    shell = ["sh", "-c", '"$@" <&- >&- 2>&-', "sh", sys.executable, "-c", look]
    assert subprocess.run(shell, timeout=300, check=False).returncode > 2


@pytest.mark.parametrize("lost", ["closed", "unread"])
def test_an_interrupt_ends_a_command_that_cannot_tell_it(tmp_path: Path, lost: str) -> None:
    """As after `2>&1 | tee log`, where the same interrupt ends `tee` first."""
    place = tmp_path / "works"
    reader, writer = os.pipe()
    os.close(reader)
    run = [sys.executable, "-c", f"PLACE = {str(place)!r}\n{_WAITS}"]
    shell = ["sh", "-c", f'exec "$@" {"2>&-" if lost == "closed" else ""}', "sh", *run]
    with subprocess.Popen(shell, stderr=writer) as process:
        os.close(writer)
        while not place.exists() and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        try:
            assert process.wait(timeout=30) == 130
        finally:
            process.kill()


def test_too_many_open_files_are_no_fault_of_the_last_one(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as end, exit_codes():
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), "a_module_that_is_imported.py")
    assert end.value.exit_code == 2
    told = capsys.readouterr().err
    assert told.startswith("npp-jax: Too many open files: ") and "ulimit -n" in told and "imported" not in told
