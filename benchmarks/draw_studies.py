"""A figure of each ready study: python benchmarks/draw_studies.py [NAME ...]; written to sweeps/figures/NAME.png.

Each file of sweeps/ is run by its command, as a user runs it, and the figure that shows most is kept.
"""

import argparse
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import matplotlib.image as image

SWEEPS = Path(__file__).resolve().parents[1] / "sweeps"
FIGURES = SWEEPS / "figures"
WIDTH = 900
"""Pixels."""


def command(file: Path) -> list[str]:
    """The command of a file with its options."""
    table = tomllib.loads(file.read_text(encoding="utf-8"))
    if "kind" in table:
        return ["tracer"]
    if "next" in table:
        return ["design"]
    if "parameters" in table:
        return ["fit"]
    fronts = {stage["front"] for stage in table["stages"]}
    return ["simulate", "--model", "full"] if "blocking" in fronts else ["simulate"]


def draw(file: Path) -> str:
    """Run the command; keep its figure."""
    with tempfile.TemporaryDirectory() as folder:
        run = [sys.executable, "-m", "npp_jax", *command(file), str(file), "--output", folder]
        done = subprocess.run(run, capture_output=True, text=True)
        drawn = sorted(Path(folder).glob("*.png"), key=lambda f: (not f.stem.endswith("_profiles"), f.stem))
        if not drawn:
            return f"no figure: {(done.stdout + done.stderr).strip().splitlines()[-1]}"
        FIGURES.mkdir(exist_ok=True)
        pixels = image.imread(drawn[0])
        step = max(1, round(pixels.shape[1] / WIDTH))
        rows, columns = (size // step * step for size in pixels.shape[:2])
        blocks = pixels[:rows, :columns].reshape(rows // step, step, columns // step, step, -1)
        image.imsave(FIGURES / f"{file.stem}.png", blocks.mean(axis=(1, 3)))
        return f"{drawn[0].name} ({done.returncode})"


def main() -> None:
    """Draw those that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="names of files of sweeps/ without ending")
    names = parser.parse_args().names or sorted(file.stem for file in SWEEPS.glob("*.toml"))
    for name in names:
        print(f"{name}: {draw(SWEEPS / f'{name}.toml')}", flush=True)


if __name__ == "__main__":
    main()
