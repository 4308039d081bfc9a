"""What the package is and runs on: `npp-jax info`."""

import jax
import numpy as np
from jaxlib.version import __version__ as jaxlib_version

from npp_jax._compile import wide
from npp_jax._version import __version__
from npp_jax.commands.known_answers import check_operations, check_simulations


def info_lines() -> list[str]:
    """Versions and devices."""
    devices = [f"{device.platform}: {device.device_kind}" for device in jax.devices()]
    versions = f"npp_jax {__version__}, jax {jax.__version__}, jaxlib {jaxlib_version}, numpy {np.__version__}"
    width = wide().get("xla_cpu_prefer_vector_width")
    vectors = [] if width is None else [f"sweeps are compiled for vectors of {width} bits"]
    return [versions, *devices, *vectors]


def check_lines() -> tuple[list[str], bool]:
    """Known answers, one a line, and whether all are right."""
    found = [*check_operations(), *check_simulations()]
    lines = [
        f"{'right' if one.right else 'WRONG'}  {one.name} (error {one.error:.1e}, right up to {one.tolerance:.0e})"
        for one in found
    ]
    return lines, all(one.right for one in found)
