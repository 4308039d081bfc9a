"""The files of a fit: report with figures, JSON with the numbers, HDF5 with all arrays."""

from pathlib import Path
from typing import Any

import h5py
import jax
import numpy as np

from npp_jax._version import __version__
from npp_jax.commands.fit.figures import figure_names, figures
from npp_jax.commands.fit.report import report_lines
from npp_jax.commands.fit.run import FitOutcome, Fitted
from npp_jax.commands.fit.summary import measured_of, warnings
from npp_jax.files.origin import Origin
from npp_jax.files.study import Study
from npp_jax.files.writing import draw, readable, write_json, write_markdown, written_hdf5, written_together
from npp_jax.fitting import phrases
from npp_jax.inference import Estimate, Reason, given

SCHEMA_VERSION = 2


def origin_of(study: Study, sweep: Path | None = None) -> Origin:
    """Whose the files of a fit are; a sweep that it starts from is read, too."""
    read = (*study.identity.files.values(), *(() if sweep is None else (sweep,)))
    return Origin("fit", study.path, reads=read)


def result_files(study: Study, folder: Path, stem: str) -> list[Path]:
    """Files that a fit may write: report, numbers, arrays, and the figures of every kind."""
    endings = ["report.md", "fit.json", "fit.h5", *(f"{name}.png" for name in figure_names(study))]
    return [folder / f"{stem}_{ending}" for ending in endings]


def write_fit(
    outcome: FitOutcome, folder: Path, stem: str, *, command: str = "", origin: Origin | None = None
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
    command
        Command that made the fit, kept as provenance.
    origin
        Whose the files are.

    Returns
    -------
    Files, the report first, and a sentence for each figure that could not be drawn.
    """
    report, numbers, arrays = (folder / f"{stem}_{end}" for end in ("report.md", "fit.json", "fit.h5"))
    drawn: list[Path] = []
    lost: list[str] = []
    with written_together():
        write_json(numbers, _numbers(outcome), origin)
        _write_arrays(arrays, outcome, command, origin)
        for name, make in figures(outcome):
            drawn += draw(folder / f"{stem}_{name}.png", make, lost, name=name, dpi=130, origin=origin)
        text = "\n".join(report_lines(outcome, [path.name for path in drawn], lost))
        write_markdown(report, text + "\n", origin)
    return [report, numbers, arrays, *drawn], lost


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
            "what_the_data_determine": result.identifiability.lines(phrases(result.parameters)),
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
    result = outcome.main.result
    names = list(result.names)
    found = [result[name] for name in names]
    with written_hdf5(path, origin) as file:
        file.attrs.update(
            title="npp_jax fit",
            schema_version=SCHEMA_VERSION,
            npp_jax_version=__version__,
            jax_version=jax.__version__,
            device=str(jax.devices()[0].device_kind),
            study=outcome.study.text,
            command=readable(command),
        )
        file["parameter"] = names
        for key, values, text in (
            ("theta", result.theta, "best parameters, in the units of their names"),
            (
                "standard_error",
                [e.sigma for e in found],
                "standard errors, in the units of the names; NaN: not determined",
            ),
            ("interval", [e.interval for e in found], "95 % intervals [parameter, end]; NaN: the data set no limit"),
            ("covariance_scaled", result.covariance.scaled, "covariance on the scales of the parameters"),
            ("correlation", result.covariance.correlation, "correlation matrix"),
            ("start_theta", result.refined.theta, "where each start ended"),
            ("start_chi2", 2.0 * result.refined.cost, "χ² there, priors included"),
            ("start_reason", result.refined.reason, "why it ended: " + ", ".join(f"{r:d} {r.name}" for r in Reason)),
            ("path", result.path, "trial points of the best start"),
        ):
            file[key] = np.asarray(values)
            file[key].attrs["long_name"] = text
        texts = np.array([[end.text() for end in e.ends] for e in found], dtype=object)
        file.create_dataset("interval_end", data=texts, dtype=h5py.string_dtype())
        file["interval_end"].attrs["long_name"] = "how each end was found"
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
            group["reason"] = profile.reason
            for side, end in zip(("low", "high"), profile.ends, strict=True):
                group.attrs[f"{side}_outcome"], group.attrs[f"{side}_text"] = end.outcome.name, end.text()
                group.attrs[f"{side}_value"], group.attrs[f"{side}_delta_chi2"] = end.value, end.delta_chi2
        group = file.create_group("minima")
        group["theta"] = np.reshape([m.theta for m in result.minima], (-1, len(names)))
        group["chi2"] = np.array([m.chi2 for m in result.minima], float)
        group["starts"] = np.array([m.starts for m in result.minima], int)
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
