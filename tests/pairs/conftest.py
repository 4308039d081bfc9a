"""What the tests of this folder share: its modules, and settings that show whether a command comes to its end."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Meshes and steps that are fast; numbers are the business of other tests."""
    import npp_jax.commands.design.run as design_run
    import npp_jax.commands.fit.run as fit_run
    import npp_jax.commands.simulate as simulate_run
    import npp_jax.commands.sweep as sweep_run
    import npp_jax.sweeping.screening as screening
    from npp_jax.simulation.simulate import ACCURATE, FAST

    small = replace(FAST, cells_behind=24, cells_ahead=12, steps=4, iterations=4, extra_iterations=(4,), landings=1)
    settings = {"accurate": small, "fast": small}
    monkeypatch.setattr(simulate_run, "SETTINGS", settings)
    monkeypatch.setattr(simulate_run, "LEVELS", 0)
    monkeypatch.setattr(fit_run, "SETTINGS", settings)
    monkeypatch.setattr(design_run, "SETTINGS", settings)
    monkeypatch.setattr(sweep_run, "SETTINGS", settings)
    monkeypatch.setattr(screening, "SCREENING", replace(small, companion=False, observables=False))
    assert ACCURATE is not small
