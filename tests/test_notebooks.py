"""The notebooks run from top to bottom, on coarse meshes and with few candidates, and find what they say."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parent.parent / "notebooks"
Names = dict[str, Any]


def first_steps(names: Names) -> None:
    assert int(names["solution"].report.status) == 0
    assert np.all(np.diff(names["many"].plateau[-1]) > 0.0)


def from_profile_to_distribution(names: Names) -> None:
    result = names["result"]
    assert result.agreeing == len(names["starts"])
    for profile, truth in zip(result.profiles, (0.25, 0.10, 9.6813e-22, 1.8825e-22, 4.3028e-23), strict=True):
        assert profile.interval[0] < truth < profile.interval[1]


def gunawan_2024(names: Names) -> None:
    # The foot of a smooth front is where the conductivity is least, for all three ions.
    assert names["smooth"] == pytest.approx([7.21e-4, 1.41e-4, 3.15e-5], rel=0.01)
    assert names["front"] == pytest.approx(100.0, abs=2.0)
    assert names["found"]["B"]["immobile_fraction"].value == pytest.approx(names["immobile"][0], abs=0.02)
    assert all(abs(names["error_of_eqn_3"](k)) < 0.10 for k in range(3))


def hasegawa_2024(names: Names) -> None:
    agreeing = [row for row in names["table"] if "INCONSISTENT" not in row[4] and "another way" not in row[4]]
    assert all(0.8 < float(row[3]) < 1.25 for row in agreeing)
    assert sum("INCONSISTENT" in row[4] for row in names["table"]) == 3


def double_cait(names: Names) -> None:
    left = {name: float(solution.plateau[0]) for name, solution in names["solutions"].items()}
    assert left["separate"] == pytest.approx(0.0485, abs=0.002)
    assert left["intermixed"] < 1e-3
    # The distance of lithium is what a shift of the depths does not take away.
    remaining = {signal: free for signal, (_, free) in names["distances"].items()}
    assert max(remaining, key=remaining.__getitem__) == ("Li", 1)


def million_candidates(names: Names) -> None:
    assert len(names["swept"].theta) == names["candidates"]
    assert np.median(names["near"].total) < np.median(names["swept"].total)
    assert 0.0 < names["share"] * names["volume"] < names["share"] < 1.0


def simulation_based_inference(names: Names) -> None:
    assert names["good"].all() and names["learnt"] is None
    # The five numbers are the parameters of data without noise, as far as the model is linear; their errors are one.
    near = np.abs(names["to_standard"](names["data"].unit)).max(axis=1) < 1.5
    told = names["summary"](names["data"].signal[near]) - names["to_standard"](names["data"].unit[near])
    assert near.sum() > 10 and np.sqrt(np.mean(told**2)) < 0.5
    assert names["repeated"].std(axis=0) == pytest.approx(np.ones(5), rel=0.1)
    # Weighted candidates are the posterior, here nearly the normal distribution of the fit.
    mean, _, count, _ = names["found"]["sweep, weighted"]
    errors = np.sqrt(np.diag(names["root_of_covariance"] @ names["root_of_covariance"].T))
    assert 20.0 < count < 128.0
    assert np.abs((mean - names["best"]) / errors).max() < 4.0 / np.sqrt(count)


def measured_profiles(names: Names) -> None:
    if names["glass"]:
        assert names["square"] == pytest.approx(0.218, rel=0.25)  # every 20th point
    if names["oslo"]:
        assert 1.4 < names["lengths"][0] < 1.8


CHECKS: dict[str, Callable[[Names], None]] = {
    check.__name__: check
    for check in (
        double_cait,
        first_steps,
        from_profile_to_distribution,
        gunawan_2024,
        hasegawa_2024,
        measured_profiles,
        million_candidates,
        simulation_based_inference,
    )
}

LONGEST = {
    "double_cait",
    "from_profile_to_distribution",
    "gunawan_2024",
    "million_candidates",
    "simulation_based_inference",
}


def test_every_notebook_is_checked():
    assert {path.stem for path in FOLDER.glob("*.ipynb")} == set(CHECKS)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in LONGEST else name for name in CHECKS]
)
def test_runs(name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(FOLDER)
    monkeypatch.setenv("NPP_JAX_QUICK", "1")
    monkeypatch.setattr(plt, "show", lambda: plt.close("all"))
    parameters = dict(plt.rcParams)
    names: Names = {}
    cells = json.loads((FOLDER / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    for cell in cells:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
    plt.rcParams.update(parameters)
    plt.close("all")
    CHECKS[name](names)
