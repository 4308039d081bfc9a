"""Conservation and derivatives of a protocol with four ions, on a mesh that is held."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import NM, SMALL, four_ions

from npp_jax.constants import ELEMENTARY_CHARGE
from npp_jax.simulation.material import complete
from npp_jax.simulation.parts import in_parts
from npp_jax.simulation.plan_mixture import MixturePlan
from npp_jax.simulation.schemes import MixtureNeutral
from npp_jax.simulation.simulate import _common_shape
from npp_jax.simulation.stages import run_stages
from npp_jax.simulation.start import first_tables
from npp_jax.simulation.units import mixture_of


@pytest.mark.slow
def test_four_ions_three_stages_conserve_and_differentiate() -> None:
    """Between outputs of the rest nothing enters or leaves, the beam brings exactly its charge; forward, reverse and
    differences of the discrete map on a mesh that is held agree."""
    controls = replace(
        SMALL, cells_behind=20, cells_ahead=10, steps=6, start_share=0.05, iterations=30, tolerance=1e-12
    )
    experiment = _common_shape(four_ions(output_times_s=[5e3, 1e4]))
    scheme = MixtureNeutral()

    @jax.jit
    def sought(e):
        return run_stages(in_parts(e), controls, MixturePlan(scheme, first_tables(e, controls), seeking=True)).tables

    tables = sought(experiment)

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
        run = run_stages(in_parts(changed), controls, MixturePlan(scheme, tables))
        found = []
        for stage, record in zip(changed.stages, run.records, strict=True):
            medium = mixture_of(changed, stage, 0.0)
            for k in record.outputs:
                width = jnp.diff(record.states.faces[k])
                cells = jnp.stack(complete(medium, tuple(c[k] for c in record.states.y)))
                found.append(jnp.concatenate([width * cells, jnp.sum(width * cells, axis=1)[:, None]], axis=1))
        return jnp.stack(found)

    ones = jnp.ones(6)
    direction = jnp.asarray([0.3, -0.4, 0.5, 0.2, 0.05, -0.04])

    @jax.jit
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
