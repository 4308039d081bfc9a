"""The files of a design: report with its figure, JSON with the numbers, CSV of the proposals."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from npp_jax._version import __version__
from npp_jax.commands.design.run import DesignOutcome
from npp_jax.commands.design.summary import intervals_table, proposals_table, sentence, warnings
from npp_jax.commands.report.blocks import Drawn, Items, Page, Section, Shown, Text
from npp_jax.commands.report.pages import draw_figures, report_files, write_report
from npp_jax.commands.report.provenance import Begun, provenance
from npp_jax.commands.report.study import data_section
from npp_jax.files.origin import Origin
from npp_jax.files.study import Study
from npp_jax.files.writing import write_json, write_text, written_together
from npp_jax.planning import Ranked
from npp_jax.simulation.status import Status
from npp_jax.simulation.text_table import TextTable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCHEMA_VERSION = 1


def origin_of(study: Study) -> Origin:
    """Whose the files are."""
    proposed = () if study.next is None else study.next.files.values()
    return Origin("design", study.path, reads=(*study.identity.files.values(), *proposed))


def result_files(folder: Path, stem: str) -> list[Path]:
    """All files that a design writes."""
    own = [folder / f"{stem}_design.{ending}" for ending in ("json", "csv", "png")]
    return [*report_files(folder / f"{stem}_design_report"), *own]


def write_design(
    outcome: DesignOutcome, folder: Path, stem: str, *, begun: Begun, origin: Origin
) -> tuple[list[Path], list[str]]:
    """Write all files of a design, or none; a figure that cannot be drawn costs nothing but itself.

    Returns
    -------
    Files, the page of HTML first, and a sentence for each figure that could not be drawn.
    """
    numbers, table, figure = (folder / f"{stem}_design.{ending}" for ending in ("json", "csv", "png"))
    with written_together():
        write_json(numbers, _numbers(outcome), origin)
        write_text(table, f"{_csv(outcome)}# {origin.mark(table)}\n")
        drawn = draw_figures(_figures(outcome), lambda _: figure, origin)
        page = _page(outcome, drawn.drawn, drawn.lost, begun)
        report = write_report(page, folder / f"{stem}_design_report", origin)
    return [*report, numbers, table, *drawn.files], drawn.lost


def _page(outcome: DesignOutcome, figures: list[Drawn], lost: list[str], begun: Begun) -> Page:
    study, plan = outcome.study, outcome.plan
    draws = len(plan.theta)
    drawn = f"averaged over {draws} sets of parameters" if draws > 1 else "those at the best parameters alone"
    how = f"{study.fit.model.capitalize()} model, setting {study.fit.setting}. Gains are {drawn}."
    counted = {Status(int(value)).name.lower(): int(np.sum(plan.status == value)) for value in np.unique(plan.status)}
    ended = TextTable("Simulations", ("status", "proposals"), tuple((k, str(v)) for k, v in counted.items()))
    several = f"The best {len(outcome.chosen)}, each after those before it"
    if outcome.contrast is not None:
        several = f"The best {len(outcome.chosen)}"
    return Page(
        f"Next experiment: {study.main.name}",
        (
            Text(sentence(outcome), "lead"),
            *(Text(text, "warning") for text in warnings(outcome)),
            data_section(study, how, begun.command),
            Section("Figure", [*figures, *(Text(text, "warning") for text in lost)]),
            Section(
                "What to do next",
                [proposals_table(outcome, outcome.chosen, several), intervals_table(outcome), Items(_reading())],
            ),
            Section("All proposals", [proposals_table(outcome, outcome.ranked, "")]),
            provenance(
                begun, "double (float64)" if jax.config.read("jax_enable_x64") else "single (float32)", (ended,)
            ),
        ),
    )


def _reading() -> tuple[str, ...]:
    """How the numbers are meant."""
    return (
        "Intervals and gains are expected, from Fisher information: derivatives of the profile by the parameters over "
        "the noise, added to what the data so far, the priors and the ranges tell (a range counts as a normal law of "
        "its variance). They hold as far as the model is linear over the interval of today.",
        "Gain: D, logarithm to base two of the volume of the confidence region; A, of the root mean variance relative "
        "to today's; E, of the largest standard deviation in shares of the ranges; a parameter, of its standard "
        "deviation.",
        "Δχ² of two models: by how much the χ² of the wrong one is expected to rise, its parameters fitted again.",
    )


def _figures(outcome: DesignOutcome) -> Iterator[Shown]:
    names = ", ".join(outcome.plan.proposals[row.proposal].name for row in outcome.chosen)
    yield Shown(
        "design",
        lambda: _draw(outcome),
        "Left: what the best proposals are expected to bring, by colour what they cost. Right: standard deviations of "
        f"the parameters with one after the other of the chosen experiments done ({names}), over those of today.",
        "Bars of the gain of each proposal, and falling lines of the expected standard deviation of each parameter.",
        lambda: (intervals_table(outcome),),
    )


def _draw(outcome: DesignOutcome) -> "Figure":
    from matplotlib.figure import Figure

    from npp_jax.figures.axes import headline
    from npp_jax.figures.plan import gains, shrinking

    figure = Figure(figsize=(12.0, 5.0), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1.2, 1.0])
    contrast = outcome.contrast is not None
    gains(left, outcome.plan, outcome.ranked, r"expected $\Delta\chi^2$, at least" if contrast else "gain / bit")
    shrinking(right, outcome.plan, outcome.chosen)
    headline(figure, outcome.study.title)
    return figure


def _numbers(outcome: DesignOutcome) -> dict[str, Any]:
    plan = outcome.plan
    names = [parameter.name for parameter in plan.parameters]

    def of(row: Ranked) -> dict[str, Any]:
        k = row.proposal
        proposal = plan.proposals[k]
        return {
            "name": proposal.name,
            "like": proposal.like,
            "gain": row.gain,
            "cost_h": float(plan.hours[k]),
            "gain_per_h": row.rate,
            "status": Status(int(plan.status[k])).name,
            "sigma_over_todays": dict(zip(names, plan.remaining([k]).tolist(), strict=True)),
            "interval_95": dict(zip(names, plan.intervals([k]).tolist(), strict=True)),
            "delta_chi2": {
                c.name: {"if_first_is_right": float(c.if_main[k]), "if_rival_is_right": float(c.if_rival[k])}
                for c in outcome.contrasts
            },
        }

    chosen = [row.proposal for row in outcome.chosen]
    return {
        "schema_version": SCHEMA_VERSION,
        "npp_jax_version": __version__,
        "study": outcome.study.title,
        "goal": outcome.next.table.goal,
        "by_hour": outcome.next.table.by_hour,
        "draws": len(plan.theta),
        "best": dict(zip(names, plan.theta[0].tolist(), strict=True)),
        "interval_95_today": dict(zip(names, plan.intervals().tolist(), strict=True)),
        "chosen": [
            {**of(row), "interval_95_after": dict(zip(names, plan.intervals(chosen[: n + 1]).tolist(), strict=True))}
            for n, row in enumerate(outcome.chosen)
        ],
        "proposals": [of(row) for row in outcome.ranked],
        "warnings": list(warnings(outcome)),
    }


def _csv(outcome: DesignOutcome) -> str:
    table = proposals_table(outcome, outcome.ranked, "")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("rank", *table.header))
    writer.writerows((str(k + 1), *row) for k, row in enumerate(table.rows))
    return text.getvalue()
