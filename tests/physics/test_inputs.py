"""Numbers, tables and words that no sample has are refused in Python as in a file, before anything is compiled."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from npp_jax.physics import (
    Closed,
    ConstantDiffusivity,
    Drive,
    Experiment,
    GaussianSED,
    InitialErfc,
    InitialStep,
    InitialTable,
    IonBeamCurrent,
    IonBeamPotential,
    MixtureSED,
    Reservoir,
    Sample,
    SEDDiffusivity,
    Species,
    SplineDiffusivity,
    Stage,
    TabulatedSED,
)
from npp_jax.simulation.supported import Unsupported, check_supported
from npp_jax.tracer.isotope import isotope_fraction

LITHIUM = Species("Li", ConstantDiffusivity(1e-18), bulk_fraction=1.0)
POTASSIUM = Species("K", ConstantDiffusivity(9e-22))
SOUND = Experiment(
    Sample(500e-6, 9.0, 1.4e28),
    (LITHIUM, POTASSIUM),
    (Stage(IonBeamPotential("K", 10.0), temperature=350.0, charge=100.0),),
)


def law(**changes: Any) -> Experiment:
    """Lithium with a law of site energies."""
    sites = SEDDiffusivity(1e-18, **{"sed": GaussianSED(0.25), "vacancy_fraction": 0.1, **changes})
    return replace(SOUND, species=(replace(LITHIUM, diffusivity=sites), POTASSIUM))


def staged(front: Any, **changes: Any) -> Experiment:
    return replace(SOUND, stages=(Stage(front, **{"temperature": 350.0, "duration": 1e5, **changes}),))


def started(form: Any) -> Experiment:
    return replace(staged(Closed()), initial={"K": form})


def ions(*shares: float) -> Experiment:
    native = [Species(f"A{k}", ConstantDiffusivity(1e-18), share) for k, share in enumerate(shares)]
    return replace(SOUND, species=(*native, POTASSIUM))


def spline(fractions: list[float], D: list[float]) -> Experiment:
    return replace(SOUND, species=(replace(LITHIUM, diffusivity=SplineDiffusivity(fractions, D)), POTASSIUM))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (lambda: replace(SOUND, sample=Sample(500.0, 9.0, 1.4e28)), r"sample.thickness_um = 5e\+08: .* 100000"),
        (lambda: replace(SOUND, sample=Sample(5e-4, 9.0, 1.4e28, None, 1.5)), r"cross_coefficient = 1.5: .* 0.99"),
        (lambda: ions(0.6, 0.1), "bulk_fraction of all ions must add up to 1, got 0.7"),
        (lambda: ions(1.2, -0.2), "A0.bulk_fraction = 1.2"),
        (lambda: law(sed=GaussianSED(-0.25)), "Li.sed_fwhm_eV = -0.25"),
        (lambda: law(vacancy_fraction=10.0), "Li.vacancy_fraction = 10"),
        (lambda: law(sed=MixtureSED([0.0, 0.1], [0.2], [0.7, 0.3])), "a mixture needs as many rows .* sed_fwhm has 1"),
        (lambda: law(sed=MixtureSED([0.0, 0.1], [0.2, -0.1], [0.7, 0.3])), r"Li.sed_fwhm_eV.1 = -0.1"),
        (lambda: law(sed=TabulatedSED([0.5, 0.1, 0.9], [0.0, 0.1, 0.2])), "Li: occupied must increase"),
        (lambda: law(sed=TabulatedSED([0.1, 0.5, 0.9], [0.0, -0.1, 0.2])), "Li: energy must increase"),
        (lambda: law(sed=TabulatedSED([0.1, 0.5, 1.9], [0.0, 0.1, 0.2])), "Li: occupied = 1.9"),
        (lambda: law(sed=TabulatedSED([0.1, 0.5], [0.0, 0.1, 0.2])), "occupied has 2, energy has 3"),
        (lambda: spline([0.9, 0.05], [1e-18, 1e-19]), "Li: the fraction of the knots must increase"),
        (lambda: spline([0.1, 0.9], [1e-18, -1e-19]), "Li.knot_D_m2_s.1 = -1e-19"),
        (lambda: staged(IonBeamPotential("K", Drive.trace([0.0, 1e5], [-1.0, 20.0]))), r"potential_V = -1: must be gr"),
        (lambda: staged(IonBeamPotential("K", Drive.trace([0.0, 9e4, 1e5], [1.0, -2.0, 20.0]))), "potential = -2"),
        (lambda: staged(IonBeamPotential("K", Drive.trace([0.0, 1e5, 5e4], [1.0, 2.0, 3.0]))), "times of its trace"),
        (lambda: staged(IonBeamCurrent("K", -1e-3)), "current_density_A_m2 = -0.001"),
        (lambda: staged(IonBeamPotential("K", float("nan"))), "potential_V = nan"),
        (lambda: staged(IonBeamPotential("K", 10.0), temperature=-5.0), "temperature_K = -5"),
        (lambda: staged(Reservoir({"Li": 0.1, "K": 0.9}, -1e-9)), "exchange_rate_m_s = -1e-09"),
        (lambda: staged(Reservoir({"Li": -0.1, "K": 1.1})), "reservoir_fraction.Li = -0.1"),
        (lambda: started(InitialStep(-1e-4, 0.05, 0.95)), "initial.K.position_um = -100"),
        (lambda: started(InitialErfc(0.8, 0.0, -2e-5)), "initial.K.width_um = -20"),
        (lambda: started(InitialTable([0.0, 5e-5, 2e-5], [0.3, 0.1, 0.0])), "initial.K: depth must increase"),
        (lambda: started(InitialTable([0.0, 5e-5, 9e-5], [0.3, 0.1])), "depth has 3, fraction has 2"),
    ],
)
def test_what_no_sample_has(wrong: Callable[[], Any], told: str) -> None:
    """Each of these ran to its end, most with the status DONE, as if another sample had been given."""
    with pytest.raises(ValueError, match=told):
        check_supported(wrong())


def test_one_candidate_fails_alone() -> None:
    """Of a batch with a sound candidate nothing is refused, and nothing of what is traced."""

    def temperatures(values: Any) -> Experiment:
        return replace(SOUND, stages=(Stage(IonBeamPotential("K", 10.0), values, charge=100.0),))

    check_supported(temperatures(jnp.array([-5.0, 350.0])))
    with pytest.raises(ValueError, match="temperature_K = -5"):
        check_supported(temperatures(jnp.array([-5.0, -6.0])))
    # What 1 - 0.7 - 0.3 leaves for the last ion.
    check_supported(staged(Reservoir({"Li": 1.0, "K": 1.0 - 0.7 - 0.3 - 1e-16})))
    jax.eval_shape(lambda t: check_supported(temperatures(t)), jnp.asarray(-5.0))


WORDS = """
import npp_jax as npp
sites = lambda **word: npp.SEDDiffusivity(1e-18, npp.GaussianSED(0.2), 0.1, **word)
ion = lambda **more: npp.Species("Li", npp.ConstantDiffusivity(1e-18), 1.0, **more)
for make in (
    lambda: sites(filling="sharpp"), lambda: sites(populations="mixed"), lambda: sites(diffusion_term="none"),
    lambda: sites(averaging="mean"), lambda: npp.SplineDiffusivity([0.1, 0.9], [1e-18, 1e-19], "linear"),
    lambda: ion(back="open"), lambda: ion(charge=1.5),
    lambda: npp.tracer.MeasuredProfile.of_counts([0.0, 1.0], [1.0, 2.0], [3.0]),
    lambda: npp.tracer.MeasuredProfile([0.0, 1.0], [1.0, 2.0, 3.0], 0.1),
):
    try:
        print(make())
    except ValueError as error:
        print(error)
"""


def test_words_and_shapes_that_are_not_known() -> None:
    """Each was taken for another word, or stretched; here without the types that are checked in tests alone."""
    done = subprocess.run([sys.executable, "-c", WORDS], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.splitlines() == [
        "filling = 'sharpp' is not known; known are sharp, fermi-dirac",
        "populations = 'mixed' is not known; known are separate, intermixed",
        "diffusion_term = 'none' is not known; known are ideal, thermodynamic",
        "averaging = 'mean' is not known; known are middle, integral",
        "curve = 'linear' is not known; known are monotone, free",
        "back of 'Li' = 'open' is not known; known are releasing, blocking",
        "the charge of 'Li' must be a whole number of 1 or more, got 1.5",
        "counts of the two isotopes have the shapes (2,) and (1,): both are needed alike",
        "an isotope profile needs as many rows in each column: position has 2, fraction has 3",
    ]


def test_whole_numbers_in_a_list_pass_strict_promotion_of_types() -> None:
    """All tests run with it."""
    for made in (Drive.trace([0, 30], [1, 2]).time, TabulatedSED([0, 1], [-1, 1]).energy):
        assert made is not None and jnp.issubdtype(made.dtype, jnp.floating)
    assert isotope_fraction(jnp.asarray([1, 30]), jnp.asarray([3, 10])).value.shape == (2,)
    with pytest.raises(ValueError, match="energy has 2, sed_fwhm has 1"):
        MixtureSED([0, 1], [1], [1, 1])


def test_a_beam_of_the_ion_of_the_bulk_is_named() -> None:
    stage = Stage(IonBeamPotential("Li", 10.0), 350.0, charge=10.0)
    told = "the beam is of Li, the bulk holds 0.0 of K and 1.0 of Li"
    with pytest.raises(Unsupported, match=told):
        check_supported(Experiment(Sample(500e-6, 9.0, 1.4e28), (LITHIUM, POTASSIUM), (stage,)), "electroneutral")
