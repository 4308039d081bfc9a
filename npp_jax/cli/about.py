"""`npp-jax schema` and `npp-jax info`."""

from typing import Annotated

import typer

from npp_jax.cli.terminal import start_jax


def schema() -> None:
    """Print the JSON Schema of the experiment file."""
    from npp_jax.commands.about import schema_text

    typer.echo(schema_text())


def info(
    check: Annotated[bool, typer.Option(help="Compute known answers, and say which are wrong.")] = False,
) -> None:
    """Print versions and devices."""
    start_jax(computing=False)
    from npp_jax.commands.about import check_lines, info_lines
    from npp_jax.commands.progress import progress

    typer.echo("\n".join(info_lines()))
    if check:
        with progress("computing known answers", compiling=True, lines=False):
            lines, right = check_lines()
        typer.echo("\n".join(lines))
        if not right:
            raise typer.Exit(4)
