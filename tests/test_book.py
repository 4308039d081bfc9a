"""The verification book is what its script makes of the stored results, and notices a check that failed."""

import importlib
import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def book(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    spec = importlib.util.spec_from_file_location("book", ROOT / "benchmarks" / "book.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_page_is_made_of_the_stored_results(book: ModuleType):
    text, good = book.page()
    assert (ROOT / "docs" / "verification.md").read_text(encoding="utf-8") == text
    assert good


def test_every_check_has_a_script_that_saves_its_result(book: ModuleType):
    for check in book.checks():
        script = ROOT / check.command.split()[0]
        assert f"results/{check.name}.json" in script.read_text(encoding="utf-8")


def test_a_failed_check_is_said(book: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    result = book.stored(next(check for check in book.checks() if check.name == "fit_coverage"))
    result["coverage"]["share_inside"]["sed_fwhm_eV"] = 0.5
    (tmp_path / "fit_coverage.json").write_text(json.dumps(result), encoding="utf-8")
    monkeypatch.setattr(book, "FOLDER", tmp_path)
    text, good = book.page()
    assert not good
    assert "FAILED: 50.0 to" in text
    assert "| Gunawan et al. 2024 | not run |" in text


def test_a_bound_is_rounded_up(book: ModuleType):
    # None of eight outside: 31.2 % at 95 % confidence.
    assert "fewer than 32 %" in book.book_sections.random_experiments({"counts": {"done, inside": 8}})[1]


def test_a_clone_compares_with_the_published_references(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    verify = importlib.import_module("verify")
    bundled = ROOT / "tests" / "verification" / "reference"
    assert bundled in verify.REFERENCES
    published = {case: bundled / case for case in ("p1", "p2", "p3")}
    assert verify.found_cases(verify.CASES, (tmp_path, bundled)) == published
    # A place that has a case goes before.
    (tmp_path / "p2").mkdir()
    assert verify.found_cases(verify.CASES, (tmp_path, bundled)) == {**published, "p2": tmp_path / "p2"}
