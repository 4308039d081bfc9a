"""A sweep on a cluster: a worker that is killed loses nothing, one of another version is refused."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from npp_jax.commands.sweep import run_study
from npp_jax.files.study import load_study
from npp_jax.sweeping import Workers
from npp_jax.sweeping.run import SweepStopped


def certificates(folder: Path) -> None:
    """An authority of its own, and a certificate of it for all parts of a cluster."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make certificates with")
    new = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=npp_jax"]
    subprocess.run([*new, "-keyout", folder / "key.pem", "-out", folder / "ca.pem"], check=True, capture_output=True)
    shutil.copy(folder / "ca.pem", folder / "cert.pem")


@pytest.mark.slow
def test_a_killed_worker_loses_nothing(tmp_path: Path):
    pytest.importorskip("distributed", reason="dask.distributed is not installed: pip install 'dask[distributed]'")
    script = Path(__file__).parents[1] / "cluster_run.py"
    certificates(tmp_path)
    done = subprocess.run([sys.executable, script, tmp_path], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["wrong"] == []
    assert found["handed"] == {str(chunk): 1 for chunk in range(16)}
    # Killed in the middle of a chunk, which another worker began again.
    begun, finished = (np.array([found[kind].get(str(chunk), 0) for chunk in range(16)]) for kind in ("begun", "done"))
    assert (finished >= 1).all() and (begun > finished).any()
    assert found["refused"].startswith("tls://127.0.0.1:") and found["refused"].endswith(" asks for a certificate")
    assert any("has no worker; waiting for one" in text for text in found["said"])
    assert not any("no TLS" in text for text in found["said"])
    assert f"has {found['own']}, the sweep npp_jax 0.0.0" in found["told"]


@pytest.mark.slow
def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, project_root: Path):
    monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.delitem(sys.modules, "npp_jax.sweeping.cluster", raising=False)
    study = load_study(project_root / "sweeps" / "one_distribution.toml")
    with pytest.raises(SweepStopped, match=r"pip install 'dask\[distributed\]'"):
        run_study(study, tmp_path / "x.h5", force=False, workers=Workers(scheduler="tcp://127.0.0.1:9"), quiet=True)
