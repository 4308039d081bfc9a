"""Candidates that no sample can be are told by their status, alone among the others."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from cases import base

import npp_jax as npp
from npp_jax.simulation.controls import Controls
from npp_jax.simulation.status import Status

QUICK = Controls(cells_behind=40, cells_ahead=20, steps=8, trace=False)


def couple(deep: jax.Array) -> npp.Experiment:
    """A has the rest of the sites, less than none beyond one."""
    law = npp.ExponentialDiffusivity(1e-15, [1.5])
    return npp.Experiment(
        sample=npp.Sample(thickness=200e-6, permittivity=9.0, bulk_density=1e28),
        species=(npp.Species("A", npp.MutualDiffusivity("B"), bulk_fraction=1.0), npp.Species("B", law)),
        stages=(npp.Stage(npp.Closed(), temperature=1000.0, duration=3.6e5),),
        initial={"B": npp.InitialStep(100e-6, 0.0, deep)},
    )


def test_a_start_with_less_than_no_ions():
    deep = jnp.asarray([0.5, 1.0, 1.05, 1.5])
    found = npp.simulate(couple(deep), QUICK).report.status
    assert np.asarray(found)[2:].tolist() == [Status.IMPOSSIBLE] * 2
    assert Status.IMPOSSIBLE not in np.asarray(found)[:2]
    inside = jax.jit(lambda value: npp.simulate(couple(value), QUICK).report.status)
    assert int(inside(deep[2])) == Status.IMPOSSIBLE


def test_numbers_outside_of_their_limits():
    experiment = base()
    for place, values in (
        (lambda e: e.sample.permittivity, [9.0, -9.0, 10.0]),
        (lambda e: e.stages[0].temperature, [350.0, 5000.0, 300.0]),
        (lambda e: e.species[0].diffusivity.vacancy_fraction, [0.1, 1.2, 0.15]),
    ):
        batch = eqx.tree_at(place, experiment, jnp.asarray(values))
        found = np.asarray(npp.simulate(batch, QUICK).report.status) == Status.IMPOSSIBLE
        assert found.tolist() == [False, True, False]
