"""Back electrode that holds ions back: they pile up there, the others carry the current."""

from dataclasses import replace

import numpy as np
import pytest
from cases import NM, simulated

from npp_jax.constants import BOLTZMANN, ELEMENTARY_CHARGE
from npp_jax.files import ConfigError, parse_experiment
from npp_jax.physics import Experiment
from npp_jax.simulation.remarks import remarks
from npp_jax.simulation.simulate import FAST, simulate
from npp_jax.simulation.solution import Solution
from npp_jax.simulation.status import Status
from npp_jax.simulation.supported import Unsupported

CONTROLS = replace(
    FAST,
    cells_behind=50,
    cells_ahead=30,
    steps=10,
    start_share=0.01,
    iterations=12,
    tolerance=1e-10,
    companion=False,
)


def ion(name: str, bulk: float, D: float, back: str = "releasing") -> dict:
    return {"name": name, "bulk_fraction": bulk, "back": back, "diffusivity": {"law": "constant", "D_m2_s": D}}


def experiment(thickness_um: float, ions: list[dict], **stage: object) -> Experiment:
    sample = {"thickness_um": thickness_um, "permittivity": 9.0, "bulk_density_m3": 1e28}
    stages = [{"temperature_K": 350.0, **stage}]
    return parse_experiment({"schema_version": 1, "sample": sample, "species": ions, "stages": stages})


@pytest.mark.slow
def test_steady_state_of_an_ion_that_no_end_passes() -> None:
    """Na passes through, K does not: dc_K/dx = c_K E with E = j/(e N D_Na), the same everywhere as c_Na + c_K = 1."""
    thermal = BOLTZMANN * 350.0 / ELEMENTARY_CHARGE
    U = 2.5
    ions = [ion("Na", 0.7, 1e-19), ion("K", 0.3, 3e-20, "blocking")]
    through = experiment(0.2, ions, front="ion-beam", beam="Na", potential_V=U * thermal, duration_s=4e6)
    solution = simulated(CONTROLS, "full")(through)
    assert int(solution.report.status) == Status.DONE
    potassium = np.asarray(solution.fraction[0, 1])
    amount = np.sum(np.diff(solution.faces[0]) * potassium[1:-1])
    assert amount == pytest.approx(0.3 * 200.0 * NM, rel=1e-10)
    steady = 0.3 * U / np.expm1(U) * np.exp(U * np.asarray(solution.depth[0]) / (200.0 * NM))
    np.testing.assert_allclose(potassium, steady, atol=5e-4)
    current = ELEMENTARY_CHARGE * 1e28 * 1e-19 * U / (200.0 * NM)
    assert float(solution.current_density[0]) == pytest.approx(current, rel=1e-6)


@pytest.mark.slow
def test_what_piles_up_has_crossed_the_bulk() -> None:
    """Far from front and back the transport number of the bulk is the share of K in the current, t = 1/11."""
    ions = [ion("Na", 0.5, 1e-18), ion("K", 0.5, 1e-19, "blocking"), ion("Cs", 0.0, 1e-21)]
    beam = experiment(500.0, ions, front="ion-beam", beam="Cs", potential_V=40.0, charge_C_m2=300.0)
    solution = simulated(replace(CONTROLS, cells_behind=110))(beam)
    assert int(solution.report.status) == Status.DONE
    passed = 300.0 / (ELEMENTARY_CHARGE * 1e28)
    bulk = np.asarray([0.5, 0.5, 0.0])[:, None]
    width, faces = np.diff(solution.faces[0]), np.asarray(solution.faces[0])
    gained = width * (np.asarray(solution.fraction[0])[:, 1:-1] - bulk)
    np.testing.assert_allclose(gained.sum(axis=1), [-passed, 0.0, passed], atol=1e-9 * passed)
    assert gained[1, faces[1:] > 250e-6].sum() == pytest.approx(passed / 11.0, rel=1e-4)
    assert float(solution.fraction[0, 1, -1]) > 0.6


@pytest.mark.slow
def test_sheet_that_exchanges_from_one_side() -> None:
    """Half of a sheet in a melt: nothing passes its middle. J. Crank, Mathematics of Diffusion (1975), eqn (4.17)."""
    ions = [ion("Na", 1.0, 1e-16, "blocking"), ion("K", 0.0, 1e-16, "blocking")]
    melt = {"Na": 0.25, "K": 0.75}
    half = experiment(1.0, ions, front="reservoir", duration_s=5e3, reservoir_fraction=melt)
    solution = simulated(replace(CONTROLS, steps=20))(half)
    assert int(solution.report.status) == Status.DONE
    rate = (np.arange(20)[:, None] + 0.5) * np.pi
    from_middle = 1.0 - np.asarray(solution.depth[0]) / 1e-6
    terms = 2.0 * np.sin(rate) / rate * np.exp(-(rate**2) * 0.5) * np.cos(rate * from_middle)
    np.testing.assert_allclose(solution.fraction[0, 1], 0.75 * (1.0 - terms.sum(axis=0)), atol=6e-4)


def test_exchange_that_comes_to_a_releasing_back() -> None:
    """A back that releases ions is held at the bulk: the sheet is as one between a melt and the bulk, which is told."""
    ions = [ion("Na", 1.0, 1e-16), ion("K", 0.0, 1e-16)]
    melt = {"Na": 0.25, "K": 0.75}

    def run(duration: float) -> tuple[Solution, tuple[str, ...]]:
        sheet = experiment(1.0, ions, front="reservoir", duration_s=duration, reservoir_fraction=melt)
        solution = simulated(replace(CONTROLS, steps=20))(sheet)
        return solution, remarks(sheet, solution)

    solution, told = run(5e3)
    x, n = np.asarray(solution.depth[0]) / 1e-6, np.arange(1, 30)[:, None]
    terms = 2.0 / (n * np.pi) * np.sin(n * np.pi * x) * np.exp(-((n * np.pi) ** 2) * 0.5)
    np.testing.assert_allclose(solution.fraction[0, 1], 0.75 * (1.0 - x - terms.sum(axis=0)), atol=6e-4)
    assert len(told) == 1
    assert told[0].startswith("stages[0]: the exchange has come to the back electrode")
    assert run(1e2)[1] == ()


def test_back_electrodes_that_are_refused() -> None:
    held = [ion("Na", 1.0, 1e-19, "blocking"), ion("K", 0.0, 1e-20, "blocking")]
    beam = {"front": "ion-beam", "beam": "K", "potential_V": 1.0, "charge_C_m2": 1.0}
    with pytest.raises(Unsupported, match=r"stages\[0\]: no current flows while back = 'blocking' holds every ion"):
        simulate(experiment(1.0, held, **beam))
    with pytest.raises(Unsupported, match="must hold the foreign ions as well"):
        simulate(experiment(1.0, [held[0], ion("K", 0.0, 1e-20)], **beam))
    with pytest.raises(ConfigError, match=r"species\[0\].back = 'closed'"):
        experiment(1.0, [ion("Na", 1.0, 1e-19, "closed"), held[1]], **beam)
