"""Results of the benchmarks in benchmarks/results, with the date, the machine and the versions that gave them."""

import datetime
import json
import os
import platform
from pathlib import Path
from typing import Any

import jax
import jaxlib
import numpy as np

FOLDER = Path(__file__).parent / "results"


def machine() -> dict[str, Any]:
    """Date, processor, device and versions."""
    device = jax.devices()[0]
    kind = "" if device.platform == "cpu" else f", {device.device_kind}"
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": f"{os.cpu_count()}-core {platform.machine().split('_')[0]} CPU{kind}",
        "python": platform.python_version(),
        "jax": jax.__version__,
        "jaxlib": jaxlib.__version__,
        "numpy": np.__version__,
    }


def save(name: str, content: dict[str, Any]) -> None:
    """Write `content` to benchmarks/results/NAME.json."""
    FOLDER.mkdir(exist_ok=True)
    target = FOLDER / f"{name}.json"
    text = json.dumps({**machine(), **content}, indent=2, ensure_ascii=False, allow_nan=False)
    target.write_text(text + "\n", encoding="utf-8")
    print(f"written: benchmarks/results/{target.name}")
