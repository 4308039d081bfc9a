"""A solution in words, as a table, and as labelled arrays."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import base

from npp_jax.simulation.simulate import FAST, simulate
from npp_jax.simulation.solution import Solution


@pytest.fixture(scope="module")
def solution() -> Solution:
    return jax.jit(lambda e: simulate(e, FAST))(base())


@pytest.fixture(scope="module")
def batch() -> Solution:
    with_axis = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf[..., None], (*leaf.shape, 3)), base())
    return jax.jit(lambda e: simulate(e, FAST))(with_axis)


def test_repr_is_one_line_with_status_in_words(solution: Solution):
    text = repr(solution)
    assert "\n" not in text
    front = f"{float(solution.front_depth[-1]) * 1e9:.2f} nm"
    for part in ("Li, K", "electroneutral", "1 output", front, "done"):
        assert part in text


def test_summary_has_a_row_for_each_output(solution: Solution, batch: Solution):
    lines = solution.summary().splitlines()
    assert len(lines) == 2 + len(solution.time) + 2
    assert len({len(line) for line in lines[1 : 2 + len(solution.time)]}) == 1
    assert lines[-1] == "status: done"
    assert batch.summary().splitlines()[-1] == "status: 3 done"
    assert "<td>" in (solution._repr_html_() or "")


def test_traced_and_abstract_solutions_have_a_repr(solution: Solution):
    seen = []

    def look(found: Solution) -> jax.Array:
        seen.extend([repr(found), found.summary(), found._repr_html_()])
        return found.front_depth

    jax.jit(look)(solution)
    assert "Solution(" in seen[0] and seen[1] == seen[0] and seen[2] is None
    assert "Solution(" in repr(jax.eval_shape(lambda s: s, solution))


def test_labelled_arrays_hold_the_numbers(solution: Solution):
    data = solution.to_xarray()
    assert data.fraction.dims == ("output", "species", "point")
    np.testing.assert_array_equal(data.fraction.sel(species="K"), solution.fraction[:, 1])
    assert data.depth.attrs == {"units": "m", "long_name": "depth"}
    assert data.report_front_error.attrs["units"] == "m"
    assert data.trace_time.dims == ("step",)


def test_labelled_arrays_of_a_batch(batch: Solution):
    data = batch.to_xarray()
    assert data.fraction.dims == ("output", "species", "point", "candidate")
    assert data.trace_charge.dims == ("step", "candidate")
    first = jax.tree.map(lambda leaf: jnp.moveaxis(leaf, -1, 0), batch)
    assert first.to_xarray().equals(data)
    assert repr(first) == repr(batch)


def test_rounding_below_zero_is_no_minus_zero(solution: Solution):
    below = dataclasses.replace(solution, plateau=jnp.full_like(solution.plateau, -1e-13))
    assert "-0.0" not in below.summary() and "0.0000" in below.summary()
