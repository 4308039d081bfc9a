"""A study of one experiment, its page, and a browser of Debian that looks at it."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

SWEEPS = Path(__file__).parents[2] / "sweeps"

STUDY = """schema_version = 1
title = "K on lithium borate (synthetic)"

[[experiments]]
name = "K"
file = "K.toml"
profile = "K.csv"
counts_per_fraction = 2000.0
likelihood = { kind = "poisson" }
response = { kind = "dowsett", leading_nm = 0.8, trailing_nm = 2.5, sigma_nm = 1.5 }
current = { file = "current.csv", relative_sigma = 0.01, gain_sigma = 0.02 }

[[parameters]]
name = "sed_fwhm_eV"
keys = ["Li.sed_fwhm_eV"]
low = 0.15
high = 0.40
[[parameters]]
name = "D_K_m2_s"
keys = ["K.D_m2_s"]
low = 3e-22
high = 3e-21
scale = "log"
"""


class Served(NamedTuple):
    """A page that `npp-jax explore` serves."""

    url: str
    study: Path

    @property
    def host(self) -> str:
        """Host and port."""
        return self.url.split("/")[2]


@pytest.fixture(scope="package")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study, with what it names beside it."""
    folder = tmp_path_factory.mktemp("explored")
    shutil.copy(SWEEPS / "lithium_borate_K.toml", folder / "K.toml")
    shutil.copy(SWEEPS / "synthetic" / "K.csv", folder)
    shutil.copy(SWEEPS / "synthetic_records" / "K_current.csv", folder / "current.csv")
    (folder / "study.toml").write_text(STUDY, encoding="utf-8")
    return folder / "study.toml"


@pytest.fixture(scope="package")
def served(study: Path) -> Iterator[Served]:
    """Its page, served by the command in a process of its own."""
    pytest.importorskip("bokeh", reason="the extra 'explore' (bokeh) is not installed")
    command = [sys.executable, "-m", "npp_jax", "explore", str(study), "--no-browser", "--setting", "fast"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as run:
        assert run.stdout is not None
        url = run.stdout.readline().strip()
        if not url.startswith("http://127.0.0.1:"):
            run.kill()
            pytest.fail(f"no page: {run.communicate()}")
        yield Served(url, study)
        run.terminate()


def curve(label: str, experiment: str = "K") -> str:
    """Expression for the fractions of the last of the curves with a label."""
    data = f"Bokeh.documents[0].get_model_by_name('curves {experiment}').data"
    return f"{data}.y[{data}.label.lastIndexOf('{label}')]"


class Browser:
    """A page in headless Chromium: models of Bokeh by their names, and what the console says."""

    def __init__(self, driver: Any, downloads: Path) -> None:
        self.driver, self.downloads = driver, downloads
        self._taken: dict[str, int] = {}

    def open(self, url: str) -> None:
        """Open a page and wait until it is drawn."""
        self.driver.get(url)
        self.wait("window.Bokeh && Bokeh.documents.length > 0 && Bokeh.documents[0].is_idle")

    def run(self, script: str) -> Any:
        """Value of an expression."""
        return self.driver.execute_script(f"return {script}")

    def read(self, model: str, attribute: str) -> Any:
        """Attribute of a model; arrays of Bokeh become lists."""
        found = self.run(f"Bokeh.documents[0].get_model_by_name({model!r}).{attribute}")
        return [found[str(k)] for k in range(len(found))] if isinstance(found, dict) and "0" in found else found

    def column(self, model: str, name: str) -> list[float]:
        """Column of a source."""
        return self.run(f"Array.from(Bokeh.documents[0].get_model_by_name({model!r}).data[{name!r}])")

    def curve(self, label: str, experiment: str = "K") -> list[float]:
        """Fractions of one of the curves of an experiment: `signal K`, `composition Li`, …."""
        return self.run(f"Array.from({curve(label, experiment)})")

    def put(self, model: str, attribute: str, value: Any) -> None:
        """Give a model a value, as a hand does with a widget."""
        self.driver.execute_script(
            "Bokeh.documents[0].get_model_by_name(arguments[0])[arguments[1]] = arguments[2]", model, attribute, value
        )

    def click(self, model: str) -> None:
        """Click a button with the mouse: files are handed over to a user only."""
        button = self.driver.execute_script(
            "const view = Bokeh.index.find_one_by_id(Bokeh.documents[0].get_model_by_name(arguments[0]).id);"
            "view.el.scrollIntoView({block: 'center'});"
            "return view.shadow_el.querySelector('button')",
            model,
        )
        button.click()

    def wait(self, condition: str, seconds: float = 60.0) -> None:
        """Wait until an expression is true."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                if self.run(condition):
                    return
            except Exception as error:
                last = error
            else:
                last = None
            time.sleep(0.05)
        raise AssertionError(f"not so after {seconds} s: {condition} {last or ''}")

    def downloaded(self, ending: str) -> Path:
        """The next file that the page has handed over."""
        end = time.monotonic() + 20.0
        while time.monotonic() < end:
            found = sorted(self.downloads.glob(f"*{ending}"), key=lambda file: file.stat().st_mtime)
            if len(found) > self._taken.get(ending, 0):
                self._taken[ending] = len(found)
                return found[-1]
            time.sleep(0.05)
        raise AssertionError(f"nothing that ends in {ending} was downloaded")

    def console(self) -> list[str]:
        """What is in the console and is no notice of the level of the log itself."""
        return [
            entry["message"]
            for entry in self.driver.get_log("browser")
            if entry["level"] != "INFO" or not any(text in entry["message"] for text in _NOTICES)
        ]


_NOTICES = ("setting log level", "rendered successfully")


@pytest.fixture(scope="package")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Chromium without a window; skipped where it, its driver or selenium is not there."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("no Chromium with its driver: apt-get install chromium chromium-driver")
    downloads = tmp_path_factory.mktemp("downloads")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for option in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    opened = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    opened.set_window_size(1280, 900)
    yield Browser(opened, downloads)
    opened.quit()
