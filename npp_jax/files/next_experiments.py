"""What may be measured next, from the tables of a study: proposals, and the same as its rivals see them."""

import dataclasses
import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from npp_jax.files.errors import ConfigError
from npp_jax.files.experiment import load_experiment
from npp_jax.files.hypotheses import Hypothesis, rival_experiment
from npp_jax.files.measured import likelihood_of, response_of
from npp_jax.files.next_tables import NextTable, ProposalTable
from npp_jax.files.study_tables import ExperimentEntry, RivalTable
from npp_jax.files.toml import validated
from npp_jax.fitting import Problem
from npp_jax.inference import Parameters
from npp_jax.observe import NuisancePrior, PoissonLikelihood
from npp_jax.physics import Experiment
from npp_jax.planning import Proposal, proposed, shared_parameters

MOST = 400
"""Proposals of a study."""


class Next(NamedTuple):
    """Proposals of a study."""

    table: NextTable
    proposals: tuple[Proposal, ...]
    own: Parameters
    """Parameters that enter the proposals alone."""
    rivals: tuple[tuple[Proposal, ...], ...]
    """The same proposals, as each rival of the study takes the experiments to be."""
    files: Mapping[str, Path]
    """Experiment files that are read, by the keys that name them."""


class _Variant(NamedTuple):
    """One proposal of a table."""

    name: str
    table: ProposalTable
    path: Path
    changes: dict[str, Any]


def make_next(
    table: NextTable,
    entries: Sequence[ExperimentEntry],
    main: Hypothesis,
    rivals: Sequence[RivalTable],
    folder: Path,
) -> Next:
    """Proposals from their tables.

    Raises
    ------
    ValueError
        In one line, with the place in the file.
    """
    known = {entry.name: entry for entry in entries}
    goals = ["D", "A", "E", *(p.name for p in main.parameters), *(p.name for p in table.parameters)]
    goals += [rival.name for rival in rivals]
    if table.goal not in goals:
        raise ValueError(f"next.goal = '{table.goal}'; known are {', '.join(goals)}")
    if not main.problem.data and table.goal in [rival.name for rival in rivals]:
        raise ValueError(f"next.goal = '{table.goal}': rivals are told apart after a fit, and nothing was measured")
    variants = []
    for k, own in enumerate(table.experiments):
        place = f"next.experiments[{k}]"
        if own.like is not None and own.like not in known:
            raise ValueError(f"{place}.like = '{own.like}'; known are {', '.join(known)}")
        if own.like is None and own.file is None:
            raise ValueError(f"{place}: like or file is needed, an experiment of the study or a file of its own")
        file = own.file or known[own.like or ""].file
        variants += [_Variant(name, each, folder / file, changes) for name, each, changes in _variants(place, own)]
    names = Counter(variant.name for variant in variants)
    if twice := [name for name, count in names.items() if count > 1]:
        raise ValueError(f"next.experiments: two are called '{twice[0]}'")
    if len(variants) > MOST:
        raise ValueError(f"next.experiments: {len(variants)} experiments; at most {MOST} are compared at once")
    own = _own_parameters(table, variants)
    proposals = tuple(_proposal(variant, _experiment(variant)) for variant in variants)
    # Checked here, where the file is known that is wrong.
    Problem(tuple(p.measurement for p in proposals), shared_parameters(main.parameters, proposals, own))
    seen = tuple(
        tuple(
            _proposal(variant, rival_experiment(rival, variant.table.like, variant.path, variant.changes, folder))
            for variant in variants
        )
        for rival in rivals
    )
    files = {f"next.experiments '{variant.name}'": variant.path for variant in variants}
    return Next(table, proposals, own, seen, files)


def _variants(place: str, own: ProposalTable) -> Iterator[tuple[str, ProposalTable, dict[str, Any]]]:
    """Each with each of the values that vary: name, table, and keys of the experiment file with another value."""
    for key, values in own.vary.items():
        if not values:
            raise ValueError(f"{place}.vary: '{key}' has no values")
    shorts = Counter(key.rpartition(".")[2] for key in own.vary)
    content = own.model_dump(exclude={"vary"}, exclude_unset=True)
    for values in itertools.product(*own.vary.values()):
        told, changes, table = [own.name], dict(own.set), {**content}
        for key, value in zip(own.vary, values, strict=True):
            first, _, rest = key.partition(".")
            short = key.rpartition(".")[2]
            shown = f"{value:g}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
            told.append(f"{short if shorts[short] == 1 else key} {shown}")
            if first not in ProposalTable.model_fields or first in ("name", "like", "file", "set", "vary"):
                changes[key] = value
            else:
                table[first] = {**(table.get(first) or {}), rest: value} if rest else value
        try:
            yield ", ".join(told), validated(table, ProposalTable), changes
        except ConfigError as error:
            raise ValueError(f"{place}: {error}") from None


def _experiment(variant: _Variant) -> Experiment:
    try:
        return load_experiment(variant.path, changes=variant.changes)
    except ConfigError as error:
        if not variant.changes:
            raise
        # The key that is wrong stands in the study, not in the file of the experiment.
        raise ValueError(f"next.experiments: '{variant.name}': {error}") from None


def _own_parameters(table: NextTable, variants: Sequence[_Variant]) -> Parameters:
    """Parameters of the proposals alone; one that names a table of proposals enters all that are made of it."""
    made = []
    known = [own.name for own in table.experiments]
    for entry in table.parameters:
        parameter = entry.parameter()
        if parameter.experiments is not None:
            if unknown := [name for name in parameter.experiments if name not in known]:
                raise ValueError(
                    f"next.parameters: {parameter.name}: experiments = '{unknown[0]}'; known are {', '.join(known)}"
                )
            inside = tuple(v.name for v in variants if v.table.name in parameter.experiments)
            parameter = dataclasses.replace(parameter, experiments=inside)
        made.append(parameter)
    return tuple(made)


def _proposal(variant: _Variant, experiment: Experiment) -> Proposal:
    table = variant.table
    likelihood = None if table.likelihood is None else likelihood_of(table.likelihood)
    if (table.counts_per_fraction is None) == (table.sigma is None):
        raise ValueError(f"next.experiments: '{variant.name}': counts_per_fraction or sigma is needed, one of the two")
    if isinstance(likelihood, PoissonLikelihood) and table.counts_per_fraction is None:
        raise ValueError(f"next.experiments: '{variant.name}': a poisson likelihood needs counts_per_fraction")
    if not table.first_depth_nm < table.depth_nm:
        raise ValueError(
            f"next.experiments: '{variant.name}': first_depth_nm = {table.first_depth_nm:g} must be less than "
            f"depth_nm = {table.depth_nm:g}"
        )
    known = [species.name for species in experiment.species]
    if unknown := [name for name in table.ions or () if name not in known]:
        raise ValueError(f"next.experiments: '{variant.name}': ions = '{unknown[0]}'; known are {', '.join(known)}")
    try:
        response = response_of(table.response, table.ions or known)
    except ValueError as error:
        raise ValueError(f"next.experiments: '{variant.name}': {error}") from None
    measurement = proposed(
        variant.name,
        experiment,
        np.linspace(table.first_depth_nm, table.depth_nm, table.points),
        species=table.ions,
        counts_per_fraction=table.counts_per_fraction,
        sigma=0.01 if table.sigma is None else table.sigma,
        response=response,
        nuisance=NuisancePrior(
            sensitivity_sigma=table.nuisance.sensitivity_sigma, background_sigma=table.nuisance.background_sigma
        ),
        likelihood=likelihood,
        output=table.output,
    )
    return Proposal(measurement, table.like, table.cost_h)
