"""The files of a fit: report with figures, JSON with the numbers, HDF5 with all arrays."""

import json
from pathlib import Path
from typing import Any

import jax
import numpy as np

from npp_jax._version import __version__
from npp_jax.commands.fit.figures import figures
from npp_jax.commands.fit.report import report_lines
from npp_jax.commands.fit.run import FitOutcome, Fitted
from npp_jax.commands.fit.summary import measured_of, warnings
from npp_jax.files.writing import write_figure, write_text, written_hdf5
from npp_jax.inference import Reason

SCHEMA_VERSION = 2


def write_fit(outcome: FitOutcome, folder: Path, stem: str, *, command: str = "") -> list[Path]:
    """Write all files of a fit.

    Parameters
    ----------
    outcome
        The fit.
    folder
        Where to; it exists.
    stem
        Beginning of the names of the files.
    command
        Command that made the fit, kept as provenance.

    Returns
    -------
    Files, the report first.
    """
    drawn = []
    for name, figure in figures(outcome):
        path = folder / f"{stem}_{name}.png"
        write_figure(path, figure, dpi=130)
        drawn.append(path)
    report = folder / f"{stem}_report.md"
    write_text(report, "\n".join(report_lines(outcome, [path.name for path in drawn])) + "\n")
    numbers = folder / f"{stem}_fit.json"
    write_text(numbers, json.dumps(_numbers(outcome), indent=2) + "\n")
    arrays = folder / f"{stem}_fit.h5"
    _write_arrays(arrays, outcome, command)
    return [report, numbers, arrays, *drawn]


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
            "points": result.points,
            "probability": result.p_value,
            "aic": result.criteria.aic,
            "bic": result.criteria.bic,
            "warnings": warnings(fitted),
            "parameters": {
                parameter.name: {
                    "best": float(result.theta[k]),
                    "standard_error": float(result.covariance.standard_error[k]),
                    "interval_95": list(result[parameter.name].interval),
                    "interval_from": result[parameter.name].how,
                }
                for k, parameter in enumerate(fitted.hypothesis.parameters)
            },
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


def _posterior_numbers(fitted: Fitted) -> dict[str, Any]:
    posterior = fitted.posterior
    assert posterior is not None
    chains, draws, _ = posterior.theta.shape
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
                "r_hat": float(posterior.r_hat[k]),
                "ess_bulk": float(posterior.ess_bulk[k]),
                "ess_tail": float(posterior.ess_tail[k]),
            }
            for k, parameter in enumerate(fitted.hypothesis.parameters)
        },
    }


def _write_arrays(path: Path, outcome: FitOutcome, command: str) -> None:
    result = outcome.main.result
    names = [parameter.name for parameter in outcome.main.hypothesis.parameters]
    with written_hdf5(path) as file:
        file.attrs.update(
            title="npp_jax fit",
            schema_version=SCHEMA_VERSION,
            npp_jax_version=__version__,
            jax_version=jax.__version__,
            device=str(jax.devices()[0].device_kind),
            study=outcome.study.text,
            command=command,
        )
        file["parameter"] = names
        for key, values, text in (
            ("theta", result.theta, "best parameters, in the units of their names"),
            ("standard_error", result.covariance.standard_error, "standard errors, in the units of the names"),
            ("covariance_scaled", result.covariance.scaled, "covariance on the scales of the parameters"),
            ("correlation", result.covariance.correlation, "correlation matrix"),
            ("start_theta", result.refined.theta, "where each start ended"),
            ("start_chi2", 2.0 * result.refined.cost, "χ² there, priors included"),
            ("start_reason", result.refined.reason, "why it ended: " + ", ".join(f"{r:d} {r.name}" for r in Reason)),
            ("path", result.path, "trial points of the best start"),
        ):
            file[key] = np.asarray(values)
            file[key].attrs["long_name"] = text
        for k, measurement in enumerate(measured_of(outcome.main)):
            profile = measurement.profile
            assert profile is not None
            group = file.create_group(measurement.name)
            group["depth"] = np.asarray(profile.depth)
            group["depth"].attrs["units"] = "nm"
            group["species"] = list(profile.species)
            group["measured"], group["sigma"] = np.asarray(profile.fraction), np.asarray(profile.sigma)
            group["fitted"] = np.asarray(result.expansion.signals[k][0])
        for profile in result.profiles:
            group = file.create_group(f"profile_likelihood/{profile.name}")
            group["values"], group["delta_chi2"], group["theta"] = profile.values, profile.delta_chi2, profile.theta
        if outcome.main.posterior is not None:
            for key, text in (
                ("theta", "draws [chain, draw, parameter], in the units of the names"),
                ("log_density", "ln density of each draw in the unbounded coordinate, up to a constant"),
                ("r_hat", "rank-normalised split R-hat"),
                ("ess_bulk", "effective draws for the mean"),
                ("ess_tail", "effective draws for the 5 and 95 % quantiles"),
            ):
                file[f"posterior/{key}"] = getattr(outcome.main.posterior, key)
                file[f"posterior/{key}"].attrs["long_name"] = text
