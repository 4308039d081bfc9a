"""Depth profiles: what is refused, what is reported, what is masked."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from npp_jax.observe import DepthProfile, check, within

DEPTH = np.linspace(0.0, 50.0, 11)
NATIVE = np.linspace(0.1, 1.0, 11)


def profile(**changes: Any) -> DepthProfile:
    inputs: dict[str, Any] = {
        "depth": DEPTH,
        "species": ("Li", "K"),
        "fraction": np.stack([NATIVE, 1.0 - NATIVE]),
        "sigma": 0.01,
    }
    return DepthProfile(**(inputs | changes))


def with_value(table: np.ndarray, value: float) -> np.ndarray:
    table = np.array(table)
    table[..., 3] = value
    return table


PAIR = np.stack([NATIVE, 1.0 - NATIVE])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"depth": DEPTH[::-1]}, r"depth\[1\] = 45 nm after 50 nm: depths must increase"),
        ({"depth": with_value(DEPTH, DEPTH[2])}, r"depth\[3\] = 10 nm after 10 nm"),
        ({"depth": with_value(DEPTH, np.nan)}, r"depth\[3\] is not a finite number"),
        ({"depth": DEPTH[:4], "fraction": PAIR[:, :4]}, "at least 5 depths"),
        ({"depth": PAIR}, r"depth has shape \(2, 11\)"),
        ({"fraction": PAIR.T}, r"fraction has shape \(11, 2\): \[species, depth\] = \(2, 11\) is needed"),
        ({"fraction": with_value(PAIR, np.nan)}, "fraction of Li, point 3, is nan: it must be finite"),
        ({"fraction": with_value(PAIR, np.inf)}, "fraction of Li, point 3, is inf"),
        ({"sigma": with_value(0.01 * PAIR, -0.1)}, "sigma of Li, point 3, is -0.1: it must be positive"),
        ({"sigma": 0.0}, "sigma of Li, point 0, is 0: it must be positive"),
        ({"sigma": np.ones((3, 11))}, r"sigma has shape \(3, 11\)"),
        ({"counts": with_value(PAIR, -1.0)}, "counts of Li, point 3, is -1: it must be at least 0"),
        ({"counts_per_fraction": 1e4}, r"counts_per_fraction has shape \(\)"),
        ({"counts_per_fraction": [1e4, 0.0]}, "counts_per_fraction of K, point 0, is 0: it must be positive"),
        ({"weight": with_value(PAIR, -1.0)}, "weight of Li, point 3, is -1"),
        ({"weight": with_value(PAIR, np.nan)}, "weight of Li, point 3, is nan"),
        ({"species": ("Li", "Li")}, r"species = \('Li', 'Li'\): different names"),
        ({"species": ()}, "at least one"),
    ],
)
def test_wrong_input_is_refused_in_one_line(changes: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message) as caught:
        profile(**changes)
    assert "\n" not in str(caught.value)


def test_what_is_given_is_held():
    held = profile(counts=1e4 * PAIR, counts_per_fraction=[1e4, 2e4])
    np.testing.assert_array_equal(held.depth, DEPTH)
    np.testing.assert_array_equal(held.fraction, PAIR)
    np.testing.assert_array_equal(held.sigma, np.full((2, 11), 0.01))
    np.testing.assert_array_equal(held.weight, np.ones((2, 11)))
    assert held.counts is not None and held.counts_per_fraction is not None
    np.testing.assert_array_equal(held.counts, 1e4 * PAIR)
    np.testing.assert_array_equal(held.counts_per_fraction, [1e4, 2e4])
    assert held.species == ("Li", "K")


def test_precision_is_that_of_the_depths_and_fractions():
    single = profile(depth=DEPTH.astype(np.float32), fraction=PAIR.astype(np.float32), counts=1e4 * PAIR)
    assert {leaf.dtype for leaf in jax.tree.leaves(single)} == {jnp.dtype(jnp.float32)}


def test_a_masked_point_may_hold_anything_and_becomes_finite():
    weight = np.ones(11)
    weight[3] = 0.0
    held = profile(fraction=with_value(PAIR, np.nan), sigma=with_value(0.1 + PAIR, -1.0), weight=weight)
    assert all(bool(jnp.all(jnp.isfinite(leaf))) for leaf in jax.tree.leaves(held))
    np.testing.assert_array_equal(held.weight[:, 3], 0.0)
    assert float(held.weight.sum()) == 20.0


def test_a_range_of_depths():
    held = within(profile(), 8.0, 40.0)
    np.testing.assert_array_equal(held.weight[0], [0, 0, 1, 1, 1, 1, 1, 1, 1, 0, 0])
    assert held.fraction.shape == (2, 11)


def test_construction_and_ranges_under_jit_and_vmap():
    build = jax.jit(lambda scale: within(profile(fraction=scale * jnp.asarray(PAIR)), 8.0))
    np.testing.assert_allclose(build(2.0).fraction, 2.0 * PAIR)
    batch = jax.vmap(build)(jnp.arange(3.0))
    assert batch.fraction.shape == (3, 2, 11)
    assert batch.species == ("Li", "K")


def test_a_good_profile_gives_no_warning():
    assert check(profile()) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"depth": 1e-3 * DEPTH}, "micrometres"),
        ({"depth": 1e4 * DEPTH}, "is their unit right"),
        ({"depth": DEPTH - 2.0}, "before the surface"),
        ({"depth": np.append(DEPTH[:-1], 5000.0)}, "gap between 45 and 5000 nm"),
        ({"fraction": 0.0 * PAIR}, "the fractions of Li are all zero"),
        ({"fraction": 0.5 + 0.01 * PAIR}, "of K are flat"),
        ({"fraction": 1e4 * PAIR}, "are these counts"),
        ({"fraction": 100.0 * PAIR}, "are these per cent"),
        ({"fraction": PAIR - 0.3}, "below zero"),
        ({"weight": np.append(np.zeros(9), [1.0, 1.0])}, "2 points of Li are not masked"),
    ],
)
def test_suspicious_profiles_are_reported(changes: dict[str, Any], words: str):
    assert any(words in warning for warning in check(profile(**changes)))
