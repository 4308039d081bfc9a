"""Pauses of the counting: points without counts in any channel amid others are none."""

from pathlib import Path

import numpy as np
import pytest

from npp_jax.sims import ImportOptions, SimsProfile, import_sims

POINTS = 300


def imported(path: Path, empty: slice, rng: np.random.Generator) -> SimsProfile:
    depth = np.arange(1.0, POINTS + 1.0)
    native = 0.05 + 0.95 / (1.0 + np.exp(-(depth - 100.0) / 3.0))
    counts = np.stack([rng.poisson(2000.0 * native), rng.poisson(1900.0 * (1.0 - native) + 2.0)])
    counts[:, empty] = 0
    rows = "\n".join(f"{2.0 * d:g},{a},{b}" for d, a, b in zip(depth, *counts, strict=True))
    path.write_text(f"time_s,Li (counts),K (counts)\n{rows}\n")
    options = ImportOptions(species={"Li": "Li", "K": "K"}, normalise={"K": "sum"}, crater_depth_nm=300.0)
    return import_sims(path, options)


@pytest.mark.parametrize("empty", [slice(139, 159), slice(0, 12), slice(250, 251), slice(96, 101)])
def test_a_pause_is_left_out_and_told(empty: slice, tmp_path: Path, rng: np.random.Generator):
    profile = imported(tmp_path / "p.csv", empty, rng)
    lost = empty.stop - empty.start
    assert len(profile.depth_nm) == POINTS - lost
    assert any("no counts in any channel" in line for line in profile.warnings)
    deep = profile.depth_nm > 130.0
    assert np.mean(profile.fraction[0, deep]) == pytest.approx(1.0, abs=0.01)


def test_a_point_beside_a_pause_is_no_average_over_it(tmp_path: Path, rng: np.random.Generator):
    profile = imported(tmp_path / "p.csv", slice(96, 101), rng)
    interval = np.asarray(profile.as_arguments()[-2])
    np.testing.assert_allclose(interval, 1.0, rtol=1e-9)


def test_a_channel_that_runs_out_alone_is_no_pause(tmp_path: Path, rng: np.random.Generator):
    profile = imported(tmp_path / "p.csv", slice(0, 0), rng)
    assert len(profile.depth_nm) == POINTS
    assert not any("no counts in any" in line for line in profile.warnings)


def test_zeros_of_few_counts_are_measured(tmp_path: Path, rng: np.random.Generator):
    counts = rng.poisson(2.5, (2, POINTS))
    rows = "\n".join(f"{2.0 * k:g},{100 * a},{100 * b}" for k, (a, b) in enumerate(counts.T, 1))
    path = tmp_path / "few.csv"
    path.write_text(f"time_s,Li (c/s),K (c/s)\n{rows}\n")
    profile = import_sims(path, ImportOptions(species={"Li": "Li", "K": "K"}, crater_depth_nm=300.0))
    assert len(profile.depth_nm) >= POINTS - 1
