"""What a fit owes to its mesh, against the truth of data that were made on a mesh whose errors are a sixteenth."""

import json
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from typer.testing import CliRunner

import npp_jax as npp
from npp_jax.cli import app
from npp_jax.files.study_tables import FitTable
from npp_jax.simulation.controls import refined
from npp_jax.simulation.simulate import SETTINGS

SWEEPS = Path(__file__).resolve().parents[2] / "sweeps"


def fitted(law: dict[str, float], counts: float, controls: npp.Controls, **options) -> tuple[npp.FitResult, float]:
    """Fit of D of potassium to exact counts with the errors of counting, and its true value."""
    experiment = npp.load_experiment(SWEEPS / "lithium_borate_K.toml")
    true = float(experiment.species[1].diffusivity.D)
    seen = npp.Observation(npp.GaussianResponse(2.0))
    made = npp.simulate(experiment, refined(npp.FAST, 2))
    profile = npp.synthetic_profile(made, seen, np.linspace(1.0, 150.0, 150), counts, seed=None)
    parameters = [npp.Parameter("D_K_m2_s", ("K.D_m2_s",), 3e-22, 3e-21, "log")]
    parameters += [npp.Parameter(key, (f"Li.{key}",), 0.5 * value, 2.0 * value) for key, value in law.items()]
    problem = npp.Problem((npp.Measurement("K", experiment, profile, seen),), tuple(parameters))
    return npp.fit(problem, npp.Sobol(8, seed=0), controls, count=1, profile_points=0, **options), true


@pytest.mark.parametrize("law", [{}, {"vacancy_fraction": 0.1}], ids=["D alone", "D and vacancies"])
def test_it_is_the_distance_to_the_truth(law: dict[str, float]):
    result, true = fitted(law, 3e6, npp.FAST)
    away = float(np.log(true / result.theta[0]) / (result.covariance.standard_error[0] / result.theta[0]))
    assert abs(away) > 1.0
    # The data have a sixteenth of the errors, the estimate is one step, and `fast` is not yet of second order.
    assert result.mesh[0] == pytest.approx(away, rel=0.35)
    (warning,) = [line for line in result.warnings() if "too coarse" in line]
    worst = int(np.argmax(np.abs(result.mesh)))
    more = "higher" if result.mesh[worst] > 0.0 else "lower"
    assert f"{result.names[worst]} would be some {abs(result.mesh[worst]):.1f} standard errors {more}" in warning


def test_it_is_not_told_where_noise_is_larger():
    few, _ = fitted({}, 300.0, npp.FAST)
    many, _ = fitted({}, 3e6, npp.FAST)
    assert not any("too coarse" in line for line in few.warnings())
    # Both owe the same to the mesh, and errors fall with the root of the counts.
    assert many.mesh[0] / few.mesh[0] == pytest.approx(100.0, rel=0.1)


STUDY = """schema_version = 1
title = "exact data"
experiments = [{ name = "K", file = "K.toml", profile = "K.csv", response = { kind = "gaussian", sigma_nm = 2.0 } }]
parameters = [{ name = "D_K_m2_s", keys = ["K.D_m2_s"], low = 3e-22, high = 3e-21, scale = "log" }]
design = { kind = "sobol", candidates = 8 }
fit = { starts = 1, profile_points = 0, setting = "fine" }
"""


def test_a_study_may_have_a_finer_setting(tmp_path: Path):
    """Exact data of the same cells and steps give back D; with `accurate` it is 2.6 standard errors off."""
    experiment = npp.load_experiment(SWEEPS / "lithium_borate_K.toml")
    (tmp_path / "K.toml").write_text((SWEEPS / "lithium_borate_K.toml").read_text(encoding="utf-8"), encoding="utf-8")
    seen, depth = npp.Observation(npp.GaussianResponse(2.0)), np.linspace(1.0, 150.0, 150)
    made = npp.synthetic_profile(npp.simulate(experiment, npp.FINE), seen, depth, 3e7, seed=None)
    columns = [depth, *(row for pair in zip(made.fraction, made.sigma, strict=True) for row in pair)]
    header = ",".join(["depth_nm", *(f"{name},{name}_sigma" for name in made.species)])
    np.savetxt(tmp_path / "K.csv", np.column_stack(columns), delimiter=",", header=header, comments="")
    (tmp_path / "study.toml").write_text(STUDY, encoding="utf-8")
    done = CliRunner().invoke(app, ["fit", str(tmp_path / "study.toml"), "--output", str(tmp_path)])
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "study_fit.json").read_text(encoding="utf-8"))["fit"]["parameters"]["D_K_m2_s"]
    assert abs(found["best"] - float(experiment.species[1].diffusivity.D)) < 0.05 * found["standard_error"]
    assert "would be some 0.9 standard errors higher. Take the next finer setting" in done.output


def test_a_study_may_have_each_setting():
    assert set(get_args(FitTable.model_fields["setting"].annotation)) == set(SETTINGS)
