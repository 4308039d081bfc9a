"""The engine against converged reference solutions and published values; a wrong reference is rejected."""

import functools
import importlib.util
import json
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import NM, PLAIN, simulated

from npp_jax.files import load_experiment
from npp_jax.simulation.simulate import ACCURATE
from npp_jax.simulation.solution import Model, Solution
from npp_jax.simulation.status import Status

ROOT = Path(__file__).resolve().parents[2]


@functools.cache
def solution_of(folder: Path, model: Model = "electroneutral") -> Solution:
    return simulated(ACCURATE, model)(load_experiment(folder / "case.toml"))


def table_of(folder: Path, k: int) -> np.ndarray:
    return np.genfromtxt(folder / f"profiles_{k + 1}.csv", delimiter=",", names=True)


@pytest.mark.parametrize(("case", "model"), [("p1", "full"), ("p2", "electroneutral"), ("p3", "electroneutral")])
@pytest.mark.slow
def test_two_ions(reference: Callable[[str], Path], case: str, model: Model) -> None:
    folder = reference(case)
    solution = solution_of(folder, model)
    assert int(solution.report.status) == Status.DONE
    for k in range(3):
        table = table_of(folder, k)
        depth = table["depth_nm"][table["depth_nm"] <= 150.0]
        ours = np.asarray(solution.profile(jnp.asarray(depth * NM), k))
        for i, name in enumerate(solution.species):
            square = (ours[i] - table[name][: len(depth)]) ** 2
            assert np.sqrt(np.trapezoid(square, depth) / 150.0) < 1e-3


def test_a_wrong_reference_is_rejected(reference: Callable[[str], Path]) -> None:
    """A profile of another time is far outside the tolerance: the comparison can fail."""
    table = table_of(reference("p2"), 1)
    ours = np.asarray(solution_of(reference("p2")).profile(jnp.asarray(table["depth_nm"] * NM), 2))
    assert np.sqrt(np.mean((ours[0] - table["Li"]) ** 2)) > 0.1


def test_three_ions(reference: Callable[[str], Path]) -> None:
    """A mixed glass under a beam: one native ion piles up ahead of the front."""
    folder = reference("p5")
    solution = simulated(PLAIN)(load_experiment(folder / "case.toml"))
    assert int(solution.report.status) == Status.DONE
    for k, expected in enumerate(json.loads((folder / "summary.json").read_text())["outputs"]):
        table = table_of(folder, k)
        front = expected["front_depth_nm"]
        depth = table["depth_nm"][table["depth_nm"] <= 1.5 * front]
        ours = np.asarray(solution.profile(jnp.asarray(depth * NM), k))
        for i, name in enumerate(solution.species):
            square = (ours[i] - table[name][: len(depth)]) ** 2
            assert np.sqrt(np.trapezoid(square, depth) / depth[-1]) < 1e-3
        assert float(solution.front_depth[k]) / NM == pytest.approx(front, abs=0.1, rel=1e-3)
        assert float(solution.surface_potential[k]) == pytest.approx(expected["surface_potential_V"], rel=2e-3)


@pytest.mark.slow
def test_published_mean_square_of_a_measured_exchange_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mean square residual that was published with the data, at the published parameters."""
    data = ROOT.parent / "shared" / "data" / "iox-glass-k-na-li"
    if not data.is_dir():
        pytest.skip(f"measured profile not present: {data}")
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    spec = importlib.util.spec_from_file_location("glass_exchange", ROOT / "benchmarks" / "glass_exchange.py")
    assert spec is not None
    assert spec.loader is not None
    study = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(study)
    mean_square = jax.jit(study.mean_square)
    depth, measured = study.read(data)
    assert float(mean_square(jnp.asarray(study.PUBLISHED), depth, measured)) == pytest.approx(0.218, rel=0.02)
    swapped = (3.73e-4, 0.11, 10.3, 2.07, 12.40)
    assert float(mean_square(jnp.asarray(swapped), depth, measured)) == pytest.approx(0.242, rel=0.02)
