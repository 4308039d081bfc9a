"""`npp-jax schema` and `npp-jax info`."""

import json

import typer

from npp_jax.cli.terminal import start_jax


def schema() -> None:
    """Print the JSON Schema of the experiment file."""
    from npp_jax.files import experiment_schema

    typer.echo(json.dumps(experiment_schema(), indent=2))


def info() -> None:
    """Print versions and devices."""
    start_jax()
    import jax
    import numpy

    import npp_jax

    typer.echo(f"npp_jax {npp_jax.__version__}, jax {jax.__version__}, numpy {numpy.__version__}")
    for device in jax.devices():
        typer.echo(f"{device.platform}: {device.device_kind}")
