"""The page in a real browser: what is drawn is what the command line computes."""

import csv
import time
import zipfile
from pathlib import Path

import jax
import numpy as np
import pytest
from explorer.conftest import curve
from typer.testing import CliRunner

from npp_jax import FAST, Measurement, Problem, load_experiment, load_study, simulate
from npp_jax._compile import quick
from npp_jax.cli import app
from npp_jax.explorer.subject import subject_of_study
from npp_jax.fitting import place
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
    told = page.run("Bokeh.documents[0].get_model_by_name('told K').data.text")
    assert told[2] == "DONE"


def test_a_number_outside_of_its_range_is_refused_in_words(page):
    before = page.read("box sed_fwhm_eV", "value")
    page.put("box sed_fwhm_eV", "value", "7")
    page.wait("Bokeh.documents[0].get_model_by_name('message').text.includes('0.15 to 0.4')")
    page.wait(f"Bokeh.documents[0].get_model_by_name('box sed_fwhm_eV').value == '{before}'")


def test_undo_goes_back(page):
    before = page.read("box sed_fwhm_eV", "value")
    moved(page, "sed_fwhm_eV", 0.62)
    page.click("undo")
    page.wait(f"Bokeh.documents[0].get_model_by_name('box sed_fwhm_eV').value == '{before}'")


def test_the_files_of_the_page_give_its_picture_on_the_command_line(page, tmp_path: Path):
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
    again = subject_of_study(study)
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


def test_another_profile_is_loaded(page, served):
    lines = (served.study.parent / "K.csv").read_text().splitlines()
    table = "\n".join(line for k, line in enumerate(lines) if k < 3 or k % 2 == 0)
    page.run(
        "(() => {const file = Bokeh.documents[0].get_model_by_name('profile file');"
        f"file.setv({{filename: '../../other.csv', value: btoa({table!r})}})}})()"
    )
    page.wait("Bokeh.documents[0].get_model_by_name('message').text.includes('points of other.csv')")
    page.wait(PICTURE)


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
