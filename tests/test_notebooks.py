"""The notebooks run from top to bottom."""

import json
from pathlib import Path

import matplotlib
import pytest

NOTEBOOKS = sorted((Path(__file__).resolve().parent.parent / "notebooks").glob("*.ipynb"))


def test_there_are_notebooks():
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.slow
def test_runs(path: Path, monkeypatch: pytest.MonkeyPatch):
    matplotlib.use("Agg")
    monkeypatch.chdir(path.parent)
    names: dict[str, object] = {}
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    for cell in cells:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
    result = names["result"]
    assert result.agreeing == len(names["starts"])
    for profile, truth in zip(result.profiles, (0.25, 0.10, 9.6813e-22, 1.8825e-22, 4.3028e-23), strict=True):
        assert profile.interval[0] < truth < profile.interval[1]
    matplotlib.pyplot.close("all")
