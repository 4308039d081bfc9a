"""Derivatives of a simulation: forward, reverse, and finite differences of the same discrete map."""

from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import PLAIN, base

from npp_jax.files import load_experiment
from npp_jax.physics import GaussianSED
from npp_jax.simulation.assemble import assemble
from npp_jax.simulation.parts import in_parts
from npp_jax.simulation.plan_pair import PairPlan
from npp_jax.simulation.schemes import PAIR
from npp_jax.simulation.simulate import ACCURATE, _common_shape, simulate
from npp_jax.simulation.solution import Model
from npp_jax.simulation.stages import run_stages
from npp_jax.simulation.view_pair import PairView

CONTROLS = replace(PLAIN, cells_behind=50, cells_ahead=20, steps=8, trace=False)
SWEEPS = Path(__file__).resolve().parents[2] / "sweeps"
DEPTH = jnp.linspace(5e-9, 120e-9, 24)


def _summary(solution):
    scalars = [solution.front_depth * 1e7, jnp.log(solution.time), jnp.log(solution.charge)]
    return jnp.concatenate([solution.profile(DEPTH)[0], *scalars, jnp.log(solution.current_density)])


@pytest.mark.parametrize(
    ("stage", "model"),
    [
        pytest.param({"charge_C_m2": None, "duration_s": 1e5}, "electroneutral", marks=pytest.mark.slow),
        ({"potential_V": None, "current_density_A_m2": 2e-3}, "electroneutral"),
        pytest.param({}, "full", marks=pytest.mark.slow),
    ],
    ids=["time-potential", "charge-current", "charge-potential-full"],
)
def test_derivatives_agree(stage: dict, model: Model) -> None:
    experiment = _common_shape(base(**stage))
    leaves, tree = jax.tree.flatten(experiment)
    held = jax.jit(lambda e: run_stages(in_parts(e), CONTROLS, PairPlan(PAIR[model], e)).clocks)(experiment)

    @jax.jit
    def outputs(values: list, meshed):
        changed = jax.tree.unflatten(tree, values)
        run = run_stages(in_parts(changed), CONTROLS, PairPlan(PAIR[model], meshed, held))
        return _summary(assemble(changed, run, PairView(PAIR[model], observables=True), model))

    forward = jax.jit(jax.jacfwd(lambda values: outputs(values, experiment)))(leaves)
    weights = jnp.linspace(0.5, 1.5, len(forward[0]))
    reverse = jax.jit(jax.grad(lambda values: weights @ outputs(values, experiment)))(leaves)
    moved = 0
    for i, leaf in enumerate(leaves):
        size = float(np.max(np.abs(leaf))) or 1e-2
        step = 1e-5 * size
        plus, minus = (outputs([*leaves[:i], leaf + s * step, *leaves[i + 1 :]], experiment) for s in (1.0, -1.0))
        difference = np.asarray(plus - minus) / (2.0 * step)
        tangent = np.asarray(forward[i]).reshape(len(difference), -1).sum(axis=1)
        scale = np.max(np.abs(difference))
        if scale * size < 1e-6:
            continue
        moved += 1
        np.testing.assert_allclose(tangent, difference, atol=1e-5 * scale)
        np.testing.assert_allclose(np.sum(reverse[i]), weights @ tangent, rtol=1e-8, atol=1e-9 * scale)
    assert moved >= 7


@pytest.mark.slow
def test_derivative_under_vmap() -> None:
    """The derivative of each member of a mapped batch is that of the member alone."""
    experiment = base()

    def front(potential: jax.Array) -> jax.Array:
        stage = experiment.stages[0]
        drive = replace(stage.front.potential, value=potential[None])
        changed = replace(experiment, stages=(replace(stage, front=replace(stage.front, potential=drive)),))
        return jnp.sum(simulate_profile(changed))

    def simulate_profile(changed):
        scheme, common = PAIR["electroneutral"], _common_shape(changed)
        run = run_stages(in_parts(common), CONTROLS, PairPlan(scheme, common))
        return assemble(common, run, PairView(scheme, observables=True), "electroneutral").profile(DEPTH)[0]

    potentials = jnp.asarray([5.0, 10.0, 20.0])
    single = jax.jit(jax.grad(front))
    mapped = jax.jit(jax.vmap(jax.grad(front)))(potentials)
    alone = jnp.stack([single(p) for p in potentials])
    np.testing.assert_allclose(mapped, alone, rtol=1e-7)


@pytest.mark.slow
def test_derivative_with_immobile_ions() -> None:
    """Where the last mobile ions leave cell by cell, a derivative stays that of finite differences of whole runs.

    The slowest of the three foreign ions, in a glass with 8 % of its native ions immobile; the mesh follows the
    parameter in the differences and is held in the derivative.
    """
    experiment = _common_shape(load_experiment(SWEEPS / "lithium_borate_Cs.toml"))
    native, foreign = experiment.species
    controls = replace(ACCURATE, companion=False, trace=False)

    @jax.jit
    def front(width: jax.Array) -> jax.Array:
        law = replace(native.diffusivity, sed=GaussianSED(width), immobile_fraction=jnp.full_like(width, 0.08))
        changed = replace(experiment, species=(replace(native, diffusivity=law), foreign))
        return simulate(changed, controls).front_depth[-1]

    width = jnp.asarray(0.25)
    _, slope = jax.jvp(front, (width,), (jnp.ones_like(width),))
    difference = (front(1.02 * width) - front(0.98 * width)) / (0.04 * width)
    np.testing.assert_allclose(slope, difference, rtol=0.05)
