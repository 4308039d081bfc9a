"""What the package is and reads: `npp-jax info` and `npp-jax schema`."""

import json

import jax
import numpy as np
from jaxlib.version import __version__ as jaxlib_version

from npp_jax._version import __version__
from npp_jax.commands.known_answers import check_operations, check_simulations
from npp_jax.files import experiment_schema


def schema_text() -> str:
    """JSON Schema of the experiment file."""
    return json.dumps(experiment_schema(), indent=2)


def info_lines() -> list[str]:
    """Versions and devices."""
    devices = [f"{device.platform}: {device.device_kind}" for device in jax.devices()]
    versions = f"npp_jax {__version__}, jax {jax.__version__}, jaxlib {jaxlib_version}, numpy {np.__version__}"
    return [versions, *devices]


def check_lines() -> tuple[list[str], bool]:
    """Known answers, one a line, and whether all are right."""
    found = [*check_operations(), *check_simulations()]
    lines = [f"{'right' if one.right else 'WRONG'}  {one.name} (error {one.error:.1e})" for one in found]
    return lines, all(one.right for one in found)
