"""Command line: `npp-jax simulate`, `sweep`, `fit`, `tracer`, `import-sims`, `plot`, `export`, `schema`, `info`.

Exit codes: 0 done, 2 wrong input (one line on standard error), 3 the result carries a warning in its status, 4 no
finite result.
"""

import io
import os
import sys

import typer

from npp_jax.cli.about import info, schema
from npp_jax.cli.sims import import_sims
from npp_jax.cli.simulation import simulate
from npp_jax.cli.stored import export, plot
from npp_jax.cli.studies import fit, sweep
from npp_jax.cli.tracing import tracer

_INTERRUPTED = 130

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Nernst–Planck–Poisson simulation of ion exchange.")

for _command in (simulate, sweep, fit, tracer, import_sims, plot, export, schema, info):
    app.command()(_command)


def main() -> None:
    """Entry point of the command line."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that lacks a character shows a mark in its place.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        app()
    except SystemExit as end:
        if end.code != _INTERRUPTED:
            raise
        typer.echo("npp-jax: interrupted", err=True)
        sys.stdout.flush()
        sys.stderr.flush()
        # Threads that still compile or compute would abort the process as the interpreter ends, with a core dump;
        # results are written aside and moved into place, so that none is half done.
        os._exit(_INTERRUPTED)
