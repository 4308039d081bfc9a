"""The report of a sweep: where the good candidates lie, and how all of them ended."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import jax
import numpy as np
from jaxtyping import Int

from npp_jax.commands.report.blocks import Block, Drawn, Page, Section, Shown, Text
from npp_jax.commands.report.numbers import columns
from npp_jax.commands.report.provenance import Begun, provenance
from npp_jax.commands.report.study import data_section
from npp_jax.commands.report.sweeps import status_table
from npp_jax.commands.report.truth import told
from npp_jax.figures.sweep_pages import sweep_figures
from npp_jax.files.study import Study
from npp_jax.fitting import unit_of
from npp_jax.simulation.status import Status
from npp_jax.simulation.text_table import TextTable
from npp_jax.sweeping import SweepResult, accepted, rank
from npp_jax.sweeping.landscape import bins, edges, lowest_along, status_shares
from npp_jax.sweeping.profiles import read_profiles

_BEST = 10
"""Candidates in the table of the best."""

_CANDIDATES = 50
"""Candidates of a figure in numbers."""

_CAPTIONS = {
    "landscape": "Lowest χ² per measured point along each parameter (diagonal) and over each pair, with the best "
    "candidate (star); dashed lines: 95 % of the probability; grey where no candidate is or all failed.",
    "pairs": "The candidates within Δχ² of 95 % of the best, or the first ones where these are few, over each pair of "
    "parameters, and how many lie where along each (diagonal).",
    "failures": "Where simulations ended in which status: share of each status along each parameter, and the "
    "candidates over the two parameters that tell most.",
    "profiles": "Profiles of the best candidates against the data, linear and logarithmic: the best one as a line, "
    "the range of all as a band.",
}


def sweep_page(study: Study, result: SweepResult, figures: Sequence[Drawn], lost: Sequence[str], begun: Begun) -> Page:
    """The report, with the figures that could be drawn and sentences on the others."""
    precision = {"float32": "single (float32)", "float64": "double (float64)"}[study.sweep.dtype]
    again = int(np.sum(result.reevaluated_with > 0))
    model, setting = study.sweep.model.capitalize(), study.sweep.setting
    how = (
        f"{model} model, first evaluation with the setting {setting} in {precision} precision; {again} candidates were "
        "evaluated again, with finer settings or the full model."
    )
    blocks: list[Block] = [Text(result.sentence(), "lead")]
    if study.truth:
        blocks.append(Text("The data are synthetic, made with known parameters, which stand beside the result."))
    blocks += [Text(text, "warning") for text in begun.warnings]
    blocks.append(data_section(study, how, begun.command))
    if figures or lost:
        blocks.append(Section("Figures", [*figures, *(Text(text, "warning") for text in lost)]))
    if np.isfinite(result.total).any():
        blocks += [_parameters(result, study.truth), _best(result)]
    own = f"{precision} for the first evaluation, double (float64) for those made again"
    if not jax.config.read("jax_enable_x64"):
        own = "single (float32)"
    blocks.append(provenance(begun, own, (status_table(result),)))
    return Page(f"Sweep: {study.main.name}", tuple(blocks))


def _parameters(result: SweepResult, truth: Mapping[str, float]) -> Section:
    """The best candidate, and the range of those within the threshold of 95 % above it."""
    chosen = accepted(result)
    rows = []
    for k, parameter in enumerate(result.parameters):
        values = result.theta[chosen, k]
        span = f"{told(float(values.min()))} … {told(float(values.max()))}" if len(values) > 1 else ""
        best = told(float(values[0])) if len(values) else ""
        row = (parameter.name, unit_of(parameter), best, span, f"{parameter.low:.5g} … {parameter.high:.5g}")
        known = told(truth[parameter.name]) if parameter.name in truth else ""
        rows.append((*row, known) if truth else row)
    within = (
        f"range of {len(chosen)} within Δχ² of 95 %" if len(chosen) > 1 else "range within Δχ² of 95 %: the best alone"
    )
    heads = ("parameter", "unit", "best candidate", within, "range of the sweep")
    return Section("Parameters", [TextTable("", (*heads, "truth") if truth else heads, tuple(rows))])


def _best(result: SweepResult) -> Section:
    first = rank(result)[:_BEST]
    return Section("Best candidates", [_listed(f"The best of {len(result.theta)} candidates", result, first)])


def _listed(title: str, result: SweepResult, chosen: Int[np.ndarray, " chosen"]) -> TextTable:
    chosen = chosen[np.isfinite(result.total[chosen])]
    ended = [Status(int(status)).name.lower().replace("_", " ") for status in result.worst[chosen]]
    values = dict(zip(result.names, result.theta[chosen].T, strict=True))
    named = {"candidate": list(map(str, chosen)), "χ²": result.total[chosen]} | values | {"status": ended}
    return columns(title, named)


def shown_figures(path: Path, result: SweepResult) -> Iterator[Shown]:
    """Figures of the file of a sweep, with what is said of them."""
    chosen = rank(result)[:_CANDIDATES]
    numbers = {
        "landscape": lambda: [_along(result, k) for k in range(len(result.parameters))],
        "pairs": lambda: [_listed(f"The {len(chosen)} candidates of lowest χ²", result, chosen)],
        "failures": lambda: [_statuses(result, k) for k in range(len(result.parameters))],
        "profiles": lambda: _profiles(path, chosen),
    }
    names = ", ".join(result.names)
    for name, figure in sweep_figures(path).items():
        if name == "failures" and not result.worst.any():
            continue
        words = f"Sweep of {len(result.theta)} candidates over {names}. {_CAPTIONS[name]}"
        yield Shown(name, lambda figure=figure: figure, _CAPTIONS[name], words, numbers[name])


def _along(result: SweepResult, k: int) -> TextTable:
    count = bins(result, k, 1)
    limits, lowest = edges(result, k, count), lowest_along(result, k, count)
    return columns(f"Lowest χ² along {result.names[k]}", {"from": limits[:-1], "to": limits[1:], "χ²": lowest})


def _statuses(result: SweepResult, k: int) -> TextTable:
    count = min(bins(result, k, 1), 20)
    limits, shares = edges(result, k, count), 100.0 * status_shares(result, k, count)
    named = {"from": limits[:-1], "to": limits[1:]}
    named |= {f"{s.name.lower().replace('_', ' ')} / %": shares[s] for s in Status if np.nansum(shares[s]) > 0.0}
    return columns(f"Statuses along {result.names[k]}", named)


def _profiles(path: Path, chosen: Int[np.ndarray, " chosen"]) -> list[TextTable]:
    found = []
    for stored in read_profiles(path, chosen):
        named = {"depth / nm": stored.depth}
        for k, species in enumerate(stored.species):
            band = stored.profile[:, k]
            ends = {"best": band[0], "least": band.min(axis=0), "most": band.max(axis=0)}
            named |= {f"{species} {word}": values for word, values in ends.items()}
        found.append(columns(f"{stored.experiment}: the best {len(chosen)} candidates", named))
    return found
