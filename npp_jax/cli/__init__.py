"""Command line: `npp-jax new`, `check`, `simulate`, `sweep`, `fit`, `design`, `explore`, `couple`, and others.

Exit codes: 0 done, 2 wrong input (one line on standard error), 3 the result carries a warning in its status, 4 no
finite result, 130 interrupted.
"""

from itertools import pairwise
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from npp_jax._version import __version__
from npp_jax.cli.about import info, schema
from npp_jax.cli.begin import check, new
from npp_jax.cli.couples import couple
from npp_jax.cli.exploring import explore
from npp_jax.cli.planning import design
from npp_jax.cli.sims import import_sims
from npp_jax.cli.simulation import simulate
from npp_jax.cli.stored import export, plot
from npp_jax.cli.studies import fit, sweep
from npp_jax.cli.terminal import cannot_write
from npp_jax.cli.tracing import tracer

__all__ = ["app", "cannot_write"]

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Nernst–Planck–Poisson simulation of ion exchange.")


def _tell_version(wanted: bool | None) -> None:
    if wanted:
        typer.echo(f"npp_jax {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool | None, typer.Option("--version", callback=_tell_version, is_eager=True, help="Print the version.")
    ] = None,
) -> None:
    """Nernst–Planck–Poisson simulation of ion exchange."""


class _Command(TyperCommand):
    """A command that does not take an option for the value of the option before it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        taking = {name: not getattr(option, "is_flag", False) for option in self.params for name in option.opts}
        for name, value in pairwise([*args, ""]):
            if name == "--":
                break
            if taking.get(name.removesuffix("=")) and (name.endswith("=") or not value):
                ctx.fail(f"option '{name.removesuffix('=')}' has no value")
            if taking.get(name) and value.startswith("--"):
                ctx.fail(f"option '{name}' has no value: after it comes '{value}'")
        return super().parse_args(ctx, args)


_EXAMPLES = {
    new: "npp-jax new cait --profile K.csv --output first",
    check: "npp-jax check first/cait_K_study.toml --output first",
    simulate: "npp-jax simulate first/cait_K.toml --csv tables --output first",
    sweep: "npp-jax sweep first/cait_K_study.toml --output first",
    fit: "npp-jax fit first/cait_K_study.toml --output first",
    design: "npp-jax design sweeps/next_experiment.toml --output next",
    explore: "npp-jax explore first/cait_K_study.toml",
    tracer: "npp-jax tracer sweeps/tracer_exchange.toml --output tracer",
    couple: "npp-jax couple couple.csv --time-h 100 --species Na --output couple",
    import_sims: "npp-jax import-sims K.txt --species Li=7Li+ --species K=39K+ --normalise K=sum --crater-depth-nm 310",
    plot: "npp-jax plot first/cait_K_study_fit.h5",
    export: "npp-jax export first/cait_K_study.h5 --csv candidates.csv",
    schema: "npp-jax schema study --markdown",
    info: "npp-jax info --check",
}
"""Commands in the order of the help, each with a line to copy."""

for _command, _example in _EXAMPLES.items():
    app.command(cls=_Command, epilog=f"Example: {_example}")(_command)
