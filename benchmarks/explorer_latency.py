"""Time from a slider to the picture, in a real browser: `python benchmarks/explorer_latency.py [--save]`.

Chromium without a window, `npp-jax explore` on the bundled study of three experiments. A move gives the slider another
value, as a hand that drags does. The clock of the page stops after the frame in which the new curves are drawn: those
of the profiles of all three experiments with χ² and status, and those of all figures.
"""

import argparse
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import record

STUDY = Path(__file__).parents[1] / "sweeps" / "one_distribution.toml"
MOVES = 25

MOVE = """
const [share, watched, done] = arguments
const model = (name) => Bokeh.documents[0].get_model_by_name(name)
const sources = watched.map(model), before = sources.map((source) => source.data)
const begin = performance.now()
// Once in the frame, and once when it is over.
const drawn = () => requestAnimationFrame(() => setTimeout(() => done(performance.now() - begin), 0))
const look = () => sources.some((source, k) => source.data === before[k]) ? setTimeout(look, 1) : drawn()
model("slider sed_fwhm_eV").value = share
look()
"""


def opened():
    """Chromium without a window."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or shutil.which("google-chrome") or ""
    for option in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1280,900"):
        options.add_argument(option)
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))


def wait(driver, condition: str) -> None:
    while True:
        try:
            if driver.execute_script(f"return {condition}"):
                return
        except Exception:
            pass
        time.sleep(0.02)


def measured() -> dict:
    driver = opened()
    started = time.perf_counter()
    command = [sys.executable, "-m", "npp_jax", "explore", str(STUDY), "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        url = server.stdout.readline().strip()
        served = time.perf_counter() - started
        driver.get(url)
        status = "Bokeh.documents[0].get_model_by_name('status').text"
        wait(driver, f"{status}.startsWith('picture')")
        first = time.perf_counter() - started
        wait(driver, f"{status} == 'picture: accurate setting'")
        accurate = time.perf_counter() - started
        driver.set_script_timeout(30)
        profiles = [f"curves {name}" for name in ("K", "Rb", "Cs")]
        rest = [f"curves log {name}" for name in ("K", "Rb", "Cs")]
        shares = iter(0.3 + 0.3 * k / (2 * MOVES) for k in range(2 * MOVES))
        found = {}
        for name, watched in (("profiles", profiles), ("all figures", profiles + rest)):
            times = []
            for _ in range(MOVES):
                times.append(driver.execute_async_script(MOVE, next(shares), watched))
                time.sleep(0.3)
            # The first one is of a page that has not moved yet.
            found[name] = sorted(times[1:])
        server.terminate()
    driver.quit()
    return {
        "experiments": 3,
        "moves": MOVES - 1,
        "address_after_s": round(served, 2),
        "first_picture_after_s": round(first, 2),
        "accurate_picture_after_s": round(accurate, 2),
        **{f"{name}_median_ms": round(statistics.median(times), 1) for name, times in found.items()},
        **{f"{name}_90_percent_ms": round(times[int(0.9 * len(times))], 1) for name, times in found.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--save", action="store_true", help="keep the numbers in benchmarks/results")
    row = measured()
    for name, value in row.items():
        print(f"{name:30s} {value}")
    if parser.parse_args().save:
        record.save("explorer_latency", {"rows": [row]})


if __name__ == "__main__":
    main()
