"""Ions are conserved, and beams bring the charge that they carry."""

import numpy as np
import pytest
from cases import BASE, NM, PLAIN, base, simulated

from npp_jax.files import parse_experiment


@pytest.mark.parametrize("model", ["electroneutral", "full"])
def test_conserves_ions(model: str) -> None:
    solution = simulated(PLAIN, model)(base())
    assert float(solution.report.ion_balance) < 1e-10
    assert float(solution.charge[0]) == pytest.approx(200.0, rel=1e-6 if model == "full" else 1e-12)


@pytest.mark.slow
def test_rest_and_second_beam() -> None:
    """A rest passes no charge and widens the front; a second beam goes on where the first one ended."""
    stage = BASE["stages"][0]
    rest = {"front": "closed", "temperature_K": 350.0, "duration_s": 36000.0}
    protocol = parse_experiment({**BASE, "stages": [stage, rest, {**stage, "charge_C_m2": 100.0}]})
    solution = simulated()(protocol)
    np.testing.assert_allclose(solution.charge, [200.0, 200.0, 300.0], rtol=1e-12)
    assert float(solution.front_width[1]) > 2.0 * float(solution.front_width[0])
    assert float(solution.front_depth[1]) == pytest.approx(float(solution.front_depth[0]), rel=0.02)
    assert float(solution.report.ion_balance) < 1e-10
    single = simulated()(base(charge_C_m2=300.0))
    assert float(solution.front_depth[2]) == pytest.approx(float(single.front_depth[0]), abs=1.0 * NM)
