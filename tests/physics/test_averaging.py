"""Mean of D over the sides of a face, and the front of a foreign ion whose D vanishes at its edge."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate

import npp_jax as npp


def own(width: float) -> npp.SEDDiffusivity:
    return npp.SEDDiffusivity(9.7e-22, npp.GaussianSED(width), 0.1, averaging="integral")


def test_mean_between_two_fractions_is_the_integral() -> None:
    law, T = own(0.1), jnp.asarray(350.0)
    D, mean = law.at(T), law.between(T)
    assert mean is not None
    for a, b in ((0.2, 0.7), (0.9, 0.1), (0.5, 0.5001)):
        expected = integrate.quad(lambda x: float(D(jnp.asarray(x))), a, b)[0] / (b - a)
        assert float(mean(jnp.asarray(a), jnp.asarray(b))) == pytest.approx(expected, rel=1e-4)
    assert npp.SEDDiffusivity(1e-18, npp.GaussianSED(0.1), 0.1).between(T) is None


@pytest.mark.slow
def test_front_of_a_foreign_ion_with_a_distribution_of_its_own() -> None:
    """By the D of the middle the iteration ends nowhere; by the mean it does as cells and steps are refined, and what
    is told is the excess charge.
    """
    native = npp.SEDDiffusivity(1.3e-18, npp.GaussianSED(0.25), 0.1)
    found = {}
    for averaging, run in (("middle", npp.simulate), ("integral", npp.simulate_to_target)):
        foreign = npp.SEDDiffusivity(1e-20, npp.GaussianSED(0.25), 0.1, averaging=averaging)
        experiment = npp.Experiment(
            npp.Sample(500e-6, 9.0, 1.4e28),
            (npp.Species("Li", native, bulk_fraction=1.0), npp.Species("K", foreign)),
            (npp.Stage(npp.IonBeamPotential("K", 10.0), 350.0, charge=200.0),),
        )
        found[averaging] = run(experiment).report
    assert int(found["middle"].status) == npp.Status.NOT_CONVERGED
    assert float(found["middle"].newton_update) > 1.0
    assert int(found["integral"].status) == npp.Status.NOT_NEUTRAL
    assert float(np.max(found["integral"].profile_error)) < npp.ACCURATE.profile_target
    assert float(found["integral"].ion_balance) < 1e-4
