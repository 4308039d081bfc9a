"""Reports: one page that needs nothing else, text from files shown as text, the same parts in Markdown."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from pages import check_page

from npp_jax.commands.fit.report import from_elsewhere
from npp_jax.commands.report.blocks import Code, Drawn, Folded, Items, Page, Section, Text
from npp_jax.commands.report.html import html_text
from npp_jax.commands.report.markdown import markdown_text
from npp_jax.commands.report.numbers import columns
from npp_jax.commands.report.svg import svg_text
from npp_jax.files import load_experiment
from npp_jax.inference.digits import further, together, with_power
from npp_jax.simulation.text_table import TextTable

Run = Callable[..., tuple[int, str]]
SWEEPS = Path(__file__).parents[2] / "sweeps"
EVIL = "<script>alert(1)"


def drawing() -> Figure:
    figure = Figure(figsize=(3, 2), layout="constrained")
    ax = figure.subplots()
    x = np.linspace(0.0, 1.0, 900)
    ax.plot(x, np.sin(40.0 * x), "o", label="points")
    ax.fill_between(x, 0.0, x)
    ax.set(xlabel="$x$ / nm", title=EVIL)
    ax.legend()
    return figure


def test_the_same_figure_is_the_same_text_and_two_on_a_page_share_no_name():
    first, again, other = svg_text(drawing(), "a"), svg_text(drawing(), "a"), svg_text(drawing(), "b")
    assert first == again
    named = [set(re.findall(r'id="([^"]*)"', text)) for text in (first, other)]
    assert named[0] and named[0].isdisjoint(named[1])
    # The crowd of points is an image.
    assert "data:image/png" in first and len(first) < 60_000


def evil_page() -> Page:
    table = TextTable(EVIL, (EVIL, "n"), ((f"{EVIL} | *b*", "1.5"), ("_a_ [x](y)", "2 < 3")), (EVIL,))
    numbers = (columns("n", {EVIL: np.arange(1000.0)}, place="x.h5"),)
    words = f'what is "to be seen" {EVIL}'
    shown = Drawn("a", svg_text(drawing(), "a"), f"{EVIL}.png", f'a "caption" {EVIL}', words, numbers)
    parts = [Text(EVIL, "warning"), Items((EVIL,)), Code(f"```\n{EVIL}\n```"), table, shown]
    return Page(EVIL, (Text(EVIL, "lead"), Section(EVIL, [*parts, Section("inner", parts[:2]), Folded(EVIL, [table])])))


def test_text_of_files_is_shown_as_text():
    page = check_page(html_text(evil_page()))
    assert "".join(page.words).count(EVIL) > 10
    text = markdown_text(evil_page())
    outside = "".join(part for k, part in enumerate(re.split("^````$", text, flags=re.MULTILINE)) if k % 2 == 0)
    # A `<` before a blank begins no tag.
    assert not re.search(r"<(?! )", outside) and "\\*b\\*" in outside and "\\_a\\_ \\[x\\](y)" in outside
    assert "![what" in outside and re.search(r"\]\(%3Cscript%3Ealert%281%29\.png\)", outside)
    rows = [line for line in outside.splitlines() if line.startswith("| ")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {3}


def test_long_tables_are_thinned_and_say_so():
    table = columns("n", {"x": np.arange(1000.0)}, place="x.h5")
    assert len(table.rows) <= 400 and table.remarks == ("Every 3. of 1000 rows is shown; all are in x.h5.",)


@pytest.mark.parametrize(
    ("values", "error", "told"),
    [
        ((0.24393, 0.0047), 0.0047, ["0.2439", "0.0047"]),
        ((9.9049e-22, 4.8e-23), 4.8e-23, ["9.90 × 10⁻²²", "0.48 × 10⁻²²"]),
        ((350.2,), np.nan, ["350.20"]),
        ((12345.6, 678.0), 678.0, ["12346", "678"]),
        ((0.0, np.nan), np.nan, ["0.0000", "nan"]),
    ],
)
def test_digits_follow_the_error(values: tuple[float, ...], error: float, told: list[str]):
    numbers, power = together(values, error)
    assert [with_power(number, power) for number in numbers] == told


@pytest.mark.slow
def test_report_of_a_sweep(folder: Path, run: Run):
    """With a parameter of a hostile name, and the truth behind synthetic profiles."""
    study = folder / "study.toml"
    text = (
        study.read_text(encoding="utf-8")
        .replace("D_K_m2_s", EVIL)
        .replace("error_estimate", "profiles = true\nerror_estimate")
    )
    study.write_text(text + f'[truth]\n"{EVIL}" = 9.6813e-22\n', encoding="utf-8")
    table = (folder / "candidates.csv").read_text(encoding="utf-8").replace("D_K_m2_s", EVIL)
    (folder / "candidates.csv").write_text(table, encoding="utf-8")
    code, told = run("sweep", study, "--output", folder, "--force")
    assert code == 0, told
    file = folder / "study_sweep_report.html"
    assert told.splitlines()[-1] == f"report: {file}"
    page = check_page(file.read_text(encoding="utf-8"))
    words = " ".join(page.words)
    for part in (
        "Data, model and command",
        "Figures",
        "Parameters",
        "Best candidates",
        "Provenance",
        EVIL,
        "synthetic",
    ):
        assert part in words
    assert "9.6813 × 10⁻²²" in words and re.search(r"\b[0-9a-f]{64}\b", words) and "wall time" in words
    assert len(page.all("svg")) == 3 and file.stat().st_size < 1_000_000
    markdown = (folder / "study_sweep_report.md").read_text(encoding="utf-8")
    for name in re.findall(r"!\[[^\n]*\]\((study_sweep_\w+\.png)\)", markdown):
        assert (folder / name).stat().st_size > 5_000
    assert "&lt;script\\>alert(1)" in markdown and EVIL not in markdown.partition("## Provenance")[0]
    # The report belongs to the file of the sweep; what is not one of a sweep is kept.
    assert run("sweep", study, "--output", folder, "--no-figures", "--quiet")[0] == 0
    file.write_text("mine", encoding="utf-8")
    code, told = run("sweep", study, "--output", folder, "--no-figures", "--quiet")
    assert code == 2 and "study_sweep_report.html: a file is there that does not tell" in told
    assert file.read_text(encoding="utf-8") == "mine"


def test_a_truth_of_no_parameter_is_refused(folder: Path, run: Run):
    study = folder / "study.toml"
    study.write_text(study.read_text(encoding="utf-8") + "[truth]\nD_m2_s = 1e-21\n", encoding="utf-8")
    code, told = run("sweep", study, "--output", folder)
    assert (code, len(told.splitlines())) == (2, 1)
    assert told.strip().endswith("truth: 'D_m2_s' is no parameter; known are D_K_m2_s")


def test_what_was_wrong_before_the_work_stands_in_the_report(folder: Path, run: Run):
    study = folder / "study.toml"
    study.write_text(study.read_text(encoding="utf-8") + "[truth]\nD_K_m2_s = 1.0\n", encoding="utf-8")
    code, told = run("sweep", study, "--output", folder, "--no-figures")
    assert code in (0, 3) and "warning: truth: D_K_m2_s = 1 is outside of its range" in told
    page = (folder / "study_sweep_report.html").read_text(encoding="utf-8")
    assert "truth: D_K_m2_s = 1 is outside of its range" in page


def test_one_more_interval_is_told_as_one():
    assert [further(k) for k in (-1, 0, 1, 3)] == [
        "",
        "",
        "; 1 more parameter has an interval",
        "; 3 more parameters have intervals",
    ]


@pytest.mark.parametrize(
    ("file", "keys", "first_words"),
    [
        ("lithium_borate_K", ["K.D_m2_s"], ["D of Li in the bulk is taken", "the temperature is taken"]),
        ("lithium_borate_K", ["Li.sed_fwhm_eV", "Li.D_bulk_m2_s"], ["the temperature", "the vacancy fraction"]),
        ("melt_potassium", ["K.D_m2_s", "Li.D_m2_s"], []),
        ("melt_potassium", ["K.D_m2_s"], ["D of Li in the bulk is taken"]),
        ("couple_exponential", ["A.D_m2_s"], []),
    ],
)
def test_what_a_fit_takes_from_elsewhere(file: str, keys: list[str], first_words: list[str]) -> None:
    experiment = load_experiment(SWEEPS / f"{file}.toml")
    told = list(from_elsewhere([experiment], keys))
    assert [text.startswith(words) for text, words in zip(told, first_words, strict=True)] == [True] * len(told)
