"""Compiled code is kept where no other account may write, and nowhere else."""

import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import jax
import pytest

from npp_jax._compile import mend_cache
from npp_jax.cli.cache import use_cache

pytestmark = pytest.mark.skipif(not hasattr(os, "getuid"), reason="accounts are those of POSIX")


@pytest.fixture(autouse=True)
def settings_come_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    before = jax.config.values["jax_compilation_cache_dir"]
    with warnings.catch_warnings():
        yield
    jax.config.update("jax_compilation_cache_dir", before)


def test_its_own_folder_is_closed_to_others(tmp_path: Path):
    assert use_cache() == tmp_path / "npp_jax"
    assert (tmp_path / "npp_jax").stat().st_mode & 0o777 == 0o700
    # Others could read it, and did not write to it.
    (tmp_path / "npp_jax").chmod(0o755)
    assert use_cache() == tmp_path / "npp_jax"
    assert (tmp_path / "npp_jax").stat().st_mode & 0o777 == 0o700
    assert jax.config.values["jax_compilation_cache_dir"] == str(tmp_path / "npp_jax")


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("case", ["folder", "group", "parent", "entry", "link", "file"])
def test_what_others_may_write_is_not_used(
    case: str, named: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    folder = tmp_path / "npp_jax"
    if named:
        folder = tmp_path / "named"
        monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(folder))
    entry = folder / "jit_f-00-cache"
    if case == "file":
        folder.write_text("")
    else:
        folder.mkdir(0o755)
        entry.touch()
    for name, mode, place in [
        ("folder", 0o777, folder),
        ("group", 0o775, folder),
        ("parent", 0o777, tmp_path),
        ("entry", 0o666, entry),
    ]:
        if case == name:
            place.chmod(mode)
    if case == "link":
        entry.unlink()
        entry.symlink_to("/dev/null")
    assert use_cache() is None
    told = capsys.readouterr().err
    which = "other accounts may write to" if case in ("folder", "group", "parent") else folder
    assert told.startswith(f"npp-jax: compiled code is neither kept nor read: {which}")
    assert told.count("\n") == 1
    assert jax.config.values["jax_compilation_cache_dir"] is None


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only the administrator gives files away")
@pytest.mark.parametrize("case", ["folder", "parent", "entry"])
def test_what_belongs_to_others_is_not_used(case: str, tmp_path: Path, capsys: pytest.CaptureFixture):
    folder = use_cache()
    assert folder is not None
    (folder / "jit_f-00-cache").touch()
    os.chown({"folder": folder, "parent": tmp_path, "entry": folder / "jit_f-00-cache"}[case], 65534, -1)
    assert use_cache() is None
    assert "another account" in capsys.readouterr().err


def test_a_link_to_a_folder_of_its_own_is_followed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "real").mkdir(0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path / "link"))
    assert use_cache() == tmp_path / "real"


def test_damaged_entries_are_thrown_away_and_a_full_disk_is_told_once(tmp_path: Path):
    told: list[str] = []
    mend_cache(tmp_path, told.append)

    def entries(*names: str) -> None:
        for k, name in enumerate(names):
            (tmp_path / name).touch()
            os.utime(tmp_path / name, (k, k))

    entries("jit_f-1-cache", "jit_f-2-cache", "jit_ff-1-cache")
    start = "persistent compilation cache entry for 'jit_f'"
    for k in range(2):
        warnings.warn(f"Error writing {start}: OSError: [Errno 28] No space left on device: {k}", stacklevel=1)
    assert [path.name for path in tmp_path.iterdir()] == ["jit_ff-1-cache"]
    assert told == [
        f"{tmp_path}: compiled code cannot be kept: No space left on device: 0",
    ]
    entries("jit_f-1-cache", "jit_f-2-cache")
    warnings.warn(f"Error reading {start}: error: incomplete or truncated stream", stacklevel=1)
    assert [path.name for path in tmp_path.iterdir()] == ["jit_ff-1-cache"] and len(told) == 1
    with pytest.warns(UserWarning, match="another"):
        warnings.warn("another", stacklevel=1)
