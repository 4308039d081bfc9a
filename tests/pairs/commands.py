"""Commands run in this process, and what may come of them."""

import re
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
    """Run a command; a fault is a traceback, another exit code than the four, or a refusal of more than a line."""
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    lines = [line for line in done.output.splitlines() if line.strip()]
    told = [line for line in lines if line.startswith(("status:", "npp-jax:"))]
    text = told[-1] if told else (lines[-1] if lines else "")
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        return Outcome(done.exit_code, text, f"{type(done.exception).__name__}: {done.exception}")
    if done.exit_code not in (0, 2, 3, 4):
        return Outcome(done.exit_code, text, f"exit code {done.exit_code}: {text}")
    refusals = [line for line in lines if line.startswith("npp-jax:")]
    if done.exit_code == 2 and len(refusals) != 1:
        return Outcome(2, text, f"a refusal of {len(refusals)} lines: {done.output}")
    return Outcome(done.exit_code, text, "")


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
