"""The SUNDIALS baseline solves the same problem, as accurately as it claims; skipped without SUNDIALS."""

import csv
import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import jax.numpy as jnp
import numpy as np
import pytest

from npp_jax.physics import ConstantDiffusivity, GaussianSED, SEDDiffusivity
from npp_jax.physics.front_theory import front_theory

pytest.importorskip("sksundae", reason="scikit-sundae is not installed")
pytest.importorskip("numba", reason="numba is not installed")
# The first run compiles the kernels.
pytestmark = pytest.mark.slow

CANDIDATE = {
    "temperature_K": 350.0,
    "sed_fwhm_eV": 0.25,
    "vacancy_fraction": 0.1,
    "D_foreign_m2_s": 7.2e-22,
    "potential_V": 10.0,
    "thickness_um": 500.0,
    "charge_C_m2": 200.0,
}


@pytest.fixture
def baseline(project_root: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(project_root / "benchmarks"))
    return importlib.import_module("sundials_baseline")


def prepared(baseline: ModuleType, model: str, charge_share: float) -> tuple:
    """Clock, unknowns, parameters and work array early in a run, with the kernels of a model."""
    kernels = baseline.kernels
    p, charge = baseline.parameters(CANDIDATE, model)
    position, fraction = np.empty(48), np.empty(48)
    kernels.front_theory(p, position, fraction)
    p[kernels.GROWTH] = 3.0
    work = np.full((kernels.ROWS, 62), np.nan)
    s = float(np.log(charge_share * charge))
    y = kernels.neutral_start(s, p, 40, work, position, fraction, 60)
    if model == "full":
        y = kernels.full_start(s, y, p, 40, work)
    return s, y, p, work


@pytest.mark.parametrize(("model", "name", "band"), [("electroneutral", "neutral", 1), ("full", "full", 2)])
def test_jacobian_is_the_derivative_of_the_residual(
    baseline: ModuleType, rng: np.random.Generator, model: str, name: str, band: int
) -> None:
    s, y, p, work = prepared(baseline, model, 1e-4)
    residual = getattr(baseline.kernels, f"{name}_residual")
    rate, cj, n = rng.normal(size=y.size), 3.0, y.size

    def value(j: int, step: float) -> np.ndarray:
        here, moved, out = y.copy(), rate.copy(), np.empty(n)
        here[j] += step
        moved[j] += cj * step
        residual(s, here, moved, out, p, 40, work)
        return out

    steps = 1e-6 * np.maximum(np.abs(y), 1e-3)
    wanted = np.stack([(value(j, h) - value(j, -h)) / (2.0 * h) for j, h in enumerate(steps)], axis=1)
    residual(s, y, rate, np.empty(n), p, 40, work)
    found = np.zeros((n, n))
    getattr(baseline.kernels, f"{name}_jacobian")(s, y, cj, found, p, 40, work)
    inside = np.abs(np.subtract.outer(np.arange(n), np.arange(n))) <= band
    scale = np.abs(wanted).max(axis=1, keepdims=True)
    # The stabilising factor is held in the Jacobian; at this charge it is close to one.
    assert np.max(np.where(inside, np.abs(found - wanted) / scale, 0.0)) < 0.02
    assert np.all(found[~inside] == 0.0)


def test_theory_agrees_with_the_library(baseline: ModuleType) -> None:
    kernels = baseline.kernels
    p, _ = baseline.parameters(CANDIDATE, "electroneutral")
    kernels.front_theory(p, np.empty(48), np.empty(48))
    law = SEDDiffusivity(D_bulk=1.0, sed=GaussianSED(CANDIDATE["sed_fwhm_eV"]), vacancy_fraction=0.1)
    theory = front_theory(
        law.at(jnp.asarray(350.0)), ConstantDiffusivity(D=7.2e-4).at(jnp.asarray(350.0)), jnp.ones(())
    )
    assert p[kernels.FOOT] == pytest.approx(float(theory.foot), rel=1e-3)
    assert p[kernels.SPEED] == pytest.approx(float(theory.speed), rel=1e-6)


@pytest.mark.parametrize("mesh", ["fixed", "moving"])
@pytest.mark.parametrize("model", ["electroneutral", "full"])
def test_charge_is_passed_and_the_run_converged(baseline: ModuleType, model: str, mesh: str) -> None:
    settings = baseline.TUNED[mesh][model]
    found = baseline.solve(CANDIDATE, model=model, settings=settings)
    assert found.success
    assert found.charge == pytest.approx(CANDIDATE["charge_C_m2"], rel=1e-3)
    assert baseline.convergence([CANDIDATE], model=model, settings=settings).inside == 1.0


@pytest.mark.parametrize("model", ["electroneutral", "full"])
def test_accuracy_against_the_reference(baseline: ModuleType, reference: Callable[[str], Path], model: str) -> None:
    folder = reference("p9")
    with (folder / "candidates.csv").open() as file:
        thinnest = np.array([float(row["front_scale_D2_over_v0_nm"]) for row in csv.DictReader(file)])
    errors = baseline.accuracy(folder, model=model)
    good = (errors.front <= 1.0) & (errors.profile <= 2e-3)
    # Where the front is as thin as twice the Debye length, neutrality itself is the error.
    assert np.all(good | ((thinnest < 0.06) & (model == "electroneutral")))
    assert np.max(errors.time) < 2e-3


def test_a_run_that_is_given_up_is_no_success(baseline: ModuleType) -> None:
    settings = baseline.replace(baseline.TUNED["moving"]["electroneutral"], max_steps=1)
    assert not baseline.solve(CANDIDATE, settings=settings).success
