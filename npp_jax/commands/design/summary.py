"""What `npp-jax design` says: sentences, and tables of proposals and of intervals."""

from collections.abc import Iterator

from npp_jax.commands.design.run import DesignOutcome
from npp_jax.commands.fit.summary import warnings as fit_warnings
from npp_jax.inference import together, with_power
from npp_jax.planning import Ranked
from npp_jax.simulation.status import STATUS_ADVICE, Status
from npp_jax.simulation.text_table import TextTable


def sentence(outcome: DesignOutcome) -> str:
    """The best next experiment, and what it is expected to bring."""
    best, plan = outcome.chosen[0], outcome.plan
    name, cost = plan.proposals[best.proposal].name, plan.hours[best.proposal]
    if outcome.contrast is not None:
        told = (
            f"it is expected to raise the χ² of the wrong one of '{outcome.study.main.name}' and "
            f"'{outcome.contrast.name}' by {best.gain:.3g} at least"
        )
    else:
        number = len(plan.parameters) if outcome.next.table.goal == "D" else 1
        told = f"it is expected to bring {best.gain:.2g} bit of {outcome.goal}"
        told += "; one bit halves an error" if number == 1 else f"; {number} bits halve all errors, one each"
    return f"Of {len(plan.proposals)} proposals '{name}' tells most: {told}, in {cost:.3g} h."


def warnings(outcome: DesignOutcome) -> Iterator[str]:
    """What a reader of the numbers has to know."""
    plan = outcome.plan
    if outcome.fitted is None:
        yield "nothing was measured: what is known so far are the ranges and priors of the parameters"
    else:
        yield from fit_warnings(outcome.fitted.main)
    for proposal, status in zip(plan.proposals, plan.status, strict=True):
        if status >= Status.COARSE:
            yield f"'{proposal.name}': {STATUS_ADVICE[Status(int(status))]}"


def proposals_table(outcome: DesignOutcome, rows: list[Ranked], title: str) -> TextTable:
    """Proposals, what each would bring and cost, and the standard deviations that it would leave.

    Of several that are chosen together each gain is what an experiment adds to those above it, as a line below says.
    """
    plan = outcome.plan
    gain = "Δχ² at least" if outcome.contrast is not None else "gain / bit"
    rate = "Δχ² / h" if outcome.contrast is not None else "bit / h"
    heads = ("experiment", gain, "cost / h", rate, *(f"{p.name}, σ / today's" for p in plan.parameters))
    heads += tuple(f"Δχ² of '{c.name}' if it is wrong" for c in outcome.contrasts)
    heads += tuple(f"Δχ² if '{c.name}' is right" for c in outcome.contrasts)
    table = []
    for row in rows:
        k = row.proposal
        cells = [plan.proposals[k].name, f"{row.gain:.3g}", f"{plan.hours[k]:.3g}", f"{row.rate:.3g}"]
        cells += [f"{share:.3g}" for share in plan.remaining([k])]
        cells += [f"{c.if_main[k]:.3g}" for c in outcome.contrasts]
        cells += [f"{c.if_rival[k]:.3g}" for c in outcome.contrasts]
        table.append(tuple(cells))
    together_chosen = rows is outcome.chosen and len(rows) > 1 and outcome.contrast is None
    remarks = (_ADDED,) if together_chosen else ()
    return TextTable(title, heads, tuple(table), remarks)


_ADDED = "gain and rate: what it adds to the experiments above it; σ / today's: after this experiment alone"


def intervals_table(outcome: DesignOutcome) -> TextTable:
    """Expected 95 % intervals today and after each chosen experiment."""
    plan, chosen = outcome.plan, [row.proposal for row in outcome.chosen]
    done = [plan.intervals(chosen[:count]) for count in range(len(chosen) + 1)]
    heads = ("parameter", "best", "today", *(f"after {k + 1}" for k in range(len(chosen))))
    rows = []
    for k, parameter in enumerate(plan.parameters):
        rows.append((parameter.name, f"{plan.theta[0, k]:.5g}", *(_span(*map(float, ends[k])) for ends in done)))
    return TextTable("Expected 95 % intervals", heads, tuple(rows))


def _span(low: float, high: float) -> str:
    numbers, power = together((low, high), 0.25 * (high - low))
    return with_power(" … ".join(numbers), power)
