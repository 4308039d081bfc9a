"""The tests of tests/verification, one line each: python benchmarks/run_verification_tests.py [--save]."""

import argparse
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as xml
from pathlib import Path

from record import save

ROOT = Path(__file__).parents[1]


def outcome(case: xml.Element) -> str:
    """How a test ended."""
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    return "passed" if case.find("skipped") is None else "skipped"


def name(case: xml.Element) -> dict[str, str]:
    """Module and test; a module that is skipped as a whole has its path for a test and no class."""
    module, test = case.attrib["classname"] or case.attrib["name"], case.attrib["name"].split("[")[0]
    return {
        "module": module.removeprefix("tests.verification."),
        "test": test if case.attrib["classname"] else "test_all_of_it",
    }


def main() -> int:
    """Run the tests; store what each did."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/verification_tests.json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "tests.xml"
        command = [sys.executable, "-m", "pytest", "-q", "tests/verification", f"--junitxml={file}"]
        code = subprocess.run(command, cwd=ROOT).returncode
        cases = xml.parse(file).getroot().iter("testcase")
        rows = [{**name(case), "outcome": outcome(case)} for case in cases]
    if options.save:
        save("verification_tests", {"rows": rows})
    return code


if __name__ == "__main__":
    sys.exit(main())
