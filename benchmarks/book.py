"""The verification and validation book, docs/verification.md: every check with its numbers, as the scripts gave them.

Usage: python benchmarks/book.py [--pages] [--all]

Runs the short checks anew, and renders the page from the stored results of all of them, benchmarks/results/*.json, each
with its date and machine. `--pages` runs nothing, `--all` also the long checks (hours). A check whose data are not
there, or that was never run, is said to be so. Exit status 1 if a check that was run failed.
"""

import argparse
import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

import book_sections
from record import FOLDER

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "verification.md"
Result = dict[str, Any]

EXCLUDED = ("0.10.2",)
"""Releases of jax that `pyproject.toml` does not allow, as they compute wrong values (jax issue 39103): results of them
are marked."""

HEAD = """\
# Verification and validation book

What was checked, against what, with which result, and the command that shows it. This page is made by `make book`
from the results that the scripts in `benchmarks/` wrote. Short checks run anew with each
`make book`. Long ones are kept in `benchmarks/results/` with the date and the machine of their run;
`python benchmarks/book.py --all` runs them too.

Verification asks whether the equations are solved rightly: against theory, converged solutions and other solvers.
Validation asks whether they describe what was measured: against published numbers and measured profiles. No measured
CAIT profile is among them; the one measured profile here, of a glass, has constant diffusion coefficients.
"""


class Check(NamedTuple):
    """One check of the book."""

    name: str
    """Of its results, benchmarks/results/NAME.json."""
    title: str
    against: str
    """What is compared with what."""
    target: str
    """What it must show."""
    command: str
    """Arguments of Python that run it."""
    long: bool
    """Whether its result is kept, and not made anew with every book."""
    section: str
    """Function of `book_sections` that makes verdict and section of the result."""


def checks() -> list[Check]:
    """Checks of the book, in order."""
    text = (ROOT / "benchmarks" / "book.toml").read_text(encoding="utf-8")
    return [Check(**entry) for entry in tomllib.loads(text)["checks"]]


def run(check: Check) -> None:
    """Run a check; its script writes the result."""
    print(f"{check.title}: python {check.command}", flush=True)
    done = subprocess.run([sys.executable, *check.command.split()], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        told = (done.stdout.strip() or done.stderr.strip()).splitlines()[-1:]
        print(f"  exit status {done.returncode}: {' '.join(told)}")


def stored(check: Check) -> Result | None:
    """Result of a check, if there is one."""
    file = FOLDER / f"{check.name}.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None


def section(check: Check, result: Result | None) -> tuple[str, str]:
    """Verdict and section of one check."""
    verdict, body = (
        ("not run", "No stored result.\n") if result is None else getattr(book_sections, check.section)(result)
    )
    origin = "" if result is None else f"| run | {result.get('date', 'date not recorded')}, {machine(result)} |\n"
    table = (
        f"| | |\n|---|---|\n| against | {check.against} |\n| target | {check.target} |\n| result | **{verdict}** |\n"
        f"| command | `python {check.command}` |\n{origin}"
    )
    return verdict, f"## {check.title}\n\n{table}\n{body}"


def date(result: Result) -> str:
    """Date of a result, marked where its jax is excluded now."""
    told = result.get("date", "")
    return f"{told}, jax {result['jax']}" if result["jax"] in EXCLUDED else told


def machine(result: Result) -> str:
    """Machine and versions of a result."""
    mark = " (no longer allowed)" if result["jax"] in EXCLUDED else ""
    return f"{result['machine']}, Python {result['python']}, jax {result['jax']}{mark}"


def page() -> tuple[str, bool]:
    """The page, and whether every check that was run shows what it must."""
    results = [(check, stored(check)) for check in checks()]
    parts = [section(check, result) for check, result in results]
    lines = ["| check | result | date |", "|---|---|---|"]
    for (check, result), (verdict, _) in zip(results, parts, strict=True):
        lines.append(f"| {check.title} | {verdict} | {'' if result is None else date(result)} |")
    text = "\n".join([HEAD, *lines, "", *(body for _, body in parts)])
    return text.rstrip() + "\n", not any(verdict.startswith("FAILED") for verdict, _ in parts)


def main() -> int:
    """Run, render, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # pyright: ignore
    parser.add_argument("--pages", action="store_true", help="run nothing, render what is stored")
    parser.add_argument("--all", action="store_true", help="run the long checks too")
    options = parser.parse_args()
    for check in checks():
        if options.all or not (options.pages or check.long):
            run(check)
    text, good = page()
    PAGE.write_text(text, encoding="utf-8")
    book_sections.figure_references(FOLDER / "verify.json", PAGE.with_name("verification_errors.svg"))
    print(f"written: {PAGE.relative_to(ROOT)}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
