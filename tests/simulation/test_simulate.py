"""The engine against reference solutions, theory, conservation, and itself."""

from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import BASE, PLAIN, base

from npp_jax.files import load_experiment, parse_experiment
from npp_jax.physics import Experiment
from npp_jax.simulation.simulate import ACCURATE, FAST, simulate
from npp_jax.simulation.status import Status
from npp_jax.simulation.supported import Unsupported

NM = 1e-9


@pytest.mark.parametrize(("case", "model"), [("p1", "full"), ("p2", "electroneutral"), ("p3", "electroneutral")])
def test_reference_case(reference_dir: Path, case: str, model: str) -> None:
    folder = reference_dir / case
    solution = jax.jit(lambda e: simulate(e, ACCURATE, model=model))(load_experiment(folder / "case.toml"))
    assert int(solution.report.status) == Status.DONE
    for k in range(3):
        table = np.genfromtxt(folder / f"profiles_{k + 1}.csv", delimiter=",", names=True)
        depth = table["depth_nm"][table["depth_nm"] <= 150.0]
        ours = np.asarray(solution.profile(jnp.asarray(depth * NM), k))
        for i, name in enumerate(solution.species):
            square = (ours[i] - table[name][: len(depth)]) ** 2
            assert np.sqrt(np.trapezoid(square, depth) / 150.0) < 1e-3


def test_wrong_reference_is_rejected(reference_dir: Path) -> None:
    """A profile of another time is far outside the tolerance: the comparison can fail."""
    table = np.genfromtxt(reference_dir / "p2" / "profiles_2.csv", delimiter=",", names=True)
    solution = jax.jit(lambda e: simulate(e, PLAIN))(load_experiment(reference_dir / "p2" / "case.toml"))
    ours = np.asarray(solution.profile(jnp.asarray(table["depth_nm"] * NM), 2))
    assert np.sqrt(np.mean((ours[0] - table["Li"]) ** 2)) > 0.1


@pytest.mark.parametrize("model", ["electroneutral", "full"])
def test_conserves_ions(model: str) -> None:
    solution = jax.jit(lambda e: simulate(e, PLAIN, model=model))(base())
    assert float(solution.report.ion_balance) < 1e-10
    assert float(solution.charge[0]) == pytest.approx(200.0, rel=1e-6 if model == "full" else 1e-12)


def test_full_tends_to_electroneutral() -> None:
    """The difference of the two models vanishes with the square of the Debye length.

    At equal uptake the excess charge -ε(E(0) - E(d))/eN of the exchanged layer is missing native ions, so that the
    front of the full model lies deeper by so much.
    """
    depth = jnp.linspace(1.0, 150.0, 200) * NM

    def compare(permittivity: float) -> tuple[float, float]:
        experiment = parse_experiment({**BASE, "sample": {**BASE["sample"], "permittivity": permittivity}})
        neutral, full = (run[model](experiment) for model in ("electroneutral", "full"))
        difference = jnp.max(jnp.abs(neutral.profile(depth)[0] - full.profile(depth)[0]))
        shift = 8.8541878128e-12 * permittivity * full.field[0, 0] / (1.602176634e-19 * 1.4e28)
        slope = jnp.max(jnp.abs(jnp.diff(full.profile(depth)[0]) / jnp.diff(depth)))
        return float(difference), float(shift * slope)

    run = {
        model: jax.jit(lambda e, model=model: simulate(e, PLAIN, model=model)) for model in ("electroneutral", "full")
    }
    (coarse, expected), (fine, _) = compare(90.0), compare(9.0)
    assert coarse < 1.5 * expected
    assert fine < 0.15 * coarse


def test_batch_equals_loop_and_failures_stay_alone() -> None:
    """Trailing batch axes give bitwise the same numbers whatever the neighbours are."""
    potentials = jnp.asarray([5.0, 10.0, 20.0])

    def with_potential(value: jax.Array) -> Experiment:
        experiment = base()
        front = experiment.stages[0].front
        drive = replace(front.potential, value=value[None])
        return replace(experiment, stages=(replace(experiment.stages[0], front=replace(front, potential=drive)),))

    run = jax.jit(lambda v: simulate(with_potential(v), replace(FAST, companion=False)))
    batch = run(potentials)
    broken = run(potentials.at[1].set(jnp.nan))
    for k in (0, 2):
        np.testing.assert_array_equal(batch.fraction[..., k], broken.fraction[..., k])
    assert int(broken.report.status[1]) == Status.NOT_FINITE
    mapped = jax.jit(jax.vmap(lambda v: simulate(with_potential(v), replace(FAST, companion=False))))(potentials)
    np.testing.assert_allclose(mapped.front_depth[:, 0], batch.front_depth[0], rtol=1e-10)


def test_nothing_undershoots_behind_a_thin_front() -> None:
    """A front far thinner than its depth, with next to nothing left behind it, from the first steps on."""
    law = {"law": "sed", "D_bulk_m2_s": 1e-18, "sed_fwhm_eV": 0.3, "vacancy_fraction": 0.27}
    native = {**BASE["species"][0], "diffusivity": law}
    foreign = {**BASE["species"][1], "diffusivity": {"law": "constant", "D_m2_s": 7.6e-24}}
    stage = {**BASE["stages"][0], "temperature_K": 373.0, "potential_V": 19.2, "charge_C_m2": 59.0}
    thin = parse_experiment({**BASE, "species": [native, foreign], "stages": [stage]})
    solution = jax.jit(lambda e: simulate(e, replace(FAST, companion=False)))(thin)
    assert int(solution.report.status) != Status.NOT_CONVERGED
    assert float(solution.fraction.min()) > -1e-6


def test_constant_current_front_follows_theory() -> None:
    """High field: the front moves with the speed of the quasi-neutral theory."""
    experiment = base(potential_V=None, current_density_A_m2=2e-3)
    solution = jax.jit(lambda e: simulate(e, PLAIN))(experiment)
    charge = 200.0 / (1.602176634e-19 * 1.4e28)
    assert float(solution.front_depth[0]) / charge == pytest.approx(1.115, rel=0.01)
    assert float(solution.time[0]) == pytest.approx(200.0 / 2e-3, rel=1e-9)


def test_order_of_accuracy() -> None:
    """Profiles converge with second order when cells and steps are refined together."""
    experiment = base()
    depth = jnp.linspace(5.0, 90.0, 100) * NM

    def profile(factor: int) -> jax.Array:
        controls = replace(PLAIN, cells_behind=40 * factor, cells_ahead=16 * factor, steps=8 * factor)
        return jax.jit(lambda e: simulate(e, controls).profile(depth)[0])(experiment)

    coarse, middle, fine = (profile(factor) for factor in (1, 2, 4))
    order = jnp.log2(jnp.sqrt(jnp.mean((coarse - middle) ** 2)) / jnp.sqrt(jnp.mean((middle - fine) ** 2)))
    assert float(order) > 1.95


def test_rest_and_second_beam() -> None:
    """A rest passes no charge and widens the front; a second beam goes on where the first one ended."""
    stage = BASE["stages"][0]
    rest = {"front": "closed", "temperature_K": 350.0, "duration_s": 36000.0}
    protocol = parse_experiment({**BASE, "stages": [stage, rest, {**stage, "charge_C_m2": 100.0}]})
    solution = jax.jit(lambda e: simulate(e, PLAIN))(protocol)
    np.testing.assert_allclose(solution.charge, [200.0, 200.0, 300.0], rtol=1e-12)
    assert float(solution.front_width[1]) > 2.0 * float(solution.front_width[0])
    assert float(solution.front_depth[1]) == pytest.approx(float(solution.front_depth[0]), rel=0.02)
    assert float(solution.report.ion_balance) < 1e-10
    single = jax.jit(lambda e: simulate(e, PLAIN))(base(charge_C_m2=300.0))
    assert float(solution.front_depth[2]) == pytest.approx(float(single.front_depth[0]), abs=1.0 * NM)


def test_lands_on_time_with_a_ramp() -> None:
    """A stage that ends at a time does so, also when the potential changes meanwhile."""
    experiment = base(charge_C_m2=None, duration_s=1e5, potential_end_V=20.0, output_times_s=[4e4, 1e5])
    solution = jax.jit(lambda e: simulate(e, PLAIN))(experiment)
    np.testing.assert_allclose(solution.time, [4e4, 1e5], rtol=1e-8)
    np.testing.assert_allclose(solution.surface_potential, [14.0, 20.0], rtol=1e-6)


def test_unsupported_experiments_are_refused(reference_dir: Path) -> None:
    with pytest.raises(Unsupported):
        simulate(load_experiment(reference_dir / "p6" / "case.toml"))
