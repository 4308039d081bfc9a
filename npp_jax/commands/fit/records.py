"""What a fit says of records: figure, table, numbers and arrays."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from npp_jax.commands.fit.run import Fitted
from npp_jax.commands.report.blocks import Section, Shown, Text
from npp_jax.commands.report.numbers import columns
from npp_jax.figures.records import DrawnRecord, figure_records
from npp_jax.fitting import signal_sigma
from npp_jax.inference import NORMAL_95
from npp_jax.observe import RECORDED
from npp_jax.simulation.text_table import TextTable
from npp_jax.store.arrays import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class FittedRecord(NamedTuple):
    """A record and its fit, with what was found of it."""

    experiment: str
    """Name of the experiment."""
    drawn: DrawnRecord
    gain: float | None
    """Gain that was solved for; None where none was."""
    chi2: float
    """χ², with the pull of the gain."""


def fitted_records(fitted: Fitted) -> list[FittedRecord]:
    """All records of a fit."""
    result, problem = fitted.result, fitted.hypothesis.problem
    found, start = [], 0
    for k, data in enumerate(problem.data):
        residual = np.asarray(result.expansion.residual[0])[start : start + data.size]
        start += data.size
        if data.record is None:
            continue
        measurement = problem.measurements[data.experiment]
        record = measurement.records[data.record]
        # The last residual is the pull of a gain that is solved for.
        gain = float(record.gain) + record.gain_sigma * float(residual[-1]) if record.solved else None
        signal, half = np.asarray(result.expansion.signals[k][0]), NORMAL_95 * signal_sigma(result, k)
        drawn = DrawnRecord(data.name, record, signal, half)
        found.append(FittedRecord(measurement.name, drawn, gain, result.chi2_of[data.name]))
    return found


def drawn_records(fitted: Fitted) -> list[FittedRecord]:
    """Those that have more than one point, and so a panel."""
    return [one for one in fitted_records(fitted) if one.drawn.has_panel]


def records_figure(fitted: Fitted) -> "Figure":
    """The figure of all of them."""
    return figure_records(fitted.hypothesis.name, [one.drawn for one in drawn_records(fitted)])


def shown_records(draw: Callable[[], "Figure"], fitted: Fitted, *, synthetic: bool) -> Shown:
    """The figure of the records, and what is said of it."""
    shown = drawn_records(fitted)
    data = "Synthetic" if synthetic else "Measured"
    agreement = "; ".join(f"{d.name}: χ² {chi2:.1f} for {d.record.at.size} points" for _, d, _, chi2 in shown)

    def numbers() -> tuple[TextTable, ...]:
        return tuple(
            columns(
                f"{one.name} / {RECORDED[one.record.quantity][1]}",
                {
                    "T / K" if one.record.quantity == "conductivity" else "time / s": np.asarray(one.record.at),
                    "data": np.asarray(one.record.value),
                    "σ": np.asarray(one.record.sigma),
                    "fit": one.signal,
                    "± 95 %": one.half,
                    "residual / σ": one.residual,
                },
            )
            for _, one, _, _ in shown
        )

    return Shown(
        "records",
        draw,
        f"{data} records (points) and the fit (line) with the 95 % band that the parameters leave, gains that were "
        "solved for included; below, the residuals, data less fit, in standard deviations.",
        f"{data} records with the fitted curves, and residuals below. {agreement}.",
        numbers,
    )


def records_section(fitted: Fitted) -> Section:
    """One line a record: points, χ², and the gain that was found."""
    rows = []
    for _, one, found, chi2 in fitted_records(fitted):
        record, unit = one.record, RECORDED[one.record.quantity][1]
        value = f"{float(record.value[0]):.5g} ± {float(record.sigma[0]):.2g} {unit}" if record.at.size == 1 else ""
        fit = f"{one.signal[0]:.5g} {unit}" if record.at.size == 1 else ""
        gain = "" if found is None else f"{found:.4f} ({float(record.gain):g} ± {record.gain_sigma:g})"
        rows.append((one.name, str(record.at.size), f"{chi2:.1f}", value, fit, gain))
    words = (
        "A gain is what all points of a record share, solved for within the error that the study gives it; χ² has its "
        "pull. Points of a dense record are means, compared with means over the same times."
    )
    heads = ("record", "points", "χ²", "one value", "fit", "gain (expected)")
    return Section("Records", [TextTable("", heads, tuple(rows)), Text(words)])


def record_numbers(fitted: Fitted) -> list[dict[str, Any]]:
    """The same for the file of numbers."""
    return [
        {
            "experiment": one.experiment,
            "quantity": one.drawn.record.quantity,
            "points": int(one.drawn.record.at.size),
            "chi2": one.chi2,
            "gain": one.gain,
        }
        for one in fitted_records(fitted)
    ]


def record_arrays(one: DrawnRecord) -> dict[str, Array]:
    """A record and the fit of it."""
    name, unit = RECORDED[one.record.quantity]
    at = ("K", "temperature") if one.record.quantity == "conductivity" else ("s", "time from the start")
    return {
        "at": Array(np.asarray(one.record.at), at[0], at[1], ("at",)),
        "recorded": Array(np.asarray(one.record.value), unit, f"recorded {name}", ("at",)),
        "sigma": Array(np.asarray(one.record.sigma), unit, "standard deviation of it", ("at",)),
        "fitted": Array(one.signal, unit, f"fitted {name}, with its gain", ("at",)),
        "fitted_half": Array(one.half, unit, "half the width of its 95 % band", ("at",)),
    }
