"""What is refused, refined and tried again until a simulation is inside its target."""

import copy
import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
from cases import BASE

from npp_jax.files import parse_experiment
from npp_jax.simulation import to_target
from npp_jax.simulation.controls import Controls
from npp_jax.simulation.simulate import ACCURATE, simulate
from npp_jax.simulation.solution import Solution
from npp_jax.simulation.status import Status
from npp_jax.simulation.to_target import simulate_to_target

COARSE, UNSOLVED = (Status.COARSE, 0.0), (Status.NOT_CONVERGED, 1.0)


@pytest.fixture(scope="module")
def solution() -> Solution:
    return simulate(parse_experiment(BASE), dataclasses.replace(ACCURATE, companion=False))


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        # Resolution alone asks for finer meshes alone.
        (COARSE, COARSE, [(False, False), (False, False), (False, False)]),
        (UNSOLVED, UNSOLVED, [(False, False), (True, False), (True, True)]),
        # Steps that go round in circles in small ones end as an error estimate.
        ((Status.COARSE, 1e-2), (Status.COARSE, 5e-3), [(False, False), (False, False), (True, True)]),
        (UNSOLVED, (Status.DONE, 0.0), [(False, False), (True, False)]),
    ],
)
def test_what_does_not_converge_is_tried_with_other_iterations(
    solution: Solution,
    monkeypatch: pytest.MonkeyPatch,
    first: tuple[Status, float],
    second: tuple[Status, float],
    expected: list[tuple[bool, bool]],
) -> None:
    asked = []

    def simulated(_: object, controls: Controls, *, model: str) -> Solution:
        del model
        status, update = [first, second, COARSE][len(asked)]
        asked.append((controls.robust, controls.guarded))
        report = dataclasses.replace(
            solution.report, status=jnp.int32(status), newton_update=jnp.asarray(update, jnp.float64)
        )
        return dataclasses.replace(solution, report=report)

    monkeypatch.setattr(to_target, "simulate", simulated)
    simulate_to_target(parse_experiment(BASE))
    assert asked == expected


def test_halved_corrections_converge_beside_what_never_moves() -> None:
    """Fermi-Dirac filling that ends at an immobile part: plain iterations go round in circles there."""
    table = copy.deepcopy(BASE)
    table["sample"]["thickness_um"] = 300.0
    table["species"][0]["diffusivity"] = {
        "law": "sed", "D_bulk_m2_s": 1.69e-18, "sed_fwhm_eV": 0.0984, "vacancy_fraction": 0.05,
        "immobile_fraction": 0.15, "filling": "fermi-dirac",
    }  # fmt: skip
    table["species"][1]["diffusivity"]["D_m2_s"] = 1.86e-21
    table["stages"] = [
        {"front": "ion-beam", "beam": "K", "temperature_K": 328.0, "duration_s": 40680.0, "current_density_A_m2": 2e-3}
    ]
    plain, guarded = (
        simulate(parse_experiment(table), dataclasses.replace(ACCURATE, guarded=halved, trace=False))
        for halved in (False, True)
    )
    assert plain.report.newton_update > 2e-3 > guarded.report.newton_update
    assert int(guarded.report.status) == Status.DONE
    # Behind the front all that moves is gone.
    behind = np.asarray(guarded.fraction[-1, 0])[np.asarray(guarded.depth[-1]) < 0.6 * float(guarded.front_depth[-1])]
    np.testing.assert_allclose(behind, 0.15, atol=1e-3)


def test_a_neutral_solution_is_neutral_whatever_its_excess_charge() -> None:
    """A front far thinner than the Debye length: what Gauss's law tells there is no ion."""
    table = copy.deepcopy(BASE)
    table["stages"][0]["potential_V"] = 300.0
    found = simulate(parse_experiment(table), dataclasses.replace(ACCURATE, companion=False))
    assert abs(float(found.report.excess_charge)) > 0.05 and int(found.report.status) == Status.NOT_NEUTRAL
    np.testing.assert_allclose(np.asarray(found.fraction).sum(1), 1.0, atol=1e-12)
