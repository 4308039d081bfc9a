"""Any number of ions: references, conservation, limits, derivatives, and what is refused."""

import functools
import importlib.util
import json
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from npp_jax.constants import ELEMENTARY_CHARGE
from npp_jax.files import ConfigError, load_experiment, parse_experiment
from npp_jax.physics import (
    Experiment,
    GaussianSED,
    SEDDiffusivity,
    effective_diffusivity,
    onsager_coefficient,
    onsager_conductivity,
)
from npp_jax.physics.nernst_einstein import nernst_einstein_conductivity, tracer_from_cait
from npp_jax.simulation.material import complete, diffusivities
from npp_jax.simulation.mesh.even_mesh import even_error_faces, graded_faces, remap
from npp_jax.simulation.mesh.geometry import geometry
from npp_jax.simulation.schemes import mixture_full
from npp_jax.simulation.schemes import mixture_neutral as mixture
from npp_jax.simulation.simulate import ACCURATE, FAST, _common_shape, simulate
from npp_jax.simulation.stages import one_pass
from npp_jax.simulation.start import first_tables
from npp_jax.simulation.status import Status
from npp_jax.simulation.supported import Unsupported
from npp_jax.simulation.units import mixture_of
from npp_jax.solver.block_tridiagonal import probe

NM = 1e-9
ROOT = Path(__file__).resolve().parents[2]
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


def test_four_ions_three_stages_conserve_and_differentiate() -> None:
    """Between outputs of the rest nothing enters or leaves, the beam brings exactly its charge; forward, reverse and
    differences of the discrete map on a mesh that is held agree."""
    controls = replace(
        SMALL, cells_behind=20, cells_ahead=10, steps=6, start_share=0.05, iterations=30, tolerance=1e-12
    )
    experiment = _common_shape(four_ions(output_times_s=[5e3, 1e4]))
    tables = jax.jit(lambda e: one_pass(e, controls, first_tables(e, controls), mixture, seeking=True)[1])(experiment)

    def amounts(scales: jax.Array) -> jax.Array:
        """Amounts of all ions at the outputs [nm], with some parameters scaled."""
        species = tuple(
            replace(one, diffusivity=replace(one.diffusivity, D=one.diffusivity.D * scales[k]))
            for k, one in enumerate(experiment.species)
        )
        melt, beam, rest = experiment.stages
        melt = replace(melt, temperature=melt.temperature * scales[4])
        beam = replace(beam, temperature=beam.temperature * scales[5])
        changed = replace(experiment, species=species, stages=(melt, beam, rest))
        run, _ = one_pass(changed, controls, tables, mixture)
        found = []
        for stage, passage in zip(changed.stages, run.passages, strict=True):
            medium = mixture_of(changed, stage, 0.0)
            for k in passage.outputs:
                width = jnp.diff(passage.moments.faces[k])
                cells = jnp.stack(complete(medium, tuple(c[k] for c in passage.moments.y)))
                found.append(jnp.concatenate([width * cells, jnp.sum(width * cells, axis=1)[:, None]], axis=1))
        return jnp.stack(found)

    ones = jnp.ones(6)
    direction = jnp.asarray([0.3, -0.4, 0.5, 0.2, 0.05, -0.04])

    # A test of three small runs: code that is quickly compiled.
    @functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
    def all_ways(scales: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        value, tangent = jax.linearize(amounts, scales)
        weights = jnp.cos(jnp.arange(value.size, dtype=value.dtype)).reshape(value.shape)
        (reverse,) = jax.linear_transpose(tangent, scales)(weights)
        forward = tangent(direction)
        return value, forward, (jnp.sum(weights * forward), reverse @ direction)

    value, forward, (one, other) = all_ways(ones)
    total = np.asarray(value[:, :, -1])
    np.testing.assert_allclose(total[3], total[2], rtol=1e-10)
    np.testing.assert_allclose(total[2], total[1], rtol=1e-10)
    brought = (total[1, 3] - total[0, 3]) * NM * ELEMENTARY_CHARGE * 1.4e28
    assert brought == pytest.approx(60.0, rel=1e-10)
    np.testing.assert_allclose(total @ [1.0, 1.0, 2.0, 1.0], 1.1 * 1000.0, rtol=1e-12)
    assert float(one) == pytest.approx(float(other), rel=1e-9)
    step = 1e-5
    difference = (all_ways(ones + step * direction)[0] - all_ways(ones - step * direction)[0]) / (2.0 * step)
    scale = float(jnp.max(jnp.abs(difference)))
    assert scale > 1.0
    np.testing.assert_allclose(forward, difference, atol=1e-5 * scale)


def test_exchange_of_equal_ions_and_its_derivative() -> None:
    """Equal coefficients: ordinary diffusion without a potential, from a surface that is held or exchanges at a rate.

    J. Crank, The Mathematics of Diffusion (1975), eqns (3.13) and (3.35). Derivatives forward, reverse, by differences.
    """
    held = {"Na": 0.25, "K": 0.75}
    stage = {"front": "reservoir", "temperature_K": 350.0, "duration_s": 1e4, "reservoir_fraction": held}
    experiment = parse_experiment(
        {
            "schema_version": 1,
            "sample": {"thickness_um": 100.0, "permittivity": 7.0, "bulk_density_m3": 1e28},
            "species": [ion("Na", 1.0, 1e-16), ion("K", 0.0, 1e-16)],
            "stages": [{**stage, "exchange_rate_m_s": 1e-10}],
        }
    )
    depth = jnp.linspace(0.0, 5e-6, 60)
    controls = replace(SMALL, steps=14)
    front = experiment.stages[0].front

    def outputs(factor: jax.Array, rate: jax.Array) -> jax.Array:
        law = experiment.species[1].diffusivity
        foreign = replace(experiment.species[1], diffusivity=replace(law, D=law.D * factor))
        stages = (replace(experiment.stages[0], front=replace(front, exchange_rate=rate)),)
        solution = simulate(replace(experiment, species=(experiment.species[0], foreign), stages=stages), controls)
        return jnp.concatenate([solution.profile(depth)[1], solution.surface_potential])

    @jax.jit
    @jax.vmap
    def all_ways(factor: jax.Array, rate: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        value, tangent = jax.linearize(lambda f: outputs(f, rate), factor)
        weights = jnp.cos(jnp.arange(len(value)))
        (reverse,) = jax.linear_transpose(tangent, factor)(weights)
        forward = tangent(jnp.ones_like(factor))
        return value, forward, weights @ forward - reverse

    # A rate far above D over a cell holds the surface.
    fast, slow = 1e-2, 2e-10
    value, forward, mismatch = all_ways(jnp.asarray([1.0, 1.01, 0.99, 1.0]), jnp.asarray([fast, fast, fast, slow]))
    length = np.sqrt(1e-16 * 1e4)
    erfc = jax.scipy.special.erfc
    surface = erfc(depth / (2.0 * length))
    np.testing.assert_allclose(value[0, :-1], 0.75 * surface, atol=1e-3)
    share = slow / 1e-16
    lag = jnp.exp(share * depth + (share * length) ** 2) * erfc(depth / (2.0 * length) + share * length)
    np.testing.assert_allclose(value[3, :-1], 0.75 * (surface - lag), atol=1e-3)
    assert float(value[3, 0]) < 0.6
    assert abs(float(value[0, -1])) < 1e-12
    np.testing.assert_allclose(mismatch, 0.0, atol=1e-9)
    difference = (value[1] - value[2]) / 0.02
    assert float(jnp.max(jnp.abs(difference))) > 0.02
    np.testing.assert_allclose(forward[0], difference, atol=0.03 * float(jnp.max(jnp.abs(difference))))


def test_a_front_that_diffuses_far_ahead_of_its_charge() -> None:
    """With a third ion that is not there: the front that the model of two ions finds on a mesh known in closed form."""
    sed = {"law": "sed", "D_bulk_m2_s": 1e-18, "sed_fwhm_eV": 0.298, "vacancy_fraction": 0.08}
    constant = {"law": "constant", "D_m2_s": 8.17e-21}
    ions = [
        {"name": "Li", "charge": 1, "bulk_fraction": 1.0, "diffusivity": sed},
        {"name": "K", "charge": 1, "bulk_fraction": 0.0, "diffusivity": constant},
        {"name": "Cs", "charge": 1, "bulk_fraction": 0.0, "diffusivity": constant},
    ]
    table = {
        "schema_version": 1,
        "sample": {"thickness_um": 568.0, "permittivity": 9.0, "bulk_density_m3": 1.4e28},
        "stages": [
            {"front": "ion-beam", "beam": "K", "temperature_K": 396.0, "charge_C_m2": 64.6, "potential_V": 4.86}
        ],
    }
    depth = jnp.linspace(0.0, 300e-9, 200)
    two, three = (simulate(parse_experiment({**table, "species": ions[:count]}), PLAIN) for count in (2, 3))
    assert int(three.report.status) == Status.DONE
    assert float(jnp.abs(three.front_depth - two.front_depth)[-1]) < 0.1 * NM
    np.testing.assert_allclose(three.profile(depth)[:2], two.profile(depth), atol=1e-3)


def test_laws_of_separate_and_intermixed_populations() -> None:
    """Alone in the distribution an ion is both; among others of equal charge a common Fermi energy never moves."""
    sed = {"law": "sed", "D_bulk_m2_s": 1e-18, "sed_fwhm_eV": 0.25, "vacancy_fraction": 0.1}
    species = [
        {"name": "Li", "charge": 1, "bulk_fraction": 1.0, "diffusivity": sed},
        {"name": "Rb", "charge": 1, "bulk_fraction": 0.0, "diffusivity": {**sed, "D_bulk_m2_s": 1e-20}},
        {"name": "Ca", "charge": 2, "bulk_fraction": 0.0, "diffusivity": {**sed, "populations": "intermixed"}},
    ]
    stage = {"front": "ion-beam", "beam": "Rb", "temperature_K": 350.0, "charge_C_m2": 1.0, "potential_V": 1.0}
    sample = {"thickness_um": 1.0, "permittivity": 9.0, "bulk_density_m3": 1.4e28}

    def laws(kind: str, *cells: float) -> list[float]:
        for table in species:
            table["diffusivity"]["populations"] = kind
        parsed = parse_experiment({"schema_version": 1, "sample": sample, "species": species, "stages": [stage]})
        medium = mixture_of(parsed, parsed.stages[0], 0.0)
        return [float(D[0]) for D in diffusivities(medium, tuple(jnp.asarray([c]) for c in cells))]

    # No ion but the native one: what fills the sites is the same.
    np.testing.assert_allclose(laws("separate", 0.3, 0.0, 0.0)[0], laws("intermixed", 0.3, 0.0, 0.0)[0], rtol=1e-12)
    # A foreign ion has its law of its own fraction n/N.
    separate = laws("separate", 0.7, 0.3, 0.0)
    np.testing.assert_allclose(separate[1] * 100.0, laws("separate", 0.3, 0.7, 0.0)[0], rtol=1e-12)
    # Replacement one for one keeps the common Fermi energy; two for one empties the distribution.
    np.testing.assert_allclose(laws("intermixed", 0.4, 0.6, 0.0), [1.0, 0.01, 1.0], rtol=1e-12)
    np.testing.assert_allclose(laws("intermixed", 0.4, 0.0, 0.3)[0], laws("separate", 0.7, 0.0, 0.0)[0], rtol=1e-12)
    assert laws("separate", 0.4, 0.6, 0.0)[0] < 1e-2


def test_double_exchange_tells_separate_from_intermixed_populations() -> None:
    """Cs after Rb on Li. In a common distribution ions that replace each other one for one never move the Fermi energy:
    profiles are those of constant D, here of a separate distribution without a width."""

    def profiles(kind: str, *widths: float) -> np.ndarray:
        sed = {"law": "sed", "sed_fwhm_eV": 0.2, "vacancy_fraction": 0.1, "populations": kind}
        native = {"name": "Li", "bulk_fraction": 1.0, "diffusivity": {**sed, "D_bulk_m2_s": 1e-18}}
        species = [native, ion("Rb", 0.0, 2e-20), ion("Cs", 0.0, 1e-20)]
        stages = [
            {"front": "ion-beam", "beam": beam, "temperature_K": 350.0, "potential_V": 0.5, "charge_C_m2": charge}
            for beam, charge in (("Rb", 200.0), ("Cs", 100.0))
        ]
        sample = {"thickness_um": 1.0, "permittivity": 9.0, "bulk_density_m3": 1.4e28}
        double = parse_experiment({"schema_version": 1, "sample": sample, "species": species, "stages": stages})
        lithium, *foreign = double.species
        law = replace(lithium.diffusivity, sed=GaussianSED(jnp.asarray(widths)))
        double = replace(double, species=(replace(lithium, diffusivity=law), *foreign))
        solution = jax.jit(lambda e: simulate(e, SMALL))(double)
        assert np.asarray(solution.report.status).max() == Status.DONE
        return np.asarray(solution.profile(jnp.linspace(0.0, 400.0 * NM, 100)))

    separate = profiles("separate", 0.2, 1e-5)
    (intermixed,) = np.moveaxis(profiles("intermixed", 0.2), -1, 0)
    np.testing.assert_allclose(intermixed, separate[..., 1], atol=1e-3)
    assert np.abs(intermixed - separate[..., 0]).max() > 0.1


def test_onsager_coefficients_are_another_basis() -> None:
    """L = D_eff n/kT; all ions together give the Nernst–Einstein conductivity."""
    D, n, T = jnp.asarray([1e-18, 3e-20]), jnp.asarray([1.0e28, 0.2e28]), 350.0
    L = onsager_coefficient(D, n, T)
    np.testing.assert_allclose(effective_diffusivity(L, n, T), D, rtol=1e-14)
    sigma = nernst_einstein_conductivity(D[0], n[0], T) + nernst_einstein_conductivity(D[1], n[1], T, charge_number=2)
    assert float(onsager_conductivity(L, jnp.asarray([1.0, 2.0]))) == pytest.approx(float(sigma), rel=1e-12)
    # Eqns (8), (9): D_eff = 2 D*.
    np.testing.assert_allclose(2.0 * tracer_from_cait(effective_diffusivity(L, n, T)), D, rtol=1e-14)


def test_exchange_rate_and_intermixed_populations_where_they_do_not_belong() -> None:
    closed = {"front": "closed", "temperature_K": 350.0, "duration_s": 1.0, "exchange_rate_m_s": 1e-9}
    with pytest.raises(ConfigError, match="exchange_rate_m_s belongs to front = 'reservoir'"):
        four_ions(**closed)
    experiment = four_ions()
    law = SEDDiffusivity(1e-18, GaussianSED(0.25), 0.1, populations="intermixed")
    mixed = replace(experiment, species=(replace(experiment.species[0], diffusivity=law), *experiment.species[1:]))
    with pytest.raises(Unsupported, match="intermixed populations"):
        simulate(mixed, model="full")


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


@pytest.mark.parametrize(
    ("model", "study", "stage", "intermixed"),
    [
        pytest.param(model, *case, id=f"{model.NAME}-{case[0].replace(' ', '_')}{'-intermixed' * case[-1]}")
        for model in (mixture, mixture_full)
        for case in [
            ("double_cait_rubidium_caesium", 1, False),
            ("double_cait_rubidium_caesium", 1, True),
            ("two_step_exchange", 0, False),
            ("thermal_poling", 0, False),
            ("four ions", 0, False),
            ("four ions", 1, True),
        ]
        if model is mixture_full or case[0] != "thermal_poling"
    ],
)
def test_written_out_derivatives_are_those_of_the_rates(
    model: ModuleType, study: str, stage: int, intermixed: bool, rng: np.random.Generator
) -> None:
    experiment = four_ions() if study == "four ions" else load_experiment(ROOT / "sweeps" / f"{study}.toml")
    experiment = jax.tree.map(jnp.asarray, experiment)
    medium = mixture_of(experiment, experiment.stages[stage], 0.0)
    assert mixture.linearised(medium)
    if intermixed:
        # Without excess charge: what it adds to the sum of all fractions is neglected.
        medium = medium._replace(intermixed=(True,) * len(medium.laws), debye_squared=jnp.asarray(0.0))
    cells = 12
    faces = jnp.asarray(np.cumsum(np.concatenate([[0.0], rng.uniform(1.0, 3.0, cells)]))).at[-1].set(medium.thickness)
    velocity = jnp.asarray(0.1 * rng.normal(size=cells + 1)).at[0].set(0.0)
    here = geometry(faces, velocity, medium.thickness)
    y = tuple(jnp.asarray(rng.uniform(0.1, 0.4, cells)) for _ in medium.carried)
    if model is mixture_full:
        y = (*y, jnp.asarray(1e-2 * rng.normal(size=cells)))
    charge_clock = medium.beam is not None
    v = jnp.asarray(3e-4 if charge_clock or medium.blocking else 0.0)

    def tempo(v: jax.Array) -> jax.Array:
        return 1.0 / v if charge_clock else jnp.ones_like(v)

    @functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
    def both() -> tuple:
        found = model.linearise(medium, y, v, tempo, here)
        rates = lambda y, v: model.rates(medium, y, v, tempo, here)  # noqa: E731
        matrix = probe(jax.linearize(lambda y: rates(y, v).rate, y)[1], y)
        by_current = jax.jvp(lambda v: rates(y, v), (v,), (jnp.ones_like(v),))[1]
        mass = jax.grad(lambda y: sum(jnp.sum(part) for part in model.amounts(medium, y, here.width)))(y)
        return found, matrix, rates(y, v), by_current, jax.grad(lambda y: rates(y, v).drop)(y), mass

    found, (lower, diagonal, upper), value, by_current, row, mass = both()

    def agree(ours: object, theirs: object) -> None:
        for one, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
            np.testing.assert_allclose(one, other, rtol=0.0, atol=1e-11 * max(float(jnp.max(jnp.abs(other))), 1e-300))

    def block(ours: object, theirs: object, part: slice) -> None:
        """An entry left out is zero."""
        full = jax.tree.map(lambda a: jnp.zeros(cells) if a is None else a, ours, is_leaf=lambda a: a is None)
        agree(*jax.tree.map(lambda a: a[part], (full, theirs)))

    agree((found.rate, found.drop), (value.rate, value.drop))
    # What the first cell has to its left and the last to its right is never used.
    block(found.lower, lower, slice(1, None))
    block(found.diagonal, diagonal, slice(None))
    block(found.upper, upper, slice(None, -1))
    agree(model.masses(medium, here.width), mass)
    if medium.beam is not None or medium.blocking:
        agree((found.rate_by_current, found.drop_by_current), (by_current.rate, by_current.drop))
        agree(found.drop_by_unknown, row)
