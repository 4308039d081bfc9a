"""Experiments that start from profiles: couples against exact solutions, and derivatives of all that tells a start."""

from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from couple_theory import DEPTH, TIME, similarity
from scipy.special import erfc

import npp_jax as npp
from npp_jax.simulation.at_start import fractions_at_start
from npp_jax.simulation.controls import Controls
from npp_jax.simulation.supported import check_supported

SAMPLE = npp.Sample(thickness=200e-6, permittivity=9.0, bulk_density=1e28)
QUICK = Controls(cells_behind=70, cells_ahead=30, steps=14, trace=False)


def couple(law: npp.SplineDiffusivity | npp.ExponentialDiffusivity, **initial: npp.InitialStep) -> npp.Experiment:
    """A and B with one mutual D(c)."""
    return npp.Experiment(
        sample=SAMPLE,
        species=(npp.Species("A", law, bulk_fraction=1.0), npp.Species("B", npp.MutualDiffusivity("A"))),
        stages=(npp.Stage(npp.Closed(), temperature=1000.0, duration=TIME),),
        initial=initial,
    )


def exponential() -> npp.Experiment:
    """The couple of the similarity solution."""
    return couple(npp.ExponentialDiffusivity(1e-15, [1.5]), A=STEP)


STEP = npp.InitialStep(100e-6, 0.0, 1.0)


def told(p: jax.Array) -> npp.Experiment:
    """The couple of these numbers: position and width [µm], levels, D [1e-15 m²/s] and coefficients of ln D."""
    law = npp.ExponentialDiffusivity(1e-15 * p[4], p[5:])
    return couple(law, A=npp.InitialStep(1e-6 * p[0], p[2], p[3], 1e-6 * p[1]))


@pytest.mark.slow
@pytest.mark.parametrize("model", ["electroneutral", "full"])
def test_an_exponential_law_is_that_of_its_similarity_solution(model):
    solution = npp.simulate(exponential(), QUICK, model=model)
    _, exact = similarity(1.5)
    found = np.asarray(solution.profile(jnp.asarray(DEPTH))[0])
    error = np.sqrt(np.mean((found - exact) ** 2))
    assert error < min(2e-3, 1.5 * float(solution.report.profile_error[-1]) + 1e-4)
    assert int(solution.report.status) == 0
    # No ion is lost, none is charged, and no field arises.
    width, cells = np.diff(solution.faces[-1]), np.asarray(solution.fraction[-1, :, 1:-1])
    np.testing.assert_allclose(np.sum(width * cells[0]), 100e-6, rtol=1e-12)
    np.testing.assert_allclose(cells.sum(axis=0), 1.0, atol=1e-12)
    assert float(np.max(np.abs(solution.potential))) < 1e-9


@pytest.mark.slow
def test_an_implanted_layer_spreads_and_is_no_front():
    shipped = Path(__file__).parents[2] / "sweeps" / "implanted_layer.toml"
    solution = npp.simulate(npp.load_experiment(shipped), QUICK)
    depth = np.linspace(0.0, 600e-9, 3001)
    layer = np.asarray(solution.profile(jnp.asarray(depth))[1])
    amount = np.trapezoid(layer, depth)
    middle = np.trapezoid(layer * depth, depth) / amount
    variance = np.trapezoid(layer * (depth - middle) ** 2, depth) / amount
    # σ² + 2Dt; two hundredths of foreign ions slow the others by as little.
    assert np.sqrt(variance) == pytest.approx(np.sqrt(2.0) * 20e-9, rel=5e-3)
    assert middle == pytest.approx(200e-9, rel=1e-3)
    assert amount == pytest.approx(0.02 * np.sqrt(2.0 * np.pi) * 20e-9, rel=1e-4)
    assert float(solution.front_depth[-1]) == float(solution.front_width[-1]) == 0.0
    assert int(solution.report.status) == 0


@pytest.mark.slow
def test_derivatives_by_start_and_law_agree():
    at = jnp.asarray(np.linspace(80e-6, 125e-6, 8))
    settings = replace(QUICK, companion=False, observables=False)

    @jax.jit
    def profile(p: jax.Array) -> jax.Array:
        return npp.simulate(told(p), settings).profile(at)[0]

    p = jnp.asarray([100.0, 8.0, 0.1, 0.9, 1.0, 1.5, -0.7])
    forward, reverse = jax.jit(lambda p: (jax.jacfwd(profile)(p), jax.jacrev(profile)(p)))(p)
    np.testing.assert_allclose(forward, reverse, rtol=0.0, atol=1e-9 * float(jnp.max(jnp.abs(reverse))))
    for k in range(len(p)):
        step = 1e-2 * float(p[k])
        central = (profile(p.at[k].add(step)) - profile(p.at[k].add(-step))) / (2.0 * step)
        # The mesh moves with the differences, and is held by the derivatives.
        np.testing.assert_allclose(reverse[:, k], central, rtol=0.0, atol=0.02 * float(jnp.max(jnp.abs(central))))


def test_cells_hold_what_the_forms_hold():
    faces = jnp.asarray([0.0, 10e3, 60e3, 120e3, 200e3])
    depth = np.linspace(0.0, 200e-6, 400_001)
    rows = jnp.asarray([0.0, 50e-6, 50.1e-6, 200e-6]), jnp.asarray([0.2, 0.1, 0.6, 0.0])
    forms = (
        (npp.InitialStep(70e-6, 0.1, 0.7, 20e-6), 0.7 - 0.3 * erfc((depth - 70e-6) / 20e-6)),
        (npp.InitialErfc(0.8, 0.1, 30e-6), 0.1 + 0.7 * erfc(depth / 30e-6)),
        (npp.InitialGaussian(50e-6, 0.4, 15e-6, 0.1), 0.1 + 0.4 * np.exp(-((depth - 50e-6) ** 2) / (2 * 15e-6**2))),
        (npp.InitialTable(*rows), np.interp(depth, *map(np.asarray, rows))),
    )
    for form, values in forms:
        held = np.concatenate([[0.0], np.cumsum(0.5 * np.diff(depth) * (values[1:] + values[:-1]))])
        wanted = np.diff(np.interp(np.asarray(faces) * 1e-9, depth, held)) / np.diff(np.asarray(faces) * 1e-9)
        cells = fractions_at_start(couple(LAW, A=form), faces)
        np.testing.assert_allclose(cells[0], wanted, atol=2e-6, err_msg=type(form).__name__)
        np.testing.assert_allclose(cells.sum(axis=0), 1.0, atol=1e-12)


LAW = npp.ExponentialDiffusivity(1e-15, [1.0])


@pytest.mark.parametrize(
    ("initial", "message"),
    [
        # Layers far thinner than the sample, as an exchanged film and an implanted layer are.
        ({"B": npp.InitialErfc(1.4, 0.0, 1e-8)}, "A has no room beside B: -0.39"),
        ({"B": npp.InitialTable([0.0, 1e-8, 2e-8], [0.2, -0.1, 0.0])}, "B is negative: -0.09"),
        ({"B": npp.InitialGaussian(1.2e-4, 1.3, 2e-9)}, "A has no room beside B: -0.2[89]"),
        ({"A": npp.InitialTable([0.0, 1e-4, 1.1e-4], [-0.1, -0.1, 1.0])}, "A is negative: -0.1 at"),
        ({"A": npp.InitialStep(1e-4, 0.1, 1.2)}, "B has no room beside A: -0.2 at"),
        (
            {"A": npp.InitialStep(1e-4, 0.1, 0.9), "B": npp.InitialStep(1e-4, 0.9, 0.3)},
            "a charge of 1.2 at .* leave the",
        ),
    ],
)
def test_a_start_that_is_not_neutral_is_refused(initial: dict, message: str):
    with pytest.raises(npp.Unsupported, match=message) as caught:
        check_supported(couple(LAW, **initial))
    assert "\n" not in str(caught.value)


def test_partners_and_ions_that_are_not_there_are_refused():
    other = npp.Species("B", npp.MutualDiffusivity("C"))
    stage = npp.Stage(npp.Closed(), temperature=1.0, duration=1.0)
    with pytest.raises(ValueError, match="partner = 'C' is no other ion"):
        npp.Experiment(SAMPLE, (npp.Species("A", LAW, bulk_fraction=1.0), other), (stage,))
    with pytest.raises(ValueError, match="fraction_of names the ion 'C'"):
        npp.Experiment(SAMPLE, (npp.Species("A", LAW, bulk_fraction=1.0, fraction_of="C"),), (stage,))
    with pytest.raises(ValueError, match="initial names the ion 'C'"):
        npp.Experiment(SAMPLE, (npp.Species("A", LAW, bulk_fraction=1.0),), (stage,), initial={"C": STEP})


def test_a_layer_of_no_width_is_the_limit_of_thin_ones():
    """Where a range of a fit begins: no layer is left, and all derivatives are numbers."""
    faces = jnp.linspace(0.0, 1e-6, 11)

    def cells(numbers: jax.Array) -> jax.Array:
        return npp.InitialGaussian(5e-7, numbers[0], numbers[1], numbers[2]).average(faces)

    none, thin = jnp.array([0.02, 0.0, 0.001]), jnp.array([0.02, 1e-11, 0.001])
    np.testing.assert_allclose(cells(none), 0.001, rtol=1e-12)
    np.testing.assert_allclose(jax.jacfwd(cells)(none), jax.jacfwd(cells)(thin), atol=1e-3)
