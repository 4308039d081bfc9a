"""Every option of the tables of a study, through `npp-jax sweep` and `npp-jax fit`, at reduced size."""

from pathlib import Path

import pytest
import studies
from commands import run
from covering import touching

SWEEPS = touching({name: options for name, options in studies.OPTIONS.items() if name not in studies.OF_FITS})
FITS = touching({name: studies.OPTIONS[name] for name in studies.OF_FITS})
PLAIN = {name: options[0] for name, options in studies.OPTIONS.items()}


@pytest.mark.parametrize(
    "choice",
    [
        *({**PLAIN, **row, "command": "sweep"} for row in SWEEPS),
        *(pytest.param({**PLAIN, **row, "command": "fit"}, marks=pytest.mark.slow) for row in FITS),
    ],
    ids=lambda choice: f"{choice['command']}, {choice['design']}, {choice['rival']}",
)
def test_studies(choice: dict[str, str], tmp_path: Path) -> None:
    # Figures take longer than these sweeps; `make pairs` draws them.
    plain = ["--no-figures"] if choice["command"] == "sweep" else []
    outcome = run(choice["command"], studies.make(choice, tmp_path), *plain, "--output", tmp_path / "results")
    assert not outcome.fault, choice
    assert outcome.code != 2, outcome.text
