"""The files of a fit: report with figures, JSON with the numbers, HDF5 with all arrays."""

from pathlib import Path
from typing import Any

import numpy as np

from npp_jax._version import __version__
from npp_jax.commands.fit.arrays import (
    landscape_arrays,
    law_arrays,
    likelihood_arrays,
    minimum_arrays,
    parameter_arrays,
    posterior_arrays,
    profile_arrays,
)
from npp_jax.commands.fit.figures import figure_names, figures, first_measured, supported_by
from npp_jax.commands.fit.records import fitted_records, record_arrays, record_numbers
from npp_jax.commands.fit.report import fit_page
from npp_jax.commands.fit.run import FitOutcome, Fitted
from npp_jax.commands.fit.summary import measured_of, warnings
from npp_jax.commands.report.pages import draw_figures, report_files, write_report
from npp_jax.commands.report.provenance import Begun
from npp_jax.files.origin import Origin
from npp_jax.files.stored import written_result
from npp_jax.files.study import Study
from npp_jax.files.writing import told_earlier, write_json, written_together
from npp_jax.fitting import law_bands, phrases
from npp_jax.fitting.unit_words import units_of
from npp_jax.inference import Estimate, Reason, given
from npp_jax.store.arrays import put
from npp_jax.sweeping.profiles import labels

SCHEMA_VERSION = 2


def origin_of(study: Study, sweep: Path | None = None) -> Origin:
    """Whose the files of a fit are; a sweep that it starts from is read, too."""
    read = (*study.identity.files.values(), *(() if sweep is None else (sweep,)))
    return Origin("fit", study.path, reads=read)


def result_files(study: Study, folder: Path, stem: str) -> list[Path]:
    """Files that a fit may write: report, numbers, arrays, and the figures of every kind."""
    endings = ["fit.json", "fit.h5", *(f"{name}.png" for name in figure_names(study))]
    return [*report_files(folder / f"{stem}_report"), *(folder / f"{stem}_{ending}" for ending in endings)]


def write_fit(
    outcome: FitOutcome, folder: Path, stem: str, *, begun: Begun, origin: Origin | None = None
) -> tuple[list[Path], list[str]]:
    """Write all files of a fit, or none; a figure that cannot be drawn costs nothing but itself.

    Parameters
    ----------
    outcome
        The fit.
    folder
        Where to; it exists.
    stem
        Beginning of the names of the files.
    begun
        What is known of the run from its begin, kept as provenance.
    origin
        Whose the files are.

    Returns
    -------
    Files, the page of HTML first, and a sentence for each figure that could not be drawn.
    """
    numbers, arrays = (folder / f"{stem}_{end}" for end in ("fit.json", "fit.h5"))
    with written_together():
        write_json(numbers, _numbers(outcome), origin)
        _write_arrays(arrays, outcome, begun.command, origin)
        drawn = draw_figures(figures(outcome), lambda name: folder / f"{stem}_{name}.png", origin)
        page = fit_page(outcome, drawn.drawn, drawn.lost, begun)
        report = write_report(page, folder / f"{stem}_report", origin)
    files = [*report, numbers, arrays, *drawn.files]
    return files, drawn.lost + told_earlier(result_files(outcome.study, folder, stem), files)


def _numbers(outcome: FitOutcome) -> dict[str, Any]:
    def of(fitted: Fitted) -> dict[str, Any]:
        result = fitted.result
        return {
            "name": fitted.hypothesis.name,
            "ended": Reason(int(result.refined.reason[result.best])).name,
            "starts": len(result.refined.reason),
            "starts_at_best_minimum": result.agreeing,
            "failed_evaluations": int(result.refined.failed_evaluations.sum()),
            "evaluations": int(result.refined.evaluations.sum()),
            "gradient_norm": float(result.refined.gradient_norm[result.best]),
            "chi2": result.chi2,
            "chi2_of": result.chi2_of,
            "records": record_numbers(fitted),
            "points": result.points,
            "probability": result.p_value,
            "aic": result.criteria.aic,
            "bic": result.criteria.bic,
            "warnings": warnings(fitted),
            "parameters": {name: _estimate_numbers(result[name]) for name in result.names},
            "standard_errors_given": given(result.parameters, result.covariance),
            "minima": [
                {
                    "chi2": minimum.chi2,
                    "starts": minimum.starts,
                    "ended": Reason(int(result.refined.reason[minimum.start])).name,
                    "parameters": dict(zip(result.names, minimum.theta.tolist(), strict=True)),
                }
                for minimum in result.minima
            ],
            "ended_of_starts": {
                reason.name: count
                for reason in Reason
                if (count := int(np.sum(np.asarray(result.refined.reason) == reason)))
            },
            "what_the_data_determine": result.identifiability.lines(
                phrases(result.parameters), units_of(result.parameters)
            ),
            **({} if fitted.posterior is None else {"posterior": _posterior_numbers(fitted)}),
        }

    return {
        "schema_version": SCHEMA_VERSION,
        "npp_jax_version": __version__,
        "study": outcome.study.title,
        "candidates": len(outcome.sweep.theta),
        "fit": of(outcome.main),
        "rivals": [of(rival) for rival in outcome.rivals],
    }


def _estimate_numbers(found: Estimate) -> dict[str, Any]:
    return {
        "best": found.value,
        "standard_error": found.sigma,
        "interval_95": list(found.interval),
        "interval_from": found.how,
        "ends": {
            side: {
                "outcome": end.outcome.name,
                "value": end.value,
                "delta_chi2": end.delta_chi2,
                "text": end.text(),
            }
            for side, end in zip(("low", "high"), found.ends, strict=True)
        },
    }


def _posterior_numbers(fitted: Fitted) -> dict[str, Any]:
    posterior = fitted.posterior
    assert posterior is not None
    chains, draws, _ = posterior.theta.shape
    texts = posterior.interval_texts(fitted.result.parameters)
    return {
        "chains": chains,
        "draws": draws,
        "accepted": posterior.accepted,
        "trajectories": posterior.trajectories,
        "failed": posterior.failed,
        "parameters": {
            parameter.name: {
                "mean": float(posterior.mean[k]),
                "standard_deviation": float(posterior.standard_deviation[k]),
                "interval_95": posterior.interval[k].tolist(),
                "interval_text": texts[k],
                "r_hat": float(posterior.r_hat[k]),
                "ess_bulk": float(posterior.ess_bulk[k]),
                "ess_tail": float(posterior.ess_tail[k]),
            }
            for k, parameter in enumerate(fitted.hypothesis.parameters)
        },
    }


def _write_arrays(path: Path, outcome: FitOutcome, command: str, origin: Origin | None) -> None:
    main, taken = outcome.main, {"landscape", "law", "minima", "posterior", "profile_likelihood", "records"}
    everyone = [m.name for m in main.hypothesis.problem.measurements]
    marks_of = dict(zip(everyone, labels(everyone), strict=True))
    result, measured = main.result, measured_of(main)
    arrays = parameter_arrays(result)
    varied = {parameter.name: parameter for parameter in result.parameters}
    marks = labels(measurement.name for measurement in measured)
    with written_result(
        path, "npp_jax fit", SCHEMA_VERSION, arrays, origin=origin, study=outcome.study.text, command=command
    ) as file:
        file.attrs["name"] = main.hypothesis.name
        for k, (measurement, mark) in enumerate(zip(measured, marks, strict=True)):
            group = file.create_group(f"experiment_{mark}" if mark in taken | arrays.keys() else mark)
            group.attrs["name"] = measurement.name
            put(group, profile_arrays(measurement, np.asarray(result.expansion.signals[k][0])))
        for one in fitted_records(main):
            mark = f"records/{marks_of[one.experiment]}_{one.drawn.record.quantity}"
            group = file.create_group(mark)
            group.attrs.update(name=one.drawn.name, quantity=one.drawn.record.quantity)
            put(group, record_arrays(one.drawn))
        for profile, mark in zip(result.profiles, labels(profile.name for profile in result.profiles), strict=True):
            group = file.create_group(f"profile_likelihood/{mark}")
            group.attrs["name"] = profile.name
            put(group, likelihood_arrays(profile, varied[profile.name]))
        put(file.create_group("minima"), minimum_arrays(result))
        put(file.create_group("landscape"), landscape_arrays(outcome.sweep))
        bands = law_bands(main.hypothesis.problem, first_measured(main), result)
        if bands is not None:
            group = file.create_group("law")
            group.attrs["species"] = bands.species
            put(group, law_arrays(bands, supported_by(measured, bands.species)))
        if main.posterior is not None:
            put(file.create_group("posterior"), posterior_arrays(main.posterior))
