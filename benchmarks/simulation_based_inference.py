"""A network learnt from 10⁵ candidates against the posterior of the fit: the notebook in full. All data are synthetic.

Usage: python benchmarks/simulation_based_inference.py [--save]

Runs notebooks/simulation_based_inference.ipynb without showing its figures, in ten minutes. Needs the library sbi,
which is no dependency: pip install sbi. `--save` writes benchmarks/results/simulation_based_inference.json, which the
notebook shows where the library is missing.
"""

import argparse
import importlib.metadata
import json
import os
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import record

NOTEBOOK = Path(__file__).resolve().parent.parent / "notebooks" / "simulation_based_inference.ipynb"


def main() -> None:
    """Run the notebook, keep its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--save", action="store_true")
    options = parser.parse_args()
    mpl.use("Agg")
    os.chdir(NOTEBOOK.parent)
    names: dict[str, Any] = {}
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
    if options.save and names["library"]:
        record.save(
            "simulation_based_inference",
            {
                "sbi": importlib.metadata.version("sbi"),
                "torch": importlib.metadata.version("torch"),
                "candidates": int(names["candidates"]),
                "failed": int(np.sum(~names["good"])),
                "points": len(names["noise"].measured),
                "sweep_s": names["sweep_s"],
                "draw_s": names["draw_s"],
                "train_s": names["train_s"],
                "posterior_over_box": float(names["volume"]),
                "parameters": list(names["result"].names),
                "agreement": names["agreement"],
            },
        )


if __name__ == "__main__":
    main()
