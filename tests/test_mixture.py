"""Any number of ions: references, conservation, limits, derivatives, and what is refused."""

import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from npp_jax.config import load_experiment, parse_experiment
from npp_jax.discretisation.equidistribution import even_error_faces, graded_faces, remap
from npp_jax.physics import Experiment
from npp_jax.simulate import ACCURATE, FAST, Unsupported, simulate
from npp_jax.solver.status import Status

NM = 1e-9
ROOT = Path(__file__).resolve().parent.parent
PLAIN = replace(ACCURATE, companion=False)
SMALL = replace(FAST, cells_behind=50, cells_ahead=20, steps=8, iterations=10, tolerance=1e-10, companion=False)


def ion(name: str, bulk: float, D: float, charge: int = 1) -> dict:
    return {
        "name": name,
        "charge": charge,
        "bulk_fraction": bulk,
        "diffusivity": {"law": "constant", "D_m2_s": D, "activation_energy_eV": 0.6, "reference_temperature_K": 350.0},
    }


def four_ions(**last: object) -> Experiment:
    """Melt, beam at another temperature, rest: four ions, one of them divalent."""
    sample = {"thickness_um": 1.0, "permittivity": 9.0, "bulk_density_m3": 1.4e28}
    species = [ion("Na", 0.7, 1e-19), ion("K", 0.2, 2e-20), ion("Ca", 0.1, 5e-21, 2), ion("Cs", 0.0, 4e-21)]
    reservoir = {"Na": 0.4, "K": 0.4, "Ca": 0.1, "Cs": 0.1}
    stages = [
        {"front": "reservoir", "temperature_K": 350.0, "duration_s": 2e4, "reservoir_fraction": reservoir},
        {"front": "ion-beam", "beam": "Cs", "temperature_K": 370.0, "charge_C_m2": 60.0, "potential_V": 0.5},
        {"front": "closed", "temperature_K": 360.0, "duration_s": 1e4, **last},
    ]
    return parse_experiment({"schema_version": 1, "sample": sample, "species": species, "stages": stages})


@pytest.mark.slow
def test_reference_of_three_ions(reference_dir: Path) -> None:
    """A mixed glass under a beam: one native ion piles up ahead of the front."""
    folder = reference_dir / "p5"
    solution = jax.jit(lambda e: simulate(e, PLAIN))(load_experiment(folder / "case.toml"))
    assert int(solution.report.status) == Status.DONE
    for k, expected in enumerate(json.loads((folder / "summary.json").read_text())["outputs"]):
        table = np.genfromtxt(folder / f"profiles_{k + 1}.csv", delimiter=",", names=True)
        front = expected["front_depth_nm"]
        depth = table["depth_nm"][table["depth_nm"] <= 1.5 * front]
        ours = np.asarray(solution.profile(jnp.asarray(depth * NM), k))
        for i, name in enumerate(solution.species):
            square = (ours[i] - table[name][: len(depth)]) ** 2
            assert np.sqrt(np.trapezoid(square, depth) / depth[-1]) < 1e-3
        assert float(solution.front_depth[k]) / NM == pytest.approx(front, abs=0.1, rel=1e-3)
        assert float(solution.surface_potential[k]) == pytest.approx(expected["surface_potential_V"], rel=2e-3)


@pytest.mark.slow
def test_four_ions_three_stages_conserve_each_ion() -> None:
    """Between two outputs of the rest nothing enters or leaves; the beam brings exactly its charge."""
    experiment = four_ions(output_times_s=[5e3, 1e4])
    solution = jax.jit(lambda e: simulate(e, replace(SMALL, trace=True)))(experiment)
    assert int(solution.report.status) == Status.DONE
    width = np.diff(np.asarray(solution.faces), axis=1)
    amount = np.einsum("oc,osc->os", width, np.asarray(solution.fraction)[:, :, 1:-1])
    np.testing.assert_allclose(amount[3], amount[2], rtol=1e-10)
    np.testing.assert_allclose(amount[2], amount[1], rtol=1e-10)
    caesium = (amount[1, 3] - amount[0, 3]) * 1.602176634e-19 * 1.4e28
    assert caesium == pytest.approx(60.0, rel=1e-10)
    charges = np.asarray([1.0, 1.0, 2.0, 1.0])
    np.testing.assert_allclose(np.einsum("s,osp->op", charges, np.asarray(solution.fraction)), 1.1, atol=1e-9)


def test_interdiffusion_of_equal_ions_and_its_derivative() -> None:
    """Equal coefficients: ordinary diffusion without a potential. Derivatives forward, reverse, and by differences."""
    held = {"Na": 0.25, "K": 0.75}
    experiment = parse_experiment(
        {
            "schema_version": 1,
            "sample": {"thickness_um": 100.0, "permittivity": 7.0, "bulk_density_m3": 1e28},
            "species": [ion("Na", 1.0, 1e-16), ion("K", 0.0, 1e-16)],
            "stages": [{"front": "reservoir", "temperature_K": 350.0, "duration_s": 1e4, "reservoir_fraction": held}],
        }
    )
    depth = jnp.linspace(0.0, 5e-6, 60)
    controls = replace(SMALL, steps=14)

    def outputs(factor: jax.Array) -> jax.Array:
        law = experiment.species[1].diffusivity
        foreign = replace(experiment.species[1], diffusivity=replace(law, D=law.D * factor))
        solution = simulate(replace(experiment, species=(experiment.species[0], foreign)), controls)
        return jnp.concatenate([solution.profile(depth)[1], solution.surface_potential])

    @jax.jit
    @jax.vmap
    def all_ways(factor: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        value, tangent = jax.linearize(outputs, factor)
        weights = jnp.cos(jnp.arange(len(value)))
        (reverse,) = jax.linear_transpose(tangent, factor)(weights)
        forward = tangent(jnp.ones_like(factor))
        return value, forward, weights @ forward - reverse

    value, forward, mismatch = all_ways(jnp.asarray([1.0, 1.01, 0.99]))
    exact = 0.75 * jax.scipy.special.erfc(depth / (2.0 * np.sqrt(1e-16 * 1e4)))
    np.testing.assert_allclose(value[0, :-1], exact, atol=1e-3)
    assert abs(float(value[0, -1])) < 1e-12
    np.testing.assert_allclose(mismatch, 0.0, atol=1e-9)
    difference = (value[1] - value[2]) / 0.02
    assert float(jnp.max(jnp.abs(difference))) > 0.02
    np.testing.assert_allclose(forward[0], difference, atol=0.03 * float(jnp.max(jnp.abs(difference))))


def test_mesh_follows_two_fronts_and_remap_keeps_amounts() -> None:
    faces = graded_faces(80, jnp.asarray(5.0), jnp.asarray(1e4))
    assert float(faces[0]) == 0.0
    assert float(faces[-1]) == 1e4
    centre = 0.5 * (faces[1:] + faces[:-1])
    profile = jax.nn.sigmoid((centre - 40.0) / 6.0) + jax.nn.sigmoid((centre - 150.0) / 20.0)
    new = even_error_faces(faces, profile[None], jnp.asarray([2.0]))
    width = jnp.diff(new)
    assert bool(jnp.all(width > 0.0))
    near = lambda x: float(width[jnp.argmin(jnp.abs(new[:-1] - x))])  # noqa: E731
    assert near(40.0) < 0.5 * near(95.0)
    assert near(150.0) < near(300.0)
    amount = profile * jnp.diff(faces)
    moved = remap(amount, faces, new)
    assert float(jnp.sum(moved)) == pytest.approx(float(jnp.sum(amount)), rel=1e-14)
    np.testing.assert_allclose(moved / width, jnp.interp(0.5 * (new[1:] + new[:-1]), centre, profile), atol=0.05)


def test_published_misfit_of_a_measured_exchange_profile() -> None:
    """Mean square residual that was published with the data, at the published parameters."""
    data = ROOT.parent / "shared" / "data" / "iox-glass-k-na-li"
    if not data.is_dir():
        pytest.skip(f"measured profile not present: {data}")
    spec = importlib.util.spec_from_file_location("glass_exchange", ROOT / "benchmarks" / "glass_exchange.py")
    assert spec is not None
    assert spec.loader is not None
    study = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(study)
    misfit = jax.jit(study.misfit)
    depth, measured = study.read(data)
    assert float(misfit(jnp.asarray(study.PUBLISHED), depth, measured)) == pytest.approx(0.218, rel=0.02)
    swapped = (3.73e-4, 0.11, 10.3, 2.07, 12.40)
    assert float(misfit(jnp.asarray(swapped), depth, measured)) == pytest.approx(0.242, rel=0.02)


def test_charged_or_incomplete_reservoir_is_refused() -> None:
    sample = {"thickness_um": 1.0, "permittivity": 9.0, "bulk_density_m3": 1.4e28}
    stage = {"front": "reservoir", "temperature_K": 350.0, "duration_s": 1e4}
    for fractions, words in (({"Na": 0.5, "K": 0.4}, "charge of the bulk"), ({"K": 1.0}, "missing: Na")):
        experiment = parse_experiment(
            {
                "schema_version": 1,
                "sample": sample,
                "species": [ion("Na", 1.0, 1e-19), ion("K", 0.0, 1e-20)],
                "stages": [{**stage, "reservoir_fraction": fractions}],
            }
        )
        with pytest.raises(Unsupported, match=words):
            simulate(experiment)
