"""What a fit owes to its mesh, against the truth of data that were made on a mesh whose errors are a sixteenth."""

from pathlib import Path

import numpy as np
import pytest

import npp_jax as npp
from npp_jax.simulation.controls import refined

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
