"""Execute the notebooks in full and keep them with their figures.

Usage: python notebooks/execute.py [NAME ...] [--folder DIR]

Each is executed in this folder, and written with what it printed and drew to site/notebooks/, or to another folder; the
stored notebooks stay without outputs. Printed are the seconds of each. Needs the extra `docs`.
"""

import argparse
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).parent


def main() -> None:
    """Execute, write, tell how long it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=sorted(path.stem for path in HERE.glob("*.ipynb")))
    parser.add_argument("--folder", type=Path, default=HERE.parent / "site" / "notebooks")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    total = 0.0
    for name in options.names:
        notebook = nbformat.read(HERE / f"{name}.ipynb", as_version=4)
        begin = time.perf_counter()
        NotebookClient(notebook, timeout=1200, resources={"metadata": {"path": str(HERE)}}).execute()
        spent = time.perf_counter() - begin
        total += spent
        nbformat.write(notebook, options.folder / f"{name}.ipynb")
        print(f"{name}: {spent:.0f} s", flush=True)
    print(f"together {total:.0f} s, in {options.folder}")


if __name__ == "__main__":
    main()
