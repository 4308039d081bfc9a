"""The report of a tracer study: what was found and how sure it is, and all that belongs to it."""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import jax

from npp_jax.commands.report.blocks import Block, Code, Drawn, Items, Page, Section, Shown, Text
from npp_jax.commands.report.numbers import array_tables
from npp_jax.commands.report.provenance import Begun, provenance
from npp_jax.commands.report.truth import inside, told
from npp_jax.commands.tracer.report import Quantity, TracerReport
from npp_jax.commands.tracer.study import ArrheniusStudy, TracerStudy
from npp_jax.commands.tracer.truth_table import TruthTable
from npp_jax.figures.axes import headline
from npp_jax.inference import NORMAL_95, UNLIKELY, agrees, further, interval_text, together, with_power
from npp_jax.simulation.text_table import TextTable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_TOLD = 3
"""Quantities in the first sentence."""

_KINDS = {
    "profile": "One profile, fitted with a closed solution of the diffusion equation.",
    "evolution": "Profiles after exchange and after anneals in the closed sample, fitted together.",
    "chain": "Diffusion through a chain of grains, each boundary a resistance D_gb/δ.",
    "map": "Diffusion on an image of grains, boundaries as resistances D_gb/δ between them.",
    "arrhenius": "Arrhenius lines from diffusion coefficients and conductivities (Nernst–Einstein), and Haven ratios.",
}

_CAPTIONS = {
    "profile": "Profile with its errors (points) and the fit (line).",
    "evolution": "Profiles with their errors (points) and the fits (lines); last, the Arrhenius line if there is one.",
    "chain": "Isotope fraction along the chain after each stage: data (points) where there are any, and model (line); "
    "boundaries are marked.",
    "map": "Isotope fraction of data and model over the image of grains, and along the cuts.",
    "arrhenius": "Diffusion coefficients against reciprocal temperature, with the lines through them; a band, where "
    "errors are known, is one standard error wide to each side.",
}


def tracer_page(
    study: TracerStudy, report: TracerReport, figures: Sequence[Drawn], lost: Sequence[str], begun: Begun, name: str
) -> Page:
    """The report, with the figure if it could be drawn; named by its title, or its file."""
    truth = _truth(study)
    blocks: list[Block] = [Text(lead(report), "lead")]
    if truth.told():
        blocks.append(Text("The data are synthetic, made with known values, which stand beside the result."))
    blocks += [Text(text, "warning") for text in report.warnings]
    data: list[Block] = [Text(_KINDS[study.kind])]
    if report.fit is not None:
        data.append(Text(f"{report.fit.points} {'synthetic' if truth.told() else 'measured'} points."))
    blocks += [
        Section("Data, model and command", [*data, Code(begun.command)]),
        Section("Figures", [*figures, *(Text(text, "warning") for text in lost)]),
        Section("Results", [*_results(report, truth), Text(f"It ended thus: {report.status}.")]),
    ]
    precision = "double (float64)" if jax.config.read("jax_enable_x64") else "single (float32)"
    counts: list[Block] = []
    if report.fit is not None:
        made, failed = (int(n[0]) for n in (report.fit.refined.evaluations, report.fit.refined.failed_evaluations))
        counts = [Text(f"{made} evaluations of the model, {failed} of them failed.")]
    blocks.append(provenance(begun, precision, counts))
    return Page(f"Tracer ({study.kind}): {study.title or name}", tuple(blocks))


def lead(report: TracerReport) -> str:
    """What was found, and how sure it is."""
    if report.code == 4:
        return f"There is no result: {report.status}."
    known = [q for q in report.lines if isinstance(q, Quantity) and (q.interval is not None or q.note)]
    sure = [q for q in known if q.interval is not None and all(map(math.isfinite, q.interval))]
    shown = (sure or known)[:_TOLD]
    found = "; ".join(_sentence(quantity) for quantity in shown)
    if not found:
        words = [line.rstrip(".") for line in report.lines if isinstance(line, str) and not line.endswith("as given")]
        found = "; ".join(words[-_TOLD:]) or "Nothing was found"
    more = further(len(sure) - _TOLD)
    fit = report.fit
    if fit is None:
        return f"{found}{more}. It ended thus: {report.status}."
    agreement = f"(χ² {fit.chi2:.1f} for {fit.degrees_of_freedom} degrees of freedom, probability {fit.p_value:.2g})"
    if report.code:
        return f"No result yet: {report.status} {agreement}. Where it stands: {found}."
    if fit.p_value < UNLIKELY:
        return f"The model does not explain the data {agreement}; for what it is worth: {found}{more}."
    return f"{found}{more}. The model {agrees(fit.p_value)} with the data {agreement}."


def _sentence(quantity: Quantity) -> str:
    value, interval = _digits(quantity)
    unit = "" if quantity.unit == "1" else f" {quantity.unit}"
    of = f"{quantity.name} of {quantity.group}" if quantity.group else quantity.name
    return f"{of} is {value}{unit} ({f'95 %: {interval}{unit}' if interval else quantity.note})"


def _digits(quantity: Quantity) -> tuple[str, str]:
    """Value and interval with the digits that the interval leaves."""
    ends = [end for end in quantity.interval or () if math.isfinite(end)]
    (value, *limits), power = together((quantity.value, *ends), _error(quantity))
    if quantity.interval is None:
        return with_power(value, power), ""
    return with_power(value, power), interval_text(quantity.interval, quantity.words, limits, power)


def _error(quantity: Quantity) -> float:
    """Standard error by its interval; NaN where that has no end."""
    ends = [end for end in quantity.interval or () if math.isfinite(end)]
    return min((abs(end - quantity.value) / NORMAL_95 for end in ends), default=math.nan)


def _results(report: TracerReport, truth: TruthTable) -> Iterator[Block]:
    """Tables of quantities, and lists of sentences, in their order."""
    numbers: dict[str, int] = {}
    rows: list[tuple[str, ...]] = []
    words: list[str] = []
    heads = ("quantity", "value", "unit", "95 % interval", "remark")
    heads = (*heads, "truth", "truth in the interval") if truth.told() else heads

    def finished() -> Iterator[Block]:
        if rows:
            yield TextTable("", heads, tuple(rows)).without_empty()
        if words:
            yield Items(tuple(words))
        rows.clear()
        words.clear()

    for line in report.lines:
        if isinstance(line, str):
            if rows:
                yield from finished()
            words.append(line)
            continue
        if words:
            yield from finished()
        number = numbers[line.key] = numbers.get(line.key, -1) + 1
        value, interval = _digits(line)
        name = f"{line.group}: {line.name}" if line.group else line.name
        row = (name, value, "" if line.unit == "1" else line.unit, interval, line.note)
        true = truth.of(line.key, number)
        known = ("", "")
        if true is not None:
            within = line.interval is not None and inside(true, line.interval)
            known = (told(true, _error(line)), "" if line.interval is None else "inside" if within else "outside")
        rows.append((*row, *known) if truth.told() else row)
    yield from finished()


def _truth(study: TracerStudy) -> TruthTable:
    return TruthTable() if isinstance(study, ArrheniusStudy) else study.truth


def shown_figure(study: TracerStudy, report: TracerReport, name: str, stored: str) -> Shown:
    """The figure of a name, with what is said of it; all its arrays are in a file."""
    synthetic = "Synthetic data. " if _truth(study).told() else ""

    def make() -> "Figure":
        figure = report.draw()
        if study.title:
            headline(figure, study.title, size="large")
        return figure

    return Shown(
        name,
        make,
        synthetic + _CAPTIONS[study.kind],
        f"{synthetic}{_CAPTIONS[study.kind]} {lead(report)}",
        lambda: array_tables(report.arrays, stored),
    )
