"""`npp-jax schema` and `npp-jax info`."""

import typer

from npp_jax.cli.terminal import start_jax


def schema() -> None:
    """Print the JSON Schema of the experiment file."""
    from npp_jax.commands.about import schema_text

    typer.echo(schema_text())


def info() -> None:
    """Print versions and devices."""
    start_jax()
    from npp_jax.commands.about import info_lines

    typer.echo("\n".join(info_lines()))
