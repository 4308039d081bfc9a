"""Isotope maps: chain and disc by dense matrices, erfc, orders, conservation, gradients, recovery of D_gb/δ."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, ArrayLike
from scipy import linalg, special

from npp_jax.solver.five_point import apply, solve
from npp_jax.tracer.counts import IsotopeCounts
from npp_jax.tracer.fractions import Fractions
from npp_jax.tracer.grain_fit import fit_permeability
from npp_jax.tracer.grain_map import GrainMap, grain_map
from npp_jax.tracer.isotope_map import MapStage, face_network, simulate_map, solver_grids
from npp_jax.tracer.polycrystal import Voronoi, voronoi_polycrystal

# Lithium lanthanum titanate at room temperature: D_bulk, D_gb/δ, natural and enriched ⁶Li.
UM, HOUR = 1e-6, 3600.0
D, K, NATURAL, ENRICHED = 2.6e-12, 1.4e-8, 0.0759, 0.95


@pytest.fixture(scope="module")
def crystal() -> Voronoi:
    return voronoi_polycrystal((12 * UM, 18 * UM), 5 * UM, seed=2)


@pytest.fixture(scope="module")
def small(crystal: Voronoi) -> GrainMap:
    return grain_map(crystal.labels(UM), UM)


@eqx.filter_jit
def _compiled(grains: GrainMap, D: Array, k: Array, initial: Array, protocol: tuple[MapStage, ...], tolerance: Array):
    return simulate_map(grains, D, k, initial, protocol, tolerance=tolerance)


def run(grains: GrainMap, k: ArrayLike, initial: ArrayLike, protocol: tuple[MapStage, ...], tolerance: float = 1e-7):
    """`simulate_map`, compiled once for all maps of a shape and all protocols of a form."""
    return _compiled(grains, *map(jnp.asarray, (D, k, initial)), protocol, jnp.asarray(tolerance))


def stages(steps: int, hours: float = 0.5) -> tuple[MapStage, ...]:
    """Exchange at the left side, then storage with all sides closed."""
    return MapStage(hours * HOUR, ENRICHED, steps=steps), MapStage(hours * HOUR, steps=steps)


def columnar_grains(shape: tuple[int, int], edges: tuple[int, ...]) -> np.ndarray:
    """Label image of grains that run from top to bottom, divided in front of the columns `edges`."""
    rows, columns = shape
    return np.tile(np.searchsorted(np.array(edges), np.arange(columns), side="right"), (rows, 1))


def network_rates(conductance: np.ndarray, volume: np.ndarray, side: float = 0.0) -> np.ndarray:
    """Matrix A of dC/dt = A C + source in a chain with `conductance` between neighbours and to the left side."""
    matrix = np.diag(conductance, 1) + np.diag(conductance, -1)
    matrix -= np.diag(matrix.sum(axis=1))
    matrix[0, 0] -= side
    return matrix / volume[:, None]


def test_columnar_grains_are_a_chain():
    """A dense one-dimensional chain, by the matrix exponential; boundaries of three permeabilities."""
    edges, permeability, cells = (7, 20, 31), np.array([1e-8, 3e-8, 2e-7]), 40
    grains = grain_map(columnar_grains((4, cells), edges), UM, classes="each")
    resistance = np.full(cells - 1, UM / D)
    resistance[np.array(edges) - 1] += 1.0 / permeability
    both = []
    for side in (2.0 * D / UM, 0.0):
        rates = network_rates(1.0 / resistance, np.full(cells, UM), side)
        inflow = np.zeros(cells)
        inflow[0] = side * ENRICHED / UM
        extended = np.block([[rates, inflow[:, None]], [np.zeros((1, cells + 1))]])
        both.append(linalg.expm(extended * 0.5 * HOUR))
    start = np.append(np.full(cells, NATURAL), 1.0)
    expected = [(both[0] @ start)[:-1], (both[1] @ both[0] @ start)[:-1]]
    found = run(grains, permeability, NATURAL, stages(100))
    assert np.ptp(expected[0]) > 0.3
    np.testing.assert_allclose(found.fraction, np.broadcast_to(np.array(expected)[:, None], (2, 4, cells)), atol=2e-5)


def erfc_error(pixel: float, steps: int) -> float:
    labels = np.zeros((2, round(480 * UM / pixel)), int)
    seconds = 0.5 * HOUR
    stage = MapStage(seconds, ENRICHED, steps=steps)
    found = run(grain_map(labels, pixel), K, NATURAL, (stage,)).fraction[0, 0]
    depth = pixel * (np.arange(labels.shape[1]) + 0.5)
    expected = NATURAL + (ENRICHED - NATURAL) * special.erfc(depth / (2.0 * np.sqrt(D * seconds)))
    return float(np.max(np.abs(found - expected)))


def test_uniform_medium_is_erfc_to_second_order():
    coarse, middle, fine = (erfc_error(pixel * UM, 400) for pixel in (16, 8, 4))
    assert fine < 2e-4
    assert np.log2(coarse / middle) == pytest.approx(2.0, abs=0.15)
    assert np.log2(middle / fine) == pytest.approx(2.0, abs=0.15)


def dense_rates(grains: GrainMap, closed: bool) -> np.ndarray:
    """L/h² as a dense matrix."""
    network = face_network(grains, jnp.asarray(D), jnp.asarray(K), closed)
    basis = jnp.eye(grains.grain.size).reshape(-1, *grains.shape)
    return np.asarray(jax.vmap(network.outflow)(basis)).reshape(grains.grain.size, -1) / grains.pixel_size**2


def test_second_order_in_time(small: GrainMap):
    """The same finite volumes, by the matrix exponential, from a start that jumps at the side."""
    rates = dense_rates(small, closed=False)
    np.testing.assert_allclose(rates, rates.T, atol=1e-12)
    away = linalg.expm(-rates * 0.5 * HOUR) @ np.full(small.grain.size, NATURAL - ENRICHED)
    expected = ENRICHED + away.reshape(small.shape)
    errors = []
    for steps in (20, 40):
        found = run(small, K, NATURAL, stages(steps)[:1], 1e-10).fraction[0]
        errors.append(float(jnp.max(jnp.abs(found - expected))))
    assert errors[-1] < 1e-4
    assert np.log2(errors[0] / errors[1]) == pytest.approx(2.0, abs=0.2)


def test_ions_are_conserved(small: GrainMap):
    """What the map gained is what came in, and nothing is lost in storage, whatever the tolerance of the solver."""
    found = run(small, K, NATURAL, stages(8), 1e-3)
    content = np.asarray(jnp.sum(found.fraction, axis=(1, 2)))
    gained = content - NATURAL * small.grain.size
    assert gained[0] > 1.0
    np.testing.assert_allclose(content[1], content[0], rtol=1e-12)
    np.testing.assert_allclose(gained[0] * UM**2, found.uptake[0], rtol=1e-9)
    assert found.uptake[1] == 0.0
    assert jnp.all((found.fraction > NATURAL - 1e-6) & (found.fraction < ENRICHED + 1e-6))


def test_a_flat_map_stays_flat(small: GrainMap):
    found = run(small, K, 0.3, (MapStage(HOUR, 0.3, steps=4),))
    np.testing.assert_allclose(found.fraction, 0.3, atol=1e-14)


@pytest.mark.parametrize("angle", [0.0, 12.0, 30.0, 45.0, 71.0])
def test_plane_boundary_is_exact_in_every_direction(angle: float):
    """Linear profile and jump along the normal: no cell gains or loses, once the direction is known exactly."""
    nx, ny = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    y, x = np.indices((40, 40)) - 19.3
    distance = nx * x + ny * y
    grains = grain_map((distance > 0).astype(int), UM)
    estimated = np.asarray(grains.west_weight)[12:28][np.asarray(grains.west_class)[12:28] >= 0]
    np.testing.assert_allclose(estimated, nx, atol=0.07)
    np.testing.assert_allclose(estimated.mean(), nx, atol=0.015)
    where = lambda g: (g.west_weight, g.north_weight)  # noqa: E731
    grains = eqx.tree_at(where, grains, (jnp.full((40, 40), nx), jnp.full((40, 40), ny)))
    flux = D * 1e3
    profile = 1e3 * UM * distance + flux / K * (distance > 0)
    network = face_network(grains, jnp.asarray(D), jnp.asarray(K), closed=True)
    gain = network.outflow(jnp.asarray(profile))[1:-1, 1:-1]
    np.testing.assert_allclose(gain, 0.0, atol=1e-9 * flux * UM)


def disc_history(permeability: float, seconds: float, inner: float, outer: float) -> float:
    """Mean fraction left in a disc within a ring, initially 1 and 0: dense radial finite volumes."""
    cells = 400
    edges = np.concatenate([np.linspace(0.0, inner, cells // 2 + 1), np.linspace(inner, outer, cells // 2 + 1)[1:]])
    centre = 0.5 * (edges[1:] + edges[:-1])
    resistance = np.diff(centre) / D
    resistance[cells // 2 - 1] += 1.0 / permeability
    volume = np.pi * np.diff(edges**2)
    matrix = network_rates(2.0 * np.pi * edges[1:-1] / resistance, volume)
    found = linalg.expm(matrix * seconds) @ (centre < inner)
    return float(np.sum((volume * found)[: cells // 2]) / (np.pi * inner**2))


def disc_labels(inner: float, outer: float) -> np.ndarray:
    """Disc, ring and the corners around them."""
    size = round(outer / UM) + 2
    y, x = np.indices((2 * size, 2 * size)) + 0.5 - size
    return np.searchsorted([inner, outer], np.hypot(x + 0.17, y - 0.11) * UM)


def disc_map(labels: np.ndarray, permeability: float, seconds: float, **options: bool) -> float:
    """Mean fraction left in the disc; the corners are behind a boundary that passes nothing."""
    grains = grain_map(labels, UM, classes={(0, 1): 0, (1, 2): 1}, **options)
    start = (labels == 0).astype(float)
    found = run(grains, [permeability, 0.0], start, (MapStage(seconds, steps=60),)).fraction[0]
    assert float(jnp.max(jnp.abs(jnp.where(labels == 2, found, 0.0)))) < 1e-9
    return float(jnp.sum(found * start) / np.sum(start))


@pytest.mark.parametrize(("biot", "limit"), [(0.05, 0.01), (1.0, 0.02)])
def test_round_grain_loses_what_a_disc_loses(biot: float, limit: float):
    """A boundary of all directions against radial diffusion; the uncorrected staircase passes a quarter too much."""
    labels = disc_labels(12 * UM, 20 * UM)
    # Radii of the areas that the pixels make up.
    inner, outer = (float(np.sqrt(np.sum(labels <= k) / np.pi)) * UM for k in (0, 1))
    permeability = biot * D / inner
    seconds = 0.25 * inner / permeability
    expected, flat = disc_history(permeability, seconds, inner, outer), (inner / outer) ** 2

    def exchanged(left: float) -> float:
        return -np.log((left - flat) / (1.0 - flat))

    found, rough = (disc_map(labels, permeability, seconds, staircase=s) for s in (False, True))
    assert exchanged(found) == pytest.approx(exchanged(expected), rel=limit)
    if biot < 0.1:
        assert exchanged(rough) / exchanged(expected) == pytest.approx(4.0 / np.pi, abs=0.03)


def test_length_of_boundaries():
    y, x = np.indices((60, 60)) - 29.6
    circle = grain_map((np.hypot(x, y) < 22.0).astype(int), UM)
    assert float(circle.boundary_length()[0]) == pytest.approx(2.0 * np.pi * 22.0 * UM, rel=0.01)
    rough = grain_map((np.hypot(x, y) < 22.0).astype(int), UM, staircase=True)
    assert float(rough.boundary_length()[0]) == pytest.approx(8.0 * 22.0 * UM, rel=0.02)


@eqx.filter_jit
def solved(grains: GrainMap, permeability: Array, b: Array) -> tuple[Array, Array, Array]:
    """Solution, number of iterations and dense matrix of a linear system."""
    arguments = (grains, jnp.asarray(D), permeability, False)
    network, grids, factor = face_network(*arguments), solver_grids(*arguments), jnp.asarray(HOUR / UM**2)
    basis = jnp.eye(grains.grain.size).reshape(-1, *grains.shape)
    matrix = jax.vmap(lambda u: apply(network, factor, u))(basis).reshape(grains.grain.size, -1)
    return *solve(grids, factor, b, tolerance=1e-9), matrix


@pytest.mark.parametrize("permeability", [0.0, 1e-10, K, 1e-5])
def test_linear_systems(small: GrainMap, permeability: float, rng: np.random.Generator):
    """Against a dense solution; barriers between grains do not raise the number of iterations."""
    b = jnp.asarray(rng.standard_normal(small.shape))
    found, count, matrix = solved(small, jnp.asarray(permeability), b)
    expected = jnp.linalg.solve(matrix, b.reshape(-1)).reshape(small.shape)
    assert float(jnp.linalg.norm(found - expected) / jnp.linalg.norm(expected)) < 1e-7
    assert int(count) <= 40


@pytest.mark.slow
def test_gradients_agree():
    """Forward and reverse mode and differences, for permeabilities of pairs, D_bulk and the initial map."""
    crystal = voronoi_polycrystal((8 * UM, 12 * UM), 4 * UM, seed=2)
    grains = grain_map(crystal.labels(UM), UM, classes="each")
    weight = jnp.linspace(-1.0, 1.0, grains.grain.size).reshape(grains.shape)

    def functional(q: Array) -> Array:
        start = q[-1] * (1.0 + 0.1 * weight)
        values = simulate_map(grains, q[-2], q[:-2], start, stages(4)[:1], tolerance=1e-11).fraction
        return jnp.sum(weight * values[-1] ** 2)

    q = jnp.concatenate([jnp.linspace(0.5, 2.0, grains.classes) * K, jnp.array([D, NATURAL])])
    scaled = lambda s: functional(q * jnp.exp(s))  # noqa: E731
    zero = jnp.zeros_like(q)
    reverse, forward = jax.jit(jax.grad(scaled))(zero), jax.jit(jax.jacfwd(scaled))(zero)
    np.testing.assert_allclose(forward, reverse, rtol=1e-6, atol=1e-9)
    compiled = jax.jit(scaled)
    for index in (0, 4, grains.classes, grains.classes + 1):
        step = zero.at[index].set(1e-4)
        difference = (compiled(step) - compiled(-step)) / 2e-4
        assert float(reverse[index]) == pytest.approx(float(difference), rel=1e-5, abs=1e-7)


def test_batch_equals_single_runs(small: GrainMap):
    candidates = jnp.array([0.3, 1.0, 5.0]) * K
    together = jax.jit(jax.vmap(lambda k: simulate_map(small, D, k, NATURAL, stages(4)[:1]).fraction))(candidates)
    single = jnp.stack([run(small, k, NATURAL, stages(4)[:1]).fraction for k in candidates])
    np.testing.assert_allclose(together, single, atol=1e-7)


def test_single_precision(small: GrainMap):
    single = [np.float32(v) for v in (D, K, NATURAL)]
    protocol = (MapStage(np.float32(HOUR), np.float32(ENRICHED), steps=4),)
    found = jax.jit(lambda: simulate_map(small, *single, protocol).fraction)()
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, run(small, K, NATURAL, (MapStage(HOUR, ENRICHED, steps=4),)).fraction, atol=2e-4)


def averaged(crystal: Voronoi, refinement: int, shape: tuple[int, int], protocol: tuple[MapStage, ...]) -> np.ndarray:
    """The map on finer pixels, averaged over the pixels of 1 µm."""
    fine = grain_map(crystal.labels(UM / refinement), UM / refinement)
    values = np.asarray(run(fine, K, NATURAL, protocol).fraction[-1])
    return values.reshape(shape[0], refinement, shape[1], refinement).mean(axis=(1, 3))


@pytest.mark.slow
def test_recovers_the_permeability_from_counts(rng: np.random.Generator):
    """Synthetic counts, drawn from a map with half the pixel size; the uncorrected staircase misses by a fifth."""
    crystal = voronoi_polycrystal((32 * UM, 48 * UM), 10 * UM, seed=3)
    protocol = (MapStage(3 * HOUR, ENRICHED, steps=8),)
    truth = averaged(crystal, 2, (32, 48), protocol)
    intensity = 120.0 * rng.lognormal(0.0, 0.3, truth.shape)
    counts = IsotopeCounts(rng.poisson(intensity * truth) * 1.0, rng.poisson(intensity * (1.0 - truth)) * 1.0)
    labels = crystal.labels(UM)
    assert labels.max() + 1 >= 10

    def fitted(grains: GrainMap):
        return fit_permeability(
            grains, counts, D_bulk=D, initial=NATURAL, stages=protocol, guess=0.3 * K, D_bulk_error=0.1
        )

    found = fitted(grain_map(labels, UM))
    assert found.converged
    low, high = found["permeability_m_s[1]"].interval
    assert low < K < high
    assert float(high / low) < 1.05
    assert found.chi2 / found.degrees_of_freedom == pytest.approx(1.0, abs=0.1)
    rough = fitted(grain_map(labels, UM, staircase=True))
    assert rough["permeability_m_s[1]"].value / K == pytest.approx(np.pi / 4.0, abs=0.06)


def test_recovers_classes_from_fractions(rng: np.random.Generator):
    """Two classes of boundaries, and one that the isotope does not reach."""
    labels = columnar_grains((4, 48), (8, 16, 24, 32, 46))
    classes = {(0, 1): 0, (1, 2): 1, (2, 3): 0, (3, 4): 1, (4, 5): 0}
    grains = grain_map(labels, UM, classes=classes)
    true = np.array([K, 4.0 * K])
    protocol = stages(8)[:1]
    sigma = 2e-3
    clean = run(grains, true, NATURAL, protocol).fraction[-1]
    blind = np.where(np.arange(48) < 3, np.inf, sigma) * np.ones((4, 1))
    measured = np.where(np.isfinite(blind), clean + sigma * rng.standard_normal(clean.shape), np.nan)
    data = Fractions(measured, blind)
    fit = fit_permeability(grains, data, D_bulk=D, initial=NATURAL, stages=protocol, guess=2.0 * K)
    assert fit.converged
    assert fit.points == 4 * 45
    found, error = fit.fitted("permeability_m_s"), np.sqrt(np.diag(fit.covariance.scaled))
    assert np.all(np.abs(np.log(found.value / true)) < 3.0 * error)
    assert np.all(error < 0.05)
    np.testing.assert_allclose(np.log(found.interval[:, 1] / found.value), 1.959964 * error, rtol=1e-5)
    assert fit.chi2 / fit.degrees_of_freedom == pytest.approx(1.0, abs=0.25)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: grain_map(np.zeros((4, 4), int), 0.0), "pixel_size must be positive"),
        (lambda: grain_map(np.zeros((1, 4), int), UM), "two rows"),
        (lambda: grain_map(np.eye(4, dtype=int), UM, classes="all"), "'one', 'each'"),
        (lambda: grain_map(np.eye(4, dtype=int), UM, classes={(1, 2): 0}), "no entry"),
        (lambda: grain_map(np.eye(4, dtype=int), UM, classes={(0, 1): 1}), "without gaps"),
        (lambda: voronoi_polycrystal((UM, UM), 20 * UM, 1), "grain_size must be below"),
    ],
)
def test_wrong_input_is_refused(call: Callable[[], object], words: str):
    with pytest.raises(ValueError, match=words):
        call()


def test_polycrystal_is_reproducible_and_full(crystal: Voronoi):
    labels = crystal.labels(UM)
    assert labels.shape == (12, 18)
    assert np.array_equal(labels, voronoi_polycrystal((12 * UM, 18 * UM), 5 * UM, seed=2).labels(UM))
    assert np.array_equal(np.unique(labels), np.arange(len(crystal.seeds)))
