"""The page in a real browser: what is drawn is what the command line computes."""

import csv
import time
import zipfile
from pathlib import Path

import jax
import numpy as np
import pytest
from explorer.conftest import SWEEPS, curve
from scipy.special import erfc
from typer.testing import CliRunner

from npp_jax import FAST, Measurement, Problem, load_experiment, load_study, simulate
from npp_jax._compile import quick
from npp_jax.cli import app
from npp_jax.commands.tracer.study import load_tracer_study
from npp_jax.explorer.run import page_of
from npp_jax.explorer.subject import subject_of_study
from npp_jax.fitting import place
from npp_jax.sweeping import read_sweep
from npp_jax.sweeping.profiles import read_profiles

pytestmark = pytest.mark.filterwarnings("ignore")

PICTURE = "Bokeh.documents[0].get_model_by_name('status').text.startsWith('picture')"


@pytest.fixture(scope="module")
def page(browser, served):
    browser.open(served.url)
    browser.wait(PICTURE)
    return browser


def moved(page, name: str, share: float) -> None:
    """Drag a slider and let it go; wait until the curve has changed."""
    before = page.curve("signal K")
    page.put(f"slider {name}", "value", share)
    page.put(f"slider {name}", "value_throttled", share)
    page.wait(f"{curve('signal K')}[60] != {before[60]!r}")


def test_a_slider_moves_the_curve_to_what_simulate_gives(page, served):
    moved(page, "D_K_m2_s", 0.8)
    value = 3e-22 * 10.0**0.8
    assert float(page.read("box D_K_m2_s", "value")) == pytest.approx(value, rel=1e-4)
    experiment = place(load_experiment(served.study.parent / "K.toml"), {"K.D_m2_s": value})
    expected = jax.jit(lambda e: simulate(e, FAST), compiler_options=quick())(experiment)
    shown = page.curve("composition Li")
    np.testing.assert_allclose(shown, np.asarray(expected.fraction[-1, 0])[: len(shown)], atol=1e-7)
    assert len(shown) > 50
    assert "DONE" in page.column("told K", "text")
    # χ² stands where it follows a slider that is held, and in no text beside it that does not.
    words = "[...Bokeh.documents[0]._all_models.values()].filter((m) => m.type == 'Div').map((m) => m.text)"
    assert any("<b>K</b>" in text for text in page.run(words))
    assert not [text for text in page.run(words) if "χ²" in text]


def test_a_number_outside_of_its_range_is_refused_in_words(page):
    before = page.read("box sed_fwhm_eV", "value")
    page.put("box sed_fwhm_eV", "value", "7")
    page.wait("Bokeh.documents[0].get_model_by_name('message').text.includes('0.15 to 0.4')")
    page.wait(f"Bokeh.documents[0].get_model_by_name('box sed_fwhm_eV').value == '{before}'")


def test_what_was_recorded_stands_beside_its_curve(page):
    points, seen = page.column("recorded current", "y"), page.column("seen current", "y")[0]
    assert len(points) == len(seen) > 50
    # Noise of 1 % and a gain, which the model finds, at nearly the parameters of the synthetic data.
    assert np.std(np.array(points) / np.array(seen) - 1.0) < 0.05
    assert any(text.startswith("current χ²") for text in page.column("told K", "text"))


def test_undo_goes_back(page):
    before = page.read("box sed_fwhm_eV", "value")
    moved(page, "sed_fwhm_eV", 0.62)
    page.click("undo")
    page.wait(f"Bokeh.documents[0].get_model_by_name('box sed_fwhm_eV').value == '{before}'")


def test_the_files_of_the_page_give_its_picture_on_the_command_line(page, served, tmp_path: Path):
    moved(page, "D_K_m2_s", 0.55)
    time.sleep(0.3)
    page.click("save TOML")
    with zipfile.ZipFile(page.downloaded(".zip")) as archive:
        archive.extractall(tmp_path)
    study = tmp_path / "study" / "study.toml"
    done = CliRunner().invoke(app, ["sweep", str(study), "--output", str(tmp_path), "--quiet"])
    assert done.exit_code == 0, done.output
    (stored,) = read_profiles(tmp_path / "study.h5", np.array([0]))
    np.testing.assert_allclose(stored.profile[0, 1], page.curve("signal K"), atol=1e-5)
    # With χ² of the page, the record included, as the sweep has the setting of the picture.
    told = [text for text in page.column("told K", "text") if "χ²" in text]
    chi2 = sum(float(text.split("χ²")[1].split("/")[0]) for text in told)
    assert read_sweep(tmp_path / "study.h5").total[0] == pytest.approx(chi2, abs=0.11)
    again = subject_of_study(study)
    # Records travel with the study.
    (record,), (before,) = (load_study(path).problem.measurements[0].records for path in (study, served.study))
    np.testing.assert_array_equal(record.value, before.value)
    assert (record.quantity, record.gain_sigma) == ("current", 0.02)
    assert again.view().value("D_K_m2_s") == pytest.approx(3e-22 * 10.0**0.55)
    assert float(again.problem.measurements[0].experiment.species[1].diffusivity.D) == again.view().value("D_K_m2_s")


def test_numbers_and_figures_are_downloaded(page):
    page.click("save CSV")
    lines = [line for line in page.downloaded(".csv").read_text().splitlines() if not line.startswith("#")]
    rows = [row for row in csv.DictReader(lines) if row["curve"] == "signal" and row["species"] == "K"]
    np.testing.assert_allclose([float(row["y"]) for row in rows], page.curve("signal K"), rtol=1e-6, atol=1e-9)
    page.click("save SVG")
    assert "<svg" in page.downloaded(".svg").read_text()
    page.click("save PNG")
    assert page.downloaded(".png").read_bytes().startswith(b"\x89PNG")


def test_a_fit_ends_with_bands_and_the_curve_before(page):
    moved(page, "D_K_m2_s", 0.7)
    page.click("fit")
    page.wait("Bokeh.documents[0].get_model_by_name('fit status').text.startsWith('fit ended')", 120.0)
    assert float(page.read("box D_K_m2_s", "value")) == pytest.approx(9.6813e-22, rel=0.1)
    page.wait("Bokeh.documents[0].get_model_by_name('band K').data.x.length == 2")
    assert page.run("Bokeh.documents[0].get_model_by_name('curves K').data.label").count("frozen") == 2
    # The sheet has what the page draws; its texts stand beside their outlines.
    page.click("save SVG")
    sheet = page.downloaded(".svg").read_text()
    assert "<!-- frozen -->" in sheet and "<!-- 95 % -->" in sheet


FILE_FIELD = """
const look = (node) => {
    for (const child of [...(node.shadowRoot ? [node.shadowRoot] : []), ...node.children]) {
        if (child.tagName === "INPUT" && child.type === "file") return child
        const found = look(child)
        if (found) return found
    }
}
return look(document.body)
"""


def test_another_profile_is_loaded(page, served, tmp_path: Path):
    lines = (served.study.parent / "K.csv").read_text().splitlines()
    table = "\n".join(line for k, line in enumerate(lines) if k < 3 or k % 2 == 0)
    (tmp_path / "other.csv").write_text(table, encoding="utf-8")
    # As the dialogue of the browser does: content and name come one after the other.
    page.driver.execute_script(FILE_FIELD).send_keys(str(tmp_path / "other.csv"))
    page.wait("Bokeh.documents[0].get_model_by_name('message').text.includes('points of other.csv')")
    page.wait(PICTURE)
    assert "K: 80 depths of 2 ions (Li, K), 160 points of other.csv" in page.read("message", "text")
    # What was found in other data goes with them.
    assert (page.read("fit status", "text"), page.read("fit table", "text")) == ("", "")
    # Still counts, as before, and fitted as such.
    assert page.read("counts", "value") == "2000"


def test_a_profile_in_per_cent_is_refused_as_in_a_study(page, served, tmp_path: Path):
    head, *rows = [line for line in (served.study.parent / "K.csv").read_text().splitlines() if line[0] != "#"]
    numbers = [[float(cell) for cell in row.split(",")] for row in rows]
    table = "\n".join(";".join([f"{r[0]:g}", *(f"{100 * v:g}" for v in r[1:])]).replace(".", ",") for r in numbers)
    for name, titles in (("bare", head), ("told", head.replace("_sigma", "_sigma [%]").replace(",", ";"))):
        titles = titles.replace(",", ";")
        titles = titles.replace("Li;", "Li [%];").replace("K;", "K [%];") if name == "told" else titles
        (tmp_path / f"{name}.csv").write_text(f"{titles}\n{table}", encoding="utf-8")
    page.driver.execute_script(FILE_FIELD).send_keys(str(tmp_path / "bare.csv"))
    page.wait("Bokeh.documents[0].get_model_by_name('message').text.includes('is no fraction n/N')")
    # The title tells the unit, and commas are decimal ones.
    page.driver.execute_script(FILE_FIELD).send_keys(str(tmp_path / "told.csv"))
    page.wait("Bokeh.documents[0].get_model_by_name('message').text.includes('320 points of told.csv')")


def test_the_console_is_empty(page):
    assert page.console() == []


def test_a_view_of_python_is_served(served):
    import urllib.request

    from npp_jax import explore

    problem = load_study(served.study).problem
    shown = explore(Problem((Measurement("K", problem.measurements[0].experiment),), ()))
    with urllib.request.urlopen(shown.url) as answer:
        assert answer.status == 200
    assert shown.url in shown._repr_html_()


EVIL = "<img src=x onerror=alert(1)>"

INJECTED = """
const found = []
const walk = (node) => {
    if (node.getAttribute && node.getAttribute("onerror")) found.push(node.outerHTML)
    if (node.shadowRoot) walk(node.shadowRoot)
    for (const child of node.childNodes) walk(child)
}
walk(document)
return found
"""


def test_a_candidate_of_a_sweep_shows_the_profiles_that_it_has(browser, study, tmp_path: Path):
    from npp_jax.explorer.serve import served_aside

    text = study.read_text().replace('"sed_fwhm_eV"', f'"width{EVIL}"').replace("synthetic)", f"synthetic){EVIL}")
    for name in ("K.toml", "K.csv", "current.csv"):
        (tmp_path / name).write_bytes((study.parent / name).read_bytes())
    design = "[design]\ncandidates = 4\n[sweep]\nprofiles = true\nerror_estimate = false\n"
    (tmp_path / "swept.toml").write_text(f"{text}{design}", encoding="utf-8")
    done = CliRunner().invoke(app, ["sweep", str(tmp_path / "swept.toml"), "--output", str(tmp_path), "--no-figures"])
    assert done.exit_code == 0, done.output
    browser.open(served_aside(page_of(tmp_path / "swept.h5")).url)
    browser.wait("Bokeh.documents[0].get_model_by_name('candidates').data.x.length == 4")
    theta = read_sweep(tmp_path / "swept.h5").theta
    for mark in (0, 2):
        browser.run(f"(() => {{Bokeh.documents[0].get_model_by_name('candidates').selected.indices = [{mark}]}})()")
        at = browser.run(f"Bokeh.documents[0].get_model_by_name('candidates').data.x[{mark}]")
        number = int(np.flatnonzero(np.isclose(theta, at).any(axis=1))[0])
        browser.wait(f"Bokeh.documents[0].get_model_by_name('candidate').text.startsWith('<b>candidate {number}<')")
        (stored,) = read_profiles(tmp_path / "swept.h5", np.array([number]))
        shown = [browser.column(f"signal K {ion}", "y") for ion in stored.species]
        np.testing.assert_allclose(shown, stored.profile[0], atol=1e-6)
    # An axis that takes the parameter of the other one gives its own in exchange.
    across, up = browser.read("across", "value"), browser.read("up", "value")
    browser.put("up", "value", across)
    browser.wait(f"Bokeh.documents[0].get_model_by_name('across').value == {up!r}")
    assert browser.read("up", "value") == across != up
    # Low χ² is dark, as in the figures of a sweep.
    bar = "[...Bokeh.documents[0]._all_models.values()].filter((m) => m.type == 'LogColorMapper')[0].palette"
    palette = browser.run(bar)
    assert palette[0] == "#00204C" and palette[-1] == "#FFE945"
    # Names are text, whatever is in them.
    assert browser.driver.execute_script(INJECTED) == [] and browser.console() == []


def test_the_curve_of_a_tracer_follows_its_slider(browser):
    from npp_jax.explorer.serve import served_aside

    browser.open(served_aside(page_of(SWEEPS / "tracer_exchange.toml")).url)
    browser.wait("Bokeh.documents[0].get_model_by_name('status').text.includes('status: converged')", 90.0)
    curve = "curve profile profile"
    browser.wait(f"Bokeh.documents[0].get_model_by_name({curve!r}).data.x.length > 20")
    # Sliders are named as in the file, the table above in words: the page tells which is which.
    assert browser.read("words", "text") == "surface: C of the source; base: C of the untouched sample"
    before = browser.column(curve, "y")
    browser.put("slider D_m2_s", "value", 0.8)
    browser.put("slider D_m2_s", "value_throttled", 0.8)
    browser.wait(f"Bokeh.documents[0].get_model_by_name({curve!r}).data.y[20] != {before[20]!r}")
    D, top, base = (float(browser.read(f"box {name}", "value")) for name in ("D_m2_s", "surface", "base"))
    study = load_tracer_study(SWEEPS / "tracer_exchange.toml")
    length = 2e3 * np.sqrt(D * study.model.duration_h * 3600.0)
    x = np.maximum(np.array(browser.column(curve, "x")), 0.0)
    np.testing.assert_allclose(browser.column(curve, "y"), base + (top - base) * erfc(x / length), atol=2e-4)
    assert browser.console() == []
