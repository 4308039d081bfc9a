"""What the package is and reads: `npp-jax info` and `npp-jax schema`."""

import json

import jax
import numpy as np

from npp_jax._version import __version__
from npp_jax.files import experiment_schema


def schema_text() -> str:
    """JSON Schema of the experiment file."""
    return json.dumps(experiment_schema(), indent=2)


def info_lines() -> list[str]:
    """Versions and devices."""
    devices = [f"{device.platform}: {device.device_kind}" for device in jax.devices()]
    return [f"npp_jax {__version__}, jax {jax.__version__}, numpy {np.__version__}", *devices]
