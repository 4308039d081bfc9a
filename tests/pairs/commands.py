"""Commands run in this process or in one of their own, and what may come of them."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

from typer.testing import CliRunner

from npp_jax.cli import app


class Outcome(NamedTuple):
    """How a command ended."""

    code: int
    text: str
    """Its last words: the status, or the line that refuses."""
    fault: str
    """What a user must not see; empty if all is well."""


def run(*arguments: object) -> Outcome:
    """Run a command in this process; a fault is what `judged` says, or a traceback."""
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    outcome = judged(done.exit_code, done.output)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        return outcome._replace(fault=f"{type(done.exception).__name__}: {done.exception}")
    return outcome


def run_apart(*arguments: object) -> Outcome:
    """Run a command in a process of its own, as a user does: what it has compiled goes with it."""
    command = [sys.executable, "-m", "npp_jax", *(str(argument) for argument in arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return judged(done.returncode, done.stdout)


def judged(code: int, output: str) -> Outcome:
    """What came of a command; a fault is another exit code than the four, or a refusal of more than a line."""
    lines = [line for line in output.splitlines() if line.strip()]
    told = [line for line in lines if line.startswith(("status:", "npp-jax:"))]
    text = told[-1] if told else (lines[-1] if lines else "")
    if code not in (0, 2, 3, 4):
        return Outcome(code, text, f"exit code {code}: {text}")
    refusals = [line for line in lines if line.startswith("npp-jax:")]
    if code == 2 and len(refusals) != 1:
        return Outcome(2, text, f"a refusal of {len(refusals)} lines: {output}")
    return Outcome(code, text, "")


def command_of(file: Path) -> str:
    """The command of an experiment, a study or a tracer study."""
    table = tomllib.loads(file.read_text(encoding="utf-8"))
    if "kind" in table:
        return "tracer"
    if "next" in table:
        return "design"
    return "fit" if "parameters" in table else "simulate"


BLOCK = re.compile(r"^```(?:sh|bash|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def documented(page: Path) -> list[list[str]]:
    """Arguments of every `npp-jax` command in the code blocks of a page."""
    found = []
    for block in BLOCK.findall(page.read_text(encoding="utf-8")):
        for line in block.replace("\\\n", " ").splitlines():
            command = line.partition("#")[0].strip().removeprefix("$ ")
            if command.startswith("npp-jax "):
                found.append(command.split()[1:])
    return found
