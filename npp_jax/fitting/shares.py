"""Fractions that have a given sum: those of the bulk add up to one, those of a reservoir carry the charge of the bulk.

Where some of them are placed, the others share what is left in the proportions that they have.
"""

import functools
import itertools
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array

from npp_jax.inference.parameter import ParameterError
from npp_jax.physics import Experiment, Reservoir


class _Shares(NamedTuple):
    """Fractions that have a given sum."""

    name: str
    leaves: dict[str, Callable[[Experiment], Any]]
    """Where each fraction is, by its key."""
    weights: dict[str, int]
    """What one of each counts in the sum."""
    total: Callable[[Experiment], Any]
    """The sum."""
    deciding: frozenset[str]
    """Keys with which the fractions change."""


def balanced(experiment: Experiment, placed: Collection[str]) -> Experiment:
    """The experiment with the fractions that were not placed scaled to the sums that they must have."""
    for shares in _all_shares(experiment):
        if shares.deciding.isdisjoint(placed):
            continue
        free = [key for key in shares.leaves if key not in placed]
        held = _sum(shares, [key for key in shares.leaves if key in placed], experiment)
        factor = (shares.total(experiment) - held) / _sum(shares, free, experiment)
        for key in free:
            experiment = eqx.tree_at(shares.leaves[key], experiment, shares.leaves[key](experiment) * factor)
    return experiment


def check_shares(experiment: Experiment, ranges: Mapping[str, tuple[float, float]]) -> None:
    """Refuse ranges of fractions that do not leave their sum possible everywhere.

    Parameters
    ----------
    experiment
        The experiment.
    ranges
        Least and greatest value of each key that is placed.

    Raises
    ------
    ParameterError
        No other fraction can take what is left, or nothing is left.
    """
    bulk, *reservoirs = _all_shares(experiment)
    varied = {key: ranges[key] for key in bulk.leaves if key in ranges}
    corners = []
    for values in itertools.product(*varied.values()):
        corner = experiment
        for key, value in zip(varied, values, strict=True):
            corner = eqx.tree_at(bulk.leaves[key], corner, jnp.asarray(value))
        corners.append(corner)
    _check(bulk, experiment, ranges, 1.0)
    for shares in reservoirs:
        least = min(float(np.min(shares.total(balanced(corner, set(varied))))) for corner in corners)
        _check(shares, experiment, ranges, least)


def _check(shares: _Shares, experiment: Experiment, ranges: Mapping[str, tuple[float, float]], total: float) -> None:
    placed = [key for key in shares.leaves if key in ranges]
    if not placed:
        return
    others = [key for key in shares.leaves if key not in ranges]
    if not others or np.any(np.asarray(_sum(shares, others, experiment)) <= 0.0):
        raise ParameterError(
            f"{', '.join(placed)}: another {shares.name} must take what is left of their sum, {total:g}, and "
            + ("all of them are parameters" if not others else "the others are zero")
        )
    most = sum(shares.weights[key] * ranges[key][1] for key in placed)
    if most > total * (1.0 + 1e-9):
        counted = " times their charge numbers" if set(shares.weights.values()) != {1} else ""
        raise ParameterError(
            f"{', '.join(placed)}: the upper ends of the ranges{counted} add up to {most:g}, more than the sum of all "
            f"{shares.name}, {total:g}"
        )


def _all_shares(experiment: Experiment) -> list[_Shares]:
    """Those of the bulk, then those of each reservoir."""
    ions = {ion.name: k for k, ion in enumerate(experiment.species)}
    present = [ion for ion in experiment.species if _is_present(ion.bulk_fraction)]
    bulk = {f"{ion.name}.bulk_fraction": lambda e, k=ions[ion.name]: e.species[k].bulk_fraction for ion in present}
    found = [_Shares("bulk_fraction", bulk, dict.fromkeys(bulk, 1), lambda e: jnp.ones(()), frozenset(bulk))]
    # Where all ions of the bulk have one charge number, its charge does not depend on their shares.
    charging = set(bulk) if len({ion.charge for ion in present}) > 1 else set()
    for k, stage in enumerate(experiment.stages):
        if isinstance(stage.front, Reservoir):
            prefix = f"stages.{k}.reservoir_fraction"
            own = {f"{prefix}.{n}": lambda e, k=k, n=n: e.stages[k].front.fraction[n] for n in stage.front.fraction}
            weights = {f"{prefix}.{n}": experiment.species[ions[n]].charge for n in stage.front.fraction}
            found.append(_Shares(prefix.rpartition(".")[2], own, weights, _bulk_charge, frozenset({*own, *charging})))
    return found


def _bulk_charge(experiment: Experiment) -> Array:
    """Charge of all ions of the bulk over that of as many monovalent ones, Σ z b [1]."""
    return functools.reduce(jnp.add, (ion.charge * ion.bulk_fraction for ion in experiment.species))


def _is_present(share: Any) -> bool:
    return isinstance(share, Tracer) or bool(np.any(np.asarray(share) > 0.0))


def _sum(shares: _Shares, keys: Collection[str], experiment: Experiment) -> Array:
    parts = (shares.weights[key] * shares.leaves[key](experiment) for key in keys)
    return functools.reduce(jnp.add, parts, jnp.zeros(()))
