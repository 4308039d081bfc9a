"""Files of a picture: numbers, figure, and what reproduces it on the command line."""

import csv
import io
import zipfile
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from npp_jax.explorer.charts import ExperimentCharts
from npp_jax.explorer.fitting import Found
from npp_jax.explorer.picture import SETTINGS, Panel, RecordPanel, weights_over
from npp_jax.explorer.session import Session
from npp_jax.explorer.sheet import Overlay, figure_of
from npp_jax.explorer.state import View
from npp_jax.explorer.subject import Subject
from npp_jax.files.study_out import plain_name, study_files
from npp_jax.observe import IN_TIME, RECORDED

_ZIP = "application/zip"


class Saved(NamedTuple):
    """A file for the browser."""

    name: str
    kind: str
    """Type of its content."""
    content: bytes


def saved_files(subject: Subject, view: View) -> Saved:
    """Study and experiments with the values of the view: one TOML file where that says it all, else an archive.

    Raises
    ------
    ConfigError
        Files cannot say what the problem has.
    """
    problem, name = subject.problem, plain_name(subject.name)
    setting = "fast" if view.release == "fast" else "accurate"
    measured = bool(problem.data)
    fit = {"starts": 1, "setting": setting, "model": SETTINGS[view.release][1]}
    comment = "\n".join(
        [
            "Made by npp-jax explore. The experiments have the values of the picture, and candidate.csv has them too:",
            f"npp-jax sweep {name}.toml   the picture: profiles and χ² of this one candidate",
            f"npp-jax fit {name}.toml     begins there",
            f"npp-jax explore {name}.toml shows it again",
        ]
    )
    files = study_files(
        problem, view.values, name=name, title=subject.title, profiles=subject.profiles,
        records=subject.records, weights=weights_over(problem, view.ranges), fit=fit, comment=comment,
    )  # fmt: skip
    if not measured and len(problem.measurements) == 1:
        # An experiment alone is what it was.
        order = f"npp-jax simulate {name}.toml --setting {setting} --model {SETTINGS[view.release][1]}"
        files = {file: content for file, content in files.items() if file not in ("candidate.csv", f"{name}.toml")}
        files = {f"{name}.toml" if file.endswith(".toml") else file: content for file, content in files.items()}
        files[f"{name}.toml"] = f"# Made by npp-jax explore. The picture: {order}\n".encode() + files[f"{name}.toml"]
        if len(files) == 1:
            ((file, content),) = files.items()
            return Saved(file, "application/toml", content)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for file, content in files.items():
            target.writestr(f"{name}/{file}", content)
    return Saved(f"{name}.zip", _ZIP, archive.getvalue())


def saved_csv(session: Session) -> Saved:
    """All curves of the picture in one long table, with the parameters above."""
    picture, view = session.picture, session.view
    assert picture is not None
    text = io.StringIO()
    for parameter, value in zip(view.parameters, view.values, strict=True):
        text.write(f"# {parameter.name} = {value!r}\n")
    text.write(f"# setting = {picture.setting}\n")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["experiment", "curve", "species", "x", "x_unit", "y", "y_unit"])
    for measurement, panel in zip(session.subject.problem.measurements, picture.panels, strict=True):
        text.write(f"# {panel.name}: {panel.status.name}, {panel.words()}; chi2 {panel.chi2:.6g}\n")
        profile = measurement.profile
        for k, ion in enumerate(profile.species if profile is not None else ()):
            assert profile is not None and panel.signal is not None and panel.residual is not None
            depth = np.asarray(profile.depth)
            for curve, y, unit in (
                ("measured", np.asarray(profile.fraction[k]), "1"),
                ("sigma", np.asarray(profile.sigma[k]), "1"),
                ("signal", panel.signal[k], "1"),
                ("residual", panel.residual[k], "sigma"),
            ):
                _rows(writer, panel.name, curve, ion, depth, "nm", y, unit)
        _rest(writer, panel)
        for one in panel.records:
            _record(writer, panel.name, one)
    return Saved(f"{plain_name(session.subject.name)}.csv", "text/csv", text.getvalue().encode())


def _rest(writer, panel: Panel) -> None:
    """Composition, laws and courses in time of an experiment."""
    for k, ion in enumerate(panel.species):
        _rows(writer, panel.name, "composition", ion, panel.depth[-1], "nm", panel.fraction[-1, k], "1")
    for law in panel.laws:
        _rows(writer, panel.name, "D", law.species, law.fraction, "1", law.diffusivity, "m2 s-1")
        if law.activation is not None and law.energy is not None and law.density is not None:
            _rows(writer, panel.name, "activation", law.species, law.fraction, "1", law.activation, "eV")
            _rows(writer, panel.name, "sites", law.species, law.energy, "eV", law.density, "eV-1")
    _rows(writer, panel.name, "current", "", panel.hours, "h", panel.current, "nA cm-2")
    _rows(writer, panel.name, "potential", "", panel.hours, "h", panel.potential, "V")


def _record(writer, name: str, one: RecordPanel) -> None:
    """What was recorded, with its standard deviation, and the same as the model has it."""
    record = one.record
    timed = record.quantity in IN_TIME
    x = np.asarray(record.at) / 3600.0 if timed else np.asarray(record.at)
    unit = RECORDED[record.quantity][1]
    columns = (("recorded", record.value), ("sigma", record.sigma), ("signal", one.signal))
    for curve, y in columns:
        _rows(writer, name, f"{record.quantity} {curve}", "", x, "h" if timed else "K", np.asarray(y), unit)


def _rows(writer, name: str, curve: str, ion: str, x: np.ndarray, x_unit: str, y: np.ndarray, y_unit: str) -> None:
    known = np.isfinite(y)
    writer.writerows(
        [name, curve, ion, f"{a:.8g}", x_unit, f"{b:.8g}", y_unit] for a, b in zip(x[known], y[known], strict=True)
    )


def saved_figure(session: Session, form: str, charts: Sequence[ExperimentCharts], found: Found | None) -> Saved:
    """The profiles of the picture as one sheet, `svg` or `png`, with frozen curves and bands as on the page."""
    picture = session.picture
    assert picture is not None
    content = io.BytesIO()
    halves = (None,) * len(charts) if found is None else found.halves
    overlays = [Overlay(chart.linear.frozen, half) for chart, half in zip(charts, halves, strict=True)]
    laws = None if found is None else found.laws
    figure_of(session.subject, picture, overlays, laws).savefig(content, format=form, dpi=200)
    kind = {"svg": "image/svg+xml", "png": "image/png"}[form]
    return Saved(f"{plain_name(session.subject.name)}.{form}", kind, content.getvalue())
