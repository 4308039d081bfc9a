"""Fits of isotope profiles: what was put in comes back, with errors that are those of repeated measurements."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import erf

from npp_jax.constants import BOLTZMANN_EV
from npp_jax.inference import Reason, RefineOptions
from npp_jax.tracer.boundaries import chain_of_grains
from npp_jax.tracer.chain_fit import fit_boundaries
from npp_jax.tracer.closed_forms import plate_slab_source, surface_exchange
from npp_jax.tracer.diffusion import Closed, ConstantSurface, DiffusionStage, diffuse, profile_at
from npp_jax.tracer.evolution import evolve_exchange_profile, exchange_profile
from npp_jax.tracer.fit import Anneal, Specimen, activation, fit_evolution
from npp_jax.tracer.fractions import Fractions
from npp_jax.tracer.measured import MeasuredProfile
from npp_jax.tracer.model import AbstractTracerModel
from npp_jax.tracer.profile_fit import fit_profile
from npp_jax.tracer.tracer_fit import fit_tracer
from npp_jax.tracer.unknowns import Unknown

HOUR, DAY = 3600.0, 86400.0
BASE, SURFACE = 0.0759, 0.95
POSITION = jnp.linspace(-0.8e-3, 5.8e-3, 67)
NOISE = 0.005


class Formula(AbstractTracerModel):
    """Data and a formula for them."""

    measured: tuple[Fractions, ...]
    formula: Callable[[dict[str, jax.Array]], jax.Array] = eqx.field(static=True)

    @property
    def data(self) -> tuple[Fractions, ...]:
        return self.measured

    def fractions(self, p: dict[str, jax.Array]) -> tuple[jax.Array, ...]:
        return (self.formula(p),)


def pulls(found, truth, error) -> np.ndarray:
    return np.asarray((found - truth) / error)


def test_least_squares_of_a_straight_line(rng: np.random.Generator):
    x = np.linspace(0.0, 1.0, 30)
    y = 2.0 - 3.0 * x + 0.1 * rng.normal(size=30)
    line = Formula((Fractions(y, 0.1),), lambda p: p["a"] + p["b"] * x)
    fit = fit_tracer(line, (Unknown("a", jnp.asarray(0.0)), Unknown("b", jnp.asarray(0.0))))
    (slope, offset), covariance = np.polyfit(x, y, 1, w=np.full(30, 10.0), cov="unscaled")
    np.testing.assert_allclose(fit.theta, [offset, slope], rtol=1e-7)
    np.testing.assert_allclose(fit.covariance.scaled, covariance[::-1, ::-1], rtol=1e-7)
    np.testing.assert_allclose(fit["b"].sigma, np.sqrt(covariance[0, 0]), rtol=1e-7)
    at = fit.derived(lambda p: p["a"] + 0.3 * p["b"])
    variance = np.asarray([1.0, 0.3]) @ np.asarray(fit.covariance.scaled) @ np.asarray([1.0, 0.3])
    np.testing.assert_allclose(at.sigma, np.sqrt(variance), rtol=1e-9)
    assert fit.converged
    assert fit.degrees_of_freedom == 28
    np.testing.assert_allclose(fit.chi2, np.sum(((offset + slope * x - y) / 0.1) ** 2), rtol=1e-9)


def test_points_of_one_place_show_no_length_to_start_from():
    fit = fit_profile(MeasuredProfile(np.full(6, 1e-6), np.linspace(0.3, 0.4, 6), 0.01), HOUR, start=1e-16)
    assert fit.reason is Reason.INSENSITIVE
    assert not fit.converged


def test_a_fit_that_is_given_up_says_so():
    rosenbrock = lambda p: jnp.stack([1.0 - p["x"][0], 10.0 * (p["x"][1] - p["x"][0] ** 2), p["x"][0] * 0.0])  # noqa: E731
    valley, start = Formula((Fractions(jnp.zeros(3), 1.0),), rosenbrock), (Unknown("x", jnp.asarray([-1.2, 1.0])),)
    given_up = fit_tracer(valley, start, options=RefineOptions(iterations=2))
    assert given_up.reason is Reason.ITERATION_LIMIT
    assert not given_up.converged
    assert fit_tracer(valley, start).converged


@pytest.mark.slow
@pytest.mark.parametrize("base", [BASE, None])
def test_exchange_fit_returns_D_with_its_error(base: float | None, key: jax.Array):
    D, duration = 8.0e-13, 110 * HOUR
    exact = BASE + (SURFACE - BASE) * exchange_profile(POSITION, D * duration)
    draws = exact + NOISE * jax.random.normal(key, (100, exact.shape[0]))

    measured = [MeasuredProfile(POSITION, y, NOISE) for y in draws]
    fits = [fit_profile(m, duration, start=2e-12, base=base, profile_points=0) for m in measured]
    parameters = {name: np.asarray([fit[name].value for fit in fits]) for name in fits[0].names}
    errors = {name: np.asarray([fit[name].sigma for fit in fits]) for name in parameters}
    parameters["D_m2_s"], errors["D_m2_s"] = np.log(parameters["D_m2_s"]), errors["D_m2_s"] / parameters["D_m2_s"]
    chi2 = np.asarray([fit.chi2 for fit in fits])
    converged = [fit.converged for fit in fits]
    assert np.all(converged)
    for name, truth in {"D_m2_s": np.log(D), "surface": SURFACE, "base": BASE}.items():
        if name in parameters:
            pull = pulls(parameters[name], truth, errors[name])
            assert abs(pull.mean()) < 0.4
            assert 0.8 < pull.std() < 1.2
    np.testing.assert_allclose(np.mean(chi2), 67 - len(parameters), rtol=0.06)


def specimen(history: list[tuple[float, float]], D, exchange: float, rng: np.random.Generator) -> Specimen:
    """A sample measured after its exchange and after each (duration, temperature), on a mesh finer than the fit's."""
    areas = jnp.cumsum(jnp.asarray([t * D(T) for t, T in history]))
    shapes = evolve_exchange_profile(POSITION, exchange, areas, cells=560, steps=96)
    shapes = jnp.concatenate([exchange_profile(POSITION, exchange)[None], shapes])
    drawn = BASE + (SURFACE - BASE) * shapes + NOISE * rng.normal(size=shapes.shape)
    first, *later = (MeasuredProfile(POSITION, values, NOISE) for values in drawn)
    return Specimen(first, tuple(Anneal(t, T, p) for (t, T), p in zip(history, later, strict=True)))


@pytest.mark.slow
def test_D_from_the_evolution_over_two_and_six_weeks(rng: np.random.Generator):
    sample = specimen([(14 * DAY, 295.15), (28 * DAY, 295.15)], lambda T: 3.0e-13, 110 * HOUR * 8.0e-13, rng)
    fit = fit_evolution([sample], D=1e-12, reference_temperature=295.15)
    assert fit.converged
    assert set(fit.values()) == {"D_m2_s", "surface", "area_m2", "base"}
    D = fit.fitted("D_m2_s")
    assert abs(pulls(np.log(D.value), np.log(3.0e-13), D.sigma_scaled)) < 3.0
    assert D.sigma_scaled < 0.02
    np.testing.assert_allclose(fit.chi2 / fit.degrees_of_freedom, 1.0, atol=4.0 * np.sqrt(2.0 / fit.degrees_of_freedom))


@pytest.mark.slow
def test_arrhenius_law_inside_the_fit(rng: np.random.Generator):
    truth = lambda T: 2e-12 * np.exp(-0.365 / BOLTZMANN_EV * (1.0 / T - 1.0 / 360.0))  # noqa: E731
    histories = [[(14 * DAY, 295.15), (DAY, 330.0)], [(4 * HOUR, 400.0)], [(3.8 * HOUR, 473.15)]]
    samples = [specimen(history, truth, 63 * HOUR * 8.0e-13, rng) for history in histories]
    fit = fit_evolution(samples, D=1e-12, reference_temperature=360.0, energy=0.5, base=BASE, cells=140, steps=24)
    assert fit.converged
    assert fit.fitted("surface").value.shape == (3,)
    D, energy = fit.fitted("D_m2_s"), fit["energy_eV"]
    assert abs(pulls(np.log(D.value), np.log(2e-12), D.sigma_scaled)) < 3.0
    assert abs(pulls(energy.value, 0.365, energy.sigma)) < 3.0
    assert energy.sigma < 0.01
    # The error of D at a temperature needs the correlation of both.
    at = fit.derived(lambda p: jnp.log(p["D_m2_s"]) - p["energy_eV"] / BOLTZMANN_EV * (1.0 / 295.15 - 1.0 / 360.0))
    assert abs(pulls(at.value, np.log(truth(295.15)), at.sigma)) < 3.0
    cold = activation(fit, 360.0).at(jnp.asarray(295.15))
    np.testing.assert_allclose([np.log(cold.value), cold.sigma / cold.value], [at.value, at.sigma], rtol=1e-7)


@pytest.mark.slow
def test_start_of_any_form(rng: np.random.Generator):
    """Two slabs, which no exchange makes: D with an error that has the noise of the first profile in it."""
    truth = lambda T: 2e-12 * np.exp(-0.365 / BOLTZMANN_EV * (1.0 / T - 1.0 / 360.0))  # noqa: E731
    width, length, first = 1.2e-3, 7e-3, 1e-7
    x = POSITION[::2] + 1e-3
    history = [(4 * DAY, 295.15), (4 * HOUR, 400.0)]
    areas = first + np.cumsum([0.0, *(t * truth(T) for t, T in history)])
    slabs = [
        plate_slab_source(x, area, 1.0, width, length) + 0.5 * plate_slab_source(length - x, area, 1.0, width, length)
        for area in areas
    ]
    start, *later = (MeasuredProfile(x - 1e-3, 0.6 * c + NOISE * rng.normal(size=c.shape), NOISE) for c in slabs)
    sample = Specimen(start, tuple(Anneal(t, T, p) for (t, T), p in zip(history, later, strict=True)))
    fit = fit_evolution(
        [sample], D=1e-12, reference_temperature=360.0, energy=0.5, start="measured", cells=140, steps=16
    )
    assert fit.converged
    assert fit.fitted("initial_1").value.shape == x.shape
    np.testing.assert_allclose(fit.chi2 / fit.degrees_of_freedom, 1.0, atol=4.0 * np.sqrt(2.0 / fit.degrees_of_freedom))
    law = activation(fit, 360.0)
    for T in (295.15, 400.0):
        D = law.at(jnp.asarray(T))
        assert abs(np.log(D.value / truth(T))) < 3.0 * D.sigma / D.value
        assert D.sigma / D.value < 0.15


@pytest.mark.slow
@pytest.mark.parametrize("fit_bulk", [False, True])
def test_each_boundary_of_a_resolved_profile(fit_bulk: bool, rng: np.random.Generator):
    sizes = jnp.asarray([18e-6, 11e-6, 30e-6, 16e-6, 22e-6, 60e-6])
    permeability = np.asarray([1.5e-8, 0.5e-8, 3.0e-8, 1.4e-8, 2.0e-8])
    # A slower bulk than that of the titanate, so that its gradients are seen.
    D_bulk, noise = 5e-13, 0.004
    stages = [DiffusionStage(5400.0, left=ConstantSurface(1.0)), DiffusionStage(3600.0, left=Closed())]
    chain = chain_of_grains(sizes, permeability, D_bulk, cells=24)
    solution = diffuse(chain, jnp.zeros(6 * 24), stages, steps=96)
    position = jnp.linspace(1e-6, 150e-6, 150)
    profiles = [
        MeasuredProfile(position, profile_at(chain, values, position) + noise * rng.normal(size=150), noise)
        for values in solution.fraction
    ]
    fit = fit_boundaries(
        sizes, 0.0, stages, profiles, D_bulk=D_bulk * (1.5 if fit_bulk else 1.0), permeability=1e-8, fit_bulk=fit_bulk
    )
    assert fit.converged
    found = fit.fitted("permeability_m_s")
    pull = pulls(np.log(found.value), np.log(permeability), found.sigma_scaled)
    assert np.all(np.abs(pull) < 3.5)
    assert np.all(found.sigma_scaled < 0.3)
    np.testing.assert_allclose(fit.chi2 / fit.degrees_of_freedom, 1.0, atol=4.0 * np.sqrt(2.0 / fit.degrees_of_freedom))
    if fit_bulk:
        bulk = fit.fitted("D_bulk_m2_s")
        assert abs(pulls(np.log(bulk.value), np.log(D_bulk), bulk.sigma_scaled)) < 3.0


@pytest.mark.parametrize("known_base", [None, BASE])
@pytest.mark.parametrize("factor", [0.01, 0.1, 10.0, 1000.0])
def test_a_finite_source_is_found_from_any_start(known_base: float | None, factor: float):
    """A layer of a quarter of the distance of the points: a start ten times too high ended lost, far above."""
    x, D, time, width = np.linspace(0.05e-6, 20e-6, 60), 6.25e-19, 10 * HOUR, 0.1e-6
    length = 2.0 * np.sqrt(D * time)
    layer = 0.5 * (erf((width - x) / length) + erf((width + x) / length))
    drawn = BASE + (SURFACE - BASE) * layer + 0.003 * np.random.default_rng(2).normal(size=60)
    fit = fit_profile(
        MeasuredProfile(x, drawn, 0.003), time, start=factor * D, source="finite-source", source_width=width,
        base=known_base, profile_points=0,
    )  # fmt: skip
    found = fit["D_m2_s"]
    assert fit.converged
    assert abs(np.log(found.value / D)) < 3.0 * found.sigma / found.value
    assert fit.chi2 < 60 + 4.0 * np.sqrt(120.0)


@pytest.mark.parametrize("factor", [1e-3, 1e3])
def test_an_exchange_is_found_from_any_start(factor: float):
    """Counts below a surface that exchanges slowly, D started a thousand times off."""
    x, D, k, time = np.linspace(0.05e-6, 20e-6, 60), 2e-16, 3e-11, 10 * HOUR
    exact = BASE + (SURFACE - BASE) * np.asarray(surface_exchange(x, time, D, k))
    draws = np.random.default_rng(4)
    counts = draws.poisson(3000.0 * exact), draws.poisson(3000.0 * (1.0 - exact))
    fit = fit_profile(
        MeasuredProfile.of_counts(x, *counts), time, start=factor * D, k=k / factor, source="surface-exchange",
        profile_points=0,
    )  # fmt: skip
    near = fit_profile(
        MeasuredProfile.of_counts(x, *counts), time, start=D, k=k, source="surface-exchange", profile_points=0
    )
    assert near.converged == fit.converged
    np.testing.assert_allclose(fit.chi2, near.chi2, rtol=1e-3)
    assert fit.chi2 < 60 + 4.0 * np.sqrt(120.0)
