"""Parts of the pages without a browser: keys that can be added, histories, work beside the page, tracers."""

import base64
import dataclasses
import io
import math
import threading
import zipfile
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest

from npp_jax import ACCURATE, FAST, Problem, load_study
from npp_jax.commands.sweep import run_study
from npp_jax.explorer.added import addable, added_parameter, first_parameters
from npp_jax.explorer.state import History, View
from npp_jax.explorer.subject import subject_of_study
from npp_jax.inference import Parameter, ParameterError, misfit
from npp_jax.sweeping import Workers
from npp_jax.sweeping.run import SweepStopped

SWEEPS = Path(__file__).parents[2] / "sweeps"


@pytest.fixture(scope="module")
def problem() -> Problem:
    return load_study(SWEEPS / "one_distribution.toml").problem


def test_every_key_that_is_offered_makes_a_parameter_of_its_experiments(problem):
    choices = [choice for choice, _ in addable(problem)]
    assert "stages.0.potential_V" in choices and "stages.0.potential_V@Rb" in choices
    assert "Li.sed_fwhm_eV" not in choices and "observation.response.sigma_nm" in choices
    # One of each form is enough.
    for choice in choices[::5]:
        added = added_parameter(problem, choice)
        assert added.bounded
        Problem(problem.measurements, (*problem.parameters, added))
    with pytest.raises(ParameterError, match="no experiment"):
        added_parameter(problem, "K.colour")


def test_an_experiment_begins_with_its_laws_and_drives(problem):
    names = [p.name for p in first_parameters(problem.measurements[:1])]
    assert {"Li_sed_fwhm_eV", "Li_vacancy_fraction", "K_D_m2_s", "stages_0_potential_V"} <= set(names)


def test_ranges_of_sliders_are_told_in_few_characters():
    pytest.importorskip("bokeh")
    from npp_jax.explorer.controls import Controls

    parameters = (
        Parameter("charge_C_m2", ("stages.0.charge_C_m2",), 50.25, 804.0),
        Parameter("D", (), 3e-22, 3e-21, "log"),
    )
    rows = Controls(View(parameters, (201.0, 1e-21), ()), print, print).column.children
    assert [row.children[1].title for row in rows] == ["50 … 804", "3e-22 … 3e-21"]
    # A slider moves along shares of its range, which are no values.
    assert not any(row.children[0].tooltips for row in rows)


def test_a_logarithmic_axis_leaves_room_for_the_names_of_its_curves():
    pytest.importorskip("bokeh")
    from npp_jax.explorer.common import follow, interval

    axis = interval(1e-24, 1e-18)
    follow(axis, [np.array([1e-28, 8e-18])], logarithmic=True)
    assert axis.start <= 1e-28 and axis.end == pytest.approx(1e-16)
    follow(axis, [np.array([1e-28, 7e-18])], logarithmic=True)
    assert axis.end == pytest.approx(1e-16)


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (3e-22, 3e-21, ["3 × 10⁻²²", "5 × 10⁻²²", "10⁻²¹", "2 × 10⁻²¹", "3 × 10⁻²¹"]),
        (0.4, 20.0, ["0.5", "1", "2", "5", "10", "20"]),
        (0.01, 5e3, ["0.01", "0.1", "1", "10", "100", "1000"]),
        (8e-22, 9.5e-22, ["8.1 × 10⁻²²", "8.4 × 10⁻²²", "8.7 × 10⁻²²", "9 × 10⁻²²", "9.3 × 10⁻²²"]),
        (0.0, 1.0, []),
    ],
)
def test_a_logarithmic_axis_has_labels_along_all_of_it(low: float, high: float, labels: list[str]):
    common = pytest.importorskip("npp_jax.explorer.common", reason="the extra 'explore' (bokeh) is not installed")
    assert list(common.log_ticks(low, high).values()) == labels


def test_names_of_curves_do_not_touch():
    pytest.importorskip("bokeh")
    from npp_jax.explorer.law_charts import _apart, _Curve

    x = np.linspace(0.0, 1.0, 101)
    curves = [_Curve(x, 0.0 * x, "", name) for name in ("Li", "Rb", "Cs")]
    # The first stands at its end; of two of one height the later gives way by the width of the other.
    places = [x[k] for k in _apart(curves, [0.9 + 0.0 * x, 0.5 + 0.0 * x, 0.55 + 0.0 * x])]
    assert places[:2] == [1.0, 1.0] and places[2] == pytest.approx(1.0 - 3 * 0.025, abs=0.011)
    # Where there is no room they stand at their ends.
    assert _apart([_Curve(x[:1], x[:1], "", "Li")] * 2, [np.zeros(1)] * 2) == [0, 0]
    assert _apart([], []) == []


def test_histories_go_back_step_by_step():
    view = View((Parameter("a", (), 0.0, 1.0),), (0.5,), (None,))
    history = History(view).then(view.moved("a", 0.6)).then(view.moved("a", 0.6)).then(view.fitted_over(0, (1.0, 2.0)))
    assert len(history.past) == 2
    assert history.back().now.value("a") == 0.6
    assert history.back().back().back().now == view


def test_the_newest_wish_is_done_and_those_between_are_dropped():
    work = pytest.importorskip("npp_jax.explorer.work", reason="the extra 'explore' (bokeh) is not installed")
    done, begun, go = [], threading.Event(), threading.Event()

    def do(job: int) -> None:
        begun.set()
        go.wait(10)
        done.append(job)
        if job == 9:
            ended.set()

    ended = threading.Event()
    latest = work.Latest(do, lambda error: None)
    latest.ask(0)
    begun.wait(10)
    for job in range(1, 10):
        latest.ask(job)
    go.set()
    assert ended.wait(10)
    latest.end()
    assert done == [0, 9]


def test_what_looks_wrong_is_judged_by_the_numbers_of_the_page(problem):
    page = pytest.importorskip("npp_jax.explorer.doubts", reason="the extra 'explore' (bokeh) is not installed")
    charge = added_parameter(problem, "stages.0.charge_C_m2@K")
    one = Problem(problem.measurements, (charge,))
    assert page.doubts(one, (201.0,)) == []
    (told,) = page.doubts(one, (20.1,))
    assert told.startswith("K: charge and depths disagree, by a factor of about 10: ")
    (told,) = page.doubts(one, (150.0,))
    assert told.startswith("K: the profile holds 206 C/m², 150 C/m² were passed (1.37 of it)")


@pytest.mark.parametrize("setting", ["fast", "accurate"])
def test_a_sweep_of_the_saved_study_has_the_setting_of_its_picture(
    setting: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    save = pytest.importorskip("npp_jax.explorer.save", reason="the extra 'explore' (bokeh) is not installed")
    subject = dataclasses.replace(subject_of_study(SWEEPS / "one_distribution.toml"), release=setting)
    with zipfile.ZipFile(io.BytesIO(save.saved_files(subject, subject.view()).content)) as archive:
        archive.extractall(tmp_path)
    path = tmp_path / "one_distribution" / "one_distribution.toml"
    used = {}

    def begun(problem, design, controls, **more):
        used["controls"] = controls
        raise SweepStopped

    monkeypatch.setattr("npp_jax.commands.sweep.sweep", begun)
    study = load_study(path)
    with pytest.raises(SweepStopped):
        run_study(study, tmp_path / "found.h5", force=False, workers=Workers(), quiet=True)
    assert used["controls"] == dataclasses.replace({"fast": FAST, "accurate": ACCURATE}[setting], trace=False)
    assert study.design.values.tolist() == [list(subject.values)]
    assert subject_of_study(path).release == setting


def test_a_file_for_which_there_is_no_place_is_told_on_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    upload = pytest.importorskip("npp_jax.explorer.upload", reason="the extra 'explore' (bokeh) is not installed")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    told: list[str] = []
    sent = SimpleNamespace(value="MSwy", filename="K.csv")
    upload.Upload._load(SimpleNamespace(_file=sent, _page=SimpleNamespace(say=told.append)))
    assert told == ["K.csv: cannot be read: No such file or directory"]


def test_a_raw_file_is_imported_with_the_options_and_the_warnings_of_the_command(problem, tmp_path: Path):
    upload = pytest.importorskip("npp_jax.explorer.upload", reason="the extra 'explore' (bokeh) is not installed")
    rows = (SWEEPS / "synthetic_sims" / "K.txt").read_text(encoding="utf-8").splitlines()
    cells = [row.split("\t") for row in rows]
    for row in (row for row in cells if row[0].isdigit()):
        # A background of K, which scatters as counts do.
        row[5] = str(int(row[5]) + 40 + 6 * (int(row[0]) % 3 - 1))
    raw = base64.b64encode("\n".join("\t".join(row) for row in cells).encode()).decode()
    told: list[str] = []
    found: list[Problem] = []
    session = SimpleNamespace(subject=subject_of_study(SWEEPS / "one_distribution.toml"))
    page = SimpleNamespace(session=session, go_on=found.append, say=lambda *texts: told.extend(texts))
    form = upload.Upload(page)
    form._channels.value, form._normalise.value, form._crater.value = "K=39K+, Li=7Li+", "K=sum", "310"
    form._take(raw, "K.txt", tmp_path)
    assert told[0].startswith("K: 310 depths of 2 ions (K, Li), 620 points of K.txt. New sliders: K_K_sensitivity, ")
    assert any("surface pulls" in text and "“first depth”" in text for text in told[1:])
    (floor,) = (text for text in told if "throughout the bulk" in text)
    assert "“background” K=249:310 takes it off" in floor
    form._sigma.value, form._background.value, form._surface.value = "4", "K=249:310", "6"
    told.clear()
    form._take(raw, "K.txt", tmp_path)
    added = {p.name for p in found[-1].parameters}
    assert {"K_K_background", "K_depth_scale"} <= added and len(told) == 1
    assert float(found[-1].measurements[0].profile.systematic.depth_scale) == pytest.approx(4.0 / 310.0)
    # A table tells no systematic errors: their sliders go, and it is said.
    session.subject = dataclasses.replace(session.subject, problem=found[-1])
    form._channels.value, form._surface.value, form._counts.value = "", "", "2000"
    told.clear()
    form._take(base64.b64encode((SWEEPS / "synthetic" / "K.csv").read_bytes()).decode(), "K.csv", tmp_path)
    assert "Sliders that are gone: K_K_background, " in told[0] and "K.csv tells no such systematic error" in told[0]
    form._background.value = "K"
    with pytest.raises(ValueError, match="background: 'K'; NAME=VALUE"):
        upload.backgrounds(form._background.value)
    assert upload.backgrounds("K=800:1000, Li=0.4") == {"K": (800.0, 1000.0), "Li": 0.4}
    with pytest.raises(ValueError, match="K is given twice, as 1 and as 2"):
        upload.backgrounds("K=1, Li=0.4, K=2")


@pytest.mark.parametrize("by_hand", [True, False])
def test_a_fit_leaves_what_was_frozen_by_hand(by_hand: bool):
    page = pytest.importorskip("npp_jax.explorer.page", reason="the extra 'explore' (bokeh) is not installed")
    own = Mock(_frozen_by_hand=by_hand, session=Mock(fitting=False))
    page.Page._on_fit(own)
    assert (own._thaw.called, own._freeze.called) == (not by_hand, not by_hand)


@pytest.mark.parametrize(
    ("chi2", "told"), [(326.31, "326.3"), (99999.0, "99999.0"), (123456.0, "1.23 × 10⁵"), (math.inf, "inf")]
)
def test_a_large_misfit_has_three_digits(chi2: float, told: str):
    assert misfit(chi2) == told


@pytest.mark.slow
def test_curves_of_a_tracer_have_the_misfit_of_its_fit():
    from npp_jax.commands.tracer.run import run_tracer
    from npp_jax.commands.tracer.study import load_tracer_study
    from npp_jax.explorer.tracer_series import chi2_of, series_of

    fit = run_tracer(load_tracer_study(SWEEPS / "tracer_exchange.toml"), SWEEPS).fit
    assert fit is not None
    (series,) = series_of(fit)
    assert series.unit == "mm" and len(series.measured) == fit.points
    assert chi2_of(fit, [np.asarray(part) for part in fit.modelled()]) == pytest.approx(fit.chi2)


def test_a_tracer_study_without_data_is_simulated_with_other_numbers(tmp_path: Path):
    from npp_jax.commands.tracer.run import run_tracer
    from npp_jax.commands.tracer.study import load_tracer_study
    from npp_jax.explorer.tracer_simulated import varied_of, with_values

    text = (SWEEPS / "tracer_chain.toml").read_text(encoding="utf-8")
    kept = [line for line in text.splitlines() if not line.startswith("profile")]
    (tmp_path / "chain.toml").write_text("\n".join(kept), encoding="utf-8")
    study = load_tracer_study(tmp_path / "chain.toml")
    begin = {one.parameter.name: one.value for one in varied_of(study)}
    assert with_values(study, begin).model_dump() == study.model_dump()
    moved = with_values(study, {**begin, "D_bulk_m2_s": 1e-12, "permeability_m_s": 5e-9, "stage_1_duration_h": 0.4})
    found = run_tracer(moved, tmp_path)
    assert found.fit is None
    # Grains of 68 µm and three boundaries in series.
    expected = 68e-6 / (68e-6 / 1e-12 + 3 / 5e-9)
    assert float(found.arrays["D_eff"].values) == pytest.approx(expected, rel=1e-6)
    assert found.arrays["time"].values[-1] == pytest.approx(0.9 * 3600.0)


def test_a_map_has_its_axes_in_micrometres():
    page = pytest.importorskip("npp_jax.explorer.tracer_page", reason="the extra 'explore' (bokeh) is not installed")
    from npp_jax.explorer.tracer_series import Series

    series = Series("map", "map", None, "µm", np.linspace(0.1, 0.9, 8).reshape(2, 4), None, 0, 0.5)
    for one in page.TracerPage._maps(Mock(_sources={}), series, 300):
        (image,) = one.renderers
        assert (image.glyph.dw, image.glyph.dh, one.xaxis.axis_label) == (2.0, 1.0, "x / µm")


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (0.995, 1.0051, "0.995 … 1.005"),
        (3e-22, 3e-21, "3e-22 … 3e-21"),
        (50.0, 804.0, "50 … 804"),
        (0.15, 0.4, "0.15 … 0.4"),
        (-0.000583, 0.00115, "-5.8e-4 … 0.0011"),
        (-6e-4, 6e-4, "-6e-4 … 6e-4"),
    ],
)
def test_the_ends_of_a_range_are_told_apart(low: float, high: float, text: str):
    controls = pytest.importorskip("npp_jax.explorer.controls", reason="the extra 'explore' (bokeh) is not installed")
    assert controls.range_text(low, high) == text
