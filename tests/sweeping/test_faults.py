"""The command under faults, one after the other on the same sweep; all phases and faults are in `make faults`."""

import sys
from pathlib import Path

import faults
import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and limits of POSIX")


@pytest.mark.slow
def test_a_sweep_that_meets_one_fault_after_another_ends_in_the_same_bytes(tmp_path: Path):
    whole, folder = (faults.prepared(tmp_path / name) for name in ("whole", "folder"))
    done = faults.run(whole, "-m", "npp_jax", *faults.SWEEP)
    assert done.returncode == 0, done.stderr
    full = "out/study.h5: File too large; finished chunks are kept, make room and run again to resume"
    resume = "interrupted; what is done is kept, and the same command resumes"
    for phase, fault, code, told in [
        ("start", "interrupt", 130, f"npp-jax: {resume}\n"),
        ("storing", "kill", -9, ""),
        ("assembly", "interrupt", 130, f"npp-jax: {resume}\n"),
        ("assembly", "full disk", 2, f"npp-jax: {full}\n"),
    ]:
        broken = faults.run(folder, faults.__file__, "--broken", phase, fault)
        assert (broken.returncode, broken.stderr) == (code, told)
        assert not (folder / "out" / "study.h5").exists()
    done = faults.run(folder, "-m", "npp_jax", *faults.SWEEP)
    assert done.returncode == 0, done.stderr
    assert faults.results(folder) == faults.results(whole)
