"""What is said of a result beside its status."""

from dataclasses import replace

import jax.numpy as jnp
import pytest
from cases import SMALL, base, simulated

from npp_jax.physics.drive import Drive
from npp_jax.physics.experiment import Experiment
from npp_jax.physics.protocol import IonBeamPotential
from npp_jax.physics.sed import GaussianSED
from npp_jax.simulation.remarks import remarks
from npp_jax.simulation.solution import Solution
from npp_jax.simulation.status import Status


@pytest.fixture(scope="module")
def solution() -> Solution:
    return simulated(SMALL)(base())


def test_an_ion_that_fills_all_its_sites_is_named(solution: Solution) -> None:
    assert remarks(base(), solution) == ()
    # The bulk fills nine tenths: with a fifth more ions there is no site left, wherever the native ion is whole.
    (text,) = remarks(base(), replace(solution, fraction=1.2 * solution.fraction))
    assert text.startswith("Li fills all sites of its distribution from ") and "vacancy_fraction" in text
    first = float(text.split(" from ")[1].split(" to ")[0])
    assert first == pytest.approx(float(solution.front_depth[0]) * 1e9, rel=0.2)


def test_a_bulk_without_vacancies_is_not_overfilled_by_itself(solution: Solution) -> None:
    experiment = base()
    lithium, potassium = experiment.species
    full = replace(lithium, diffusivity=replace(lithium.diffusivity, vacancy_fraction=jnp.asarray(1e-7)))
    assert remarks(replace(experiment, species=(full, potassium)), solution) == ()


def test_a_current_that_needs_a_hopeless_potential_is_named(solution: Solution) -> None:
    beam = base(potential_V=None, current_density_A_m2=1e-4)
    assert remarks(beam, solution) == ()
    trace = replace(solution.trace, surface_potential=6e5 * solution.trace.surface_potential)
    high = replace(solution, trace=trace, surface_potential=6e5 * solution.surface_potential)
    (text,) = remarks(beam, high)
    assert text.startswith("stages[0]: its current density needs 6e+06 V") and "60 times" in text


def test_a_field_too_strong_for_linear_hops_is_named(solution: Solution) -> None:
    strong = replace(solution, field=1e8 / jnp.max(jnp.abs(solution.field)) * solution.field)
    (text,) = remarks(base(), strong)
    assert text.startswith("the field reaches 1e+08 V/m") and "hop_length_nm" in text
    # A hop length takes account of it, where all ions have one charge.
    experiment = base()
    hopping = replace(experiment.sample, hop_length=jnp.asarray(0.4e-9))
    assert remarks(replace(experiment, sample=hopping), strong) == ()
    divalent = (experiment.species[0], replace(experiment.species[1], charge=2))
    (text,) = remarks(replace(experiment, species=divalent), strong)
    assert "hop_length_nm" not in text


def test_a_potential_that_rests_before_a_stage_has_its_charge_is_named(solution: Solution) -> None:
    failed = replace(solution, report=replace(solution.report, status=jnp.asarray(Status.NOT_FINITE)))
    experiment = base()
    (stage,) = experiment.stages

    def driven(potential: list[float]) -> Experiment:
        drive = Drive(jnp.asarray(potential), 1e3 * jnp.arange(len(potential)))
        return replace(experiment, stages=(replace(stage, front=IonBeamPotential("K", drive)),))

    told = [text for text in remarks(driven([20.0, 0.0, 0.0, 20.0, 20.0]), failed) if "its potential rests" in text]
    assert len(told) == 1 and told[0].endswith("end the stage at a duration")
    for potential in ([0.0, 20.0, 20.0], [20.0, 0.0, 20.0, 20.0]):
        assert not any("its potential rests" in text for text in remarks(driven(potential), failed))
    assert not any("rests" in text for text in remarks(driven([20.0, 0.0, 0.0, 20.0]), solution))


def test_a_run_that_falls_short_names_its_steepest_law(solution: Solution) -> None:
    cold = base(temperature_K=100.0)
    assert remarks(cold, solution) == ()
    report = replace(solution.report, status=jnp.asarray(Status.COARSE, jnp.int32))
    (text,) = remarks(cold, replace(solution, report=report))
    assert text.startswith("the diffusion coefficient of Li falls by 20 decades") and "at 100 K (stages[0])" in text


def test_immobile_ions_that_move_are_named() -> None:
    """Of a narrow distribution D of what should not move is not small: a third of the foreign one, here."""
    experiment = base()
    lithium, potassium = experiment.species

    def with_width(fwhm: float) -> Experiment:
        law = replace(lithium.diffusivity, sed=GaussianSED(fwhm), immobile_fraction=jnp.asarray(0.15))
        return replace(experiment, species=(replace(lithium, diffusivity=law), potassium))

    assert remarks(with_width(0.25), simulated(SMALL)(with_width(0.25))) == ()
    (text,) = remarks(with_width(0.08), simulated(SMALL)(with_width(0.08)))
    assert text.startswith("Li falls below its immobile fraction: with so narrow a distribution")


@pytest.mark.parametrize("status", list(Status))
def test_an_excess_charge_behind_a_worse_status_is_told(solution: Solution, status: Status) -> None:
    report = replace(solution.report, status=jnp.asarray(status, jnp.int32))
    small = replace(solution, report=replace(report, excess_charge=jnp.asarray(-0.005)))
    assert not any("excess charge" in text for text in remarks(base(), small))
    charged = replace(solution, report=replace(report, excess_charge=jnp.asarray(-2.3)))
    told = [text for text in remarks(base(), charged) if "excess charge of 2.3 of the bulk" in text]
    assert len(told) == (status > Status.NOT_NEUTRAL)
    assert not any("excess charge" in text for text in remarks(base(), replace(charged, model="full")))
