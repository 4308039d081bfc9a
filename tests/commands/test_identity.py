"""What makes a sweep another one, and what does not: through the command line, with the files of a user."""

import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import h5py
import numpy as np
import pytest

from npp_jax.files.identity import _checksum
from npp_jax.files.study import load_study
from npp_jax.sweeping import read_sweep
from npp_jax.sweeping.screening import OtherData, of_problem

Run = Callable[..., tuple[int, str]]


def edited(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.parametrize(
    "change",
    [
        lambda f: edited(f / "study.toml", 'title = "a trace"', 'title = "another"  # a comment'),
        lambda f: edited(f / "study.toml", "[design]", "# a comment\n\n[design]"),
        lambda f: edited(f / "study.toml", "[sweep]\n", "[fit]\nstarts = 2\n[fit.posterior]\nchains = 8\n[sweep]\n"),
        lambda f: edited(f / "study.toml", "[sweep]\n", '[[fit.rivals]]\nname = "r"\nset = {}\n[sweep]\n'),
        lambda f: edited(f / "study.toml", 'scale = "log"', 'scale = "log"\nprior_mean = 1e-21\nprior_sigma = 0.1'),
        lambda f: edited(f / "study.toml", "[sweep]\n", '[sweep]\nmodel = "electroneutral"\n'),
        lambda f: edited(f / "study.toml", "low = 3e-22\nhigh = 3e-21", "high = 3.0e-21\nlow = 0.3e-21"),
        lambda f: edited(f / "K.toml", 'title = "', '# a comment\ntitle = "other '),
        lambda f: (f / "trace.csv").rename(f / "other.csv") and edited(f / "K.toml", "trace.csv", "other.csv"),
        lambda f: edited(f / "trace.csv", "\n0,10\n", "\n# hello\n0,10.0\n"),
        lambda f: (f / "trace.csv").write_bytes(b"time_s;potential_V\r\n0;10,0\r\n400000;10,0\r\n"),
        lambda f: (f / "K.csv").write_text(f"# hello\n{(f / 'K.csv').read_text()}# end\n", newline="\r\n"),
    ],
    ids=[
        "title",
        "comment",
        "posterior",
        "rival",
        "prior",
        "default",
        "order",
        "experiment",
        "name",
        "comment in a trace",
        "spelling of a trace",
        "comments in a profile",
    ],
)
def test_the_same_sweep_goes_on(change: Callable[[Path], object], folder: Path, run: Run) -> None:
    change(folder)
    chunk = next((folder / "study.sweep").glob("*.chunk"))
    before = chunk.stat().st_mtime_ns
    code, text = run("sweep", folder / "study.toml", "--output", folder, "--no-figures", "--quiet")
    assert code == 0, text
    assert chunk.stat().st_mtime_ns == before


def test_a_sweep_that_knew_its_files_by_their_bytes_goes_on(folder: Path) -> None:
    """As those of earlier versions; with other bytes it is another one."""
    identity = load_study(folder / "study.toml").identity
    former = identity.text
    for key in ("experiments[0].profile", "experiments[0].file.stages[0].potential_trace"):
        line = next(line for line in former.splitlines() if line.startswith(f"{key} = sha256 "))
        former = former.replace(line, f"{key} = sha256 {sha256(identity.files[key].read_bytes()).hexdigest()}")
    assert former != identity.text and identity.as_in(former) == former
    assert identity.difference(former, ranges=True) is None
    edited(folder / "trace.csv", ",10", ",10.0")
    assert identity.difference(former, ranges=True) == "the sweep had another trace.csv"
    assert identity.as_in("another text") == identity.text


def test_content_of_tables(tmp_path: Path) -> None:
    """A law and words in a column; other titles, units and numbers are another content."""

    def told(text: str) -> str:
        (tmp_path / "a.csv").write_text(text, encoding="utf-8")
        return _checksum(tmp_path / "a.csv")

    assert told("fraction,D_m2_s\n0,1e-20\n1,2e-20\n") == told("# a law\nfraction D_m2_s\n0.0 1E-20\n1 0.2e-19")
    plain = "time_s,potential_V\n0,10\n5,11\n"
    others = [plain.replace("11", "12"), plain.replace("_s", "_h"), "time_s,potential_V\n0,10\n5,11\n6,11\n", "none"]
    others.append("time_s,potential_V\n[s],[mV]\n0,10\n5,11\n")
    assert len({told(text) for text in [plain, *others]}) == len(others) + 1
    assert told("time_s;potential_V;note\n0;1,5;\n5;2,5;\n") == told("time_s,potential_V,note\n0,1.5,\n5,2.5,\n")


@pytest.mark.parametrize(
    ("change", "sweeping", "fitting"),
    [
        (
            lambda f: edited(f / "trace.csv", ",10", ",4"),
            "the sweep had another trace.csv",
            "the sweep had another trace.csv",
        ),
        (lambda f: edited(f / "K.csv", "0.1", "0.2"), "the sweep had another K.csv", "the sweep had another K.csv"),
        (
            lambda f: edited(f / "K.toml", "temperature_K = 350.0", "temperature_K = 360.0"),
            "temperature_K = 350.0",
            "the sweep had experiments[0].file.stages[0].temperature_K = 350.0, the study has 360.0",
        ),
        (
            lambda f: edited(f / "study.toml", "counts_per_fraction = 2000.0", "counts_per_fraction = 500.0"),
            "counts_per_fraction = 2000.0",
            "the sweep had experiments[0].counts_per_fraction = 2000.0, the study has 500.0",
        ),
        (
            lambda f: (
                edited(f / "study.toml", '"K.D_m2_s"', '"stages.0.temperature_K"')
                or edited(f / "study.toml", "low = 3e-22\nhigh = 3e-21", "low = 300.0\nhigh = 500.0")
                or edited(f / "candidates.csv", "5e-22\n1e-21\n2e-21", "310\n320\n330")
            ),
            "keys = ",
            "none of its 3 candidates is within the ranges",
        ),
        (lambda f: edited(f / "candidates.csv", "5e-22", "6e-22"), "design (other candidates)", None),
    ],
    ids=["trace", "profile", "experiment", "counts", "keys", "candidates"],
)
def test_another_sweep_is_told(
    change: Callable[[Path], object], sweeping: str, fitting: str | None, folder: Path, run: Run
) -> None:
    change(folder)
    former = (folder / "study.h5").read_bytes()
    code, text = run("sweep", folder / "study.toml", "--output", folder, "--no-figures", "--quiet")
    assert code == 2
    assert "holds another run" in text and sweeping in text and "--force" in text
    assert (folder / "study.h5").read_bytes() == former
    if fitting is not None:
        code, text = run("fit", folder / "study.toml", "--sweep", folder / "study.h5", "--output", folder / "fit")
        assert (code, len(text.splitlines())) == (2, 1)
        assert fitting in text and str(folder / "study.h5") in text
        assert not (folder / "fit").exists()


def test_python_too_takes_no_sweep_of_other_data(folder: Path) -> None:
    result = read_sweep(folder / "study.h5")
    assert len(of_problem(result, load_study(folder / "study.toml").problem).theta) == 3
    edited(folder / "trace.csv", ",10", ",4")
    with pytest.raises(OtherData, match="other experiments or profiles of these names"):
        of_problem(result, load_study(folder / "study.toml").problem)


def test_a_file_of_an_earlier_version_is_read_and_starts_no_fit(folder: Path, run: Run) -> None:
    """It told neither its traces nor a checksum of its data."""
    with h5py.File(folder / "study.h5", "r+") as file:
        del file.attrs["measurements_sha256"], file["configuration"]
        file["configuration"] = (folder / "study.toml").read_text(encoding="utf-8")
    np.testing.assert_array_equal(read_sweep(folder / "study.h5").theta[:, 0], [5e-22, 1e-21, 2e-21])
    code, text = run("fit", folder / "study.toml", "--sweep", folder / "study.h5", "--output", folder / "fit")
    assert code == 2
    assert text.strip().endswith("an earlier version wrote it, which did not note of what data; sweep again")


def test_every_file_that_is_read_is_known(folder: Path) -> None:
    edited(folder / "study.toml", "[sweep]\n", '[[fit.rivals]]\nname = "r"\nfiles = { K = "L.toml" }\n[sweep]\n')
    shutil.copy(folder / "K.toml", folder / "L.toml")
    shutil.copy(folder / "trace.csv", folder / "other.csv")
    edited(folder / "L.toml", "trace.csv", "other.csv")
    read = {path.name for path in load_study(folder / "study.toml").identity.files.values()}
    assert read == {"K.toml", "K.csv", "trace.csv", "candidates.csv", "L.toml", "other.csv"}
